"""Data laid out as BIDS, or MIDS, does: names made of entities, and beside each image its DICOM header as JSON."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.cells import OLDEST
from covid_datasets.read.exports import parsed
from covid_datasets.read.rows import Row, count_by_folder, rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import Notice, RawFiles, RawReader

MAX_SIDECAR = 16 << 20
"""Bytes of one header as JSON; its tables of grey values have 65,536 numbers at most."""
TAGS = {
    "ImageType": "00080008",
    "SOPClassUID": "00080016",
    "SOPInstanceUID": "00080018",
    "StudyDate": "00080020",
    "Modality": "00080060",
    "PresentationIntentType": "00080068",
    "Manufacturer": "00080070",
    "ReferencedImageSequence": "00081140",
    "ReferencedSOPInstanceUID": "00081155",
    "SeriesDescription": "0008103E",
    "ManufacturerModelName": "00081090",
    "ReferringPhysicianName": "00080090",
    "PerformingPhysicianName": "00081050",
    "NameOfPhysiciansReadingStudy": "00081060",
    "OperatorsName": "00081070",
    "PatientName": "00100010",
    "PatientID": "00100020",
    "PatientBirthDate": "00100030",
    "PatientSex": "00100040",
    "OtherPatientIDs": "00101000",
    "OtherPatientNames": "00101001",
    "PatientBirthName": "00101005",
    "PatientAddress": "00101040",
    "PatientMotherBirthName": "00101060",
    "MilitaryRank": "00101080",
    "MedicalRecordLocator": "00101090",
    "PatientTelephoneNumbers": "00102154",
    "ResponsiblePerson": "00102297",
    "RequestingPhysician": "00321032",
    "ConsultingPhysicianName": "0008009C",
    "PhysiciansOfRecord": "00081048",
    "ScheduledPerformingPhysicianName": "00400006",
    "EvaluatorName": "00142006",
    "SecondaryReviewerName": "00140104",
    "ReviewerName": "300E0008",
    "ContentCreatorName": "00700084",
    "NamesOfIntendedRecipientsOfResults": "00401010",
    "OrderEnteredBy": "00402008",
    "PatientBirthDateInAlternativeCalendar": "00100033",
    "PatientTelecomInformation": "00102155",
    "ReferringPhysicianAddress": "00080092",
    "ReferringPhysicianTelephoneNumbers": "00080094",
    "PatientAge": "00101010",
    "BodyPartExamined": "00180015",
    "SliceThickness": "00180050",
    "KVP": "00180060",
    "ImagerPixelSpacing": "00181164",
    "ConvolutionKernel": "00181210",
    "NominalScannedPixelSpacing": "00182010",
    "ViewPosition": "00185101",
    "StudyInstanceUID": "0020000D",
    "SeriesInstanceUID": "0020000E",
    "PatientOrientation": "00200020",
    "PhotometricInterpretation": "00280004",
    "PixelSpacing": "00280030",
    "BitsStored": "00280101",
    "PixelRepresentation": "00280103",
    "PixelPaddingValue": "00280120",
    "BurnedInAnnotation": "00280301",
    "LongitudinalTemporalInformationModified": "00280303",
    "WindowCenter": "00281050",
    "WindowWidth": "00281051",
    "RescaleIntercept": "00281052",
    "RescaleSlope": "00281053",
    "VOILUTFunction": "00281056",
    "LossyImageCompression": "00282110",
    "ModalityLUTSequence": "00283000",
    "LUTDescriptor": "00283002",
    "LUTData": "00283006",
    "VOILUTSequence": "00283010",
    "PresentationLUTShape": "20500020",
}
"""The elements that are read of a header, by the keywords of DICOM."""
_ENTITY = re.compile(r"([a-z]{1,20})-([A-Za-z0-9]{1,40})", re.ASCII)
_DAY = re.compile(r"(?:19|20)[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Name:
    """What the name of a file says: its entities ("sub" -> "S03427"), what it is ("dx"), and its ending (".png")."""

    entities: Mapping[str, str]
    suffix: str
    ending: str


def read_name(path: str) -> Name | None:
    """Read the name of a file; ``None`` where it is none of this kind.

    >>> name = read_name("sub-S1/ses-E2/mod-rx/sub-S1_ses-E2_acq-2_run-1_bp-chest_vp-ll_dx.png")
    >>> name.entities["vp"], name.suffix, name.ending, read_name("readme.txt")
    ('ll', 'dx', '.png', None)
    """
    stem, dot, ending = path.rpartition("/")[2].partition(".")
    *parts, suffix = stem.split("_")
    found = [_ENTITY.fullmatch(part) for part in parts]
    entities = {match[1]: match[2] for match in found if match}
    if not parts or None in found or len(entities) < len(parts) or not suffix.isalnum():
        return None
    return Name(entities, suffix, dot + ending)


class Header:
    """A DICOM header in the JSON of the standard (PS3.18, annex F), to be asked for keywords as pydicom's are.

    >>> Header({"00280004": {"vr": "CS", "Value": ["MONOCHROME1"]}}).get("PhotometricInterpretation")
    'MONOCHROME1'
    """

    def __init__(self, elements: Mapping[str, Any]) -> None:
        """Take the elements by their tags, eight hexadecimal digits."""
        self._elements = elements

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return a value, a list of several, or the items of a sequence; the default where there is nothing."""
        element = self._elements.get(TAGS[keyword])
        element = element if isinstance(element, Mapping) else {}
        value = element.get("Value")
        values = [each for each in (value if isinstance(value, list) else [value]) if each not in (None, "")]
        if element.get("vr") == "PN":
            values = [each.get("Alphabetic", "") if isinstance(each, Mapping) else each for each in values]
        if any(isinstance(each, Mapping) for each in values):
            return [Header(each) for each in values if isinstance(each, Mapping)]
        return default if not values else values[0] if len(values) == 1 else values

    def __getattr__(self, keyword: str) -> Any:
        """Return a value that has to be there."""
        if keyword not in TAGS or (value := self.get(keyword)) is None:
            raise AttributeError(keyword)
        return value

    def __repr__(self) -> str:
        """Say the same on every machine, also where a sequence stands in for a value."""
        return f"Header({json.dumps(self._elements, sort_keys=True)})"

    @property
    def day(self) -> str | None:
        """The day of the study as 2020-03-31; ``None`` where it says none."""
        return day_of(str(self.get("StudyDate", "")))


