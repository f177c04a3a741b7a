"""Who and where a DICOM file is about: its patient, and the words that must be kept nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from covid_datasets.own.deidentify.values import days_of, joined, words_of

_PEOPLE = """
PatientID OtherPatientIDs IssuerOfPatientID PatientAddress PatientTelephoneNumbers AccessionNumber StudyID
MedicalRecordLocator AdmissionID
""".split()
"""Attributes beside all names (PN) of which no word is kept elsewhere."""
_PLACES = "InstitutionName InstitutionAddress InstitutionalDepartmentName StationName DeviceSerialNumber".split()
"""Attributes whose whole text is kept nowhere else; single words of it, such as chest, say nothing."""


def patient_of(found: Any) -> str:
    """Say who the patient is: by number, else by name and day of birth, else nobody but the study knows."""
    if number := text_of(found, "PatientID").strip():
        return f"number {number}"
    name, born = text_of(found, "PatientName").casefold().strip("^ "), text_of(found, "PatientBirthDate").strip()
    return f"name {name}, born {born}" if name else f"study {text_of(found, 'StudyInstanceUID')}"


def words_about(found: Any) -> Iterator[str]:
    """Yield the words of all names and dates in a data set, and what else says who and where, in lower case."""
    for element in elements_of(found):
        if element is None:
            continue
        if element.VR == "SQ":
            for item in element.value:
                yield from words_about(item)
        elif element.VR == "PN" or element.keyword in _PEOPLE:
            yield from words_of([str(value) for value in values_of(element.value)])
        elif element.keyword in _PLACES:
            for text in (str(value).strip().casefold() for value in values_of(element.value)):
                yield from (word for word in (text, joined(text)) if len(word) > 2)
        elif element.VR in ("DA", "DT"):  # one that stays in a text would tell by how much the others were moved
            for value in values_of(element.value):
                yield from days_of(str(value))


def elements_of(found: Any) -> Iterator[Any]:
    """Yield the elements of a data set, and ``None`` for each that cannot be read."""
    for tag in sorted(found.keys()):
        try:
            yield found[tag]
        except Exception:  # pydicom raises what it likes on values that are none
            yield None


def text_of(found: Any, name: str) -> str:
    """Return an element as text; empty where it is not there or cannot be read."""
    try:
        return "\\".join(map(str, values_of(found.get(name))))
    except Exception:  # as above
        return ""


def values_of(value: Any) -> list[Any]:
    """Return one value, or several, or none as a list."""
    from pydicom.multival import MultiValue

    if value is None or value == "":
        return []
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]
