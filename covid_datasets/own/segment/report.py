"""What came out of a folder of scans: the list, tables, and a page to read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

from covid_datasets.disk import write_file
from covid_datasets.harmless import csv_cell, markdown
from covid_datasets.transforms.segment.quantify import Lesion, csv_of

LIST, LESIONS, ZONES, PAGE = "segment.json", "lesions.csv", "zones.csv", "report.md"
SCAN = ("file", "infected", "lungs", "confidence", "what is doubtful")
KEYS = ("file", "infection_rate", "lung_ml", "confidence", "reasons")


@dataclass(frozen=True, slots=True)
class SegmentedScan:
    """One scan.

    Attributes:
        file: Its path in the folder; that of a DICOM series is its folder.
        infection_rate: Share of the lungs' voxels that are infected, 0 to 1; ``None`` where there is no result.
        lung_ml: Volume of the lungs; ``None`` where nobody knows how large a voxel is.
        confidence: From 0 to 1.
        reasons: What is doubtful, or why there is no result.
        name: What its masks are called, before ``_lung.nii.gz``; empty where there are none.
        zones: A row for each zone.
        lesions: A row for each lesion.
    """

    file: str
    infection_rate: float | None
    lung_ml: float | None
    confidence: float
    reasons: tuple[str, ...]
    name: str = ""
    zones: tuple[dict[str, Any], ...] = ()
    lesions: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give what ``segment.json`` lists."""
        return {key: getattr(self, key) for key in KEYS}


@dataclass(frozen=True, slots=True)
class SegmentedFolder:
    """What came out of a folder: a result for each scan, in the order of their paths, and files that are no scans."""

    out: Path
    scans: tuple[SegmentedScan, ...]
    left_out: tuple[str, ...] = ()

    def to_json(self) -> list[dict[str, Any]]:
        """Give what ``segment.json`` holds."""
        return [scan.to_json() for scan in self.scans]

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import MOST, bullets, shown, table

        rows = [(each.file, *_found(each), f"{each.confidence:.2f}", "; ".join(each.reasons)) for each in self.scans]
        return shown(
            f"Lungs and infection in {self.out}",
            table("Scans; none of this is for diagnosis", SCAN, rows[:MOST], count=len(rows)),
            bullets(self.left_out, f"Left out: {len(self.left_out):,}"),
        )


def write_report(done: SegmentedFolder, pictures: Sequence[str]) -> None:
    """Write the list, the tables and the page, each whole or not at all."""
    lesions = [{"file": csv_cell(scan.file), **row} for scan in done.scans for row in scan.lesions]
    zones = [{"file": csv_cell(scan.file), **row} for scan in done.scans for row in scan.zones]
    columns = ["file", *(field.name for field in fields(Lesion))]
    texts = {
        LESIONS: csv_of(lesions, columns),
        ZONES: csv_of(zones, ["file", "name", "lung_voxels", "infected_voxels", "dense_voxels", "lung_ml",
                              "infection_rate"]),
        PAGE: "\n".join(_page(done, set(pictures))) + "\n",
        LIST: json.dumps(done.to_json(), indent=2, ensure_ascii=False) + "\n",
    }  # fmt: skip
    for name, text in texts.items():
        write_file(done.out / name, text.encode())


def _found(scan: SegmentedScan) -> tuple[str, str]:
    """Say the infection rate and the litres of the lungs, where they are known."""
    rate = "–" if scan.infection_rate is None else f"{scan.infection_rate:.1%}"
    return rate, "–" if scan.lung_ml is None else f"{scan.lung_ml / 1000:.2f} l"


def _page(done: SegmentedFolder, pictures: set[str]) -> Iterator[str]:
    found = [scan for scan in done.scans if scan.infection_rate is not None]
    yield "# Lungs and infection"
    yield ""
    yield f"{len(done.scans):,} scans, {len(found):,} with a result. For research; none of this is for diagnosis."
    yield ""
    yield f"| {' | '.join(SCAN)} |"
    yield "| --- | --- | --- | --- | --- |"
    for scan in done.scans:
        rate, litres = _found(scan)
        reasons = markdown("; ".join(scan.reasons))
        yield f"| {markdown(scan.file)} | {rate} | {litres} | {scan.confidence:.2f} | {reasons} |"
    for scan in done.scans:
        if scan.name in pictures:
            yield ""
            yield f"## {markdown(scan.file)}"
            yield ""
            yield f"![lungs green, infection orange, hyper-dense red](pictures/{quote(scan.name)}.png)"
    if done.left_out:
        yield ""
        yield "## Left out"
        yield ""
        yield from (f"- {markdown(what)}" for what in done.left_out)
