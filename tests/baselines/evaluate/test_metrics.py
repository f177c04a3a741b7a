"""Every measure against scikit-learn, on whatever data: ties, weights of nought, one class, more classes than rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from covid_datasets.baselines.evaluate.metrics import (
    Curve,
    accuracy,
    calibration_error,
    confidences,
    confusion,
    f1,
    mean_auc,
    rankings,
    recalls,
    reliability,
)

sklearn = pytest.importorskip("sklearn.metrics")
Data = tuple[np.ndarray, np.ndarray, np.ndarray]
few = settings(max_examples=30)  # scikit-learn checks what it is given at length


@st.composite
def data(draw: st.DrawFn, least: int = 2, most: int = 4) -> Data:
    """Draw classes, probabilities with many ties, and weights, of which some are nought."""
    count = draw(st.integers(least, most))
    rows = draw(st.integers(1, 30))
    truth = draw(st.lists(st.integers(0, count - 1), min_size=rows, max_size=rows))
    parts = draw(st.lists(st.lists(st.integers(1, 5), min_size=count, max_size=count), min_size=rows, max_size=rows))
    weights = draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows))
    shares = np.asarray(parts, dtype=float)
    return np.asarray(truth), shares / shares.sum(1, keepdims=True), np.asarray(weights, dtype=float)


@few
@given(data(most=2))
def test_the_auc_of_two_classes(given_data: Data) -> None:
    truth, probabilities, weights = given_data
    assume(len(set(truth[weights > 0].tolist())) == 2)
    ours = mean_auc(rankings(truth, probabilities), weights)
    assert ours == pytest.approx(sklearn.roc_auc_score(truth, probabilities[:, 1], sample_weight=weights))


@few
@given(data(least=3))
def test_the_auc_of_more_is_the_mean_of_each_against_the_rest(given_data: Data) -> None:
    truth, probabilities, weights = given_data
    asked = [each for each in range(probabilities.shape[1]) if 0 < (truth == each).sum() < len(truth)]
    assume(asked)
    assume(all(0 < weights[truth == each].sum() < weights.sum() for each in asked))
    theirs = [sklearn.roc_auc_score(truth == each, probabilities[:, each], sample_weight=weights) for each in asked]
    assert mean_auc(rankings(truth, probabilities), weights) == pytest.approx(np.mean(theirs))


@few
@given(data())
def test_the_auc_is_no_number_where_a_draw_left_a_class_out(given_data: Data) -> None:
    truth, probabilities, _ = given_data
    assume(len(set(truth.tolist())) > 1)
    without_the_last = (truth != truth.max()).astype(float)
    assert np.isnan(mean_auc(rankings(truth, probabilities), without_the_last))


def test_one_class_has_no_auc() -> None:
    assert np.isnan(mean_auc(rankings(np.zeros(3, int), np.full((3, 2), 0.5)), np.ones(3)))
    assert np.isnan(mean_auc(rankings(np.empty(0, int), np.empty((0, 2))), np.empty(0)))


@few
@given(data())
def test_confusion_accuracy_recall_and_f1(given_data: Data) -> None:
    truth, probabilities, weights = given_data
    assume(weights.sum() > 0)
    count, predicted = probabilities.shape[1], probabilities.argmax(1)
    counts = confusion(truth, predicted, count, weights)
    theirs = sklearn.confusion_matrix(truth, predicted, labels=range(count), sample_weight=weights)
    assert counts == pytest.approx(theirs)
    assert accuracy(counts) == pytest.approx(sklearn.accuracy_score(truth, predicted, sample_weight=weights))
    occurring = [each for each in range(count) if counts[each].sum() + counts[:, each].sum()]
    options = {"labels": occurring, "sample_weight": weights, "zero_division": 0}
    assert f1(counts) == pytest.approx(sklearn.f1_score(truth, predicted, average="macro", **options))
    for each in occurring:
        of_one = sklearn.f1_score(truth == each, predicted == each, sample_weight=weights, zero_division=0)
        assert f1(counts, each) == pytest.approx(of_one)
        if counts[each].sum():
            recall = sklearn.recall_score(truth == each, predicted == each, sample_weight=weights, zero_division=0)
            assert recalls(counts)[each] == pytest.approx(recall)


@few
@given(data(most=2), st.sampled_from([0.5, 0.8, 0.9, 0.95, 1.0]))
def test_sensitivity_at_a_specificity(given_data: Data, specificity: float) -> None:
    truth, probabilities, weights = given_data
    assume(len(set(truth[weights > 0].tolist())) == 2)
    curve = Curve.of(truth == 1, probabilities[:, 1])
    false, true, _ = sklearn.roc_curve(truth, probabilities[:, 1], sample_weight=weights, drop_intermediate=False)
    assert curve.sensitivities([specificity], weights)[0] == pytest.approx(true[false <= 1 - specificity + 1e-9].max())


@few
@given(data(most=2))
def test_reliability(given_data: Data) -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    truth, probabilities, _ = given_data
    bins = reliability(*confidences(truth, probabilities), np.ones(len(truth)))
    shares, sure = calibration.calibration_curve(truth, probabilities[:, 1], n_bins=10)
    assert [each.share for each in bins] == pytest.approx(shares)
    assert [each.confidence for each in bins] == pytest.approx(sure)
    assert sum(each.rows for each in bins) == len(truth)
    assert 0 <= calibration_error(bins) <= 1


@few
@given(data())
def test_a_weight_is_how_often_a_row_counts(given_data: Data) -> None:
    """What a bootstrap rests on: to weigh rows is the same as to repeat them."""
    truth, probabilities, weights = given_data
    often = np.repeat(np.arange(len(truth)), weights.astype(int))
    assume(len(set(truth[often].tolist())) == len(set(truth.tolist())))
    once = np.ones(len(often))
    again_truth, again = truth[often], probabilities[often]
    weighed, repeated = rankings(truth, probabilities), rankings(again_truth, again)
    assert mean_auc(weighed, weights) == pytest.approx(mean_auc(repeated, once), nan_ok=True)
    ours = reliability(*confidences(truth, probabilities), weights)
    theirs = reliability(*confidences(again_truth, again), once)
    assert calibration_error(ours) == pytest.approx(calibration_error(theirs), nan_ok=True)


def test_who_is_sure_and_wrong_is_not_calibrated() -> None:
    truth = np.asarray([0, 1, 1, 1])
    sure = np.asarray([[0.1, 0.9]] * 4)
    assert calibration_error(reliability(*confidences(truth, sure), np.ones(4))) == pytest.approx(0.15)
    assert calibration_error(reliability(*confidences(1 - truth, sure), np.ones(4))) == pytest.approx(0.65)
