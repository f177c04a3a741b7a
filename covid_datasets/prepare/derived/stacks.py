"""Which rows of a build make up a volume together, and what is to become of each: decided before a pixel is read."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from covid_datasets.errors import UsageError
from covid_datasets.prepare.derived.asked import Derivation
from covid_datasets.prepare.derived.place import NOWHERE, PLACED, NoPlaceError, place_of, place_of_volume
from covid_datasets.prepare.derived.source import StoredRows, ranges_of
from covid_datasets.prepare.result import Built
from covid_datasets.read.bounds import MAX_PIXELS
from covid_datasets.read.volumes import read_header
from covid_datasets.schema import Notice
from covid_datasets.transforms.grids import Regrid

MAX_STACK_BYTES = 1 << 30
"""Of all voxels of one volume of a view: half of what a cell of a table can hold."""
DERIVING = 16
"""Bytes of memory for each voxel that a function sees: copies of 16 bits, masks, and what it calculates with."""
_SIZED = ("sample_id", "width", "height")
_TOLD = (*_SIZED, "series_id", *PLACED)
_NAMED = 3
"""Rows that an error names."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The rows that become one volume, in order, or one row alone.

    Attributes:
        split: Their split.
        rows: Their numbers in the build.
        record: What the ids of new slices begin with.
        digits: How many digits these end with.
        bytes: About how large all of it becomes.
        held: About how much memory it takes to make it.
    """

    split: str
    rows: tuple[int, ...]
    record: str
    digits: int
    bytes: int
    held: int


def stacks_of(built: Built, wanted: Derivation) -> tuple[list[Stack], list[Notice]]:
    """Put rows together, and leave out those that cannot become what is wanted, with the reason.

    Raises:
        UsageError: None can, or what would come of one is too large.
    """
    source = StoredRows.of(built)
    told = _TOLD if wanted.needs_place or wanted.wants_series else _SIZED
    rows: list[dict[str, Any]] = source.columns(told).to_pylist()
    kinds = _kinds(source)
    found: list[Stack] = []
    left_out: list[Notice] = []
    for split, numbers in ranges_of(built).items():
        groups = _groups(rows, kinds, numbers, together=wanted.needs_stack or wanted.wants_series)
        for members in groups if wanted.needs_stack else _in_order(groups, rows):
            try:
                found.append(_stack(source, split, members, rows, kinds, wanted))
            except NoPlaceError as error:
                where = rows[members[0]]["sample_id"]
                left_out.append(Notice("not in this view", where, str(error), dropped=True, count=len(members)))
    if not found and left_out:
        raise UsageError(none_fits(built, wanted, left_out))
    return _named_apart(found, rows), left_out


def none_fits(built: Built, wanted: Derivation, left_out: Sequence[Notice]) -> str:
    """Say why no row can be brought to what is wanted."""
    reasons = Counter(notice.what for notice in left_out)
    shown = "; ".join(f"{notice.where}: {notice.what}" for notice in left_out[:_NAMED])
    more = f"; and {len(left_out) - _NAMED:,} more" if len(left_out) > _NAMED else ""
    every = "all for this reason" if len(reasons) == 1 else f"for {len(reasons)} reasons"
    said = ", ".join(f"{name}={value}" for name, value in wanted.parameters.items())
    return (
        f"{built.id}@{built.version} ({built.config}): expected rows that can be brought to {said}, found none among "
        f"{built.rows:,}, {every}: {shown}{more}. Next: leave that argument out, or take another config"
    )


def _kinds(source: StoredRows) -> list[str]:
    """Say what each row shows; no byte of a picture is read."""
    table = source.columns(("image", "volume", "video"))
    there = {name: table.column(name).is_valid().to_pylist() for name in table.column_names}
    return [next((name for name in there if there[name][row]), "") for row in range(table.num_rows)]


def _groups(
    rows: Sequence[Mapping[str, Any]], kinds: Sequence[str], numbers: range, *, together: bool
) -> Iterator[list[int]]:
    """Yield rows that belong together, in the order of the first of each."""
    if not together:
        yield from ([number] for number in numbers)
        return
    found: dict[str, list[int]] = {}
    for number in numbers:
        row = rows[number]
        parted = kinds[number] == "image" and row["part_index"] is not None
        key = f"series {row['series_id'] or row['sample_id'].rpartition('/')[0]}" if parted else row["sample_id"]
        found.setdefault(key, []).append(number)
    for members in found.values():
        yield sorted(members, key=lambda number: rows[number]["part_index"] or 0)


def _in_order(groups: Iterator[list[int]], rows: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Put rows that are only looked at together in the order of the build.

    Those that lie apart, or differ in size, are looked at one by one.
    """
    found: list[list[int]] = []
    for members in groups:
        whole = max(members) - min(members) + 1 == len(members)
        alike = len({(rows[number]["height"], rows[number]["width"]) for number in members}) == 1
        found += [sorted(members)] if whole and alike else [[number] for number in members]
    return sorted(found)


