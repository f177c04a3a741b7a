"""Cases that users saved from web pages by hand: a folder each, with a note and the figures."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.cells import Cells
from covid_datasets.read.notes import Note, read_note
from covid_datasets.schema import File, Notice, RawFiles, Record
from covid_datasets.vocabulary import Modality, Sex, View

HEADERS = ("url", "age", "sex", "date", "location")
"""What a note says of the case of any site; a site's own come after."""
_SEX: Mapping[str, Sex] = {"F": "F", "f": "F", "M": "M", "m": "M"}
_VIEWS: Mapping[str, View] = {"pa": "PA", "ap": "AP", "aps": "AP supine", "ll": "lateral"}
_MODALITIES: Mapping[str, Modality] = {
    **dict.fromkeys(("rx", "cxr", *_VIEWS), "CXR"),
    **dict.fromkeys(("ct", "tc", "tac", "hrct"), "CT"),  # tomografia (assiale) computerizzata
}
LONGEST_NUMBER = 20
LONGEST = 1024
"""Characters of a folder's path; file systems allow no more, and patterns would take their time with it."""
FIGURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Case:
    """One folder: the case that it is of, its name, what its note says, and its figures by their paths, sorted.

    ``stacks`` are the slices of each stack, in the order of the numbers in their names, by the stack's name.
    """

    id: str
    folder: str
    note: Note
    figures: tuple[str, ...]
    stacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def cells(self) -> Cells:
        """What the note says, as cells of a row; an age may have a comma."""
        said = self.note.headers
        return Cells({**said, "age": said.get("age", "").replace(",", ".")}, f"{self.folder}/case.txt")


def read_cases(
    raw: RawFiles, name: str, headers: Sequence[str], note: str = "case.txt", *, stacks: bool = False
) -> Iterator[Case | Notice]:
    """Yield each case of a folder of cases, sorted by folder; with notices, of what is odd about it, before it.

    Where ``credit`` is a header, ``credit 16745_2_1.jpg`` is one too: of that figure alone.

    Args:
        raw: The files.
        name: What a folder is called, as a regular expression whose group is the case; numbers lose zeros in front.
        headers: The headers that a note may begin with.
        note: What a note is called.
        stacks: Whether a folder inside of a case's is a stack of slices.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    slices: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(raw.sizes()):
        folder, _, file = path.rpartition("/")
        outer, _, stack = folder.rpartition("/")
        if not file or len(folder) > LONGEST:
            continue
        if re.fullmatch(name, folder, re.IGNORECASE):
            folders[folder].append(path)
        elif stacks and path.lower().endswith(FIGURES) and re.fullmatch(name, outer, re.IGNORECASE):
            folders[outer] += []
            slices[outer][stack].append(path)
    first: dict[str, str] = {}
    for folder, paths in folders.items():
        match = re.fullmatch(name, folder, re.IGNORECASE)
        case = match[1] if match else folder
        case = str(int(case)) if case.isdecimal() and len(case) < LONGEST_NUMBER else case
        if first.setdefault(case, folder) != folder:
            yield Notice("several folders of one case", folder, f"one patient with {first[case]}")
        text = next((path for path in paths if path.lower() == f"{folder}/{note}".lower()), None)
        figures = tuple(path for path in paths if path.lower().endswith(FIGURES))
        said = Note()
        if text is None:
            yield Notice("text missing", f"{folder}/{note}", "figures are kept, without what a text would say")
        else:
            try:
                files = (path.rpartition("/")[2].lower() for path in figures if "credit" in headers)
                said = read_note(raw.text(text), (*headers, *(f"credit {file}" for file in files)))
            except DamagedFileError as error:
                yield Notice("text not usable", text, str(error))
        ordered = {stack: tuple(sorted(found, key=_in_order)) for stack, found in slices[folder].items()}
        if not figures and not ordered:
            yield Notice("text without a figure", text or folder, "no picture, so no row", dropped=True)
        yield Case(case, folder, said, figures, ordered)


def records_of_case(case: Case, cells: Cells, address: re.Pattern[str]) -> Iterator[Record | Notice]:
    """Yield a record for each figure of a case, and for each slice of its stacks, with what its note says.

    What only the site's builder can say it puts to them with ``replace``: the label, whose the case is.

    Args:
        case: The case.
        cells: Its cells, from which the builder may have read headers of its own.
        address: Finds the case in the address of a page, as its group.
    """
    note, sex, age = case.note, cells.one_of("sex", _SEX), cells.age("age")
    day, place, country, url = cells.date("date"), cells.text("location"), cells.country("location"), cells.text("url")
    if (other := address.search(url or "")) and other[1].lower() != case.id.lower():
        cells.doubt("url of another case", f"{url} in the folder of case {case.id}; kept, and tied to both")
    yield from cells.notices
    stacks = {path: (name, place) for name, found in case.stacks.items() for place, path in enumerate(found)}
    for path in sorted((*case.figures, *stacks)):
        stack, place_in_stack = stacks.get(path, ("", None))
        modality, view = shown(stack) if stack else shown(path)
        if modality is None:
            yield Notice("modality not stated", path, "the name does not say which one; it is null")
        yield Record(
            sample_id=path,
            image=File(path),
            modality=modality,
            patient=case.id,
            view=view,
            sex=sex,
            age=age,
            location=place,
            country=country,
            date=day,
            source_url=url,
            value_range="windowed before publication",
            caption=note.text or None,
            series=f"{case.folder}/{stack}" if stack else None,
            part_index=place_in_stack,
            typical=place_in_stack is None or place_in_stack == len(case.stacks[stack]) // 2,
            source_row={"folder": case.folder, **_said_of(path, note)},
        )


def _said_of(path: str, note: Note) -> dict[str, str]:
    """Take the headers of a note, with the credit that is this figure's own."""
    said = {name: value for name, value in note.headers.items() if not name.startswith("credit ")}
    own = note.headers.get(f"credit {path.rpartition('/')[2].lower()}")
    return {**said, "credit": own} if own else said


def shown(path: str) -> tuple[Modality | None, View | None]:
    """Tell film from slice by the words of a name; one that says both is no evidence.

    >>> shown("case-2/covid-19-caso-2-1-PA.jpg"), shown("HRCT 2.webp"), shown("39EE8E69.jpeg"), shown("RX e TC.gif")
    (('CXR', 'PA'), ('CT', None), (None, None), (None, None))
    """
    words = re.findall(r"[a-z]+", PurePosixPath(path).stem.lower())
    if words[-1:] == ["l"]:
        words[-1] = "ll"
    modalities = {_MODALITIES[word] for word in words if word in _MODALITIES}
    views = {_VIEWS[word] for word in words if word in _VIEWS}
    modality = modalities.pop() if len(modalities) == 1 else None
    return modality, views.pop() if modality == "CXR" and len(views) == 1 else None


def _in_order(path: str) -> tuple[list[int], str]:
    """Sort slice 2 before slice 10."""
    return [int(number) for number in re.findall(r"[0-9]{1,18}", PurePosixPath(path).name)], path
