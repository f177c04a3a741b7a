"""Linear models of a target: a cumulative link for levels, least squares for numbers, Cox's hazards for days.

They have the likelihoods that networks of these targets have, a small penalty, and nothing to tune.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from covid_datasets.audits.traits.predict import WORDS
from covid_datasets.audits.traits.told import Trait
from covid_datasets.baselines.evaluate.bootstrap import Numbers
from covid_datasets.baselines.target import Target

LEAST = 2
"""Rows of train that say a word, before it is a column."""
Slopes = tuple[float, Numbers, Numbers]
"""A loss, and how it changes with the score of each row and with each further parameter."""


def columns_of(traits: Sequence[Trait], train: np.ndarray) -> Numbers:
    """Turn traits into columns, by what is known of the rows of train; an unknown number is their mean, and told."""
    columns = [column for trait in traits for feature in trait.features for column in _columns(feature, train)]
    return np.stack(columns, axis=1) if columns else np.zeros((len(train), 0))


def _columns(feature: np.ndarray, train: np.ndarray) -> Iterator[Numbers]:
    if feature.dtype == object:
        counts = Counter(feature[train].tolist())
        words = sorted(counts, key=lambda word: (-counts[word], word is None, word or ""))[:WORDS]
        for word in words:
            if LEAST <= counts[word] < train.sum():
                yield np.asarray([float(each == word) for each in feature.tolist()])
        return
    unknown = np.isnan(feature)
    known = feature[train & ~unknown]
    if len(known) and known.std() > 0:
        yield np.clip(np.where(unknown, 0.0, (feature - known.mean()) / known.std()), -5, 5)
    if LEAST <= unknown[train].sum() < train.sum():
        yield unknown.astype(float)


def learned(target: Target, columns: Numbers, truth: Numbers, others: Numbers) -> Numbers:
    """Learn a target from columns, and say it of other rows, in the form in which a network says it.

    >>> target = Target(kind="ordinal", column="severity", levels=("mild", "severe"))
    >>> columns, truth = np.asarray([[-1.0], [1.0], [-1.2], [0.8]]), np.asarray([0, 1, 0, 1])
    >>> found = learned(target, columns, truth, np.asarray([[2.0]]))
    >>> bool(found[0, 1] > 0.7), float(found.sum().round(6))
    (True, 1.0)
    """
    from scipy.optimize import minimize

    count = columns.shape[1]
    start, likelihood = _model(target, truth)

    def objective(parameters: Numbers) -> tuple[float, Numbers]:
        weights = parameters[:count]
        loss, by_score, by_rest = likelihood(columns @ weights, parameters[count:])
        return loss + float(weights @ weights) / 2, np.concatenate([columns.T @ by_score + weights, by_rest])

    found = minimize(objective, np.concatenate([np.zeros(count), start]), jac=True, method="L-BFGS-B").x
    return _said(target, others @ found[:count], found[count:], truth)


def _model(target: Target, truth: Numbers) -> tuple[Numbers, Callable[[Numbers, Numbers], Slopes]]:
    """Return where the parameters beside the weights begin, and the likelihood."""
    match target.kind:
        case "ordinal":
            return np.zeros(len(target.levels) - 1), lambda scores, rest: _of_levels(scores, rest, truth)
        case "survival":
            return np.zeros(0), lambda scores, _: _of_days(scores, truth)
    middle, spread = truth.mean(), truth.std() or 1.0

    def of_numbers(scores: Numbers, rest: Numbers) -> Slopes:
        off = scores + rest[0] - (truth - middle) / spread
        return float(off @ off) / 2, off, np.asarray([off.sum()])

    return np.zeros(1), of_numbers


def _thresholds(rest: Numbers) -> Numbers:
    return np.asarray(rest[0] + np.concatenate([[0.0], np.cumsum(np.exp(rest[1:]))]))


def _logistic(values: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -500, 500))))


def _of_levels(scores: Numbers, rest: Numbers, truth: Numbers) -> Slopes:
    """Return the cumulative link's likelihood: of who is between two thresholds, one or none of which may be there."""
    ends = np.concatenate([[-np.inf], _thresholds(rest), [np.inf]])
    level = truth.astype(int)
    low, high = scores - ends[level], scores - ends[level + 1]
    chance = np.maximum(_logistic(low) - _logistic(high), 1e-12)
    steep = [_logistic(at) * (1 - _logistic(at)) / chance for at in (low, high)]
    by_end = np.zeros(len(ends))
    np.add.at(by_end, level, steep[0])
    np.add.at(by_end, level + 1, -steep[1])
    by_threshold = by_end[1:-1]
    later = np.cumsum(by_threshold[::-1])[::-1]
    by_rest = np.concatenate([[by_threshold.sum()], np.exp(rest[1:]) * later[1:]])
    return -float(np.log(chance).sum()), steep[1] - steep[0], by_rest


def _of_days(scores: Numbers, truth: Numbers) -> Slopes:
    """Return Cox's partial likelihood, with Breslow's way for deaths of one day."""
    days, died = np.abs(truth), truth > 0
    at_risk = days[None, :] >= days[died][:, None]
    raised = np.exp(scores - scores.max()) * at_risk
    sums = raised.sum(1)
    loss = float((np.log(sums) + scores.max() - scores[died]).sum())
    return loss, (raised / sums[:, None]).sum(0) - died, np.zeros(0)


def _said(target: Target, scores: Numbers, rest: Numbers, truth: Numbers) -> Numbers:
    match target.kind:
        case "ordinal":
            ends = np.concatenate([[-np.inf], _thresholds(rest), [np.inf]])
            above = _logistic(scores[:, None] - ends)
            return np.asarray(above[:, :-1] - above[:, 1:])
        case "survival":
            return scores[:, None]
    numbers = truth.mean() + (truth.std() or 1.0) * (scores + rest[0])
    low, high = target.bounds
    return np.asarray(np.clip(numbers, low, high)[:, None])
