"""A film that is stored as a volume of one slice, as a picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.volume import WHOLE
from covid_datasets.read.volumes import read_volume, volume_bytes
from covid_datasets.schema import Part, RawReader


def only_picture(raw: RawReader, path: str) -> Iterator[Part]:
    """Yield the one picture of a volume file that holds a film: what a detector counted, unsigned, as it is stored.

    This is a function for `covid_datasets.schema.Parts`. Rows and columns stay as they are: an affine that somebody
    gave a film says nothing of the patient.

    >>> import nibabel
    >>> class Files:
    ...     def read(self, path: str) -> bytes:
    ...         return nibabel.Nifti1Image(np.full((4, 3, 1), 900, np.int16), np.eye(4)).to_bytes()
    >>> [(part.id, part.pixels.shape, part.pixels.dtype.name) for part in only_picture(Files(), "a.nii")]
    [('', (3, 4), 'uint16')]
    """
    volume = read_volume(volume_bytes(raw, path), path)
    if len(volume.stored) != 1:
        raise DamagedFileError(f"{path}: expected one picture, found {len(volume.stored)} slices")
    values = volume.values(volume.stored[0])
    whole = np.rint(values)
    counts = np.isfinite(values).all() and np.abs(values - whole).max() <= WHOLE
    if not counts or whole.min() < 0 or whole.max() >= 1 << 16:
        found = f"values from {values.min():g} to {values.max():g} of {values.dtype}"
        raise DamagedFileError(f"{path}: expected whole numbers from 0 to 65,535, found {found}")
    pixels = whole.astype(np.uint8 if volume.header.dtype.itemsize == 1 else np.uint16)
    columns, rows, _ = volume.header.spacing
    fields = {"spacing": (columns, rows)} if columns and rows else {}
    yield Part("", path, pixels, fields=fields | {"value_range": f"as stored, {pixels.min()} to {pixels.max()}"})
