"""SIRM COVID-19 Database: web pages of cases that users saved by hand, a folder each, with a text and the figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from covid_datasets.read.cases import Case, read_cases
from covid_datasets.read.cells import Cells
from covid_datasets.schema import File, Notice, RawFiles, Record
from covid_datasets.vocabulary import Modality, Sex, View

_FOLDER = r"case-([0-9]+)"
_HEADERS = ("url", "age", "sex", "date", "location")
_SEX: Mapping[str, Sex] = {"F": "F", "f": "F", "M": "M", "m": "M"}
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
    said = case.note.headers
    cells = Cells({**said, "age": said.get("age", "").replace(",", ".")}, f"{case.folder}/case.txt")
    age, sex, day, url = cells.age("age"), cells.one_of("sex", _SEX), cells.date("date"), cells.text("url")
    if (other := re.search(r"caso-0*([0-9]+)", url or "")) and other[1] != case.id:
        cells.doubt("url of another case", f"{url} in the folder of case {case.id}; kept, and tied to both")
    yield from cells.notices
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
            location=cells.text("location"),
            country=cells.country("location"),
            date=day,
            source_url=url,
            value_range="windowed before publication",
            caption=case.note.text or None,
            source_row={"folder": case.folder, **said},
        )


def _shown(path: str) -> tuple[Modality | None, View | None]:
    """Tell film from slice by the words of a name; one that says both is no evidence."""
    words = re.findall(r"[a-z]+", PurePosixPath(path).stem.lower())
    if words[-1:] == ["l"]:
        words[-1] = "ll"
    modalities = {_MODALITIES[word] for word in words if word in _MODALITIES}
    views = {_VIEWS[word] for word in words if word in _VIEWS}
    modality = modalities.pop() if len(modalities) == 1 else None
    return modality, views.pop() if modality == "CXR" and len(views) == 1 else None
