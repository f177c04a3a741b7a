"""COVID-CTset: Hounsfield units, names that mean the opposite, series that tell the class, folds that overlap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from covid_datasets import load_dataset
from covid_datasets.errors import DamagedFileError
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.builders.test_builders import build
from tests.small import SmallSources
from tests.sources import covid_ctset as source
from tests.sources import write_table

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
HOUNSFIELD = {"hu_slope": 1.0, "hu_intercept": -1024.0}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source.write(tmp_path / "tree")
    return tmp_path / "tree"


def of(tree: Path, config: str = "subset") -> tuple[dict[str, Record], list[Notice]]:
    options = {"chosen": config == "subset", **HOUNSFIELD}
    return build("covid_ctset", RawTree.of_folder(tree, config=config, options=options))


def loaded(small: SmallSources, config: str) -> dict[str, dict[str, Any]]:
    small.build("covid_ctset", config=config)
    with small.in_use():
        rows = load_dataset(
            "covid_ctset", config, split="all", framework="numpy", cache_dir=small.cache, allow_missing=True
        )
        return {row["sample_id"].removeprefix("covid_ctset/"): row for row in rows}


def test_a_name_with_unnormal_is_normal_because_the_table_says_so(tree: Path) -> None:
    records, _ = of(tree)
    assert records["cdunnormal_patient101_SR_2_IM00012.tif"].label == "no_finding"
    assert records["normalcd3_patient102_SR_2_IM00013.tif"].label_raw == "normal"


def test_arrays_are_hounsfield_units_and_bytes_the_publishers(small: SmallSources) -> None:
    name = "137covid_patient1_SR_2_IM00010.tif"
    stored = np.asarray(Image.open(small.tree("covid_ctset") / name)).astype(np.float64)
    for config, path in (("subset", name), ("full", "covid1/patient1/SR_2/IM00010.tif")):
        row = loaded(small, config)[path]
        assert (row["hu_slope"], row["hu_intercept"]) == (1.0, -1024.0)
        assert np.array_equal(np.asarray(row["image"], np.float64), stored - 1024)
        assert "Hounsfield" in row["value_range"]


def test_three_series_are_one_patient_and_one_visit(tree: Path) -> None:
    records, _ = of(tree)
    two, three = (records[f"137covid_patient1_SR_{at}_IM00010.tif"] for at in (2, 3))
    assert (two.patient, two.study, two.series) == ("patient1", "patient1", "137covid_patient1_SR_2")
    assert three.series == "137covid_patient1_SR_3"
    assert (two.slice_thickness_mm, three.slice_thickness_mm) == (4, 6)
    assert (two.kernel, two.kvp, two.spacing) == ("B70s", 110, (0.625, 0.62890625))
    assert (two.age, two.sex, two.date) == (53, "F", "2020-04-07")


def test_a_series_that_a_patient_lacks_is_unknown(tree: Path) -> None:
    (tree / "normal1/patient100/SR_4").mkdir()
    (tree / "normal1/patient100/SR_4/IM00001.tif").write_bytes(source.slice_of(4999))
    records, notices = of(tree, "full")
    record = records["normal1/patient100/SR_4/IM00001.tif"]
    assert (record.kernel, record.kvp, record.slice_thickness_mm, record.spacing) == (None,) * 4
    assert not any("patient100" in notice.where for notice in notices), "N/A is no wrong number"


def test_validation_is_taken_out_of_test_and_all_folds_are_kept(tree: Path) -> None:
    records, _ = of(tree)
    splits = {name: record.official_split for name, record in records.items()}
    assert splits == {name: split for name, (_, split) in source.CHOSEN.items()}
    row = records["cdunnormal_patient101_SR_2_IM00012.tif"].source_row
    assert [row[f"fold_{fold}"] for fold in range(1, 6)] == ["test"] * 5


def test_the_whole_set_is_labelled_by_patient_and_says_what_was_chosen(tree: Path) -> None:
    records, _ = of(tree, "full")
    assert len(records) == 3 * (len(source.CHOSEN) - 1)
    of_one = {path: record for path, record in records.items() if "/patient1/SR_2/" in path}
    assert {record.label for record in of_one.values()} == {"covid19"}
    assert [record.source_row["chosen"] for _, record in sorted(of_one.items())] == ["False", "True", "False"]
    assert [record.typical for _, record in sorted(of_one.items())] == [False, True, False]


def test_two_files_of_one_number_are_one_patients_and_flagged(tree: Path) -> None:
    records, _ = of(tree)
    twice = {name: record for name, record in records.items() if "number_twice" in record.flags}
    assert sorted(twice) == ["normal1_patient100_SR_2_IM00010.tif", "normal4_patient100_SR_2_IM00010.tif"]
    assert {record.patient for record in twice.values()} == {"patient100"}
    assert len({record.series for record in twice.values()}) == 2


def test_what_contradicts_is_told(tree: Path) -> None:
    name = "normal1_patient1_SR_2_IM00020.tif"
    (tree / name).write_bytes(source.slice_of(4998))
    (tree / "covid1/patient1/SR_2/IM00010.tif").unlink()
    write_table(
        tree / "all.csv", ("filename", "class"), [(n, c) for n, (c, _) in source.CHOSEN.items()] + [(name, "normal")]
    )
    records, notices = of(tree)
    assert records[name].label == "no_finding"
    assert [notice.kind for notice in notices if notice.where == name] == ["label contradicts the patient"]
    assert "chosen slice missing" in {notice.kind for notice in of(tree, "full")[1]}


@pytest.mark.parametrize("text", ["[]", '{"covid": 3}', '{"covid": {"patient1": ["IM00010.tif"]}}', "{"])
def test_a_list_of_a_fold_that_is_none_is_named(tree: Path, text: str) -> None:
    (tree / "folds/test3.json").write_text(text, encoding="utf-8")
    with pytest.raises(DamagedFileError, match=r"folds/test3\.json"):
        of(tree)
