"""`Exportable`: whatever `load_dataset` returns, as stored columns that a format writes batch by batch.

Nothing is decoded on the way: an image is a struct of its bytes and the name of its file, a label is its number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import UnknownDatasetError, UsageError
from covid_datasets.features import arrow_schema
from covid_datasets.load.rows import NumpyRows
from covid_datasets.prepare.result import Built

BATCH_ROWS = 1024
BATCH_BYTES = 32 << 20
"""What a batch may hold at most, where it has more than one row: memory is bounded by it, and by the largest row."""
_BUILT = re.compile(r"Built by covid_datasets as (\S+?)@(\S+) \(([^)\n]+)\), fingerprint ([0-9a-f]{8,64})\b")
"""What a build says of itself in ``dataset.info.description``, which ``datasets`` keeps through select and filter."""
_OF_ANY_LENGTH = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_string, pa.types.is_large_string)
_SPLIT = re.compile(r"\w+([-.]\w+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """A build that rows were taken from; ``card`` is ``None`` of data that is in no catalog."""

    id: str
    version: str
    config: str
    fingerprint: str
    card: Card | None = field(compare=False)


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of one split. ``read`` gives those from ``start`` to ``stop`` as a table, without copying their bytes."""

    rows: int
    schema: pa.Schema
    read: Callable[[int, int, Sequence[str]], pa.Table]

    def batches(self, size: int = BATCH_ROWS, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, at most ``size`` of them and about `BATCH_BYTES` at a time."""
        names = list(self.schema.names if columns is None else columns)
        schema = pa.schema([self.schema.field(name) for name in names], self.schema.metadata)
        for start in range(0, self.rows, size):
            block = self.read(start, min(start + size, self.rows), names)
            ends = np.cumsum(_row_bytes(block))
            done = 0
            while done < len(block):
                before = int(ends[done - 1]) if done else 0
                stop = max(int(np.searchsorted(ends, before + BATCH_BYTES, side="right")), done + 1)
                yield _one_batch(block.slice(done, stop - done), schema)
                done = stop

    def bytes(self) -> int:
        """About how many bytes the rows take; no file is read for it."""
        starts = range(0, self.rows, BATCH_ROWS)
        blocks = (self.read(start, min(start + BATCH_ROWS, self.rows), self.schema.names) for start in starts)
        return sum(int(_row_bytes(block).sum()) for block in blocks)


@dataclass(frozen=True, slots=True)
class Exportable:
    """A dataset ready to be exported.

    Attributes:
        name: The id of its source; of several, joined by ``-``.
        version: The version of its source; empty where there are several, or none is known.
        fingerprint: That of the build its rows were taken from; of several builds, one made of all of theirs.
        sources: The builds that its rows were taken from, as far as the dataset still tells.
        features: The stored schema, with the features of Hugging Face in its metadata.
        label_names: The classes of the column ``label``, by number; empty where there is none.
        splits: By name, in order.

    >>> import covid_datasets
    >>> rows = covid_datasets.load_dataset("phantom", "small", framework="numpy", cache_dir=getfixture("tmp_path"))
    >>> data = Exportable.of(rows)
    >>> data.name, [card.id for card in data.cards], list(data.splits)
    ('phantom', ['phantom'], ['train', 'validation', 'test'])
    >>> next(data.splits["train"].batches(2)).num_rows
    2
    """

    name: str
    version: str
    fingerprint: str
    sources: tuple[Source, ...]
    features: pa.Schema
    label_names: tuple[str, ...] = ()
    splits: Mapping[str, Split] = field(default_factory=dict)

    @property
    def cards(self) -> tuple[Card, ...]:
        """The cards of its sources; data of one's own has none."""
        return tuple(source.card for source in self.sources if source.card is not None)

    @property
    def rows(self) -> int:
        """Count the rows of all splits."""
        return sum(split.rows for split in self.splits.values())

    @property
    def bytes(self) -> int:
        """About how many bytes the rows take, from the lengths of their files and texts; no file is read."""
        return sum(split.bytes() for split in self.splits.values())

    @property
    def feature_types(self) -> dict[str, Any]:
        """The features by column, in the form of ``datasets.Features.to_dict()``."""
        return feature_types(self.features)

    @classmethod
    def of(cls, given: Any, name: str = "") -> Exportable:
        """Take what `load_dataset` returns in any framework: one split, or a mapping of splits.

        A single split is called ``train``, or what it says of itself. ``name`` replaces the name of the dataset.
        """
        opened = {split: _opened(rows) for split, rows in _by_name(given).items()}
        schemas = [split.schema for split, _ in opened.values()]
        for split, schema in zip(opened, schemas, strict=True):
            if not schema.equals(schemas[0], check_metadata=True):
                raise UsageError(
                    f"export: expected the same columns and features in every split, found others in {split!r} than in "
                    f"{next(iter(opened))!r}. Export them one by one, or cast them to the same features first"
                )
        sources = tuple(dict.fromkeys(source for _, found in opened.values() for source in found))
        ids = tuple(dict.fromkeys(source.id for source in sources))
        versions = {source.version for source in sources}
        return cls(
            name=name or "-".join(ids) or "dataset",
            version=versions.pop() if len(sources) == 1 else "",
            fingerprint=_joined([source.fingerprint for source in sources]),
            sources=sources,
            features=schemas[0],
            label_names=tuple(feature_types(schemas[0]).get("label", {}).get("names", ())),
            splits={split: each for split, (each, _) in opened.items()},
        )


def feature_types(schema: pa.Schema) -> dict[str, Any]:
    """Read the features of Hugging Face out of a schema's metadata."""
    metadata = schema.metadata or {}
    found: dict[str, Any] = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features") or {}
    return found


def is_file(feature: Any) -> bool:
    """Tell whether a feature is a file: a struct of ``bytes`` and ``path``.

    >>> is_file({"_type": "Image"}), is_file({"dtype": "string", "_type": "Value"})
    (True, False)
    """
    return isinstance(feature, dict) and feature.get("_type") in ("Image", "Nifti", "Video", "Audio", "Pdf")


def _by_name(given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        if not given:
            raise UsageError("export: expected a dataset with splits, found an empty mapping")
        for name in given:
            if not isinstance(name, str) or not _SPLIT.fullmatch(name):
                raise UsageError(f"export: expected splits named like 'train' or 'fold-1', found {name!r}")
        return dict(given)
    if isinstance(given, list | tuple):
        raise UsageError(
            "export: expected one dataset or a mapping of splits, found a list. Name them: "
            "export({'train': parts[0], 'test': parts[1]}, ...)"
        )
    named = str(getattr(given, "split", None) or "")
    return {named if _SPLIT.fullmatch(named) else "train": given}


def _opened(rows: Any) -> tuple[Split, tuple[Source, ...]]:
    """Open one split in whatever form it was loaded."""
    module = type(rows).__module__.partition(".")[0]
    if isinstance(rows, NumpyRows):
        return _of_numpy(rows)
    if isinstance(inner := getattr(rows, "_rows", None), NumpyRows):
        return _of_numpy(inner)  # as torch tensors
    if module == "datasets" and hasattr(rows, "with_format") and hasattr(rows, "__len__"):
        return _of_huggingface(rows)
    if module == "pandas":
        return _of_table(_from_pandas(rows))
    if isinstance(rows, pa.Table):
        return _of_table(rows)
    if module == "datasets":
        raise UsageError(
            f"export: expected rows that can be counted, found {type(rows).__name__}. Load without streaming=True"
        )
    raise UsageError(
        f"export: expected what load_dataset returns, or the name of a dataset, found {type(rows).__name__}"
    )


def _of_numpy(rows: NumpyRows) -> tuple[Split, tuple[Source, ...]]:
    parts = rows.parts
    columns = next((part.build.columns for part in parts), {})
    schema = _with_features(
        arrow_schema(columns or None), rows.form.columns, rows.form.label_names if rows.form.classes else None
    )
    return (
        Split(len(rows), schema, lambda start, stop, names: rows.stored(start, stop, names)),
        tuple(_source_of(part.build) for part in parts),
    )


def _of_huggingface(dataset: Any) -> tuple[Split, tuple[Source, ...]]:
    schema = dataset.features.arrow_schema

    def read(start: int, stop: int, names: Sequence[str]) -> pa.Table:
        return dataset.select_columns(list(names)).with_format("arrow")[start:stop]

    split = Split(len(dataset), schema, read)
    return split, _sources(dataset.info.description or "", split)


def _of_table(table: pa.Table) -> tuple[Split, tuple[Source, ...]]:
    split = Split(len(table), table.schema, lambda start, stop, names: table.select(names).slice(start, stop - start))
    return split, _sources("", split)


def _from_pandas(frame: Any) -> pa.Table:
    """Give a data frame the stored types back: categories become numbers again."""
    stored, classes = arrow_schema(), None
    if "label" in frame.columns and hasattr(frame["label"], "cat"):
        classes = tuple(frame["label"].cat.categories)
        codes = frame["label"].cat.codes.astype("Int64")
        frame = frame.assign(label=codes.mask(codes < 0))
    names = [str(name) for name in frame.columns]
    known = {name: stored.field(name).type for name in names if name in stored.names}
    inferred = pa.Table.from_pandas(frame.drop(columns=list(known)), preserve_index=False)
    columns = [
        pa.chunked_array([pa.array(frame[name].to_list(), known[name], from_pandas=True)])
        if name in known
        else inferred.column(name)
        for name in names
    ]
    table = pa.table(columns, names=names)
    return table.replace_schema_metadata(_with_features(stored, names, classes, table.schema).metadata)


def _with_features(
    stored: pa.Schema, names: Sequence[str], classes: Sequence[str] | None, found: pa.Schema | None = None
) -> pa.Schema:
    """Choose columns of a stored schema, with other classes where there are some; the group is no stored column."""
    features, fields, types = feature_types(stored), [], {}
    for name in names:
        if name in stored.names:
            fields.append(stored.field(name))
            types[name] = features[name]
        else:
            kind = found.field(name).type if found is not None else pa.string()
            fields.append(pa.field(name, kind))
            types[name] = {"dtype": str(kind), "_type": "Value"}
    if classes is not None and "label" in types:
        types["label"] = {"names": list(classes), "_type": "ClassLabel"}
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": types}})})


def _source_of(build: Built) -> Source:
    return Source(build.id, build.version, build.config, build.fingerprint, _card(build.id))


def _sources(description: str, split: Split) -> tuple[Source, ...]:
    """Find the builds that rows were taken from: what their description says, else the ids in their own column."""
    found = [
        Source(id, version, config, fingerprint, _card(id))
        for id, version, config, fingerprint in dict.fromkeys(_BUILT.findall(description))
    ]
    told = {source.id for source in found}
    if "dataset" in split.schema.names and pa.types.is_string(split.schema.field("dataset").type):
        ids: dict[str, None] = {}
        for batch in split.batches(1 << 16, ["dataset"]):
            ids |= dict.fromkeys(id for id in pc.unique(batch.column(0)).to_pylist() if id)
        if ids:
            # A part of a joint dataset may have no row left of one of its builds.
            found = [source for source in found if source.id in ids]
        found += [Source(id, "", "", "", _card(id)) for id in ids if id not in told]
    return tuple(found)


def _card(id: str) -> Card | None:
    try:
        return load_card(id)
    except UnknownDatasetError:
        return None


def _joined(fingerprints: Sequence[str]) -> str:
    if len(fingerprints) == 1:
        return fingerprints[0]
    return sha256("\n".join(sorted(fingerprints)).encode()).hexdigest() if all(fingerprints) and fingerprints else ""


def _row_bytes(table: pa.Table) -> np.ndarray:
    """Count the bytes of each row in its files and texts, from their offsets alone."""
    total = np.full(len(table), 8 * table.num_columns, dtype=np.int64)
    for column in table.columns:
        for values in _leaves(column):
            lengths = pc.fill_null(pc.binary_length(values), 0)
            total += lengths.to_numpy()
    return total


def _leaves(column: pa.ChunkedArray) -> Iterator[pa.ChunkedArray]:
    kind = column.type
    if pa.types.is_struct(kind):
        for number in range(kind.num_fields):
            yield from _leaves(pc.struct_field(column, [number]))
    elif any(is_kind(kind) for is_kind in _OF_ANY_LENGTH):
        yield column


def _one_batch(table: pa.Table, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks)
        if column.num_chunks
        else pa.array([], column.type)
        for column in table.columns
    ]
    return pa.RecordBatch.from_arrays(
        [
            column if column.type == wanted.type else column.cast(wanted.type)
            for column, wanted in zip(columns, schema, strict=True)
        ],
        schema=schema,
    )
