"""What the header beside a picture or volume says of it: functions for `schema.Beside`, and films as viewers show them.

The picture stays the file that it is; only `shown_film` makes another one, for those who ask for it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import numpy as np
from PIL import Image

from covid_datasets.errors import DamagedFileError
from covid_datasets.read import grey, identity
from covid_datasets.read.bids import Header, read_sidecar
from covid_datasets.read.bounds import MAX_PIXELS, border
from covid_datasets.read.cells import Cells
from covid_datasets.read.dicom import several, text, texts
from covid_datasets.read.equipment import TAGS as EQUIPMENT_TAGS
from covid_datasets.read.equipment import equipment_of
from covid_datasets.read.film import header_fields
from covid_datasets.read.pixels import Layout
from covid_datasets.read.rows import Row
from covid_datasets.read.slices import axial_slices
from covid_datasets.schema import Notice, Part, RawReader

DERIVED = ("DERIVED", "SECONDARY", "MPR", "REFORMATTED", "CSA RESAMPLED")
"""Words of ImageType of what was calculated from a scan, or cut anew out of it."""
EQUIPMENT = ("manufacturer", "scanner_model", "kvp")


@dataclass(frozen=True, slots=True)
class Assay:
    """One result of a laboratory, which is not what a picture shows; ``positive`` is null where it was undecided."""

    day: str
    name: str
    positive: bool | None

    def __str__(self) -> str:
        """Say it in one line."""
        said = "undecided" if self.positive is None else "positive" if self.positive else "negative"
        return f"{self.day} {self.name} {said}"


@dataclass(frozen=True, slots=True)
class Side:
    """What is known of a sample before the header beside it is read.

    Attributes:
        path: The header; empty where there is none.
        own: Whether it is the sample's own, and not that of another image of the same session.
        sex: What a table says.
        view: Whether the header may say the view; a table or a person may know better.
        assays: Results of the person.
        row: The `source_row` so far.
    """

    path: str
    own: bool = True
    sex: str | None = None
    view: bool = False
    assays: tuple[Assay, ...] = ()
    row: Mapping[str, Any] = field(default_factory=dict)


Assays = Mapping[str, tuple[Assay, ...]]
"""Results by the person."""


def day_first(text: str) -> date:
    """Read a day as most of Europe writes it.

    >>> day_first("31.03.2020").isoformat()
    '2020-03-31'
    """
    return datetime.strptime(text.strip(), "%d.%m.%Y").date()


def assays_by_person(
    rows: Iterable[Row], where: str, results: Mapping[str, bool | None]
) -> tuple[Assays, list[Notice]]:
    """Read rows of a participant, a date, a test and its result; one without a day or a known result is told.

    >>> row = {"participant": "sub-S1", "date": "31.03.2020", "test": "pcr", "result": "POSITIVO"}
    >>> assays_by_person([row], "tests.tsv", {"POSITIVO": True})[0]["sub-S1"][0].positive
    True
    """
    found: dict[str, list[Assay]] = {}
    notices: list[Notice] = []
    for row in rows:
        cells = Cells(row, f"{where}: {row['participant']}")
        day = cells.value("date", lambda text: day_first(text).isoformat())
        positive, said = cells.one_of("result", results), cells.text("result")
        if day and said in results:
            assay = Assay(day, (cells.text("test") or "").upper(), positive)
            found.setdefault(row["participant"].strip(), []).append(assay)
        notices += cells.notices
    single = {who: tuple(sorted({*each}, key=str)) for who, each in found.items()}
    if twice := sum(map(len, found.values())) - sum(map(len, single.values())):
        notices.append(
            Notice("row listed twice", where, f"{twice:,} results are there before; each counts once", count=twice)
        )
    return single, notices


def film_beside(raw: RawReader, side: Side, picture: str) -> Iterator[Mapping[str, Any] | Notice]:
    """Say what the header of a film says; one that is another's tells only who it is and when it was."""
    yield from _beside(raw, side, picture, _film)


def ct_beside(raw: RawReader, side: Side, volume: str) -> Iterator[Mapping[str, Any] | Notice]:
    """Say what the header of one slice says of its series: who, when, with what, and whether it is a scan at all."""
    yield from _beside(raw, side, volume, _ct)


def scan_slices(raw: RawReader, volume: str, side: Side) -> Iterator[Part | Notice]:
    """Yield the axial slices of a scan, each with what the header beside the volume says.

    This is a function for `covid_datasets.schema.Parts`. What the header calls a localizer, or derived, is told and
    left out: its axial slices were never measured.
    """
    fields: dict[str, Any] = {}
    for found in ct_beside(raw, side, volume):
        if isinstance(found, Notice):
            yield found
        else:
            fields |= found
    if what := sorted({"localizer", "derived_series"}.intersection(fields["flags"])):
        yield Notice("no scan", volume, f"its header says {' and '.join(what)}; it has no slices here", dropped=True)
        return
    for part in axial_slices(raw, volume):
        yield part if isinstance(part, Notice) else replace(part, fields={**fields, **part.fields})


