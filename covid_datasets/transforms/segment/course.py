"""Several scans of one patient as a course over days: a table, its CSV, and a plot that any browser shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from covid_datasets.errors import UsageError
from covid_datasets.transforms.segment.quantify import Quantified, csv_of

WIDE, HIGH, EDGE = 480, 240, 40


@dataclass(frozen=True, slots=True)
class Day:
    """One scan of a course: its day, what it adds up to, and how the rate changed since the scan before, in points."""

    day: float
    infection_rate: float | None
    dense_rate: float | None
    lung_ml: float | None
    infection_ml: float | None
    confidence: float
    change: float | None


@dataclass(frozen=True, slots=True)
class Course:
    """The scans of one patient by day."""

    patient: str
    days: tuple[Day, ...]

    def to_json(self) -> dict[str, Any]:
        """Give all of it as JSON values."""
        return asdict(self)

    def table(self) -> list[dict[str, Any]]:
        """Give a row for each scan."""
        return [{"patient": self.patient, **asdict(day)} for day in self.days]

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import shown, table

        names = [name.replace("_", " ") for name in Day.__dataclass_fields__]
        days = [tuple(asdict(day).values()) for day in self.days]
        return shown(f"Course of {self.patient}", table("Scans by day", names, days))

    def to_csv(self) -> str:
        """Give the table as CSV."""
        return csv_of(self.table(), ["patient", *Day.__dataclass_fields__])

    def to_svg(self) -> str:
        """Draw the infection rate over days; a scan of low confidence is a hollow dot."""
        known = [day for day in self.days if day.infection_rate is not None]
        first, last = (min(day.day for day in known), max(day.day for day in known)) if known else (0.0, 1.0)
        top = max([0.1, *(day.infection_rate or 0 for day in known)])

        def place(day: Day) -> tuple[float, float]:
            along = (day.day - first) / ((last - first) or 1)
            return EDGE + along * (WIDE - 2 * EDGE), HIGH - EDGE - (day.infection_rate or 0) / top * (HIGH - 2 * EDGE)

        dots = [place(day) for day in known]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
        drawn = [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{"#c33" if day.confidence >= 0.5 else "#fff"}" '
            f'stroke="#c33"><title>day {day.day:g}: {day.infection_rate:.1%}</title></circle>'
            f'<text x="{x:.1f}" y="{HIGH - EDGE / 2}" text-anchor="middle">{day.day:g}</text>'
            for day, (x, y) in zip(known, dots, strict=True)
        ]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" font-size="11" '
            f'font-family="sans-serif"><text x="4" y="14">infected share of the lungs, highest {top:.0%}, by day</text>'
            f'<path d="M{EDGE} {EDGE}V{HIGH - EDGE}H{WIDE - EDGE}" fill="none" stroke="#888"/>'
            f'<polyline points="{line}" fill="none" stroke="#c33"/>{"".join(drawn)}</svg>'
        )


def course(patient: str, scans: Mapping[float, Quantified]) -> Course:
    """Put scans of one patient in the order of their days.

    Args:
        patient: Who it is, as tables call the person.
        scans: Day (such as ``offset_days``, days since the first symptom) -> what that scan adds up to.

    >>> from covid_datasets.phantoms.volume import chest_volume
    >>> from covid_datasets.transforms.segment.quantify import quantify
    >>> chests = {day: chest_volume(1, shape=(12, 64, 64), load=load) for day, load in ((9, 0.3), (2, 0.1))}
    >>> found = course("P1", {day: quantify(one.voxels, one.lung, one.infection) for day, one in chests.items()})
    >>> [day.day for day in found.days], found.days[1].change > 0
    ([2.0, 9.0], True)
    """
    days: list[Day] = []
    before: float | None = None
    for when in sorted(scans):
        if when != when:
            raise UsageError(f"course: expected a day for each scan of {patient!r}, found {when!r}")
        one = scans[when]
        rate = one.infection_rate
        change = None if rate is None or before is None else round(100 * (rate - before), 3)
        days.append(Day(float(when), rate, one.dense_rate, one.lung_ml, one.infection_ml, one.confidence, change))
        before = rate if rate is not None else before
    return Course(patient, tuple(days))
