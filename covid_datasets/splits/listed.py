"""A split that somebody keeps in a file: who is listed stays, whatever is added later."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from covid_datasets.catalog.published import SPLITS
from covid_datasets.errors import UsageError, words_of
from covid_datasets.settings import given_path
from covid_datasets.splits.assign import assign
from covid_datasets.splits.divide import Division
from covid_datasets.splits.index import Index

_NAMES = ("sample_id", "patient_id")
"""Columns that say whose split a line tells, the first that is there."""
_LARGEST = 1 << 30


def read_listed(place: str) -> dict[str, str]:
    r"""Read a CSV file with ``sample_id`` or ``patient_id`` and ``split``: what `covid-datasets splits --csv` prints.

    Lines without a split say nothing.

    >>> path = getfixture("tmp_path") / "mine.csv"
    >>> _ = path.write_text("patient_id,split\nphantom/p0,test\n")
    >>> read_listed(str(path))
    {'phantom/p0': 'test'}
    """
    path = Path(given_path(place, "scheme"))
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"scheme {place!r}: expected a CSV file of at most {_LARGEST:,} bytes")
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return dict(_lines(place, csv.DictReader(lines)))
    except FileNotFoundError:
        raise UsageError(
            f"scheme {place!r}: expected a CSV file with sample_id and split, found no such file; "
            "'covid-datasets splits ID --csv > mine.csv' writes one"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"scheme {place!r}: expected a CSV file in UTF-8, found: {words_of(error)}") from error


def as_listed(index: Index, place: str) -> Division:
    """Put each group where the file has its rows; of several, test before validation before train.

    Groups of which the file has nobody are placed by the hash of the scheme ``patient``.
    """
    listed = read_listed(place)
    samples, units = index.texts("sample_id"), index.units
    keys = [sample if sample in listed else unit for sample, unit in zip(samples, units, strict=True)]
    found = sum(key in listed for key in keys)
    if not found:
        example = next(iter(listed), "nothing")
        raise UsageError(
            f"scheme {place!r}: expected names as {samples[0]} or {units[0]}, found {example} and none of this data"
        )
    splits = assign(index.groups, keys, listed, index.places)
    moved = sum(listed.get(key, split) != split for key, split in zip(keys, splits, strict=True))
    said = [f"{found:,} of {len(keys):,} rows are listed in {place}; whoever belongs to them follows"]
    if moved:
        said.append(f"rows that are elsewhere than listed, because what joins them was found since: {moved:,}")
    return Division(splits, tuple(said))


def _lines(place: str, rows: csv.DictReader[str]) -> Iterator[tuple[str, str]]:
    names = [name for name in _NAMES if name in (rows.fieldnames or ())]
    if not names or "split" not in (rows.fieldnames or ()):
        raise UsageError(
            f"scheme {place!r}: expected the columns sample_id (or patient_id) and split, found "
            f"{', '.join(rows.fieldnames or ()) or 'none'}"
        )
    seen: dict[str, str] = {}
    for row in rows:
        name, split = row[names[0]], row["split"]
        if not name or (split and split not in SPLITS):
            raise UsageError(
                f"scheme {place!r} line {rows.line_num}: expected {names[0]} and a split, one of {', '.join(SPLITS)}, "
                f"found {name!r} and {split!r}"
            )
        if split and seen.setdefault(name, split) != split:
            raise UsageError(
                f"scheme {place!r} line {rows.line_num}: expected {name} in one split, found {seen[name]} and {split}"
            )
        if split:
            yield name, split
