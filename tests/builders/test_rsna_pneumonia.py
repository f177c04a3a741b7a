"""RSNA's challenge: a row for each box, films that are called patients, and the mapping that knows the people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("pydicom")

from covid_datasets.errors import DamagedFileError
from covid_datasets.load.stored import open_table
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Box, Notice, Record
from tests.builders.test_builders import build, count
from tests.small import SmallSources
from tests.sources import rsna_pneumonia as source


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source.write(tmp_path / "tree")
    return tmp_path / "tree"


def of(tree: Path) -> tuple[dict[str, Record], list[Notice]]:
    return build("rsna_pneumonia", RawTree.of_folder(tree))


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8", newline="")


def test_a_film_of_two_boxes_is_one_row(tree: Path) -> None:
    records, notices = of(tree)
    assert count(notices) == {"film of nobody known": 2}
    assert len(records) == len(source.CLASSES) + 1
    film = records[source.TWO_BOXES]
    assert film.boxes == (Box("lung_opacity", 264, 152, 213, 379), Box("lung_opacity", 562, 152, 256, 453))
    assert (film.label, film.label_raw, film.official_split) == ("lung_opacity", "Lung Opacity", "train")
    assert records[source.NORMAL].boxes == ()
    hidden = records[source.TEST]
    assert (hidden.label, hidden.boxes, hidden.official_split) == (None, None, "test")


def test_the_mapping_says_whose_a_film_is(tree: Path) -> None:
    records, _ = of(tree)
    assert records[source.NORMAL].patient == records[source.TWO_BOXES].patient == "00000061"
    (tree / source.MAPPING).unlink()
    records, notices = of(tree)
    assert {(record.patient, record.ties) for record in records.values()} == {(None, ())}
    assert [notice.where for notice in notices] == [source.MAPPING]


@pytest.mark.parametrize(
    "text", ["", "{}]", '{"a": 1}', "[1]", '[{"img_id": "1_0.png"}]', '[{"subset_img_id": "a", "img_id": 7}]']
)
def test_a_mapping_that_is_none_is_an_error(tree: Path, text: str) -> None:
    (tree / source.MAPPING).write_text(text, encoding="utf-8")
    with pytest.raises(DamagedFileError, match=r"mappings_2018\.json: expected"):
        of(tree)


def test_what_the_two_tables_say_differently_is_told(tree: Path) -> None:
    labels, classes = tree / "stage_2_train_labels.csv", tree / "stage_2_detailed_class_info.csv"
    changed(labels, f"{source.ONE_BOX},323.0", f"{source.ONE_BOX},wide")
    changed(classes, f"{source.AGED},Normal", f"{source.AGED},Lung Opacity")
    changed(classes, f"{source.OTHER},No Lung Opacity / Not Normal\n", "")
    records, notices = of(tree)
    told = count(notices)
    assert told.pop("film of nobody known") == 2
    assert told == {"impossible value": 1, "box without numbers": 1, "tables disagree": 2}
    assert (records[source.ONE_BOX].label, records[source.ONE_BOX].boxes) == ("lung_opacity", None)
    assert (records[source.OTHER].label, records[source.OTHER].label_raw) == (None, "Target 0")
    assert records[source.AGED].label is None


def test_without_the_classes_a_film_without_opacity_has_no_label(tree: Path) -> None:
    (tree / "stage_2_detailed_class_info.csv").unlink()
    records, notices = of(tree)
    assert count(notices) == {"table missing": 1, "film of nobody known": 2}
    assert (records[source.TWO_BOXES].label, records[source.NORMAL].label) == ("lung_opacity", None)


def test_the_header_says_sex_age_and_view(small: SmallSources) -> None:
    rows = {row["sample_id"].partition("/")[2]: row for row in open_table(small.build("rsna_pneumonia")).to_pylist()}
    first, aged = rows[source.NORMAL], rows[source.AGED]
    assert [first[name] for name in ("sex", "age", "view", "spacing")] == ["M", 51.0, "PA", [0.143, 0.143]]
    assert first["value_range"] == "stored values of 8 bits"
    assert (aged["age"], json.loads(aged["source_row"])["PatientAge"]) == (None, "155")
