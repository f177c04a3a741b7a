"""A finished build made large: its rows again and again under other names, with small pictures, sealed as any other.

`browse` reads the metadata of all rows, and pictures one by one, so these need not be as large as films are; decoding
those is measured on real builds.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from covid_datasets.columns import GROUP, INDEX_FILE
from covid_datasets.features import arrow_schema
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.arrow_file import arrow_file
from covid_datasets.prepare.result import Built, split_files
from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.prepare.seal import MANIFEST_FILE, SEAL_FILE, seal

_BATCH = 4096
_RENAMED = ("sample_id", "patient_id", "study_id", "sha256", "pixel_hash")
_COUNTRIES = ("Belgium", "Brazil", "China", "Germany", "Iran", "Italy", "Spain", "United States", None)


def multiplied(built: Built, rows: int, side: int, cache: Path) -> Path:
    """Write a build of many rows into a cache, with pictures of ``side`` pixels; return its folder."""
    folder = cache / "prepared" / built.id / built.version / built.config / built.path.name
    skip = shutil.ignore_patterns("*.arrow", MANIFEST_FILE, SEAL_FILE)
    shutil.copytree(built.path, folder, ignore=skip)
    table = _light(open_table(built), side)
    index = pa.ipc.open_file(pa.memory_map(str(built.path / INDEX_FILE))).read_all()
    schema, start, splits = arrow_schema(), 0, {}
    index_schema = INDEX_SCHEMA
    for name in ("split", "group", GROUP):
        index_schema = index_schema.append(pa.field(name, pa.string()))
    with (
        pa.OSFile(str(folder / INDEX_FILE), "wb") as sink,
        pa.ipc.new_file(sink, index_schema) as of_index,
    ):
        for split, count in built.splits.items():
            splits[split] = -(-rows * count // built.rows)
            name = split_files(built.path, split)[0].name.partition("-of-")[0] + "-of-00001.arrow"
            state = json.loads((folder / split / "state.json").read_text())
            (folder / split / "state.json").write_text(json.dumps(state | {"_data_files": [{"filename": name}]}))
            with arrow_file(folder / split / name, schema) as file:
                for numbers in _pieces(start, count, splits[split]):
                    file.write_table(_renamed(table.take(numbers[0]), numbers[1]).cast(schema))
                    told = _renamed(index.take(numbers[0]), numbers[1], (*_RENAMED, "group", GROUP))
                    at = told.schema.get_field_index("looks")
                    told = told.set_column(at, "looks", pa.nulls(len(told), index_schema.field("looks").type))
                    of_index.write_table(told.cast(index_schema))
            start += count
    manifest = built.manifest()
    total = sum(splits.values())
    times = -(-total // built.rows)
    larger = {
        "rows": total,
        "splits": splits,
        "patients": (built.patients or 0) * times,
        "groups": built.groups * times,
    }
    seal(folder, manifest | {"build": manifest["build"] | larger}, {})
    return folder


def _pieces(start: int, count: int, rows: int) -> Iterator[tuple[pa.Array, np.ndarray]]:
    """Yield, a batch at a time, the numbers of the rows that are repeated, and of each the number of its copy."""
    for first in range(0, rows, _BATCH):
        places = np.arange(first, min(first + _BATCH, rows))
        yield pa.array(start + places % count), places // count


def _renamed(table: pa.Table, copies: np.ndarray, names: tuple[str, ...] = _RENAMED) -> pa.Table:
    """Give rows the names of a copy, so that no two of them share a patient or a picture."""
    ends = pa.array([f"-{copy}" for copy in copies.tolist()])
    for name in names:
        at = table.schema.get_field_index(name)
        if at >= 0:
            column = pc.binary_join_element_wise(table.column(name).combine_chunks(), ends, "")
            table = table.set_column(at, name, column)
    at = table.schema.get_field_index("country")
    if at >= 0:
        words = np.random.default_rng(int(copies[0])).integers(0, len(_COUNTRIES), len(table))
        table = table.set_column(at, "country", pa.array([_COUNTRIES[word] for word in words], pa.string()))
    return table


def _light(table: pa.Table, side: int) -> pa.Table:
    """Make pictures small and leave out masks."""
    files = []
    for file in table.column("image").to_pylist():
        picture, out = Image.open(io.BytesIO(file["bytes"])), io.BytesIO()
        picture.resize((side, side)).save(out, "JPEG", quality=80)
        files.append({"bytes": out.getvalue(), "path": file["path"]})
    table = table.set_column(
        table.schema.get_field_index("image"), "image", pa.array(files, table.schema.field("image").type)
    )
    masks = table.schema.field("masks").type
    empty = pa.array([dict.fromkeys(field.name for field in masks)] * len(table), masks)
    return table.set_column(table.schema.get_field_index("masks"), "masks", empty)
