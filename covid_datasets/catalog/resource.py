"""One download of a source, as its card describes it: where it is served, what belongs in it, how it is proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One place that serves a resource: its URL, the folder inside, and names that it changed.

    A ``public`` one asks for no account although its source or its host does.
    """

    url: str
    public: bool = False
    root: str = ""
    rename: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Files that belong to a folder or an archive.

    In ``glob``, ``*`` stands for any text without a slash, ``(jpg|png)`` for one of some texts, and ``{case}`` for a
    name (``{case:number}``: digits) that must be the same wherever it is used: a ``required`` file is needed once for
    each of them. ``example`` shows what is in a file that users write themselves.
    """

    glob: str
    what: str
    required: bool = False
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What is fetched as one, or got by hand as one.

    ``kind`` names a module of `covid_datasets.raw.kinds`, which says what such a resource has to say: a ``file`` has a
    ``path``; the members of an ``archive`` are the files; a ``folder`` is filled by hand; ``series`` of files lie in
    folders of a bucket.

    ``copies`` are ordered: the publisher first, then content-identical public copies. Without copies nothing may
    fetch it: ``steps`` say how its user does.
    ``manifest`` names a file in ``catalogs/manifests/`` with the identity of each file inside; where nobody has made
    one, or it does not name all, ``files`` say which files belong there.
    ``listing`` names a file in ``catalogs/listings/`` that says which series there are; ``only`` chooses some of them
    by what a column may hold.
    Without an ``optional`` resource there is a dataset too, of fewer rows.
    ``folder`` ("cohen/") is where the files lie in the source's tree, so that two resources may have files of one name.

    A template stands for many resources. ``days``, a first and a last one, are put into the fields of ``strftime`` in
    path and URLs (``daily/%m-%d-%Y.csv``), ``numbers``, a first and a last one, into ``{number}`` or ``{number:03}``.
    ``members`` names a file in ``catalogs/listings/`` with a name, a URL, a size and hashes for each of them; without
    days and numbers its lines are the resources, and their names are put into ``{name}``.
    """

    name: str
    copies: tuple[Copy, ...] = ()
    kind: str = "file"
    files: tuple[Pattern, ...] = ()
    optional: bool = False
    steps: tuple[str, ...] = ()
    path: str = ""
    folder: str = ""
    size: int | None = None
    sha256: str = ""
    md5: str = ""
    sha1: str = ""
    manifest: str = ""
    listing: str = ""
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    days: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    members: str = ""
