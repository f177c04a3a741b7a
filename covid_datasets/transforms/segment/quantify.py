"""What lungs and infection add up to: rates, zones, slices, volumes, and each lesion."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from covid_datasets.extras import need
from covid_datasets.transforms.segment.coarse import box_of
from covid_datasets.transforms.segment.doubts import Doubt, confidence_of, reasons_of
from covid_datasets.transforms.segment.given import Scan, mask_of, scan_of
from covid_datasets.transforms.segment.infection import DENSE, LUNG_VOXELS, Infection
from covid_datasets.transforms.segment.levels import is_hounsfield
from covid_datasets.transforms.segment.lung_doubts import MOST_LITRES
from covid_datasets.transforms.segment.lungs import LEFT, RIGHT, Lungs
from covid_datasets.transforms.segment.search import Search

SMALLEST_MM3 = 200.0
"""Volume below which an island is no lesion of its own in the table; it counts in the rate."""
SMALLEST_VOXELS = 10
"""The same where nobody knows how large a voxel is."""
MOSTLY = 0.5
"""Share of a lesion's voxels that are hyper-dense where it is called consolidation."""

Names = tuple[tuple[str, str], tuple[str, str, str]]
"""What the two sides are called, and the three levels."""


@dataclass(frozen=True, slots=True)
class Zone:
    """One part of the lungs: its voxels, how many are infected and hyper-dense, and its volume where that is known."""

    name: str
    lung_voxels: int
    infected_voxels: int
    dense_voxels: int
    lung_ml: float | None

    @property
    def infection_rate(self) -> float | None:
        """Share of its lung voxels that are infected; ``None`` where it has no lung."""
        return self.infected_voxels / self.lung_voxels if self.lung_voxels else None


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion: an island of infection through slices.

    Attributes:
        number: Counted from the largest one.
        voxels: How many it has.
        ml: Its volume; ``None`` where spacing is unknown.
        mean: Mean of its values, in Hounsfield units or grey levels.
        kind: "consolidation" where most of it is hyper-dense, else "ground_glass".
        side: "right" or "left"; "picture_left" or "picture_right" where nobody knows.
        level: "upper", "middle" or "lower" third of the lungs; "first", "second" or "third" where nobody knows.
        to_border_mm: Distance from its outermost voxel to the border of the lung, which is the pleura, or the hilum;
            ``None`` where spacing is unknown.
        first_slice: Number of its first slice, from 0.
        last_slice: Number of its last slice.
    """

    number: int
    voxels: int
    ml: float | None
    mean: float
    kind: Literal["ground_glass", "consolidation"]
    side: str
    level: str
    to_border_mm: float | None
    first_slice: int
    last_slice: int


@dataclass(frozen=True, slots=True)
class Quantified:
    """What a scan adds up to.

    Attributes:
        infection_rate: Share of the lungs' voxels that are infected, 0 to 1; ``None`` where there are no lungs, or
            where nobody can see what is infected; then there are no zones and no lesions.
        dense_rate: Share of the lungs' voxels that are hyper-dense.
        lung_ml: Volume of the lungs, as is ``infection_ml``; ``None`` where spacing is unknown, or there are none.
        infection_ml: See ``lung_ml``.
        slices: Infection rate of each slice; ``None`` where a slice has no lung.
        zones: The six zones, either lung by thirds, and each side and third as a whole.
        lesions: From the largest to the smallest.
        unit: "HU" or "grey", what means are in.
        confidence: From 0 to 1, of lungs, infection and geometry together.
        reasons: What is doubtful.
    """

    infection_rate: float | None
    dense_rate: float | None
    lung_ml: float | None
    infection_ml: float | None
    slices: tuple[float | None, ...]
    zones: tuple[Zone, ...]
    lesions: tuple[Lesion, ...]
    unit: Literal["HU", "grey"]
    confidence: float
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give all of it as JSON values."""
        zones = {zone.name: {**asdict(zone), "infection_rate": zone.infection_rate} for zone in self.zones}
        return {**asdict(self), "zones": zones}

    def table(self) -> list[dict[str, Any]]:
        """Give a row for each zone."""
        return [{**asdict(zone), "infection_rate": zone.infection_rate} for zone in self.zones]

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import MOST, bullets, named, shown, table

        def share(of: float | None) -> str:
            return "unknown" if of is None else f"{of:.1%}"

        what = {
            "Infected": share(self.infection_rate),
            "Hyper-dense": share(self.dense_rate),
            "Lungs": self.lung_ml and f"{self.lung_ml:,.0f} ml",
            "Infection": self.infection_ml and f"{self.infection_ml:,.0f} ml",
            "Confidence": f"{self.confidence:.2f}",
        }
        zones = [(each.name, share(each.infection_rate)) for each in self.zones]
        shares = [each.infection_rate or 0.0 for each in self.zones]
        lesions = [tuple(asdict(each).values()) for each in self.lesions]
        names = [each.name.replace("_", " ") for each in fields(Lesion)]
        return shown(
            "What a scan adds up to",
            named(what, "Of the lungs; none of this is for diagnosis"),
            table("Zones", ("zone", "infected"), zones, bars=shares) if zones else (),
            table(f"Lesions ({self.unit})", names, lesions[:MOST], count=len(lesions)) if lesions else (),
            bullets(self.reasons, "What is doubtful"),
        )

    def lesions_csv(self) -> str:
        """Give the lesions as CSV."""
        return csv_of([asdict(lesion) for lesion in self.lesions], [field.name for field in fields(Lesion)])


