"""Masks as counts of pixels, a line for each row: the true ones, those that were drawn, and those that are both."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from covid_datasets.disk import refused, whole
from covid_datasets.errors import NotThereError, PredictionsError

FIRST = ("sample_id", "patient", "group", "split")
KINDS = ("true", "drawn", "both")
IGNORED = 255
"""The value of pixels that nobody is to be tested on, in a mask that has other values than 0 and 255."""
Pixels = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Counts:
    """Pixels of the masks of one row, as `KINDS`; a mask that nobody drew is not among them."""

    sample: str
    patient: str
    group: str
    split: str
    fingerprint: str
    pixels: Mapping[str, Pixels]

    @classmethod
    def of(cls, row: Mapping[str, Any], split: str, fingerprint: str, drawn: Mapping[str, np.ndarray]) -> Counts:
        """Count what was drawn of a row, on the pixels of its own masks."""
        known = {name: row["masks"][name] for name in drawn if row["masks"].get(name) is not None}
        pixels = {name: overlap(mask, drawn[name]) for name, mask in known.items()}
        return cls(
            row["sample_id"], row["patient_id"] or row["sample_id"], row["group_id"] or "", split, fingerprint, pixels
        )


def overlap(mask: np.ndarray, drawn: np.ndarray) -> Pixels:
    """Count true pixels, drawn ones and both; a mask of another size is brought to the nearest pixels of what is drawn.

    >>> overlap(np.array([[0, 255], [0, 255]]), np.array([[True, True], [False, False]]))
    (2, 2, 1)
    """
    values = mask
    if values.shape != drawn.shape:
        rows, columns = (
            (np.arange(size) * 2 + 1) * given // (2 * size)
            for size, given in zip(drawn.shape, values.shape, strict=True)
        )
        values = values[rows][:, columns]
    labels = bool(((values > 0) & (values < IGNORED)).any())
    asked = values != IGNORED if labels else np.ones(values.shape, bool)
    truth, found = (values > 0) & asked, drawn & asked
    return int(np.count_nonzero(truth)), int(np.count_nonzero(found)), int(np.count_nonzero(truth & found))


def write_counts(path: Path, masks: Sequence[str], rows: Sequence[Counts]) -> None:
    """Write a line for each row; a mask that nobody drew has empty cells."""
    columns = [f"{mask}_{kind}" for mask in masks for kind in KINDS]
    try:
        with whole(path) as private, private.open("w", encoding="utf-8", newline="") as file:
            written = csv.writer(file, lineterminator="\n")
            written.writerow([*FIRST, *columns, "fingerprint"])
            for row in rows:
                cells = [cell for mask in masks for cell in row.pixels.get(mask, ("", "", ""))]
                written.writerow([row.sample, row.patient, row.group, row.split, *cells, row.fingerprint])
    except OSError as error:
        raise refused(path, error, "The weights are kept; the same command draws with them again.") from error


def read_counts(path: Path) -> tuple[tuple[str, ...], list[Counts]]:
    """Read the masks and lines of such a table.

    Raises:
        NotThereError: There is none.
        PredictionsError: It is another table, or has other numbers than such counts can be.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            columns = list(table.fieldnames or ())
            rows = list(table)
    except FileNotFoundError as error:
        raise NotThereError(f"{path}: expected a table of drawn masks, found nothing") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise PredictionsError(f"{path}: expected a CSV in UTF-8, found something else: {error}") from error
    masks = tuple(name.removesuffix("_true") for name in columns if name.endswith("_true"))
    due = [*FIRST, *(f"{mask}_{kind}" for mask in masks for kind in KINDS), "fingerprint"]
    if not masks or columns != due:
        raise PredictionsError(
            f"{path}: expected the columns {', '.join(FIRST)}, <mask>_true, <mask>_drawn, <mask>_both and fingerprint, "
            f"found {', '.join(columns)[:300] or 'none'}"
        )
    return masks, [_row(f"{path}, line {line}", row, masks) for line, row in enumerate(rows, 2)]


def _row(where: str, row: Mapping[str, str], masks: Sequence[str]) -> Counts:
    pixels = {}
    for mask in masks:
        cells = [row[f"{mask}_{kind}"] for kind in KINDS]
        if cells == ["", "", ""]:
            continue
        true, drawn, both = (int(cell) if cell and cell.isdecimal() else -1 for cell in cells)
        if not 0 <= both <= min(true, drawn):
            raise PredictionsError(
                f"{where}: expected pixels of {mask} that are true, drawn and both, found {', '.join(map(str, cells))}"
            )
        pixels[mask] = true, drawn, both
    return Counts(row["sample_id"], row["patient"], row["group"], row["split"], row["fingerprint"], pixels)
