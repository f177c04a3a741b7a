"""What each image, or each patient, says of drawn masks: one number for each measure, of which means are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from covid_datasets.baselines.evaluate.bootstrap import Numbers
from covid_datasets.baselines.evaluate.overlap import KINDS, Counts

LUNG, ILL = "lung", "infection"


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Images or patients, with their values by the name of the measure; no number where it says nothing of one.

    ``rarest`` is how many groups have the mask that the fewest have: on so many the intervals rest.
    """

    groups: tuple[str, ...]
    values: Mapping[str, Numbers]
    rarest: int

    @classmethod
    def of(cls, tables: Sequence[Sequence[Counts]], masks: Sequence[str], *, by_patient: bool) -> Units:
        """Take the lines of several tables; the same patient in two of them is two units of one group.

        >>> line = lambda sample, pixels: Counts(sample, "p", "g", "test", "f", {"lung": pixels})
        >>> found = Units.of([[line("a", (4, 4, 2)), line("b", (0, 1, 0))]], ["lung"], by_patient=False)
        >>> found.values["dice lung"].tolist(), found.values["false alarms lung"].tolist()
        ([0.5, nan], [nan, 1.0])
        >>> found = Units.of([[line("a", (4, 4, 2)), line("b", (4, 2, 2))]], ["lung"], by_patient=True)
        >>> found.values["recall lung"].tolist()
        [0.5]
        """
        number: dict[tuple[int, str], int] = {}
        groups: list[str] = []
        lines: list[tuple[int, Counts]] = []
        for table, rows in enumerate(tables):
            for row in rows:
                key = table, row.patient if by_patient else row.sample
                if key not in number:
                    number[key] = len(groups)
                    groups.append(row.group or row.patient)
                lines.append((number[key], row))
        sums = {mask: _sums(lines, mask, len(groups)) for mask in masks}
        values: dict[str, Numbers] = {}
        for mask in masks:
            values |= _of_mask(mask, sums[mask], by_patient=by_patient)
        if by_patient and {LUNG, ILL} <= set(masks):
            both = [(unit, row) for unit, row in lines if {LUNG, ILL} <= row.pixels.keys()]
            values["rate error"] = _rate_error(*(_sums(both, mask, len(groups)) for mask in (LUNG, ILL)))
        having = [len({groups[unit] for unit in np.flatnonzero(each[:, 0] > 0).tolist()}) for each in sums.values()]
        return cls(tuple(groups), values, min(having, default=0))


def _sums(lines: Sequence[tuple[int, Counts]], mask: str, count: int) -> Numbers:
    """Add the pixels of each unit; no number where nobody drew the mask."""
    found = np.full((count, len(KINDS)), np.nan)
    for unit, row in lines:
        if mask in row.pixels:
            found[unit] = np.nan_to_num(found[unit]) + row.pixels[mask]
    return found


def _of_mask(mask: str, sums: Numbers, *, by_patient: bool) -> dict[str, Numbers]:
    true, drawn, both = sums.T
    there = np.where(true > 0, 1.0, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {f"dice {mask}": there * 2 * both / (true + drawn), f"recall {mask}": there * both / true}
        if by_patient:
            found |= {f"volume error {mask}": there * abs(drawn - true) / true}
            found |= {f"volume bias {mask}": there * (drawn - true) / true}
        elif (true == 0).any():
            found |= {f"false alarms {mask}": np.where(true == 0, (drawn > 0) * 1.0, np.nan)}
    return found


def _rate_error(lung: Numbers, ill: Numbers) -> Numbers:
    """Say in points how far the infected share of the lungs is off; where no lung is drawn it is said to be nought."""
    with np.errstate(invalid="ignore", divide="ignore"):
        said = np.where(lung[:, 1] > 0, ill[:, 1] / lung[:, 1], np.where(np.isnan(lung[:, 1]), np.nan, 0.0))
        error: Numbers = np.where(lung[:, 0] > 0, 100 * abs(said - ill[:, 0] / lung[:, 0]), np.nan)
    return error
