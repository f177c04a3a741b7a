"""What is known about a source, as immutable data: the types that the catalog files are read into."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from covid_datasets.catalog.resource import Resource
from covid_datasets.catalog.templates import expand
from covid_datasets.errors import UnknownVersionError, UsageError, did_you_mean
from covid_datasets.vocabulary import Modality

Permission = Literal["yes", "no", "per-image", "unknown"]
AccessKind = Literal["open", "account", "request", "web", "defunct", "view-only", "private"]
Group = Literal["", "all", "folder", "article", "case", "study", "near-duplicates"]
"""What is kept together of rows whose patient nobody knows; empty where every patient is known."""
ColumnType = Literal["string", "bool", "int32", "int64", "float64", "date32", "timestamp[s]"]
"""What a column of a table may hold: single values, with Arrow's names for their types."""


_COMMANDS = re.compile(r"(?<!\\)[&%#$_]")


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
        """Render the entry as BibTeX, in which LaTeX reads no character of a text as a command."""
        title, author, journal = (
            _COMMANDS.sub(r"\\\g<0>", text) for text in (self.title, " and ".join(self.author), self.journal)
        )
        fields = {
            "title": f"{{{title}}}",
            "author": author,
            "journal": journal,
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
    """What the source lets its users do; ``spdx`` is empty where none is stated.

    Where the publisher wants its ``terms`` accepted before anybody downloads, ``accept`` is true. ``credit`` holds the
    words in which it wants to be named, where it prescribes some.
    """

    spdx: str
    terms: str
    redistribution: Permission
    commercial: Permission
    per_image: bool = False
    accept: bool = False
    credit: str = ""

    @property
    def url(self) -> str:
        """Return the address of its text at SPDX; empty where it is none of theirs."""
        return f"https://spdx.org/licenses/{self.spdx}.html" if self.spdx else ""


_WHY: Mapping[AccessKind, str] = {
    "open": "A part of it has no address that a program can read.",
    "account": "It needs an account of your own.",
    "request": "Its owners give it on request.",
    "web": "It is on web pages, and no terms let a program copy them.",
    "defunct": "It is no longer published.",
    "view-only": "Its publisher shows it to readers, and lets nobody take copies.",
    "private": "It was never published.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a user gets the files: openly, with exact steps to take first, or not at all."""

    kind: AccessKind
    steps: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """Say in one sentence why a program cannot fetch it."""
        return _WHY[self.kind]


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
    ``max_voxels`` is how large a volume may be where the source is known to have larger ones than any file may hold.
    ``official_split`` is false where the publisher's split is of other samples than these.
    """

    summary: str
    needs: tuple[str, ...] = ()
    max_voxels: int = 0
    official_split: bool = True
    subset: bool = False
    options: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    resources: tuple[str, ...] = ()
    columns: Mapping[str, ColumnType] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patients:
    """How one person is told from another, and for how many rows that is known.

    ``group`` is what is kept together of rows whose patient nobody knows. ``address`` is a regular expression that
    finds the patient, its one group, in the address of a page of this source. ``ids`` names whose ids the patients'
    are, where several sources use them: one id is one person in all that name the same.
    """

    known: Literal["all", "some", "none"]
    how: str
    warning: str = ""
    group: Group = ""
    address: str = ""
    ids: str = ""

    @property
    def consequence(self) -> str:
        """Say what split the rows get whose patient nobody knows, and why; empty where every patient is known."""
        return _CONSEQUENCES[self.group]


_CONSEQUENCES: Mapping[Group, str] = {
    "": "",
    "all": "Nobody knows which rows show one person, so all such rows are one group and in one split, `train`, "
    "but for copies of what another source has in another split: these go where that is.",
    "folder": "Nobody knows which rows show one person, so all of one folder are one group and in one split.",
    "article": "Nobody knows which rows show one person, so all of one article are one group and in one split.",
    "case": "Nobody knows which rows show one person, so all of one case are one group and in one split.",
    "study": "Nobody knows which rows show one person, so all of one study are one group and in one split.",
    "near-duplicates": (
        "Nobody knows which rows show one person, so pictures that are copies, or alike as neighbouring slices are, "
        "are one group and in one split. Pictures of one person that look different may be in several: scores on "
        "these splits are too good."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialSplit:
    """The split that the publisher ships, and what is known to be wrong with it.

    ``folds`` are keys of ``source_row`` that say the split of a row in each of several published ones.
    """

    names: tuple[str, ...]
    summary: str
    warning: str = ""
    folds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """A known fault of the source, the evidence for it, and the flag that affected rows carry."""

    id: str
    what: str
    evidence: str
    flag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOverlap:
    """People or pictures that another source shows too, and the evidence for it; ``source`` need not be in here.

    ``derived`` says that the samples here were taken from that source, and not the other way round.
    """

    source: str
    what: str
    evidence: str
    derived: bool = False

    @property
    def is_none(self) -> bool:
        """Tell whether what was found is that the two have nothing in common."""
        return self.what.startswith("None")

    @property
    def is_shown(self) -> bool:
        """Tell whether it is shown that the two have something in common, and not just unknown whether they do."""
        return not self.is_none and not self.what.startswith("Unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Responsible:
    """What publishers state about how data came to be and whom it may harm; empty where they state nothing.

    ``synthetic`` says that samples were made by a program and show nobody. ``collection`` says who collected what,
    where and how, ``biases`` what sets the people in it apart from others, ``sensitive`` what of them can be seen or
    was taken out, ``impact`` what use of the data may do to people.
    """

    synthetic: bool = False
    collection: str = ""
    biases: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    impact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A row of one of the published tables in ``catalogs/_seeds.toml``, its cells as printed, slips included.

    ``also`` names other sources that the row is about; ``version`` is the state whose counts stand beside the printed
    ones, where it is not the default one; ``note`` says where ours differ, and why.
    """

    table: str
    row: int
    name: str
    cells: Mapping[str, str]
    also: tuple[str, ...] = ()
    version: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything known about one source; one with ``columns`` is a table without images, and has only these.

    A source of images may have tables beside them: these are configs with columns of their own.

    ``composed_of`` names the sources whose builders its own uses: a build is made anew when one of them changes.
    ``quotes`` names the sources whose pages its rows are copied from and give as ``source_url``. ``same_as`` names the
    source that holds the same samples, and is loaded in its place.
    ``status`` is ``"planned"`` where the facts are known and its builder is still to be written: nothing of it loads.
    ``facts`` are tables of texts that its builder alone reads: older names of columns, what words of its lists mean.
    Not in its catalog file, but derived: ``digest``, ``builder`` (a module or file, where it is none of this package)
    and ``own_copy`` (where data of one's own lies).
    """

    id: str
    title: str
    summary: str
    seed_names: tuple[str, ...]
    modalities: tuple[Modality, ...]
    task: str
    homepage: str
    citations: tuple[Citation, ...]
    licence: Licence
    access: Access
    patients: Patients
    default_version: str = ""
    versions: Mapping[str, Version] = field(default_factory=dict)
    resources: tuple[Resource, ...] = ()
    configs: Mapping[str, Config] = field(default_factory=lambda: {"default": Config(summary="All images.")})
    official_split: OfficialSplit | None = None
    defects: tuple[Defect, ...] = ()
    overlaps: tuple[KnownOverlap, ...] = ()
    seed: tuple[Seed, ...] = ()
    responsible: Responsible = field(default_factory=Responsible)
    composed_of: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    same_as: str = ""
    status: Literal["", "planned"] = ""
    features: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, ColumnType] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    digest: str = ""
    builder: str = ""
    own_copy: str = ""

    @property
    def has_data(self) -> bool:
        """Tell whether there is anything to load: files to get, or a builder that makes its samples on the spot."""
        return not self.status and (bool(self.resources) or (self.access.kind == "open" and not self.same_as))

    @property
    def why_unavailable(self) -> str:
        """Say in one sentence why nothing of it can be loaded."""
        if self.status:
            return "It is planned: its facts are on its card, and its builder is still to be written."
        return self.access.why

    def version(self, name: str | None = None) -> tuple[str, Version]:
        """Look up a version by name; the default one without a name."""
        chosen = name or self.default_version
        if chosen not in self.versions:
            known = ", ".join(self.versions)
            raise UnknownVersionError(
                f"{self.id} has no version {chosen!r}; it has: {known}{did_you_mean(chosen, self.versions)}"
            )
        return chosen, self.versions[chosen]

    def config(self, name: str | None = None) -> tuple[str, Config]:
        """Look up a config by name; the first one without a name."""
        chosen = name or next(iter(self.configs))
        if not isinstance(chosen, str) or chosen not in self.configs:
            known = ", ".join(self.configs)
            raise UnknownVersionError(
                f"{self.id} has no config {chosen!r}; it has: {known}{did_you_mean(chosen, self.configs)}"
            )
        return chosen, self.configs[chosen]

    def all_resources(self) -> tuple[Resource, ...]:
        """List the resources of all versions and configs."""
        return tuple(plain for resource in self.resources for plain in expand(resource))

    def choice(self, version: str | None = None, config: str | None = None) -> Choice:
        """Choose a version and a config by name; the default version and the first config without one."""
        return Choice(self, self.version(version)[0], self.config(config)[0])

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.view.shown_card import card_html

        return card_html(self)

    def _named(self, names: Collection[str]) -> tuple[Resource, ...]:
        return tuple(plain for each in self.resources if each.name in names for plain in expand(each))


@dataclass(frozen=True, slots=True)
class Choice:
    """A version of a source in one of its configs: what is fetched, checked, built and loaded."""

    card: Card
    version: str
    config: str

    @property
    def name(self) -> str:
        """Name it as its users type it: with a version where that is not the default one; own data by its place."""
        if self.card.own_copy:
            return self.card.own_copy
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

    def data_dir(self, given: str | os.PathLike[str] | None) -> str | os.PathLike[str] | None:
        """Return the copy to build from: the one given, or one's own data; ``None`` where it is to be fetched."""
        if given is not None and self.card.own_copy:
            raise UsageError(f"data_dir: expected none with own data ({self.name}), found {os.fspath(given)!r}")
        return self.card.own_copy or given

    @property
    def every_resource(self) -> tuple[Resource, ...]:
        """The resources that the configs of this version are built from: a file of another config is no stray one."""
        configs = self.card.configs.values()
        return self.card._named({name for each in configs for name in each.resources or self.state.resources})
