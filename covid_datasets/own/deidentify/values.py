"""Values of attributes, one by one: moved in time, capped, or held against what they may be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime, timedelta

OLDEST = 90
"""Years from which on an age is told as this: few people are older, and the rule of HIPAA begins here."""
_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)", re.ASCII)
_TIME = re.compile(r"(\d\d)(\d\d)?(\d\d)?(\.\d{1,6})?", re.ASCII)
_DATETIME = re.compile(r"(\d{8})(?:(\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?))?([+-]\d{4})?", re.ASCII)
_CODE = re.compile(r"[A-Z0-9_ ]{0,16}")
_TEXT = re.compile(r"[ -~]{0,64}")
_WORD = re.compile(r"[^\W_]+")
_RUN = re.compile(r"[^\W\d_]+|\d+")
_LONG_WORD = 5
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae"})
_BARE = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d"})
_AGE = re.compile(r"(\d{3})([DWMY])", re.ASCII)
_A_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}


def moved(date: str, time: str, minutes: int) -> tuple[str, str] | None:
    """Move a date and its time; either may be empty, and ``None`` says that it is none.

    A date without a time is taken to be at noon, a time without a date on any day.

    >>> moved("20200311", "000010.5", -20), moved("20200311", "", -1440), moved("", "0005", -10)
    (('20200310', '234010.5'), ('20200310', ''), ('', '2355'))
    >>> moved("yesterday", "", -1)
    """
    day = _DATE.fullmatch(date.strip()) if date.strip() else None
    hour = _TIME.fullmatch(time.strip()) if time.strip() else None
    if (date.strip() and not day) or (time.strip() and not hour):
        return None
    try:
        at = datetime(*(map(int, day.groups()) if day else (2000, 1, 2)), hour=12)  # type: ignore[misc]
        if hour:
            at = at.replace(hour=int(hour[1]), minute=int(hour[2] or 0), second=min(int(hour[3] or 0), 59))
        at += timedelta(minutes=minutes)
    except (ValueError, OverflowError):
        return None
    # A leap second stays one, and fractions stay as they are written: whole minutes do not touch them.
    seconds = (hour[3] or "") + (hour[4] or "") if hour else ""
    new = f"{at:%H%M}{seconds}" if hour else ""
    return (f"{at.year:04}{at:%m%d}" if day else ""), new


def moved_datetime(value: str, minutes: int) -> str | None:
    """Move a date with its time; one that has no day is none.

    >>> moved_datetime("20200311000010.25+0100", -20), moved_datetime("202003", -20)
    ('20200310234010.25+0100', None)
    """
    found = _DATETIME.fullmatch(value.strip())
    parts = moved(found[1], found[2] or "", minutes) if found else None
    return None if parts is None or found is None else f"{parts[0]}{parts[1]}{found[3] or ''}"


def capped_age(value: str) -> str | None:
    """Tell an age as DICOM does, one over 89 years as 90; ``None`` where it is none.

    >>> capped_age("089Y"), capped_age("093Y"), capped_age("011M"), capped_age("old")
    ('089Y', '090Y', '011M', None)
    """
    found = _AGE.fullmatch(value.strip())
    if found is None:
        return None
    return f"0{OLDEST}Y" if int(found[1]) / _A_YEAR[found[2]] >= OLDEST else found[0]


def is_code(value: str) -> bool:
    """Tell whether a text can be a code of DICOM (CS)."""
    return _CODE.fullmatch(value.strip()) is not None


def is_plain(value: str) -> bool:
    """Tell whether a text is short and of plain letters."""
    return _TEXT.fullmatch(value) is not None


def is_one_of(number: str, words: Collection[str]) -> bool:
    """Tell whether a long number is one of these words, with or without zeros before it.

    >>> is_one_of("4711081", {"0004711081"}), is_one_of("512", {"512"}), is_one_of("4711081.5", {"4711081"})
    (True, False, False)
    """
    plain = number.lstrip("+0")
    return len(plain) >= _LONG_WORD and plain.isdigit() and any(plain == word.lstrip("0") for word in words)


def words_of(texts: Collection[str]) -> frozenset[str]:
    """Return the words of texts that say who somebody is, in lower case, also joined, and in plain letters.

    Words of two letters are none: there are too many that say nothing (a Mr Hu, and HU).

    >>> sorted(words_of(["Doe^Jane Q", "ID-4711", "Müller"]))
    ['4711', '4711id', 'doe', 'doejane', 'id4711', 'jane', 'janedoe', 'mueller', 'muller', 'müller']
    """
    words = {word for text in texts for spelling in _spellings(text) for word in _words_and_joined(spelling)}
    return frozenset(word for word in words if len(word) > 2)


def _spellings(text: str) -> Iterator[str]:
    """Yield a text in lower case as it is written, and as people without its letters write it."""
    with suppress(UnicodeError):  # UTF-8 in a file that does not say so
        if (said := text.encode("latin-1").decode()) != text:
            yield from _spellings(said)
    folded = unicodedata.normalize("NFC", text.casefold())
    for spelling in (folded, folded.translate(_SPELLED), folded.translate(_BARE)):
        yield spelling
        yield "".join(char for char in unicodedata.normalize("NFKD", spelling) if not unicodedata.combining(char))


def _words_and_joined(text: str) -> Iterator[str]:
    words = _WORD.findall(text)
    yield from words
    yield from map(joined, re.split(r"[\^=\s]+", text))
    several = [word for word in words if len(word) > 1]
    yield from ("".join(several), "".join(reversed(several)))


def joined(text: str) -> str:
    """Return the letters and digits of a text, with nothing between them.

    >>> joined("o'neil"), joined("2020-03-10")
    ('oneil', '20200310')
    """
    return "".join(_WORD.findall(text))


def days_of(value: str) -> Iterator[str]:
    """Yield a day as people write it: year, month and day in three orders, with nothing between them.

    >>> list(days_of("20200311120000")), list(days_of("yesterday"))
    (['20200311', '11032020', '03112020'], [])
    """
    if found := _DATE.match(value.strip()):
        year, month, day = found.groups()
        yield from (year + month + day, day + month + year, month + day + year)


def tells(value: str, words: Collection[str]) -> bool:
    """Tell whether a text holds one of these words: a long one anywhere, a short one as a word of its own.

    >>> tells("SOMATOM of JANE", {"jane"}), tells("AXIAL", {"axi"}), tells("SPJohnson1", {"johnson"})
    (True, False, True)
    >>> tells("VB20 DOE1", {"doe"}), tells("2020-03-10", {"20200310"})
    (True, True)
    """
    folded = value.casefold()
    own, together = {*_WORD.findall(folded), *_RUN.findall(folded)}, joined(folded)
    return any(word in own or (len(word) >= _LONG_WORD and (word in folded or word in together)) for word in words)
