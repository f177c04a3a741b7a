"""The files as their publishers gave them: DICOM, NIfTI, videos, pictures and tables, byte for byte.

Slices and frames that a build made are no such files: what they were made of is copied in their place. What no file
of the publisher holds as it is, such as a synthetic picture, is copied as it is stored.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np

from covid_datasets.exports.exportable import Exportable, Source
from covid_datasets.exports.sample import cell, held_files, key, plain_values
from covid_datasets.harmless import csv_cell
from covid_datasets.prepare.composed import import_builder
from covid_datasets.prepare.source import open_source
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import File, Made, Parts, Record, Rows
from covid_datasets.settings import Settings

HOW = """```python
import pandas

files = pandas.read_csv("files.csv")  # record, path, origin: the files of each record
rows = pandas.read_csv("{split}.csv")  # what is known of each sample
```

The `sample_id` of a row is its record, or begins with it: a record that is a volume, a series or a video gives many
samples. Files of `origin` `publisher` are as they came, under their publisher's names. Those of `stored` are samples
that no such file holds as they are."""


def write(data: Exportable, folder: Path, *, shard_bytes: int) -> None:
    """Copy the publisher's files of all rows, then what none of them holds; a file is as large as it came."""
    rows = _Rows.of(data)
    with (folder / "files.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("record", "path", "origin"))
        for source in data.sources:
            for record, paths, raw in _records(data, source, rows):
                for path in paths:
                    place = f"{source.id}/{_inside(path)}"
                    _copy(raw, path, folder / place)
                    table.writerow(map(csv_cell, (record, place, "publisher")))
        _write_rows(data, folder, rows, lambda *cells: table.writerow(map(csv_cell, cells)))


@dataclass
class _Rows:
    """Which samples are wanted and which have their files by now: 9 bytes for each, as there may be many."""

    ids: np.ndarray
    done: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.done = np.zeros(len(self.ids), dtype=bool)

    @classmethod
    def of(cls, data: Exportable) -> _Rows:
        """Note the ids of all rows, and of the records that parts are of."""
        found: list[np.ndarray] = []
        if "sample_id" in data.features.names:
            for split in data.splits.values():
                for batch in split.batches(1 << 16, ["sample_id"]):
                    names = batch.column(0).to_pylist()
                    digests = [_digest(name) for id in names if id for name in (id, id.rpartition("/")[0])]
                    found.append(np.asarray(digests, np.uint64))
        return cls(np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint64))

    def wants(self, name: str) -> bool:
        """Tell whether a sample, or a part of it, is among the rows."""
        return self._place(name) is not None

    def mark(self, name: str) -> None:
        """Note that the files of a record are there."""
        if (place := self._place(name)) is not None:
            self.done[place] = True

    def is_done(self, name: str) -> bool:
        """Tell whether the files of a sample are there, or those of the record that it is a part of."""
        places = [self._place(each) for each in (name, name.rpartition("/")[0])]
        return any(place is not None and self.done[place] for place in places)

    def _place(self, name: str) -> int | None:
        digest = np.uint64(_digest(name))
        place = int(np.searchsorted(self.ids, digest))
        return place if place < len(self.ids) and self.ids[place] == digest else None


def _records(data: Exportable, source: Source, rows: _Rows) -> Iterator[tuple[str, list[str], RawTree]]:
    """Yield each record of which a row is wanted, with the raw files that it is made of."""
    if source.card is None or not source.config or not source.card.has_data or not source.card.resources:
        return
    choice = source.card.choice(source.version, source.config)
    opened = open_source(
        choice, Settings.resolve(data.cache_dir), data_dir=data.data_dir, verify="bytes", allow_missing=True
    )
    raw = opened.obtained.raw
    for record in import_builder(source.card).records(raw):
        if not isinstance(record, Record):
            continue
        name = f"{source.id}/{record.sample_id}"
        paths = [path for path in dict.fromkeys(_paths(record)) if raw.has(path)]
        if paths and (choice.columns or rows.wants(name)):
            if _is_whole(record):
                rows.mark(name)
            yield name, paths, raw


def _paths(record: Record) -> Iterator[str]:
    for each in (record.content, *record.masks.values(), *record.volume_masks.values()):
        if isinstance(each, Parts | Rows | Made):
            yield from each.files
        elif each is not None:
            yield each.path


def _is_whole(record: Record) -> bool:
    """Tell whether raw files hold all of a record: what a function makes of it, it makes of files that are named."""
    shown = (record.content, *record.masks.values(), *record.volume_masks.values())
    return all(isinstance(each, File | Parts | Rows) or (isinstance(each, Made) and each.files) for each in shown)


def _write_rows(data: Exportable, folder: Path, rows: _Rows, note: Callable[[str, str, str], object]) -> None:
    """Write what is known of each row, and the stored bytes of those that no raw file holds."""
    types = data.feature_types
    for name, split in data.splits.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            columns = list(plain_values(dict.fromkeys(types), types))
            table = csv.writer(file, lineterminator="\n")
            table.writerow(columns)
            number = 0
            for batch in split.batches():
                for row in batch.to_pylist():
                    cells = plain_values(row, types)
                    table.writerow([cell(cells[column]) for column in columns])
                    sample = str(row.get("sample_id") or "")
                    for held in () if rows.is_done(sample) else held_files(row, types):
                        part = "" if len(held.name) == 1 else f".{'-'.join(held.name)}"
                        place = f"stored/{name}/{key(number, row)}{part}.{held.extension}"
                        (folder / place).parent.mkdir(parents=True, exist_ok=True)
                        (folder / place).write_bytes(held.content)
                        note(sample, place, "stored")
                    number += 1


def _copy(raw: RawTree, path: str, target: Path) -> None:
    if target.exists():  # a file that several records are made of
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with raw.open(path) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


def _inside(path: str) -> str:
    """Keep a path of a publisher inside of the export."""
    return "/".join(part for part in path.replace("\\", "/").split("/") if part not in ("", ".", ".."))


def _digest(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
