"""A film that is stored as a volume of one slice, as a picture."""

from __future__ import annotations

from collections.abc import Iterator

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.levels import Grey, levels_of
from covid_datasets.read.volumes import read_volume, volume_bytes
from covid_datasets.schema import Part, RawReader


def only_picture(raw: RawReader, path: str) -> Iterator[Part]:
    """Yield the one picture of a volume file that holds a film, in grey levels, as it is stored.

    This is a function for `covid_datasets.schema.Parts`. Rows and columns stay as they are: an affine that somebody
    gave a film says nothing of the patient.

    >>> import nibabel, numpy
    >>> class Files:
    ...     def read(self, path: str) -> bytes:
    ...         return nibabel.Nifti1Image(numpy.full((4, 3, 1), 900, "int16"), numpy.eye(4)).to_bytes()
    >>> [(part.id, part.pixels.shape, part.fields["value_range"]) for part in only_picture(Files(), "a.nii")]
    [('', (3, 4), 'grey levels of 16 bits, no Hounsfield units: as stored')]
    """
    volume = read_volume(volume_bytes(raw, path), path)
    if len(volume.stored) != 1:
        raise DamagedFileError(f"{path}: expected one picture, found {len(volume.stored)} slices")
    levels = levels_of(volume, Grey())
    pixels, problem = levels.of(volume.values(volume.stored[0]))
    if problem:
        raise DamagedFileError(f"{path}: expected {levels.words}, found {problem}")
    columns, rows, _ = volume.header.spacing
    fields = {"spacing": (columns, rows)} if columns and rows else {}
    yield Part("", path, pixels, fields=fields | {"value_range": levels.words})
