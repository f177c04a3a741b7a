"""Pictures, volumes and masks as readers of medical images give them: by column first, with the place of each voxel.

Both MONAI and TorchIO count voxels as NIfTI does, along columns, rows and slices, behind one axis of channels, and an
affine takes these numbers to millimetres to the patient's right, front and head (RAS). Our arrays are by slice, row and
column, and our columns in the axes of DICOM, to the left, back and head; here one becomes the other, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from covid_datasets.load.collate import IGNORED
from covid_datasets.load.form import Form, columns_of
from covid_datasets.load.metadata import names_of_files
from covid_datasets.load.rows import NumpyRows
from covid_datasets.load.selection import Picked
from covid_datasets.load.stored import open_table
from covid_datasets.schema import COLUMNS
from covid_datasets.vocabulary import MASKS

PICTURES = ("image", "volume")
_MASKS = {"image": "masks", "volume": "volume_masks"}
"""What shows something -> the column of its masks."""
_PLACE = ("spacing", "position", "orientation")
_TO_RAS = np.array([-1.0, -1.0, 1.0])
_NUMBERS = ("float64", "int32", "int64", "bool")


class Located(NamedTuple):
    """Values by channel, column, row and, of a volume, slice; and where they are.

    ``affine`` takes (column, row, slice, 1) to millimetres in RAS. Where it is not ``oriented`` nobody told where the
    axes lead: a picture is taken for an axial slice, or a film seen from the front, a volume for axial slices, and the
    spacing of a picture for 1 where nobody told that either.
    """

    values: np.ndarray
    affine: np.ndarray
    oriented: bool


class LocatedRows:
    """Rows of a split: the metadata of each, and its pictures and masks by name, which are decoded when asked for.

    A mask is called ``mask_lung``, whether it is one of a picture or of a volume. What a row has not is not among its
    names. Unknown numbers are NaN, unknown texts empty, an unknown label is -100: batches can be made of them.
    """

    def __init__(self, parts: Sequence[Picked], form: Form) -> None:
        """Take some rows; of columns that hold files, only the names are read now."""
        wanted = [name for name in form.columns if name in (*PICTURES, *_MASKS.values())]
        self._form, self._pictures = form, NumpyRows(parts, replace(form, columns=(*wanted, *_missing(wanted, _PLACE))))
        self._kinds = next((part.build.stored_columns for part in parts), COLUMNS)
        self._told = NumpyRows(parts, replace(form, columns=_metadata_of(form.columns, self._kinds)))
        self._files = _files_of(parts, wanted)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._told)

    @property
    def form(self) -> Form:
        """The columns that were asked for, and the classes of the label."""
        return self._form

    def metadata(self, index: int) -> dict[str, Any]:
        """Return everything of a row that is no picture; no picture is read."""
        row = self._told[index] if self._told.column_names else {}
        return {name: _known(name, self._kinds.get(name), value) for name, value in row.items()}

    def names(self, index: int) -> list[str]:
        """Name the pictures and masks of a row, in the order of the columns."""
        position = range(len(self))[index]
        return [name for name, files in self._files.items() if files[position] is not None]

    def file(self, index: int, name: str) -> str:
        """Return the name of the file that a picture or mask was."""
        return self._files[name][range(len(self))[index]] or ""

    def pictures(self, index: int) -> dict[str, Located]:
        """Decode the pictures and masks of a row."""
        row = self._pictures[index]
        found: dict[str, Located] = {}
        affine, oriented = affine_of_slice(row), bool(row["orientation"])
        if (image := row.get("image")) is not None:
            found["image"] = Located(_by_column(image), affine, oriented)
        found |= {
            mask_name(name): Located(_by_column(mask), affine, oriented)
            for name, mask in row.get("masks", {}).items()
            if mask is not None
        }
        for column in ("volume", "volume_masks"):
            found |= self._volumes(index, column, row.get(column))
        return found

    def _volumes(self, index: int, column: str, decoded: Any) -> dict[str, Located]:
        """Add to decoded volumes the affines of their headers."""
        if decoded is None or (column == "volume_masks" and not any(each is not None for each in decoded.values())):
            return {}
        (stored,) = self._pictures.select([range(len(self))[index]]).column(column)
        if column == "volume":
            return {"volume": _volume(decoded, stored)}
        return {mask_name(name): _volume(each, stored[name]) for name, each in decoded.items() if each is not None}


def mask_name(name: str) -> str:
    """Name a mask among the columns of its row.

    >>> mask_name("lung")
    'mask_lung'
    """
    return f"mask_{name}"


def _missing(columns: Sequence[str], wanted: Iterable[str]) -> list[str]:
    return [name for name in wanted if name not in columns]


def _metadata_of(columns: Sequence[str], kinds: Mapping[str, Any]) -> tuple[str, ...]:
    """Leave out what is no metadata, and where all columns are meant also lists, of which no batch can be made."""
    whole = tuple(columns) == columns_of((), tuple(kinds)[len(COLUMNS) :])
    found = [name for name in columns if name not in (*PICTURES, *_MASKS.values())]
    if whole:
        found = [name for name in found if isinstance(kinds.get(name, "string"), str) and name != "video"]
    return tuple(found)


def _known(name: str, kind: Any, value: Any) -> Any:
    if value is not None:
        return value
    if name == "label":
        return IGNORED
    return float("nan") if kind in _NUMBERS else "" if kind in ("string", None) else None


def _files_of(parts: Sequence[Picked], wanted: Sequence[str]) -> dict[str, list[str | None]]:
    """Name the file of each picture and mask of each row, under the name that it has in a row."""
    found: dict[str, list[str | None]] = {}
    start = 0
    for part in parts:
        rows, table = pa.array(part.rows), open_table(part.build)
        for column in wanted:
            names = names_of_files(table.column(column)).take(rows)
            split = (
                {column: names}
                if column in PICTURES
                else dict(zip(map(mask_name, MASKS), names.combine_chunks().flatten(), strict=True))
            )
            for name, files in split.items():
                if files.null_count < len(files):
                    blank = found.setdefault(name, [None] * sum(len(each.rows) for each in parts))
                    for place, file in enumerate(files.to_pylist(), start=start):
                        blank[place] = blank[place] if file is None else file
        start += len(part.rows)
    return found


def _by_column(array: np.ndarray) -> np.ndarray:
    """Turn rows and columns, and channels behind them, around: channels, columns, rows."""
    channels = array[..., None] if array.ndim == 2 else array
    return np.array(channels.transpose(2, 1, 0), dtype=np.float32, order="C")  # a copy: tensors may be written to


def _volume(voxels: np.ndarray, stored: pa.StructScalar) -> Located:
    from covid_datasets.read.nifti import read_header  # an extra

    header = read_header(stored["bytes"].as_buffer().to_pybytes(), stored["path"].as_py())
    affine = np.diag([*(_TO_RAS * header.spacing), 1.0]) if header.affine is None else header.affine
    values = np.array(voxels.transpose(2, 1, 0)[None], dtype=np.float32, order="C")
    return Located(values, affine, header.affine is not None)


def affine_of_slice(row: Mapping[str, Any]) -> np.ndarray:
    """Return the affine of a picture from the columns that tell its place, in RAS.

    >>> affine_of_slice({"spacing": [0.5, 0.7], "position": None, "orientation": None}).diagonal()
    array([-0.5, -0.7,  1. ,  1. ])
    """
    spacing = [*(row["spacing"] or (1.0, 1.0)), 1.0][:3]
    directions = np.eye(3)
    if row["orientation"]:
        along, down = np.reshape(row["orientation"], (2, 3))
        directions = np.stack([along, down, np.cross(along, down)], axis=1)
    affine = np.eye(4)
    affine[:3, :3] = _TO_RAS[:, None] * directions * spacing
    if row["position"]:
        affine[:3, 3] = _TO_RAS * row["position"]
    return affine
