"""What a worker does: rows of a source to rows of a view, volume by volume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from covid_datasets.columns import COLUMNS, GROUP, ORIGIN
from covid_datasets.errors import FunctionError
from covid_datasets.features import arrow_schema
from covid_datasets.measure.image import measure_pixels
from covid_datasets.prepare.derived.asked import Derivation
from covid_datasets.prepare.derived.changed import (
    common_columns,
    encoded_masks,
    filling,
    measured_columns,
    moved_boxes,
    side_of,
    stored_masks,
)
from covid_datasets.prepare.derived.derive import FAILED
from covid_datasets.prepare.derived.place import NoPlaceError, Place
from covid_datasets.prepare.derived.slices import Slices, kept_only
from covid_datasets.prepare.derived.source import StoredRows
from covid_datasets.prepare.derived.stacks import Stack
from covid_datasets.prepare.derived.values import Values, mask_values, shown
from covid_datasets.prepare.pieces import PieceWriter, Row
from covid_datasets.prepare.place import Place as Where
from covid_datasets.prepare.plan import MIN_BATCH_BYTES, Piece
from covid_datasets.prepare.rows import INDEX_SCHEMA, row_digest
from covid_datasets.read.bounds import MAX_VOLUME_BYTES, allowing
from covid_datasets.read.encode import digest, encode, extension
from covid_datasets.read.stack import view_of
from covid_datasets.schema import Notice
from covid_datasets.transforms.axes import interpolated_plane, nearest_plane, sized
from covid_datasets.transforms.derive.checked import counted
from covid_datasets.transforms.grids import Regrid, nearest_planes, planes, turned_plane

_TEXTS = [pa.field(name, pa.string()) for name in ("split", "group", GROUP)]
VIEW_INDEX = pa.schema([*INDEX_SCHEMA, *_TEXTS, pa.field(ORIGIN, pa.int64())])
UNWINDOWED = "no Hounsfield units"
HOPELESS = 8
"""With so many failures of a function at the beginning of a piece, and nothing else, no more is tried."""


@dataclass(frozen=True, slots=True)
class ViewTask:
    """One piece of a view: which stacks it is made of, with the number that the first row of each gets."""

    source: StoredRows
    wanted: Derivation
    piece: Piece
    stacks: tuple[tuple[int, Stack], ...]
    place: Where
    batch_bytes: int = MIN_BATCH_BYTES


def write_view_piece(task: ViewTask) -> int:
    """Write one piece of a view; return its number."""
    piece = PieceWriter(task, arrow_schema({**COLUMNS, **task.wanted.columns}), VIEW_INDEX)
    with piece.open() as sink:
        rows, held = list[dict[str, Any]](), 0
        for item in allowing(MAX_VOLUME_BYTES, _rows(task)):
            if isinstance(item, Notice):
                piece.notices.append(item)
                continue
            row, entry = item
            rows.append(row)
            piece.index.append(entry)
            held += entry["bytes"]
            if held >= task.batch_bytes:
                sink.write(rows)
                rows, held = [], 0
        sink.write(rows)
    return task.piece.number


def _rows(task: ViewTask) -> Iterator[Row | Notice]:
    failed = 0
    for number, (first, stack) in enumerate(task.stacks, 1):
        try:
            for item in _Maker(task, first, stack).rows():
                yield item
                failed += isinstance(item, Notice) and item.kind == FAILED
                if isinstance(item, Notice) and failed == number == HOPELESS:
                    raise FunctionError(f"{task.wanted.derive} raised for each of the first {failed} rows: {item.what}")
        except NoPlaceError as error:
            yield _left_out(task.source, stack.rows, error)


def _left_out(source: StoredRows, rows: Sequence[int], error: NoPlaceError) -> Notice:
    name = source.index_row(rows[0])["sample_id"]
    return Notice("not in this view", name, str(error), dropped=True, count=len(rows))


class _Maker:
    """Makes the rows of one stack."""

    def __init__(self, task: ViewTask, first: int, stack: Stack) -> None:
        self._source, self._wanted, self._first, self._stack = task.source, task.wanted, first, stack
        self._slices = Slices(task.source, stack, task.wanted)

    def rows(self) -> Iterator[Row | Notice]:
        """Yield the rows; before them or between, what is told of them."""
        row = self._slices.row(0)
        if row["volume"] is not None:
            from covid_datasets.prepare.derived.volumes import volume_row  # an extra, of which most need nothing

            changed, told = volume_row(row, self._wanted)
            yield from told
            yield self._row(row, changed, 0, 0)
            return
        yield from self._slices.derive()
        if not self._wanted.needs_stack:
            yield from self._singles()
            return
        place, values = self._slices.place(), self._slices.values(0)
        grid = place.grid((len(self._stack.rows), *values.pixels.shape[:2]), self._wanted)
        if grid.slices_stay:
            yield from self._kept(grid, place)
        else:
            yield from self._cuts(grid, place)

    def _singles(self) -> Iterator[Row | Notice]:
        """Change each row alone."""
        for number in range(len(self._stack.rows)):
            if self._slices.as_it_was(number) and not self._wanted.shows_anew:
                row = self._slices.row(number)
                masks = stored_masks(row, dict(self._slices.masks(number)))
                yield self._row(row, {"masks": masks}, number, number)
                continue
            try:
                place, values = self._slices.place(number), self._slices.values(number)
                grid = place.grid((1, *values.pixels.shape[:2]), self._wanted)
                yield from self._slice(grid, self._moved(grid, place, number), number, number)
            except NoPlaceError as error:
                yield _left_out(self._source, self._stack.rows[number : number + 1], error)

    def _moved(self, grid: Regrid, place: Place, number: int, at: int = 0) -> dict[str, Any]:
        """Say where a slice lies now, where that is another place than before."""
        same = grid.same and self._slices.corner(number) == (0, 0)
        return {} if same else place.moved(grid).columns(at)

    def _kept(self, grid: Regrid, place: Place) -> Iterator[Row | Notice]:
        """Change slice after slice, each of which stays what it is: with its id, and its neighbours."""
        for number in range(grid.shape[0]):
            at = grid.slice_of(number)
            assert at is not None, "slices that stay are old ones"
            moved = self._moved(grid, place, at, number)
            if not grid.same and len(self._stack.rows) > 1:
                moved["part_index"] = number
            try:
                yield from self._slice(grid, moved, at, number)
            except NoPlaceError as error:  # the slices before it are written, and those after it need nothing of it
                yield _left_out(self._source, self._stack.rows[at : at + 1], error)

    def _slice(self, grid: Regrid, moved: Mapping[str, Any], at: int, number: int) -> Iterator[Row | Notice]:
        columns, rows, _ = grid.axes
        row, values = self._slices.row(at), self._slices.values(at)
        if values.pixels.shape[:2] != (side_of(grid, 1), side_of(grid, 0)):
            raise NoPlaceError("its slices have several sizes")
        pixels, told = shown(
            interpolated_plane(turned_plane(values.pixels, grid), rows, columns), values, self._wanted.window
        )
        masks: dict[str, np.ndarray] = {}
        for name, mask in self._slices.masks(at):
            turned = turned_plane(mask, grid)
            same = turned.shape == (rows.old, columns.old)
            by = (rows, columns) if same else filling(turned, grid)
            masks[name] = nearest_plane(turned, *by)
        changed = self._pictured(row, pixels, masks, told)
        changed |= {"boxes": moved_boxes(row["boxes"], grid, self._slices.corner(at))}
        changed |= moved
        yield from self._unwindowed(row, values)
        yield self._row(row, changed, at, number)

    def _cuts(self, grid: Regrid, place: Place) -> Iterator[Row | Notice]:
        """Make new slices of a whole volume."""
        moved = place.moved(grid)
        volume, layers, told = self._held(grid)
        yield from told
        made = planes(volume.pixels, grid)
        drawn = {name: nearest_planes(layer, grid) for name, layer in layers.items()}
        common = None if grid.slice_of(0) is not None else self._common(moved)
        row: dict[str, Any] = {}
        last = -1
        for number, plane in enumerate(made):
            nearest = grid.slice_of(number)
            at = len(self._stack.rows) // 2 if nearest is None else nearest
            if at != last:
                row, last = self._slices.row(at), at
            pixels, meaning = shown(plane, volume, self._wanted.window)
            masks = {name: next(layer) for name, layer in drawn.items()}
            if common is None:
                masks = {name: mask for name, mask in masks.items() if self._slices.has_mask(at, name)}
            if not number:
                yield from self._unwindowed(row, volume)
            name = f"{number:0{self._stack.digits}}"
            path = f"{PurePosixPath(row['image']['path']).parent}/{name}"
            changed = self._pictured(row, pixels, masks, meaning, path)
            changed |= {
                **(common or {}),
                **moved.columns(number),
                "boxes": moved_boxes(row["boxes"], grid, self._slices.corner(at)),
                "part_index": number,
                "sample_id": f"{self._stack.record}/{name}",
            }
            yield self._row(row, changed, at, number)

    def _held(self, grid: Regrid) -> tuple[Values, dict[str, np.ndarray], list[Notice]]:
        """Read all slices of a stack, and of its masks those that are known."""
        count = len(self._stack.rows)
        first: Values | None = None
        volume = np.empty(0)
        layers: dict[str, np.ndarray] = {}
        drawn: dict[str, int] = {}
        for number in range(count):
            values = self._slices.values(number)
            if first is None:
                first, volume = values, np.empty((count, *values.pixels.shape), values.pixels.dtype)
            if values.kind != first.kind or values.pixels.ndim != 2:
                raise NoPlaceError(f"its slices are no volume: {values.pixels.shape} of {values.pixels.dtype}")
            volume[number] = values.pixels
            for name, mask in self._slices.masks(number):
                layer = layers.setdefault(name, np.zeros(volume.shape, np.uint8))
                layer[number] = nearest_plane(mask, *map(sized, mask.shape, layer.shape[1:]))
                drawn[name] = drawn.get(name, 0) + 1
        assert first is not None, "a stack has slices"
        some = [name for name in layers if drawn.get(name, 0) < count]
        told = []
        if some and grid.slice_of(0) is None:
            name = self._source.index_row(self._stack.rows[0])["sample_id"]
            what = f"{', '.join(some)}: known in some slices of {count} and not in others, so in no new one"
            told = [Notice("mask not usable", name, what)]
            layers = {name: layer for name, layer in layers.items() if name not in some}
        return Values(volume, first.hounsfield), layers, told

    def _common(self, moved: Place) -> dict[str, Any]:
        """Say of slices that cut through the old ones what is true of all of these."""
        found = common_columns(self._source, self._stack.rows) | self._slices.agreed()
        if moved.oriented:
            found["view"] = view_of(tuple(moved.columns(0)["orientation"]))
        return found

    def _unwindowed(self, row: Mapping[str, Any], values: Values) -> Iterator[Notice]:
        if self._wanted.window is not None and not values.hounsfield:
            yield Notice(UNWINDOWED, row["sample_id"], "its values are shown as they were, and no window is applied")

    def _pictured(
        self,
        row: Mapping[str, Any],
        pixels: np.ndarray,
        masks: Mapping[str, np.ndarray],
        meaning: str | None,
        path: str = "",
    ) -> dict[str, Any]:
        """Give the columns that say what a picture shows, and what its pixels measure."""
        stem = path or str(PurePosixPath(row["image"]["path"]).with_suffix(""))
        pixels, masks = kept_only(pixels, masks, deep=self._wanted.window is None)
        data, name = encode(pixels), stem + extension(pixels)
        measured = measure_pixels(pixels, digest(data, pixels), name)
        new = self._wanted.window is not None or row["hu_slope"] is not None or not row["value_range"]
        told = meaning if new else None
        return {
            "image": {"bytes": data, "path": name},
            "masks": dict.fromkeys(row["masks"]) | encoded_masks(masks, stem),
            "hu_slope": None,
            "hu_intercept": None,
            "value_range": told or row["value_range"],
            **measured_columns(measured),
        }

    def _counted(self, made: Mapping[str, Any], at: int) -> dict[str, Any]:
        """Give the columns that follow from the masks that a function gave, as the row has them in the end."""
        if self._wanted.made is None or made["image"] is None:
            return {}
        masks = {name: made["masks"][name] for name in self._slices.given(at)}
        drawn = {name: mask_values(mask["bytes"]) for name, mask in masks.items() if mask is not None}
        return counted(self._wanted.made, drawn, made["sample_id"])

    def _row(self, row: dict[str, Any], changed: dict[str, Any], at: int, number: int) -> Row:
        """Put a row together, and its row of the index, which has the groups and the split of the row it came of."""
        made = row | changed | self._counted(row | changed, at)
        origin = self._stack.rows[at]
        files = [made[kind] for kind in ("image", "volume")]
        files += [mask for kind in ("masks", "volume_masks") for mask in made[kind].values()]
        entry = self._source.index_row(origin) | {
            "row": self._first + number,
            "sample_id": made["sample_id"],
            "bytes": sum(len(file["bytes"]) for file in files if file is not None),
            "sha256": made["sha256"],
            "row_sha256": row_digest(made),
            "split": self._stack.split,
            ORIGIN: origin,
        }
        return made, {name: entry[name] for name in VIEW_INDEX.names}
