"""What a record shows, read and checked: its bytes, what they measure, its masks. What is not right is told."""

from __future__ import annotations

import hashlib
import io
from typing import IO, Any

from covid_datasets.errors import DamagedFileError, IntegrityError, NotThereError
from covid_datasets.measure.image import Measured, UndecodableError, measure
from covid_datasets.prepare.result import Verify
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.encode import digest
from covid_datasets.read.png import is_packed
from covid_datasets.schema import File, Made, Notice, Parts, Record, Rows


class DroppedError(Exception):
    """A row that should be in the dataset and cannot be; becomes a notice."""

    def __init__(self, kind: str, where: str, what: str) -> None:
        super().__init__(what)
        self.notice = Notice(kind, where, what, dropped=True, lost=True)


def read_content(raw: RawTree, record: Record, verify: Verify) -> tuple[bytes, Measured]:
    """Read the bytes of an image, volume or video once, and measure them unless only their hash is wanted.

    Raises:
        DroppedError: The row cannot be in the dataset.
    """
    reference = record.content
    if reference is None or isinstance(reference, Parts | Rows):
        return b"", Measured(sha256="")
    data = _read(raw, reference, "damaged file")
    plain = hashlib.sha256(data).hexdigest()
    if isinstance(reference, File):  # what is made has read its raw files through `CheckedFiles`
        _check_identity(raw, reference.path, data, plain)
    sha256 = digest(data) if is_packed(data) else plain
    if verify == "bytes":
        return data, Measured(sha256)
    try:
        if record.volume is not None:
            from covid_datasets.measure.volume import (
                measure_volume,  # an extra, of which most sources need nothing
            )

            return data, measure_volume(data, sha256, reference.path)
        if record.video is not None:
            from covid_datasets.measure.video import measure_video

            return data, measure_video(data, sha256, reference.path)
        return data, measure(data, sha256, reference.path, record.hounsfield)
    except UndecodableError as error:
        raise DroppedError("undecodable (poor)", reference.path, str(error)) from error


def _read(raw: RawTree, reference: Any, kind: str) -> bytes:
    try:
        data: bytes = reference.read(CheckedFiles(raw) if isinstance(reference, Made) else raw)
    except (IntegrityError, NotThereError, FileNotFoundError) as error:
        raise DroppedError(kind, reference.path, str(error)) from error
    if not data:
        raise DroppedError("empty file", reference.path, "expected an image, found 0 bytes")
    return data


def _check_identity(raw: RawTree, path: str, data: bytes, sha256: str) -> None:
    identity = raw.identity(path)
    wrong = identity and identity.mismatch(data, sha256)
    if wrong:
        raise DroppedError("changed or damaged", path, f"{wrong} ({len(data):,} bytes)")


def read_masks(
    raw: RawTree, record: Record, verify: Verify, image: bytes, measured: Measured
) -> tuple[dict[str, bytes], list[Notice]]:
    """Read the masks; one that is missing, damaged or not on the voxels of its image is told, and the image stays.

    A picture of a mask that has another size than its image is told, and kept as it is.
    """
    found: dict[str, bytes] = {}
    lost: list[Notice] = []
    for name, reference in sorted({**record.masks, **record.volume_masks}.items()):
        try:
            data = _read(raw, reference, "damaged mask")
            if isinstance(reference, File):
                _check_identity(raw, reference.path, data, hashlib.sha256(data).hexdigest())
            if record.volume is not None and name in record.volume_masks and verify == "full":
                from covid_datasets.read.masks import check_mask  # an extra, of which most sources need nothing

                made = (1,) if isinstance(reference, Made) else ()  # then all else says "neither"
                lost += check_mask(image, record.volume.path, data, reference.path, made)
            elif name in record.masks and verify == "full":
                from covid_datasets.read.made import other_size

                told = other_size((measured.width, measured.height), data, reference.path)
                lost += [told] if told else []
            found[name] = data
        except (DroppedError, DamagedFileError) as error:
            what = error.notice.what if isinstance(error, DroppedError) else str(error)
            lost.append(Notice("mask not usable", reference.path, what))
    return found, lost


class CheckedFiles:
    """The raw files as a function of parts or rows sees them: what it reads is what the manifest says, or an error."""

    def __init__(self, raw: RawTree) -> None:
        self._raw = raw

    def has(self, path: str) -> bool:
        """Tell whether a raw file is there."""
        return self._raw.has(path)

    def read(self, path: str) -> bytes:
        """Return the bytes of a raw file that is whole, else raise a `DamagedFileError`."""
        try:
            data = _read(self._raw, File(path), "damaged file")
            if self._raw.identity(path):
                _check_identity(self._raw, path, data, hashlib.sha256(data).hexdigest())
        except DroppedError as dropped:
            raise DamagedFileError(f"{path}: {dropped.notice.what}") from dropped
        return data

    def open(self, path: str) -> IO[bytes]:
        """Open a raw file to read it piece by piece; one whose content a manifest pins is read whole, to check it."""
        return io.BytesIO(self.read(path)) if self._raw.identity(path) else self._raw.open(path)