def shown_film(raw: RawReader, picture: str, side: Side, keep: bool) -> Iterator[Part | Notice]:
    """Yield a film as a viewer shows it: with its tables or window, and black where it is black on the screen.

    This is a function for `covid_datasets.schema.Parts`. Where ``keep`` is true nobody may apply a window: the film
    was photographed from a screen, and is only turned where small values are white.
    """
    words = _pixels(raw.read(picture), picture)
    fields: dict[str, Any] = {}
    for found in film_beside(raw, side, picture):
        if isinstance(found, Notice):
            yield found
        else:
            fields |= found
    if "value_range" not in fields or words.ndim == 3:
        yield Notice("shown as stored", picture, "no header of its own says how it becomes grey, or it has colours")
        yield Part("", picture, words, fields={**fields, "value_range": "as stored; no header says what it means"})
        return
    header, deep = read_sidecar(raw, side.path), 8 * words.dtype.itemsize
    with border(side.path, "a header of a film"):
        stored, signed = min(max(int(header.BitsStored), 1), deep), str(header.get("PixelRepresentation")) == "1"
        photometric = text(header, "PhotometricInterpretation").strip().upper()
        rows, columns = words.shape
        what = Layout(rows, columns, 1, 1, deep, stored, signed, photometric, planar=False, highest=stored - 1)
        table = (grey.as_stored if keep else grey.as_shown)(header, what)
    most = (1 << stored) - 1
    if over := int(np.count_nonzero(words > most)):
        yield Notice("bits beyond those stored", picture, f"{over:,} pixels are above {most:,}, and became that")
    yield Part("", picture, table.grey[np.minimum(words, most)], fields={**fields, "value_range": table.words})


def _beside(
    raw: RawReader, side: Side, of: str, own: Callable[[Header, Mapping[str, Any], Side], dict[str, Any]]
) -> Iterator[Mapping[str, Any] | Notice]:
    if not side.path:
        yield Notice("sidecar missing", of, "no header beside it or in its folder: little is known of it")
        yield {"flags": ("no_sidecar",), "source_row": side.row}
        return
    if not side.own:
        yield Notice("sidecar missing", of, f"{side.path} of the same session says who and when, and nothing else")
    try:
        header = read_sidecar(raw, side.path)
        with border(side.path, "a DICOM header as JSON"):  # values are parsed here
            fields, odd = header_fields(header)
            found = _some(fields, ("age", "sex"))
            found |= own(header, fields, side) if side.own else {"flags": ("no_sidecar",)}
            day = header.day
    except DamagedFileError as error:
        yield Notice("sidecar not usable", side.path, str(error))
        yield {"flags": ("no_sidecar",), "source_row": side.row}
        return
    yield from (Notice(kind, side.path, what) for kind, what in odd)
    if side.sex and found.get("sex", side.sex) != side.sex:
        what = f"{found.pop('sex')} in the header, {side.sex} in the table, which is kept"
        yield Notice("sex contradicts the table", side.path, what)
    row = {**side.row, **(fields["source_row"] if side.own else {})}
    if day:
        found["date"] = day
        if assay := nearest(side.assays, day):
            found["clinical"] = {} if assay.positive is None else {"rt_pcr_positive": assay.positive}
            row["days_since_test"] = _days(assay.day, day)
    yield {**found, "source_row": row}


def _film(header: Header, fields: Mapping[str, Any], side: Side) -> dict[str, Any]:
    found = _some(fields, (*EQUIPMENT, "spacing", *(("view",) if side.view else ())))
    inverted = text(header, "PhotometricInterpretation").strip().upper() == grey.INVERTED
    if bits := text(header, "BitsStored"):
        words = [f"stored values of {bits} bits"]
        words += ["MONOCHROME1: small ones are white, not inverted"] if inverted else []
        centre, width = (several(header.get(name)) for name in ("WindowCenter", "WindowWidth"))
        if header.get("VOILUTSequence"):
            words.append("VOI LUT not applied")
        elif centre and width:
            words.append(f"window (centre {centre[0]}, width {width[0]}) not applied")
        found["value_range"] = "; ".join(words)
    return {**found, "flags": (*fields["flags"], *(("monochrome1",) if inverted else ()))}


def _ct(header: Header, fields: Mapping[str, Any], side: Side) -> dict[str, Any]:
    kinds = {str(word).strip().upper() for word in several(header.get("ImageType"))}
    shown = {"localizer": "LOCALIZER" in kinds, "derived_series": not kinds.isdisjoint(DERIVED)}
    named = [flag for flag in fields["flags"] if flag == identity.FLAG]
    said = equipment_of(texts(header, EQUIPMENT_TAGS))
    return {**said, "flags": (*named, *(flag for flag, is_so in shown.items() if is_so))}


def _some(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: fields[name] for name in names if fields.get(name) is not None}


def nearest(assays: Sequence[Assay], day: str) -> Assay | None:
    """Return the PCR that is nearest in time; ``None`` where several that are as near say different things.

    >>> assays = Assay("2020-03-01", "PCR", False), Assay("2020-03-12", "PCR", True), Assay("2020-03-08", "IGG", True)
    >>> nearest(assays, "2020-03-09").positive, nearest(assays, "2020-03-06").positive, nearest((), "2020-03-06")
    (True, False, None)
    """
    swabs = [(abs(_days(assay.day, day)), assay) for assay in assays if assay.name == "PCR"]
    least = min((apart for apart, _ in swabs), default=0)
    near = [assay for apart, assay in swabs if apart == least]
    return min(near, key=lambda assay: assay.day) if len({assay.positive for assay in near}) == 1 else None


def _days(first: str, second: str) -> int:
    return (date.fromisoformat(second) - date.fromisoformat(first)).days


def _pixels(data: bytes, path: str) -> np.ndarray:
    """Decode a PNG of 8 or 16 bits."""
    with border(path, "a whole PNG file", data):
        image = Image.open(io.BytesIO(data), formats=("PNG",))
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels; the limit is {MAX_PIXELS:,}")
        image.load()
        if image.mode in ("I;16", "I"):
            return np.asarray(image).astype(np.uint16)
        return np.asarray(image if image.mode == "L" else image.convert("RGB"))
