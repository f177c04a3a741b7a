"""What the headers of a DICOM series say of its person, and which of them should not be in a release without names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from covid_datasets.errors import DamagedFileError
from covid_datasets.read import identity
from covid_datasets.read.bounds import border
from covid_datasets.read.dicom import WHOLE, read_elements, text, texts
from covid_datasets.read.film import OLDEST, age_in_years
from covid_datasets.schema import NOTHING, RawReader

LEFT_OVER = """
StudyDate SeriesDate AcquisitionDate ContentDate AccessionNumber InstitutionName InstitutionAddress StationName
DeviceSerialNumber
""".split()
"""Elements that lead to a person with the help of a hospital; a release whose header has them was not cleaned."""
_SAID = ("PatientSex", "PatientAge")


@dataclass(frozen=True, slots=True)
class Described:
    """Sex and age, by the names of `schema.Record`, and the names of elements that may tell who the person is."""

    fields: Mapping[str, Any] = NOTHING
    identifying: tuple[str, ...] = ()


def described(raw: RawReader, files: Sequence[str], patient: str = "") -> Described:
    """Read the first header of a series that can be read; ``patient`` is the id by which it was released.

    Nothing of what may identify a person is returned but the names of the elements. They are more than those of
    `identity`: of who publishes scans under ids of his own, other ids and dates are not expected either.
    """
    for path in files:
        data = raw.read(path)
        try:
            found = read_elements(data, path, [*_SAID, *identity.TAGS, *LEFT_OVER], stop_before_pixels=True)
            with border(path, WHOLE, data):
                said = texts(found, identity.TAGS)
                odd = {*identity.identifying(said), *(name for name in LEFT_OVER if text(found, name).strip())}
                odd |= {"PatientID"} if said.get("PatientID", "") not in ("", patient) else set()
                return Described(_fields(found), tuple(sorted(odd)))
        except DamagedFileError:
            continue  # told by whoever reads all of them
    return Described()


def _fields(found: Any) -> dict[str, Any]:
    sex, age = text(found, "PatientSex").strip().upper(), age_in_years(text(found, "PatientAge"))
    return {
        "sex": sex if sex in ("F", "M") else None,
        "age": age if age is None or age <= OLDEST else None,
    }
