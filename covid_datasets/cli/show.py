"""Answers on standard output: rich in a terminal, plain aligned text in a pipe, JSON for machines."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from covid_datasets.errors import CovidDatasetsError
from covid_datasets.harmless import csv_cell, visible

SHORT = 20
"""Cells up to this length are never broken where the terminal is too narrow for a table."""
GAP = 2
"""Blanks between two columns."""
LEGIBLE = 12
"""Characters of a column that is cut which are always left."""


def print_text(text: object) -> None:
    """Print lines for people; what a source wrote into them is shown as what it is."""
    print(visible(str(text)))


def print_file(content: str) -> None:
    """Print what is to become a file: exactly, but where somebody looks at it."""
    print(visible(content, keep="\n\t") if sys.stdout.isatty() else content, end="")


def print_json(value: object) -> None:
    """Print one JSON value on one line."""
    print(json.dumps(_plain(value)))


class Found(Protocol):
    """What a command has found: plain data for machines, and ``str`` for people."""

    def to_json(self) -> object:
        """Return plain data."""


def print_found(found: Found, *, as_json: bool) -> None:
    """Print what was found, for machines or for people."""
    if as_json:
        print_json(found.to_json())
    else:
        print_text(found)


def print_error(error: CovidDatasetsError) -> None:
    """Say on standard error what went wrong."""
    print(f"{type(error).__name__}: {error}", file=sys.stderr)


def error_json(error: CovidDatasetsError) -> dict[str, object]:
    """Say to machines what went wrong."""
    return {"error": type(error).__name__, "message": str(error), "exit_code": error.exit_code}


def print_table(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str], *, cut: str = "", wide: Sequence[str] = ()
) -> None:
    """Print rows under the names of their columns; numbers to the right.

    Args:
        rows: The rows.
        columns: The columns, in order.
        cut: A column that is cut in a narrow terminal, so that each row stays one line.
        wide: Columns that only a wide terminal shows, the most dispensable first.
    """
    cells = [[visible(_text(row.get(column)), keep="") for column in columns] for row in rows]
    numbers = [all(isinstance(row.get(column), int | float | None) for row in rows) for column in columns]
    if sys.stdout.isatty():
        _print_rich(columns, cells, numbers, cut, wide)
    else:
        _print_plain(columns, cells, numbers)


def print_markdown(text: str) -> None:
    """Print Markdown, rendered where somebody looks at it."""
    if sys.stdout.isatty():
        from rich.console import Console

        from covid_datasets.cli.rendered import Rendered

        Console().print(Rendered(visible(text)))
    else:
        print_text(text)


def print_csv(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows as CSV, for programs and for spreadsheets."""
    if rows:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(map(csv_cell, rows[0]))
        writer.writerows([csv_cell(cell) for cell in row.values()] for row in rows)


def counts_text(counts: Mapping[str, int]) -> str:
    """Say counts in one line.

    >>> counts_text({"train": 1200, "test": 300})
    'train 1,200, test 300'
    """
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _print_plain(columns: Sequence[str], cells: Sequence[Sequence[str]], numbers: Sequence[bool]) -> None:
    lines = [list(columns), *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        padded = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, numbers, strict=True)
        ]
        print("  ".join(padded).rstrip())


def _print_rich(
    columns: Sequence[str], cells: Sequence[Sequence[str]], numbers: Sequence[bool], cut: str, wide: Sequence[str]
) -> None:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    needed = [max(map(cell_len, line)) for line in zip(columns, *cells, strict=True)]
    shown = _fitting(dict(zip(columns, needed, strict=True)), wide, console.width)
    excess = sum(needed[index] + GAP for index in shown) - GAP - console.width
    whole = [bool(cut) or needed[index] <= SHORT for index in range(len(columns))]
    least = [needed[index] if whole[index] and columns[index] != cut else LEGIBLE for index in shown]
    console.width = max(console.width, sum(least) + GAP * (len(least) - 1))  # rich would cut ids
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for index in shown:
        is_cut = columns[index] == cut
        table.add_column(
            columns[index],
            justify="right" if numbers[index] else "left",
            overflow="ellipsis" if is_cut else "fold",
            no_wrap=whole[index],
            width=max(needed[index] - max(excess, 0), LEGIBLE) if is_cut else None,
        )
    for line in cells:
        table.add_row(*(escape(line[index]) for index in shown))
    console.print(table)


def _fitting(needed: Mapping[str, int], wide: Sequence[str], room: int) -> list[int]:
    """Leave out columns that only a wide terminal shows, one after the other, until the rest fits.

    >>> _fitting({"id": 10, "title": 30, "versions": 40}, ["versions"], 80)
    [0, 1]
    """
    shown = list(needed)
    for column in wide:
        if sum(needed[name] + GAP for name in shown) - GAP > room:
            shown.remove(column)
    return [index for index, name in enumerate(needed) if name in shown]


def _text(value: object) -> str:
    if value is None:
        return "?"  # unknown is said
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _plain(value: Any) -> Any:
    """Turn data classes, mapping proxies and paths into what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
