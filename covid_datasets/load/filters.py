"""Filters of `load_dataset`: what is wrong with them is said from the schema alone, before anything is downloaded."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.errors import UsageError, did_you_mean
from covid_datasets.read.dates import stated_date
from covid_datasets.schema import COLUMNS, CONTENT, NOTHING
from covid_datasets.vocabulary import VOCABULARIES

ELSEWHERE = {
    "path": "the first argument is called name here, and is the id of a dataset: load_dataset('covid_ct')",
    "name": "the dataset is the first argument, and its config is called config: load_dataset('mosmed', 'slices')",
    "subset": "a part of a source is called config: load_dataset('mosmed', 'slices')",
    "data_files": "files of your own are a folder or an archive: data_dir='FOLDER'",
    "revision": "a version is part of the name: load_dataset('cohen@2020-06-22')",
    "version": "a version is part of the name: load_dataset('cohen@2020-06-22')",
    "trust_remote_code": "no code is ever downloaded, so there is nothing to trust",
    "token": "nothing comes from the Hugging Face Hub; where a source wants an account, its error says what to do",
    "use_auth_token": "nothing comes from the Hugging Face Hub; where a source wants an account, its error says so",
    "keep_in_memory": "rows are mapped from disk, and the system keeps in memory what is read often",
    "download_mode": "what is built is loaded; covid-datasets cache --clean prepared removes it, to build again",
    "force_download": "what is built is loaded; covid-datasets cache --clean prepared removes it, to build again",
    "download_config": "how to download is set by mirror=, offline= and the settings of docs/offline.md",
    "verification_mode": "every download is verified; how far each image is, says verify='full' or 'bytes'",
    "ignore_verifications": "every download is verified; how far each image is, says verify='full' or 'bytes'",
    "features": "the columns are the same for all sources; columns= chooses some of them, cast() changes their types",
    "save_infos": "a finished build always holds them",
    "storage_options": "how to reach a store is set by mirror= and the settings of docs/offline.md",
    "transform": "a function for every row is given to what was loaded: ds.with_transform(function)",
    "group_id": "groups are joined when rows are loaded: ds.filter(lambda group: ..., input_columns='group_id')",
    "batch_size": "batches need images of one size: image_size=224, batch_size=64. A DataLoader makes them of any",
}
"""Arguments that other libraries know, and what they are called here or why there are none."""
CLOSED = {**VOCABULARIES, "quality": ("good", "questionable", "poor"), "label": label_names()}
"""Columns whose values are known beforehand, so that a slip is an error and not an empty dataset."""
_SHOWN = 12
"""Values of a column that are named where a filter matches none of them."""


class Condition(Protocol):
    """What keeps some rows, by one column; as text it is written as its user did."""

    @property
    def name(self) -> str:
        """The column that it looks at."""

    def mask(self, table: pa.Table) -> np.ndarray:
        """Tell of each row whether it fits."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One checked condition: a column holds one of some values, or lies in a range that includes both of its ends."""

    name: str
    wanted: Any
    choices: tuple[Any, ...] = ()
    bounds: tuple[Any, Any] | None = None

    def __str__(self) -> str:
        """Write it as its user did."""
        return f"{self.name}={self.wanted!r}"

    def mask(self, table: pa.Table) -> np.ndarray:
        """Tell of each row whether it fits."""
        import pyarrow.compute as pc  # here, so that loading without a filter does without it

        column = table.column(self.name)
        if pa.types.is_list(column.type):  # fits by any of its words; a null one says nothing, and fits by None
            rows = [self.choices if value is None else value for value in column.to_pylist()]
            nulls = column.is_null().to_pylist()
            fits = [
                None in self.choices if null else any(choice in row for choice in self.choices)
                for row, null in zip(rows, nulls, strict=True)
            ]
            return np.asarray(fits, dtype=bool)
        if self.bounds is not None and pa.types.is_string(column.type):
            low, high = self.bounds
            fits = [
                text is not None
                and (low is None or _first_day(text) >= low)
                and (high is None or _last_day(text) <= high)
                for text in column.to_pylist()
            ]
            return np.asarray(fits, dtype=bool)
        if self.bounds is None:
            found = pc.is_in(column, value_set=pa.array(self.choices, column.type))
        else:
            low, high = (None if end is None else pa.scalar(end, column.type) for end in self.bounds)
            found = pc.is_valid(column)
            found = found if low is None else pc.and_kleene(found, pc.greater_equal(column, low))
            found = found if high is None else pc.and_kleene(found, pc.less_equal(column, high))
        return np.asarray(found.fill_null(False).to_pylist(), dtype=bool)


