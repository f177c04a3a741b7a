"""Elements of a DICOM header that may say who somebody is: found by name, and their values are never repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES = """
PatientName PatientBirthName PatientMotherBirthName OtherPatientNames ResponsiblePerson ReferringPhysicianName
ConsultingPhysicianName PhysiciansOfRecord PerformingPhysicianName ScheduledPerformingPhysicianName
NameOfPhysiciansReadingStudy RequestingPhysician OperatorsName EvaluatorName SecondaryReviewerName ReviewerName
ContentCreatorName NamesOfIntendedRecipientsOfResults OrderEnteredBy
""".split()
OTHERS = """
PatientBirthDate PatientBirthDateInAlternativeCalendar PatientAddress PatientTelephoneNumbers PatientTelecomInformation
ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers OtherPatientIDs MedicalRecordLocator MilitaryRank
""".split()
TAGS = ("PatientID", *NAMES, *OTHERS)
FLAG = "headers_may_identify"
NOTICE = "tags that may identify"
UNREADABLE = "(unreadable)"
"""Stands for what cannot be read: nobody knows that it names nobody."""
# Whole words and no others, for people are called Cannone, and Null.
_NOBODY = re.compile(
    r"((anon(ymous|ymi[sz]ed)?|de.?identified|removed|unknown|none|null|nobody|patient|pseudonym(i[sz]ed)?|x+)"
    r"(?![^\W\d_])|[\W_])*",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[=\\]")
"""Stands between the spellings of one name (PS3.5, 6.2: letters, ideograms, sound), and between names."""
_BETWEEN_WORDS = re.compile(r"[\s^,;()]+")
_NO_DATE = ("", "19000101", "00010101")


def identifying(said: Mapping[str, str]) -> tuple[str, ...]:
    """Name the elements that may identify a person, sorted; pseudonyms and placeholders do not.

    A name is taken for a pseudonym where each of its spellings is the PatientID, says that it is none, or has a number
    and no more than one word beside it; one of several words is a name even where it is the PatientID.

    >>> identifying({"PatientID": "P1", "PatientName": "Doe^Jane", "PatientBirthDate": "19561103"})
    ('PatientBirthDate', 'PatientName')
    >>> identifying({"PatientID": "P1", "PatientName": "P1", "OperatorsName": "Anonymous"})
    ()
    >>> identifying({"PatientID": "P1", "PatientName": "Case 12", "OperatorsName": "Doe^Jane^^^3"})
    ('OperatorsName',)
    """
    own = said.get("PatientID", "").strip()
    own = "" if len(_words(own)) > 1 else own
    found = [tag for tag in NAMES if any(_is_name(name.strip(), own) for name in _BETWEEN.split(said.get(tag, "")))]
    for tag in OTHERS:
        value = said.get(tag, "").strip()
        is_own = value == own and tag != "PatientBirthDate"
        if value not in _NO_DATE and not is_own and not _NOBODY.fullmatch(value):
            found.append(tag)
    return tuple(sorted(found))


def _is_name(value: str, own: str) -> bool:
    if value == own or _NOBODY.fullmatch(value):
        return False
    has_digit = any(char.isdigit() for char in value)
    return not has_digit or len(_words(value)) > 1


def _words(value: str) -> list[str]:
    """Return the words of a name that have no digit and do not say that it names nobody."""
    words = [word for word in _BETWEEN_WORDS.split(value) if not _NOBODY.fullmatch(word)]
    return [word for word in words if not any(char.isdigit() for char in word)]
