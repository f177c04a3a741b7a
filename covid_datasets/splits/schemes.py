"""Split schemes: by patient, as the publisher split, and folds for cross-validation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from covid_datasets.catalog.published import SPLITS, published_splits
from covid_datasets.errors import UnknownVersionError, UsageError
from covid_datasets.splits.assign import assign, hash_fraction
from covid_datasets.splits.index import Index

_FOLD = re.compile(r"^fold-(\d+)-of-(\d+)$")


def split_names(scheme: str) -> tuple[str, ...]:
    """List the splits that a scheme has; empty where only the source's own data tells.

    >>> split_names("fold-1-of-5")
    ('train', 'test')

    Raises:
        UnknownVersionError: There is no such scheme; better said before a build than after it.
    """
    if scheme == "patient":
        return SPLITS
    if scheme == "official":
        return ()
    _fold_of(scheme)
    return ("train", "test")


def scheme_splits(index: Index, datasets: Sequence[str], scheme: str) -> list[str | None]:
    """Give every row of an index its split under a scheme; ``None`` leaves it out."""
    if scheme == "patient":
        published: dict[str, str] = {}
        for dataset in datasets:
            published |= published_splits(dataset)
        return list(assign(index.groups, index.units, published))
    if scheme == "official":
        found = index.strings("official_split")
        if not any(found):
            raise UnknownVersionError(f"{', '.join(datasets)}: the source ships no split; use scheme='patient'")
        return found
    return list(_fold(index, *_fold_of(scheme)))


def _fold_of(scheme: str) -> tuple[int, int]:
    match = _FOLD.match(scheme)
    if match is None:
        raise UnknownVersionError(f"scheme {scheme!r}: expected patient, official or fold-k-of-n (fold-1-of-5)")
    fold, folds = int(match[1]), int(match[2])
    if not 1 <= fold <= folds or folds < 2:
        raise UsageError(f"scheme {scheme!r}: expected fold-k-of-n with n of 2 or more and k from 1 to n")
    return fold, folds


def _fold(index: Index, fold: int, folds: int) -> list[str]:
    keys: dict[int, str] = {}
    for group, unit in zip(index.groups, index.units, strict=True):
        keys[group] = min(keys.get(group, unit), unit)
    place = {group: int(hash_fraction(key, f"covid_datasets/fold/{folds}") * folds) + 1 for group, key in keys.items()}
    return ["test" if place[group] == fold else "train" for group in index.groups]
