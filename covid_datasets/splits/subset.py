"""Patients stay whole also where users cut data themselves: smaller sets, and folds for scikit-learn."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_datasets.columns import GROUP as GROUP
from covid_datasets.errors import UsageError
from covid_datasets.splits.assign import hash_fraction
from covid_datasets.splits.place import place, take_census, traits_of

Rows = NDArray[np.int64]


def group_folds(ds: Any, n: int = 5, *, groups: str = GROUP) -> Iterator[tuple[Rows, Rows]]:
    """Yield the rows to train on and the rows to test on, n times: what scikit-learn takes as ``cv=``.

    No group is in both, each row is tested once, and the folds are alike in size, in labels and modalities, and in how
    it ended, as far as the groups allow. Neither the order of rows nor the machine changes them; other rows do.

    Args:
        ds: A dataset, an Arrow table, a data frame or ``framework="numpy"`` rows with a column of groups; or a plain
            sequence of groups, one for each row.
        n: How many folds.
        groups: The column that names the group of each row.

    >>> [test.tolist() for _, test in group_folds(["p1", "p1", "p2", "p3", "p3", "p4"], 2)]
    [[0, 1, 2], [3, 4, 5]]
    """
    keys = _groups(ds, groups)
    found = len(set(keys))
    if not 2 <= n <= found:
        raise UsageError(f"n: expected 2 folds or more, and at most as many as there are groups ({found}), found {n!r}")
    sources, *others = (_column(ds, name, len(keys)) for name in ("dataset", "label", "modality", "survival"))
    census = take_census(keys, zip(map(str, sources), *others, strict=True), traits_of)
    parts = place(census, [1] * n, f"covid_datasets/group_folds/{n}")
    fold_of = np.asarray([parts[key] for key in keys], dtype=np.int64)
    return ((np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(n))


def patient_subset(
    ds: Any, fraction: float | None = None, *, per_class: int | None = None, seed: int = 0, groups: str = GROUP
) -> Any:
    """Keep some patients with all their rows, for a quick try or a learning curve.

    Patients who belong together are taken together. Of the same rows and the same seed, a smaller set is always part
    of a larger one.

    Args:
        ds: What `group_folds` takes.
        fraction: The share of groups to keep of each label, at least one of each.
        per_class: How many groups to keep of each label; groups without a label are left out.
        seed: Another seed chooses others.
        groups: The column that names the group of each row.

    Returns:
        The same kind of object with fewer rows, in their order; of a plain sequence the numbers of the rows.

    >>> patient_subset(["p1", "p1", "p2", "p3", "p3", "p4"], 0.5, seed=1).tolist()
    [0, 1, 2]
    """
    if (fraction is None) == (per_class is None):
        raise UsageError("expected either fraction=0.1 or per_class=20, found both or none of them")
    if fraction is not None and not 0 < fraction <= 1:
        raise UsageError(f"fraction: expected more than 0 and at most 1, found {fraction!r}")
    if per_class is not None and per_class < 1:
        raise UsageError(f"per_class: expected 1 group or more, found {per_class!r}")
    keys = _groups(ds, groups)
    labels = _column(ds, "label", len(keys))
    if per_class is not None and not any(label is not None for label in labels):
        raise UsageError("per_class: expected a column label with at least one label, found none; use fraction=")
    kept: set[str] = set()
    for label, members in _by_label(keys, labels).items():
        ranked = sorted(members, key=lambda key: (hash_fraction(key, f"covid_datasets/subset/{seed}"), key))
        if fraction is not None:
            kept.update(ranked[: max(1, round(fraction * len(ranked)))])
        elif label is not None:
            kept.update(ranked[:per_class])
    return _take(ds, np.asarray([row for row, key in enumerate(keys) if key in kept], dtype=np.int64))


def _by_label(keys: Sequence[str], labels: Sequence[Hashable]) -> dict[Hashable, list[str]]:
    """List the groups of each label; a group with several has that of most of its rows."""
    counts: dict[str, Counter[Hashable]] = defaultdict(Counter)
    for key, label in zip(keys, labels, strict=True):
        counts[key][label] += 1
    found: dict[Hashable, list[str]] = defaultdict(list)
    for key, of_group in counts.items():
        found[min(of_group, key=lambda label: (label is None, -of_group[label], repr(label)))].append(key)
    return found


def _names(ds: Any) -> list[str] | None:
    """List the columns of a dataset; ``None`` for a plain sequence."""
    names = getattr(ds, "column_names", getattr(ds, "columns", None))
    return None if names is None else list(names)


def _groups(ds: Any, groups: str) -> list[str]:
    if isinstance(ds, str | dict):
        raise UsageError(f"ds: expected one split or a sequence of groups, found a {type(ds).__name__}; choose a split")
    names = _names(ds)
    if names is None:
        return [str(key) for key in ds]
    if not hasattr(ds, "__len__"):
        raise UsageError("ds: expected rows that can be counted, found a stream; load it without streaming=True")
    if groups not in names:
        raise UsageError(
            f"groups {groups!r}: expected a column of the dataset ({', '.join(names)}); a column of patients keeps "
            "each patient whole, but not together those who share an article or a picture"
        )
    return [str(key) for key in _column(ds, groups, len(ds))]


def _column(ds: Any, name: str, count: int) -> list[Any]:
    """Return a column as plain values, labels by name; nothing but ``None`` where there is no such column."""
    if name not in (_names(ds) or ()):
        return [None] * count
    values = ds.column(name) if hasattr(ds, "column") else ds[name]
    plain = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
    name_of = getattr(getattr(ds, "features", {}).get(name), "int2str", None)
    return [_plain(value, name_of) for value in plain]


def _plain(value: Any, name_of: Callable[[int], str] | None) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if value is None or value != value:  # pandas writes NaN for what is unknown
        return None
    return value if name_of is None else name_of(value)


def _take(ds: Any, rows: Rows) -> Any:
    """Choose rows in the way of the object: pandas, Arrow, Hugging Face or NumPy rows; else there are only numbers."""
    if hasattr(ds, "iloc"):
        return ds.iloc[rows]
    if _names(ds) is None:
        return rows
    return ds.select(rows) if hasattr(ds, "features") or not hasattr(ds, "take") else ds.take(rows)