def csv_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Write rows as CSV; what is unknown is an empty cell.

    >>> csv_of([{"a": 1, "b": None}], ["a", "b"]).splitlines()
    ['a,b', '1,']
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def quantify(
    image_or_volume: np.ndarray,
    lungs: Lungs | np.ndarray,
    infection: Infection | np.ndarray,
    *,
    spacing: Sequence[float] | None = None,
    orientation: str = "",
) -> Quantified:
    """Add up what is infected.

    Args:
        image_or_volume: Rows and columns, or slices, rows and columns.
        lungs: From `lung_mask`, or a mask of 1 for the right and 2 for the left lung, or of 1 for both, which are then
            told apart.
        infection: From `infection_mask`, or a mask of 1 for infection and 2 for what is hyper-dense.
        spacing: Millimetres from column to column, row to row and slice to slice; without it there are no volumes.
        orientation: Where columns, rows and slices lead, such as "LPS"; without it nobody knows right and left, or
            which end is the upper one.

    Raises:
        UsageError: A mask has another shape than its image, or a spacing is zero.

    >>> from covid_datasets.phantoms.volume import chest_volume
    >>> chest = chest_volume(1, shape=(20, 96, 96), load=0.1)
    >>> found = quantify(chest.voxels, chest.lung, chest.infection, spacing=chest.spacing, orientation="LPS")
    >>> found.infection_rate == chest.infection_rate, found.lesions[0].side in ("left", "right"), len(found.slices)
    (True, True, 20)
    """
    scan = scan_of(image_or_volume, spacing, orientation)
    sides, patient = _sides(lungs, scan)
    ill = mask_of(infection.mask if isinstance(infection, Infection) else infection, scan, "infection", most=DENSE)
    doubts = list(_doubts(lungs, infection, sides, ill))
    levels = infection.levels if isinstance(infection, Infection) else None
    known = levels.hounsfield if levels else float(scan.voxels.min()) <= -500
    counts = _counts(sides, ill)
    whole = counts.sum(axis=1)  # by slice: lung, infected, dense
    total = whole.sum(axis=0)
    ml = float(np.prod(scan.spacing)) / 1000 if scan.spacing and not scan.flat else None
    lung, sick, dense = total.tolist()
    seen = lung > 0 and not (isinstance(infection, Infection) and infection.rate is None)
    if not isinstance(lungs, Lungs) and ml and lung * ml / 1000 > MOST_LITRES:
        doubts.append(Doubt(f"{lung * ml / 1000:.1f} litres of lung are more than anybody has", 0.1))
    thirds, names = _thirds(whole[:, 0]), _names(scan, patient)
    return Quantified(
        infection_rate=sick / lung if seen else None,
        dense_rate=dense / lung if seen else None,
        lung_ml=_rounded(lung, ml) if lung else None,
        infection_ml=_rounded(sick, ml) if seen else None,
        slices=tuple(sick / lung if lung and seen else None for lung, sick, _ in whole.tolist()),
        zones=tuple(_zones(counts, thirds, names, scan.flat, ml)) if seen else (),
        lesions=tuple(_lesions(scan, sides, ill, thirds, names, ml)) if sick else (),
        unit="HU" if known else "grey",
        confidence=confidence_of(doubts),
        reasons=reasons_of([doubt for doubt in doubts if doubt.what]),
    )


