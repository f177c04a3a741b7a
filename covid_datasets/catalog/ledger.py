"""Splits that others published: ``catalogs/ledger/<id>.toml``, where their lists are and how they are read.

Facts only: who published a split, which files at which commit are its lists, and what a row of them says. What the
audit of it found lies beside it, ``<id>.json``; `covid_datasets.audits.ledger` writes that file and nobody else does.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.typed import read_typed
from covid_datasets.errors import CatalogError, NotThereError, not_one_of

Form = Literal["lines", "table", "json", "pickle"]
Whose = Literal["the source's own", "others'", "nobody's"]
Variants = Literal["", "folds", "versions"]
Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFile:
    """One file of lists: where it is, its identity, and what is true of all its rows.

    ``catalog`` marks a file of this package's own catalog, ``tree`` a folder of pictures: its files are the rows, their
    relative paths the lines, and ``git_sha1`` is that of git's tree. ``repository`` and ``commit`` are those of the
    entry where they are empty.
    """

    path: str
    git_sha1: str
    repository: str = ""
    commit: str = ""
    catalog: bool = False
    tree: bool = False
    fields: Texts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the rows of the lists are read.

    Attributes:
        form: Lines of text, a table with a header, a tree in JSON, or arrays of text in a pickle, which is never run.
        row: Of lines, the regular expression of a whole line; its named groups are fields.
        columns: Of a table, field -> column.
        delimiter: Of a table, what stands between cells.
        levels: Of JSON, the field that each level of the tree tells, from its root: names of a table, places in a list.
            The last one is what stands at the ends.
        only: Field -> the values that a row must have; others are left out.
    """

    form: Form
    row: str = ""
    columns: Texts = field(default_factory=dict)
    delimiter: str = ","
    levels: tuple[str, ...] = ()
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A table that says more of rows: ``key`` is its column of names, ``on`` what it is compared with.

    Endings of pictures are left out of both where ``stem`` is set, because tables often lack them.
    """

    file: ListFile
    key: str
    fields: Texts
    on: str = "{name}"
    stem: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a field is where a text fits a form; the first rule of a field that fits, and that gives text, counts.

    >>> rule = Rule(field="patient", of="{name}", form="(?P<who>[A-Z]+[0-9]{1,9})_.*", to="p{who}")
    >>> rule.apply({"name": "AB12_3.png"}), rule.apply({"name": "3.png"})
    ('pAB12', '')
    """

    field: str
    to: str
    of: str = "{name}"
    form: str = "(?s:.*)"

    def apply(self, row: Mapping[str, str]) -> str:
        """Give the field's text for a row; empty where the rule does not fit it."""
        match = compiled(self.form).fullmatch(filled(self.of, row)[:LONGEST])
        return (
            filled(self.to, {**row, **{name: text or "" for name, text in match.groupdict().items()}}) if match else ""
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How a row is called in a source of ours, so that what is proven of its pictures is known here too.

    A row whose id comes out empty is none of that source. ``build`` names the build that has the pictures, as one would
    type it, and ``config`` its config: the split is audited over it as well. One sample of an entry may name one.
    """

    source: str
    id: str
    build: str = ""
    config: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One published split, with its variants where it has several.

    Attributes:
        id: The name of the file.
        digest: SHA-256 of the file, which the result beside it repeats.
        title: How people call the split.
        whose: Whether the publisher of the pictures made it, or others did, or nobody called it a split.
        by: Who published it.
        paper: Where it is described or used, as one would cite it; empty where nothing is known.
        pictures: The sources, as our catalog calls them, whose pictures are split.
        variants: What the variants are, where there are several: folds of one split, or versions, each a split.
        repository, commit: Where the lists are: ``owner/name`` at GitHub, and a commit.
        lists: The files.
        reading: How they are read.
        scheme: Instead of lists, a scheme of the build that `samples` names: the split that the publisher's files hold.
        lookups: Tables that say more of a row.
        rules: What follows from what a row says; ``patient`` is who counts as one person.
        groups: Other fields that rows should not be torn apart by, with what sharing one says.
        samples: How the row is called in sources of ours.
        facts: What one must know to read the numbers.
        left_out: Files of the split that were not at hand, and are no part of the numbers.
    """

    id: str = ""
    digest: str = ""
    title: str
    whose: Whose
    by: str
    paper: str = ""
    pictures: tuple[str, ...] = ()
    variants: Variants = ""
    repository: str = ""
    commit: str = ""
    lists: tuple[ListFile, ...] = ()
    reading: Reading = field(default_factory=lambda: Reading(form="lines"))
    scheme: str = ""
    lookups: tuple[Lookup, ...] = ()
    rules: tuple[Rule, ...] = ()
    groups: Texts = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    facts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def trees(self) -> tuple[ListFile, ...]:
        """The lists that are folders of pictures."""
        return tuple(file for file in self.lists if file.tree)

    @property
    def built(self) -> Sample | None:
        """The sample whose source has the pictures."""
        return next((sample for sample in self.samples if sample.build), None)

    @property
    def forms(self) -> tuple[str, ...]:
        """All regular expressions."""
        return (*([self.reading.row] if self.reading.row else []), *(rule.form for rule in self.rules))


LONGEST = 1024
"""Characters of a foreign text that a form of the catalog meets; what is longer is cut, and then fits none."""


def ledger_folder() -> Path:
    """Return where the entries are."""
    return catalog_folder() / "ledger"


def entry_names(folder: Path | None = None) -> list[str]:
    """List the entries by name.

    >>> "covidx" in entry_names()
    True
    """
    return sorted(path.stem for path in (folder or ledger_folder()).glob("*.toml"))


def load_entry(name: str, folder: Path | None = None) -> Entry:
    """Read one entry.

    >>> load_entry("covidx").repository
    'lindawangg/COVID-Net'

    Raises:
        NotThereError: There is no such entry.
        CatalogError: It says something that cannot be.
    """
    names = entry_names(folder)
    if name not in names:
        raise NotThereError(f"ledger: {not_one_of(name, names or ['no entry'])}")
    return _read((folder or ledger_folder()) / f"{name}.toml")


def filled(template: str, row: Mapping[str, str]) -> str:
    """Fill a template of the catalog; a field that a row lacks is empty.

    >>> filled("{part}/{name}", {"name": "a.png"})
    '/a.png'
    """
    return _FIELD.sub(lambda match: row.get(match[1], ""), template)


_FIELD = re.compile(r"\{([a-z_]{1,40})\}")


@lru_cache(maxsize=256)
def compiled(form: str) -> re.Pattern[str]:
    """Compile a form of an entry once; it meets at most `LONGEST` characters."""
    return re.compile(form)


def _read(path: Path) -> Entry:
    return _parsed(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _parsed(path: Path, _mtime: int) -> Entry:
    data = path.read_bytes()
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: not a TOML file: {error}") from error
    if derived := {"id", "digest"} & set(table):
        raise CatalogError(f"{path}: key {min(derived)!r}: expected nothing, it is derived")
    entry = read_typed(Entry, table | {"id": path.stem, "digest": hashlib.sha256(data).hexdigest()}, path)
    _check(entry, path)
    return entry


def _check(entry: Entry, path: Path) -> None:
    for key in ("title", "by"):
        if not getattr(entry, key).strip():
            raise CatalogError(f"{path}: key {key!r}: expected text, found none")
    if entry.scheme and not entry.built:
        raise CatalogError(f"{path}: key 'samples': expected the build that has scheme {entry.scheme!r}, found none")
    if bool(entry.lists) == bool(entry.scheme):
        raise CatalogError(f"{path}: key 'lists': expected files, or a scheme in their place")
    for file in (*entry.lists, *(lookup.file for lookup in entry.lookups)):
        if not re.fullmatch(r"[0-9a-f]{40}", file.git_sha1):
            raise CatalogError(
                f"{path}: key 'git_sha1' of {file.path}: expected a hash of git, found {file.git_sha1!r}"
            )
        if not file.catalog and not re.fullmatch(r"[0-9a-f]{40}", file.commit or entry.commit):
            raise CatalogError(f"{path}: key 'commit' of {file.path}: expected a commit of 40 digits, found none")
    reading = entry.reading
    wanted = {"lines": reading.row, "table": reading.columns, "json": reading.levels, "pickle": "-"}
    if entry.lists and not wanted[reading.form]:
        keys = {"lines": "row", "table": "columns", "json": "levels"}
        raise CatalogError(f"{path}: key 'reading.{keys[reading.form]}': expected one, found nothing")
    for form in entry.forms:
        try:
            compiled(form)
        except re.error as error:
            raise CatalogError(f"{path}: expected a regular expression, found {form!r}: {error}") from error
