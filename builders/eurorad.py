"""Eurorad: cases of the European Society of Radiology that users saved by hand, with text, figures and stacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from covid_datasets.catalog.cards import load_card
from covid_datasets.read.cases import HEADERS, read_cases, records_of_case
from covid_datasets.read.cells import count
from covid_datasets.schema import Notice, RawFiles, Record

_FOLDER = r"case-([0-9]+)"
_HEADERS = (*HEADERS, "finding", "credit", "license", "patients")
_ADDRESS = re.compile(r"eurorad\.org/case/0*([1-9][0-9]*)", re.IGNORECASE)


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each figure of each case, sorted by folder."""
    several = load_card("eurorad").facts["several"]
    for case in read_cases(raw, _FOLDER, _HEADERS, stacks=True):
        if isinstance(case, Notice):
            yield case
            continue
        cells = case.cells
        label, people = cells.finding("finding"), cells.value("patients", count)
        if case.id in several or (people or 1) > 1:
            cells.flags.append("one_of_several_people")
            cells.doubt("case of several people", "nobody says who is in which figure, so all of them are one group")
        nobody = "one_of_several_people" in cells.flags
        for item in records_of_case(case, cells, _ADDRESS):
            if isinstance(item, Notice):
                yield item
                continue
            yield replace(
                item,
                patient=None if nobody else case.id,
                ties=(f"case:{case.id}",) if nobody else (),
                label=label,
                label_raw=cells.text("finding"),
                license=cells.text("license"),
                source_url=item.source_url or f"https://www.eurorad.org/case/{case.id}",
                flags=tuple(cells.flags),
            )
