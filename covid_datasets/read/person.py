"""What the headers of a DICOM series say of its person and scanner, and which of them may tell who the person is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from covid_datasets.errors import DamagedFileError
from covid_datasets.read import equipment
from covid_datasets.read.bounds import border
from covid_datasets.read.dicom import WHOLE, read_elements, text, texts
from covid_datasets.read.equipment import equipment_of
from covid_datasets.read.film import OLDEST, age_in_years
from covid_datasets.schema import NOTHING, RawReader

IDENTIFYING = """
PatientName PatientBirthDate PatientAddress PatientTelephoneNumbers OtherPatientIDs OtherPatientNames StudyDate
SeriesDate AcquisitionDate ContentDate AccessionNumber InstitutionName InstitutionAddress ReferringPhysicianName
PerformingPhysicianName OperatorsName StationName DeviceSerialNumber
""".split()
"""Elements that a release without names leaves empty; PatientID is one too, where it is not the released id."""
_SAID = ("PatientID", "PatientSex", "PatientAge", *equipment.TAGS)


@dataclass(frozen=True, slots=True)
class Described:
    """Fields of a record that a header fills, and the names of elements that may tell who the person is."""

    fields: Mapping[str, Any] = NOTHING
    identifying: tuple[str, ...] = ()


def described(raw: RawReader, files: Sequence[str], patient: str = "") -> Described:
    """Read the first header of a series that can be read; ``patient`` is the id by which it was released.

    Nothing of what may identify a person is returned but the names of the elements.
    """
    for path in files:
        data = raw.read(path)
        try:
            found = read_elements(data, path, [*_SAID, *IDENTIFYING], stop_before_pixels=True)
            with border(path, WHOLE, data):
                odd = [name for name in IDENTIFYING if text(found, name).strip()]
                odd += ["PatientID"] if text(found, "PatientID") not in ("", patient) else []
                return Described(_fields(found), tuple(odd))
        except DamagedFileError:
            continue  # told by whoever reads all of them
    return Described()


def _fields(found: Any) -> dict[str, Any]:
    sex, age = text(found, "PatientSex").strip().upper(), age_in_years(text(found, "PatientAge"))
    return {
        "sex": sex if sex in ("F", "M") else None,
        "age": age if age is None or age <= OLDEST else None,
        **equipment_of(texts(found, equipment.TAGS)),
    }
