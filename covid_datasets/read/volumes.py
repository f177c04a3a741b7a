"""Any volume, NIfTI or MetaImage, by what its name ends with: one way to read its header, its slices, or all of it."""

from __future__ import annotations

from covid_datasets.read import metaimage, nifti
from covid_datasets.read.volume import Slices, Volume, VolumeHeader
from covid_datasets.schema import RawReader

META = (".mha", ".mhd")


def volume_bytes(raw: RawReader, path: str) -> bytes:
    """Return the bytes of a volume; those of an ``.mhd`` with the file of its voxels, as one ``.mha``."""
    return metaimage.joined(raw, path) if path.lower().endswith(".mhd") else raw.read(path)


def read_header(data: bytes, path: str) -> VolumeHeader:
    """Read what the bytes of a file say about its volume, and inflate no more than that."""
    return metaimage.read_header(data, path) if path.lower().endswith(META) else nifti.read_header(data, path)


def read_volume(data: bytes, path: str) -> Volume:
    """Read the bytes of a file that holds a volume, all of it or an error."""
    return metaimage.read_volume(data, path) if path.lower().endswith(META) else nifti.read_volume(data, path)


def read_slices(data: bytes, path: str) -> Slices:
    """Read slice by slice what the bytes of a file store."""
    return metaimage.read_slices(data, path) if path.lower().endswith(META) else nifti.read_slices(data, path)
