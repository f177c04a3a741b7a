"""Radiopaedia: cases that users saved by hand, a folder each, with text, figures and stacks of slices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from covid_datasets.read.cases import HEADERS, read_cases, records_of_case
from covid_datasets.schema import Notice, RawFiles, Record

_FOLDER = r"case-([a-z0-9-]+)"
_HEADERS = (*HEADERS, "rid", "finding", "certainty", "credit", "license")
_ADDRESS = re.compile(r"radiopaedia\.org/cases/([a-z0-9-]+)", re.IGNORECASE)


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each figure and each slice of a stack, sorted by folder."""
    for case in read_cases(raw, _FOLDER, _HEADERS, stacks=True):
        if isinstance(case, Notice):
            yield case
            continue
        cells, name = case.cells, case.id.lower()
        label, rid = cells.finding("finding"), cells.text("rid") or _rid(cells.text("credit") or "")
        if not cells.text("credit"):
            cells.doubt("credit missing", "the licence asks for the contributor's name and the rID of each case")
        for item in records_of_case(case, cells, _ADDRESS):
            if isinstance(item, Notice):
                yield item
                continue
            yield replace(
                item,
                patient=name,
                ties=(f"rid:{rid}",) if rid else (),
                label=label,
                label_raw=cells.text("finding"),
                license=cells.text("license"),
                source_url=item.source_url or f"https://radiopaedia.org/cases/{name}",
                flags=tuple(cells.flags),
            )


def _rid(credit: str) -> str | None:
    """Find the number by which Radiopaedia cites a case.

    >>> _rid("Case courtesy of Dr N. N., Radiopaedia.org, rID: 75037")
    '75037'
    """
    match = re.search(r"\brID:?\s*([0-9]{1,12})\b", credit, re.IGNORECASE)
    return match[1] if match else None
