"""What is true of an image, read from its columns; and what cannot be true."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from covid_datasets.baselines.target import Target, check_truth, truth_of
from covid_datasets.errors import UsageError

DAYS = Target(kind="survival", column="source_row.dead", seen=("source_row.seen",))
GRADES = Target(kind="ordinal", column="severity", levels=("0", "1|2", "3"))
SCORE = Target(kind="regression", column="severity_scores.opacity", bounds=(0, 6))


def table(**columns: list[Any]) -> pa.Table:
    count = len(next(iter(columns.values())))
    samples = [f"s{number}" for number in range(count)]
    empty = dict.fromkeys(("offset_days", "survival", "severity"), [None] * count)
    return pa.table({"sample_id": samples, "patient_id": samples} | empty | columns)


def rows(*each: dict[str, Any]) -> list[str]:
    return [json.dumps(row) for row in each]


def test_words_of_one_level_are_one_number_and_others_are_left_out() -> None:
    found = truth_of(GRADES, [table(severity=["0", "2", None, "", "9"]), table(severity=["3"])])
    assert found == {"s0": 2, "s1": 1}, "later parts count too"
    truths = Target(kind="ordinal", column="survival", levels=("true", "false"))
    assert truth_of(truths, [table(survival=[True, False, None])]) == {"s0": 0, "s1": 1}


def test_days_count_from_the_image_and_who_lives_is_below_zero() -> None:
    source = rows({"dead": "0"}, {"dead": "4.0", "seen": "9"}, {"seen": "3"}, {}, {"seen": ""})
    found = truth_of(DAYS, [table(source_row=source, survival=[False, False, True, None, False])])
    assert found == {"s0": 1, "s1": 5, "s2": -4, "s3": -1}, "who died, and nobody says when, is left out"


def test_later_images_of_a_person_say_that_they_lived() -> None:
    given = table(source_row=rows({}, {}, {}, {}), patient_id=["a", "a", None, "b"], offset_days=[2, 12, 30, None])
    assert truth_of(DAYS, [given]) == {"s0": -11, "s1": -1, "s2": -1, "s3": -1}


@pytest.mark.parametrize(
    ("target", "columns", "says"),
    [
        (DAYS, {"source_row": rows({"dead": "soon"})}, "s0: expected a number in source_row.dead, found 'soon'"),
        (DAYS, {"source_row": rows({"dead": "-3"})}, "until death, 0 or more, in source_row.dead, found '-3'"),
        (DAYS, {"source_row": rows({"seen": "nan"})}, "s0: expected a number in source_row.seen, found 'nan'"),
        (SCORE, {"severity_scores": [[{"name": "opacity", "value": 7.0}]]}, "a number from 0 to 6 in .*, found 7.0"),
        (SCORE, {"severity_scores": [[{"name": "opacity", "value": float("nan")}]]}, "a number in .*, found nan"),
        (SCORE, {"severity_scores": [[{"name": "extent", "value": 2.0}], None]}, "of some of 2 images, found none"),
        (GRADES, {"severity": ["CT-1", None]}, "expected 0, 1.2, 3 of some of 2 images, found 'CT-1'"),
    ],
)
def test_what_cannot_be_true_is_named(target: Target, columns: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        truth_of(target, [table(**columns)])


@pytest.mark.parametrize(
    ("target", "truth", "says"),
    [
        (GRADES, {"train": [0, 0]}, "ward, train: severity: expected two levels or more, found one: 0 of all 2"),
        (GRADES, {"train": [0, 1, 2], "test": [2]}, "test: severity: expected two levels or more, found one: 3"),
        (GRADES, {"train": [0, 2], "test": [0, 1]}, "expected every level, found no 1.2"),
        (SCORE, {"train": [3, 3.0]}, "expected several values, found 3 of all 2"),
        (DAYS, {"train": [-1, -5]}, "all 2 are censored.*Of 9 images the column survival says whether"),
        (DAYS, {"train": [4, -5], "test": [-2]}, "test: source_row.dead: .*all 1 are censored"),
    ],
)
def test_parts_of_which_nothing_comes_are_refused(target: Target, truth: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_truth(target, {part: np.asarray(each, float) for part, each in truth.items()}, "ward", 9)
