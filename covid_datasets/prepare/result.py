"""`Built`: what a finished build is, read back from its manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from covid_datasets.prepare.seal import MANIFEST_FILE as MANIFEST_FILE
from covid_datasets.prepare.seal import check_files, read_manifest

Verify = Literal["full", "bytes"]
"""How sure a build is: every image decoded and judged, or every byte hashed."""
REPORT_FILE = "report.md"


def people(patients: int | None, groups: int) -> str:
    """Count people for people; who is unknown is not counted.

    >>> people(24, 22), people(None, 1)
    ('24 patients in 22 groups', 'unknown patients in 1 group')
    """
    known = "unknown patients" if patients is None else f"{patients:,} patient{'' if patients == 1 else 's'}"
    return f"{known} in {groups:,} group{'' if groups == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build. ``path`` is the folder that ``datasets.load_from_disk`` opens.

    ``columns`` are those of a table; it is empty where the source has images, whose columns are `schema.COLUMNS`.
    ``patients`` are those who are known, ``None`` where nobody is; ``groups`` are what no split tears apart.
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
    lost: int = 0
    view: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """The digest of all rows and splits: the fingerprint, but of a view, whose own follows from its source."""
        return str(self.view.get("content", self.fingerprint))

    @property
    def people(self) -> str:
        """Say how many people it shows, and how many groups are kept together; empty of a table."""
        return "" if self.columns else people(self.patients, self.groups)

    @classmethod
    def read(cls, folder: Path) -> Built:
        """Read the manifest of a finished build, whose files are there as they were built.

        Raises:
            DamagedFileError: The manifest was changed, a file is gone, has another size, or is small and was changed.
        """
        manifest = read_manifest(folder)
        check_files(folder, manifest)
        return cls(path=folder, **manifest["build"])

    def to_json(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self) | {"path": str(self.path), "splits": dict(self.splits), "labels": dict(self.labels)}

    def manifest(self) -> dict[str, Any]:
        """Return the whole manifest: inputs, origins of the raw files, files and their hashes, notices."""
        return read_manifest(self.path)

    def report(self) -> str:
        """Return the report for people, as Markdown."""
        return (self.path / REPORT_FILE).read_text(encoding="utf-8")


def split_files(build: Path, split: str) -> list[Path]:
    """List the files of a split, in order, as ``datasets`` reads them from ``state.json``."""
    state = json.loads((build / split / "state.json").read_text(encoding="utf-8"))
    return [build / split / file["filename"] for file in state["_data_files"]]
