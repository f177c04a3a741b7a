"""A radiograph out of a DICOM file, as one sample: its pixels without loss, and what its header says about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from covid_datasets.read import grey, identity
from covid_datasets.read.bounds import MAX_FILM_PIXELS, border
from covid_datasets.read.dicom import WHOLE, numbers, read_elements, several, text, texts
from covid_datasets.read.equipment import equipment_of
from covid_datasets.read.pixels import TAGS, Layout, damaged, layout, stored_pixels
from covid_datasets.schema import Notice, Part, RawReader
from covid_datasets.vocabulary import View

FILMS = {
    "1.2.840.10008.5.1.4.1.1.1": "CR",
    "1.2.840.10008.5.1.4.1.1.1.1": "DX",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "DX, for processing",
}
"""Classes of radiographs."""
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""Pictures that come from elsewhere, of what their publisher says: films too, and photographs of screens."""
VIEWS: Mapping[str, View] = {
    "PA": "PA",
    "AP": "AP",
    "LL": "lateral",
    "RL": "lateral",
    "LAT": "lateral",
    "LATERAL": "lateral",
}
"""ViewPosition, where it says one of our views."""
SPACINGS = {
    "PixelSpacing": "in the patient, or as calibrated",
    "ImagerPixelSpacing": "at the detector, larger than in the patient",
    "NominalScannedPixelSpacing": "on the film that was scanned",
}
"""Where sizes of pixels are measured, the best first."""
OLDEST = 120
_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
SAID = """
SOPClassUID SOPInstanceUID SeriesInstanceUID StudyInstanceUID PatientID Modality ImageType ViewPosition
PatientOrientation PatientAge PatientSex BodyPartExamined SeriesDescription PresentationIntentType BurnedInAnnotation
LossyImageCompression PhotometricInterpretation BitsStored PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing
Manufacturer ManufacturerModelName KVP
""".split()
"""Elements whose untouched text goes into the `source_row` of a film, where they are there."""
_REFERS = "ReferencedImageSequence"
FIELDS = ("age", "sex", "view", "spacing", "manufacturer", "scanner_model", "kvp")
"""Fields of a record that a header can fill."""


