"""Which rows a caller gets: schemes, folds, filters, and errors that say what there is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from covid_datasets.errors import UnknownVersionError, UsageError
from covid_datasets.load.dataset import load_dataset
from covid_datasets.load.selection import select
from covid_datasets.load.splits import audit, load_splits
from covid_datasets.splits.audit import audit_links
from covid_datasets.splits.index import Index
from covid_datasets.splits.schemes import scheme_splits
from tests.small import SmallSources

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")


def rows(small: SmallSources, name: str, split: str | None = "all", **options: Any) -> list[dict[str, Any]]:
    """Load rows of a small source as dictionaries."""
    config = small.build(name).config
    loaded = load_dataset(
        name, config, split, framework="pandas", cache_dir=small.cache, allow_missing=True, offline=True, **options
    )
    found: list[dict[str, Any]] = loaded.to_dict("records")
    return found


# --- schemes -------------------------------------------------------------------------------------------------------


def test_patient_is_the_default_and_the_stored_order(small: SmallSources) -> None:
    built = small.build("covid_ct")
    loaded = load_dataset("covid_ct", framework="numpy", cache_dir=small.cache, allow_missing=True)
    assert {split: len(part) for split, part in loaded.items()} == dict(built.splits)
    splits = load_splits("covid_ct", cache_dir=small.cache).to_pylist()
    ids = [row["sample_id"] for part in loaded.values() for row in part]
    assert ids == [row["sample_id"] for row in splits]


def test_official_is_the_publishers_split_with_a_warning(small: SmallSources) -> None:
    """The small tree has case 8 in train and validation, and one figure in both classes, in train and test."""
    small.build("covid_ct")
    with pytest.warns(UserWarning, match="does not keep patients apart") as caught:
        loaded = load_dataset(
            "covid_ct", scheme="official", framework="numpy", cache_dir=small.cache, allow_missing=True
        )
    assert {split: len(part) for split, part in loaded.items()} == {"train": 10, "validation": 3, "test": 6}
    where = {row["sample_id"].split("/")[1]: split for split, part in loaded.items() for row in part}
    assert where["2020.03.13.20035212-p23-152.png"] == "train"
    assert where["2020.03.13.20035212-p23-163.png"] == "validation"
    text = "\n".join(str(warning.message) for warning in caught)
    assert "near-duplicate" in text
    assert "contradictory labels" in text
    report = audit("covid_ct", "official", cache_dir=small.cache)
    straddling = {finding.kind: finding.straddling for finding in report.findings}
    assert straddling["patient"] == 0
    assert straddling["tie"] >= 1
    assert straddling["near-duplicate"] == 2


def test_a_source_without_an_official_split_says_so(small: SmallSources) -> None:
    with pytest.raises(UnknownVersionError, match="ships no split; use scheme='patient'"):
        rows(small, "phantom", scheme="official")


@pytest.mark.parametrize("folds", [2, 3, 4])
def test_folds_test_every_row_once_and_keep_groups_whole(small: SmallSources, folds: int) -> None:
    index = Index.read(small.build("phantom").path)
    tested: Counter[str] = Counter()
    for fold in range(1, folds + 1):
        splits = scheme_splits(index, ["phantom"], f"fold-{fold}-of-{folds}")
        assert set(splits) == ({"train", "test"} if folds == 2 else {"train", "validation", "test"})
        tested.update(name for name, split in zip(index.texts("sample_id"), splits, strict=True) if split == "test")
        report = audit_links("phantom", "fold", splits, index.texts("sample_id"), index.strings("label"), index.links)
        assert not report.leaks
    assert set(tested.values()) == {1}
    assert len(tested) == index.table.num_rows


def test_more_folds_than_groups_are_an_error_and_no_empty_test_set(small: SmallSources) -> None:
    """The small phantom has four groups."""
    with pytest.raises(UsageError, match="'fold-1-of-5': expected at most as many folds as groups, found 4"):
        rows(small, "phantom", "test", scheme="fold-1-of-5")


def test_folds_load(small: SmallSources) -> None:
    train = rows(small, "phantom", "train", scheme="fold-1-of-2")
    test = rows(small, "phantom", "test", scheme="fold-1-of-2")
    other = rows(small, "phantom", "train", scheme="fold-2-of-2")
    assert [row["sample_id"] for row in test] == [row["sample_id"] for row in other]
    assert not {row["patient_id"] for row in train} & {row["patient_id"] for row in test}
    assert len(train) + len(test) == small.build("phantom").rows


@pytest.mark.parametrize(
    ("scheme", "error", "message"),
    [
        ("fold-0-of-5", UsageError, "k from 1 to n"),
        ("fold-6-of-5", UsageError, "k from 1 to n"),
        ("fold-1-of-1", UsageError, "n of 2 or more"),
        ("fold-1", UnknownVersionError, "expected patient, official or fold-k-of-n"),
        (
            "leave-source-out",
            UsageError,
            "expected a list of sources, of which one is left out .*, found phantom",
        ),
        ("leave-source", UnknownVersionError, "expected patient, official or fold-k-of-n"),
        ("Patient", UnknownVersionError, "expected patient, official or fold-k-of-n"),
    ],
)
def test_other_schemes_are_clear_errors(small: SmallSources, scheme: str, error: type[Exception], message: str) -> None:
    small.build("phantom")
    with pytest.raises(error, match=message) as caught:
        rows(small, "phantom", scheme=scheme)
    assert repr(scheme) in str(caught.value)


# --- filters -------------------------------------------------------------------------------------------------------


def test_filters_keep_exactly_what_fits(small: SmallSources) -> None:
    everything = rows(small, "phantom")
    chosen = rows(small, "phantom", modality="CXR", label=["covid19", "no_finding"])
    wanted = [row for row in everything if row["modality"] == "CXR" and row["label"] in ("covid19", "no_finding")]
    assert [row["sample_id"] for row in chosen] == [row["sample_id"] for row in wanted]
    assert 0 < len(chosen) < len(everything)


def test_filters_work_on_each_split_and_on_ranges(small: SmallSources) -> None:
    small.build("phantom")
    parts = load_dataset("phantom", "small", framework="numpy", cache_dir=small.cache, modality="CT")
    assert set(parts) == {"train", "validation", "test"}
    assert {row["modality"] for part in parts.values() for row in part} == {"CT"}
    half = load_dataset("phantom", "small", "train[:50%]", framework="numpy", cache_dir=small.cache, modality="CT")
    assert len(half) == round(len(parts["train"]) / 2)
    assert [row["sample_id"] for row in half] == [row["sample_id"] for row in parts["train"]][: len(half)]


def test_filters_take_lists_nulls_and_plain_values(small: SmallSources) -> None:
    everything = rows(small, "cohen")
    unlabelled = rows(small, "cohen", label=None)
    assert len(unlabelled) == small.build("cohen").labels["unlabelled"]
    assert len(rows(small, "cohen", quality=["good", "questionable", "poor"])) == len(everything)
    assert len(rows(small, "cohen", patient_known=True)) + len(rows(small, "cohen", patient_known=False)) == len(
        everything
    )
    one = everything[0]["sample_id"]
    assert [row["sample_id"] for row in rows(small, "cohen", sample_id=one)] == [one]
    assert rows(small, "cohen", country="Atlantis") == []


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ({"modalty": "CT"}, "filter 'modalty': expected a column with single values"),
        ({"image": b""}, "filter 'image'"),
        ({"masks": "lung"}, "filter 'masks'"),
        ({"label": "covid"}, "label 'covid': expected one of no_finding, covid19"),
        ({"modality": "ct"}, "modality 'ct': expected one of CT, CXR, US"),
        ({"view": ["PA", "pa"]}, "view 'pa': expected one of PA, AP"),
        ({"quality": "bad"}, "quality 'bad': expected one of good, questionable, poor"),
        ({"sex": "female"}, "sex 'female': expected one of F, M"),
        ({"license": "comercial"}, "license 'comercial': expected stated, redistribution, derivatives, commercial or"),
    ],
)
def test_slips_are_errors_and_not_empty_datasets(small: SmallSources, view: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        rows(small, "cohen", **view)
    assert message in str(error.value)


def test_licence_filter(small: SmallSources) -> None:
    everything = rows(small, "cohen")

    def ids(**options: Any) -> set[str]:
        return {row["sample_id"] for row in rows(small, "cohen", **options)}

    stated = {row["sample_id"] for row in everything if isinstance(row["license"], str)}
    assert ids(license="stated") == stated
    assert 0 < len(stated) < len(everything)
    assert ids(license="commercial") < ids(license="redistribution") <= stated
    by_text = ids(license="CC BY-SA")
    assert by_text == {row["sample_id"] for row in everything if row["license"] == "CC BY-SA"} != set()
    assert ids(license=["CC BY-SA", "CC BY 3.0"]) > by_text
    assert rows(small, "covid_ct", license="redistribution") == [], "nobody granted any right"


# --- several sources -----------------------------------------------------------------------------------------------


def test_a_selection_over_two_builds_counts_each_row_once(small: SmallSources) -> None:
    builds = [small.build("covid_ct"), small.build("cohen")]
    chosen = select(builds, "patient")
    for number, built in enumerate(builds):
        rows_of_build = sorted(int(row) for parts in chosen.splits.values() for row in parts[number])
        assert rows_of_build == list(range(built.rows))


def test_each_dataset_once(small: SmallSources, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected each dataset once, found cohen, cohen@2020-06-22"):
        load_dataset(["cohen", "cohen@2020-06-22"], cache_dir=tmp_path)
