"""What is known about a source, as immutable data: the types that the catalog files are read into."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Literal

from covid_datasets.errors import UnknownVersionError
from covid_datasets.schema import Modality

Permission = Literal["yes", "no", "per-image", "unknown"]
ColumnType = Literal["string", "bool", "int32", "int64", "float64", "date32", "timestamp[s]"]
"""What a column of a table may hold: single values, with Arrow's names for their types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """One publication to cite, as BibTeX fields."""

    key: str
    title: str
    author: tuple[str, ...]
    year: int
    kind: Literal["article", "misc", "inproceedings", "dataset"] = "article"
    journal: str = ""
    doi: str = ""
    eprint: str = ""
    url: str = ""

    def bibtex(self) -> str:
        """Render the entry as BibTeX."""
        fields = {
            "title": f"{{{self.title}}}",
            "author": " and ".join(self.author),
            "journal": self.journal,
            "year": str(self.year),
            "doi": self.doi,
            "eprint": self.eprint,
            "url": self.url,
        }
        kind = "misc" if self.kind == "dataset" else self.kind
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@{kind}{{{self.key},", *lines, "}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What the source lets its users do; ``spdx`` is empty where none is stated."""

    spdx: str
    terms: str
    redistribution: Permission
    commercial: Permission
    per_image: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a user gets the files: openly, or with exact steps to take first."""

    kind: Literal["open", "account", "request", "web", "defunct"]
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One place that serves a resource: its URL, the folder inside, and names that it changed."""

    url: str
    root: str = ""
    rename: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Files that belong to a folder which users fill by hand.

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
    """One download: a plain file at ``path``, or an archive whose members are the files.

    ``copies`` are ordered: the publisher first, then content-identical public copies. Without copies nothing may
    fetch it: ``steps`` say how its user does.
    ``manifest`` names a file in ``catalogs/manifests/`` with the identity of each file inside.
    A ``folder`` is filled by hand, and ``files`` are what belongs there.
    A ``bucket`` holds series of files in folders; ``listing`` names a file in ``catalogs/listings/`` that says which.
    Without an ``optional`` resource there is a dataset too, of fewer rows.
    ``days``, a first and a last one, make it a template of one plain file a day, whose path and URLs hold the day in
    the fields of ``strftime``: ``daily/%m-%d-%Y.csv``.
    ``folder`` ("cohen/") is where the files lie in the source's tree, so that two resources may have files of one name.
    """

    name: str
    copies: tuple[Copy, ...] = ()
    archive: Literal["none", "zip", "tar", "folder", "bucket"] = "none"
    files: tuple[Pattern, ...] = ()
    optional: bool = False
    steps: tuple[str, ...] = ()
    path: str = ""
    folder: str = ""
    size: int | None = None
    sha256: str = ""
    md5: str = ""
    manifest: str = ""
    listing: str = ""
    days: tuple[str, ...] = ()

    def expanded(self) -> tuple[Resource, ...]:
        """List the plain resources: this one itself, or one a day.

        >>> copies = (Copy(url="https://example.org/%m-%d-%Y.csv"),)
        >>> daily = Resource(name="daily", copies=copies, path="%m-%d-%Y.csv", days=("2020-02-28", "2020-03-01"))
        >>> [resource.path for resource in daily.expanded()]
        ['02-28-2020.csv', '02-29-2020.csv', '03-01-2020.csv']
        """
        if not self.days:
            return (self,)
        first, last = map(date.fromisoformat, self.days)
        return tuple(self._of(first + timedelta(number)) for number in range((last - first).days + 1))

    def _of(self, day: date) -> Resource:
        copies = tuple(replace(copy, url=day.strftime(copy.url)) for copy in self.copies)
        return replace(self, name=f"{self.name}-{day}", path=day.strftime(self.path), copies=copies, days=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A dated state of the source: a set of resources, and what it should contain."""

    resources: tuple[str, ...]
    date: str = ""
    commit: str = ""
    note: str = ""
    images: int | None = None
    patients: int | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A named way to build a source; ``options`` reach the builder as ``raw.options``.

    A config that is a ``subset`` leaves samples of the source out on purpose, and does not name each of them.
    ``resources`` and ``columns`` are given where they are not those of the version and of the card.
    ``needs`` are the optional modules without which its files cannot be read.
    """

    summary: str
    needs: tuple[str, ...] = ()
    subset: bool = False
    options: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    resources: tuple[str, ...] = ()
    columns: Mapping[str, ColumnType] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patients:
    """How one person is told from another, and for how many rows that is known.

    ``address`` is a regular expression that finds the patient, its one group, in the address of a page of this source.
    """

    known: Literal["all", "some", "none"]
    how: str
    warning: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialSplit:
    """The split that the publisher ships, and what is known to be wrong with it."""

    names: tuple[str, ...]
    summary: str
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """A known fault of the source, the evidence for it, and the flag that affected rows carry."""

    id: str
    what: str
    evidence: str
    flag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOverlap:
    """People or pictures that another source shows too, and the evidence for it; ``source`` need not be in here."""

    source: str
    what: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything known about one source; one with ``columns`` is a table without images, and has only these.

    ``composed_of`` names the sources whose builders its own uses: a build is made anew when one of them changes.
    ``quotes`` names the sources whose pages its rows are copied from and give as ``source_url``.
    """

    id: str
    title: str
    summary: str
    seed_names: tuple[str, ...]
    modalities: tuple[Modality, ...]
    task: str
    homepage: str
    default_version: str
    citations: tuple[Citation, ...]
    licence: Licence
    access: Access
    patients: Patients
    versions: Mapping[str, Version]
    resources: tuple[Resource, ...] = ()
    configs: Mapping[str, Config] = field(default_factory=lambda: {"default": Config(summary="All images.")})
    official_split: OfficialSplit | None = None
    defects: tuple[Defect, ...] = ()
    overlaps: tuple[KnownOverlap, ...] = ()
    composed_of: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    features: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, ColumnType] = field(default_factory=dict)
    digest: str = ""

    def version(self, name: str | None = None) -> tuple[str, Version]:
        """Look up a version by name; the default one without a name."""
        chosen = name or self.default_version
        if chosen not in self.versions:
            known = ", ".join(self.versions)
            raise UnknownVersionError(f"{self.id} has no version {chosen!r}; it has: {known}")
        return chosen, self.versions[chosen]

    def config(self, name: str | None = None) -> tuple[str, Config]:
        """Look up a config by name; the first one without a name."""
        chosen = name or next(iter(self.configs))
        if chosen not in self.configs:
            known = ", ".join(self.configs)
            raise UnknownVersionError(f"{self.id} has no config {chosen!r}; it has: {known}")
        return chosen, self.configs[chosen]

    def all_resources(self) -> tuple[Resource, ...]:
        """List the resources of all versions and configs."""
        return tuple(plain for resource in self.resources for plain in resource.expanded())

    def choice(self, version: str | None = None, config: str | None = None) -> Choice:
        """Choose a version and a config by name; the default version and the first config without one."""
        return Choice(self, self.version(version)[0], self.config(config)[0])

    def _named(self, names: Collection[str]) -> tuple[Resource, ...]:
        return tuple(plain for each in self.resources if each.name in names for plain in each.expanded())


@dataclass(frozen=True, slots=True)
class Choice:
    """A version of a source in one of its configs: what is fetched, checked, built and loaded."""

    card: Card
    version: str
    config: str

    @property
    def name(self) -> str:
        """Name it as its users type it: with a version where that is not the default one."""
        default = self.version == self.card.default_version
        return self.card.id if default else f"{self.card.id}@{self.version}"

    @property
    def state(self) -> Version:
        """What the card says of the version."""
        return self.card.versions[self.version]

    @property
    def form(self) -> Config:
        """What the card says of the config."""
        return self.card.configs[self.config]

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """The columns of a table; empty where the source has images, whose columns are `schema.COLUMNS`."""
        return self.form.columns or self.card.columns

    @property
    def resources(self) -> tuple[Resource, ...]:
        """The resources that it is built from."""
        return self.card._named(self.form.resources or self.state.resources)

    @property
    def every_resource(self) -> tuple[Resource, ...]:
        """The resources that the configs of this version are built from: a file of another config is no stray one."""
        configs = self.card.configs.values()
        return self.card._named({name for each in configs for name in each.resources or self.state.resources})
