"""Everything built in a cache as tables of metadata: shards mapped where they lie, pictures left where they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from covid_datasets.catalog.cards import choose
from covid_datasets.catalog.own import PREFIX
from covid_datasets.catalog.taxonomy import finding_names, label_names
from covid_datasets.disk import read_json
from covid_datasets.errors import CovidDatasetsError, UnknownDatasetError, words_of
from covid_datasets.features import arrow_schema
from covid_datasets.load.filters import Condition, tell_if_empty
from covid_datasets.load.licences import LicenceFilter
from covid_datasets.prepare.columnar import arrow_array, record_batch
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.inputs import outdated
from covid_datasets.prepare.result import MANIFEST_FILE, Built, split_files
from covid_datasets.schema import COLUMNS, CONTENT
from covid_datasets.settings import VIEWS
from covid_datasets.vocabulary import MASKS

FINDING = "finding"
OF_BUILD = ("version", "config", "split")
"""Columns that say where a row is stored. They stand behind ``dataset`` and are the same in all rows of a file."""
SEARCHABLE = tuple(
    each
    for name in COLUMNS
    for each in ((name, *OF_BUILD) if name == "dataset" else (name, FINDING) if name == "label" else (name,))
)
"""The columns of `samples`, in order."""
_FILES = (*CONTENT, "masks", "volume_masks")
"""Columns that hold bytes; of each only the name of the file is metadata."""


@dataclass(frozen=True, slots=True)
class Library:
    """The builds that can be searched, by id, version and config, and why each other one is left out, by its folder.

    ``tables`` has the stored rows of each build; of pictures, only in the columns that were asked for.
    """

    builds: tuple[Built, ...]
    tables: tuple[pa.Table, ...]
    left_out: Mapping[Path, str]


def find_library(prepared: Path, columns: Collection[str] = SEARCHABLE) -> Library:
    """Find of each source, version and config the build that `load_dataset` would open, and map it; nothing is built.

    ``columns`` are those of `samples` that are needed. No other one is looked at.
    """
    folders: dict[Path, list[Path]] = {}
    for manifest in sorted(prepared.glob(f"[!.]*/*/*/*/{MANIFEST_FILE}")):
        folders.setdefault(manifest.parent.parent, []).append(manifest.parent)
    found: list[tuple[Built, pa.Table]] = []
    left_out: dict[Path, str] = {}
    for place, candidates in folders.items():
        name, version, config = place.relative_to(prepared).parts
        try:
            built = _find(f"{name}@{version}", config, prepared.parent) or _newest(candidates)
            found.append((built, _open(built, columns)))
        except CovidDatasetsError as error:
            left_out[place] = str(error)
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:  # whatever damage does
            left_out[place] = f"{place} cannot be read: {words_of(error)}. Check it: covid-datasets verify {name}"
    return Library(tuple(built for built, _ in found), tuple(table for _, table in found), left_out)


def _find(name: str, config: str, cache: Path) -> Built | None:
    """Find what `load_dataset` would open; nothing where no card describes the source."""
    if name.startswith(PREFIX):
        return None
    try:
        choose(name, config)
    except UnknownDatasetError:
        return None
    return find_build(name, config, cache_dir=cache)


def _newest(folders: Iterable[Path]) -> Built:
    """Read the newest build of data that no card describes any more: of one's own, or of another package."""
    path = max(folders, key=lambda folder: (folder / MANIFEST_FILE).stat().st_mtime_ns)
    if reason := outdated(read_json(path / MANIFEST_FILE).get("inputs", {})):
        raise ValueError(reason)
    return Built.read(path)


def plain(table: pa.Table) -> pa.Table:
    """Write out what is stored as numbers of words: the table that the database gives for all of its rows."""
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def _open(built: Built, columns: Collection[str]) -> pa.Table:
    """Map the columns of a build that are needed. Of many small batches, each column of each one takes time."""
    stored = [name for name in COLUMNS if name in columns or (name == "label" and FINDING in columns)]
    wanted = list(built.columns) or stored or ["dataset"]  # one of them counts the rows
    files = [file for split in built.splits for file in split_files(built.path, split)]
    table = pa.concat_tables([_read(file, wanted) for file in files])
    if table.num_rows != built.rows:
        raise ValueError(f"expected {built.rows:,} rows, found {table.num_rows:,}")
    return table.replace_schema_metadata(None)


def _read(file: Path, columns: Sequence[str]) -> pa.Table:
    mapped = pa.memory_map(str(file))
    schema = pa.ipc.read_schema(mapped)
    mapped.seek(0)
    options = pa.ipc.IpcReadOptions(included_fields=[schema.names.index(name) for name in columns])
    table = pa.ipc.open_stream(mapped, options=options).read_all().select(columns)
    table.validate(full=True)  # places that point out of the file would end this process
    return table


def samples(library: Library, columns: Collection[str] = SEARCHABLE, conditions: Sequence[Condition] = ()) -> pa.Table:
    """Join the rows of all builds of images that meet some conditions, in the order of their ids and as stored.

    No byte of a picture is read. The table has the stored columns and four more: `OF_BUILD`, and ``finding``, the label
    as text. ``label`` is the id of the class. Of columns that hold files there are their names.
    """
    chosen = [(built, table) for built, table in zip(library.builds, library.tables, strict=True) if not built.columns]
    if not chosen:
        return no_samples()
    table, places = pa.concat_tables([stored for _, stored in chosen]), _of_builds([built for built, _ in chosen])
    found = _as_metadata(table, places, columns)
    if conditions:
        stored_and_placed = plain(pa.table({**dict(zip(table.column_names, table.columns, strict=True)), **places}))
        found = found.filter(pa.array(_fitting(stored_and_placed, conditions)))
    return found


