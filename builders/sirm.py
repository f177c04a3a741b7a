"""SIRM COVID-19 Database: web pages of cases that users saved by hand, a folder each, with a text and the figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from covid_datasets.read.cases import HEADERS, read_cases, records_of_case
from covid_datasets.schema import Notice, RawFiles, Record

_FOLDER = r"case-([0-9]+)"
_ADDRESS = re.compile(r"caso-0*([1-9][0-9]*)")


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each figure of each case, sorted by folder."""
    for case in read_cases(raw, _FOLDER, HEADERS):
        if isinstance(case, Notice):
            yield case
            continue
        for item in records_of_case(case, case.cells, _ADDRESS):
            yield replace(item, label="covid19", label_raw="COVID-19") if isinstance(item, Record) else item
