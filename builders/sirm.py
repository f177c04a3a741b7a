"""SIRM COVID-19 Database: web pages of cases that users saved by hand, a folder each, with a text and the figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from covid_datasets.read.cases import Case, read_cases
from covid_datasets.schema import File, Modality, Notice, RawFiles, Record, Sex, View

_FOLDER = r"case-([0-9]+)"
_HEADERS = ("url", "age", "sex", "date", "location")
_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}
_VIEWS: Mapping[str, View] = {"pa": "PA", "ap": "AP", "aps": "AP supine", "ll": "lateral"}
_MODALITIES: Mapping[str, Modality] = {
    **dict.fromkeys(("rx", "cxr", *_VIEWS), "CXR"),
    **dict.fromkeys(("ct", "tc", "tac", "hrct"), "CT"),  # tomografia (assiale) computerizzata
}


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each figure of each case, sorted by folder."""
    for case in read_cases(raw, _FOLDER, _HEADERS):
        if isinstance(case, Notice):
            yield case
        else:
            yield from _figures(case)


def _figures(case: Case) -> Iterator[Record | Notice]:
    said, where = case.note.headers, f"{case.folder}/case.txt"
    age, sex = _age(said.get("age", "")), _SEX.get(said.get("sex", "").upper())
    day = _day(said.get("date", ""))
    for name, value in (("age", age), ("sex", sex), ("date", day)):
        if (given := said.get(name)) and value is None:
            yield Notice("unknown value", where, f"{name} is {given!r}; left unknown")
    url, location = said.get("url"), said.get("location")
    if (other := re.search(r"caso-0*([0-9]+)", url or "")) and other[1] != case.id:
        yield Notice("url of another case", where, f"{url} in the folder of case {case.id}; kept, and tied to both")
    for path in case.figures:
        modality, view = _shown(path)
        if modality is None:
            yield Notice("modality not stated", path, "the name does not say which one; it is null")
        yield Record(
            sample_id=path,
            image=File(path),
            modality=modality,
            patient=case.id,
            view=view,
            label="covid19",
            label_raw="COVID-19",
            sex=sex,
            age=age,
            location=location,
            country=location.rsplit(",", 1)[-1].strip() or None if location else None,
            date=day,
            source_url=url,
            value_range="windowed before publication",
            caption=case.note.text or None,
            source_row={"folder": case.folder, **said},
        )


def _age(text: str) -> float | None:
    text = text.replace(",", ".")
    years = float(text) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", text) else None
    return years if years is not None and years <= 120 else None


def _day(text: str) -> str | None:
    """Take a day, or a month or year where the page says no more."""
    return text if re.fullmatch(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?", text) else None


def _shown(path: str) -> tuple[Modality | None, View | None]:
    """Tell film from slice by the words of a name; one that says both is no evidence."""
    words = re.findall(r"[a-z]+", PurePosixPath(path).stem.lower())
    if words[-1:] == ["l"]:
        words[-1] = "ll"
    modalities = {_MODALITIES[word] for word in words if word in _MODALITIES}
    views = {_VIEWS[word] for word in words if word in _VIEWS}
    modality = modalities.pop() if len(modalities) == 1 else None
    return modality, views.pop() if modality == "CXR" and len(views) == 1 else None
