"""Rows by country as a map of dots: of every country a small one, a larger one where rows are from; no borders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from covid_datasets.catalog.geography import Country, countries, country_of
from covid_datasets.markup import text
from covid_datasets.view.report.counts import UNKNOWN, Counted

WIDE, HIGH, NORTH = 360, 140, 82
"""One unit is one degree; the map begins at 82 degrees north, and ends where the last country does."""
DOT, LEAST, MOST = 1.0, 2.2, 11.0
"""Radius of the dot of a country without rows, and the least and the most of one with rows."""
LABELS = 12
"""Countries whose names are tried to be written; the table has all."""
SIZE = 9
"""Height of letters: on a phone about as many pixels."""
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Mapped:
    """How many rows are from where.

    Attributes:
        rows: Country -> split -> rows, most rows first; its spellings are one.
        elsewhere: The same of what the source tells and is no country that has a place, as it is told.
        silent: Rows that tell no country, by split.
    """

    rows: Mapping[Country, Mapping[str, int]]
    elsewhere: Mapping[str, Mapping[str, int]]
    silent: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "countries": [
                {"name": at.name, "latitude": at.latitude, "longitude": at.longitude, "rows": dict(of)}
                for at, of in self.rows.items()
            ],
            "without_place": {told: dict(of) for told, of in self.elsewhere.items()},
            "without_country": dict(self.silent),
        }


def mapped(counted: Counted | None) -> Mapped | None:
    """Find the places of the countries that were counted; ``None`` where no row tells one."""
    if counted is None or not counted.told:
        return None
    rows: dict[Country, Counter[str]] = {}
    elsewhere: dict[str, Mapping[str, int]] = {}
    for told, of in counted.values.items():
        if told == UNKNOWN:
            continue
        if at := country_of(told):
            rows.setdefault(at, Counter()).update(of)
        else:
            elsewhere[told] = of
    ordered = sorted(rows, key=lambda at: (-rows[at].total(), at.name))
    return Mapped({at: dict(rows[at]) for at in ordered}, elsewhere, counted.values.get(UNKNOWN, {}))


def drawn(found: Mapped) -> Iterator[str]:
    """Draw the map; whoever does not see it has the table of the same counts behind it."""
    told = {at: sum(of.values()) for at, of in found.rows.items()}
    said = f"Map of the world with dots: {len(told):,} countries have rows. The table below has the same counts."
    yield f'<figure><svg class="map" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{text(said)}">'
    yield f'<rect class="edge" width="{WIDE}" height="{HIGH}"/>'
    yield f'<line class="edge" x1="0" x2="{WIDE}" y1="{NORTH}" y2="{NORTH}"/>'
    yield from (_dot(at, DOT, "none") for at in countries() if at not in told)
    most = max(told.values(), default=1)
    sizes = {at: max(LEAST, MOST * (rows / most) ** 0.5) for at, rows in told.items()}
    yield from (_dot(at, size, "some", f"{at.name}: {told[at]:,}") for at, size in sizes.items())
    yield from _labels(told, sizes)
    yield "</svg></figure>"


def _dot(at: Country, size: float, kind: str, said: str = "") -> str:
    x, y = _place(at)
    title = f"<title>{text(said)}</title>" if said else ""
    return f'<circle class="{kind}" cx="{x}" cy="{y}" r="{size:.1f}">{title}</circle>'


def _place(at: Country) -> tuple[int, int]:
    return at.longitude + WIDE // 2, NORTH - at.latitude


def _labels(told: Mapping[Country, int], sizes: Mapping[Country, float]) -> Iterator[str]:
    """Write names and counts beside the largest dots, where there is room for them."""
    taken: list[Box] = []
    for at in list(told)[:LABELS]:
        others = [_around(other, size) for other, size in sizes.items() if other != at and size > LEAST]
        said = f"{at.name} {told[at]:,}"
        boxes = _beside(at, sizes[at], said)
        if free := next((box for box in boxes if not any(_meet(box, each) for each in (*taken, *others))), None):
            yield f'<text x="{free[0]:.1f}" y="{free[3] - SIZE / 4:.1f}">{text(said)}</text>'
            taken.append(free)


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _around(at: Country, size: float) -> Box:
    x, y = _place(at)
    return x - size, y - size, x + size, y + size


def _beside(at: Country, size: float, said: str) -> Iterator[Box]:
    """Give the places of a label that are on the map: right, left, below, above."""
    (x, y), wide = _place(at), len(said) * SIZE * 0.6
    for left, top in (
        (x + size + 1, y - SIZE / 2),
        (x - size - 1 - wide, y - SIZE / 2),
        (x - wide / 2, y + size + 1),
        (x - wide / 2, y - size - 1 - SIZE),
    ):
        if left >= 0 and left + wide <= WIDE and top >= 0 and top + SIZE <= HIGH:
            yield left, top, left + wide, top + SIZE
