"""Lung masks by classical means, or by any other that plugs in; either lung for itself, with what is doubtful."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.transforms.segment.doubts import Doubt, confidence_of, reasons_of
from covid_datasets.transforms.segment.given import Scan, mask_of, name_of, scan_of
from covid_datasets.transforms.segment.levels import Levels, is_hounsfield
from covid_datasets.transforms.segment.lung_doubts import lung_doubts
from covid_datasets.transforms.segment.search import Search

RIGHT, LEFT = 1, 2

Segmenter = Callable[[Scan], np.ndarray]
"""Any other way to find lungs, such as a network: gets the scan, returns 0 for none and 1, or `RIGHT` and `LEFT`."""


@runtime_checkable
class Mender(Protocol):
    """A way to make lungs better that the classical one has found first; what is no CT stays refused."""

    def mended(self, scan: Scan, lungs: np.ndarray) -> np.ndarray:
        """Get the scan and the lungs that were found; say where lung is, as true and false."""


@dataclass(frozen=True, slots=True, eq=False)
class Lungs:
    """Where the lungs are.

    Attributes:
        mask: 0 for none, 1 for the patient's right lung and 2 for the left one; where ``sides`` is "picture", 1 for the
            lung on the left side of the picture.
        sides: "patient" where an orientation was given, "picture" where nobody knows left from right.
        levels: Values of air, lung and tissue; ``None`` where there is no lung.
        confidence: From 0 to 1: each doubt lowers it. It is no probability.
        reasons: The doubts.
        method: How it was found.
    """

    mask: np.ndarray
    sides: Literal["patient", "picture"]
    levels: Levels | None
    confidence: float
    reasons: tuple[str, ...]
    method: str = "classical"

    @property
    def empty(self) -> bool:
        """Tell whether no lung was found."""
        return not self.mask.any()


def lung_mask(
    image_or_volume: np.ndarray,
    *,
    hounsfield: bool | None = None,
    spacing: Sequence[float] | None = None,
    orientation: str = "",
    method: Literal["classical"] | Segmenter | Mender = "classical",
) -> Lungs:
    """Find the lungs in an axial CT slice or volume, in Hounsfield units or in grey levels of whatever window.

    Args:
        image_or_volume: Rows and columns, or slices, rows and columns.
        hounsfield: Whether values are Hounsfield units; by default that is seen from them.
        spacing: Millimetres from column to column, row to row and slice to slice; without it the body is taken to be
            350 mm wide.
        orientation: Where columns, rows and slices lead, such as "LPS": tells the right lung from the left one.
        method: "classical"; `covid_datasets.learned_lungs`, which adds what a network is sure of; or a function of the
            scan that returns a mask.

    Raises:
        UsageError: What is given is no CT: channels, NaN, a spacing of zero.

    >>> slice_ = np.full((64, 64), -1000, np.int16)
    >>> slice_[12:52, 4:60] = 40
    >>> slice_[20:44, 10:28] = slice_[20:44, 36:54] = -850
    >>> lungs = lung_mask(slice_, orientation="LPS")
    >>> int((lungs.mask == 1).sum()), int((lungs.mask == 2).sum()), lungs.sides
    (432, 432, 'patient')
    """
    scan = scan_of(image_or_volume, spacing, orientation)
    search = Search(scan, is_hounsfield(scan.voxels, hounsfield))
    name = name_of(method)
    mender = method if isinstance(method, Mender) else None
    if callable(method) and mender is None:
        mask = _by(method, search)
        doubts = [] if mask.any() else [Doubt("no lung found", 0.0)]
        return _lungs(scan, mask, None, doubts, name)
    if mender is None and method != "classical":
        raise UsageError(f"method: expected 'classical' or a function, found {method!r}")
    found = search.found()
    if isinstance(found, str):
        return _lungs(scan, np.zeros(scan.voxels.shape, np.uint8), None, [Doubt(found, 0.0)], name)
    mask, levels = found.mask, found.levels
    del found  # a mask is half as large as its volume: what is no more needed is let go
    doubts = list(lung_doubts(search, mask, levels))
    refused = any(doubt.refuses for doubt in doubts)
    if mender and not refused:
        better = scan.as_given(mender.mended(replace(scan, hounsfield=search.hounsfield), mask))
        mask = search.joined(mask, mask_of(better, scan, "method"))
        del better
        doubts = list(lung_doubts(search, mask, levels))
    return _lungs(scan, np.zeros_like(mask) if refused else mask, levels, doubts, name)


def _lungs(
    scan: Scan, mask: np.ndarray, levels: Levels | None, doubts: Sequence[Doubt], method: str = "classical"
) -> Lungs:
    """Name the sides: the mask has them by picture."""
    if scan.codes.startswith("R"):  # columns lead to the patient's right: the left lung comes first
        mask = np.array([0, LEFT, RIGHT], np.uint8)[mask]
    sides: Literal["patient", "picture"] = "patient" if scan.codes else "picture"
    return Lungs(scan.as_given(mask), sides, levels, confidence_of(doubts), reasons_of(doubts), method)


def _by(method: Segmenter, search: Search) -> np.ndarray:
    """Take a mask that somebody else made, its sides by picture; where it has one value, they are told apart here."""
    scan = search.scan
    asked = replace(scan, hounsfield=search.hounsfield)
    found = mask_of(np.asarray(method(asked)), replace(scan, flat=False), "method", most=LEFT).astype(np.uint8)
    if found.max(initial=0) == 1:
        return search.told_apart(found > 0)
    return np.array([0, LEFT, RIGHT], np.uint8)[found] if scan.codes.startswith("R") else found
