"""How often a model is right when it is so sure: a share with an interval that holds the truth as often as it says."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.baselines.train.calibration import about_as, calibration, share_within


def write(folder: Path, rows: list[tuple[str, str, str, float]]) -> Path:
    """Write predictions: split, group, label, probability of covid19."""
    with (folder / "predictions.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sample_id", "patient", "group", "split", "label", "p_rest", "p_covid19", "fingerprint"])
        for number, (split, group, label, ill) in enumerate(rows):
            table.writerow([f"x/{number}", group, group, split, label, f"{1 - ill:.6f}", f"{ill:.6f}", "0"])
    return folder


def test_bins_are_of_validation_alone_from_the_least_to_the_most_sure(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    ill = random.uniform(0, 1, 200)
    labels = np.where(random.uniform(0, 1, 200) < ill, "covid19", "rest").tolist()
    rows = [("validation", f"g{n % 80}", label, float(p)) for n, (label, p) in enumerate(zip(labels, ill, strict=True))]
    found = calibration(write(tmp_path, [*rows, *[("test", "t", "rest", 0.99)] * 50]))
    assert [each.rows for each in found] == [40] * 5
    assert all(first.high <= second.low for first, second in pairwise(found))
    right = [each.right.value for each in found]
    assert right[0] < 0.75 < right[-1], "what is drawn by its own probability is calibrated"
    for each in found:
        assert each.right.low is not None
        assert each.right.high is not None
        assert each.right.low < (each.low + each.high) / 2 < each.right.high
    assert about_as(found, 0.5) == found[0]
    assert about_as(found, 1.0) == found[-1]
    assert [about_as(found, each.high) for each in found] == list(found)


def test_without_validation_nothing_is_said_and_of_few_rows_there_is_one_bin(tmp_path: Path) -> None:
    assert calibration(write(tmp_path, [("test", "a", "rest", 0.1)] * 9)) == ()
    assert about_as((), 0.9) is None
    (only,) = calibration(write(tmp_path, [("validation", "a", "covid19", 0.9)] * 9))
    assert (only.rows, only.groups, only.right.low) == (9, 1, None), "one person says nothing of others"


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdefgh")), min_size=1, max_size=60))
def test_an_interval_is_around_its_share_and_never_a_point(found: list[tuple[bool, str]]) -> None:
    share = share_within([right for right, _ in found], [group for _, group in found])
    assert share.value == sum(right for right, _ in found) / len(found)
    if len({group for _, group in found}) > 1:
        assert share.low is not None
        assert share.high is not None
        assert 0 <= share.low <= share.value <= share.high <= 1
        assert share.high - share.low > 0.1


def test_it_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    for truth, people, slices in ((0.9, 12, 3), (0.7, 12, 3), (0.7, 30, 1)):
        held = 0
        for _ in range(300):
            rate = random.beta(truth * 2, (1 - truth) * 2, people)  # people differ in how hard they are
            right = (random.uniform(0, 1, (slices, people)) < rate).T.ravel().tolist()
            found = share_within(right, [f"g{number // slices}" for number in range(people * slices)])
            held += bool(found.low is not None and found.high is not None and found.low <= truth <= found.high)
        assert held >= 0.92 * 300
