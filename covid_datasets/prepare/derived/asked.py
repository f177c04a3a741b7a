"""`Derivation`: what makes one dataset of another. Its name is made of all that changes a pixel."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any, TypedDict

from covid_datasets.errors import UsageError, did_you_mean
from covid_datasets.transforms.derive.named import Deriver, deriver
from covid_datasets.transforms.orient import axis_codes
from covid_datasets.transforms.windows import WINDOWS, Range, window_range

VIEW_FORMAT = 1
"""Counts up when the same view would get other pixels; what was made before is then made anew."""
MAX_SIDE = 1 << 14
LEAST_MM, MOST_MM = 0.01, 1000.0
"""Spacings that can be meant: a detector's pixel is larger, and a patient is not much larger than the other."""


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

    A function sees them as they are stored. They are then turned around, resampled to a spacing, and brought to a size;
    then the window makes grey of Hounsfield units.

    Attributes:
        derive: The function that derives masks, columns or pixels, with its parameters.
        by: What it was: its version, or the SHA-256 of its file.
        window: The Hounsfield units that become 0 and 255; without it they stay as they are, in 16 bits.
        image_size: Rows and columns of every image, and of every slice of a volume.
        to_spacing: Millimetres between columns and rows, and between slices where there is a third.
        to_orientation: Where columns, rows and slices lead: "LPS".

    >>> derivation(window="lung", image_size=256, to_spacing=(1, 1, 5)).name
    'lung_256x256_1x1x5mm_...'
    """

    derive: str = ""
    by: str = ""
    window: Range | None = None
    image_size: tuple[int, int] | None = None
    to_spacing: tuple[float, ...] = ()
    to_orientation: str = ""

    @property
    def made(self) -> Deriver | None:
        """The function that was asked for.

        Raises:
            UsageError: It is another one than it was when it was asked for.
        """
        if not self.derive:
            return None
        found = deriver(self.derive)
        if found.by != self.by:
            raise UsageError(
                f"derive: {self.derive}: expected the function as it was when this began ({self.by}), found another "
                f"one ({found.by}). Next: run the same command again, or install the same release where workers run"
            )
        return found

    @property
    def columns(self) -> Mapping[str, Any]:
        """The columns that rows get beside those of all sources."""
        return {} if self.made is None else self.made.declared.columns

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
        derived = "" if self.made is None else self.made.label
        said = [derived, named or window, size, f"{spacing}mm" if spacing else "", self.to_orientation]
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
        derived = [f"--derive {shlex.quote(self.derive)}"] if self.derive else []
        return " ".join([*derived, *(f"{name} {values}" for name, values in shown.items() if values)])

    @property
    def shows_anew(self) -> bool:
        """Tell whether pixels are changed after a function has seen them."""
        return bool(self.window or self.image_size or self.to_spacing or self.to_orientation)

    @property
    def needs_place(self) -> bool:
        """Tell whether it must be known where pixels lie."""
        return bool(self.to_spacing or self.to_orientation)

    @property
    def needs_stack(self) -> bool:
        """Tell whether slices are looked at as the volume that they are of."""
        return len(self.to_spacing) > 2 or bool(self.to_orientation)

    @property
    def wants_series(self) -> bool:
        """Tell whether its function is to see the slices of a series at once."""
        return self.made is not None and self.made.declared.series

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
    made = None if derive is None else deriver(derive)
    found = Derivation(
        derive="" if made is None else made.text,
        by="" if made is None else made.by,
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
