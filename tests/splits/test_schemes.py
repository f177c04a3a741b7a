"""Schemes beside the published one: shares and seeds, folds in lists, a source left out, and time."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.catalog.published import SPLITS
from covid_datasets.errors import UnknownVersionError, UsageError
from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.splits.assign import everybody
from covid_datasets.splits.index import Index
from covid_datasets.splits.scheme import canonical, parse_scheme
from covid_datasets.splits.schemes import divide, is_given, scheme_splits, split_names

Row = tuple[str, int, int, str]
"""Source, patient (0: nobody knows), tie (0: none), label."""
rows = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.integers(0, 12), st.sampled_from([0, 0, 0, 0, 1, 2, 3]), st.sampled_from("xy")
    ),
    min_size=8,
    max_size=60,
)
SCHEMES = ["patient(70/15/15)", "patient(80/20, seed=3)", "patient(seed=2)", "fold-2-of-3", "fold-1-of-2(seed=5)"]


LEAKY = ["leaky", "leaky(80/20)", "leaky(seed=4)", "leaky(50/20/30, seed=1)"]
LEAKY_FOLDS = ["leaky-fold-1-of-3", "leaky-fold-3-of-3(seed=2)"]


def index_of(found: Sequence[Row]) -> Index:
    """An index of rows that name themselves, so that their order can be changed."""
    seen: Counter[tuple[str, int]] = Counter()
    told = []
    for number, (source, patient, tie, label) in enumerate(found):
        seen[source, patient] += 1
        told.append({
            "row": number, "sample_id": f"{source}/{patient}/{seen[source, patient]}",
            "patient_id": f"{source}/{patient}" if patient else everybody(source), "patient_known": bool(patient),
            "ties": [f"page:{tie}"] if tie else [], "label": label, "modality": "CXR",
        })  # fmt: skip
    return Index(pa.Table.from_pylist(told, schema=INDEX_SCHEMA))


def split_of(index: Index, scheme: str) -> dict[str, str | None]:
    return dict(zip(index.texts("sample_id"), scheme_splits(index, sorted(set(index.sources)), scheme), strict=True))


def enough(index: Index) -> bool:
    return len({key for key in index.group_ids if not key.endswith("*")}) >= 3


@settings(deadline=None)
@given(rows, st.sampled_from(SCHEMES))
def test_groups_stay_whole_and_whom_nobody_knows_in_train(found: list[Row], scheme: str) -> None:
    index = index_of(found)
    if enough(index):
        splits = scheme_splits(index, ["a", "b", "c"], scheme)
        assert set(splits) <= set(split_names(scheme))
        assert len(set(zip(index.groups, splits, strict=True))) == len(set(index.groups))
        assert {
            split for key, split in zip(index.group_ids, splits, strict=True) if key.endswith("*")
        } <= {"train"}  # fmt: skip


@settings(deadline=None)
@given(rows, st.sampled_from([*SCHEMES, "leave-a-out"]), st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_that_of_sources_matters(found: list[Row], scheme: str, chance: Any) -> None:
    index = index_of([*found, ("a", 90, 0, "x"), ("b", 91, 0, "y"), ("c", 92, 0, "x")])
    order = list(range(index.table.num_rows))
    chance.shuffle(order)
    mixed = Index(index.table.take(pa.array(order)))
    assert split_of(mixed, scheme) == split_of(index, scheme)


@settings(deadline=None)
@given(rows, st.sampled_from(SCHEMES))
def test_a_source_is_divided_the_same_alone_and_in_a_list(found: list[Row], scheme: str) -> None:
    """But for groups that several sources share, which are whole, where most of their rows are anyhow."""
    joint = index_of([*found, *((source, 90 + number, 0, "x") for source in "abc" for number in range(3))])
    together = split_of(joint, scheme)
    sources: dict[int, set[str]] = {}
    for source, group in zip(joint.sources, joint.groups, strict=True):
        sources.setdefault(group, set()).add(source)
    own = {
        sample for sample, group in zip(joint.texts("sample_id"), joint.groups, strict=True) if len(sources[group]) == 1
    }
    moved = 0
    for source in "abc":
        table = joint.table.filter(pa.array([each == source for each in joint.sources]))
        alone = split_of(Index(table), scheme)
        assert {sample: alone[sample] for sample in alone.keys() & own} == {
            sample: together[sample] for sample in alone.keys() & own
        }
        moved += sum(together[sample] != split for sample, split in alone.items())
    notes = divide(joint, ["a", "b", "c"], scheme).notes
    if moved:
        assert "rows that are elsewhere than where their source is loaded alone" in notes[0]


def cohort(count: int, source: str = "a") -> list[Row]:
    return [(source, 1 + number, 0, "xy"[number % 2]) for number in range(count) for _ in range(1 + number % 4)]


@pytest.mark.parametrize(
    ("scheme", "shares"),
    [
        ("patient(70/15/15)", (0.7, 0.15, 0.15)),
        ("patient(1/1/1)", (1 / 3,) * 3),
        ("patient(60/40, seed=9)", (0.6, 0.4)),
    ],
)
def test_shares_are_those_that_were_asked_for(scheme: str, shares: tuple[float, ...]) -> None:
    index = index_of(cohort(200))
    counts = Counter(scheme_splits(index, ["a"], scheme))
    labels = Counter(zip(scheme_splits(index, ["a"], scheme), index.strings("label"), strict=True))
    for split, share in zip(split_names(scheme), shares, strict=True):
        assert counts[split] / index.table.num_rows == pytest.approx(share, abs=0.01)
        assert labels[split, "x"] / counts[split] == pytest.approx(0.4, abs=0.02), "labels are alike"


def test_another_seed_tests_others_and_the_same_one_the_same() -> None:
    index = index_of(cohort(200))
    tests = []
    for seed in range(6):
        scheme = f"patient(80/20, seed={seed})"
        splits = scheme_splits(index, ["a"], scheme)
        assert splits == scheme_splits(index_of(cohort(200)), ["a"], scheme)
        tests.append({row for row, split in enumerate(splits) if split == "test"})
    for one in range(6):
        for other in range(one):
            assert len(tests[one] & tests[other]) < len(tests[one]) / 2, (one, other)


def test_a_seed_moves_large_groups_too() -> None:
    """Each patient differs from all others in how many films there are, so that no two are of one kind."""
    found: list[Row] = [("a", 1 + number, 0, "x") for number in range(40) for _ in range(5 + number)]
    index = index_of(found)
    tested = Counter(
        key
        for seed in range(1, 13)
        for key, split in set(zip(index.group_ids, scheme_splits(index, ["a"], f"patient(seed={seed})"), strict=True))
        if split == "test"
    )
    assert len(tested) > 20
    assert max(tested.values()) < 9


def test_folds_with_a_seed_test_each_row_once() -> None:
    index = index_of(cohort(60))
    for seed in (0, 4):
        tests = [scheme_splits(index, ["a"], f"fold-{fold}-of-5(seed={seed})") for fold in range(1, 6)]
        assert all(splits.count("test") for splits in tests)
        assert [sum(splits[row] == "test" for splits in tests) for row in range(len(tests[0]))] == [1] * len(tests[0])
    assert scheme_splits(index, ["a"], "fold-1-of-5(seed=0)") == scheme_splits(index, ["a"], "fold-1-of-5")


def test_every_scheme_gives_what_it_gave_in_every_release() -> None:
    """Papers rely on it: change the digest only with a promise that was broken, said in CHANGELOG, and raise RULES."""
    index = index_of([*cohort(50), *cohort(31, "b"), ("a", 0, 0, "x"), ("b", 3, 7, "y"), ("a", 9, 7, "x")])
    digest = hashlib.sha256()
    for scheme in (*SCHEMES, "patient", "fold-1-of-10", "leave-b-out"):
        digest.update(repr((scheme, sorted(split_of(index, scheme).items()))).encode())
    assert digest.hexdigest() == "2951f06746e45a31321640025bd1b5acdeb3695c38608dfb6845bd6b05b87092"


# --- a source left out ---------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(rows)
def test_nobody_of_a_source_that_is_left_out_is_trained_on(found: list[Row]) -> None:
    index = index_of([*found, ("a", 90, 0, "x"), ("b", 91, 0, "y")])
    division = divide(index, ["a", "b", "c"], "leave-a-out")
    tested = {group for group, split in zip(index.groups, division.splits, strict=True) if split == "test"}
    left = 0
    for source, group, split in zip(index.sources, index.groups, division.splits, strict=True):
        assert (split == "test") == (source == "a"), "all of the source, and nothing else, is the test set"
        assert (split is None) == (group in tested and source != "a")
        left += split is None
    assert any("rows in no split" in note for note in division.notes) == bool(left)
    default = split_of(index, "patient")
    for sample, split in zip(index.texts("sample_id"), division.splits, strict=True):
        if split in ("train", "validation"):
            assert (split == "validation") == (default[sample] == "validation")


def test_several_sources_are_left_out() -> None:
    index = index_of([("a", 1, 0, "x"), ("b", 2, 0, "x"), ("c", 3, 0, "x"), ("c", 0, 0, "x")])
    assert scheme_splits(index, ["a", "b", "c"], "leave-b+a-out") == ["test", "test", "train", "train"]
    assert canonical("leave-b+a-out") == "leave-a+b-out"


@pytest.mark.parametrize(
    ("datasets", "scheme", "message"),
    [
        (["a"], "leave-a-out", "expected a list of sources, of which one is left out for testing, found a alone"),
        (["a", "b"], "leave-source-out", r"not of all \(leave-a-out, leave-b-out; of several .*\), found source"),
        (["a", "b"], "leave-a+b-out", r"names of sources of the list, and not of all .* found a, b"),
        (["a", "b"], "leave-+-out", "found none"),
    ],
)
def test_what_cannot_be_left_out_is_told(datasets: list[str], scheme: str, message: str) -> None:
    index = index_of([(dataset, 1, 0, "x") for dataset in datasets])
    with pytest.raises(UsageError, match=message):
        divide(index, datasets, scheme)


# --- time ----------------------------------------------------------------------------------------------------------

days = st.sampled_from(["2020-03-01", "2020-03-20", "2020-04-01", "2020-04-30", "2020-05-02", "2020-04", "2020", None])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), days), min_size=2, max_size=40))
def test_nothing_of_the_test_set_or_after_it_is_trained_on(found: list[tuple[int, str | None]]) -> None:
    found = [*found, (91, "2020-03-01")]
    index = index_of([("a", patient, 0, "x") for patient, _ in found])
    splits = divide(index, ["a"], "temporal(2020-04-01, 2020-05-01)", [day for _, day in found]).splits
    months = {"train": {"2020-03"}, "validation": {"2020-04"}, "test": {"2020-05"}}
    for (_, day), split in zip(found, splits, strict=True):
        if split is not None:
            assert day is not None
            assert day[:7] in months[split]
        if day in (None, "2020"):
            assert split is None, "which side of a cut it is on is not known"
    for patient, _ in found:
        assert len({split for (other, _), split in zip(found, splits, strict=True) if other == patient and split}) <= 1


def test_the_column_the_cut_and_what_is_left_out_are_said() -> None:
    index = index_of([("a", 1, 0, "x"), ("a", 1, 0, "x"), ("a", 2, 0, "x"), ("a", 3, 0, "x"), ("a", 4, 0, "x")])
    dates = ["2020-03-01", "2020-04-02", "2020-03", "2020", None]
    division = divide(index, ["a"], "temporal(2020-04-01)", dates)
    assert division.splits == [None, "test", "train", None, None]
    assert division.notes == (
        "by the column date: train is before 2020-04-01, test from 2020-04-01 on",
        "rows in no split, because nobody knows on which side of a cut they are: 2",
        "rows in no split, because later ones of the same group are in a later one: 1",
    )
    assert split_names("temporal(2020-04-01)") == ("train", "test")


def test_shares_of_time_find_their_days() -> None:
    index = index_of([("a", 1 + number, 0, "x") for number in range(100)])
    dates = [f"2020-{1 + number // 10:02}-{1 + number % 10:02}" for number in range(100)]
    division = divide(index, ["a"], "temporal(70/15/15)", dates)
    assert Counter(division.splits) == {"train": 70, "validation": 15, "test": 15}
    assert "validation from 2020-08-01 on" in division.notes[0]
    assert Counter(divide(index, ["a"], "temporal", dates).splits) == {"train": 80, "validation": 10, "test": 10}
    with pytest.raises(UsageError, match=r"expected days enough for 3 parts .*, found 1 in 100 rows; name the days"):
        divide(index, ["a"], "temporal", ["2020-03-01"] * 100)


def test_a_source_without_dates_is_refused_with_the_reason() -> None:
    index = index_of([("a", 1, 0, "x"), ("b", 2, 0, "x")])
    with pytest.raises(
        UsageError, match=r"found none in the column date of b: .*offset_days.*leave it out of the list"
    ):
        divide(index, ["a", "b"], "temporal(2020-04-01)", ["2020-03-01", None])


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scheme",
    [
        "patient(70/15/15, 3)", "patient(seed=1, seed=2)",
        "patient (70/15/15)", "patient(70/15/15", "patient(70/15/15))", "fold-1-of-5(70/15/15)", "official(seed=1)",
        "patient@1(seed=2)", "leave--out", "leave-a b-out", "temporal(seed=1)", "temporal()x", "", 5, None, ["patient"],
    ],
)  # fmt: skip
def test_what_is_no_scheme_is_told(scheme: Any) -> None:
    with pytest.raises(UnknownVersionError, match="expected patient, official or fold-k-of-n"):
        split_names(scheme)


@pytest.mark.parametrize(
    "scheme",
    [
        "patient(70)", "patient(70/0/30)", "patient(1/2/3/4)", "patient(a/b)", "patient(70/-15/45)", "patient(1e3/1)",
        "patient(99.9/0.1)", "patient(/)", "temporal(2020-13-01)", "temporal(2020-04-02, 2020-04-01)", "temporal()",
        "temporal(yesterday)", "temporal(2020-04-01, 2020-04-01)", "fold-6-of-5(seed=1)", "patient(\u0667/\u0663)",
        "patient()", "patient(seed=)", "patient(seed=-1)", "leaky()", "leaky(80)", "leaky(80/20/0)",
        "leaky(seed=-1)", "leaky-fold-4-of-3", "leaky-fold-0-of-3",
    ],
)  # fmt: skip
def test_what_a_scheme_cannot_be_asked_for_is_told(scheme: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        split_names(scheme)


def test_one_scheme_has_one_name_for_what_is_kept() -> None:
    for same in ("patient(70/15/15,seed=3)", "patient( 0.7/0.15/0.15 , seed = 3)", "patient(14/3/3, seed=03)"):
        assert canonical(same) == "patient(14/3/3, seed=3)"
        assert parse_scheme(canonical(same)) == parse_scheme(same)
    others = ("temporal", "temporal(2020-04-01)", "leave-a-out", "official-fold_2", "patient@1", *LEAKY, *LEAKY_FOLDS)
    for scheme in (*SCHEMES, *others):
        assert parse_scheme(canonical(scheme)) == parse_scheme(scheme)
    assert not any(map(is_given, [*SCHEMES, "temporal", "leave-a-out"]))
    assert split_names("patient(80/20)") == ("train", "test")
    assert split_names("leave-a-out") == split_names("temporal") == SPLITS


@settings(deadline=None)
@given(rows, st.sampled_from(LEAKY), st.randoms())
def test_leaky_deals_every_row_by_itself_in_its_share(found: list[Row], scheme: str, random: Any) -> None:
    index = index_of(found)
    split = split_of(index, scheme)
    assert is_given(scheme)
    assert canonical(scheme).startswith("leaky(")
    shares = dict(zip(split_names(scheme), parse_scheme(scheme).shares, strict=True))  # type: ignore[union-attr]
    strata: dict[tuple[str, str | None], list[str | None]] = {}
    for sample, source, label in zip(index.texts("sample_id"), index.sources, index.strings("label"), strict=True):
        strata.setdefault((source, label), []).append(split[sample])
    for parts in strata.values():
        for name, share in shares.items():
            assert abs(parts.count(name) - len(parts) * share / sum(shares.values())) <= 1
    told = index.table.to_pylist()
    random.shuffle(told)
    assert split_of(Index(pa.Table.from_pylist(told, schema=INDEX_SCHEMA)), scheme) == split


def test_leaky_folds_ask_every_row_once_and_tear_people_apart() -> None:
    index = index_of([("a", who, 0, "xy"[who % 2]) for who in (1, 2, 3, 4) for _ in range(15)])
    asked = [{s for s, part in split_of(index, f"leaky-fold-{k}-of-3").items() if part == "test"} for k in (1, 2, 3)]
    assert sorted(sample for fold in asked for sample in fold) == sorted(index.texts("sample_id"))
    assert [len(fold) for fold in asked] == [20] * 3
    assert all(map(is_given, LEAKY_FOLDS))
    assert all(len({sample.split("/")[1] for sample in fold}) == 4 for fold in asked), "everybody is in every fold"


def test_leaky_tears_a_person_apart_and_a_seed_deals_anew() -> None:
    index = index_of([("a", 1, 0, "x")] * 40)
    assert Counter(split_of(index, "leaky").values()) == {"train": 32, "validation": 4, "test": 4}
    assert split_of(index, "leaky(seed=1)") != split_of(index, "leaky")
    assert len(set(split_of(index, "patient(seed=1)").values())) == 1
