"""Intervals: whole groups are drawn, by a seed, and draws that say nothing are counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.baselines.evaluate.bootstrap import Interval, drawn, intervals, percentiles, students_t
from covid_datasets.baselines.evaluate.compare import paired
from covid_datasets.baselines.evaluate.metrics import mean_auc, rankings


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=20), st.integers(0, 5))
def test_groups_are_drawn_whole_and_by_the_seed(groups: list[str], seed: int) -> None:
    first, again = (list(drawn(groups, 5, seed)) for _ in range(2))
    assert np.array_equal(first, again)
    for weights in first:
        of = {group: {weights[row] for row, each in enumerate(groups) if each == group} for group in set(groups)}
        assert all(len(values) == 1 for values in of.values()), "all rows of a group count alike"
        assert sum(min(values) for values in of.values()) == len(of), "as many groups are drawn as there are"


def test_another_seed_draws_others() -> None:
    one, other = (np.stack(list(drawn("abcdefgh", 20, seed))) for seed in (0, 1))
    assert not np.array_equal(one, other)


def interval_of(values: np.ndarray, groups: list[int], seed: int = 0) -> Interval:
    def mean(weights: np.ndarray) -> dict[str, float]:
        return {"mean": float(weights @ values / weights.sum())}

    return intervals(mean, groups, percentiles(len(set(groups))), resamples=500, seed=seed)["mean"]


def test_copies_of_a_patient_make_no_interval_narrower() -> None:
    values = np.random.default_rng(0).normal(size=30)
    once = interval_of(values, list(range(30)))
    tenfold = interval_of(np.repeat(values, 10), [each for each in range(30) for _ in range(10)])
    as_if_others = interval_of(np.repeat(values, 10), list(range(300)))
    assert once.low is not None
    assert once.high is not None
    assert tenfold.low == pytest.approx(once.low)
    assert tenfold.high == pytest.approx(once.high)
    assert as_if_others.low is not None
    assert as_if_others.high is not None
    assert as_if_others.high - as_if_others.low < (once.high - once.low) / 2


def test_draws_that_leave_a_class_out_are_counted_and_say_nothing() -> None:
    truth = np.asarray([1, 0, 0, 0, 0, 0])
    ranked = rankings(truth, np.stack([1 - truth, truth], axis=1).astype(float))
    found = intervals(lambda w: {"auc": mean_auc(ranked, w)}, list(range(6)), percentiles(2), resamples=1000, seed=0)[
        "auc"
    ]
    assert 250 < found.degenerate < 420, "the only one who is ill is left out of (5 / 6) ** 6 = 33 % of draws"
    assert (found.low, found.value, found.high) == (1.0, 1.0, 1.0)


def test_where_most_draws_say_nothing_there_is_no_interval() -> None:
    def never(weights: np.ndarray) -> dict[str, float]:
        return {"x": 1.0 if weights.max() == weights.min() else float("nan")}

    found = intervals(never, list("abcdefgh"), percentiles(8), resamples=200, seed=0)["x"]
    assert (found.value, found.low, found.high) == (1.0, None, None)
    assert found.degenerate > 100
    assert "no interval" in str(found)


@pytest.mark.parametrize("groups", [[], ["a"], ["a", "a", "a"]])
def test_of_one_group_there_is_no_interval(groups: list[str]) -> None:
    found = intervals(
        lambda weights: {"sum": float(weights.sum())}, groups, percentiles(len(set(groups))), resamples=100, seed=0
    )
    assert (found["sum"].low, found["sum"].high) == (None, None)
    assert found["sum"].value == len(groups)


def test_students_distribution() -> None:
    stats = pytest.importorskip("scipy.stats")
    for freedom in range(1, 200):
        assert students_t(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), abs=6e-4), freedom
    lows = [ends[0] for groups in range(2, 100) if (ends := percentiles(groups))]
    assert len(lows) == 98
    assert lows == sorted(lows), "the fewer groups there are, the wider an interval is"
    assert all(0 <= low < 2.5 for low in lows)


def test_pairs_of_results_that_always_differ_by_as_much_have_no_width() -> None:
    found = paired([0.9, 0.8, 0.7], [0.85, 0.75, 0.65], ratio=0.25)
    assert (found.low, found.high) == pytest.approx((0.05, 0.05))
    assert np.isnan(paired([float("nan"), 0.8], [0.7, 0.7], 0.25).value)


def test_the_interval_of_pairs_holds_the_truth_of_independent_runs() -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        found = paired(random.normal(0.1, 1, 5).tolist(), random.normal(0, 1, 5).tolist(), ratio=0.0)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.1 <= found.high
    assert 930 <= held <= 970
