"""Folders of files as they are stored, and for each split a CSV that names them: what every other tool reads."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from covid_datasets.exports.exportable import Exportable
from covid_datasets.exports.features import is_file
from covid_datasets.exports.sample import cell, held_files, key, plain_values

HOW = """```python
import pandas

rows = pandas.read_csv("{split}.csv")
rows[["path", "label_name"]]

# fastai, with the validation rows of another CSV
from fastai.vision.all import ImageDataLoaders

both = pandas.concat({{valid: pandas.read_csv(f"{{name}}.csv") for name, valid in
    (("train", False), ("validation", True))}}, names=["is_valid"]).reset_index("is_valid")
loaders = ImageDataLoaders.from_df(both, ".", fn_col="path", label_col="label_name", valid_col="is_valid")
```

`path` is the image, volume or video of a row, `masks.lung` and the like its masks; paths begin in this folder. Text
that a spreadsheet would run as a formula has an apostrophe before it."""
PER_FOLDER = 10_000
"""Rows whose files share a folder: no tool likes a million files in one."""
_SHOWN = ("image", "volume", "video")


def write(data: Exportable, folder: Path, *, shard_bytes: int) -> None:
    """Write the files of each row, and the CSV of each split; a file of a row is as large as it is."""
    types = data.feature_types
    columns = _columns(types)
    for name, split in data.splits.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(columns)
            number = 0
            for batch in split.batches():
                for row in batch.to_pylist():
                    cells = plain_values(row, types)
                    place = f"{name}/{number // PER_FOLDER:04}"
                    for held in held_files(row, types):
                        part = "" if held.name[0] in _SHOWN else f".{'-'.join(held.name)}"
                        path = f"{place}/{key(number, row)}{part}.{held.extension}"
                        (folder / place).mkdir(parents=True, exist_ok=True)
                        (folder / path).write_bytes(held.content)
                        cells[_column(held.name)] = path
                    table.writerow([cell(cells.get(column)) for column in columns])
                    number += 1


def _column(name: tuple[str, ...]) -> str:
    return "path" if name[0] in _SHOWN and len(name) == 1 else ".".join(name)


def _columns(types: Mapping[str, Any]) -> list[str]:
    """List the columns: the path and the class first, where tools look for them that are told nothing."""
    paths = dict.fromkeys(_column(name) for column, kind in types.items() for name in _files_in((column,), kind))
    values = plain_values(dict.fromkeys(types), types)
    first = [name for name in ("path", "label_name") if name in paths or name in values]
    return [*first, *(name for name in (*values, *paths) if name not in first)]


def _files_in(name: tuple[str, ...], feature: Any) -> Iterator[tuple[str, ...]]:
    if is_file(feature):
        yield name
    elif isinstance(feature, Mapping) and not isinstance(feature.get("_type"), str):
        for inner, kind in feature.items():
            yield from _files_in((*name, inner), kind)
