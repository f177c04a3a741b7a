"""A folder of DICOM files as the slices of one CT series: sorted out, ordered by position, in Hounsfield units.

Every file of the folder becomes a part or is told of. Headers are read first and pixels slice by slice, so that one
slice is in memory and never the series.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.dicom import CT_IMAGE, DicomHeader, read_header, read_hounsfield
from covid_datasets.read.equipment import equipment_of
from covid_datasets.read.polygons import Polygon, fill
from covid_datasets.read.stack import Slice, in_order, largest_stack, oddities, places_of, runs, step, view_of
from covid_datasets.schema import Notice, Part, RawReader

CT_FRAMES = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
"""Classes of CT with many slices in one file."""
SCREENS = {"LOCALIZER": "a localizer, no slice", "SCREEN SAVE": "a picture of a screen, no slice"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the slices of a series are to be: all else in their folder is told and left out.

    Attributes:
        name: What the series is called in reports.
        series: SeriesInstanceUID; empty where any will do.
        patient: PatientID; empty where any will do.
        row: What is known about the series; each slice adds what names it.
        flags: What is odd about all its slices.
    """

    name: str
    series: str = ""
    patient: str = ""
    row: Mapping[str, Any] | None = None
    flags: tuple[str, ...] = ()


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
            yield refused
        else:
            headers.append(header)
    chosen = yield from largest_stack(headers, wanted.name)
    if not chosen:
        return
    stacks = yield from runs((yield from _distinct_places(raw, in_order(chosen))), wanted.name)
    distance = yield from step(stacks, wanted.name)
    series = replace(wanted, flags=("several_acquisitions",) if len(stacks) > 1 else ())
    yield from _slices(raw, [header for stack in stacks for header, _ in stack], distance, series, outlines or {})
    yield from oddities(stacks, wanted.name)  # last: what is told before the slices may mean that some are not there


def refusal(header: DicomHeader, wanted: Wanted) -> Notice | None:
    """Say why a file is no slice of the wanted series; ``None`` where it is one."""
    path = header.path
    if header.sop_class in CT_FRAMES or (header.sop_class == CT_IMAGE and header.frames != 1):
        what = f"{header.frames:,} frames in one file, which is not read: convert it to files of single frames"
        return Notice("several frames in a file", path, what, dropped=True, lost=True)
    if refused := _reason(header, wanted):
        return Notice(refused[0], path, refused[1], dropped=True)
    return None


def _reason(header: DicomHeader, wanted: Wanted) -> tuple[str, str] | None:
    if header.sop_class != CT_IMAGE:
        return "no CT image", f"expected the class CT Image Storage, found {header.sop_class or 'none'}"
    if header.modality not in ("", "CT"):
        return "another modality", f"expected CT, as its class says, found {header.modality!r} (Modality)"
    for word, what in SCREENS.items():
        if word in header.image_type:
            return word.lower(), f"ImageType {'/'.join(header.image_type)}: {what}"
    if wanted.patient and header.patient != wanted.patient:
        return "another patient", f"expected {wanted.patient}, found {header.patient or 'none'} in its header"
    if wanted.series and header.series != wanted.series:
        return "another series", f"of series {header.series or 'without a name'}; give each series a folder of its own"
    if header.position is None or header.orientation is None or header.spacing is None:
        return "slice without a place", "no ImagePositionPatient, ImageOrientationPatient or PixelSpacing"
    if header.slope is None or header.intercept is None:
        return "no Hounsfield units", "no RescaleSlope or RescaleIntercept, and neither is assumed"
    if header.unit not in ("", "HU", "US"):
        return "no Hounsfield units", f"its values are in {header.unit!r} (RescaleType)"
    return None


def _distinct_places(raw: RawReader, ordered: Sequence[Slice]) -> Generator[Notice, None, list[list[Slice]]]:
    """Return the slices at each place; of equal doubles one is kept."""
    places = []
    for place in places_of(ordered):
        places.append(place if len(place) == 1 else (yield from _distinct(raw, place)))
    return places


def _distinct(raw: RawReader, place: Sequence[Slice]) -> Generator[Notice, None, list[Slice]]:
    """Keep one of each set of equal pixels among slices at one place."""
    seen: dict[bytes, str] = {}
    kept = []
    for header, along in place:
        try:
            pixels = read_hounsfield(raw.read(header.path), header.path, header.image).tobytes()
        except DamagedFileError:
            kept.append((header, along))  # told when its turn comes
            continue
        first = seen.setdefault(pixels, header.path)
        if first == header.path:
            kept.append((header, along))
        else:
            yield Notice("duplicate slice", header.path, f"the pixels and the place of {first}", dropped=True)
    return kept


def _slices(
    raw: RawReader,
    headers: Sequence[DicomHeader],
    distance: float | None,
    wanted: Wanted,
    outlines: Mapping[str, tuple[Polygon, ...]],
) -> Iterator[Part | Notice]:
    """Read the pixels of ordered slices; numbers count places, so that a damaged one leaves a hole and moves nobody."""
    for index, header in enumerate(headers):
        try:
            pixels = read_hounsfield(raw.read(header.path), header.path, header.image)
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
            **header.equipment,
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
                "spacing": spacing if distance is None else (*spacing, distance),
                "value_range": "Hounsfield units",
                **equipment_of(header.equipment),
                "flags": (*wanted.flags, *header.flags),
                "source_row": {**(wanted.row or {}), **own},
            },
            typical=index == len(headers) // 2,
        )
    found = {header.instance for header in headers}
    for instance in sorted(set(outlines) - found):
        count = len(outlines[instance])
        what = f"{count:,} outlines are on image {instance}, which is no slice of this series"
        yield Notice("outline without an image", wanted.name, what, dropped=True)