def _sides(lungs: Lungs | np.ndarray, scan: Scan) -> tuple[np.ndarray, bool]:
    """Give the lungs with 1 for the patient's right one where that is known, else for that on the picture's left side.

    A mask of one value, as publishers give it, has its sides told apart.
    """
    if isinstance(lungs, Lungs):
        found, patient = mask_of(lungs.mask, scan, "lungs", most=LEFT), lungs.sides == "patient"
    else:
        found, patient = mask_of(lungs, scan, "lungs", most=LEFT), bool(scan.codes)
        if found.max(initial=0) != 1:
            return found, patient
        found, patient = Search(scan, is_hounsfield(scan.voxels, None)).told_apart(found > 0), False
    if not patient and scan.codes:
        return (np.array([0, LEFT, RIGHT], np.uint8)[found] if scan.codes[0] == "R" else found), True
    return found, patient


def _doubts(lungs: Lungs | np.ndarray, infection: Infection | np.ndarray, sides: np.ndarray, ill: np.ndarray) -> Any:
    if isinstance(infection, Infection):  # it was found in these lungs, and has their doubts
        yield Doubt("", infection.confidence)
        yield from (Doubt(reason, 1.0) for reason in infection.reasons)
    elif isinstance(lungs, Lungs):
        yield Doubt("", lungs.confidence)
        yield from (Doubt(f"lungs: {reason}", 1.0) for reason in lungs.reasons)
    elif (few := np.count_nonzero(sides)) < LUNG_VOXELS:
        yield Doubt(f"few voxels: {few:,} of lung, too few for a rate", 0.4 if few else 0.0)
    if stray := np.count_nonzero((ill > 0) & (sides == 0)):
        yield Doubt(f"{stray:,} voxels of infection are outside of the lungs, and not counted", 0.9)


def _counts(sides: np.ndarray, ill: np.ndarray) -> np.ndarray:
    """Count lung, infected and dense voxels of each slice and side."""
    out = np.zeros((len(sides), 2, 3), np.int64)
    for number, (side, sick) in enumerate(zip(sides, ill, strict=True)):
        both = np.bincount((np.minimum(side, 2) * 3 + np.minimum(sick, 2)).ravel().astype(np.int64), minlength=9)
        table = both.reshape(3, 3)[1:]
        out[number, :, 0], out[number, :, 1] = table.sum(axis=1), table[:, 1:].sum(axis=1)
        out[number, :, 2] = table[:, DENSE]
    return out


