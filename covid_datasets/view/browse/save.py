"""A selection as a file: all of its metadata as CSV, or its names and splits as `load_dataset(scheme=…)` reads them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from covid_datasets.errors import UsageError
from covid_datasets.harmless import csv_cell
from covid_datasets.load.found import Found
from covid_datasets.load.metadata import plain
from covid_datasets.view.browse.shelf import Shelf

FORMS: Mapping[str, str] = {"csv": "selection.csv", "split": "split.csv"}
"""What can be saved, and what the file is called."""
_AT_ONCE = 2_000


def saved(shelf: Shelf, form: str, numbers: np.ndarray) -> Iterator[str]:
    """Write the rows of a selection piece by piece, so that any number of them takes the memory of a few.

    Raises:
        UsageError: There is no such form, or one sample is in two splits.
    """
    if form not in FORMS:
        raise UsageError(f"form: expected one of {', '.join(FORMS)}, found {form[:40]!r}")
    return _splits(shelf.splits(numbers)) if form == "split" else _rows(shelf, numbers)


def _splits(found: Mapping[str, str]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sample_id", "split"])
    writer.writerows([csv_cell(sample), split] for sample, split in found.items())
    yield text.getvalue()


def _rows(shelf: Shelf, numbers: np.ndarray) -> Iterator[str]:
    for start in range(0, max(len(numbers), 1), _AT_ONCE):
        text = io.StringIO()
        Found(plain(shelf.stored.take(pa.array(numbers[start : start + _AT_ONCE])))).print_csv(text)
        written = text.getvalue()
        yield written if start == 0 else written.partition("\n")[2]
