"""Cases that users saved from web pages by hand: a folder each, with a note and the figures."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.notes import Note, read_note
from covid_datasets.schema import Notice, RawFiles

LONGEST_NUMBER = 20
FIGURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Case:
    """One folder: the case that it is of, its name, what its note says, and its figures by their paths, sorted."""

    id: str
    folder: str
    note: Note
    figures: tuple[str, ...]


def read_cases(raw: RawFiles, name: str, headers: Sequence[str], note: str = "case.txt") -> Iterator[Case | Notice]:
    """Yield each case of a folder of cases, sorted by folder; with notices, of what is odd about it, before it.

    Args:
        raw: The files.
        name: What a folder is called, as a regular expression whose group is the case; numbers lose zeros in front.
        headers: The headers that a note may begin with.
        note: What a note is called.
    """
    folders: dict[str, list[str]] = defaultdict(list)
    for path in sorted(raw.sizes()):
        folder, _, file = path.rpartition("/")
        if file and re.fullmatch(name, folder, re.IGNORECASE):
            folders[folder].append(path)
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
                said = read_note(raw.text(text), headers)
            except DamagedFileError as error:
                yield Notice("text not usable", text, str(error))
        if not figures:
            yield Notice("text without a figure", text or folder, "no picture, so no row", dropped=True)
        yield Case(case, folder, said, figures)
