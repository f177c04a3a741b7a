"""What a function that derives a dataset gets (`Sample`), gives (`Derived`), and says of itself (`derives`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from covid_datasets.columns import COLUMNS, GROUP
from covid_datasets.errors import UsageError

Box = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""
Function = Callable[..., "Derived"]
Typed = TypeVar("Typed", bound=Callable[..., Any])
TYPES: Mapping[Any, Any] = {
    str: "string", bool: "bool", int: "int64", float: "float64", list[str]: ["string"], list[float]: ["float64"],
}  # fmt: skip
"""What a column may hold, as it is written in Python -> as it is stored."""
TAKEN = frozenset((*COLUMNS, GROUP, "split", "version", "config", "finding"))
"""Names that no new column can have."""
_DECLARED = "__derives__"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A row of a dataset, or the slices of a series as one volume.

    Attributes:
        pixels: Rows and columns, with colours behind; of a volume slices, rows and columns.
        volume: Whether it has slices.
        hounsfield: Whether values are Hounsfield units; else they are grey levels or colours.
        rows: The columns of the row, without files; of a series those of each slice, in order.
        masks: By name, of the shape of the pixels, with the values that are stored.
        drawn: Of each mask, whether it is known in each of ``rows``; where it is not, it is 0.
        spacing: Millimetres from column to column, row to row and slice to slice; ``None`` where unknown.
        orientation: Where columns, rows and slices lead, such as "LPS"; empty where unknown.
    """

    pixels: np.ndarray
    volume: bool
    hounsfield: bool
    rows: tuple[Mapping[str, Any], ...]
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    drawn: Mapping[str, tuple[bool, ...]] = field(default_factory=dict)
    spacing: tuple[float, ...] | None = None
    orientation: str = ""

    @property
    def row(self) -> Mapping[str, Any]:
        """The columns of the row; of a series those of its first slice."""
        return self.rows[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Derived:
    """What a function found; what it leaves out stays as it is in the row.

    Attributes:
        columns: New columns, as the function declares them; one that is not given, or is NaN, is null.
        each: Columns of each of ``rows``, where they differ.
        masks: New masks by the names of `MASKS`, of the rows and columns of the pixels, with values from 0 to 255.
        pixels: A new picture, or volume, of the same shape: of 8 bits, or 16 where the given one has these.
        keep: A mask of what stays; all else is blank: black, or air where values are Hounsfield units.
        box: What is cut out of each picture, or slice, with its masks.
        told: What the report is to list -> of how many rows that is so.
    """

    columns: Mapping[str, Any] = field(default_factory=dict)
    each: Sequence[Mapping[str, Any]] = ()
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    pixels: np.ndarray | None = None
    keep: np.ndarray | None = None
    box: Box | None = None
    told: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a function says of itself; see `derives`."""

    columns: Mapping[str, Any] = field(default_factory=dict)
    modalities: tuple[str, ...] = ()
    series: bool = False
    counted: Callable[[Mapping[str, np.ndarray]], Mapping[str, Any]] | None = None
    tolerance: float = 0.01
    version: int = 0
    made_with: Callable[..., str] | None = None


NOTHING = Declared()


def derives(
    columns: Mapping[str, Any] | None = None,
    *,
    modalities: Sequence[str] = (),
    series: bool = False,
    counted: Callable[[Mapping[str, np.ndarray]], Mapping[str, Any]] | None = None,
    tolerance: float = 0.01,
    version: int = 0,
    made_with: Callable[..., str] | None = None,
) -> Callable[[Typed], Typed]:
    """Say of a function what it makes of a `Sample`. It stays the function that it is.

    Args:
        columns: Its new columns and what they hold: ``str``, ``bool``, ``int``, ``float``, ``list[str]`` or
            ``list[float]``.
        modalities: What it can look at ("CT", "CXR", "US"); other rows stay as they are. Without it, everything.
        series: Whether it wants the slices of a series as one volume; else each alone. A volume is one either way.
        counted: Gets the masks that it gave, as a finished row has them, and gives columns that follow from them: so
            they stay true where a view resamples masks.
        tolerance: The share of rows of which it may raise; with more, there is no dataset.
        version: Stands for its source file, where a change of the file is not to make another dataset.
        made_with: Gets the parameters, and says what else decides about the result, such as the digest of a file of
            weights that one of them names: with another one it is another dataset.

    >>> @derives({"mean": float})
    ... def brightness(sample):
    ...     return Derived(columns={"mean": float(sample.pixels.mean())})
    >>> declared_by(brightness).columns
    {'mean': 'float64'}
    """
    for name, kind in (columns or {}).items():
        if not str(name).isidentifier() or name in TAKEN:
            raise UsageError(
                f"derives: expected a name for a new column, found {name!r}, which is taken, or is no name"
            )
        if not any(kind == known for known in TYPES):
            said = "str, bool, int, float, list[str] or list[float]"
            raise UsageError(f"derives: column {name!r}: expected {said}, found {kind!r}")
    if not 0 <= tolerance < 1:
        raise UsageError(f"derives: tolerance: expected a share from 0 to below 1, found {tolerance!r}")
    stored = {name: TYPES[kind] for name, kind in (columns or {}).items()}
    declared = Declared(
        columns=stored, modalities=tuple(modalities), series=series, counted=counted, tolerance=tolerance,
        version=version, made_with=made_with,
    )  # fmt: skip

    def decorate(function: Typed) -> Typed:
        setattr(function, _DECLARED, declared)
        return function

    return decorate


def declared_by(function: Callable[..., Any]) -> Declared:
    """Return what a function says of itself; nothing, where it says nothing."""
    found: Declared = getattr(function, _DECLARED, NOTHING)
    return found
