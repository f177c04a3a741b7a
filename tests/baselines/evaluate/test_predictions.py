"""Tables of predictions that are wrong: each is refused, and the message says which line and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from covid_datasets.baselines.evaluate.predictions import read_predictions
from covid_datasets.errors import CovidDatasetsError, NotThereError, PredictionsError

GOOD = "sample_id,p_a,p_b\nx/1,0.25,0.75\nx/2,1,0\n"


def test_a_table(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("\ufeff" + GOOD, encoding="utf-8")
    found = read_predictions(file)
    assert (found.samples, found.classes) == (("x/1", "x/2"), ("a", "b"))
    assert found.probabilities.tolist() == [[0.25, 0.75], [1, 0]]
    assert found.run == {}


def test_a_run(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text(GOOD, encoding="utf-8")
    said = {"dataset": "x", "scheme": "patient", "fingerprint": "f", "split_hash": "s", "seed": 3}
    (tmp_path / "config.json").write_text(json.dumps(said), encoding="utf-8")
    assert read_predictions(tmp_path).run == said


def test_the_settings_of_another_program_are_none_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text(GOOD, encoding="utf-8")
    (tmp_path / "config.json").write_text('{"dataset": "imagenet", "architectures": []}', encoding="utf-8")
    assert read_predictions(tmp_path).run == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found none"),
        ("sample_id,p_a\nx/1,1\n", "two or more classes"),
        ("sample,p_a,p_b\nx/1,1,0\n", "expected the columns sample_id and p_<class>"),
        ("sample_id,p_a,p_\nx/1,1,0\n", "expected the columns"),
        ("sample_id,p_a,p_b,p_a\nx/1,1,0,1\n", "each column once, found p_a"),
        ("sample_id,p_a,p_b\nx/1,1,0\nx/1,0,1\n", "found 1 several times: x/1"),
        ("sample_id,p_a,p_b\nx/1,1\n", "line 2: expected 3 cells"),
        ("sample_id,p_a,p_b\nx/1,1,0,0\n", "line 2: expected 3 cells"),
        ("sample_id,p_a,p_b\nx/1,1,0\nx/2,3.1,-2.1\n", "line 3, column p_a: expected a probability from 0 to 1"),
        ("sample_id,p_a,p_b\nx/1,nan,nan\n", "found 'nan'"),
        ("sample_id,p_a,p_b\nx/1,inf,0\n", "found 'inf'"),
        ("sample_id,p_a,p_b\nx/1,,1\n", "found ''"),
        ("sample_id,p_a,p_b\nx/1,0.5,0.4\n", "found a sum of 0.9"),
        ('sample_id,p_a,p_b\n"x/1,0.5,0.4\n', "expected a CSV"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PredictionsError) as caught:
        read_predictions(file)
    assert said in str(caught.value)
    assert "mine.csv" in str(caught.value)


def test_what_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\0\xff\xfe")
    with pytest.raises(PredictionsError, match="expected a CSV in UTF-8"):
        read_predictions(file)


def test_what_is_not_there(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(NotThereError, match="expected a table of predictions"):
            read_predictions(place)


def test_no_beginning_of_a_table_is_a_surprise(tmp_path: Path) -> None:
    """A program that was killed while it wrote leaves any of these."""
    whole, file = GOOD.encode(), tmp_path / "mine.csv"
    for stop in range(len(whole)):
        file.write_bytes(whole[:stop])
        try:
            assert set(read_predictions(file).samples) <= {"x/1", "x/2"}
        except CovidDatasetsError:
            continue
