"""Split schemes: by patient, in shares, as the publisher split, folds, by source and by time; and leaky on purpose."""

from __future__ import annotations

from collections.abc import Sequence

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.published import SPLITS, SPLITS_VERSION, published_splits
from covid_datasets.errors import UnknownVersionError, UsageError
from covid_datasets.splits.assign import assign, is_everybody
from covid_datasets.splits.census import Whole
from covid_datasets.splits.divide import NOBODY, Division, by_time, in_shares, leave_out, row_by_row
from covid_datasets.splits.index import Index
from covid_datasets.splits.listed import as_listed, read_listed
from covid_datasets.splits.scheme import (
    Fold,
    LeaveOut,
    Listed,
    Official,
    Published,
    Shares,
    Temporal,
    canonical,
    parse_scheme,
    part_names,
)


def split_names(scheme: str) -> tuple[str, ...]:
    """List the splits that a scheme has; empty where only the source's own data tells.

    >>> split_names("fold-1-of-5"), split_names("fold-1-of-2")
    (('train', 'validation', 'test'), ('train', 'test'))

    Raises:
        UnknownVersionError: There is no such scheme; better said before a build than after it.
    """
    return part_names(parse_scheme(scheme))


def check_scheme(scheme: str, cards: Sequence[Card]) -> None:
    """Refuse a scheme that the catalog knows no source to have; what is in data of one's own, only that tells."""
    datasets = [card.id for card in cards]
    match parse_scheme(scheme):
        case Official("") if not any(card.official_split or card.own_copy for card in cards):
            raise _no_official(datasets)
        case Official(fold) if fold:
            _check_fold(fold, cards)
        case Published(version) if version != SPLITS_VERSION:
            for dataset in datasets:
                _of_version(dataset, version)
        case LeaveOut(sources):
            _check_sources(scheme, sources, datasets)
        case Listed(path):
            read_listed(path)


def is_given(scheme: str) -> bool:
    """Tell whether a scheme is handed on with its leaks: as somebody published it, or dealt so to measure them.

    >>> is_given("official"), is_given("patient@1"), is_given("leaky"), is_given("patient")
    (True, True, True, False)
    """
    match parse_scheme(scheme):
        case Official() | Shares(leaky=True) | Fold(leaky=True):
            return True
        case Published(version):
            return version != SPLITS_VERSION
    return False


def published_fold(scheme: str) -> str:
    """Name the fold that a scheme means, one of several that a publisher ships; empty where it means none.

    >>> published_fold("official-fold_2"), published_fold("official"), published_fold("fold-1-of-5")
    ('fold_2', '', '')
    """
    parsed = parse_scheme(scheme)
    return parsed.fold if isinstance(parsed, Official) else ""


def needs_dates(scheme: str) -> bool:
    """Tell whether a scheme asks for the date of each row, which lies in the rows and not in the index."""
    return isinstance(parse_scheme(scheme), Temporal)


def left_out_because(scheme: str) -> str:
    """Say why a scheme has rows in no split; empty where it is the publisher who left them out, or none are.

    >>> left_out_because("leave-cohen-out"), left_out_because("patient")
    ('they show people or pictures of cohen, which is the test set', '')
    """
    match parse_scheme(scheme):
        case LeaveOut(sources):
            return f"they show people or pictures of {', '.join(sources)}, which is the test set"
        case Temporal():
            return "their date is not known well enough, or later rows of their group are in a later split"
    return ""


