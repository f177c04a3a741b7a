"""Tables that need no more than types: a CSV of any size as columns of the types that a card declares."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.cells import Columns, day, number, time, whole
from covid_datasets.read.cells import count as whole_count
from covid_datasets.read.tables import scan_csv
from covid_datasets.schema import Notice, RawReader

BATCH_ROWS = 10_000
"""So many rows are in memory as text at a time."""
Converter = Callable[[str], Any]


def truth(text: str) -> bool:
    """Read TRUE and FALSE, in any case.

    >>> truth("TRUE"), truth("False")
    (True, False)
    """
    if (found := text.strip().lower()) not in ("true", "false"):
        raise ValueError("neither true nor false")
    return found == "true"


CONVERTERS: Mapping[str, Converter] = {
    "string": str, "bool": truth, "int32": whole, "int64": whole, "float64": number, "date32": day,
    "timestamp[s]": time,
}  # fmt: skip
"""The type of a column on a card -> what reads its cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableForm:
    """How a table is read.

    Attributes:
        columns: Column -> type, as a card declares them. A table must have each that is not ``optional``.
        names: Column -> what the publisher calls it, where that is something else.
        rename: Names in older headers -> those of the last one.
        convert: Column -> what reads its cells, where its type does not say enough.
        optional: Columns that some versions of the table lack: they are null then, and that is told.
        key: The columns by which rows are told apart.
        unknown: What the source writes where nobody knows, besides an empty cell.
        left_out: Columns of the publisher that are known, and not wanted.
        delimiter: What stands between two cells.
    """

    columns: Mapping[str, str]
    names: Mapping[str, str] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    convert: Mapping[str, Converter] = field(default_factory=dict)
    optional: Collection[str] = ()
    key: Sequence[str] = ()
    unknown: Collection[str] = ()
    left_out: Collection[str] = ()
    delimiter: str = ","

    def named(self, columns: Iterable[str]) -> list[str]:
        """List what the publisher calls some columns."""
        return [self.names.get(name, name) for name in columns]


def typed_rows(
    raw: RawReader, path: str, form: TableForm, lines: range | None = None
) -> Iterator[dict[str, list[Any]] | Notice]:
    """Read a CSV as columns of typed values, some rows at a time, and tell of everything odd in it.

    Cells that are not what their column should hold are null and told; rows are kept as they are, also those whose
    ``key`` an earlier row has, and one notice says how many these are. A column that nobody expects is told. Of a
    table that is read in several parts, ``lines`` are those in which the rows of this part begin.
    """
    required = form.named(name for name in form.columns if name not in form.optional)
    scan = scan_csv(raw, path, required=required, rename=form.rename, lines=lines, delimiter=form.delimiter)
    expected = form.named(form.columns)
    for name in expected:
        if name not in scan.names:
            yield Notice("column missing", path, f"{name}: unknown in all rows")
    if strange := sorted(set(scan.names).difference(expected, form.left_out)):
        yield Notice("unknown column", path, f"not in the dataset: {', '.join(strange)}", dropped=True)
    odd, seen, count = Columns(), set[int](), 0
    key = [name for name in form.named(form.key) if name in scan.names]
    at = [scan.names.index(name) for name in key]
    while rows := [cells for _, cells in islice(scan.rows, BATCH_ROWS)]:
        count += len(rows)
        if at:
            seen.update(hash(tuple(cells[place] for place in at)) for cells in rows)
        cells = dict(zip(scan.names, zip(*rows, strict=True), strict=True))
        yield typed_columns(cells, form, odd, len(rows))
    if not count:
        raise DamagedFileError(f"{path}: expected rows, found only a header")
    if at and (twice := count - len(seen)):
        what = f"{twice:,} rows have the {', '.join(key)} of an earlier one; all are kept"
        yield Notice("row listed twice", path, what, count=twice)
    yield from (*scan.notices, *odd.notices(path))


def typed_columns(
    cells: Mapping[str, Sequence[str]], form: TableForm, odd: Columns, count: int
) -> dict[str, list[Any]]:
    """Turn columns of text into columns of values; one that is not there is null in all of its ``count`` rows.

    >>> typed_columns({"n": ("1", "?")}, TableForm(columns={"n": "int32", "on": "date32"}, unknown="?"), Columns(), 2)
    {'n': [1, None], 'on': [None, None]}
    """
    found: dict[str, list[Any]] = {}
    for name, kind in form.columns.items():
        theirs, convert = form.names.get(name, name), form.convert.get(name) or CONVERTERS[kind]
        texts = cells.get(theirs) or [""] * count
        if form.unknown:
            texts = ["" if text.strip() in form.unknown else text for text in texts]
        found[name] = list(odd.counts(texts, theirs) if convert is whole_count else odd.values(convert, texts, theirs))
    return found
