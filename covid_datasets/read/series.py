"""A folder of DICOM files as the slices of one CT series: sorted out, ordered by position, in Hounsfield units.

Every file of the folder becomes a part or is told of. Headers are read first and pixels slice by slice, so that one
slice is in memory and never the series.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.dicom import CT_IMAGE, DicomHeader, Numbers, read_header, read_hounsfield
from covid_datasets.read.polygons import Polygon, fill
from covid_datasets.schema import Notice, Part, RawReader

SAME_PLACE_MM = 0.01
"""Slices that are nearer to each other than this are at one place."""
WIDE_GAP = 1.5
"""A distance between neighbours beyond so many times the usual one is a gap."""
SCREENS = {"LOCALIZER": "a localizer, no slice", "SCREEN SAVE": "a picture of a screen, no slice"}

Slice = tuple[DicomHeader, float]
"""A header, and how far along the normal of the series its slice is, in millimetres."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the slices of a series are to be: all else in their folder is told and left out.

    Attributes:
        name: What the series is called in reports.
        series: SeriesInstanceUID; empty where any will do.
        patient: PatientID; empty where any will do.
        row: What is known about the series; each slice adds what names it.
    """

    name: str
    series: str = ""
    patient: str = ""
    row: Mapping[str, Any] | None = None


def series_parts(
    raw: RawReader,
    files: Sequence[str],
    wanted: Wanted,
    outlines: Mapping[str, tuple[Polygon, ...]] | None = None,
) -> Iterator[Part | Notice]:
    """Yield the slices of a CT series from feet to head or, where it is no axial one, along its own normal.

    Args:
        raw: The raw files.
        files: The files of its folder.
        wanted: Which series and patient the slices must be of.
        outlines: SOPInstanceUID -> outlines of infection in that slice.
    """
    headers: list[DicomHeader] = []
    for path in files:
        try:
            header = read_header(raw.read(path), path)
        except DamagedFileError as error:
            yield Notice("damaged file", path, str(error), dropped=True, lost=True)
            continue
        if refused := refusal(header, wanted):
            yield Notice(*refused, dropped=True)
        else:
            headers.append(header)
    chosen = yield from _largest_stack(headers, wanted.name)
    if not chosen:
        return
    runs = yield from _runs(raw, in_order(chosen), wanted.name)
    step = yield from _step(runs, wanted.name)
    yield from _slices(raw, [header for run in runs for header, _ in run], step, wanted, outlines or {})


def refusal(header: DicomHeader, wanted: Wanted) -> tuple[str, str, str] | None:
    """Say why a file is no slice of the wanted series (kind, where, what); ``None`` where it is one."""
    path = header.path
    if header.sop_class != CT_IMAGE:
        return "no CT image", path, f"expected the class CT Image Storage, found {header.sop_class or 'none'}"
    for word, what in SCREENS.items():
        if word in header.image_type:
            return word.lower(), path, f"ImageType {'/'.join(header.image_type)}: {what}"
    if wanted.patient and header.patient != wanted.patient:
        return "another patient", path, f"expected {wanted.patient}, found {header.patient or 'none'} in its header"
    if wanted.series and header.series != wanted.series:
        return (
            "another series",
            path,
            f"of series {header.series or 'without a name'}; give each series a folder of its own",
        )
    if header.position is None or header.orientation is None or header.spacing is None:
        return "slice without a place", path, "no ImagePositionPatient, ImageOrientationPatient or PixelSpacing"
    if header.slope is None or header.intercept is None:
        return "no Hounsfield units", path, "no RescaleSlope or RescaleIntercept, and neither is assumed"
    if header.unit not in ("", "HU", "US"):
        return "no Hounsfield units", path, f"its values are in {header.unit!r} (RescaleType)"
    return None


def in_order(headers: Sequence[DicomHeader]) -> list[Slice]:
    """Order slices of one orientation along their normal; file names and instance numbers say nothing.

    The order among slices at one place is that of their acquisition.
    """
    along = normal(headers[0].orientation or ())
    placed = [(header, float(np.dot(along, header.position or ()))) for header in headers]
    return sorted(
        placed, key=lambda item: (round(item[1], 2), item[0].acquisition or 0, item[0].number or 0, item[0].instance)
    )


def normal(orientation: Numbers) -> np.ndarray:
    """Return the direction that slices of an orientation are stacked in: to the left, the back or the head.

    >>> normal((1, 0, 0, 0, 1, 0)).tolist()
    [0.0, 0.0, 1.0]
    """
    across: np.ndarray = np.cross(np.asarray(orientation[:3], float), np.asarray(orientation[3:], float))
    return across if across[np.argmax(np.abs(across))] > 0 else -across


def view_of(orientation: Numbers) -> Literal["axial", "coronal", "sagittal"]:
    """Name the plane that slices of an orientation are nearest to.

    >>> view_of((1, 0, 0, 0, 0, -1))
    'coronal'
    """
    planes: tuple[Literal["sagittal"], Literal["coronal"], Literal["axial"]] = ("sagittal", "coronal", "axial")
    return planes[int(np.argmax(np.abs(normal(orientation))))]


def _largest_stack(headers: Sequence[DicomHeader], name: str) -> Generator[Notice, None, list[DicomHeader]]:
    """Keep the slices of the commonest series, orientation, size and spacing; tell of each other slice."""
    kinds = {header.path: _geometry(header) for header in headers}
    if not kinds:
        return []
    common, count = min(Counter(kinds.values()).items(), key=lambda item: (-item[1], item[0]))
    for header in headers:
        if (own := kinds[header.path]) != common:
            names = ("series", "orientation", "size", "pixel spacing")
            differs = [text for text, one, other in zip(names, own, common, strict=True) if one != other]
            kind = "another series" if differs[0] == "series" else "slice of another geometry"
            yield Notice(kind, header.path, f"differs in {', '.join(differs)} from {count:,} of {name}", dropped=True)
    return [header for header in headers if kinds[header.path] == common]


def _geometry(header: DicomHeader) -> tuple[str, Numbers, tuple[int, int], Numbers]:
    # Adding zero makes one number of 0.0 and -0.0.
    orientation = tuple(round(value, 2) + 0.0 for value in header.orientation or ())
    spacing = tuple(round(value, 4) for value in header.spacing or ())
    return header.series, orientation, (header.rows, header.columns), spacing


def _runs(raw: RawReader, ordered: Sequence[Slice], name: str) -> Generator[Notice, None, list[list[Slice]]]:
    """Split slices into runs that have each place once: equal doubles are dropped, others are another acquisition."""
    places: list[list[Slice]] = []
    for item in ordered:
        if places and item[1] - places[-1][0][1] < SAME_PLACE_MM:
            places[-1].append(item)
        else:
            places.append([item])
    runs: dict[int, list[Slice]] = defaultdict(list)
    for place in places:
        distinct = place[:1] if len(place) == 1 else (yield from _distinct(raw, place))
        for number, item in enumerate(distinct):
            runs[number].append(item)
    if len(runs) > 1:
        counts = " and ".join(str(len(run)) for run in runs.values())
        what = f"{len(runs[1]):,} places have several different images: kept, as acquisitions of {counts} slices"
        yield Notice("several acquisitions", name, what)
    return list(runs.values())


def _distinct(raw: RawReader, place: Sequence[Slice]) -> Generator[Notice, None, list[Slice]]:
    """Keep one of each set of equal pixels among slices at one place."""
    seen: dict[bytes, str] = {}
    kept = []
    for header, along in place:
        try:
            pixels = read_hounsfield(raw.read(header.path), header.path).tobytes()
        except DamagedFileError:
            kept.append((header, along))  # told when its turn comes
            continue
        first = seen.setdefault(pixels, header.path)
        if first == header.path:
            kept.append((header, along))
        else:
            yield Notice("duplicate slice", header.path, f"the pixels and the place of {first}", dropped=True)
    return kept


def _step(runs: Sequence[Sequence[Slice]], name: str) -> Generator[Notice, None, float | None]:
    """Return the usual distance between slices, ``None`` where there is only one; tell of gaps."""
    distances = [np.diff([along for _, along in run]) for run in runs]
    if not any(found.size for found in distances):
        return None
    usual = float(np.median(np.concatenate(distances)))
    for run, found in zip(runs, distances, strict=True):
        for index in np.flatnonzero(found > WIDE_GAP * usual).tolist():
            low, high = run[index][1], run[index + 1][1]
            missing = max(round(float(found[index]) / usual) - 1, 1)
            what = f"{found[index]:.2f} mm between {low:.2f} and {high:.2f}, usually {usual:.2f} mm"
            yield Notice("gap between slices", name, f"{what}: about {missing:,} slices are missing")
    return round(usual, 4)


def _slices(
    raw: RawReader,
    headers: Sequence[DicomHeader],
    step: float | None,
    wanted: Wanted,
    outlines: Mapping[str, tuple[Polygon, ...]],
) -> Iterator[Part | Notice]:
    """Read the pixels of ordered slices; numbers count places, so that a damaged one leaves a hole and moves nobody."""
    for index, header in enumerate(headers):
        try:
            pixels = read_hounsfield(raw.read(header.path), header.path)
        except DamagedFileError as error:
            yield Notice("damaged file", header.path, str(error), dropped=True, lost=True)
            continue
        mask, wrong = fill(outlines.get(header.instance, ()), (pixels.shape[0], pixels.shape[1]))
        for what in wrong:
            yield Notice("outline does not fit", header.path, what)
        spacing = header.spacing or ()
        own = {
            "SOPInstanceUID": header.instance,
            "InstanceNumber": header.number,
            "AcquisitionNumber": header.acquisition,
            "ImageType": "/".join(header.image_type),
        }
        yield Part(
            id=f"{index:04}",
            path=f"{wanted.name}/{index:04}",
            pixels=pixels,
            masks={} if mask is None else {"infection": mask},
            fields={
                "part_index": index,
                "view": view_of(header.orientation or ()),
                "position": header.position,
                "orientation": header.orientation,
                "spacing": spacing if step is None else (*spacing, step),
                "value_range": "Hounsfield units",
                "source_row": {**(wanted.row or {}), **own},
            },
            typical=index == len(headers) // 2,
        )
    found = {header.instance for header in headers}
    for instance in sorted(set(outlines) - found):
        count = len(outlines[instance])
        what = f"{count:,} outlines are on image {instance}, which is no slice of this series"
        yield Notice("outline without an image", wanted.name, what, dropped=True)