def divide(index: Index, datasets: Sequence[str], scheme: str, dates: Sequence[str | None] = ()) -> Division:
    """Give every row of an index its split under a scheme, and say what should be known of how.

    ``dates`` are those of the rows, where `needs_dates` says so.
    """
    match parse_scheme(scheme):
        case Official():
            found = index.strings("official_split")
            if not any(found):
                raise _no_official(datasets)
            return Division(found)
        case Published(version):
            return Division(_published(index, datasets, version))
        case Shares(shares, seed, leaky):
            salt, names = f"covid_datasets/{canonical(scheme)}", split_names(scheme)
            parts, said = _in_parts(index, shares, salt, shuffled=bool(seed), leaky=leaky)
            return Division([names[max(part, 0)] for part in parts.tolist()], (said,) if said else ())
        case Fold() as fold:
            return _fold(index, fold)
        case LeaveOut(sources):
            _check_sources(scheme, sources, datasets)
            return leave_out(index, sources, _all_published(datasets))
        case Temporal(cuts, shares):
            return by_time(index, dates, cuts, shares)
        case Listed(path):
            return as_listed(index, path)


def scheme_splits(index: Index, datasets: Sequence[str], scheme: str) -> list[str | None]:
    """Give every row of an index its split under a scheme; ``None`` leaves it out."""
    return list(divide(index, datasets, scheme).splits)


def published_of(dataset: str, scheme: str) -> dict[str, str]:
    """Return what is published of a dataset and decides a scheme; nothing where the scheme does not ask."""
    match parse_scheme(scheme):
        case Published(version):
            return _of_version(dataset, version)
        case LeaveOut():
            return published_splits(dataset)
        case Listed(path):
            return read_listed(path)
    return {}


def _check_fold(fold: str, cards: Sequence[Card]) -> None:
    known = {name: None for card in cards if card.official_split for name in card.official_split.folds}
    if fold not in known:
        which = ", ".join(f"official-{name}" for name in known) or "none, of these sources"
        raise UnknownVersionError(f"scheme 'official-{fold}': expected one of the published folds ({which})")


def _check_sources(scheme: str, sources: Sequence[str], datasets: Sequence[str]) -> None:
    if len(datasets) < 2:
        raise UsageError(
            f"scheme {scheme!r}: expected a list of sources, of which one is left out for testing, found "
            f"{', '.join(datasets)} alone; load_dataset(['cohen', 'hannover'], scheme='leave-cohen-out')"
        )
    if not sources or set(sources) - set(datasets) or not set(datasets) - set(sources):
        known = ", ".join(f"leave-{dataset}-out" for dataset in datasets)
        raise UsageError(
            f"scheme {scheme!r}: expected the names of sources of the list, and not of all ({known}; of several "
            f"leave-{'+'.join(sorted(datasets)[:2])}-out), found {', '.join(sources) or 'none'}; to test "
            "on each source in turn, load with each of these schemes"
        )


def _all_published(datasets: Sequence[str]) -> dict[str, str]:
    return {patient: split for dataset in datasets for patient, split in published_splits(dataset).items()}


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


def _fold(index: Index, scheme: Fold) -> Division:
    """Test on fold k, validate on the next one (after the last comes the first), and train on all others.

    Those of whom nobody knows which rows show one person are always in train.
    """
    groups = sum(not is_everybody(key) for key in set(index.group_ids))
    if scheme.folds > groups:
        raise UsageError(
            f"scheme 'fold-{scheme.fold}-of-{scheme.folds}': expected at most as many folds as groups, found {groups}"
        )
    salt = f"covid_datasets/fold/{scheme.folds}" + (f"/seed {scheme.seed}" if scheme.seed else "")
    parts, said = _in_parts(index, [1] * scheme.folds, salt, shuffled=bool(scheme.seed), leaky=scheme.leaky)
    roles = {scheme.fold % scheme.folds: "validation"} if SPLITS[1] in part_names(scheme) else {}
    roles |= {scheme.fold - 1: "test", NOBODY: "train"}
    return Division([roles.get(part, "train") for part in parts.tolist()], (said,) if said else ())


def _in_parts(index: Index, shares: Sequence[int], salt: str, *, shuffled: bool, leaky: bool) -> tuple[Whole, str]:
    return (row_by_row(index, shares, salt), "") if leaky else in_shares(index, shares, salt, shuffled=shuffled)
