"""Measures and likelihoods of targets against what others compute, and against their definitions."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.audits.traits.told import Trait
from covid_datasets.baselines.evaluate.graded import Graded, Lived, Ranks, correlation, quadratic_kappa
from covid_datasets.baselines.evaluate.linear import _of_days, _of_levels, columns_of, learned
from covid_datasets.baselines.target import Target

GRADES = Target(kind="ordinal", column="severity", levels=("a", "b", "c"))
SCORE = Target(kind="regression", column="severity_scores.opacity", bounds=(0, 6))
DAYS = Target(kind="survival", column="source_row.dead")


def test_of_a_question_nobody_reaches_a_level() -> None:
    """Whether somebody died is no level that is reached, and "at least false" says nothing to a reader."""
    told, truth = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]), np.array([0, 0, 1])
    for levels, name in ((("true", "false"), "auc that survival is false"), (("mild", "grave"), "auc at least grave")):
        target = Target(kind="ordinal", column="survival", levels=levels)
        matched: Any = SimpleNamespace(target=target, probabilities=told, truth=truth)
        assert Graded(matched)(np.ones(3))[name] == 1.0


def repeated(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.repeat(values, weights.astype(int))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_kappa_and_ranks_are_those_of_other_libraries_for_any_weights(seed: int) -> None:
    metrics, stats = pytest.importorskip("sklearn.metrics"), pytest.importorskip("scipy.stats")
    random = np.random.default_rng(seed)
    truth, said = random.integers(0, 4, 30), random.integers(0, 4, 30)
    weights = random.integers(0, 4, 30).astype(float)
    ours = quadratic_kappa(truth.astype(float), said.astype(float), weights)
    theirs = metrics.cohen_kappa_score(repeated(truth, weights), repeated(said, weights), weights="quadratic")
    assert ours == pytest.approx(theirs)
    ranks = [Ranks.of(values.astype(float))(weights) for values in (truth, said)]
    expected = stats.spearmanr(repeated(truth, weights), repeated(said, weights)).statistic
    assert correlation(ranks[0], ranks[1], weights) == pytest.approx(expected)


def concordance(truth: np.ndarray, risks: np.ndarray, people: list[str]) -> float:
    right, pairs = 0.0, 0
    for one, other in ((i, j) for i in range(len(truth)) for j in range(len(truth))):
        known = abs(truth[other]) > truth[one] or (-truth[other] == truth[one])
        if truth[one] > 0 and known and people[one] != people[other]:
            pairs += 1
            right += 1.0 if risks[one] > risks[other] else 0.5 * (risks[one] == risks[other])
    return right / pairs


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_concordance_is_its_definition_and_turns_with_the_risk(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.integers(1, 9, 20) * random.choice([-1.0, 1.0], 20)
    truth[:2] = 1, -9
    risks, people = random.integers(0, 5, 20).astype(float), [f"p{number // 2}" for number in range(20)]
    people[1] = "q"
    found = Lived(truth, risks, people)(np.ones(20))["concordance"]
    assert found == pytest.approx(concordance(truth, risks, people))
    assert Lived(truth, -risks, people)(np.ones(20))["concordance"] == pytest.approx(1 - found)
    twice = np.concatenate([truth, truth]), np.concatenate([risks, risks])
    assert Lived(*twice, [*people, *people])(np.ones(40))["concordance"] == pytest.approx(found)
    assert np.isnan(Lived(-np.abs(truth), risks, people)(np.ones(20))["concordance"]), "nobody died"


@pytest.mark.parametrize("seed", range(3))
def test_slopes_are_those_of_the_likelihood(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, rest = random.normal(size=12), random.normal(size=2)
    levels, days = np.arange(12.0) % 3, random.integers(1, 5, 12).astype(float) * np.where(np.arange(12) % 2, 1.0, -1.0)

    def slope(loss: Callable[[np.ndarray], float], at: np.ndarray, place: int) -> float:
        step = np.zeros(len(at))
        step[place] = 1e-6
        return (loss(at + step) - loss(at - step)) / 2e-6

    _, by_score, by_rest = _of_levels(scores, rest, levels)
    expected = [slope(lambda at: _of_levels(at, rest, levels)[0], scores, place) for place in range(12)]
    assert by_score == pytest.approx(expected, abs=1e-5)
    expected = [slope(lambda at: _of_levels(scores, at, levels)[0], rest, place) for place in range(2)]
    assert by_rest == pytest.approx(expected, abs=1e-5)
    _, by_score, _ = _of_days(scores, days)
    expected = [slope(lambda at: _of_days(at, days)[0], scores, place) for place in range(12)]
    assert by_score == pytest.approx(expected, abs=1e-5)


def test_linear_models_find_what_is_planted() -> None:
    pytest.importorskip("scipy")
    random = np.random.default_rng(0)
    age, lot = random.uniform(20, 90, 200), random.normal(size=200)
    age[::10] = np.nan
    sex = np.asarray(["F", "M", None, "F"] * 50, dtype=object)
    traits = [Trait("age", "person", (age,)), Trait("sex", "person", (sex,)), Trait("lot", "file", (lot,))]
    train = np.arange(200) < 120
    columns = columns_of(traits, train)
    assert columns.shape == (200, 1 + 1 + 3 + 1)
    assert not np.isnan(columns).any()
    ill = np.nan_to_num(age, nan=55.0)
    grades = np.digitize(ill, [45, 65]).astype(float)
    said = learned(GRADES, columns[train], grades[train], columns[~train])
    assert said.sum(1) == pytest.approx(np.ones(80))
    assert quadratic_kappa(grades[~train], said.argmax(1).astype(float), np.ones(80)) > 0.8
    numbers = learned(SCORE, columns[train], ill[train] / 15, columns[~train])[:, 0]
    assert quadratic_kappa(ill[~train] / 15, numbers, np.ones(80)) > 0.9
    assert numbers.max() <= 6
    days = (100 - ill).round() * np.where(np.arange(200) % 3, 1.0, -1.0)
    risks = learned(DAYS, columns[train], days[train], columns[~train])[:, 0]
    people = [str(row) for row in range(80)]
    assert Lived(days[~train], risks, people)(np.ones(80))["concordance"] > 0.9


def test_likelihoods_of_networks_are_those_of_the_linear_models() -> None:
    torch = pytest.importorskip("torch")
    from covid_datasets.baselines.networks.heads import Bounded, Ordered
    from covid_datasets.baselines.train.loss import of_risks

    random = np.random.default_rng(0)
    scores, levels = random.normal(size=9), np.arange(9.0) % 3
    head = Ordered(torch.nn.Identity(), 3)
    head.begin(levels)
    told = head(torch.from_numpy(scores)[:, None])
    assert told.exp().sum(1).tolist() == pytest.approx([1.0] * 9)
    first, gap = float(head.first), float(torch.nn.functional.softplus(head.gaps))
    loss = torch.nn.functional.cross_entropy(told, torch.from_numpy(levels).long(), reduction="sum")
    assert float(loss) == pytest.approx(_of_levels(scores, np.asarray([first, np.log(gap)]), levels)[0], rel=1e-4)
    expected = head(torch.linspace(-40, 40, 9)[:, None]).exp() @ torch.arange(3.0)
    assert (expected.diff() >= 0).all(), "who has a higher score is never called less ill"
    assert torch.isfinite(head(torch.tensor([[-90.0], [90.0]]))).all()
    days = random.integers(1, 5, 9).astype(float) * np.where(np.arange(9) % 2, 1.0, -1.0)
    ours = float(of_risks(torch.from_numpy(scores), torch.from_numpy(days)))
    assert ours * (days > 0).sum() == pytest.approx(_of_days(scores, days)[0])
    risks = torch.zeros(4, requires_grad=True)
    of_risks(risks, torch.tensor([-1.0, -2.0, -3.0, -4.0])).backward()
    assert not risks.grad.any(), "where nobody died nothing is learned"
    bounded = Bounded(torch.nn.Identity(), 0, 8)
    bounded.begin(np.asarray([2.0, 2.0]))
    assert float(bounded(torch.zeros(1, 1))) == pytest.approx(2)
    assert 0 <= float(bounded(torch.full((1, 1), -99.0))) <= float(bounded(torch.full((1, 1), 99.0))) <= 8
