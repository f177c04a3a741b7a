"""`info --paper`: what papers state of sources, and what we count, side by side."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import covid_datasets as api
from covid_datasets.cli.show import print_json, print_table, print_text

_NUMBERS = ("stated", "recomputed")


def info_papers(names: Sequence[str], cache_dir: str | os.PathLike[str] | None, *, as_json: bool) -> int:
    """Show the figures of the papers of some sources; each paper a table, its notes below it."""
    tables = [api.paper_table(name, cache_dir=cache_dir) for name in names]
    rows = [row | {key: _whole(row[key]) for key in _NUMBERS} for table in tables for row in table.to_pylist()]
    contradictions = [
        line for table in tables for line in table.schema.metadata[b"contradictions"].decode().splitlines()
    ]
    if as_json:
        print_json({"figures": rows, "contradictions": contradictions})
        return 0
    papers: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        papers.setdefault((row["text"], row["dataset"], row["version"]), []).append(row)
    for figures in papers.values():
        _print_paper(figures)
    if contradictions:
        print_text("\n".join(("What a text says in two ways:", *(f"  {each}" for each in contradictions), "")))
    answers = Counter(row["reproduces"] for row in rows)
    rest = f", {answers[None]:,} cannot be told" if answers[None] else ""
    print_text(f"{answers[True]:,} of {len(rows):,} figures reproduce, {answers[False]:,} do not{rest}")
    return 0


def _print_paper(rows: Sequence[Mapping[str, Any]]) -> None:
    first = rows[0]
    version = f"@{first['version']}" if first["version"] else ""
    state = "" if first["fingerprint"] else ", which is not built"
    print_text(f"{first['text']}\nheld against {first['dataset']}{version}{state}\n")
    reasons = list(dict.fromkeys(row["why"] for row in rows if row["why"]))
    shown = [
        {
            "figure": row["what"],
            "where": row["where"],
            "stated": row["stated"],
            "ours": row["recomputed"],
            "reproduces": {True: "yes", False: "no", None: "?"}[row["reproduces"]],
            "note": f"[{reasons.index(row['why']) + 1}]" if row["why"] else "",
        }
        for row in rows
    ]
    print_table(shown, ("figure", "where", "stated", "ours", "reproduces", "note"), wide=("where",))
    notes = [f"[{number}] {reason}" for number, reason in enumerate(reasons, start=1)]
    print_text("\n".join(("", *notes, *([""] if notes else []))))


def _whole(number: float | None) -> int | float | None:
    """Show a whole number as one, and of others one digit more than papers print."""
    return number if number is None else int(number) if number.is_integer() else round(number, 2)