def check_filters(
    filters: Mapping[str, Any],
    columns: Mapping[str, str],
    arguments: Iterable[str] = (),
    derived: Mapping[str, Any] = NOTHING,
) -> list[Filter]:
    """Check filters against the columns of a table, or of images where there are none; nothing is read for that.

    ``derived`` are columns that a function adds to those of images.

    >>> check_filters({"age": (20, 40)}, {})[0].bounds
    (20.0, 40.0)
    >>> check_filters({"modalty": "CT"}, {})
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: filter 'modalty': ..., found no such column. Did you mean 'modality'?
    """
    kinds = dict(columns) or {
        name: kind
        for name, kind in {**COLUMNS, **derived}.items()
        if (isinstance(kind, str) or kind == ["string"]) and name not in CONTENT
    }
    for name in filters:
        if name not in kinds:
            raise _unknown(name, kinds, arguments)
    return [_filter(name, kinds[name], wanted, closed=not columns) for name, wanted in filters.items()]


def _unknown(name: str, kinds: Mapping[str, Any], arguments: Iterable[str]) -> UsageError:
    if name in ELSEWHERE:
        return UsageError(f"{name}: expected no such argument, because {ELSEWHERE[name]}")
    found = "found one that holds more than a value" if name in COLUMNS else "found no such column"
    hint = did_you_mean(name, [*kinds, *arguments, *ELSEWHERE])
    return UsageError(f"filter {name!r}: expected a column with single values ({', '.join(kinds)}), {found}{hint}")


def _filter(name: str, kind: Any, wanted: Any, *, closed: bool) -> Filter:
    if callable(wanted):
        raise UsageError(
            f"{name}: expected values, found a function; give it to what was loaded: "
            f"ds.filter(lambda row: ..., input_columns=[{name!r}])"
        )
    if isinstance(wanted, Mapping | slice):
        raise UsageError(f"{name}={wanted!r}: expected a value, a list of values, or a range such as (20, 40)")
    words = CLOSED.get(name, ()) if closed else ()
    if isinstance(wanted, tuple) and (
        kind not in ("string", "label", "bool", ["string"]) or (closed and name == "date")
    ):
        return Filter(name, wanted, bounds=_bounds(name, kind, wanted))
    wanted = wanted.tolist() if hasattr(wanted, "tolist") else wanted  # what NumPy and pandas hold
    choices = list(wanted) if isinstance(wanted, list | tuple | set | frozenset | range) else [wanted]
    if not choices:
        raise UsageError(f"{name}={wanted!r}: expected at least one value, found none, which no row can have")
    return Filter(name, wanted, choices=tuple(_value(name, kind, each, wanted, words) for each in choices))


def _bounds(name: str, kind: str, wanted: tuple[Any, ...]) -> tuple[Any, Any]:
    if len(wanted) != 2:
        raise UsageError(f"{name}={wanted!r}: expected two ends of a range, or a list of values in square brackets")
    low: Any
    high: Any
    if kind == "string":
        first, last = ("" if end is None else _stated(name, end, wanted) for end in wanted)
        low, high = _first_day(first) if first else None, _last_day(last) if last else None
    else:
        low, high = (_value(name, kind, end, wanted) for end in wanted)
    if None not in (low, high) and low > high:
        raise UsageError(f"{name}={wanted!r}: expected a range from low to high, found {low} after {high}")
    return low, high


