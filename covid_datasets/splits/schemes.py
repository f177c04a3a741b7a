"""Split schemes: by patient, as the publisher split, and folds for cross-validation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.published import SPLITS, SPLITS_VERSION, published_splits
from covid_datasets.errors import UnknownVersionError, UsageError
from covid_datasets.splits.assign import assign
from covid_datasets.splits.index import Index
from covid_datasets.splits.place import place

_FOLD = re.compile(r"fold-(\d{1,9})-of-(\d{1,9})", re.ASCII)
_PATIENT = re.compile(r"patient(?:@(\d{1,9}))?", re.ASCII)
_OFFICIAL = re.compile(r"official(?:-(\w{1,99}))?", re.ASCII)
_LEAST = 3
"""Folds of which one can be for validation; of two, none would be left for training."""


def split_names(scheme: str) -> tuple[str, ...]:
    """List the splits that a scheme has; empty where only the source's own data tells.

    >>> split_names("fold-1-of-5"), split_names("fold-1-of-2")
    (('train', 'validation', 'test'), ('train', 'test'))

    Raises:
        UnknownVersionError: There is no such scheme; better said before a build than after it.
    """
    if _is_official(scheme):
        return ()
    if _version_of(scheme):
        return SPLITS
    return SPLITS if _fold_of(scheme)[1] >= _LEAST else ("train", "test")


def check_scheme(scheme: str, cards: Sequence[Card]) -> None:
    """Refuse a scheme that the catalog knows no source to have; what is in data of one's own, only that tells."""
    datasets = [card.id for card in cards]
    if fold := published_fold(scheme):
        _check_fold(fold, cards)
    elif scheme == "official":
        if not any(card.official_split or card.own_copy for card in cards):
            raise _no_official(datasets)
    elif is_given(scheme):
        for dataset in datasets:
            _of_version(dataset, _version_of(scheme) or SPLITS_VERSION)


def is_given(scheme: str) -> bool:
    """Tell whether a scheme hands on what somebody published, leaks included: what later evidence joins may straddle.

    >>> is_given("official"), is_given("patient@1"), is_given("patient")
    (True, True, False)
    """
    return _is_official(scheme) or _version_of(scheme) not in (None, SPLITS_VERSION)


def published_fold(scheme: str) -> str:
    """Name the fold that a scheme means, one of several that a publisher ships; empty where it means none.

    >>> published_fold("official-fold_2"), published_fold("official"), published_fold("fold-1-of-5")
    ('fold_2', '', '')
    """
    match = _OFFICIAL.fullmatch(scheme) if isinstance(scheme, str) else None
    return (match[1] or "") if match else ""


def _is_official(scheme: str) -> bool:
    return scheme == "official" or bool(published_fold(scheme))


def _check_fold(fold: str, cards: Sequence[Card]) -> None:
    known = {name: None for card in cards if card.official_split for name in card.official_split.folds}
    if fold not in known:
        which = ", ".join(f"official-{name}" for name in known) or "none, of these sources"
        raise UnknownVersionError(f"scheme 'official-{fold}': expected one of the published folds ({which})")


def scheme_splits(index: Index, datasets: Sequence[str], scheme: str) -> list[str | None]:
    """Give every row of an index its split under a scheme; ``None`` leaves it out."""
    if scheme == "official":
        found = index.strings("official_split")
        if not any(found):
            raise _no_official(datasets)
        return found
    if version := _version_of(scheme):
        return list(_published(index, datasets, version))
    return list(_fold(index, *_fold_of(scheme)))


def published_of(dataset: str, scheme: str) -> dict[str, str]:
    """Return what is published of a dataset and decides a scheme; nothing where the scheme does not ask."""
    version = _version_of(scheme)
    return _of_version(dataset, version) if version else {}


def _published(index: Index, datasets: Sequence[str], version: int) -> list[str]:
    """Give every row its published split; in an older version each patient's own, whatever was found since."""
    published: dict[str, str] = {}
    for dataset in datasets:
        published |= _of_version(dataset, version)
    whole = assign(index.groups, index.units, published, index.places)
    if version == SPLITS_VERSION:
        return whole
    return [published.get(unit, split) for unit, split in zip(index.units, whole, strict=True)]


def _of_version(dataset: str, version: int) -> dict[str, str]:
    found = published_splits(dataset, version=version)
    if not found and published_splits(dataset):
        raise UnknownVersionError(f"{dataset}: no split of it was published in version {version}; use scheme='patient'")
    return found


def _no_official(datasets: Sequence[str]) -> UnknownVersionError:
    return UnknownVersionError(f"{', '.join(datasets)}: the source ships no split; use scheme='patient'")


def _version_of(scheme: str) -> int | None:
    """Return the version of the published splits that a scheme means, if it means them."""
    match = _PATIENT.fullmatch(scheme) if isinstance(scheme, str) else None
    if match is None:
        return None
    version = int(match[1] or SPLITS_VERSION)
    if not 1 <= version <= SPLITS_VERSION:
        known = ", ".join(f"patient@{each}" for each in range(1, SPLITS_VERSION + 1))
        raise UnknownVersionError(f"scheme {scheme!r}: expected patient (the newest) or one of {known}")
    return version


def _fold_of(scheme: str) -> tuple[int, int]:
    match = _FOLD.fullmatch(scheme) if isinstance(scheme, str) else None
    if match is None:
        raise UnknownVersionError(
            f"scheme {scheme!r}: expected patient, official or fold-k-of-n (fold-1-of-5), a published official-<fold>, "
            "or an older patient@1"
        )
    fold, folds = int(match[1]), int(match[2])
    if not 1 <= fold <= folds or folds < 2:
        raise UsageError(f"scheme {scheme!r}: expected fold-k-of-n with n of 2 or more and k from 1 to n")
    return fold, folds


def _fold(index: Index, fold: int, folds: int) -> list[str]:
    """Test on fold k, validate on the next one (after the last comes the first), train on all others."""
    if folds > (groups := len(set(index.groups))):
        raise UsageError(f"scheme 'fold-{fold}-of-{folds}': expected at most as many folds as groups, found {groups}")
    parts = place(index.describe(), [1] * folds, f"covid_datasets/fold/{folds}")
    roles = {fold % folds: "validation"} if folds >= _LEAST else {}
    roles[fold - 1] = "test"
    return [roles.get(parts[group], "train") for group in index.group_ids]
