"""`qc.csv` and `id_map.csv`: what is said against each picture, and which id is which file of the source."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.columns import CONTENT, GROUP
from covid_datasets.disk import make_folder, refused, whole
from covid_datasets.harmless import csv_cell
from covid_datasets.load.stored import StoredGroups, open_table
from covid_datasets.prepare.result import Built

QC_FILE, ID_MAP_FILE = "qc.csv", "id_map.csv"
OF_BUILD = ("dataset", "version", "config")
_SIZE = ("width", "height", "depth")
QC = (*OF_BUILD, "state", "split", "sample_id", "file", "count", "quality", "reasons", "flags", *_SIZE)
_WHO = ("sample_id", "patient_id", "patient_known", "study_id", "series_id")
ID_MAP = (*OF_BUILD, "split", *_WHO, GROUP, "file", "sha256", "source_url")
_BATCH = 1 << 14
Row = Sequence[object]


def save_tables(builds: Sequence[Built], folder: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write both tables of some builds into a folder, each whole or not at all; few rows are in memory at a time.

    Raises:
        CacheError: The place cannot be written.
    """
    target = Path(folder).expanduser()
    make_folder(target)
    tables = ((QC_FILE, QC, _quality), (ID_MAP_FILE, ID_MAP, _ids))
    for name, columns, rows_of in tables:
        _write(target / name, columns, (row for built in builds for row in rows_of(built)))
    return target / QC_FILE, target / ID_MAP_FILE


def _write(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    try:
        with whole(path) as private, private.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([csv_cell("" if cell is None else cell) for cell in row] for row in rows)
    except OSError as error:
        raise refused(path, error) from error


def _quality(built: Built) -> Iterator[Row]:
    """Give a row for each sample that was kept, then one for each notice of what was dropped."""
    of_build = (built.id, built.version, built.config)
    names = ("sample_id", "quality", "quality_reasons", "flags", *_SIZE)
    for _, split, table in _slices(built):
        rows = zip(_files(table), *(table[name].to_pylist() for name in names), strict=True)
        for file, sample, quality, reasons, flags, *size in rows:
            told = ("; ".join(reasons or ()), "; ".join(flags or ()))
            yield (*of_build, "kept", split, sample, file, 1, quality, *told, *size)
    for notice in built.manifest().get("notices", ()):
        if notice["dropped"]:
            why = f"{notice['kind']}: {notice['what']}"
            yield (*of_build, "dropped", "", "", notice["where"], notice["count"], "", why, "", "", "", "")


def _ids(built: Built) -> Iterator[Row]:
    of_build = (built.id, built.version, built.config)
    groups = StoredGroups(built)
    for start, split, table in _slices(built):
        columns = [table[name].to_pylist() for name in _WHO]
        columns.append(groups.slice(start, len(table)).to_pylist())
        columns += [_files(table), *(table[name].to_pylist() for name in ("sha256", "source_url"))]
        yield from ((*of_build, split, *row) for row in zip(*columns, strict=True))


def _slices(built: Built) -> Iterator[tuple[int, str, pa.Table]]:
    """Give the rows of each split, some at a time, with the number of the first; nothing of a table without samples."""
    if built.columns:
        return
    stored, start = open_table(built), 0
    for split, rows in built.splits.items():
        for begin in range(start, start + rows, _BATCH):
            yield begin, split, stored.slice(begin, min(_BATCH, start + rows - begin))
        start += rows


def _files(table: pa.Table) -> list[str | None]:
    """Name the file that each row shows, as its source calls it."""
    found: list[str | None] = pc.coalesce(*(pc.struct_field(table[name], "path") for name in CONTENT)).to_pylist()
    return found