def _stated(name: str, value: Any, wanted: Any) -> str:
    """Return one end of a range of dates that are as exact as their source states them."""
    text = value.isoformat() if type(value) is date else value
    if not isinstance(text, str) or not (text[:4].isdigit() and _is_stated(text)):
        raise UsageError(
            f"{name}={wanted!r}: expected dates such as '2020-03-31', '2020-03' or '2020', found {value!r}"
        )
    return text


def _is_stated(text: str) -> bool:
    try:
        return stated_date(text) == text
    except ValueError:
        return False


def _first_day(text: str) -> str:
    """Return the first day of a date that may be only a month or a year; a row fits where all its days do.

    >>> _first_day("2020"), _last_day("2020-03")
    ('2020-01-01', '2020-03-31')
    """
    return text + "0000-01-01"[len(text) :]


def _last_day(text: str) -> str:
    return text + "9999-12-31"[len(text) :]


def _value(name: str, kind: Any, value: Any, wanted: Any, words: Sequence[str] = ()) -> Any:
    """Return a value in the type of its column."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None:
        return None
    if words and isinstance(value, str):
        if value not in words:
            raise UsageError(f"{name} {value!r}: expected one of {', '.join(words)}{did_you_mean(value, words)}")
        return words.index(value) if kind == "label" else value
    try:
        return _typed(kind, value, len(words))
    except (ValueError, TypeError, OverflowError) as error:  # Arrow's own are among them
        said = {"label": "string"}.get(kind, kind) if isinstance(kind, str) else "string"
        raise UsageError(
            f"{name}={wanted!r}: expected values of type {said}, found {value!r}, a {type(value).__name__}"
        ) from error


def _typed(kind: Any, value: Any, classes: int) -> Any:
    if kind == "label":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < classes:
            raise ValueError(value)
        return value
    if kind in ("string", ["string"]):
        if not isinstance(value, str):
            raise TypeError(value)
        return value
    if isinstance(value, bool) != (kind == "bool"):
        raise TypeError(value)
    if isinstance(value, str):
        value = date.fromisoformat(value) if kind.startswith("date") else datetime.fromisoformat(value)
    typed = pa.scalar(value, pa.type_for_alias(kind)).as_py()
    if isinstance(typed, int) and typed != value:  # Arrow cuts 3.5 down to 3
        raise ValueError(value)
    return typed


def tell_if_empty(filters: Sequence[Condition], tables: Sequence[pa.Table], counts: Sequence[int], kept: int) -> None:
    """Warn where no row is left: of the filter that none fits with the values that exist, or of all together."""
    if kept:
        return
    rows = sum(table.num_rows for table in tables)
    for each, count in zip(filters, counts, strict=True):
        if not count:
            text = f"{each} fits none of {rows:,} rows; {_values(each.name, tables)}"
            warnings.warn(text, stacklevel=4)
            return
    each_alone = ", ".join(f"{each} {count:,}" for each, count in zip(filters, counts, strict=True))
    warnings.warn(f"no row fits all filters together; of {rows:,} rows fit alone: {each_alone}", stacklevel=4)


def _values(name: str, tables: Sequence[pa.Table]) -> str:
    """Say which values a column holds."""
    values = [value for table in tables for value in table.column(name).to_pylist()]
    flat = [word for value in values for word in (value if isinstance(value, list) else [value])]
    flat = [label_names()[value] if name == "label" and isinstance(value, int) else value for value in flat]
    there = [value for value in flat if value is not None]
    if there and not isinstance(there[0], str | bool):
        unknown = f", and nothing in {len(flat) - len(there):,} rows" if len(flat) > len(there) else ""
        return f"they hold {min(there)} to {max(there)}{unknown}"
    common = Counter(flat).most_common(_SHOWN + 1)
    found = ", ".join(f"{value!r} ({count:,})" for value, count in common[:_SHOWN])
    return f"found: {found}{', and more' if len(common) > _SHOWN else ''}"
