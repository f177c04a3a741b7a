"""CORD-19: papers on coronaviruses, as the table of their metadata and as the paragraphs of their text."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import IncompleteSourceError, UsageError
from covid_datasets.read.cells import whole
from covid_datasets.read.cuts import Cut, CutReader, cuts
from covid_datasets.read.dates import stated_date
from covid_datasets.read.rows import count_by_folder
from covid_datasets.read.tables import scan_csv
from covid_datasets.read.typed import TableForm, typed_rows
from covid_datasets.schema import Notice, RawFiles, RawReader, Record, Rows

TABLE = "metadata.csv"
CUT_BYTES = 32 << 20
"""About 20,000 papers are a record; a worker holds one at a time."""
PARSES = ("pdf_json_files", "pmc_json_files")
LATER = ("arxiv_id", *PARSES, "url", "s2_id")
"""Columns that the releases before 2020-05-26 lack."""
EARLIER = ("has_full_text", "has_pdf_parse", "has_pmc_xml_parse", "full_text_file")
"""Columns that they have, and that say what the later ones list."""


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for some thousand papers of the table, or for the parses whose names are alike."""
    if raw.config == "text":
        yield from _texts(raw)
        return
    for number, cut in enumerate(cuts(raw, TABLE, CUT_BYTES)):
        rows = Rows(cut.name, paper_rows, (cut, raw.version), (TABLE,), cut.end - cut.start)
        yield Record(sample_id=f"{number:05}", rows=rows)


def paper_rows(raw: RawReader, cut: Cut, version: str) -> Iterator[Mapping[str, Any] | Notice]:
    """Read some rows of the table."""
    card = load_card("cord19")
    yield from typed_rows(CutReader(raw, cut), cut.name, TableForm(
        columns=card.columns, rename=card.facts["renamed"], optional=LATER, left_out=EARLIER, key=("cord_uid",),
        convert={"pubmed_id": _integer, "s2_id": _integer, "publish_time": partial(_published, version)},
    ))  # fmt: skip


def _texts(raw: RawFiles) -> Iterator[Record | Notice]:
    """Group the parses by their names, and tell of those that the table lists and that are not here."""
    if raw.version != load_card("cord19").default_version:
        raise UsageError(f"cord19@{raw.version}: the text is read of the last release alone; ask for no version")
    here, owners, shared = set(raw.paths("document_parses/*.json")), dict[str, str](), 0
    if not here:
        steps = next(each.steps for each in load_card("cord19").resources if each.name == "document_parses")
        raise IncompleteSourceError(f"document_parses/: expected parses, found none. To get them: {' '.join(steps)}")
    scan = scan_csv(raw, TABLE, required=("cord_uid", *PARSES))
    at, places = scan.names.index("cord_uid"), [scan.names.index(name) for name in PARSES]
    for _, cells in scan.rows:
        for path in (part.strip() for place in places for part in cells[place].split(";")):
            shared += path in owners
            if path:
                owners.setdefault(path, cells[at])
    yield from scan.notices
    if shared:
        yield Notice(
            "parse of several papers", TABLE, f"{shared:,} times a later row names it; its text has the first cord_uid"
        )
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted(here):
        _, parse, name = path.split("/", 2)
        found = re.match(r"PMC\d*(\d\d)\.", name)
        groups[f"{parse}/{found[1] if found else name[:2]}"].append((path, owners.get(path, "")))
    for path in sorted(owners.keys() - here):
        yield Notice("missing file", path, f"{TABLE} lists it, but the file is not there", dropped=True, lost=True)
    yield from count_by_folder("file not in the table", here - owners.keys(), "are not listed; they have no cord_uid")
    for name, files in sorted(groups.items()):
        paths = tuple(path for path, _ in files)
        yield Record(sample_id=name, rows=Rows(f"document_parses/{name}*", text_rows, (tuple(files),), paths))


def text_rows(raw: RawReader, files: Sequence[tuple[str, str]]) -> Iterator[Mapping[str, Any] | Notice]:
    """Read the paragraphs of some papers."""
    for path, owner in files:
        try:
            paper = json.loads(raw.read(path))
            rows = [*_paragraphs(paper)]
            parts, sections, texts = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
            if not all(isinstance(cell, str) for column in (parts, sections, texts) for cell in column):
                raise TypeError("a paragraph whose text or section is no text")
            identity = str(paper["paper_id"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            what = f"expected a paper as JSON, found something else: {type(error).__name__}: {error}"
            yield Notice("damaged file", path, what, dropped=True, lost=True)
            continue
        if not rows:
            yield Notice("paper without text", path, "it has no title and no paragraph", dropped=True)
            continue
        yield {
            "cord_uid": owner or None, "paper_id": identity, "parse": path.split("/")[1],
            "part": parts, "number": list(range(len(rows))),
            "section": [section or None for section in sections], "text": texts,
        }  # fmt: skip


def _paragraphs(paper: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield part, section and text of each paragraph, the title first."""
    if title := paper["metadata"].get("title"):
        yield "title", "", title
    for part in ("abstract", "body_text", "back_matter"):
        for paragraph in paper.get(part) or ():
            yield part, paragraph.get("section", ""), paragraph["text"]


def _integer(text: str) -> str:
    """Undo what spreadsheets do to numbers that are names."""
    return str(whole(text))


def _published(version: str, text: str) -> str:
    """Read a day, a month or a year; the last day of a year that is still to come says no more than the year."""
    if (found := stated_date(text.strip())) > version[: len(found)]:
        if found.endswith("-12-31"):
            return found[:4]
        raise ValueError(f"after {version}, when this was published")
    return found