def _thirds(lung: np.ndarray) -> np.ndarray:
    """Say which third of the lungs' height each slice is in, 0, 1 or 2 in the order of slices."""
    there = np.flatnonzero(lung)
    if not len(there):
        return np.zeros(len(lung), np.int64)
    first, last = int(there[0]), int(there[-1])
    found: np.ndarray = np.clip((np.arange(len(lung)) - first) * 3 // (last - first + 1), 0, 2)
    return found


def _names(scan: Scan, patient: bool) -> Names:
    """Name the two sides, and the three levels in the order of slices."""
    sides = ("right", "left") if patient else ("picture_left", "picture_right")
    if not scan.codes or scan.flat:
        return sides, ("first", "second", "third")
    return sides, ("lower", "middle", "upper") if scan.codes[2] == "S" else ("upper", "middle", "lower")


def _zones(counts: np.ndarray, thirds: np.ndarray, names: Names, flat: bool, ml: float | None) -> Any:
    sides, levels = names
    each = np.stack([counts[thirds == third].sum(axis=0) for third in range(3)])  # third, side, what

    def zone(name: str, found: np.ndarray) -> Zone:
        lung, sick, dense = found.tolist()
        return Zone(name, lung, sick, dense, _rounded(lung, ml))

    for number, side in enumerate(sides):
        yield zone(side, each[:, number].sum(axis=0))
    if flat:
        return
    for third, level in enumerate(levels):
        yield zone(level, each[third].sum(axis=0))
    for number, side in enumerate(sides):
        for third, level in enumerate(levels):
            yield zone(f"{side}_{level}", each[third, number])


def _lesions(scan: Scan, sides: np.ndarray, ill: np.ndarray, thirds: np.ndarray, names: Names, ml: float | None) -> Any:
    need("scipy")
    from scipy import ndimage

    box = box_of((ill > 0) & (sides > 0), 1)
    sick, lung, values = (ill[box] > 0) & (sides[box] > 0), sides[box], scan.voxels[box]
    numbers, count = ndimage.label(sick, np.ones((3, 3, 3), bool))
    flat = numbers[sick]
    voxels = np.bincount(flat, minlength=count + 1)
    mean = np.bincount(flat, values[sick], count + 1) / np.maximum(voxels, 1)
    dense = np.bincount(flat, ill[box][sick] == DENSE, count + 1) / np.maximum(voxels, 1)
    second = np.bincount(flat, lung[sick] >= 2, count + 1) / np.maximum(voxels, 1)
    least = SMALLEST_MM3 / 1000 / ml if ml else SMALLEST_VOXELS
    order = [number for number in np.argsort(-voxels[1:], kind="stable") + 1 if voxels[number] >= least]
    places = ndimage.find_objects(numbers)
    for rank, number in enumerate(order, 1):
        place = places[number - 1]
        inside = numbers[place] == number
        by_slice = inside.sum(axis=(1, 2))
        middle = int(np.searchsorted(np.cumsum(by_slice), by_slice.sum() / 2)) + place[0].start + box[0].start
        yield Lesion(
            number=rank,
            voxels=int(voxels[number]),
            ml=_rounded(int(voxels[number]), ml),
            mean=round(float(mean[number]), 1),
            kind="consolidation" if dense[number] > MOSTLY else "ground_glass",
            side=names[0][int(second[number] > 0.5)],
            level=names[1][int(thirds[middle])] if not scan.flat else "",
            to_border_mm=_to_border(sides, scan, box, place, inside),
            first_slice=int(place[0].start + box[0].start),
            last_slice=int(place[0].stop + box[0].start - 1),
        )


def _to_border(
    sides: np.ndarray, scan: Scan, box: Sequence[slice], place: Sequence[slice], inside: np.ndarray
) -> float | None:
    """Measure within slices how near a lesion comes to what is no lung, around the middle of its widest slice."""
    if not scan.spacing:
        return None
    from scipy import ndimage

    widest = int(inside.sum(axis=(1, 2)).argmax())
    plane = sides[place[0].start + box[0].start + widest] > 0
    rows, columns = (slice(place[axis].start + box[axis].start, place[axis].stop + box[axis].start) for axis in (1, 2))
    far = ndimage.distance_transform_edt(np.pad(plane, 1), sampling=(scan.spacing[1], scan.spacing[0]))[1:-1, 1:-1]
    nearest = float(far[rows, columns][inside[widest]].min()) - min(scan.spacing[:2])
    return round(max(nearest, 0.0), 1)


def _rounded(voxels: int, ml: float | None) -> float | None:
    return None if ml is None else round(voxels * ml, 3)
