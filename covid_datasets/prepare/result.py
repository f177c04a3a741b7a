"""`Built`: what a finished build is, read back from its manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from covid_datasets.columns import COLUMNS
from covid_datasets.prepare.seal import MANIFEST_FILE as MANIFEST_FILE
from covid_datasets.prepare.seal import Folder, check_files, read_manifest
from covid_datasets.store import Store

Verify = Literal["full", "bytes"]
"""How sure a build is: every image decoded and judged, or every byte hashed."""
REPORT_FILE = "report.md"


def people(patients: int | None, groups: int, unknown: int | None = None) -> str:
    """Count people for people; who is unknown is not counted, but the ``unknown`` rows are.

    >>> people(24, 22), people(None, 1), people(24, 22, 3)
    ('24 patients in 22 groups', 'unknown patients in 1 group', '24 patients and 3 rows of unknown ones in 22 groups')
    """
    known = "unknown patients" if patients is None else f"{patients:,} patient{'' if patients == 1 else 's'}"
    if patients is not None and unknown:
        known += f" and {unknown:,} row{'' if unknown == 1 else 's'} of unknown ones"
    return f"{known} in {groups:,} group{'' if groups == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build. ``path`` is the folder that ``datasets.load_from_disk`` opens.

    Of a build in an object store that is its ``url``, and ``path`` is where `load_dataset` keeps its own copy.

    ``columns`` are those of a table; it is empty where the source has images, whose columns are `schema.COLUMNS`.
    ``patients`` are those who are known, ``None`` where nobody is; ``groups`` are what no split tears apart.
    ``unknown`` counts the rows of whom nobody knows, ``None`` in a build of an earlier release, which did not count.
    ``dropped`` counts what was left out for any reason, ``lost`` those samples of it that should be there.
    ``view`` is empty but of a view: its ``name``, its ``parameters``, the fingerprint of its ``source``, and more.
    """

    id: str
    version: str
    config: str
    path: Path
    fingerprint: str
    rows: int
    patients: int | None
    splits: Mapping[str, int]
    labels: Mapping[str, int]
    dropped: int
    seconds: float
    incomplete: bool
    verify: str
    columns: Mapping[str, str] = field(default_factory=dict)
    groups: int = 0
    unknown: int | None = None
    lost: int = 0
    view: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""

    @property
    def folder(self) -> Folder:
        """Where the build is: the folder, or that of the store."""
        return Store(self.url) if self.url else self.path

    @property
    def content(self) -> str:
        """The digest of all rows and splits: the fingerprint, but of a view, whose own follows from its source."""
        return str(self.view.get("content", self.fingerprint))

    @property
    def stored_columns(self) -> Mapping[str, Any]:
        """All columns that are stored, with their types: of a table its own, and of a view those that were derived."""
        return self.columns or {**COLUMNS, **self.view.get("columns", {})}

    @property
    def people(self) -> str:
        """Say how many people it shows, and how many groups are kept together; empty of a table."""
        return "" if self.columns else people(self.patients, self.groups, self.unknown)

    @classmethod
    def read(cls, folder: Folder, copy: Path | None = None) -> Built:
        """Read the manifest of a finished build, whose files are there as they were built.

        Of one in a store, ``copy`` is where its copy on this machine is to be.

        Raises:
            DamagedFileError: The manifest was changed, a file is gone, has another size, or is small and was changed.
        """
        manifest = read_manifest(folder)
        check_files(folder, manifest)
        if isinstance(folder, Store):
            return cls(path=copy or Path(), url=folder.url, **manifest["build"])
        return cls(path=folder, **manifest["build"])

    def to_json(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        told = asdict(self) | {"path": str(self.folder), "splits": dict(self.splits), "labels": dict(self.labels)}
        del told["url"]  # it is the path
        return told

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import named, shown, table

        what = {
            "Config": self.config,
            "View": self.view.get("name", ""),
            "Rows": self.rows,
            "People": self.people,
            "Dropped": self.dropped,
            "Complete": "no: built from less than the whole source" if self.incomplete else "yes",
            "Fingerprint": self.fingerprint,
            "Folder": str(self.folder),
        }
        counts = (("Splits", "split", self.splits), ("Labels", "label", self.labels))
        return shown(
            f"{self.id}@{self.version}",
            named(what, "What was built"),
            *(table(title, (name, "rows"), list(of.items()), bars=[*of.values()]) for title, name, of in counts if of),
        )

    def manifest(self) -> dict[str, Any]:
        """Return the whole manifest: inputs, origins of the raw files, files and their hashes, notices."""
        return read_manifest(self.folder)

    def report(self) -> str:
        """Return the report for people, as Markdown."""
        if isinstance(self.folder, Store):
            return self.folder.read(REPORT_FILE).decode("utf-8")
        return (self.folder / REPORT_FILE).read_text(encoding="utf-8")


def split_files(build: Path, split: str) -> list[Path]:
    """List the files of a split, in order, as ``datasets`` reads them from ``state.json``."""
    state = json.loads((build / split / "state.json").read_text(encoding="utf-8"))
    return [build / split / file["filename"] for file in state["_data_files"]]