def read_sidecar(raw: RawReader, path: str) -> Header:
    """Read the header that lies beside an image; one that is no JSON is a `DamagedFileError`."""
    data = raw.read(path)
    if len(data) > MAX_SIDECAR:
        raise DamagedFileError(f"{path}: expected a header as JSON, found {len(data):,} bytes; see MAX_SIDECAR")
    return Header(parsed(data.decode("utf-8-sig", errors="replace"), path, "a DICOM header"))


@dataclass(frozen=True, slots=True)
class Tree:
    """The images of a tree by the names of their files, and what lies with them.

    Attributes:
        images: File name -> path; a name that lies in two places is one image.
        headers: Folder -> the headers in it, sorted.
        outlines: File name of a picture -> what was drawn on it: ``..._mod-cr_roi.xml`` is of ``..._cr.png``.
        notices: What is odd.
    """

    images: dict[str, str]
    headers: Mapping[str, Sequence[str]]
    outlines: Mapping[str, str]
    notices: Sequence[Notice] = ()

    def sidecar(self, path: str) -> tuple[str, bool]:
        """Find the header of an image, and whether it is its own; else the first one of its folder, or none.

        Several images of one session may share a header, which then says of the others whose they are and from when.
        """
        folder, _, file = path.rpartition("/")
        beside, own = self.headers.get(folder, ()), f"{folder}/{file.partition('.')[0]}.json"
        return (own, True) if own in beside else (next(iter(beside), ""), False)


