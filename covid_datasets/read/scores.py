"""Tables of scores that readers gave to pictures, beside the tables that list the pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from covid_datasets.read.cells import Cells
from covid_datasets.read.rows import rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import Notice, RawFiles

Scores = dict[str, Mapping[str, float]]


def read_scores(
    raw: RawFiles,
    path: str,
    columns: Mapping[str, tuple[str, float]],
    key: Sequence[str],
    *,
    known: Collection[str] | None = None,
    unknown: Collection[str] = (),
    comment: str = "",
) -> tuple[Scores, list[Notice]]:
    """Read the scores of each picture; empty, and told, where the table is not there.

    Args:
        raw: The files.
        path: Path of the table.
        columns: Name of a score -> its column, and the highest score; the lowest is 0.
        key: Columns that name the picture, joined by a slash.
        known: Pictures that there are; rows of others are told and left out.
        unknown: What the source writes where nobody knows.
        comment: How lines that are no rows begin.
    """
    if not raw.has(path):
        return {}, [Notice("table missing", path, "no severity scores")]
    required = (*key, *(column for column, _ in columns.values()))
    table = read_csv(raw, path, required=required, comment=comment)
    rows, notices = rows_by(table.rows, lambda row: "/".join(row[one].strip() for one in key), path, known=known)
    scores: Scores = {}
    for name, (row, *_) in rows.items():
        cells = Cells(row, f"{path}: {name}", unknown)
        found = {score: cells.number(column, 0, most) for score, (column, most) in columns.items()}
        scores[name] = {score: number for score, number in found.items() if number is not None}
        notices += cells.notices
    return scores, [*table.notices, *notices]
