"""`Derivation`: what makes one dataset of another. Its name is made of all that changes a pixel."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any, TypedDict

from covid_datasets.errors import UsageError, did_you_mean
from covid_datasets.transforms.orient import axis_codes
from covid_datasets.transforms.windows import WINDOWS, Range, window_range

VIEW_FORMAT = 1
"""Counts up when the same view would get other pixels; what was made before is then made anew."""
MAX_SIDE = 1 << 14
LEAST_MM, MOST_MM = 0.01, 1000.0
"""Spacings that can be meant: a detector's pixel is larger, and a patient is not much larger than the other."""
DERIVATIONS: Mapping[str, str] = {}
"""What `derive=` can name, and where the function is; models that are applied to a dataset come here."""


class ViewOptions(TypedDict, total=False):
    """The arguments that make a view: of `load_dataset`, `build_dataset`, `find_build` and `verify`."""

    derive: str | None
    window: str | Sequence[float] | Mapping[str, float] | None
    image_size: int | Sequence[int] | None
    to_spacing: float | Sequence[float] | None
    to_orientation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """How the pixels and voxels of a dataset are changed.

    They are first turned around, then resampled to a spacing, then brought to a size; then the window makes grey of
    Hounsfield units.

    Attributes:
        window: The Hounsfield units that become 0 and 255; without it they stay as they are, in 16 bits.
        image_size: Rows and columns of every image, and of every slice of a volume.
        to_spacing: Millimetres between columns and rows, and between slices where there is a third.
        to_orientation: Where columns, rows and slices lead: "LPS".

    >>> derivation(window="lung", image_size=256, to_spacing=(1, 1, 5)).name
    'lung_256x256_1x1x5mm_...'
    """

    window: Range | None = None
    image_size: tuple[int, int] | None = None
    to_spacing: tuple[float, ...] = ()
    to_orientation: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """What was asked for, ready for JSON; nothing stands there for what was not."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if value
        }

    @property
    def name(self) -> str:
        """A name for a folder: readable, and another one whenever any attribute is another."""
        named = next((name for name, window in WINDOWS.items() if window == self.window), "")
        sizes = [self.window or (), self.image_size or (), self.to_spacing]
        window, size, spacing = ("x".join(f"{number:g}" for number in numbers) for numbers in sizes)
        window = f"window{window.replace('x', 'to')}" if window else ""
        said = [named or window, size, f"{spacing}mm" if spacing else "", self.to_orientation]
        return "_".join([*filter(None, said), _digest({"view": self.parameters, "view_format": VIEW_FORMAT})[:12]])

    @property
    def typed(self) -> str:
        """What is typed at a command line to ask for the same."""
        options = {
            "--window": self.window or (),
            "--image-size": self.image_size or (),
            "--to-spacing": self.to_spacing,
            "--to-orientation": (self.to_orientation,) if self.to_orientation else (),
        }
        shown = {
            name: " ".join(str(value).removesuffix(".0") for value in values)  # whole: rounded, it is another view
            for name, values in options.items()
        }
        return " ".join(f"{name} {values}" for name, values in shown.items() if values)

    @property
    def needs_place(self) -> bool:
        """Tell whether it must be known where pixels lie."""
        return bool(self.to_spacing or self.to_orientation)

    @property
    def needs_stack(self) -> bool:
        """Tell whether slices are looked at as the volume that they are of."""
        return len(self.to_spacing) > 2 or bool(self.to_orientation)

    def fingerprint(self, source: str) -> str:
        """Return the fingerprint of the derived dataset, which follows from that of its source.

        >>> Derivation(to_orientation="LPS").fingerprint("0f") == Derivation(to_orientation="LPS").fingerprint("0f")
        True
        """
        return _digest({"source": source, "view": self.parameters, "view_format": VIEW_FORMAT})


def derivation(
    *,
    derive: Any = None,
    window: Any = None,
    image_size: Any = None,
    to_spacing: Any = None,
    to_orientation: Any = None,
    **unknown: Any,
) -> Derivation | None:
    """Check what a caller wants, and make a derivation of it; ``None`` where nothing is to change.

    ``unknown`` are arguments that no function of ours has: whoever takes those of a view hands all others on.

    >>> derivation(to_spacing=(1, 1, 0))
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: to_spacing: expected millimetres from 0.01 to 1,000, found 0 in (1, 1, 0)
    """
    for name in unknown:
        options = ViewOptions.__annotations__
        hint = did_you_mean(name, options)
        raise UsageError(f"{name}: expected no such argument{hint}; a view has {', '.join(options)}")
    if derive is not None:
        known = ", ".join(DERIVATIONS) or "none in this release"
        raise UsageError(f"derive: expected one of: {known}; found {derive!r}{did_you_mean(str(derive), DERIVATIONS)}")
    found = Derivation(
        window=None if window is None else window_range(window),
        image_size=None if image_size is None else picture_size(image_size),
        to_spacing=() if to_spacing is None else _spacing(to_spacing),
        to_orientation="" if to_orientation is None else axis_codes(to_orientation),
    )
    return found if found.parameters else None


def picture_size(given: Any) -> tuple[int, int]:
    """Take rows and columns, or one side of a square.

    >>> picture_size(224), picture_size((256, 320))
    ((224, 224), (256, 320))
    """
    sides = (given, given) if isinstance(given, Integral) else tuple(given) if isinstance(given, Sequence) else ()
    whole = all(isinstance(side, Integral) and not isinstance(side, bool) for side in sides)
    if len(sides) != 2 or not whole or not all(1 <= side <= MAX_SIDE for side in sides):
        raise UsageError(
            f"image_size: expected a side such as 224, or (rows, columns), up to {MAX_SIDE:,}; found {given!r}"
        )
    return int(sides[0]), int(sides[1])


def _spacing(given: Any) -> tuple[float, ...]:
    numbers: Any = given if isinstance(given, bool) or not isinstance(given, Real) else [given] * 3
    try:
        found = () if isinstance(numbers, str) else tuple(float(number) for number in numbers)
    except (TypeError, ValueError):
        found = ()
    if len(found) not in (2, 3):
        raise UsageError(
            "to_spacing: expected millimetres between columns, rows and slices, such as (1, 1, 5), or (0.5, 0.5) to "
            f"leave slices as they are; found {given!r}"
        )
    for number, text in zip(found, numbers, strict=True):
        if not (math.isfinite(number) and LEAST_MM <= number <= MOST_MM):
            raise UsageError(
                f"to_spacing: expected millimetres from {LEAST_MM:g} to {MOST_MM:,g}, found {text} in {given!r}"
            )
    return found


def _digest(said: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