def read_tree(raw: RawFiles, wanted: Collection[str], others: Collection[str] = ()) -> Tree:
    """Find images by how their names end, such as ``dx.png``; what is neither one nor another is told.

    Images and their headers lie in folders of a modality (``mod-rx``); what lies elsewhere is not looked at.
    """
    found: dict[str, str] = {}
    headers: dict[str, list[str]] = defaultdict(list)
    outlines: dict[str, str] = {}
    aside: list[str] = []
    notices = []
    for path in sorted(raw.sizes()):
        folder, _, file = path.replace("\\", "/").rpartition("/")  # some were packed on Windows
        if not folder.rpartition("/")[2].startswith("mod-"):
            continue
        name = read_name(file)
        kind = name.suffix + name.ending if name and {"sub", "ses"} <= name.entities.keys() else ""
        if path.endswith(".json"):
            headers[folder].append(path)
        elif kind == "roi.xml" and name and (modality := name.entities.get("mod")):
            outlines[file.replace(f"_mod-{modality}_roi.xml", f"_{modality}.png")] = path
        elif kind in wanted:
            if found.setdefault(file, path) != path:
                notices.append(Notice("file twice", path, f"{found[file]} is used", dropped=True))
        elif kind in others:
            aside.append(path)
        else:
            expected = " or ".join(f"_{each}" for each in (*wanted, *others))
            notices.append(Notice("extra file", path, f"expected sub-..._ses-...{expected}; not used", dropped=True))
    notices += count_by_folder("of another config", aside, f"are {' or '.join(others)}, which this config leaves out")
    return Tree(found, headers, outlines, notices)


def participants(
    raw: RawFiles, path: str, required: Sequence[str], wanted: Sequence[str] = ()
) -> tuple[dict[str, Sequence[Row]], list[Notice]]:
    """Read the table of people by their ids, ``sub-...``; a row of anybody else is of no person, and told."""
    table = read_csv(raw, path, required=("participant", *required), wanted=wanted, delimiter="\t")
    people = [row for row in table.rows if row["participant"].strip().startswith("sub-")]
    notices = list(table.notices)
    if nobody := [row["participant"] for row in table.rows if not row["participant"].strip().startswith("sub-")]:
        what = f"expected sub-... as a participant, found {', '.join(map(repr, nobody[:5]))}; nobody's rows"
        notices.append(Notice("row of nobody", path, what, dropped=True, count=len(nobody)))
    found, twice = rows_by(people, lambda row: row["participant"].strip(), path)
    return dict(found), [*notices, *twice]


def lowest(cell: str) -> float:
    """Read the lowest of some ages in a list that is a text: how old somebody was when first seen.

    >>> lowest("[81, 80]")
    80.0
    """
    numbers = [word for word in words_of(cell) if word.isascii() and word.isdigit() and len(word) <= 3]
    if not numbers or (years := min(map(int, numbers))) > OLDEST:
        raise ValueError("expected a list of ages such as [80]")
    return float(years)


def day_of(text: str) -> str | None:
    """Read a day as DICOM writes it.

    >>> day_of("20200331"), day_of("20200231"), day_of("")
    ('2020-03-31', None, None)
    """
    try:
        return datetime.strptime(text, "%Y%m%d").date().isoformat() if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def words_of(cell: str) -> list[str]:
    r"""Read a list that somebody wrote as text and somebody else broke: quotes, blanks and empty items left over.

    >>> words_of("cardiomegaly', ' mediastinal enlargement"), words_of("['CT']"), words_of("['a'\t 'b', '', 'a']")
    (['cardiomegaly', 'mediastinal enlargement'], ['CT'], ['a', 'b'])
    """
    parts = re.split(r"[,\t]|['\"]\s+['\"]", cell)
    return list(dict.fromkeys(word for part in parts if (word := part.strip(" \t\r\n'\"[]"))))
