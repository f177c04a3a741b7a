"""Groups to splits: nobody straddles, published assignments win, and adding data moves nobody."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.catalog.published import SPLITS, published_splits
from covid_datasets.errors import CatalogError, UnknownVersionError, UsageError
from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.splits.assign import SHARES, assign, hash_fraction
from covid_datasets.splits.groups import components, links_by_key, links_by_ties
from covid_datasets.splits.index import Index
from covid_datasets.splits.schemes import scheme_splits, split_names

people = st.lists(st.sampled_from([f"d/{number}" for number in range(12)]), min_size=1, max_size=40)
published = st.dictionaries(st.sampled_from([f"d/{number}" for number in range(12)]), st.sampled_from(SPLITS))


def grouped(patients: list[str], tie_every: int = 0) -> list[int]:
    """Group rows by patient, and patients by a key that some share."""
    links = [*links_by_key("patient", patients)]
    if tie_every:
        links += links_by_key("tie", [str(int(patient[2:]) % tie_every) for patient in patients])
    return components(len(patients), links)


@settings(deadline=None)
@given(people, published, st.integers(0, 5))
def test_no_group_straddles(patients: list[str], known: dict[str, str], tie_every: int) -> None:
    groups = grouped(patients, tie_every)
    splits = assign(groups, patients, known)
    assert len(splits) == len(patients)
    assert set(splits) <= set(SPLITS)
    assert all(len({split for split, group in zip(splits, groups, strict=True) if group == one}) == 1 for one in groups)


@settings(deadline=None)
@given(people, published, st.integers(0, 5))
def test_what_is_published_wins_and_test_wins_over_validation_over_train(
    patients: list[str], known: dict[str, str], tie_every: int
) -> None:
    groups = grouped(patients, tie_every)
    for group, split in zip(groups, assign(groups, patients, known), strict=True):
        members = {patient for patient, other in zip(patients, groups, strict=True) if other == group}
        votes = {known[patient] for patient in members if patient in known}
        if votes:
            assert split == max(votes, key=SPLITS.index)


@settings(deadline=None)
@given(people, people, published)
def test_adding_people_moves_nobody(patients: list[str], more: list[str], known: dict[str, str]) -> None:
    before = dict(zip(patients, assign(grouped(patients), patients, known), strict=True))
    joined = [*(f"e/{patient}" for patient in more), *patients, *(f"c/{patient}" for patient in more)]
    links = links_by_key("patient", joined)
    after = dict(zip(joined, assign(components(len(joined), links), joined, known), strict=True))
    assert {patient: after[patient] for patient in patients} == before


older = st.dictionaries(st.integers(0, 30), st.sampled_from(SPLITS), min_size=1)
newer = st.lists(st.tuples(st.integers(0, 60), st.lists(st.integers(0, 12), max_size=3)), max_size=40)


@settings(deadline=None)
@given(older, newer, st.sampled_from(["a/", "d/", "z/"]))
def test_growth_and_ties_move_nobody_who_is_published_but_towards_the_test_set(
    known: dict[int, str], more: list[tuple[int, list[int]]], prefix: str
) -> None:
    """New people, sorted before and after the old ones, with ties to them, to each other, and between old ones."""
    old = {f"d/{number}": split for number, split in known.items()}
    rows = [(patient, [patient]) for patient in old]
    rows += [(f"{prefix}{number}", [f"{prefix}{number}", *map(str, ties)]) for number, ties in more]
    rows += [(patient, [str(number % 7)]) for number, patient in enumerate(old) if number % 3 == 0]
    links = [*links_by_ties([ties for _, ties in rows]), *links_by_key("patient", [patient for patient, _ in rows])]
    groups, units = components(len(rows), links), [patient for patient, _ in rows]
    after = dict(zip(units, assign(groups, units, old), strict=True))
    for group in set(groups):
        members = {unit for unit, other in zip(units, groups, strict=True) if other == group}
        votes = {old[unit] for unit in members if unit in old}
        assert len({after[unit] for unit in members}) == 1, "no group straddles"
        if len(votes) == 1:
            assert {after[unit] for unit in members} == votes, "the older split wins over all that is new"
        for unit in members & old.keys():
            assert SPLITS.index(after[unit]) >= SPLITS.index(old[unit]), "a test set never loses a row"


@settings(deadline=None)
@given(people, published, st.permutations(range(40)))
def test_the_order_of_rows_does_not_matter(patients: list[str], known: dict[str, str], order: list[int]) -> None:
    mixed = [patients[row] for row in order if row < len(patients)]
    before = dict(zip(patients, assign(grouped(patients, 4), patients, known), strict=True))
    assert dict(zip(mixed, assign(grouped(mixed, 4), mixed, known), strict=True)) == before


def test_shares_are_kept_and_the_hash_is_for_ever() -> None:
    patients = [f"d/{number}" for number in range(4000)]
    counts = Counter(assign(range(4000), patients, {}))
    for split, share in SHARES.items():
        assert counts[split] / 4000 == pytest.approx(share, abs=0.02)
    # Fixed values: another hash would move every patient of every paper.
    assert hash_fraction("covid_ct/Patient 1", "covid_datasets/patient/1") == pytest.approx(0.318659752574212, abs=1e-9)


def test_published_files_are_read_strictly(tmp_path: Path) -> None:
    assert published_splits("nobody", tmp_path) == {}
    (tmp_path / "d.csv").write_text("patient_id,split\nä 1,test\n2,train\n", encoding="utf-8")
    assert published_splits("d", tmp_path) == {"d/ä 1": "test", "d/2": "train"}
    (tmp_path / "d.csv").write_text("patient_id,split\n1,testing\n", encoding="utf-8")
    with pytest.raises(
        CatalogError, match=r"d\.csv line 2: key 'split': expected .* one of train, validation, test, found .*'testing'"
    ):
        published_splits("d", tmp_path)


def index_of(patients: list[str], official: str | None = None) -> Index:
    """An index of rows of which only patient and official split are known."""
    rows: list[dict[str, object]] = [
        {"row": row, "sample_id": f"{patient}/{row}", "patient_id": patient, "ties": [], "official_split": official}
        for row, patient in enumerate(patients)
    ]
    return Index(pa.Table.from_pylist(rows, schema=INDEX_SCHEMA))


@settings(deadline=None)  # the first example imports what the others have
@given(people, st.integers(2, 6))
def test_folds_are_disjoint_in_people_and_cover_every_row(patients: list[str], folds: int) -> None:
    index = index_of(patients)
    if folds > len(set(patients)):
        with pytest.raises(UsageError, match="expected at most as many folds as groups"):
            scheme_splits(index, ["d"], f"fold-1-of-{folds}")
        return
    schemes = [scheme_splits(index, ["d"], f"fold-{fold}-of-{folds}") for fold in range(1, folds + 1)]
    for part in ("test",) if folds == 2 else ("validation", "test"):
        held = [[row for row, split in enumerate(splits) if split == part] for splits in schemes]
        assert all(held), "no fold is empty"
        assert sorted(row for rows in held for row in rows) == list(range(len(patients)))
    for splits in schemes:
        by_split = [{patients[row] for row, found in enumerate(splits) if found == split} for split in SPLITS]
        assert not by_split[0] & by_split[1] | by_split[0] & by_split[2] | by_split[1] & by_split[2]
        assert set(splits) == set(split_names(f"fold-1-of-{folds}"))


@settings(deadline=None)
@given(people, st.permutations(range(40)))
def test_the_order_of_rows_changes_no_fold(patients: list[str], order: list[int]) -> None:
    patients = [*patients, "e/1", "e/2", "e/3"]
    mixed = [patients[row] for row in order if row < len(patients)]
    mixed += patients[40:]
    before = dict(zip(patients, scheme_splits(index_of(patients), ["d"], "fold-2-of-3"), strict=True))
    assert dict(zip(mixed, scheme_splits(index_of(mixed), ["d"], "fold-2-of-3"), strict=True)) == before


@pytest.mark.parametrize("scheme", ["fold-0-of-5", "fold-6-of-5", "fold-1-of-1"])
def test_folds_that_cannot_be_are_told(scheme: str) -> None:
    with pytest.raises(UsageError, match=f"scheme '{scheme}': expected fold-k-of-n with n of 2 or more"):
        scheme_splits(index_of(["d/1"]), ["d"], scheme)


def test_schemes_that_are_not_there_are_told() -> None:
    with pytest.raises(UnknownVersionError, match="expected patient, official or fold-k-of-n"):
        scheme_splits(index_of(["d/1"]), ["d"], "random")
    with pytest.raises(
        UnknownVersionError, match=r"patient@3': expected patient \(the newest\) or one of patient@1, patient@2"
    ):
        scheme_splits(index_of(["d/1"]), ["d"], "patient@3")
    for scheme in ("patient@", "patient@0", "patient@1.0", "patient@one", "patient@ 1", "patient\n", "fold-1-of-5\n"):
        with pytest.raises(UnknownVersionError):
            split_names(scheme)
    with pytest.raises(UnknownVersionError, match="d: the source ships no split; use scheme='patient'"):
        scheme_splits(index_of(["d/1"]), ["d"], "official")
    assert scheme_splits(index_of(["d/1"], "train"), ["d"], "official") == ["train"]
