"""Rows with decoded images as NumPy arrays: the form behind ``framework="numpy"`` and ``"torch"``."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from covid_datasets.columns import GROUP
from covid_datasets.load.by_number import RowsByNumber
from covid_datasets.load.form import Form
from covid_datasets.load.selection import Picked
from covid_datasets.load.stored import Columns, open_table
from covid_datasets.prepare.columnar import whole_numbers
from covid_datasets.read.encode import decode_deep, is_hounsfield

_SCALE = ("hu_slope", "hu_intercept")
_LARGE = ("image", "volume", "video", "masks", "volume_masks")
"""Columns whose values are files: they are mapped from disk, and never copied to choose rows."""
_FEW_RUNS = 16


class NumpyRows(RowsByNumber[dict[str, Any]]):
    """A split as a sequence of dictionaries; images, volumes and masks are arrays, decoded when a row is asked for.

    A video stays encoded: ``{"bytes": ..., "path": ...}``. ``label_names`` has the classes by their numbers.
    """

    def __init__(self, parts: Sequence[Picked], form: Form) -> None:
        """Take some rows of some builds. Nothing is opened yet, so this is cheap to send to workers."""
        self._parts, self._form = parts, form
        self._ends = list(accumulate(len(part.rows) for part in parts))
        self._columns: dict[int, Columns] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Send what was chosen to another process, which opens the files itself."""
        return type(self), (self._parts, self._form)

    def __len__(self) -> int:
        """Count the rows."""
        return self._ends[-1] if self._ends else 0

    def _row(self, position: int) -> dict[str, Any]:
        """Return a row with its images decoded."""
        number, place = self._place(position)
        part = self._parts[number]
        row = self._stored(number).row(place)
        if part.groups is not None and GROUP in row:
            row[GROUP] = part.groups[place].as_py()
        if self._form.classes and "label" in row:
            row["label"] = self._form.classes.code(row["label"])
        if part.build.columns:
            return row
        found = decoded(row)
        return found if len(found) == len(self._form.columns) else {name: found[name] for name in self._form.columns}

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return several rows: what the ``DataLoader`` of torch asks for, once for each batch."""
        return [self[index] for index in indices]

    def _place(self, position: int) -> tuple[int, int]:
        """Find the part that holds a row, and the row's number in the build of that part."""
        number = bisect_right(self._ends, position)
        return number, int(self._parts[number].rows[position - (self._ends[number - 1] if number else 0)])

    def _stored(self, number: int) -> Columns:
        """Open the columns that are asked for, and those that say how to decode them."""
        if number not in self._columns:
            scale = [name for name in _SCALE if "image" in self._form.columns and name not in self._form.columns]
            self._columns[number] = Columns(self._parts[number].build, [*self._form.columns, *scale])
        return self._columns[number]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Go through all rows."""
        return (self[position] for position in range(len(self)))

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column of all rows; no other is read."""
        found = [self._column(part, name) for part in self._parts]
        return pa.chunked_array([chunk for column in found for chunk in column.chunks], found[0].type)

    def _column(self, part: Picked, name: str) -> pa.ChunkedArray:
        rows = whole_numbers(part.rows)
        if name == GROUP and part.groups is not None:
            return pa.chunked_array([part.groups.take(rows)])
        column = open_table(part.build).column(name).take(rows)
        return (
            pa.chunked_array([self._form.classes.encode(column)]) if self._form.classes and name == "label" else column
        )

    def select(self, rows: Iterable[int]) -> NumpyRows:
        """Choose rows by number, in the order given."""
        starts = [0, *self._ends]
        placed = ((bisect_right(self._ends, int(row)), int(row)) for row in rows)
        return NumpyRows(
            [
                self._parts[number]._replace(rows=self._parts[number].rows[[row - starts[number] for _, row in run]])
                for number, run in groupby(placed, key=itemgetter(0))
            ],
            self._form,
        )

    @property
    def parts(self) -> tuple[Picked, ...]:
        """The builds that the rows are taken from, and which rows of each."""
        return tuple(self._parts)

    @property
    def form(self) -> Form:
        """The columns that are handed out, and what the numbers of the label column mean."""
        return self._form

    def stored(self, start: int, stop: int, columns: Sequence[str]) -> pa.Table:
        """Return a range of rows as an Arrow table with encoded images, of which no byte is copied."""
        starts = [0, *map(int, self._ends)]
        found = []
        for number, part in enumerate(self._parts):
            rows = part.rows[max(start - starts[number], 0) : max(stop - starts[number], 0)]
            table = open_table(part.build)
            if part.groups is not None and GROUP in columns:
                table = table.append_column(GROUP, part.groups.slice(0))
            if len(rows):
                found.append(_rows_of(table.select(list(columns)), rows))
        picked = pa.concat_tables(found)
        if self._form.classes and "label" in columns:
            codes = self._form.classes.encode(picked.column("label"))
            picked = picked.set_column(list(columns).index("label"), "label", codes)
        return picked

    def table(self) -> pa.Table:
        """Return the rows as an Arrow table with encoded images."""
        names = self._form.columns
        return pa.concat_tables(
            [pa.table([self._column(part, name) for name in names], names=list(names)) for part in self._parts]
        )


