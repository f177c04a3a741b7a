"""What a picture looks like, in few bytes: by this, and by nothing else, pictures are told to be copies while building.

A look is a thumbnail of 48 x 48 and the hashes of what it shows: all of it, and parts as they remain where a copy was
cut. Its contrast is made the same everywhere before it is hashed, so that no window and no equalised contrast matters.
All is in whole numbers, or in operations that every machine rounds alike, so every machine finds the same copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 48
"""Rows and columns of a thumbnail."""
HASHED = 16
"""Frequencies of each direction whose signs are hashed."""
UNITS = 1024
"""Edges of a frame are in so many parts of the side of the picture."""
HASH_BYTES = HASHED * HASHED // 8

Frame = tuple[int, int, int, int]
"""Left, right, top and bottom of what remains of a picture."""
Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, as Pillow wants them."""
WHOLE: Frame = (0, UNITS, 0, UNITS)
Part = Literal["whole", "within borders", "central square", "first half", "second half"]
_OF = " of "

_NEIGHBOURS = 3
"""How far around a pixel its contrast is measured."""
_STEADY = 25
"""Local variance is never taken for less than this part of the whole: else noise of flat places would fill them."""
_DEVIATIONS = 40
"""Value of a pixel that is one deviation brighter than its neighbours; three fit into 8 bits."""
_WEIGHTS = 64
"""Parts of a pixel that a resampled one is made of."""
_CUTS = ((28, 1), (55, 2), (82, 3))
"""Of width and height together, how much a crop takes away, and in how many places it may lie along each."""
_FLAT_SPREAD = (4 * SIDE * SIDE) ** 2
"""What deviates less, by 4 grey values, proves nothing."""
_EVEN = 12
"""Rows and columns at an edge whose values differ by no more belong to a border."""
_SEEN_AT = 64
_LEAST_CUT = 2 * UNITS // 100
"""Narrower borders make no look of their own: hashes bear them."""
_FIGURE = (3, 2)
"""From this width to height on, or height to width, a picture may be a figure of two."""
_LEAST_PART = UNITS // 4
"""What is left after its borders are gone has at least this side, else it is a mark on an empty page."""


@dataclass(frozen=True, slots=True)
class Look:
    """A part of a picture: which one, its thumbnail, and the hashes of the first of `FRAMES`, or of all of them.

    The ``part`` is a `Part`; of a video or volume that has several looks, but for the first, it names its moment too.
    """

    part: str
    thumb: bytes
    hashes: bytes


Looks = tuple[Look, ...]
"""The looks of a picture: as it is, without its borders, a square of it, its halves; none of one that is flat."""


def looks_of(grey: Image.Image) -> Looks:
    """Return the looks of a picture in 8-bit grey; these are stored, and compared by `covid_datasets.splits.near`.

    >>> film = Image.effect_mandelbrot((640, 520), (-2, -1, 1, 1), 50)
    >>> [(look.part, len(look.hashes) // HASH_BYTES) for look in looks_of(film)]
    [('whole', 1), ('within borders', 15), ('central square', 1)]
    >>> len(looks_of(Image.new("L", (640, 520))))
    0
    """
    return looks_in(reduced(grey))


def looks_at(moment: str, looks: Looks) -> Looks:
    """Name the frame of a video, or the slice of a volume, that looks are of.

    >>> [look.part for look in looks_at("frame 7", (Look("whole", b"", b""),))]
    ['whole of frame 7']
    """
    return tuple(replace(look, part=f"{look.part}{_OF}{moment}") for look in looks)


def moment_of(part: str) -> str:
    """Tell which frame or slice a look is of; nothing of the one that stands for all, and of a picture.

    >>> moment_of("within borders of slice 12"), moment_of("within borders")
    ('slice 12', '')
    """
    return part.partition(_OF)[2]


