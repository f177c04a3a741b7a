"""`Augment`: how large the changes of an image and its masks may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.transforms.joint.drawn import Drawn
from covid_datasets.transforms.joint.on_numpy import moved_image, moved_mask, toned
from covid_datasets.transforms.joint.places import Places, Size
from covid_datasets.transforms.joint.typed import Image, Mask, Range, check_together, names_mirrored

Masks = Mask | Mapping[str, Mask] | None
COUNT = 18
"""Uniform numbers that a sample needs; new ones go to the end, so that what was drawn before stays."""
_MOST = {"flip": 1.0, "rotate": 180.0, "crop": 1.0, "aspect": 4.0, "elastic": 0.05, "gamma": 4.0, "blur": 50.0}
_MOST |= {"tone_share": 1.0, "blur_share": 1.0}
_MOST_PIXELS = 1 << 28


class Changed(NamedTuple):
    """An image and its masks after a change, and what was drawn for it.

    Masks come back as they were given: none, one, or a dictionary; tensors where tensors were given.
    """

    image: Any
    masks: Any
    drawn: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Small random changes of an image and its masks. Every number is the largest change; 0 leaves that one out.

    All changes of place are one map, so pixels are interpolated once; then come blur, gain, contrast, brightness, gamma
    and noise, of the image alone. A volume is changed in the plane of its slices, each in the same way.

    Attributes:
        flip: The share of samples that are mirrored left to right; the masks of left and right lung then change places.
            It is 0 by default, because the heart is on one side.
        rotate: Degrees, to either side.
        shift: A share of the image's side, in either direction.
        scale: 0.1 makes what is shown up to a tenth larger or smaller.
        brightness: A share of the range of values, added or taken away.
        contrast: 0.1 moves values up to a tenth away from their mean, or towards it.
        size: Rows and columns of the result, or one number for both; ``None`` leaves them.
        crop: The smallest share of the area that a crop keeps; it is brought to the size, or enlarged to the old one.
        aspect: 0.25 makes what a crop shows up to a quarter wider, or higher.
        elastic: The largest displacement of a smooth, random one, as a share of the sides; 0.05 at most.
        gain: 0.1 multiplies values, counted from black, by 0.9 to 1.1.
        gamma: 0.25 raises values to powers from 0.8 to 1.25.
        tone_share: The share of samples whose gain, contrast, brightness and gamma change.
        blur: The deviation of a Gaussian, in pixels of the result.
        blur_share: The share of samples that are blurred.
        noise: The deviation of noise, as a share of the range of values.

    >>> changing = Augment(flip=0.5, rotate=10, crop=0.5)
    >>> picture, lungs = Image(np.eye(4, dtype=np.uint8)), Mask(np.eye(4, dtype=bool))
    >>> image, masks, drawn = changing(picture, lungs, rng=np.random.default_rng(0))
    >>> bool((changing.replay(drawn, picture).image.values == image.values).all())
    True
    """

    flip: float = 0.0
    rotate: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    size: int | Size | None = None
    crop: float = 0.0
    aspect: float = 0.0
    elastic: float = 0.0
    gain: float = 0.0
    gamma: float = 0.0
    tone_share: float = 1.0
    blur: float = 0.0
    blur_share: float = 1.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no small change."""
        for each in fields(self):
            if each.name == "size":
                continue
            value, limit = getattr(self, each.name), _MOST.get(each.name, 0.9)
            number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
            if not number or not 0 <= value <= limit:
                raise UsageError(f"{each.name}: expected a number from 0 to {limit:g}, found {value!r}")
        if self.size is not None:
            object.__setattr__(self, "size", _size(self.size))
        if self.aspect and not self.crop:
            raise UsageError("aspect: expected with crop, because it is the shape of what a crop shows")

    def draw(self, rng: np.random.Generator, count: int = 1) -> Drawn:
        """Draw the changes of some samples.

        >>> Augment(flip=1.0).draw(np.random.default_rng(0)).flip.tolist()
        [True]
        """
        if not isinstance(rng, np.random.Generator):
            raise UsageError(f"rng: expected numpy.random.default_rng(seed), found {rng!r}")
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise UsageError(f"count: expected a whole number, 1 or more, found {count!r}")
        return self.drawn(rng.random((count, COUNT)))

    def drawn(self, numbers: np.ndarray) -> Drawn:
        """Turn uniform numbers from 0 to below 1, `COUNT` for each sample, into changes."""
        both = 2 * numbers - 1
        toned, blurred = numbers[:, 15] < self.tone_share, numbers[:, 16] < self.blur_share
        nothing = np.zeros(len(numbers))
        return Drawn(
            size=self.size if isinstance(self.size, tuple) else None,
            flip=numbers[:, 0] < self.flip,
            angle=both[:, 1] * math.radians(self.rotate),
            shift=both[:, 2:4] * self.shift,
            scale=1 + both[:, 4] * self.scale,
            area=self.crop + numbers[:, 7] * (1 - self.crop) if self.crop else nothing,
            aspect=(1 + self.aspect) ** both[:, 8],
            corner=numbers[:, 9:11],
            elastic=nothing + self.elastic,
            gain=1 + both[:, 11] * self.gain * toned,
            contrast=1 + both[:, 6] * self.contrast * toned,
            brightness=both[:, 5] * self.brightness * toned,
            gamma=(1 + self.gamma) ** (both[:, 12] * toned),
            blur=numbers[:, 14] * self.blur * blurred,
            noise=numbers[:, 13] * self.noise,
            seed=(numbers[:, 17] * 2.0**53).astype(np.int64),
        )

    def __call__(self, image: Image, masks: Masks = None, *, rng: np.random.Generator) -> Changed:
        """Draw a change, and do it to an image and its masks: none, one, or some by name."""
        if self.flip:  # whether or not this one is mirrored
            names_mirrored(tuple(_named(masks)))
        return self.replay(self.draw(rng), image, masks)

    @staticmethod
    def replay(drawn: Drawn, image: Image, masks: Masks = None) -> Changed:
        """Do again what was drawn, to the same image or to another one, of another size too."""
        _check_one(drawn, image)
        planes, masks = _placed(drawn, drawn.places(image.size), image, masks)
        assert image.full is not None
        return Changed(image.of_planes(toned(planes, drawn, image.full)), masks, drawn)

    @staticmethod
    def undo(drawn: Drawn, image: Image, masks: Masks = None, *, size: Size) -> Changed:
        """Bring pixels back to where they were, so that what a model says lies on the image that was given.

        Grey levels stay as they are, and what a crop left out is black, and outside of masks.

        Args:
            drawn: What was done.
            image: As it is afterwards.
            masks: The same.
            size: Rows and columns of the image that was given.
        """
        _check_one(drawn, image)
        places = drawn.places(_size(size))
        if image.size != places.new:
            raise UsageError(f"image: expected {places.new}, which the change leads to, found {image.size}")
        planes, masks = _placed(drawn, places.backwards(), image, masks)
        return Changed(image.of_planes(planes), masks, drawn)

    def batch(
        self,
        images: Any,
        masks: Any = None,
        *,
        rng: np.random.Generator,
        full: Range | None = None,
        names: tuple[str, ...] = (),
    ) -> Changed:
        """Do it to a batch of tensors where it is, on the processor or a GPU; the results are those of NumPy.

        Args:
            images: N×C×H×W of torch; the results have its type.
            masks: N×M×H×W whole numbers, or ``None``; 0 comes in from beyond the border.
            rng: Draws the changes.
            full: The values of black and white: by default 0 to 255, and 0 to 1 for floats that all lie there; with
                values beyond that, such as Hounsfield units, it must be said.
            names: Of the M masks, so that those of left and right change places where images are mirrored.
        """
        from covid_datasets.extras import need

        need("torch")
        from covid_datasets.transforms.joint.on_torch import changed_batch, check_batch, full_of

        check_batch(images, masks, names)
        full = full_of(images, full)
        drawn = self.draw(rng, len(images))
        done, moved = changed_batch(drawn, images, masks, full=full, names=names)
        return Changed(done, moved, drawn)

    def then(self, other: Augment | Turns) -> Turns:
        """Return both, one after the other.

        >>> Augment(rotate=5).then(Augment(size=224)).steps[1].size
        (224, 224)
        """
        return Turns((self, *(other.steps if isinstance(other, Turns) else (other,))))


@dataclass(frozen=True, slots=True)
class Turns:
    """Several `Augment`, one after the other; what was drawn is a tuple, one for each."""

    steps: tuple[Augment, ...]

    def __call__(self, image: Image, masks: Masks = None, *, rng: np.random.Generator) -> Changed:
        """Draw a change for each step, and do them to an image and its masks."""
        return self.replay(tuple(step.draw(rng) for step in self.steps), image, masks)

    @staticmethod
    def replay(drawn: tuple[Drawn, ...], image: Image, masks: Masks = None) -> Changed:
        """Do again what was drawn."""
        for each in drawn:
            image, masks, _ = Augment.replay(each, image, masks)
        return Changed(image, masks, drawn)

    @staticmethod
    def undo(drawn: tuple[Drawn, ...], image: Image, masks: Masks = None, *, size: Size) -> Changed:
        """Bring pixels back to where they were, the last step first."""
        sizes = [size]
        for each in drawn[:-1]:
            sizes.append(each.size or sizes[-1])
        for each, before in zip(reversed(drawn), reversed(sizes), strict=True):
            image, masks, _ = Augment.undo(each, image, masks, size=before)
        return Changed(image, masks, drawn)

    def batch(self, images: Any, masks: Any = None, *, rng: np.random.Generator, **options: Any) -> Changed:
        """Do the steps to a batch of tensors, as `Augment.batch` does one."""
        found = []
        for step in self.steps:
            images, masks, drawn = step.batch(images, masks, rng=rng, **options)
            found.append(drawn)
        return Changed(images, masks, tuple(found))

    def then(self, other: Augment | Turns) -> Turns:
        """Return these and more."""
        return Turns((*self.steps, *(other.steps if isinstance(other, Turns) else (other,))))


def _size(given: Any) -> Size:
    """Take rows and columns, or one number for both."""
    both = (given, given) if isinstance(given, int | np.integer) else given
    sides = tuple(both) if isinstance(both, tuple | list) else ()
    whole = all(isinstance(side, int | np.integer) and not isinstance(side, bool) and side > 0 for side in sides)
    if len(sides) != 2 or not whole or math.prod(sides) > _MOST_PIXELS:
        raise UsageError(f"size: expected rows and columns, such as 224 or (480, 640), found {given!r}")
    rows, columns = map(int, sides)
    return rows, columns


def _check_one(drawn: Drawn, image: Any) -> None:
    if not isinstance(drawn, Drawn) or len(drawn) != 1:
        found = f"{len(drawn)} samples" if isinstance(drawn, Drawn) else type(drawn).__name__
        raise UsageError(f"drawn: expected what was drawn for one image, found {found}; drawn.of(0, 1) is the first")
    if not isinstance(image, Image):
        raise UsageError(f"image: expected Image(...), found {type(image).__name__}")


def _named(masks: Any) -> dict[str, Mask]:
    if masks is None:
        return {}
    return dict(masks) if isinstance(masks, Mapping) else {"mask": masks}


def _as_given(masks: Any, done: dict[str, Mask]) -> Any:
    if masks is None:
        return None
    return done if isinstance(masks, Mapping) else done["mask"]


def _placed(drawn: Drawn, places: Places, image: Image, masks: Any) -> tuple[np.ndarray, Any]:
    """Bring the pixels of an image and its masks to their places; those of the image are not yet rounded."""
    named = _named(masks)
    check_together(image, named)
    assert image.full is not None
    planes = moved_image(image.planes.astype(np.float32), places, image.full[0])
    sides = {name: name for name in named}
    if drawn.flip[0]:
        sides, named = names_mirrored(tuple(named)), {name: each.mirrored() for name, each in named.items()}
    done = {sides[name]: each.of_planes(moved_mask(each.planes, places, each.outside)) for name, each in named.items()}
    return planes, _as_given(masks, {name: done[name] for name in named})
