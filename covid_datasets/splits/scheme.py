"""The names of split schemes: ``patient``, ``patient(70/15/15, seed=3)``, ``fold-1-of-5``, ``leave-cohen-out``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import gcd, lcm
from typing import TypeAlias

from covid_datasets.catalog.published import SPLITS, SPLITS_VERSION
from covid_datasets.errors import UnknownVersionError, UsageError, did_you_mean
from covid_datasets.splits.assign import SHARES

TWO = ("train", "test")
"""The parts of a scheme that leaves none for validation."""
DEFAULT = tuple(round(10 * SHARES[split]) for split in SPLITS)
_FOLD = re.compile(r"(leaky-)?fold-(\d{1,9})-of-(\d{1,9})", re.ASCII)
_PATIENT = re.compile(r"patient(?:@(\d{1,9}))?", re.ASCII)
_OFFICIAL = re.compile(r"official(?:-(\w{1,99}))?", re.ASCII)
_LEAVE = re.compile(r"leave-([\w.+]{1,999})-out", re.ASCII)
_CALL = re.compile(r"([^()]{1,99})\(([^()]{0,999})\)")
_SEED = re.compile(r"seed ?= ?(\d{1,9})", re.ASCII)
_SHARE = re.compile(r"\d{1,4}(?:\.\d{1,4})?", re.ASCII)
_FINEST = 100
"""Shares are counted in so many parts at most: whole per cents."""
_LEAST = 3
"""Folds of which one can be for validation; of two, none would be left for training."""
_FORMS = (
    "patient, official or fold-k-of-n (fold-1-of-5), a published official-<fold>, an older patient@1, shares of one's "
    "own with or without a seed (patient(70/15/15, seed=3), fold-1-of-5(seed=3)), leave-<source>-out, temporal, "
    "temporal(2020-04-01), temporal(80/10/10), a file of one's own (mine.csv), or, to measure what a leak is worth, "
    "leaky(80/10/10) or leaky-fold-1-of-5"
)

_NAMES = ("patient", "official", "fold-1-of-5", "leave-<source>-out", "temporal", "leaky", "leaky-fold-1-of-5")


@dataclass(frozen=True, slots=True)
class Published:
    """``patient``: the published split, and a hash for whom it does not name."""

    version: int


@dataclass(frozen=True, slots=True)
class Official:
    """``official``: what the publisher ships; one of several folds, where it has a name."""

    fold: str = ""


@dataclass(frozen=True, slots=True)
class Shares:
    """``patient(70/15/15, seed=3)``: whole groups in shares of one's own; of ``leaky(…)`` rows are dealt one by one."""

    shares: tuple[int, ...]
    seed: int = 0
    leaky: bool = False


@dataclass(frozen=True, slots=True)
class Fold:
    """``fold-k-of-n``: one fold of a cross-validation; of ``leaky-fold-k-of-n`` rows are dealt one by one."""

    fold: int
    folds: int
    seed: int = 0
    leaky: bool = False


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """``leave-cohen-out``: tested on sources of which nothing is trained on."""

    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Temporal:
    """``temporal(2020-04-01)``: trained on what was before a day, tested on what was after it."""

    cuts: tuple[str, ...] = ()
    shares: tuple[int, ...] = DEFAULT


@dataclass(frozen=True, slots=True)
class Listed:
    """``mine.csv``: who is in that file stays there, and the rest as in ``patient``."""

    path: str


Scheme: TypeAlias = Published | Official | Shares | Fold | LeaveOut | Temporal | Listed


def parse_scheme(scheme: str) -> Scheme:
    """Read the name of a scheme.

    >>> parse_scheme("patient(0.7/0.15/0.15, seed=3)")
    Shares(shares=(14, 3, 3), seed=3, leaky=False)
    >>> parse_scheme("leave-cohen+hannover-out")
    LeaveOut(sources=('cohen', 'hannover'))

    Raises:
        UnknownVersionError: There is no such scheme.
        UsageError: There is, and what it is asked for cannot be.
    """
    if not isinstance(scheme, str):
        raise UnknownVersionError(f"scheme {scheme!r}: expected {_FORMS}{_meant(scheme)}")
    if scheme.endswith(".csv"):
        return Listed(scheme)
    if found := _CALL.fullmatch(scheme):
        return _with_arguments(scheme, found[1], [text.strip() for text in found[2].split(",")])
    if match := _PATIENT.fullmatch(scheme):
        version = int(match[1] or SPLITS_VERSION)
        if not 1 <= version <= SPLITS_VERSION:
            known = ", ".join(f"patient@{each}" for each in range(1, SPLITS_VERSION + 1))
            raise UnknownVersionError(f"scheme {scheme!r}: expected patient (the newest) or one of {known}")
        return Published(version)
    if match := _OFFICIAL.fullmatch(scheme):
        return Official(match[1] or "")
    if match := _FOLD.fullmatch(scheme):
        return _fold(scheme, match)
    if match := _LEAVE.fullmatch(scheme):
        return LeaveOut(tuple(sorted({name for name in match[1].split("+") if name})))
    if scheme == "temporal":
        return Temporal()
    if scheme == "leaky":
        return Shares(DEFAULT, leaky=True)
    raise UnknownVersionError(f"scheme {scheme!r}: expected {_FORMS}{_meant(scheme)}")


