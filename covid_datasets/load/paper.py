"""`paper_table`: the figures that papers state of a source, and what the built data gives for each."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from covid_datasets.catalog.card import Choice
from covid_datasets.catalog.cards import Name, canonical, choose, id_of, load_card, split_name
from covid_datasets.catalog.own import is_path
from covid_datasets.catalog.papers import Count, Figure, Paper, papers_of, with_papers
from covid_datasets.errors import AccessRequired, CatalogError, NotBuiltError, NotThereError, UsageError
from covid_datasets.load.filters import Filter, check_filters
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.schema import COLUMNS

SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("paper", "text", "dataset", "version", "config", "what", "where")]
    + [("stated", pa.float64()), ("recomputed", pa.float64()), ("reproduces", pa.bool_())]
    + [(name, pa.string()) for name in ("counted", "why", "fingerprint")]
)
_SOURCE_ROW = "source_row"


def paper_table(name: Name, *, cache_dir: str | os.PathLike[str] | None = None) -> pa.Table:
    """Recompute from the built data the figures that papers state of a source, side by side with the stated ones.

    Nothing is downloaded or built. With a version (``"cohen@2020-03-25"``) only what papers state of that one.
    ``reproduces`` is null where there is nothing to compare: the state of the source that a paper is about is not
    built, or its build lacks samples, or no data can tell; ``why`` says which, and why a figure differs. What a paper
    says in two ways is in the metadata of the schema, ``contradictions``, one a line.

    Raises:
        NotThereError: No paper's figures are on record.
        NotBuiltError: Nothing of the source that papers are about is built; the message has the command.

    >>> paper_table("phantom")
    Traceback (most recent call last):
        ...
    covid_datasets.errors.NotThereError: phantom: no figures of a paper are on record; they are for ...
    """
    name = canonical(name)
    identifier, version = (id_of(name), None) if is_path(name) else split_name(os.fspath(name))
    card = load_card(name if is_path(name) else identifier)
    if version:
        card.version(version)
    papers = [paper for paper in papers_of(card) if not version or (paper.version or card.default_version) == version]
    if not papers:
        which = f"{name}: no figures of a paper are on record"
        raise NotThereError(f"{which}; they are for {', '.join(with_papers())}, some for certain versions")
    rows: list[dict[str, Any]] = []
    missing: list[NotBuiltError] = []
    own = [paper for paper in papers if paper.dataset in ("", card.id)] or papers
    for paper in papers:
        try:
            rows += _compared(paper, identifier, cache_dir)
        except NotBuiltError as error:
            missing += [error] if paper in own else []
            rows += [_row(paper, figure, identifier, why=f"Not built ({_command(error)}).") for figure in paper.figures]
        except AccessRequired:
            what = load_card(paper.dataset or identifier).why_unavailable
            rows += [_row(paper, figure, identifier, why=figure.why or what) for figure in paper.figures]
    if len(missing) == len(own):
        raise missing[0]
    contradictions = "\n".join(" ".join(each.split()) for paper in papers for each in paper.contradictions)
    return pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata({"contradictions": contradictions}))


def _command(error: NotBuiltError) -> str:
    return str(error).rpartition("Make one: ")[2]


def _chosen(paper: Paper, identifier: str) -> Choice:
    dataset = paper.dataset or identifier
    return choose(f"{dataset}@{paper.version}" if paper.version else dataset, paper.config or None)


def _compared(paper: Paper, identifier: str, cache_dir: str | os.PathLike[str] | None) -> list[dict[str, Any]]:
    """Count all figures of a paper in the build that they are about."""
    choice = _chosen(paper, identifier)
    for figure in paper.figures:
        if figure.count is not None:
            check_count(figure.count, choice)
    built = find_build(choice.name, paper.config or None, cache_dir=cache_dir)
    table = open_table(built)
    found = [None if each.count is None else counted(table, each.count, choice) for each in paper.figures]
    return [_row(paper, each, identifier, built, value) for each, value in zip(paper.figures, found, strict=True)]


def _row(
    paper: Paper,
    figure: Figure,
    identifier: str,
    built: Built | None = None,
    found: float | None = None,
    *,
    why: str = "",
) -> dict[str, Any]:
    same, lacks = judged(figure, built, found) if built and found is not None else (None, "")
    return {
        "paper": paper.citation or None,
        "text": paper.text,
        "dataset": paper.dataset or identifier,
        "version": built.version if built else paper.version or load_card(paper.dataset or identifier).default_version,
        "config": built.config if built else paper.config or None,
        "what": figure.what,
        "where": figure.where,
        "stated": figure.stated,
        "recomputed": found,
        "reproduces": same,
        "counted": str(figure.count) if figure.count else None,
        "why": " ".join(filter(None, (why, lacks, "" if same else figure.why))) or None,
        "fingerprint": built.fingerprint if built else None,
    }


def judged(figure: Figure, built: Built, found: float) -> tuple[bool | None, str]:
    """Tell whether a figure reproduces; of a build that lacks samples only where these cannot change it, and say so."""
    same = _as_stated(found, figure.stated)
    if not built.incomplete and not built.lost:
        return same, ""
    lost = f"{built.lost:,} sample{'' if built.lost == 1 else 's'}" if built.lost else "files"
    lacks = f"The build lacks {lost} of the source"
    if same:
        return None, f"{lacks}; as it is, it gives the stated figure."
    if figure.count is None or figure.count.form not in ("rows", "distinct") or not built.lost:
        return None, f"{lacks}, so this does not tell."
    if found <= figure.stated <= found + built.lost:
        return None, f"{lacks}; with them it may be the stated figure."
    if built.incomplete:  # perhaps a table is missing too, and with it what rows say
        return None, f"{lacks}; too few to make up for the difference, but tables may be missing as well."
    return False, f"{lacks}, too few to make up for the difference."


def _as_stated(found: float, stated: float) -> bool:
    """Tell whether a number is the stated one, in as many digits as that has.

    >>> _as_stated(429.7, 430), _as_stated(429.7, 429.6), _as_stated(2, 2)
    (True, False, True)
    """
    digits = len(repr(stated).partition(".")[2].rstrip("0"))
    return round(found, digits) == stated


def check_count(count: Count, choice: Choice) -> list[Filter]:
    """Check that the columns of a count exist, and return its conditions; nothing is opened for that."""
    where = f"catalogs/papers, count {str(count)!r}"
    kinds = {column: _kind(column, choice) for column in count.columns}
    for column, kind in kinds.items():
        if kind is None:
            raise CatalogError(f"{where}: expected columns of {choice.card.id}, found {column!r}")
    if count.of and not _is_single(kinds[count.of], count.form):
        wanted = "single values" if count.form == "distinct" else "numbers"
        raise CatalogError(f"{where}: expected a column of {wanted}, found {count.of!r}")
    plain = {name: list(values) for name, values in count.among.items() if "." not in name}
    inside = {name: list(values) for name, values in count.among.items() if "." in name}
    of_cells = {name: kinds[name] for name in inside}
    try:
        return [*check_filters(plain, choice.columns), *(check_filters(inside, of_cells) if inside else [])]
    except UsageError as error:
        raise CatalogError(f"{where}: {error}") from error


def _kind(column: str, choice: Choice) -> Any:
    """Return the type of a column as its schema has it; nothing where there is none of that name."""
    root, dot, inner = column.partition(".")
    kind = (choice.columns or COLUMNS).get(column if choice.columns else root)
    if root == _SOURCE_ROW and dot and not choice.columns:
        return "string" if inner else None
    if isinstance(kind, dict):  # is there in every row, whatever is in it
        return kind.get(inner)
    return None if dot and not choice.columns else kind


def _is_single(kind: Any, form: str) -> bool:
    """Tell whether values of a type can be told apart, or are numbers where a form needs them."""
    numbers = isinstance(kind, str) and kind.startswith(("int", "float"))
    return numbers or (form == "distinct" and kind in ("string", "label", "bool", "date32", "timestamp[s]"))


def counted(table: pa.Table, count: Count, choice: Choice) -> float | None:
    """Count in the rows of a build; null where there is no value to take the least, greatest or mean of."""
    import pyarrow.compute as pc

    columns = {name: _column(table, name) for name in count.columns}
    if not columns:
        return float(table.num_rows)
    chosen = pa.table(columns)
    fits = np.ones(table.num_rows, dtype=bool)
    for each in check_count(count, choice):
        fits &= each.mask(chosen)
    for name in (*count.known, *count.unknown):
        fits &= chosen.column(name).is_valid().to_numpy() == (name in count.known)
    if count.form == "rows":
        return float(fits.sum())
    values = chosen.column(count.of).filter(pa.array(fits)).drop_null()
    if count.form == "distinct":
        return float(pc.count_distinct(values).as_py())
    if not len(values):
        return None
    function = {"minimum": pc.min, "maximum": pc.max, "mean": pc.mean}[count.form]
    return float(function(values).as_py())


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    root, _, inner = name.partition(".")
    if name in table.column_names:
        return table.column(name)
    if root == _SOURCE_ROW:
        return pa.chunked_array([_cells(table.column(root).to_pylist(), inner)])
    return pc.struct_field(table.column(root), inner)


def _cells(rows: Sequence[str | None], key: str) -> pa.Array:
    """Take one column out of the source's own rows, as text without blanks around it; an empty cell is null.

    >>> _cells(['{"Age": " 50 "}', '{"Age": ""}', None], "Age").to_pylist()
    ['50', None, None]
    """
    cells = [json.loads(row).get(key) if row else None for row in rows]
    return pa.array([(str(cell).strip() or None) if cell is not None else None for cell in cells], pa.string())