def no_samples() -> pa.Table:
    """Return `samples` of no build at all: their columns."""
    text = pa.string()
    masks = pa.struct([(name, text) for name in MASKS])
    changed = {**dict.fromkeys((*CONTENT, "label"), text), **dict.fromkeys(("masks", "volume_masks"), masks)}
    kinds = {field.name: changed.get(field.name, field.type) for field in arrow_schema()}
    schema = pa.schema([(name, kinds.get(name, text)) for name in SEARCHABLE])
    return pa.Table.from_batches([record_batch([], schema)])


def _fitting(table: pa.Table, conditions: Sequence[Condition]) -> np.ndarray:
    """Tell of each row whether it meets all conditions; warn where none does."""
    for each in conditions:
        if isinstance(each, LicenceFilter):
            each.check([table])
    masks = [each.mask(table) for each in conditions]
    fits: np.ndarray = np.logical_and.reduce(masks)
    tell_if_empty(conditions, [table], [int(mask.sum()) for mask in masks], int(fits.sum()))
    return fits


def _as_metadata(table: pa.Table, places: Mapping[str, pa.ChunkedArray], wanted: Collection[str]) -> pa.Table:
    columns: dict[str, pa.ChunkedArray] = {}
    for name in table.column_names:
        column = table.column(name)
        if name in _FILES:
            columns[name] = names_of_files(column)
        elif name == "label":
            columns[name] = _worded(column, label_names())
            columns[FINDING] = _worded(column, finding_names())
        else:
            columns[name] = column
        if name == table.column_names[0]:
            columns |= {place: words for place, words in places.items() if place in wanted}
    return pa.table(columns)


def library_table(library: Library) -> pa.Table:
    """List the builds, one row each, as the table ``builds`` of a search."""
    kinds = {
        **dict.fromkeys(("id", "version", "config"), pa.string()),
        **dict.fromkeys(("rows", "patients", "groups", "dropped", "lost"), pa.int64()),
        **dict.fromkeys(("incomplete",), pa.bool_()),
        **dict.fromkeys(("verify", "fingerprint", "path"), pa.string()),
    }
    rows = [{**{name: getattr(built, name) for name in kinds}, "path": str(built.path)} for built in library.builds]
    return pa.Table.from_batches([record_batch(rows, pa.schema(list(kinds.items())))])


def views_table(prepared: Path) -> tuple[pa.Table, dict[Path, str]]:
    """List the views of all builds, one row each, as the table ``views`` of a search, and why others are left out."""
    of_build = ("id", "version", "config", "rows", "patients", "groups", "fingerprint", "path")
    kinds = {name: pa.int64() if name in ("rows", "patients", "groups") else pa.string() for name in of_build}
    kinds |= {name: pa.string() for name in ("view", "source")} | {"left_out": pa.int64()}
    kinds |= {name: pa.string() for name in ("to_orientation", "derive", "by")}
    kinds |= {name: pa.list_(pa.float64()) for name in ("window", "image_size", "to_spacing")}
    rows: list[dict[str, Any]] = []
    left_out: dict[Path, str] = {}
    for manifest in sorted(prepared.glob(f"[!.]*/*/*/*{VIEWS}/*/{MANIFEST_FILE}")):
        try:
            built = Built.read(manifest.parent)
        except CovidDatasetsError as error:
            left_out[manifest.parent] = str(error)
            continue
        said = {name: getattr(built, name) for name in of_build} | {"path": str(built.path)}
        told = {"view": built.view["name"], **{name: built.view[name] for name in ("source", "left_out")}}
        rows.append(said | told | dict(built.view["parameters"]))
    return pa.Table.from_batches([record_batch(rows, pa.schema(list(kinds.items())))]), left_out


def tables_of_own(library: Library) -> dict[str, pa.Table]:
    """Name the builds that are tables without images: by their id, and where an id has several, by all three names."""
    found = [(built, table) for built, table in zip(library.builds, library.tables, strict=True) if built.columns]
    ids = [built.id for built, _ in found]
    return {
        built.id if ids.count(built.id) == 1 else f"{built.id}@{built.version}/{built.config}": table
        for built, table in found
    }


def _of_builds(builds: Iterable[Built]) -> dict[str, pa.ChunkedArray]:
    """Say of each row which version, config and split it is of; a number for each row, and the words once."""
    runs = [((built.version, built.config, split), rows) for built in builds for split, rows in built.splits.items()]
    numbers = np.repeat(np.arange(len(runs), dtype=np.int32), [rows for _, rows in runs])
    indices = pa.Array.from_buffers(pa.int32(), len(numbers), [None, pa.py_buffer(numbers)])
    return {
        name: pa.chunked_array(
            [pa.DictionaryArray.from_arrays(indices, arrow_array([words[i] for words, _ in runs], pa.string()))]
        )
        for i, name in enumerate(OF_BUILD)
    }


def _worded(codes: pa.ChunkedArray, words: tuple[str, ...]) -> pa.ChunkedArray:
    """Give the numbers of classes their words."""
    indices = codes.combine_chunks()
    return pa.chunked_array([pa.DictionaryArray.from_arrays(indices, arrow_array(words, pa.string()))])


def names_of_files(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Take the names out of a column of files, or of masks, and nothing else; null where there is no file."""
    import pyarrow.compute as pc

    kind = column.type
    if kind.get_field_index("path") >= 0:
        return pc.struct_field(column, "path")
    masks = {field.name: pc.struct_field(column, [field.name, "path"]).combine_chunks() for field in kind}
    return pa.chunked_array([pa.StructArray.from_arrays(list(masks.values()), names=list(masks))])