def _meant(scheme: object) -> str:
    """Name the scheme that may have been meant; what stands in brackets is not part of its name."""
    return did_you_mean(str(scheme).partition("(")[0], _NAMES)


def part_names(scheme: Scheme) -> tuple[str, ...]:
    """List the splits that a scheme has; empty where only the source's own data tells."""
    match scheme:
        case Official():
            return ()
        case Shares(shares):
            return SPLITS if len(shares) == len(SPLITS) else TWO
        case Temporal(cuts, shares):
            return SPLITS if len(cuts or shares[1:]) == len(SPLITS) - 1 else TWO
        case Fold(folds=folds):
            return SPLITS if folds >= _LEAST else TWO
        case Published() | LeaveOut() | Listed():
            return SPLITS


def canonical(scheme: str) -> str:
    """Write a scheme in the one way in which all that mean the same are written.

    >>> canonical("patient( 0.7/0.15/0.15,seed=0 )"), canonical("fold-1-of-5")
    ('patient(14/3/3)', 'fold-1-of-5')
    """
    match parse_scheme(scheme):
        case Shares(shares, seed, leaky):
            name = "leaky" if leaky else "patient"
            return f"{name}({_written(shares)}{f', seed={seed}' if seed else ''})"
        case Fold(fold, folds, seed, leaky):
            return f"{'leaky-' * leaky}fold-{fold}-of-{folds}{f'(seed={seed})' if seed else ''}"
        case LeaveOut(sources):
            return f"leave-{'+'.join(sources)}-out"
        case Temporal(cuts, shares):
            return f"temporal({', '.join(cuts) if cuts else _written(shares)})"
        case Published() | Official() | Listed():
            return scheme


def _with_arguments(scheme: str, name: str, arguments: list[str]) -> Scheme:
    seeds = [found for text in arguments if (found := _SEED.fullmatch(text))]
    others = [text for text in arguments if not _SEED.fullmatch(text)]
    seed = int(seeds[0][1]) if seeds else 0
    fold = _FOLD.fullmatch(name)
    if len(seeds) < 2:
        if name in ("patient", "leaky") and len(others) < 2 and (seeds or others):
            return Shares(_shares(scheme, others[0]) if others else DEFAULT, seed, leaky=name == "leaky")
        if fold and seeds and not others:
            return _fold(scheme, fold, seed)
        if name == "temporal" and not seeds and len(others) == 1 and "/" in others[0]:
            return Temporal(shares=_shares(scheme, others[0]))
        if name == "temporal" and not seeds and len(others) <= 2:
            return Temporal(_cuts(scheme, others))
    raise UnknownVersionError(f"scheme {scheme!r}: expected {_FORMS}{_meant(scheme)}")


def _shares(scheme: str, text: str) -> tuple[int, ...]:
    """Read shares, as the smallest whole numbers that have their ratio."""
    parts = [part.strip() for part in text.split("/")]
    if len(parts) in (len(TWO), len(SPLITS)) and all(_SHARE.fullmatch(part) for part in parts):
        shares = [Fraction(part) for part in parts]
        common = lcm(*(share.denominator for share in shares))
        whole = [int(share * common) for share in shares]
        least = tuple(number // max(gcd(*whole), 1) for number in whole)
        if min(least) > 0 and sum(least) <= _FINEST:
            return least
    raise UsageError(
        f"scheme {scheme!r}: expected two shares for train and test (80/20), or three for train, validation and test "
        f"(70/15/15), none of them 0 and none finer than whole per cents, found {text!r}"
    )


def _cuts(scheme: str, texts: list[str]) -> tuple[str, ...]:
    """Read the days from which validation and test, or the test alone, are counted."""
    try:
        days = tuple(date.fromisoformat(text).isoformat() for text in texts)
    except ValueError:
        days = ()
    if not days or tuple(sorted(set(days))) != days:
        raise UsageError(
            f"scheme {scheme!r}: expected a day, temporal(2020-04-01), from which on is the test set, or two, from "
            f"which on are validation and test, or shares, temporal(80/10/10); found {', '.join(texts)!r}"
        )
    return days


def _fold(scheme: str, match: re.Match[str], seed: int = 0) -> Fold:
    fold, folds = int(match[2]), int(match[3])
    if not 1 <= fold <= folds or folds < 2:
        raise UsageError(f"scheme {scheme!r}: expected fold-k-of-n with n of 2 or more and k from 1 to n")
    return Fold(fold, folds, seed, bool(match[1]))


def _written(shares: tuple[int, ...]) -> str:
    return "/".join(map(str, shares))
