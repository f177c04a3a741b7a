"""`Built`: what a finished build is, read back from its manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Verify = Literal["full", "bytes"]
"""How sure a build is: every image decoded and judged, or every byte hashed."""
MANIFEST_FILE = "manifest.json"
REPORT_FILE = "report.md"


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build. ``path`` is the folder that ``datasets.load_from_disk`` opens.

    ``columns`` are those of a table; it is empty where the source has images, whose columns are `schema.COLUMNS`.
    """

    id: str
    version: str
    config: str
    path: Path
    fingerprint: str
    rows: int
    patients: int
    splits: Mapping[str, int]
    labels: Mapping[str, int]
    dropped: int
    seconds: float
    incomplete: bool
    verify: str
    columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Built:
        """Read the manifest of a finished build."""
        manifest: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        return cls(path=folder, **manifest["build"])

    def to_json(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self) | {"path": str(self.path), "splits": dict(self.splits), "labels": dict(self.labels)}

    def manifest(self) -> dict[str, Any]:
        """Return the whole manifest: inputs, origins of the raw files, files and their hashes, notices."""
        found: dict[str, Any] = json.loads((self.path / MANIFEST_FILE).read_text(encoding="utf-8"))
        return found

    def report(self) -> str:
        """Return the report for people, as Markdown."""
        return (self.path / REPORT_FILE).read_text(encoding="utf-8")
