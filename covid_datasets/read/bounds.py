"""What foreign input may cost, in one place: every number with its reason, and the border where errors become ours.

No file of less than 10 MB may take more than 500 MB of memory or 10 seconds, whatever its header says. So each reader
holds what a file claims against these bounds before it trusts a byte, and what a decoder raises becomes a
`DamagedFileError` that says which file it was. The card of a source whose volumes are really larger raises their bound.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from typing import TypeVar

from covid_datasets.errors import CovidDatasetsError, DamagedFileError

Item = TypeVar("Item")

MAX_PIXELS = 50_000_000
"""Of a picture: the largest film of this field has 27 million; four bytes each while Pillow decodes it."""
MAX_WEBP_PIXELS = 1 << 24
"""Of a WebP picture, whose decoder holds four of it: 34 bytes are enough for any size."""
MAX_FILM_PIXELS = 1 << 25
"""Of a DICOM image, whose decoders hold several copies of 16 bits: the largest detectors have 18 million."""
MAX_SLICE_PIXELS = 1 << 22
"""Of a slice of a volume: 2048 by 2048, the largest matrix of a scanner. Slices are calculated in 64 bits."""
MAX_VOLUME_BYTES = 4 << 30
"""Of a volume: no one of this field is larger."""
HELD_BYTES = 192 << 20
"""Of a volume that any file may have in memory: 350 slices of 512 by 512 in 16 bits."""
STREAMED_BYTES = 2 << 30
"""Of a volume that any file may have slice by slice: 1,000 slices of 512 by 512 in 64 bits."""
EXPANSION = 24
"""How many times larger than its file a volume may be beyond that: scans reach 4 in 16 bits, and 12 where whole numbers
are stored in 64. Masks reach 1,000, and are never held as they are stored."""
MAX_FRAME_PIXELS = 1 << 23
"""Of a frame of a video; a decoder holds up to 17 of them."""
MAX_VIDEO_PIXELS = 1 << 31
"""Of all frames of a video together: some seconds of decoding."""
MAX_HEADER_READS = 200_000
"""Times that a header is read from: some 80,000 elements, where a file has a few hundred."""
MAX_INFLATED = 64 << 20
"""Bytes that a DICOM file whose elements are deflated may have inflated."""
MAX_TEXT = 256 << 20
"""Bytes of a JSON export of annotations; parsed, it takes several times as much."""
MAX_SHEET_ROWS = 200_000
MAX_SHEET_CELLS = 1_000_000
"""Of a sheet, blank cells included: in a workbook of 5 kB one cell in the far corner makes 17 billion of them."""
MAX_WORKBOOK_BYTES = 64 << 20
"""Unpacked: the largest workbook of this field has 20 MB. What is larger is read as CSV."""
MAX_WORKBOOK_PART = 4 << 20
"""Of those parts of a workbook that hold no cells, and become objects that take twenty times as much."""
MAX_COLUMNS = 16_384
"""Of a table: as many as a spreadsheet can have. A column a day makes 1,200."""
MAX_BROKEN_ROWS = 10_000
"""Of a table; each is told. A file with more is no table of this form."""
MAX_TEXT_HEADER = 1 << 16
"""Bytes of a header that is text."""

_raised: ContextVar[int] = ContextVar("raised", default=0)


def allowing(voxels: int, items: Iterator[Item]) -> Iterator[Item]:
    """Yield items, for each of which volumes of up to so many voxels may be read, however small their files are.

    The bound is raised only while an item is made: between two of them the caller reads under its own.

    >>> shape = (3000, 512, 512)
    >>> next(allowing(10**9, (too_large(shape, 2, 40_000) for _ in range(1))))
    ''
    """
    while True:
        token = _raised.set(voxels)
        try:
            item = next(items)
        except StopIteration:
            return
        finally:
            _raised.reset(token)
        yield item


@contextmanager
def border(path: str, expected: str, data: bytes | memoryview | str = b"") -> Iterator[None]:
    """Turn whatever a library raises on foreign input into a `DamagedFileError` with its cause.

    >>> with border("a.dcm", "a DICOM file", b"abc"):
    ...     raise KeyError("Rows")
    Traceback (most recent call last):
    covid_datasets.errors.DamagedFileError: a.dcm: expected a DICOM file, found 3 bytes that are none: KeyError: 'Rows'
    """
    try:
        yield
    except (CovidDatasetsError, MemoryError, ModuleNotFoundError):
        raise
    except Exception as error:  # parsers of foreign input raise whatever they trip over
        why = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        raise DamagedFileError(
            f"{path}: expected {expected}, found {len(data):,} bytes that are none: {why}"
        ) from error


def too_large(shape: Sequence[int], bytes_each: int, given: int, *, held: bool = True) -> str:
    """Say why a volume is not read out of so many bytes; nothing where it may be.

    Args:
        shape: Slices, rows and columns.
        bytes_each: Bytes of a voxel, as it is held.
        given: Bytes of the file.
        held: Whether it is in memory as a whole, and not slice by slice.

    >>> too_large((300, 512, 512), 2, 40_000_000)
    ''
    >>> too_large((3000, 512, 512), 2, 40_000)
    '1,572,864,000 bytes of voxels out of 40,000; the limit is 201,326,592, or 24 times the file'
    """
    voxels = prod(int(side) for side in shape)
    total = voxels * bytes_each
    first, second = sorted(map(int, shape))[-2:]
    limit = HELD_BYTES if held else STREAMED_BYTES
    if total > MAX_VOLUME_BYTES:
        return f"{total:,} bytes of voxels; the limit is {MAX_VOLUME_BYTES:,}"
    if voxels <= _raised.get():
        return ""
    if first * second > MAX_SLICE_PIXELS:
        return f"slices of {first:,} by {second:,}; the limit is {MAX_SLICE_PIXELS:,} pixels"
    if total > max(limit, EXPANSION * given):
        return f"{total:,} bytes of voxels out of {given:,}; the limit is {limit:,}, or {EXPANSION} times the file"
    return ""


class Held:
    """Rows of a table that are in memory: far more than its text is large, they are refused.

    >>> held = Held("a.csv")
    >>> held.add(["a", "b"])
    >>> held.add([""] * 4_000_000)
    Traceback (most recent call last):
    covid_datasets.errors.DamagedFileError: a.csv: expected a table, found 2 rows of nearly empty cells
    """

    def __init__(self, path: str) -> None:
        self._path, self._rows, self._taken, self._given = path, 0, 0, 0

    def add(self, cells: Sequence[str]) -> None:
        """Count a row: what it takes as a dictionary, and what its text had."""
        self._rows += 1
        self._taken += 150 + 60 * len(cells)
        self._given += sum(map(len, cells)) + len(cells)
        if self._taken > max(HELD_BYTES, EXPANSION * self._given):
            raise DamagedFileError(f"{self._path}: expected a table, found {self._rows:,} rows of nearly empty cells")


class Counted(io.BytesIO):
    """Bytes that may be read from so many times: a parser of elements inside elements cannot grow without bound."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = MAX_HEADER_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file does; too often is an error, and so is all at once, as what unpacks without a bound does."""
        if size is None or size < 0:
            raise ValueError("what would be unpacked has no bound")
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"more than {MAX_HEADER_READS:,} pieces in its header")
        return super().read(size)
