"""Keyword arguments of `load_dataset`: a name is a filter by a stored column, or it shapes a derived form.

What is wrong with a call is said before anything is downloaded or built.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from covid_datasets.catalog.cards import load_card, names
from covid_datasets.errors import UnknownVersionError, UsageError
from covid_datasets.load.dataset import DERIVED, load_dataset
from covid_datasets.load.filters import ELSEWHERE, check_filters
from covid_datasets.schema import COLUMNS
from tests.small import SmallSources


def test_no_stored_column_has_the_name_of_a_derived_form() -> None:
    cards = [load_card(name) for name in names()]
    tables = [card.columns for card in cards] + [form.columns for card in cards for form in card.configs.values()]
    stored = set(COLUMNS).union(*tables)
    assert len(set(DERIVED)) == len(DERIVED) == 6
    assert stored & set(DERIVED) == set()


def test_what_is_not_named_in_the_signature_is_a_filter() -> None:
    (catch_all,) = [
        each for each in inspect.signature(load_dataset).parameters.values() if each.kind is each.VAR_KEYWORD
    ]
    assert catch_all.name == "filters"


SLIPS: list[tuple[dict[str, Any], str]] = [
    ({"modalty": "CT"}, "found no such column. Did you mean 'modality'?"),
    ({"licence": "stated"}, "Did you mean 'license'?"),
    ({"frame_work": "torch"}, "Did you mean 'framework'?"),
    ({"masks": "lung"}, "found one that holds more than a value"),
    ({"modality": "ct"}, "modality 'ct': expected one of CT, CXR"),
    ({"modality": "cxr"}, "Did you mean 'CXR'?"),
    ({"label": "covid_19"}, "Did you mean 'covid19'?"),
    ({"label": 99}, "label=99: expected values of type string, found 99, a int"),
    ({"label": []}, "label=[]: expected at least one value"),
    ({"modality": len}, "modality: expected values, found a function; give it to what was loaded: ds.filter("),
    ({"modality": {"CT": True}}, "expected a value, a list of values, or a range such as (20, 40)"),
    ({"age": "40"}, "age='40': expected values of type float64, found '40', a str"),
    ({"age": True}, "age=True: expected values of type float64, found True, a bool"),
    ({"age": (20, 30, 40)}, "expected two ends of a range, or a list of values in square brackets"),
    ({"age": (40, 20)}, "expected a range from low to high, found 40.0 after 20.0"),
    ({"width": 3.5}, "width=3.5: expected values of type int32, found 3.5, a float"),
    ({"survival": "yes"}, "survival='yes': expected values of type bool, found 'yes', a str"),
    ({"country": 39}, "country=39: expected values of type string, found 39, a int"),
    ({"symptoms": "couhg"}, "Did you mean 'cough'?"),
    ({"date": (2019, 2020)}, "expected dates such as '2020-03-31', '2020-03' or '2020', found 2019"),
    ({"date": ("2020-04", "2020-03-31")}, "expected a range from low to high"),
    ({"date": ("01.03.2020", None)}, "expected dates such as '2020-03-31'"),
    ({"license": "comercial"}, "Did you mean 'commercial'?"),
    ({"license": []}, "license: expected stated, redistribution"),
    ({"license": 4}, "license: expected stated, redistribution"),
    ({"columns": ["image", "lable"]}, "found 'lable'. Did you mean 'label'?"),
    ({"columns": "image"}, "columns: expected a list such as ['image', 'label'], found 'image'"),
    ({"columns": ["image", "image"]}, "columns: expected each once"),
    ({"labels": "few"}, "labels: expected 'all' or 'present', found 'few'"),
    ({"task": "covid"}, "task: expected a form like 'covid19_vs_rest'"),
    ({"task": "covid_vs_rest"}, "found 'covid'"),
    ({"task": "covid19_vs_covid19"}, "expected two different classes"),
    ({"task": "covid19_vs_rest", "labels": "present"}, "labels: expected none beside task="),
    ({"split": "val"}, "expected one of train, validation, test, found 'val'. Did you mean 'validation'?"),
    ({"split": "Test"}, "found 'Test'. Did you mean 'test'?"),
    ({"split": ["train", "tset"]}, "found 'tset'. Did you mean 'test'?"),
    ({"split": 5}, "split: expected forms like 'train', 'train+test', 'train[:20%]' or a list of them, found 5"),
    ({"num_proc": 0}, "num_proc: expected 1 or more, found 0"),
    ({"num_proc": "4"}, "num_proc: expected 1 or more, found '4'"),
    ({"executor": 3}, "executor: expected a concurrent.futures.Executor, found 3"),
    ({"split": []}, "split: expected at least one, found an empty list"),
    *[({name: "x"}, f"{name}: expected no such argument, because {reason}") for name, reason in ELSEWHERE.items()],
]


@pytest.mark.parametrize(("options", "message"), SLIPS, ids=lambda value: str(value)[:40])
def test_what_the_schema_can_tell_is_told_before_anything_is_built(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as error:
        load_dataset("phantom", "small", framework="numpy", cache_dir=tmp_path, **options)
    assert message in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "scheme", "message"),
    [
        ("hannover", "official", "hannover: the source ships no split; use scheme='patient'"),
        (["hannover", "cohen"], "official", "hannover, cohen: the source ships no split"),
        ("figure1", "patient@1", "figure1: no split of it was published in version 1"),
    ],
)
def test_a_scheme_that_a_source_lacks_is_told_before_anything_is_downloaded(
    name: Any, scheme: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UnknownVersionError, match=message):
        load_dataset(name, scheme=scheme, framework="numpy", cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_first_argument_has_the_name_that_help_shows(tmp_path: Path) -> None:
    assert len(load_dataset(name="phantom", config="small", split="all", framework="numpy", cache_dir=tmp_path)) == 42
    with pytest.raises(UsageError, match="path: expected no such argument, because the first argument is called name"):
        load_dataset(path="phantom")


@pytest.fixture
def phantom(small: SmallSources) -> Callable[..., Any]:
    small.build("phantom")

    def load(split: Any = "all", **options: Any) -> Any:
        return load_dataset("phantom", "small", split, framework="numpy", cache_dir=small.cache, **options)

    return load


def test_a_tuple_of_two_numbers_is_a_range_with_both_ends(phantom: Any) -> None:
    ages = sorted({row["age"] for row in phantom()})
    low, high = ages[1], ages[-2]
    assert sorted({row["age"] for row in phantom(age=(low, high))}) == ages[1:-1]
    assert sorted({row["age"] for row in phantom(age=(low, None))}) == ages[1:]
    assert sorted({row["age"] for row in phantom(age=(None, np.float32(high)))}) == ages[:-1]
    assert sorted({row["age"] for row in phantom(age=[low, high])}) == [low, high]


def test_dates_of_a_table_have_ranges_too() -> None:
    (found,) = check_filters({"day": ("2020-03-01", date(2020, 4, 1))}, {"day": "date32"})
    assert found.bounds == (date(2020, 3, 1), date(2020, 4, 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"age": (200, 300)}, r"age=\(200, 300\) fits none of 42 rows; they hold \d+\.0 to \d+\.0"),
        ({"country": "Atlantis"}, r"country='Atlantis' fits none of 42 rows; found: "),
        ({"label": "sars"}, r"label='sars' fits none of 42 rows; found: .*'covid19' \(14\)"),
        ({"date": ("1900", None)}, r"date=\('1900', None\) fits none of 42 rows; found: None \(42\)"),
        (
            {"modality": "CT", "view": "PA"},
            r"no row fits all filters together; of 42 rows fit alone: modality='CT' \d+, view='PA' \d+",
        ),
    ],
)
def test_filters_that_match_nothing_say_what_there_is(phantom: Any, options: dict[str, Any], message: str) -> None:
    with pytest.warns(UserWarning, match=message) as caught:
        assert len(phantom(**options)) == 0
    assert [warning.filename for warning in caught] == [__file__]


def test_an_empty_split_says_that_the_rows_which_fit_are_in_others(phantom: Any) -> None:
    patient = phantom("train")[0]["patient_id"]
    with pytest.warns(UserWarning, match=r"split 'test' is empty; rows that are left: train \d+, .*test 0") as caught:
        assert len(phantom("test", patient_id=patient)) == 0
    assert [warning.filename for warning in caught] == [__file__]


def test_a_licence_that_no_row_has_is_told_like_any_filter(small: SmallSources) -> None:
    small.build("covid_ct")
    copy: dict[str, Any] = {"data_dir": small.tree("covid_ct"), "allow_missing": True, "license": "commercial"}
    with small.in_use(), pytest.warns(UserWarning, match="license='commercial' fits none of .* rows; found: "):
        rows = load_dataset("covid_ct", split="all", framework="numpy", cache_dir=small.cache, **copy)
    assert len(rows) == 0


def test_a_range_of_dates_takes_the_rows_that_surely_lie_in_it() -> None:
    texts = ["2019", "2019-12-31", "2020", "2020-02", "2020-03", "2020-03-01", "2020-03-15", "2020-12", None]

    def kept(*ends: Any) -> list[str]:
        (found,) = check_filters({"date": ends}, {})
        mask = found.mask(pa.table({"date": pa.array(texts, pa.string())}))
        return [text for text, fits in zip(texts, mask, strict=True) if text and fits]

    assert kept("2020", "2020") == ["2020", "2020-02", "2020-03", "2020-03-01", "2020-03-15", "2020-12"]
    assert kept("2020-03", date(2020, 3, 31)) == ["2020-03", "2020-03-01", "2020-03-15"]
    assert kept("2020-03-02", "2020-11") == ["2020-03-15"]
    assert kept(None, "2020-02-29") == ["2019", "2019-12-31"]
    assert kept("2020-12", None) == ["2020-12"]


def test_a_stream_of_no_rows_ends_at_once(small: SmallSources) -> None:
    pytest.importorskip("datasets")
    small.build("phantom")
    with pytest.warns(UserWarning, match="fits none"):
        rows = load_dataset("phantom", "small", "test", cache_dir=small.cache, streaming=True, label="sars")
    assert list(rows) == []
    assert "image" in rows.features
