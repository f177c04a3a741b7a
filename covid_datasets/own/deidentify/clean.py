"""One DICOM file without what says whose it is: a new data set of what the profile keeps, and what was done."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

from covid_datasets.own.deidentify.pixels import clean_pixels
from covid_datasets.own.deidentify.profile import Action, action_for, profile
from covid_datasets.own.deidentify.secret import Secret
from covid_datasets.own.deidentify.values import capped_age, is_code, is_one_of, is_plain, moved, moved_datetime, tells
from covid_datasets.own.deidentify.who import patient_of, text_of, values_of, words_about
from covid_datasets.read.bounds import border

WHOLE = "a whole DICOM image"
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 32
"""The standard has 16; files with 20 are common, and readers take them."""
_IMPLEMENTATION = "1.2.826.0.1.3680043.8.498.1"
"""Of pydicom, which writes the files."""


class NoImageError(ValueError):
    """A file is no image that this profile can clean; the message quotes none of its values."""


@dataclass(slots=True)
class Cleaned:
    """A file without what says whose it is.

    Attributes:
        data: Its bytes.
        patient: Who the patient is, in the words of the file; this must stay secret.
        pseudonym: What the patient is called in ``data``.
        uids: The new UIDs of study, series and instance.
        changes: What was done: where, by keywords or numbers of tags, and what. No value is quoted.
        warnings: What a person should look at.
    """

    data: bytes
    patient: str
    pseudonym: str
    uids: tuple[str, str, str]
    changes: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def clean(data: bytes, path: str, secret: Secret, *, keep_burned_in: bool = False) -> Cleaned:
    """Clean the bytes of a DICOM file.

    Raises:
        DamagedFileError: It is no whole DICOM file.
        NoImageError: It is one that this profile cannot clean.
    """
    from pydicom import dcmread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        with border(path, WHOLE, data):
            found = dcmread(io.BytesIO(data))
            kind, syntax = str(found.get("SOPClassUID", "")), found.file_meta.TransferSyntaxUID
        told = _refuse(found, kind, keep_burned_in)
        with border(path, WHOLE, data):
            from pydicom.filewriter import correct_ambiguous_vr

            found = correct_ambiguous_vr(found, syntax.is_little_endian)
            pixels = [("PixelData", f"removed: {what}") for what in clean_pixels(found)]
            patient = patient_of(found)
            uids = {name: text_of(found, name) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")}
            work = _Work(secret, patient, secret.pseudonym(patient), frozenset(words_about(found)))
            new = work.dataset(found)
            _say(new, work)
            for name, uid in uids.items():
                if not uid:
                    setattr(new, name, secret.uid(f"{path} {name}"))
            return Cleaned(
                _written(new, found, syntax),
                patient,
                work.pseudonym,
                (str(new.StudyInstanceUID), str(new.SeriesInstanceUID), str(new.SOPInstanceUID)),
                (*work.changes, *pixels),
                told,
            )


def _refuse(found: Any, kind: str, keep_burned_in: bool) -> tuple[str, ...]:
    """Raise where a file is nothing that can be cleaned; else return what a person should look at."""
    rules = profile()
    if kind not in rules.classes + rules.pictures:
        raise NoImageError("no image of a class that can be cleaned (reports, structures and documents are left out)")
    burned_in = text_of(found, "BurnedInAnnotation").strip().upper()
    if burned_in == "YES" and not keep_burned_in:
        raise NoImageError("BurnedInAnnotation is YES: its pixels hold text that may say whose it is")
    screen = "SCREEN SAVE" in text_of(found, "ImageType").upper()
    told = []
    if burned_in == "YES":
        told.append("its pixels hold text (BurnedInAnnotation)")
    elif (kind in rules.pictures or screen) and burned_in != "NO":
        told.append("its pixels may hold text: a picture of a kind that often does, and the header does not deny it")
    if text_of(found, "RecognizableVisualFeatures").strip().upper() == "YES":
        told.append("a face may be recognised (RecognizableVisualFeatures)")
    return tuple(told)


@dataclass(slots=True)
class _Work:
    secret: Secret
    patient: str
    pseudonym: str
    words: frozenset[str]
    changes: list[tuple[str, str]] = field(default_factory=list)

    def dataset(self, found: Any, where: str = "") -> Any:
        """Return a data set of what is kept of another; sequences are cleaned inside."""
        from pydicom.dataset import Dataset

        new = Dataset()
        times = self._times(found)
        for tag in sorted(found.keys()):
            try:
                element = found[tag]
                vr = element.VR
            except Exception:  # pydicom raises what it likes on values that are none
                self.changes.append((where + _name(tag), "removed: not readable"))
                continue
            if tag.group == 0x7FE0 and element.keyword == "PixelData" and not where:
                new.add(element)
                continue
            action = action_for(int(tag), vr)
            name = where + (element.keyword if element.keyword and not tag.is_private else _name(tag))
            if action == "sequence":
                new.add_new(tag, vr, self._items(element, name))
                continue
            value, done = self._value(action, element, times)
            if done:
                self.changes.append((name, done))
            if value is not None:
                new.add_new(tag, vr, value)
        return new

    def _items(self, element: Any, name: str) -> list[Any]:
        return [self.dataset(item, f"{name}[{at}].") for at, item in enumerate(element.value)]

    def _times(self, found: Any) -> dict[str, str | None]:
        """Move all dates and times of a data set, each date with its time; ``None`` for what is none."""
        rules, minutes = profile(), self.secret.minutes(self.patient)
        result: dict[str, str | None] = {}
        for stem in dict.fromkeys(name.removesuffix("Date").removesuffix("Time") for name in rules.date + rules.time):
            day, hour = text_of(found, f"{stem}Date"), text_of(found, f"{stem}Time")
            both = moved(day, hour, minutes)
            if both is None:  # one of them is none: the other is moved by itself
                both = ((moved(day, "", minutes) or ("",))[0], (moved("", hour, minutes) or ("", ""))[1])
            result[f"{stem}Date"] = both[0] or (None if day else "")
            result[f"{stem}Time"] = both[1] or (None if hour else "")
        return result

    def _value(self, action: Action, element: Any, times: dict[str, str | None]) -> tuple[Any, str]:
        """Return the value that stays, ``None`` where none does, and what was done; nothing where it is as it was."""
        if action == "remove":
            return None, "removed"
        if action == "empty":
            return "", "emptied" if values_of(element.value) else ""
        if action == "pseudonym":
            return self.pseudonym, "pseudonym"
        if action in ("date", "time"):
            new = times.get(element.keyword)
            return (None, "removed: no date or time") if new is None else (new, "moved" if new else "")
        return self._kept(action, element)

    def _kept(self, action: Action, element: Any) -> tuple[Any, str]:
        values = values_of(element.value)
        kept = [self._one(action, element.VR, value) for value in values]
        if any(value is None for value in kept):
            return ("", "emptied") if action == "sex" else (None, f"removed: {_WRONG.get(action, 'no such value')}")
        same = all(new == old for new, old in zip(kept, values, strict=True))
        done = "" if same else {"uid": "another UID", "datetime": "moved", "age": "capped"}.get(action, "")
        return (kept[0] if len(kept) == 1 else kept), done

    def _one(self, action: Action, vr: str, value: Any) -> Any:
        """Return what becomes of one value; ``None`` where it is not what it should be."""
        if action == "number":
            return _number(vr, value, self.words)
        if action == "table":
            return _table(value, self.words)
        text = str(value)
        if action == "uid":
            return _uid(text, self.secret)
        if action == "datetime":
            return moved_datetime(text, self.secret.minutes(self.patient))
        if action == "age":
            return capped_age(text)
        if action == "sex":
            return text.strip() if text.strip() in ("F", "M", "O") else None
        fits = is_code(text) if action == "code" else is_plain(text)
        return None if not fits or tells(text, self.words) else text


_WRONG = {
    "number": "no number, or one of a person or a date",
    "text": "no plain text, or it tells who or where",
    "code": "no code, or it tells who or where",
    "datetime": "no date and time",
    "age": "no age",
}


def _number(vr: str, value: Any, words: frozenset[str]) -> Any:
    """Return a number as a number; texts that are numbers (DS, IS) are written anew, unless a person has them."""
    if vr in ("DS", "IS"):
        text = str(value).strip()
        fits = _DECIMAL.fullmatch(text) and len(text) <= _LONGEST_NUMBER
        return text if fits and not is_one_of(text, words) else None
    return value if isinstance(value, int | float) else None


def _table(value: Any, words: frozenset[str]) -> Any:
    """Return a table of grey or colours, unless it holds a word."""
    if isinstance(value, bytes):
        return None if tells(value.decode("latin-1"), {word for word in words if len(word) > 3}) else value
    return value if isinstance(value, int) else None


def _uid(text: str, secret: Secret) -> str:
    from pydicom.uid import UID_dictionary

    return text if text in UID_dictionary else secret.uid(text)


def _name(tag: Any) -> str:
    return f"({tag.group:04x},{tag.element:04x})"


def _say(new: Any, work: _Work) -> None:
    """Say in a data set that it was cleaned, and how; what every image has to have is there."""
    from pydicom.dataset import Dataset

    rules = profile()
    for name in rules.empty:
        if name not in new:
            setattr(new, name, "")
    for name in rules.pseudonym:
        setattr(new, name, work.pseudonym)
    new.PatientIdentityRemoved = "YES"
    new.DeidentificationMethod = list(rules.method)
    new.DeidentificationMethodCodeSequence = []
    for code, meaning in rules.codes:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", meaning
        new.DeidentificationMethodCodeSequence.append(item)
    new.LongitudinalTemporalInformationModified = "MODIFIED"


def _written(new: Any, found: Any, syntax: Any) -> bytes:
    """Write a data set with a header of its own, in the transfer syntax that it had."""
    from pydicom import dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = new.SOPClassUID
    meta.MediaStorageSOPInstanceUID = new.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax == DeflatedExplicitVRLittleEndian else syntax
    meta.ImplementationClassUID = _IMPLEMENTATION
    new.file_meta = meta
    out = io.BytesIO()
    dcmwrite(out, new, enforce_file_format=True)
    return out.getvalue()
