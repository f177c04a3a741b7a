"""The page of the published tables that list our sources: cells as printed, our counts beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from covid_datasets.catalog.seed_tables import seed_tables
from covid_datasets.catalog.seeds import seed_rows, seed_totals
from covid_datasets.harmless import markdown
from covid_datasets.view.page import table

_OURS = {
    "our_modalities": "our modalities",
    "our_images": "our images",
    "our_covid19": "of COVID-19",
    "our_other": "others",
    "our_patients": "our patients",
    "our_access": "access",
}


def tables() -> str:
    """Write the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from (
        "# The published tables of sources",
        "",
        "Two publications list the sources of this field in tables, and this library began with them. Each cell "
        "is shown as it is printed, slips included; what we count ourselves stands beside it, and is empty where "
        "nobody knows. `covid-datasets list --seed survey` prints the same in a terminal.",
    )
    for name, known in seed_tables().items():
        yield from ("", f"## {known.title}", "")
        columns = ("row", "name", "sources", *known.columns.values(), *_OURS.values())
        yield from table(columns, (_row(row, list(known.columns)) for row in seed_rows(name)))
        if totals := seed_totals(name):
            yield from ("", *(f"- {markdown(total)}" for total in totals))


def _row(row: dict[str, Any], columns: list[str]) -> tuple[str, ...]:
    sources = ", ".join(f"[`{name}`](sources/{name}.md)" for name in row["dataset"])
    return (
        str(row["row"]),
        markdown(row["name"]),
        sources,
        *(_cell(row[column]) for column in columns),
        *(_cell(row[column]) for column in _OURS),
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else markdown(" / ".join(str(value).splitlines()))
