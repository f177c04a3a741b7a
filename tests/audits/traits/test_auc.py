"""The AUC against its definition, pair by pair, and what its interval is worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from covid_datasets.audits.traits.auc import Pairs, draws_of, estimate

Row = tuple[int, bool, int, int]
ROWS = st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 2), st.integers(0, 3)), max_size=25)
"""Score, class, stratum and weight of each row."""


def by_definition(rows: list[Row]) -> float:
    higher = pairs = 0.0
    for score, positive, stratum, weight in rows:
        for other, also, another, as_much in rows:
            if positive and not also and stratum == another:
                pairs += weight * as_much
                higher += weight * as_much * (1.0 if score > other else 0.5 if score == other else 0.0)
    return higher / pairs if pairs else float("nan")


def pairs_of(rows: list[Row]) -> tuple[Pairs, np.ndarray]:
    columns = [np.asarray([row[place] for row in rows]) for place in range(4)]
    return Pairs.of(columns[0].astype(float), columns[1].astype(bool), columns[2]), columns[3].astype(float)


@given(ROWS)
def test_it_is_the_share_of_pairs_in_which_the_class_scores_higher(rows: list[Row]) -> None:
    pairs, weights = pairs_of(rows)
    assert pairs.auc(weights) == pytest.approx(by_definition(rows), nan_ok=True)


@given(ROWS)
def test_the_order_of_rows_changes_nothing(rows: list[Row]) -> None:
    one, weights = pairs_of(rows)
    other, its_weights = pairs_of(sorted(rows))
    np.testing.assert_equal(one.auc(weights), other.auc(its_weights))


@given(ROWS)
def test_turned_around_it_is_the_rest(rows: list[Row]) -> None:
    pairs, weights = pairs_of(rows)
    turned, _ = pairs_of([(-score, positive, stratum, weight) for score, positive, stratum, weight in rows])
    assume(not np.isnan(pairs.auc(weights)))
    assert pairs.auc(weights) + turned.auc(weights) == pytest.approx(1.0)


def test_it_is_that_of_scikit_learn_in_one_stratum() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(1)
    scores, positive = random.integers(0, 40, 500) / 40, random.random(500) < 0.3
    ours = Pairs.of(scores, positive, np.zeros(500)).auc(np.ones(500))
    assert ours == pytest.approx(metrics.roc_auc_score(positive, scores))


def test_drawing_groups_is_drawing_all_their_rows() -> None:
    """Copies of rows inside of their groups tell nothing new: the interval stays as wide as it was."""
    random = np.random.default_rng(2)
    scores, positive, groups = random.random(60), random.random(60) < 0.5, np.arange(60)
    one = estimate([Pairs.of(scores, positive, np.zeros(60))], groups, draws_of(groups))
    often = [np.repeat(each, 7) for each in (scores, positive, groups)]
    copied = estimate([Pairs.of(often[0], often[1], np.zeros(420))], often[2], draws_of(groups))
    assert one is not None
    assert copied is not None
    assert (one.auc, one.low, one.high) == pytest.approx((copied.auc, copied.low, copied.high))
    alone = np.arange(420)
    too_sure = estimate([Pairs.of(often[0], often[1], np.zeros(420))], alone, draws_of(alone))
    assert too_sure is not None
    assert too_sure.high - too_sure.low < 0.6 * (one.high - one.low)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Scores of people drawn from two normal distributions one deviation apart: their AUC is 0.76."""
    random, held = np.random.default_rng(3), 0
    for _ in range(60):
        positive = np.arange(80) < 40
        groups = np.arange(80)
        scores = random.normal(size=80) + positive
        found = estimate([Pairs.of(scores, positive, np.zeros(80))], groups, draws_of(groups, 200))
        assert found is not None
        held += found.low <= 0.7602 <= found.high
    assert held >= 51  # of 60; 57 are expected


def test_without_a_pair_there_is_no_number() -> None:
    groups = np.arange(3)
    assert estimate([Pairs.of(np.arange(3.0), np.ones(3, bool), np.zeros(3))], groups, draws_of(groups)) is None
    assert estimate([], groups, draws_of(groups)) is None
