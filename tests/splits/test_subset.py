"""What users cut themselves keeps groups whole: smaller sets and folds, of every kind of object that loading gives."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets import group_folds, load_dataset, patient_subset
from covid_datasets.errors import UsageError
from tests.small import SmallSources

keys = st.lists(st.sampled_from([f"g{number}" for number in range(12)]), min_size=1, max_size=60)


SUBSETS = [(0.1, 0), (0.5, 3)]


@settings(deadline=None)
@given(keys, st.integers(2, 6))
def test_folds_keep_groups_whole_and_test_each_row_once(groups: list[str], n: int) -> None:
    if n > len(set(groups)):
        with pytest.raises(UsageError, match=r"n: expected 2 folds or more, and at most as many as there are groups"):
            group_folds(groups, n)
        return
    tested: list[int] = []
    for train, test in group_folds(groups, n):
        assert sorted([*train, *test]) == list(range(len(groups)))
        assert len(test) > 0
        assert not {groups[row] for row in train} & {groups[row] for row in test}
        tested += test.tolist()
    assert sorted(tested) == list(range(len(groups)))


@settings(deadline=None)
@given(keys, st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 5))
def test_subsets_keep_groups_whole_and_lie_in_each_other(
    groups: list[str], one: float, other: float, seed: int
) -> None:
    small, large = (
        set(patient_subset(groups, share, seed=seed).tolist()) for share in (min(one, other), max(one, other))
    )
    assert small <= large
    kept = {groups[row] for row in large}
    assert large == {row for row, group in enumerate(groups) if group in kept}
    assert len(kept) == max(1, round(max(one, other) * len(set(groups))))


@settings(deadline=None)
@given(keys, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(groups: list[str], chance: Any) -> None:
    mixed = list(groups)
    chance.shuffle(mixed)
    kept = [{each[row] for row in patient_subset(each, 0.4).tolist()} for each in (groups, mixed)]
    assert kept[0] == kept[1]
    if len(set(groups)) > 1:
        halves = [
            {frozenset(each[row] for row in test) for _, test in group_folds(each, 2)} for each in (groups, mixed)
        ]
        assert halves[0] == halves[1]


def test_folds_and_subsets_are_those_of_every_release() -> None:
    """Papers rely on them too; nothing but a promise that was broken may change the digest."""
    table = labelled()
    told = [test.tolist() for _, test in group_folds(table, 5)]
    told += [patient_subset(table, fraction, seed=seed).column("group_id").to_pylist() for fraction, seed in SUBSETS]
    assert (
        hashlib.sha256(repr(told).encode()).hexdigest()
        == "a7af094d49921ec017fc4ed480b0745b99c1ff886e4b49b9d47328cb8ecb6db6"
    )


def labelled(per_label: int = 20) -> pa.Table:
    rows = [
        {"group_id": f"{label}{number}", "label": label, "dataset": "s"}
        for label in ("covid19", "sars", None)
        for number in range(per_label)
        for _ in range(1 + number % 3)
    ]
    return pa.Table.from_pylist(rows)


def test_labels_are_kept_alike() -> None:
    table = labelled()
    of_label = Counter(table.column("label").to_pylist())
    half = patient_subset(table, 0.5)
    assert isinstance(half, pa.Table)
    groups = {(row["label"], row["group_id"]) for row in half.to_pylist()}
    assert Counter(label for label, _ in groups) == {"covid19": 10, "sars": 10, None: 10}
    rare = patient_subset(table, 0.001).to_pylist()
    assert {row["label"] for row in rare} == {"covid19", "sars", None}, "no label is lost"
    for _, test in group_folds(table, 5):
        found = Counter(row["label"] for row in table.take(test).to_pylist())
        assert all(abs(found[label] - count / 5) <= 2 for label, count in of_label.items())


def test_so_many_of_each_label() -> None:
    few = patient_subset(labelled(), per_class=3, seed=2).to_pylist()
    assert Counter(label for label, _ in {(row["label"], row["group_id"]) for row in few}) == {"covid19": 3, "sars": 3}
    more = {row["group_id"] for row in patient_subset(labelled(), per_class=100).to_pylist()}
    assert len(more) == 40, "all that there are"
    others = {row["group_id"] for row in patient_subset(labelled(), per_class=3, seed=3).to_pylist()}
    assert others != {row["group_id"] for row in few}, "another seed chooses others"


@pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
@pytest.mark.parametrize("framework", ["numpy", "pandas", "hf"])
def test_what_loading_gives_stays_what_it_is(framework: str, small: SmallSources) -> None:
    if framework != "numpy":
        pytest.importorskip({"hf": "datasets", "pandas": "pandas"}[framework])
    small.build("cohen")
    options: dict[str, Any] = {"cache_dir": small.cache, "allow_missing": True, "framework": framework}
    train = load_dataset("cohen", split="train", **options)
    kept = patient_subset(train, 0.5, groups="patient_id")
    assert type(kept) is type(train)
    assert 0 < len(kept) < len(train)
    folds = list(group_folds(train, 2, groups="patient_id"))
    assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(len(train)))
    with pytest.raises(UsageError, match="groups 'nobody': expected a column of the dataset"):
        patient_subset(train, 0.5, groups="nobody")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "expected either fraction=0.1 or per_class=20"),
        ({"fraction": 0.5, "per_class": 2}, "expected either fraction=0.1 or per_class=20"),
        ({"fraction": 0.0}, "fraction: expected more than 0 and at most 1, found 0.0"),
        ({"fraction": 20}, "fraction: expected more than 0 and at most 1, found 20"),
        ({"fraction": float("nan")}, "fraction: expected more than 0"),
        ({"per_class": 0}, "per_class: expected 1 group or more, found 0"),
        ({"per_class": 2}, "per_class: expected a column label with at least one label"),
    ],
)
def test_what_cannot_be_is_told(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        patient_subset(["a", "b"], **wrong)


def test_several_splits_at_once_are_refused() -> None:
    for wrong in ({"train": ["a"]}, "phantom"):
        with pytest.raises(UsageError, match="ds: expected one split or a sequence of groups"):
            patient_subset(wrong, 0.5)
