"""`Shelf`: the rows of finished builds in one table that is small enough to be asked at every stroke of a key."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.catalog.cards import choose
from covid_datasets.catalog.own import PREFIX
from covid_datasets.columns import CONTENT, GROUP
from covid_datasets.errors import CovidDatasetsError, NotBuiltError, UsageError, did_you_mean, words_of
from covid_datasets.extras import need
from covid_datasets.load.metadata import Library, find_library, plain, samples
from covid_datasets.load.search import SAFE
from covid_datasets.load.stored import StoredGroups
from covid_datasets.prepare.result import Built
from covid_datasets.settings import Settings
from covid_datasets.view.browse.ask import BY_WORD, CHOICES, RANGES, TEXTS, WORDS, Ask
from covid_datasets.view.browse.kept import Kept
from covid_datasets.view.browse.order import in_order, ranks_of

SHOWN = ("sample_id", "dataset", "modality", "finding", "split", "kind")
"""Columns of a row that stand below its thumbnail."""
_STORED = ("dataset", "sample_id", "patient_id", "patient_known", *CONTENT, "masks", "volume_masks", "pixel_hash")
_SELECTIONS = 64 << 20
"""Bytes of row numbers that are kept of the latest questions: 16 million rows."""
_COUNTS = 500
"""Questions whose counts are kept."""
_MOST_WORDS = 200
"""Words of a column that the page offers."""
_FEW = 100
"""Rows beside an image that are named; the others are counted."""


Counts = dict[str, dict[str, int]]
"""Of each column the number of rows by word."""


class GoneError(NotBuiltError):
    """What was there when the page was opened is not there any more."""


@dataclass(frozen=True, slots=True)
class Place:
    """A build of the shelf: what names it in addresses, and the number of its first row in the table of all."""

    key: str
    built: Built
    start: int


class Shelf:
    """Everything that is built in a cache, or some of it by id, as it was when this was made. Nothing is written.

    ``left_out`` says which builds cannot be shown, and why. ``stored`` has all metadata of the rows, mapped where it
    lies, as `search` has it.
    """

    def __init__(self, library: Library, groups: Sequence[pa.Array]) -> None:
        """Take builds of images, and of each the names of the groups of its rows."""
        need("duckdb")
        import duckdb

        self.stored = samples(library)
        self.left_out = library.left_out
        starts = [0, *accumulate(built.rows for built in library.builds)]
        places = [Place(_key(built), built, start) for built, start in zip(library.builds, starts, strict=False)]
        self.places = {place.key: place for place in places}
        self.rows = starts[-1]
        self._table = _brief(self.stored, places, groups)
        self._codes = {name: _coded(self._table.column(name)) for name in BY_WORD}
        self._ranks = {"sample_id": ranks_of(self._table["sample_id"])}  # the one that takes long
        self._database = duckdb.connect(":memory:", config={**SAFE, "threads": min(4, os.cpu_count() or 1)})
        self._database.register("samples", self._table)
        self._lock = Lock()
        self._selections = Kept[np.ndarray](_SELECTIONS, lambda rows: rows.nbytes)
        self._counts = Kept[Counts](_COUNTS, lambda _: 1)
        self.choices = self._choices()

    @classmethod
    def open(cls, cache_dir: str | os.PathLike[str] | None = None, ids: Sequence[str] = ()) -> Shelf:
        """Take what is built in a cache.

        Raises:
            NotBuiltError: Nothing is built of one of the ids.
        """
        return cls(*_grouped(find_library(Settings.resolve(cache_dir).prepared), ids))

    def place(self, key: str, row: int) -> Place:
        """Find a build by its key, and hold the number of a row against it."""
        place = self.places.get(key)
        if place is None or not 0 <= row < place.built.rows:
            raise GoneError("there is no such row; reload the page, which shows what is built now")
        return place

    def select(self, ask: Ask) -> np.ndarray:
        """Return the numbers of all rows that are asked for, in order."""
        return self._selections.get(ask, lambda: self._select(ask))

    def page(self, ask: Ask, start: int, count: int) -> list[dict[str, Any]]:
        """Return some of the rows that are asked for."""
        return self.brief(self.select(ask)[start : start + count])

    def brief(self, numbers: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
        """Say of rows where they are and what stands below their thumbnails."""
        rows: list[dict[str, Any]] = self._table.select(["build", "row", *SHOWN]).take(pa.array(numbers)).to_pylist()
        return rows

    def told(self, place: Place, row: int) -> dict[str, Any]:
        """Return all that is stored of a row; of files there are the names."""
        found: dict[str, Any] = self.stored.slice(place.start + row, 1).to_pylist()[0]
        return found

    def splits(self, numbers: np.ndarray) -> dict[str, str]:
        """Return the split of each sample that is chosen.

        Raises:
            UsageError: Several versions or configs of a source have put one sample into different splits.
        """
        rows = self._table.select(["sample_id", "split"]).take(pa.array(numbers))
        found: dict[str, str] = {}
        for sample, split in zip(rows["sample_id"].to_pylist(), rows["split"].to_pylist(), strict=True):
            if found.setdefault(sample, split) != split:
                raise UsageError(
                    f"split: expected each sample in one split, found {sample} in {found[sample]} and {split}, because "
                    "several versions or configs of a source are chosen. Next: choose one of them"
                )
        return found

    def counts(self, ask: Ask) -> Counts:
        """Count the rows that are asked for by the words of each column that has few."""
        return self._counts.get(ask.unordered, lambda: self._count(self.select(ask.unordered)))

    def _count(self, chosen: np.ndarray) -> Counts:
        found: Counts = {}
        for name, (words, codes) in self._codes.items():
            counts = np.bincount(codes[chosen], minlength=len(words)).tolist()
            found[name] = {word or "": count for word, count in zip(words, counts, strict=True) if count}
        return found

    def _choices(self) -> dict[str, list[str | None]]:
        """List the words of each column that may be chosen, the commonest first, as many as fit on a page."""
        return {
            name: [word or None for word, _ in Counter(counts).most_common(_MOST_WORDS)]
            for name, counts in self.counts(Ask()).items()
        }

    def beside(self, place: Place, row: int) -> dict[str, dict[str, Any]]:
        """Find who belongs to a row: the same patient, the same group, and the same picture in any build."""
        number = place.start + row
        own = self._table.slice(number, 1).to_pylist()[0]
        build, group = own["build"], own[GROUP]
        asked = {
            "patient": ("patient_id = ? AND patient_known", [own["patient_id"]]),
            "group": (f"build = ? AND {GROUP} = ?", [build, group]),
            "same picture": ("pixel_hash = ?", [own["pixel_hash"]]),
        }
        found = {}
        for name, (where, bound) in asked.items():
            query = f"SELECT number FROM samples WHERE {where} AND number <> ? ORDER BY number"  # noqa: S608 - ours
            numbers = self._numbers(query, [*bound, number])
            found[name] = {"value": bound[-1], "count": len(numbers), "rows": self.brief(numbers[:_FEW])}
        return found

    def _select(self, ask: Ask) -> np.ndarray:
        if ask == Ask():
            return np.arange(self.rows, dtype=np.int32)
        if ask == ask.unordered:
            return self._numbers(*ask.sql())
        found = self.select(ask.unordered)
        if ask.order == "number":
            return found[::-1]
        if ask.order not in self._ranks:
            self._ranks[ask.order] = ranks_of(self._table[ask.order])
        return in_order(found, self._ranks[ask.order], descending=ask.descending)

    def _numbers(self, query: str, bound: Sequence[Any]) -> np.ndarray:
        with self._lock:
            numbers = self._database.execute(query, list(bound)).fetchnumpy()["number"]
        return np.asarray(numbers, np.int32)


def _key(built: Built) -> str:
    """Name a build by what it is, so that an address never shows something else than it did."""
    said = f"{built.id}@{built.version}/{built.config}/{built.fingerprint}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _grouped(library: Library, ids: Sequence[str]) -> tuple[Library, list[pa.Array]]:
    """Keep the builds of images that are wanted and whose groups can be read, and read these."""
    left_out = dict(library.left_out)
    images = [(built, table) for built, table in zip(library.builds, library.tables, strict=True) if not built.columns]
    known = {name for built, _ in images for name in _names(built)}
    for name in ids:
        if name not in known:
            if not name.startswith(PREFIX):
                choose(name)  # a name of no source has no next step
            raise NotBuiltError(
                f"{name}: expected a source with images that is built, found none. Next: covid-datasets build {name}"
                f"{did_you_mean(name, sorted(known))}"
            )
    chosen, groups = [], []
    for built, table in images:
        if ids and not _names(built) & set(ids):
            continue
        try:
            found = StoredGroups(built).slice(0)
        except (CovidDatasetsError, OSError, pa.ArrowException, KeyError) as error:
            left_out[built.path] = f"{built.path}: its index cannot be read: {words_of(error)}"
            continue
        if len(found) != built.rows:
            left_out[built.path] = f"{built.path}: expected {built.rows:,} rows in its index, found {len(found):,}"
            continue
        chosen.append((built, table))
        groups.append(found)
    return Library(tuple(built for built, _ in chosen), tuple(table for _, table in chosen), left_out), groups


def _names(built: Built) -> set[str]:
    return {built.id, f"{built.id}@{built.version}"}


def _coded(column: pa.ChunkedArray) -> tuple[list[str | None], np.ndarray]:
    """Return the words of a column, of which the last is what is unknown, and for each row the number of its word."""
    coded = column.combine_chunks()
    words = coded.dictionary.to_pylist()
    codes = coded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    return [*words, None], codes.astype(np.min_scalar_type(len(words)))


def _brief(table: pa.Table, places: Sequence[Place], groups: Sequence[pa.Array]) -> pa.Table:
    """Make the table that is asked: whole columns in memory, words of few kinds once."""
    found = {name: table[name] for name in table.column_names if name in {*_STORED, *CHOICES, *RANGES, *TEXTS}}
    kind = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    for name in CONTENT:
        kind = pc.if_else(pc.is_valid(found.pop(name)), name, kind)
    fields = [field for name in ("masks", "volume_masks") for field in found.pop(name).combine_chunks().flatten()]
    masked = np.logical_or.reduce([np.asarray(pc.is_valid(field)) for field in fields])
    sizes = [place.built.rows for place in places]
    keys = pa.array([place.key for place in places], pa.string())
    build = pa.DictionaryArray.from_arrays(pa.array(np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)), keys)
    found |= {
        "kind": kind,
        "masked": pa.chunked_array([pa.array(np.where(masked, "with masks", "without"))]),
        GROUP: pa.chunked_array(groups, pa.string()),
        "build": pa.chunked_array([build]),
        "row": pa.chunked_array([pa.array(np.concatenate([np.arange(0), *map(np.arange, sizes)]), pa.int32())]),
        "number": pa.chunked_array([pa.array(np.arange(table.num_rows), pa.int32())]),
    }
    plainly = plain(pa.table(found)).combine_chunks()
    texts = [plainly[name].combine_chunks() for name in TEXTS]
    joined = pc.binary_join_element_wise(*texts, "\n", null_handling="replace")
    plainly = plainly.append_column(WORDS, pc.utf8_lower(joined))
    for name in (*BY_WORD, "build"):
        if pa.types.is_string(plainly[name].type):
            column = plainly[name].combine_chunks().dictionary_encode()
            plainly = plainly.set_column(plainly.column_names.index(name), name, column)
    return plainly