def _stack(
    source: StoredRows,
    split: str,
    members: list[int],
    rows: Sequence[Mapping[str, Any]],
    kinds: Sequence[str],
    wanted: Derivation,
) -> Stack:
    first = rows[members[0]]
    kind = kinds[members[0]]
    if kind == "volume":
        header = read_header(*_file(source, members[0], "volume"))
        shape, place = header.shape, place_of_volume(header)
        each = min(header.dtype.itemsize, 4)
    elif kind == "image":
        shape, each = (len(members), *_size(source, members[0], first)), 2
        place = place_of([rows[number] for number in members]) if wanted.needs_place else NOWHERE
        others = {(rows[number]["height"], rows[number]["width"]) for number in members}
        if len(others) > 1:
            raise NoPlaceError(f"its {len(members)} slices have several sizes")
    else:
        raise NoPlaceError("it is a video" if kind == "video" else "it shows nothing")
    grid = place.grid(shape, wanted)
    size = _checked(grid, first["sample_id"], wanted) * (1 if wanted.window else each)
    voxels = shape[0] * shape[1] * shape[2]
    held = voxels * each + (size if kind == "volume" else 0) + (voxels * DERIVING if wanted.derive else 0)
    whole = not grid.slices_stay or kind == "volume" or bool(wanted.derive)
    record = first["sample_id"].rpartition("/")[0] if len(members) > 1 else first["sample_id"]
    digits = max(3, len(first["sample_id"].rpartition("/")[2]) if len(members) > 1 else 3, len(str(grid.shape[0] - 1)))
    return Stack(split, tuple(members), record, digits, size, held if whole else 0)


def _checked(grid: Regrid, name: str, wanted: Derivation) -> int:
    """Count voxels, before any is made."""
    slices, rows, columns = grid.shape
    if rows * columns > MAX_PIXELS or slices * rows * columns * 2 > MAX_STACK_BYTES:
        raise UsageError(
            f"{name}: {slices:,} slices of {rows:,} by {columns:,} would come of "
            f"{', '.join(f'{key}={value}' for key, value in wanted.parameters.items())}; the limit is "
            f"{MAX_PIXELS:,} pixels of a slice and {MAX_STACK_BYTES:,} bytes of a volume"
        )
    return slices * rows * columns


def _file(source: StoredRows, number: int, kind: str) -> tuple[bytes, str]:
    found: dict[str, Any] = source.columns([kind]).slice(number, 1).to_pylist()[0][kind]
    return found["bytes"], found["path"]


def _size(source: StoredRows, number: int, row: Mapping[str, Any]) -> tuple[int, int]:
    """Return rows and columns; of a build that was only hashed the picture itself says them."""
    if row["height"] is not None and row["width"] is not None:
        return row["height"], row["width"]
    try:
        with Image.open(io.BytesIO(_file(source, number, "image")[0])) as image:
            return image.height, image.width
    except Exception as error:  # Pillow lets through whatever its parsers of headers raise
        raise NoPlaceError(f"it is no image that can be opened ({error})") from error


def _named_apart(stacks: Sequence[Stack], rows: Sequence[Mapping[str, Any]]) -> list[Stack]:
    """Name new slices by their series where several series share the name of a record."""
    shared = Counter(stack.record for stack in stacks)
    return [
        stack
        if shared[stack.record] == 1
        else Stack(
            stack.split,
            stack.rows,
            rows[stack.rows[0]]["series_id"] or stack.record,
            stack.digits,
            stack.bytes,
            stack.held,
        )
        for stack in stacks
    ]
