"""COVID-19 Radiography Database: a collection of collections, by class, with tables of origins and masks of lungs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from covid_datasets.read.cells import Cells
from covid_datasets.read.made import MaskFile, picture_mask
from covid_datasets.read.rows import Row, not_in, rows_by
from covid_datasets.read.tables import read_xlsx
from covid_datasets.schema import File, Made, Notice, RawFiles, Record

_FILM = re.compile(r"(?P<folder>[^/]+)/(?P<kind>images/|masks/|)(?P<name>[^/]+)\.png")
_NUMBERED = re.compile(r"(?P<name>.{0,99}?)[ -]{0,9}\(?(?P<number>\d{1,9})\)?")
_TABLE = ".metadata.xlsx"
_SIZE = (299, 299)
"""Rows and columns of a film, says the readme; its mask has a size of its own."""


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each film that is there or that a table lists, class by class."""
    folders: dict[str, dict[str, dict[str, str]]] = {}
    for path in raw.paths("*.png"):
        if not (found := _FILM.fullmatch(path)):
            yield Notice("extra file", path, "no film or mask in a folder of a class", dropped=True)
            continue
        kind = "masks" if found["kind"] == "masks/" else "films"
        paths = folders.setdefault(found["folder"], {"films": {}, "masks": {}})[kind]
        if (first := paths.setdefault(number_of(found["name"]), path)) != path:
            yield Notice("file twice", path, f"{first} is of the same number and is used", dropped=True)
    tables = {path.removesuffix(_TABLE).casefold(): path for path in raw.paths(f"*{_TABLE}")}
    for folder, kinds in sorted(folders.items()):
        yield from _class(raw, folder, kinds["films"], kinds["masks"], tables.pop(folder.casefold(), ""))
    for path in tables.values():
        yield Notice("table without films", path, "no folder of this name has a film", dropped=True)


def number_of(name: str) -> str:
    """Take the number of a film, which is what stays of its name from one release to the next, and in the tables.

    >>> number_of("COVID (12)"), number_of("NORMAL-12"), number_of("COVID-19-12"), number_of("scan")
    ('12', '12', '12', 'scan')
    """
    found = _NUMBERED.fullmatch(name.strip())
    return str(int(found["number"])) if found else name


def _class(
    raw: RawFiles, folder: str, films: dict[str, str], masks: dict[str, str], table: str
) -> Iterator[Record | Notice]:
    rows: dict[str, list[Row]] = {}
    if table:
        read = read_xlsx(raw, table, required=("FILE NAME", "URL"))
        rows, notices = rows_by(read.rows, lambda row: row["FILE NAME"] and number_of(row["FILE NAME"]), table)
        yield from (*read.notices, *notices)
        kept = "it is kept, and nothing says where it is from"
        yield from not_in(table, films.values(), [films[number] for number in rows if number in films], kept=kept)
        for number in sorted(rows.keys() - films.keys()):
            what = f"{table} lists {rows[number][0]['FILE NAME']!r}, but no such film is there"
            yield Notice("missing file", f"{folder}/{number}", what, dropped=True, lost=True)
    else:
        yield Notice("table missing", f"{folder}{_TABLE}", "nothing says where these films are from")
    for number in sorted(masks.keys() - films.keys()):
        yield Notice("mask without a film", masks[number], "no film has its number", dropped=True)
    for number, path in sorted(films.items()):
        if masks and number not in masks:
            yield Notice("mask missing", path, "the others of its class have one")
        yield from _record(path, folder, masks.get(number), rows.get(number, [{}])[0])


def _record(path: str, folder: str, mask: str | None, row: Row) -> Iterator[Record | Notice]:
    cells = Cells({**row, "folder": folder}, path)
    drawn: dict[str, Made] = {"lung": picture_mask(MaskFile(mask), size=_SIZE, fit="nearest")} if mask else {}
    yield Record(
        sample_id=PurePosixPath(path).name,
        image=File(path),
        modality="CXR",
        label=cells.finding("folder"),
        label_raw=folder,
        masks=drawn,
        source_url=cells.text("URL"),
        flags=tuple(cells.flags),
        source_row=row,
    )
    yield from cells.notices
