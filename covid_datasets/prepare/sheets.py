"""`qc.csv` and `id_map.csv`: what is said against each picture, and which id is which file of the source.

Both lie in every build, for people and their spreadsheets. Rows are written as they come, so few are in memory.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from covid_datasets.columns import GROUP
from covid_datasets.disk import whole
from covid_datasets.harmless import csv_cell

QC_FILE, ID_MAP_FILE = "qc.csv", "id_map.csv"
FILE = "file"
"""The name of what a row shows, as its source calls it."""
_BUILD = ("id", "version", "config")
_OF_BUILD = ("dataset", "version", "config")
_SIZE = ("width", "height", "depth")
_WHO = ("sample_id", "patient_id", "patient_known", "study_id", "series_id", GROUP, FILE, "sha256", "source_url")
QC = (*_OF_BUILD, "state", "split", "sample_id", FILE, "count", "quality", "reasons", "flags", *_SIZE)
ID_MAP = (*_OF_BUILD, "split", *_WHO)
STORED = tuple(name for name in (*_WHO, "quality", "quality_reasons", "flags", *_SIZE) if name not in (GROUP, FILE))
"""The columns of a stored row that they need; `FILE`, the group and the split come to them."""

Told = tuple[Mapping[str, Any], Iterable[Mapping[str, Any]], Iterable[Mapping[str, Any]]]
"""What a build is (``id``, ``version``, ``config``), its rows and its notices, as its manifest has them."""


def write_sheets(folder: Path, builds: Iterable[Told], *, durable: bool = True) -> tuple[Path, Path]:
    """Write both tables into a folder, each whole or not at all; a spreadsheet runs nothing that is in them."""
    quality, ids = folder / QC_FILE, folder / ID_MAP_FILE
    with _sheet(quality, QC, durable) as qc, _sheet(ids, ID_MAP, durable) as id_map:
        for build, rows, notices in builds:
            of_build = [build[name] for name in _BUILD]
            for row in rows:
                reasons, flags = ("; ".join(row[name] or ()) for name in ("quality_reasons", "flags"))
                size = (row[name] for name in _SIZE)
                said = (row["split"], row["sample_id"], row[FILE], 1, row["quality"], reasons, flags, *size)
                qc.writerow(_cells((*of_build, "kept", *said)))
                id_map.writerow(_cells((*of_build, row["split"], *(row[name] for name in _WHO))))
            for told in notices:
                if told["dropped"]:
                    said = ("", "", told["where"], told["count"], "", f"{told['kind']}: {told['what']}", "", "", "", "")
                    qc.writerow(_cells((*of_build, "dropped", *said)))
    return quality, ids


@contextmanager
def _sheet(path: Path, columns: Iterable[str], durable: bool) -> Iterator[Any]:
    with (
        whole(path, durable=durable) as private,
        private.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        yield writer


def _cells(row: Iterable[object]) -> list[object]:
    return [csv_cell("" if cell is None else cell) for cell in row]
