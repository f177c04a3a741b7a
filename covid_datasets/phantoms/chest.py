"""A chest that is drawn: axial CT slices and frontal X-rays with exact masks of lungs and infection.

Everything is whole numbers, a hash and the frozen Mersenne Twister, and the PNG writer is our own, so the bytes are the
same everywhere; tests/phantoms holds their digest. Coordinates have their origin in the middle of the picture.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from covid_datasets.phantoms.png import png
from covid_datasets.schema import RawReader

Pixels = NDArray[np.int32]
Mask = NDArray[np.bool_]

_SIZES = {"CT": 192, "CXR": 224}
_FAINT = 64
"""How dense a faint lesion is: a lung has 26, and fat 95."""
_EXPOSURE = {"gain": (150, 330), "offset": (8, 70)}
"""What grey levels of a slice may be multiplied with, in 256ths, and what is then added."""
# Sixteen directions as (x, y) times 256.
_DIRECTIONS = [(256, 0), (237, 98), (181, 181), (98, 237), (0, 256), (-98, 237), (-181, 181), (-237, 98)]
_DIRECTIONS += [(-x, -y) for x, y in _DIRECTIONS]


def picture(
    raw: RawReader, seed: int, patient: int, study: int, modality: str, index: int, shifted: bool, layer: str
) -> bytes:
    """Make the PNG of one layer ("image", "lung", "infection"); ``raw`` is not needed."""
    scene = _scene(seed, patient, study, modality, index)
    if layer == "image":
        pixels = scene.image
        if shifted:
            pixels = np.minimum(np.roll(pixels, 1, axis=1), 250) + np.uint8(3)
        return png(pixels)
    mask = scene.lung if layer == "lung" else scene.infection
    return png((np.roll(mask, 1, axis=1) if shifted else mask) * np.uint8(255))


def faint_picture(raw: RawReader, seed: int, patient: int, index: int, layer: str) -> bytes:
    """Make the PNG of one layer of a CT slice that no fixed threshold reads; ``raw`` is not needed.

    What is diseased is hardly denser than the lung, and each slice is exposed in its own way, as if every one came from
    another viewer: what is grey in one is black in the next. Only what lies beside it tells what a lesion is.
    """
    scene = _scene(seed, patient, 1, "CT", index, faint=True)
    if layer == "image":
        return png(scene.image)
    return png((scene.lung if layer == "lung" else scene.infection) * np.uint8(255))


def series_picture(raw: RawReader, seed: int, patient: int, index: int, level: int, ill: bool, layer: str) -> bytes:
    """Make the PNG of one layer of a slice of a series, half as large; ``raw`` is not needed.

    ``level`` says where in the chest it is, as the index of other pictures; only what is ``ill`` shows a lesion.
    """
    scene = _scene(seed, patient, 1, "CT", index, level=level, ill=ill)
    if layer == "image":
        return png(np.ascontiguousarray(scene.image[::2, ::2]))
    return png((scene.lung if layer == "lung" else scene.infection)[::2, ::2] * np.uint8(255))


class _Scene(NamedTuple):
    image: NDArray[np.uint8]
    lung: Mask
    infection: Mask


@lru_cache(maxsize=4)
def _scene(
    seed: int,
    patient: int,
    study: int,
    modality: str,
    index: int,
    *,
    faint: bool = False,
    level: int | None = None,
    ill: bool = True,
) -> _Scene:
    """Render one picture with its masks; an image and its masks are asked for one after the other."""
    size = _SIZES[modality]
    twister = np.random.RandomState(draw(seed, patient, f"{study}{modality}{index}", 0, 2**32 - 1))
    image, lung = (_ct if modality == "CT" else _xray)(seed, patient, index if level is None else level)
    lumps = _lumps(twister, size)
    depth = _lesions(seed, patient, study, modality, lung, lumps) if ill else np.zeros(lung.shape, np.int32)
    dense = _FAINT if faint else 160 if modality == "CXR" else 145 if patient % 3 == 2 else 112
    image += (dense + lumps // 8 - image) * depth // 128
    infection = depth > 0
    rows, columns = _warp(seed, patient, modality)
    image, lung, infection = image[rows, columns], lung[rows, columns], infection[rows, columns]
    image[1:-1, 1:-1] = (
        4 * image[1:-1, 1:-1] + image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:]
    ) >> 3
    if faint:
        gain, offset = (draw(seed, patient, f"{what}{index}", *limits) for what, limits in _EXPOSURE.items())
        image = image * gain // 256 + offset
    grain = np.frombuffer(twister.bytes(2 * size * size), np.uint8).reshape(2, size, size) & 7
    image += grain[0].astype(np.int32) - grain[1]
    return _Scene(np.clip(image, 0, 255).astype(np.uint8), lung, infection)


def _ct(seed: int, patient: int, index: int) -> tuple[Pixels, Mask]:
    """Draw an axial slice; ``index`` goes from the great vessels down to the heart."""
    wide, deep = draw(seed, patient, "wide", 72, 86), draw(seed, patient, "deep", 60, 82)
    fat, heart_x = draw(seed, patient, "fat", 3, 10), draw(seed, patient, "heart", 6, 22)
    image = np.full((192, 192), 6, np.int32)
    image[96 + deep + 4 : 96 + deep + 7, 24:168] = 70
    _paint(image, _ellipse(192, 0, 0, wide, deep), 95)
    _paint(image, _ellipse(192, 0, 0, wide - fat, deep - fat), 150)
    inner_a, inner_b = wide - fat - 11, deep - fat - 9
    for number, (x, y) in enumerate(_DIRECTIONS):
        if (number + index) % 2 or abs(x) > 200:
            across = abs(y) > abs(x)
            rib = _ellipse(192, x * (inner_a + 5) >> 8, y * (inner_b + 4) >> 8, 9 if across else 4, 3 if across else 8)
            _paint(image, rib, 215)
    cavity = _ellipse(192, 0, 0, inner_a, inner_b)
    _paint(image, cavity, 26)
    spine_y = inner_b - 4
    middle = [
        (_ellipse(192, 0, -4, draw(seed, patient, "middle", 10, 20), inner_b), 148),
        (_ellipse(192, heart_x, -inner_b // 3, 18 + 4 * index, 14 + 4 * index), 160),
        (_ellipse(192, 11, spine_y - 14, 8, 8), 168),
        (_ellipse(192, 0, spine_y, 14, 12), 212),
    ]
    lung = cavity < 240
    for shape, _ in middle:
        lung &= shape > 276
    _vessels(image, lung, seed, patient, index)
    for shape, value in middle:
        _paint(image, shape, value)
    _paint(image, _ellipse(192, 0, spine_y + 12, 6, 5), 120)
    _paint(image, _ellipse(192, 0, -inner_b - 3, 11, 4), 205)
    for x in (0,) if index == 0 else (-9 - index, 9 + index):
        _paint(image, _ellipse(192, x, 2, 6 - index, 6 - index), 12)
    return image, lung


def _xray(seed: int, patient: int, index: int) -> tuple[Pixels, Mask]:
    """Draw a frontal film: lungs dark, heart and diaphragm bright, ribs as curved bands."""
    wide, high = draw(seed, patient, "film wide", 30, 40), draw(seed, patient, "film high", 58, 76)
    dome, heart = draw(seed, patient, "dome", 62, 84), draw(seed, patient, "film heart", 24, 38)
    image = np.full((224, 224), 14, np.int32)
    _paint(image, _ellipse(224, 0, 70, 106, 150), 128)
    _paint(image, _ellipse(224, 0, -104, 26, 44), 118)
    lung = np.zeros((224, 224), np.bool_)
    y, x = np.arange(-112, 112, dtype=np.int32)[:, None], np.abs(np.arange(-112, 112, dtype=np.int32))[None, :]
    for side in (-1, 1):
        shape = _ellipse(224, side * (wide + 10), -8, wide, high)
        _paint(image, shape, 46, soft=60)
        lung |= shape < 256
    pitch = draw(seed, patient, "pitch", 17, 22)
    ribs = ((y - (x - 16) * (x - 16) // 130 + 224) % pitch < pitch // 3) & (x > 12)
    image += np.where(ribs & (_ellipse(224, 0, -6, 84, 92) < 256), 20, 0)
    image += np.where((np.abs(y + 66 + x // 5) < 4) & (x > 8) & (x < 68), 30, 0)
    bright = [
        (_ellipse(224, 0, 0, 15, 112), 150),
        (_ellipse(224, -6, 34, 26, 32), 160),
        (_ellipse(224, heart // 2, 34, heart + 8, heart), 172),
        (_ellipse(224, 8, -34, 18, 16), 158),
        (_ellipse(224, -46, dome + 26, 60, 34), 182),
        (_ellipse(224, 46, dome + 32, 60, 34), 178),
    ]
    for shape, value in bright:
        _paint(image, shape, value)
        lung &= shape > 256
    _paint(image, _ellipse(224, 0, -76, 5, 34), 104)
    return image, lung


def _lesions(seed: int, patient: int, study: int, modality: str, lung: Mask, lumps: Pixels) -> Pixels:
    """Lay the disease into the lungs: bilateral and peripheral for COVID-19, one lobe for bacteria, nothing for health.

    The result is how dense each pixel is, from 0 (free) at a lesion's border to 112 in its middle.
    """
    size = len(lung)
    depth = np.zeros(lung.shape, np.int32)
    if patient % 3 == 1:
        return depth
    rows, columns = np.nonzero(lung)
    count = draw(seed, patient, f"count{study}", 4, 7) if patient % 3 == 0 else 1
    side = draw(seed, patient, "side", 0, 1)
    for lesion in range(count):
        left = (lesion + side) % 2
        # The outermost or innermost third of the lung's columns; lower rows are dorsal in CT and basal in films.
        inside = np.flatnonzero((columns < size // 2) == bool(left))
        chosen = inside[(columns[inside] * 8 // size) == (1 if left else 6)] if count > 1 else inside
        chosen = chosen if len(chosen) else inside
        at = chosen[draw(seed, patient, f"{modality}{lesion}", len(chosen) // 3, len(chosen) - 1)]
        radius = draw(seed, patient, f"radius{study}{lesion}", 9, 17) if count > 1 else 30
        shape = _ellipse(size, int(columns[at]) - size // 2, int(rows[at]) - size // 2, radius, radius + 4)
        np.maximum(depth, 300 - shape - lumps, out=depth)
    return np.where(lung, np.minimum(depth, 112), 0)


def _vessels(image: Pixels, lung: Mask, seed: int, patient: int, index: int) -> None:
    """Sprinkle vessels, thick near the middle and thin further out."""
    for vessel in range(44):
        x, y = draw(seed, patient, f"x{vessel}", 14, 66), draw(seed, patient, f"y{vessel}{index}", -38, 38)
        x = x if vessel % 2 else -x
        reach = 2 if abs(x) < 34 else 1
        area = np.s_[96 + y - reach : 97 + y + reach, 96 + x - reach : 96 + x + reach]
        image[area] = np.where(lung[area], 118 - abs(x) // 2, image[area])


def _lumps(twister: np.random.RandomState, size: int) -> Pixels:
    """Make smooth noise, -128 to 127, that gives lesions a ragged border."""
    coarse = twister.randint(-128, 128, (size // 16 + 2, size // 16 + 2)).astype(np.int32)
    at, part = np.divmod(np.arange(size), 16)
    part = part.astype(np.int32)
    rows = coarse[at] * (16 - part)[:, None] + coarse[at + 1] * part[:, None]
    smooth: Pixels = (rows[:, at] * (16 - part) + rows[:, at + 1] * part) >> 8
    return smooth


@lru_cache(maxsize=4)
def _warp(seed: int, patient: int, modality: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Turn, scale, shift and lean each patient a little, so that no two are near-duplicates by accident."""
    size = _SIZES[modality]
    turn, lean = draw(seed, patient, f"turn{modality}", -40, 40), draw(seed, patient, f"lean{modality}", -28, 28)
    zoom_x, zoom_y = (draw(seed, patient, f"zoom{axis}{modality}", 200, 258) for axis in "xy")
    shift_x, shift_y = (draw(seed, patient, f"shift{axis}{modality}", -11, 11) for axis in "xy")
    y, x = np.mgrid[:size, :size] - size // 2
    columns = np.clip(((x + shift_x) * zoom_x + y * (turn + lean)) // 256 + size // 2, 0, size - 1)
    rows = np.clip(((y + shift_y) * zoom_y - x * turn) // 256 + size // 2, 0, size - 1)
    return rows, columns


def _ellipse(size: int, x: int, y: int, a: int, b: int) -> Pixels:
    """Give each pixel its squared distance from (x, y) in units of the half axes; the border is at 256."""
    grid = np.arange(-(size // 2), size // 2, dtype=np.int32)
    squared: Pixels = ((grid - y) ** 2 * 256 // (b * b))[:, None] + ((grid - x) ** 2 * 256 // (a * a))[None, :]
    return squared


def _paint(image: Pixels, shape: Pixels, value: int, soft: int = 20) -> None:
    """Fill a shape, with a soft border; only the rows that it touches are looked at."""
    rows = np.flatnonzero(shape.min(axis=1) < 256 + soft)
    if len(rows):
        area = slice(rows[0], rows[-1] + 1)
        weight = np.clip(256 + soft - shape[area], 0, 2 * soft)
        image[area] += (value - image[area]) * weight // (2 * soft)


def draw(seed: int, patient: int, what: str, low: int, high: int) -> int:
    """Draw a whole number from ``low`` to ``high`` for one property of one patient."""
    digest = hashlib.blake2b(f"{seed}/{patient}/{what}".encode(), digest_size=8).digest()
    return low + int.from_bytes(digest, "big") % (high - low + 1)
