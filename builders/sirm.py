"""SIRM COVID-19 Database: web pages of cases that users saved by hand, a folder each, with a text and the figures."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from covid_datasets.card import Modality
from covid_datasets.errors import DamagedFileError
from covid_datasets.fetch.raw import RawFiles
from covid_datasets.formats.notes import Note, read_note
from covid_datasets.schema import File, Notice, Record, Sex, View

_PATH = re.compile(r"case-([0-9]+)/([^/.][^/]*)", re.IGNORECASE)
_FIGURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff")
_HEADERS = ("url", "age", "sex", "date", "location")
_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}
_VIEWS: Mapping[str, View] = {"pa": "PA", "ap": "AP", "aps": "AP supine", "ll": "lateral"}
_MODALITIES: Mapping[str, Modality] = {
    **dict.fromkeys(("rx", "cxr", *_VIEWS), "CXR"),
    **dict.fromkeys(("ct", "tc", "tac", "hrct"), "CT"),  # tomografia (assiale) computerizzata
}


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each figure of each case, sorted by path."""
    folders: dict[tuple[int, str], list[str]] = defaultdict(list)
    for path in sorted(raw.sizes()):
        if match := _PATH.fullmatch(path):
            folders[int(match[1]), path.partition("/")[0]].append(path)
    notes: dict[tuple[int, str], Note] = {}
    for (case, folder), paths in sorted(folders.items()):
        if others := [other for number, other in folders if number == case and other < folder]:
            yield Notice("several folders of one case", folder, f"one patient with {', '.join(others)}")
        text = next((path for path in paths if path.lower().endswith("/case.txt")), None)
        try:
            notes[case, folder] = read_note(raw.text(text), _HEADERS) if text else Note()
        except DamagedFileError as error:
            notes[case, folder] = Note()
            yield Notice("text not usable", text or folder, str(error))
        if not text:
            yield Notice("text missing", f"{folder}/case.txt", "its figures are kept, without what a text would say")
        if not any(map(_is_figure, paths)):
            yield Notice("text without a figure", text or folder, "no picture, so no row", dropped=True)
    for (case, folder), paths in sorted(folders.items()):
        yield from _figures(case, folder, notes[case, folder], [path for path in paths if _is_figure(path)])


def _figures(case: int, folder: str, note: Note, paths: list[str]) -> Iterator[Record | Notice]:
    where = f"{folder}/case.txt"
    age, sex = _age(note.headers.get("age", "")), _SEX.get(note.headers.get("sex", "").upper())
    for name, value in (("age", age), ("sex", sex)):
        if (given := note.headers.get(name)) and value is None:
            yield Notice("unknown value", where, f"{name} is {given!r}; left unknown")
    url, location = note.headers.get("url"), note.headers.get("location")
    if (said := re.search(r"caso-([0-9]+)", url or "")) and int(said[1]) != case:
        yield Notice("url of another case", where, f"{url} in the folder of case {case}; kept, and tied to both")
    for path in paths:
        modality, view = _shown(path)
        if modality is None:
            yield Notice("modality not stated", path, "the name does not say which one; it is null")
        yield Record(
            sample_id=path,
            image=File(path),
            modality=modality,
            patient=str(case),
            view=view,
            label="covid19",
            label_raw="COVID-19",
            sex=sex,
            age=age,
            location=location,
            country=location.rsplit(",", 1)[-1].strip() or None if location else None,
            date=note.headers.get("date"),
            source_url=url,
            value_range="8-bit, windowed before publication",
            caption=note.text or None,
            source_row={"folder": folder, **note.headers},
        )


def _is_figure(path: str) -> bool:
    return path.lower().endswith(_FIGURES)


def _age(text: str) -> float | None:
    text = text.replace(",", ".")
    years = float(text) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", text) else None
    return years if years is not None and years <= 120 else None


def _shown(path: str) -> tuple[Modality | None, View | None]:
    """Tell film from slice by the words of a name; one that says both is no evidence."""
    words = re.findall(r"[a-z]+", PurePosixPath(path).stem.lower())
    if words[-1:] == ["l"]:
        words[-1] = "ll"
    modalities = {_MODALITIES[word] for word in words if word in _MODALITIES}
    views = {_VIEWS[word] for word in words if word in _VIEWS}
    modality = modalities.pop() if len(modalities) == 1 else None
    return modality, views.pop() if modality == "CXR" and len(views) == 1 else None