@dataclass(frozen=True, slots=True)
class FilmForm:
    """What is to become of a film.

    Attributes:
        secondary: Whether secondary captures are taken too, colour among them.
        originals: Whether a film is told and left out whose header refers to another one (ReferencedImageSequence):
            some scanners send each film once more, processed, as a series of its own.
        shown: Whether all steps to grey are applied, as viewers do. Otherwise stored values are kept and only inverted
            where small ones are white, so that nothing is lost; either way `value_range` says what was done.
        fill: Fields of the record that the header fills, where it says something; leave out what a table knows better.
        row: What a table says about the film: its `source_row`, to which the elements of the header come.
    """

    secondary: bool = False
    originals: bool = False
    shown: bool = False
    fill: tuple[str, ...] = FIELDS
    row: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A radiograph.

    Attributes:
        pixels: 8 or 16 bits without a sign, larger is brighter; with a third axis where a capture has colours.
        fields: What the header says, by the names of `schema.Record`.
        odd: Kind and text of what is odd about it.
    """

    pixels: np.ndarray
    fields: Mapping[str, Any]
    odd: tuple[tuple[str, str], ...] = ()


def film(raw: RawReader, path: str, form: FilmForm | None = None) -> Iterator[Part | Notice]:
    """Yield one DICOM file as the one part of its record, whose sample has the id of the record.

    This is a function for `covid_datasets.schema.Parts`, so no file is read before a worker does. A file of another
    class than radiographs have is told and left out; one that is damaged, or holds several frames, is an error.
    """
    form = form or FilmForm()
    data = raw.read(path)
    found = read_elements(data, path, ["SOPClassUID", _REFERS])
    with border(path, WHOLE, data):
        kind, other = text(found, "SOPClassUID"), _refers_to(found)
    if kind not in FILMS and not (form.secondary and kind == SECONDARY_CAPTURE):
        secondary = kind == SECONDARY_CAPTURE
        name = "a secondary capture, which nobody asked for" if secondary else f"the class {kind or 'none'}"
        yield Notice("no radiograph", path, f"expected a radiograph (CR or DX), found {name}", dropped=True)
        return
    if form.originals and other:
        yield Notice("film made of another one", path, f"its header refers to {other}", dropped=True)
        return
    read = read_film(data, path, form)
    for what, told in read.odd:
        yield Notice(what, path, told)
    filled = {name: read.fields[name] for name in form.fill if read.fields.get(name) is not None}
    for name in ("value_range", "flags"):
        filled[name] = read.fields[name]
    yield Part("", path, read.pixels, fields={**filled, "source_row": {**form.row, **read.fields["source_row"]}})


def read_film(data: bytes, path: str, form: FilmForm | None = None) -> Film:
    """Read the bytes of a radiograph, whole or not at all."""
    form = form or FilmForm()
    found = read_elements(data, path, [*TAGS, *grey.TAGS, *SAID, *identity.TAGS, _REFERS])
    with border(path, WHOLE, data):
        what = layout(found)
        _check(what, data, path, form)
        words = stored_pixels(found, what, data, path)
        fields, odd = header_fields(found)
        if what.channels == 3:
            return Film(words, {**fields, "value_range": "colours of 8 bits"}, tuple(odd))
        if over := int(np.count_nonzero(words >> what.stored)) if what.stored < what.allocated else 0:
            told = f"{over:,} pixels have more than the {what.stored} bits that are stored; the rest was cut off"
            odd.append(("bits beyond those stored", told))
        table = (grey.as_shown if form.shown else grey.as_stored)(found, what)
        pixels = table.grey[words & np.array((1 << what.stored) - 1, words.dtype)]
    return Film(pixels, {**fields, "value_range": table.words}, tuple(odd))


def _check(what: Layout, data: bytes, path: str, form: FilmForm) -> None:
    fits = 1 <= what.rows * what.columns <= MAX_FILM_PIXELS and what.rows > 0 and 1 <= what.stored <= what.allocated
    is_grey = what.channels == 1 and what.photometric.startswith("MONOCHROME") and what.allocated in (8, 16)
    colour = form.secondary and (what.channels, what.photometric, what.allocated) == (3, "RGB", 8)
    if not fits or what.frames != 1 or not (is_grey or colour):
        expected = f"one frame of grey 8- or 16-bit pixels, {MAX_FILM_PIXELS:,} at most"
        raise damaged(
            path, data, f"{what}, {what.photometric or 'without a PhotometricInterpretation'}; expected {expected}"
        )


def header_fields(found: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return what a header (anything with pydicom's ``get``) says of a film, and what is odd about that."""
    said = texts(found, SAID)
    odd: list[tuple[str, str]] = []
    age = age_in_years(said.get("PatientAge", ""))
    if age is not None and age > OLDEST:
        odd.append(("age out of range", f"PatientAge {said['PatientAge']}: nobody is that old, so the age is unknown"))
        age = None
    sex = said.get("PatientSex", "").strip().upper()
    flags = []
    if named := identity.identifying(texts(found, identity.TAGS)):
        flags.append(identity.FLAG)
        odd.append((identity.NOTICE, f"{', '.join(named)} in the header; flagged"))
    if said.get("BurnedInAnnotation", "").strip().upper() == "YES":
        flags.append("burned_in_annotation")
    if said.get("PresentationIntentType", "").strip().upper() == "FOR PROCESSING":
        flags.append("for_processing")
    if other := _refers_to(found):
        said["ReferencedSOPInstanceUID"] = other
        flags.append("refers_to_another_film")
    spacing = None
    measured = {name: sizes for name in SPACINGS if (sizes := numbers(found, name, 2)) and min(sizes) > 0}
    if measured.get("PixelSpacing") == measured.get("ImagerPixelSpacing"):
        measured.pop("PixelSpacing", None)  # by the standard: nobody has calibrated it
    if measured:
        name, sizes = next(iter(measured.items()))
        spacing = sizes[::-1]
        said["spacing_is"] = SPACINGS[name]
    fields = {
        "age": age,
        "sex": sex if sex in ("F", "M") else None,
        "view": VIEWS.get(said.get("ViewPosition", "").strip().upper()),
        "spacing": spacing,
        **equipment_of(said),
        "flags": tuple(flags),
        "source_row": said,
    }
    return fields, odd


def _refers_to(found: Any) -> str:
    """Name the images that a header refers to; empty where it refers to none."""
    named = (text(item, "ReferencedSOPInstanceUID") for item in several(found.get(_REFERS)))
    return "\\".join(filter(None, named))


def age_in_years(value: str) -> float | None:
    """Read an age as DICOM writes it, or as a bare number of years; ``None`` where it says none.

    >>> age_in_years("078Y"), age_in_years("3M"), age_in_years("155"), age_in_years("old")
    (78.0, 0.25, 155.0, None)
    """
    found = re.fullmatch(r"\s*([0-9]{1,4})([YMWD]?)\s*", value.upper())
    return int(found[1]) * _YEARS[found[2] or "Y"] if found else None