def _rows_of(table: pa.Table, rows: np.ndarray) -> pa.Table:
    """Choose rows: those that lie together as they lie, and of scattered ones the small columns as copies."""
    runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    small = [name for name in table.column_names if name not in _LARGE] if len(runs) > _FEW_RUNS else []
    large = table.drop_columns(small)
    picked = pa.concat_tables([large.slice(int(run[0]), len(run)) for run in runs]) if large.num_columns else None
    copied = table.select(small).take(pa.array(rows))
    columns = [(copied if name in small or picked is None else picked).column(name) for name in table.column_names]
    return pa.table(columns, schema=table.schema)


def decoded(row: dict[str, Any]) -> dict[str, Any]:
    """Replace encoded images and volumes in a row by arrays, of the depth and channels that they were stored with.

    An image whose row says how its values become Hounsfield units is given in these; what is stored stays as it is.
    """
    found = dict(row)
    if (stored := row.get("image")) is not None:
        image = decode_array(stored["bytes"])
        slope = row.get("hu_slope")
        found["image"] = image if slope is None else _hounsfield(image, slope, row["hu_intercept"])
    if row.get("volume") is not None:
        found["volume"] = _volume(row["volume"])
    if row.get("masks") is not None:
        found["masks"] = {name: mask and decode_array(mask["bytes"]) for name, mask in row["masks"].items()}
    if row.get("volume_masks") is not None:
        found["volume_masks"] = {name: mask and _volume(mask) for name, mask in row["volume_masks"].items()}
    return found


def _hounsfield(values: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """Scale stored values: to 16 bits where that is exact, which it is of all whole numbers of a scanner."""
    scaled: np.ndarray = values.astype(np.float64) * slope + intercept
    whole = scaled.astype(np.int16) if np.isfinite(scaled).all() and np.abs(scaled).max() < 1 << 15 else None
    return whole if whole is not None and np.array_equal(whole, scaled) else scaled.astype(np.float32)


def _volume(stored: dict[str, Any]) -> np.ndarray:
    """Decode a volume to an array by slice, row and column."""
    from covid_datasets.read.nifti import read_volume  # an extra, of which most sources need nothing

    return read_volume(stored["bytes"], stored["path"], bounded=False).voxels


def decode_array(data: bytes) -> np.ndarray:
    """Decode an encoded image to an array; palette images become what they look like, Hounsfield units int16."""
    if (values := decode_deep(data)) is not None:
        return values
    image = Image.open(io.BytesIO(data))
    if is_hounsfield(image):
        return np.asarray(image).astype(np.int16)
    return np.asarray(image.convert("RGB") if image.mode == "P" else image)
