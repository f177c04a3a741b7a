"""Elements of a DICOM header that may say who somebody is: found by name, and their values are never repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES = """
PatientName PatientBirthName PatientMotherBirthName OtherPatientNames ResponsiblePerson ReferringPhysicianName
PerformingPhysicianName NameOfPhysiciansReadingStudy RequestingPhysician OperatorsName
""".split()
OTHERS = """
PatientBirthDate PatientAddress PatientTelephoneNumbers OtherPatientIDs MedicalRecordLocator MilitaryRank
""".split()
TAGS = ("PatientID", *NAMES, *OTHERS)
FLAG = "headers_may_identify"
NOTICE = "tags that may identify"
UNREADABLE = "(unreadable)"
"""Stands for what cannot be read: nobody knows that it names nobody."""
# Whole words, for people are called Cannone and Canonico.
_NOBODY = re.compile(
    r"(?<![a-z])(anon(ymous|ymi[sz]ed)?|de.?identified|removed|unknown|none|null|nobody|patient|pseudonym(i[sz]ed)?)"
    r"(?![a-z])|^[x*^ ._-]*$",
    re.IGNORECASE,
)
_NO_DATE = ("", "19000101", "00010101")


def identifying(said: Mapping[str, str]) -> tuple[str, ...]:
    """Name the elements that may identify a person, sorted; pseudonyms and placeholders do not.

    A name is taken for a pseudonym where it is the PatientID, has a digit in it, or says that it is none.

    >>> identifying({"PatientID": "P1", "PatientName": "Doe^Jane", "PatientBirthDate": "19561103"})
    ('PatientBirthDate', 'PatientName')
    >>> identifying({"PatientID": "P1", "PatientName": "P1", "OperatorsName": "Anonymous"})
    ()
    """
    own = said.get("PatientID", "").strip()
    found = [tag for tag in NAMES if _is_name(said.get(tag, "").strip(), own)]
    found += [
        tag
        for tag in OTHERS
        if (value := said.get(tag, "").strip()) not in (*_NO_DATE, own) and not _NOBODY.search(value)
    ]
    return tuple(sorted(found))


def _is_name(value: str, own: str) -> bool:
    has_digit = any(char.isdigit() for char in value)
    return value not in ("", own) and not has_digit and not _NOBODY.search(value)