def reduced(grey: Image.Image) -> Image.Image:
    """Average a picture down to a shorter side of 64 to 128, for all that needs no detail."""
    return grey.reduce(max(1, min(grey.size) // _SEEN_AT))


def looks_in(seen: Image.Image) -> Looks:
    """Do the same with a picture that is `reduced` already."""
    pixels = np.frombuffer(seen.tobytes(), np.uint8).reshape(seen.height, seen.width)
    parts: dict[Part, Box] = {"whole": (0, 0, *seen.size)}
    if inner := _content(pixels, parts["whole"]):
        parts["within borders"] = inner
    all_of_it = list(parts)[-1]
    if square := _central_square(*parts["whole"]):
        parts["central square"] = square
    halves = _halves(*parts[all_of_it])
    parts |= {part: _content(pixels, box) or box for part, box in halves.items()}
    thumbs = [seen.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box).tobytes() for box in parts.values()]
    contrasts, spreads = _contrast(np.frombuffer(b"".join(thumbs), np.uint8).reshape(-1, SIDE, SIDE))
    if spreads[0] < _FLAT_SPREAD:
        return ()
    looks = []
    for part, thumb, contrast, spread in zip(parts, thumbs, contrasts, spreads.tolist(), strict=True):
        if spread >= _FLAT_SPREAD:
            wanted = FRAMES if part == all_of_it or part in halves else (WHOLE,)
            looks.append(Look(part, thumb, hashes_of(contrast, wanted)))
    return tuple(looks)


def _halves(left: int, top: int, right: int, bottom: int) -> dict[Part, Box]:
    """Cut in two what is so wide or high that it may be a figure of two pictures, wherever these touch."""
    width, height = right - left, bottom - top
    if width * _FIGURE[1] >= height * _FIGURE[0]:
        middle = left + width // 2
        return {"first half": (left, top, middle, bottom), "second half": (right - width // 2, top, right, bottom)}
    if height * _FIGURE[1] >= width * _FIGURE[0]:
        middle = top + height // 2
        return {"first half": (left, top, right, middle), "second half": (left, bottom - height // 2, right, bottom)}
    return {}


def _central_square(left: int, top: int, right: int, bottom: int) -> Box | None:
    """Cut out what a copy holds whose maker wanted all pictures square; ``None`` of what nearly is one."""
    width, height = right - left, bottom - top
    side = min(width, height)
    if (max(width, height) - side) * UNITS < _LEAST_CUT * side:
        return None
    left, top = left + (width - side) // 2, top + (height - side) // 2
    return left, top, left + side, top + side


def _frames() -> tuple[Frame, ...]:
    found = [WHOLE]
    for cut, places in _CUTS:
        starts = [cut * (2 * place + 1) // (2 * places) for place in range(places)]
        found += [(x, x + UNITS - cut, y, y + UNITS - cut) for x in starts for y in starts]
    return tuple(found)


FRAMES = _frames()
"""What a copy may show of a picture: all, or what remains after a cut."""


def local_contrast(thumbs: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Measure each pixel in deviations from its neighbours; whole numbers from -127 to 127 that no window changes.

    >>> film = np.random.default_rng(0).integers(0, 99, (SIDE, SIDE), np.uint8)
    >>> bool(np.abs(local_contrast(film) - local_contrast(film * 2 + 50)).max() <= 1)
    True
    """
    return _contrast(thumbs)[0]


def _contrast(thumbs: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure that, and the variance of each thumbnail, times the square of its area."""
    both = np.stack([thumbs, thumbs]).astype(np.float32)
    both[1] *= both[0]
    # Sums of neighbours are below 2**24, so exact in half the bits and half the time. Thumbnail by thumbnail: a larger
    # product is one that BLAS divides among threads, which take more time to wait for each other than to multiply.
    total, square = (_around() @ (both @ _around().T)).astype(np.float64)
    values, squares = both.astype(np.float64)
    count, area = (2 * _NEIGHBOURS + 1) ** 2, SIDE * SIDE
    spread: NDArray[np.float64] = area * squares.sum((-2, -1)) - values.sum((-2, -1)) ** 2
    least = spread * (count * count / (_STEADY * area * area)) + count * count
    square *= count
    square -= total * total
    square += least[..., None, None]
    values *= count
    values -= total
    values *= _DEVIATIONS
    values /= np.sqrt(square, out=square)
    np.rint(values, out=values)
    return np.clip(values, -127, 127, out=values), spread


@lru_cache(maxsize=1)
def _around() -> NDArray[np.float32]:
    """Add up a row with its neighbours; beyond an edge the picture goes on mirrored."""
    table = np.zeros((SIDE, SIDE), np.float32)
    for row in range(SIDE):
        for other in range(row - _NEIGHBOURS, row + _NEIGHBOURS + 1):
            table[row, SIDE - 1 - abs(SIDE - 1 - abs(other))] += 1
    return table


@lru_cache(maxsize=1 << 7)
def resampling(low: int, high: int) -> NDArray[np.float64]:
    """Weights, of `_WEIGHTS` in all, by which the part from ``low`` to ``high`` of a side becomes a side again."""
    # Twice the centre of each new pixel, in units of an old one and of UNITS, less that of the first old one.
    places = 2 * SIDE * low + (2 * np.arange(SIDE) + 1) * (high - low) - UNITS
    places = places.clip(0, 2 * UNITS * (SIDE - 1))
    first = np.minimum(places // (2 * UNITS), SIDE - 2)
    second = ((places - first * 2 * UNITS) * _WEIGHTS + UNITS) // (2 * UNITS)
    table = np.zeros((SIDE, SIDE))
    table[np.arange(SIDE), first], table[np.arange(SIDE), first + 1] = _WEIGHTS - second, second
    return table


@lru_cache(maxsize=1)
def _cosines() -> NDArray[np.float64]:
    """The first rows of the cosine transform, in whole numbers."""
    steps = np.arange(SIDE) * 2 + 1
    table: NDArray[np.float64] = np.round(1024 * np.cos(np.pi * np.outer(np.arange(HASHED + 1), steps) / (2 * SIDE)))
    return table


@lru_cache(maxsize=2)
def _transforms(wanted: tuple[Frame, ...]) -> tuple[NDArray[np.float64], list[int], NDArray[np.float64]]:
    """Transforms of the rows for each extent that occurs, which of them each frame takes, and those of its columns."""
    extents = list(dict.fromkeys(frame[2:] for frame in wanted))
    rows = np.stack([_cosines() @ resampling(*extent) for extent in extents])
    columns = np.stack([(_cosines() @ resampling(*frame[:2])).T for frame in wanted])
    return rows, [extents.index(frame[2:]) for frame in wanted], columns


def hashes_of(contrast: NDArray[np.float64], wanted: Sequence[Frame]) -> bytes:
    """Hash what some frames show of a thumbnail, given by its local contrast: the signs of its lowest frequencies.

    Values stay below 2**53, so the products are exact whatever order a machine adds them in. Mirrored, turned and
    inverted copies have the same signs but for whole classes of them, see `covid_datasets.splits.ways`.
    """
    rows, places, columns = _transforms(tuple(wanted))
    spectrum = (rows @ contrast)[places] @ columns  # in small products, see `_contrast`
    # The mean says nothing; the highest frequency in its place mirrors, turns and inverts as its neighbours do.
    spectrum[:, 0, 0] = spectrum[:, HASHED, HASHED]
    return pack(spectrum[:, :HASHED, :HASHED] > 0).tobytes()


def pack(signs: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Order signs by the parities of their frequencies: 4 classes of 4 words of 16 bits, each over all frequencies."""
    parts = signs.reshape(-1, 4, 2, 2, 4, 2, 2).transpose(0, 3, 6, 2, 5, 1, 4)
    return np.packbits(parts.reshape(len(parts), HASHED * HASHED), axis=1)


def unpack(hashes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Undo `pack`.

    >>> signs = np.random.default_rng(0).random((2, 16, 16)) > 0.5
    >>> bool((unpack(pack(signs)) == signs).all())
    True
    """
    parts = np.unpackbits(hashes, axis=1).reshape(-1, 2, 2, 2, 2, 4, 4).transpose(0, 5, 3, 1, 6, 4, 2)
    signs: NDArray[np.bool_] = parts.reshape(len(parts), HASHED, HASHED).astype(bool)
    return signs


def _content(pixels: NDArray[np.uint8], box: Box) -> Box | None:
    """Find what is left of a part without rows and columns of one value at its edges; ``None`` if it is the same."""
    left, top, right, bottom = box
    part = pixels[top:bottom, left:right]
    if all(
        max(edge) - min(edge) > _EVEN for edge in map(np.ndarray.tobytes, (part[0], part[-1], part.T[0], part.T[-1]))
    ):
        return None  # as of most
    for _ in range(2):
        part = pixels[top:bottom, left:right]
        above, below = _ends(part.max(1) - part.min(1))
        top, bottom = top + above, bottom - below
        part = pixels[top:bottom, left:right]
        before, behind = _ends(part.max(0) - part.min(0))
        left, right = left + before, right - behind
        if not (above or below or before or behind):
            break
    shares = [(right - left) * UNITS // (box[2] - box[0]), (bottom - top) * UNITS // (box[3] - box[1])]
    if min(shares) > UNITS - _LEAST_CUT or min(shares) < _LEAST_PART:
        return None
    return left, top, right, bottom


def _ends(spread: NDArray[np.uint8]) -> tuple[int, int]:
    """Count the even rows at both ends; none where all are."""
    even = (spread <= _EVEN).tobytes()
    content = even.strip(b"\1")
    if not content:
        return 0, 0
    return len(even) - len(even.lstrip(b"\1")), len(even) - len(even.rstrip(b"\1"))
