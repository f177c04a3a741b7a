"""`Drawn`: what was drawn for each of some samples. It is all that is needed to do the same again, or to undo it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from covid_datasets.errors import UsageError, did_you_mean
from covid_datasets.transforms.joint.places import Places, Size, pulled


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Drawn:
    """The changes of N samples, a number (or two) for each.

    Attributes:
        size: Rows and columns of the result; ``None`` as they were.
        flip: Whether it is mirrored.
        angle: Radians by which it is turned.
        shift: Shares of its width and height.
        scale: How much larger everything becomes.
        area: The share of the area that the crop keeps; 0 is no crop.
        aspect: How much wider the crop is than the result, for its height.
        corner: Where the crop lies, from 0 (left, top) to 1 (right, bottom).
        elastic: The largest displacement, as a share of the sides.
        gain: What values (from black) are multiplied by.
        contrast: What their distance from the mean is multiplied by.
        brightness: The share of the range that is added.
        gamma: The power that values from 0 to 1 are raised to.
        blur: The deviation of the Gaussian, in pixels of the result.
        noise: The deviation of the noise, as a share of the range.
        seed: Of what is drawn for each pixel: elastic displacements and noise.
    """

    size: Size | None = None
    flip: np.ndarray
    angle: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    area: np.ndarray
    aspect: np.ndarray
    corner: np.ndarray
    elastic: np.ndarray
    gain: np.ndarray
    contrast: np.ndarray
    brightness: np.ndarray
    gamma: np.ndarray
    blur: np.ndarray
    noise: np.ndarray
    seed: np.ndarray

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.flip)

    @property
    def tones(self) -> bool:
        """Tell whether any sample's grey levels change otherwise than by noise and blur."""
        return bool(self.brightness.any()) or any((each != 1).any() for each in (self.gain, self.contrast, self.gamma))

    def places(self, old: Size) -> Places:
        """Say where the pixels of the results come from.

        The sample is mirrored, turned, scaled and shifted around its middle; the crop is taken out of that, brought to
        the size, and elastic displacements are those of the result.
        """
        new = self.size or old
        height, width = old
        wide, high = self._crop(old, new)
        left, top = self.corner[:, 0] * (width - wide), self.corner[:, 1] * (height - high)
        # From the result into the crop, from the middle of the whole.
        step = np.stack([wide / new[1], high / new[0]], axis=1)
        start = np.stack([left + step[:, 0] / 2 - width / 2, top + step[:, 1] / 2 - height / 2], axis=1)
        cosine, sine = np.cos(self.angle) / self.scale, np.sin(self.angle) / self.scale
        mirror = np.where(self.flip, -1.0, 1.0)
        turn = np.stack([np.stack([mirror * cosine, -mirror * sine], 1), np.stack([sine, cosine], 1)], 1)
        moved = np.stack([-mirror * self.shift[:, 0] * width, -self.shift[:, 1] * height], axis=1)
        matrices = np.zeros((len(self), 2, 3))
        matrices[:, :, :2] = turn * step[:, None, :]
        middle = np.array([width / 2 - 0.5, height / 2 - 0.5])
        matrices[:, :, 2] = (turn * start[:, None, :]).sum(axis=2) + moved + middle
        # What is nothing but rounding would make whole pixels halves of two.
        matrices = np.round(matrices, 9) + 0.0
        return Places(matrices, old, new, self._knots(matrices, new))

    def _crop(self, old: Size, new: Size) -> tuple[np.ndarray, np.ndarray]:
        """Return width and height of the crops; pixels are stretched as little as ``aspect`` says, where they fit."""
        height, width = old
        whole = self.area == 0
        area, shape = np.where(whole, 1.0, self.area) * height * width, self.aspect * new[1] / new[0]
        wide, high = np.minimum(np.sqrt(area * shape), width), np.minimum(np.sqrt(area / shape), height)
        # One side did not fit: the other one makes up for it.
        wide, high = np.minimum(area / high, width), np.minimum(area / wide, height)
        return np.where(whole, width, np.maximum(wide, 1.0)), np.where(whole, height, np.maximum(high, 1.0))

    def _knots(self, matrices: np.ndarray, new: Size) -> np.ndarray | None:
        if not self.elastic.any():
            return None
        parts = zip(self.seed.tolist(), self.elastic.tolist(), matrices, strict=True)
        return np.stack([pulled(seed, most, new, matrix) for seed, most, matrix in parts])

    def of(self, first: int, last: int) -> Self:
        """Return what was drawn for some of the samples."""
        parts = {each.name: getattr(self, each.name) for each in fields(self)}
        return type(self)(**{name: part[first:last] if name != "size" else part for name, part in parts.items()})

    def record(self) -> dict[str, Any]:
        """Return it as plain numbers, for JSON.

        >>> from covid_datasets.transforms.joint.augment import Augment
        >>> drawn = Augment(rotate=10).draw(np.random.default_rng(0))
        >>> Drawn.of_record(drawn.record()).angle == drawn.angle
        array([ True])
        """
        parts = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: part.tolist() if isinstance(part, np.ndarray) else part for name, part in parts.items()}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """Take what `record` returned."""
        names = [each.name for each in fields(cls)]
        for name in record:
            if name not in names:
                raise UsageError(f"record: expected {', '.join(names)}, found {name!r}{did_you_mean(name, names)}")
        if missing := [name for name in names if name not in record]:
            raise UsageError(f"record: expected {', '.join(names)}; {', '.join(missing)} is missing")
        size = record["size"]
        parts = {name: np.array(record[name]) for name in names if name != "size"}
        if len({len(part) if part.ndim else -1 for part in parts.values()}) != 1:
            raise UsageError("record: expected as many of each number as there are samples")
        for name, part in parts.items():
            number = part.dtype.kind in "biuf" and bool(np.isfinite(part).all())
            if not number or (name in ("scale", "aspect", "gamma") and not (part > 0).all()):
                raise UsageError(f"record: expected numbers for {name}, and scales above 0, found {record[name]!r}")
        if size is not None and (
            len(size) != 2 or not all(isinstance(side, int) and 0 < side < 1 << 15 for side in size)
        ):
            raise UsageError(f"record: expected rows and columns for size, found {size!r}")
        return cls(size=None if size is None else tuple(size), **parts)
