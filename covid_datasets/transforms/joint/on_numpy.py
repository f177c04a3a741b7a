"""What was drawn, done to one sample by NumPy: planes × rows × columns."""

from __future__ import annotations

import math

import numpy as np

from covid_datasets.transforms.axes import interpolated_plane, sized
from covid_datasets.transforms.joint.drawn import Drawn
from covid_datasets.transforms.joint.numbers import grain
from covid_datasets.transforms.joint.places import Places, beyond, nearest

Range = tuple[float, float]


def moved_image(planes: np.ndarray, places: Places, low: float) -> np.ndarray:
    """Interpolate each pixel of an image from where it comes; beyond the border it is black."""
    if places.nothing:
        return planes
    size = places.shrunk(0)
    if size != places.old:
        rows, columns = sized(places.old[0], size[0]), sized(places.old[1], size[1])
        planes = np.stack([interpolated_plane(plane, rows, columns).astype(np.float32) for plane in planes])
        places = places.after(size)
    if places.nothing:
        return planes
    across, down = places.coordinates(0)
    height, width = places.old
    (left, right, x), (top, bottom, y) = neighbours(across, width), neighbours(down, height)
    if places.straight:
        rows = planes[:, top[:, 0]] * (1 - y) + planes[:, bottom[:, 0]] * y
        found = rows[:, :, left[0]] * (1 - x) + rows[:, :, right[0]] * x
    else:
        flat = planes.reshape(len(planes), -1)
        upper = flat[:, top * width + left] * (1 - x) + flat[:, top * width + right] * x
        lower = flat[:, bottom * width + left] * (1 - x) + flat[:, bottom * width + right] * x
        found = upper * (1 - y) + lower * y
    if not places.inside:
        found = np.where(beyond(across, width) | beyond(down, height), np.float32(low), found)
    moved: np.ndarray = found
    return moved


def neighbours(at: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two pixels between which each place lies, and the share of the second."""
    at = np.clip(at, 0, side - 1)
    first = np.floor(at).astype(np.int64)
    return first, np.minimum(first + 1, side - 1), (at - first).astype(np.float32)


def moved_mask(planes: np.ndarray, places: Places, outside: int) -> np.ndarray:
    """Take the nearest pixel of a mask for each of the result: values are chosen, never mixed."""
    if places.nothing:
        return planes
    across, down = places.coordinates(0)
    columns, rows = nearest(across, places.old[1]), nearest(down, places.old[0])
    found: np.ndarray = planes[:, rows, columns]
    return np.where((rows < 0) | (columns < 0), planes.dtype.type(outside), found)


def toned(planes: np.ndarray, drawn: Drawn, full: Range) -> np.ndarray:
    """Blur an image, change its grey levels, and add noise; what leaves the range is cut off."""
    low, high = full
    if drawn.blur[0]:
        planes = _blurred(planes, kernel(float(drawn.blur[0])))
    if drawn.tones:
        factor, added = line(drawn, planes.mean(dtype=np.float64).reshape(1), full)
        planes = np.clip(planes * np.float32(factor[0]) + np.float32(added[0]), low, high)
        if drawn.gamma[0] != 1:
            planes = ((planes - low) / (high - low)) ** np.float32(drawn.gamma[0]) * (high - low) + low
    if drawn.noise[0]:
        amount = np.float32(drawn.noise[0] * (high - low))
        planes = np.clip(planes + grain(planes.shape, int(drawn.seed[0])) * amount, low, high)
    return planes


def line(drawn: Drawn, means: np.ndarray, full: Range) -> tuple[np.ndarray, np.ndarray]:
    """Put gain, contrast and brightness together: what values are multiplied by, and what is then added."""
    low, high = full
    mean = (means - low) * drawn.gain + low
    added = (low - low * drawn.gain) * drawn.contrast + mean * (1 - drawn.contrast)
    return drawn.gain * drawn.contrast, added + drawn.brightness * (high - low)


def kernel(deviation: float) -> np.ndarray:
    """Return the weights of a Gaussian, to three deviations on either side."""
    reach = math.ceil(3 * deviation)
    if deviation < 0.1:  # of which a neighbour gets less than a float can say
        return np.ones(1)
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * deviation**2))
    found: np.ndarray = weights / weights.sum()
    return found


def _blurred(planes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    reach = len(weights) // 2
    for axis in (1, 2):
        side = planes.shape[axis]
        wide = np.pad(planes, [(reach, reach) if axis == each else (0, 0) for each in range(3)], mode="edge")
        total = planes * np.float32(weights[reach])
        for far in range(1, reach + 1):
            both = wide.take(range(reach - far, reach - far + side), axis)
            both += wide.take(range(reach + far, reach + far + side), axis)
            total += both * np.float32(weights[reach + far])
        planes = total
    return planes
