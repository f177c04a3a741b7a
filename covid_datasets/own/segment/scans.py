"""Scans of one's own as volumes that lie as radiologists see them, and masks back in each scan's own geometry."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from covid_datasets.errors import DamagedFileError, UsageError
from covid_datasets.own.files import Item
from covid_datasets.read.bounds import MAX_PIXELS, border
from covid_datasets.read.made import nifti_bytes
from covid_datasets.read.orientation import spacing as spacing_of
from covid_datasets.read.orientation import turned
from covid_datasets.read.packed import pack
from covid_datasets.read.series import Wanted, series_parts
from covid_datasets.read.volume import Volume
from covid_datasets.read.volumes import read_volume, volume_bytes
from covid_datasets.schema import Notice, Part, RawReader
from covid_datasets.transforms.orient import believed
from covid_datasets.transforms.segment.doubts import Doubt

FORMATS = ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP")
UNEVEN, ODD = 0.5, 0.9
"""What is left of the confidence where slices are missing or unevenly apart, and where anything else was odd."""
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class OwnScan:
    """A scan that was read.

    Attributes:
        voxels: Slices, rows and columns as the file has them.
        affine: From (column, row, slice) to millimetres in the RAS axes of NIfTI; ``None`` where nothing says it.
        sides: Size of a voxel along column, row and slice; zeros where nothing says it.
        flat: Whether it is one picture.
        told: What was odd while it was read.
        placed: Whether the affine says something. Ones from the origin are what programs write that were told nothing:
            masks get the same, but no length and no side follows from them.
    """

    voxels: np.ndarray
    affine: np.ndarray | None
    sides: tuple[float, float, float]
    flat: bool
    told: tuple[Doubt, ...] = ()
    placed: bool = True

    @property
    def _known(self) -> np.ndarray | None:
        return self.affine if self.placed else None

    @property
    def shown(self) -> np.ndarray:
        """The voxels turned to display, from the feet up, without a copy; a picture is rows and columns."""
        view, _ = turned(self.voxels, self._known)
        return view[0] if self.flat else view

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Millimetres between columns, rows and slices of what is ``shown``; ``None`` where unknown.

        Slices of a tilted gantry lie askew: what counts is how far apart their planes are.
        """
        if not self.placed:
            return None
        if self.affine is not None:
            affine = turned(self.voxels, self.affine)[1]
            across, down, _ = spacing_of(affine)  # type: ignore[arg-type]
            apart = abs(float(np.linalg.det(affine[:3, :3]))) / (across * down)  # type: ignore[index]
            return across, down, round(apart, 6)
        return self.sides if min(self.sides) > 0 else None

    @property
    def orientation(self) -> str:
        """Where columns, rows and slices of what is ``shown`` lead; empty where unknown."""
        return "" if self._known is None else "LPS"

    def nifti(self, mask: np.ndarray) -> bytes:
        """Write a mask of what is ``shown`` as packed NIfTI in the geometry of the scan."""
        out = np.zeros(self.voxels.shape, np.uint8)
        turned(out, self._known)[0][...] = mask
        sides = self.sides if min(self.sides) > 0 else (1.0, 1.0, 1.0)
        return pack(nifti_bytes(out, self.affine, sides))


def read_scan(raw: RawReader, item: Item) -> OwnScan:
    """Read a picture, a volume or a DICOM series.

    Raises:
        CovidDatasetsError: It is no CT, or damaged.
    """
    if item.kind == "picture":
        return _picture(raw.read(item.path), item.path)
    if item.kind in ("volume", "metaimage"):
        return _volume(read_volume(volume_bytes(raw, item.path), item.path))
    if item.kind == "series":
        return _series(raw, item)
    what = {"film": "a DICOM image that is no CT slice, such as a radiograph", "video": "a video"}[item.kind]
    raise UsageError(f"{item.path}: expected a CT, found {what}")


def _picture(data: bytes, path: str) -> OwnScan:
    with border(path, "a picture", data), Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels; the limit is {MAX_PIXELS:,}")
        frames = getattr(image, "n_frames", 1)
        grey = image if image.mode in ("L", "I;16", "I", "F") else image.convert("L")
        pixels = np.asarray(grey)
    told = (Doubt(f"{frames} pictures in the file, of which the first was read", ODD),) if frames > 1 else ()
    return OwnScan(pixels[None], None, (0.0, 0.0, 0.0), True, told)


def _volume(volume: Volume) -> OwnScan:
    header = volume.header
    told = tuple(Doubt(f"{kind}: {text}", ODD) for kind, text in header.doubts)
    if header.affine is None:
        told += (Doubt("the header does not say where voxels lie: sides and levels are unknown", ODD),)
    placed = header.affine is None or believed(header.affine) is not None
    if not placed:
        told += (Doubt("voxels of 1 mm from the origin on: nobody said how large they are, or what is left", ODD),)
    return OwnScan(_values(volume), header.affine, header.spacing, False, told, placed)


def _values(volume: Volume) -> np.ndarray:
    """Scale the stored values slice by slice, so that nothing of 64 bits is as large as the volume."""
    stored = volume.stored
    if volume.values(stored[:0]) is stored[:0] or volume.values(stored[:0]).dtype == stored.dtype:
        return stored.astype(np.uint8) if stored.dtype.kind == "b" else stored
    out = np.empty(stored.shape, np.float32)
    for plane, values in zip(stored, out, strict=True):
        values[...] = volume.values(plane)
    return out


def _series(raw: RawReader, item: Item) -> OwnScan:
    parts: list[Part] = []
    told: list[Doubt] = []
    for found in series_parts(raw, item.files, Wanted(item.path)):
        if isinstance(found, Notice):
            missing = found.kind == "gap between slices"
            told.append(Doubt(f"{found.kind}: {found.where}: {found.what}", UNEVEN if missing else ODD))
        else:
            parts.append(found)
    if not parts:
        why = "; ".join(doubt.what for doubt in told[:3]) or "no slice"
        raise DamagedFileError(f"{item.path}: expected a series of CT slices, found none: {why}")
    shapes = {part.pixels.shape for part in parts}
    if len(shapes) > 1:
        raise DamagedFileError(f"{item.path}: expected slices of one size, found {sorted(shapes)}")
    affine, odd = _affine(parts)
    sides = tuple(float(side) for side in np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))
    voxels = np.stack([part.pixels for part in parts])
    return OwnScan(voxels, affine, sides, False, (*told, *odd))  # type: ignore[arg-type]


def _affine(parts: Sequence[Part]) -> tuple[np.ndarray, tuple[Doubt, ...]]:
    """Place slices by the first and the last of them; say where one in between lies elsewhere."""
    fields = parts[0].fields
    cosines, sides = np.asarray(fields["orientation"], float), fields["spacing"]
    places = np.array([part.fields["position"] for part in parts], float)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = cosines[:3] * sides[0], cosines[3:] * sides[1]
    affine[:3, 3] = places[0]
    if len(parts) == 1:
        thick = sides[2] if len(sides) > 2 and sides[2] else 1.0
        affine[:3, 2] = np.cross(cosines[:3], cosines[3:]) * thick
        return _TO_RAS @ affine, (Doubt("a series of one slice", ODD),)
    affine[:3, 2] = step = (places[-1] - places[0]) / (len(parts) - 1)
    away = np.abs(places - (places[0] + np.arange(len(parts))[:, None] * step)).max()
    odd = Doubt(f"slices are not evenly apart: one is {away:.1f} mm from its place in the mask's geometry", UNEVEN)
    return _TO_RAS @ affine, (odd,) if away > 0.1 else ()
