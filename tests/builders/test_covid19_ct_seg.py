"""COVID-19-CT-Seg: 18 people and not 20, halves of two units, four zips of equal names, folds that leak."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from covid_datasets.builders.covid19_ct_seg import case_of

from covid_datasets import build_dataset, check, load_dataset, load_splits
from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import UnknownVersionError
from covid_datasets.load.rows import decode_array
from covid_datasets.load.splits import audit_build
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.nifti import read_volume
from covid_datasets.schema import Notice, Record
from covid_datasets.splits.index import Index
from tests.builders.test_builders import build, count
from tests.nifti import nifti
from tests.small import SmallSources
from tests.sources import covid19_ct_seg as source

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
CARD = load_card("covid19_ct_seg")


@pytest.fixture
def tree(small: SmallSources, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small.tree("covid19_ct_seg"), tmp_path / "tree"))


def rows_of(built: Built) -> dict[str, dict[str, Any]]:
    return {row["sample_id"].removeprefix("covid19_ct_seg/"): row for row in open_table(built).to_pylist()}


def build_of(small: SmallSources, tree: Path, config: str = "volumes") -> Built:
    with small.in_use():
        cache = tree.parent / f"cache-{tree.name}"
        return build_dataset("covid19_ct_seg", config, data_dir=tree, cache_dir=cache, num_proc=1, allow_missing=True)


def records_of(tree: Path) -> tuple[dict[str, Record], list[Notice]]:
    return build("covid19_ct_seg", RawTree.of_folder(tree, options={"slices": False}))


def voxels(stored: dict[str, Any]) -> np.ndarray:
    return read_volume(stored["bytes"], "m.nii").voxels


# --- whose the volumes are -----------------------------------------------------------------------------------------


def test_twenty_volumes_are_of_eighteen_people() -> None:
    """The card's lists have every volume, in one fold's training each, and everybody of whom age and sex are known."""
    cases = [case_of(name) for name in CARD.facts["trained_in"]]
    assert len({case.name for case in cases if case}) == len(cases) == CARD.version()[1].images == 20
    people = {case.patient for case in cases if case}
    assert len(people) == CARD.version()[1].patients == 18
    assert people == CARD.facts["people"].keys()
    assert len({case.study for case in cases if case}) == 19, "case 29 has two studies"


@pytest.mark.parametrize("name", source.KAGGLE)
def test_names_of_either_copy_are_one_case(name: str) -> None:
    assert case_of(source.KAGGLE[name]) == case_of(name)
    found = case_of(name)
    assert found
    assert found.name == name


def test_a_page_that_cohen_quotes_too_ties_its_films(small: SmallSources) -> None:
    index = Index.read(small.build("covid19_ct_seg").path)
    ties = dict(zip(index.texts("sample_id"), index.ties, strict=True))
    assert "case:radiopaedia/covid-19-pneumonia-4" in ties["covid19_ct_seg/radiopaedia_4_85506_1"]
    assert not any(tie.startswith("case:") for tie in ties["covid19_ct_seg/coronacases_001"])


# --- folds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fold", "leaks"), [(0, False), (1, False), (2, True), (3, False), (4, True)])
def test_which_folds_tear_a_person_apart(fold: int, leaks: bool) -> None:
    """Of all 20 volumes, which the small tree has not."""
    names = list(CARD.facts["trained_in"])
    cases = [case for name in names if (case := case_of(name))]
    index = {patient: [at for at, case in enumerate(cases) if case.patient == patient] for patient in
             {case.patient for case in cases}}  # fmt: skip
    splits = ["train" if CARD.facts["trained_in"][name] == str(fold) else "test" for name in names]
    torn = {patient for patient, rows in index.items() if len({splits[row] for row in rows}) > 1}
    assert (splits.count("train"), torn) == (4, {"radiopaedia_10", "radiopaedia_29"} if leaks else set())


def test_each_published_fold_is_a_scheme_with_its_audit(small: SmallSources) -> None:
    built = small.build("covid19_ct_seg")
    for fold in range(5):
        report = audit_build(built, f"official-fold_{fold}")
        assert report.leaks == (fold in (2, 4)), fold
    assert audit_build(built, "official").rows == audit_build(built, "official-fold_0").rows
    with small.in_use():
        loaded = load_dataset(
            "covid19_ct_seg", scheme="official-fold_2", framework="numpy", cache_dir=small.cache, allow_missing=True
        )
        sliced = load_splits("covid19_ct_seg", "official-fold_2", cache_dir=small.cache)
        with pytest.raises(UnknownVersionError, match="expected one of the published folds .*official-fold_4"):
            load_dataset("covid19_ct_seg", scheme="official-fold_5", cache_dir=small.cache)
        with pytest.raises(UnknownVersionError, match="none, of these sources"):
            load_dataset("medseg", scheme="official-fold_1", cache_dir=small.cache)
    names = {row["sample_id"].removeprefix("covid19_ct_seg/") for row in loaded["train"]}
    assert names == {"coronacases_001", "radiopaedia_10_85902_1", "radiopaedia_29_86491_1"}
    assert sorted(loaded) == ["test", "train"]
    assert sliced.column("split").to_pylist().count("train") == 3


# --- units, directions and masks -----------------------------------------------------------------------------------


def test_each_half_is_called_what_it_is(small: SmallSources) -> None:
    rows = rows_of(small.build("covid19_ct_seg"))
    measured = rows["coronacases_001"]["value_range"]
    assert measured.startswith("-")
    for name in source.RADIOPAEDIA:
        assert rows[name]["value_range"].endswith("no Hounsfield units")
        assert (rows[name]["hu_slope"], rows[name]["source_url"] is None) == (None, False)
    assert rows["radiopaedia_10_85902_3"]["country"] == "Iran"
    assert (rows["coronacases_007"]["sex"], rows["coronacases_007"]["age"]) == ("F", 41.0)


def test_slices_of_both_halves_are_upright_and_keep_their_units(small: SmallSources) -> None:
    rows = rows_of(small.build("covid19_ct_seg", config="slices"))
    for name, kind in (("coronacases_001", np.int16), ("radiopaedia_4_85506_1", np.uint8)):
        mine = [rows[f"{name}/{number:03}"] for number in range(source.DEPTH)]
        pixels = np.stack([decode_array(row["image"]["bytes"]) for row in mine])
        drawn = np.stack([decode_array(row["masks"]["right_lung"]["bytes"]) for row in mine])
        stored, labels = source.volume(name), source.lungs(name)
        turned = slice(None, None, -1 if name in source.CORONACASES else None)
        assert pixels.dtype == kind
        assert np.array_equal(pixels, stored[:, turned])
        assert np.array_equal(drawn, labels[:, turned] == 2)
    assert rows["radiopaedia_4_85506_1/004"]["value_range"] == "grey levels of 8 bits, no Hounsfield units: as stored"


def test_one_map_gives_both_lungs_also_where_labels_are_nearly_whole(small: SmallSources) -> None:
    built = small.build("covid19_ct_seg")
    rows = rows_of(built)
    for name in ("coronacases_007", "radiopaedia_29_86490_1"):
        masks = rows[name]["volume_masks"]
        for mask, labels in (("lung", (1, 2)), ("left_lung", (1,)), ("right_lung", (2,))):
            assert np.array_equal(voxels(masks[mask]), np.isin(source.lungs(name), labels)), mask
        assert np.array_equal(voxels(masks["infection"]), source.infection(name))
    assert not [note for note in built.manifest()["notices"] if "values" in note["kind"]]


def test_without_a_map_that_of_everything_is_used(small: SmallSources, tree: Path) -> None:
    (tree / "lung/coronacases_001.nii.gz").unlink()
    (tree / "infection/coronacases_007.nii.gz").unlink()
    (tree / "infection/coronacases_009.nii.gz").unlink()
    (tree / "lung_and_infection/coronacases_009.nii.gz").unlink()
    built = build_of(small, tree)
    rows, told = rows_of(built), {note["where"]: note["what"] for note in built.manifest()["notices"]}
    masks = rows["coronacases_001"]["volume_masks"]
    assert np.array_equal(voxels(masks["lung"]), source.lungs("coronacases_001") > 0), "infection is in the lungs"
    assert (masks["left_lung"], masks["right_lung"]) == (None, None), "there nobody can tell which lung is infected"
    infected = voxels(rows["coronacases_007"]["volume_masks"]["infection"])
    assert np.array_equal(infected, source.infection("coronacases_007"))
    assert rows["coronacases_009"]["volume_masks"]["infection"] is None
    assert told["images/coronacases_009.nii.gz"] == "none in infection/; nothing is used in its place"
    assert told["lung_and_infection/"].startswith("5 files")


# --- names and layouts ---------------------------------------------------------------------------------------------


def test_a_copy_of_kaggle_has_the_same_cases(small: SmallSources, tmp_path: Path) -> None:
    data = tmp_path / "kaggle"
    for what, archive in source.ARCHIVES.items():
        source.write_folder(data / archive, what, ending="nii", kaggle=True)
    assert check("covid19_ct_seg", data).ok
    ours, theirs = rows_of(small.build("covid19_ct_seg")), rows_of(build_of(small, data))
    assert ours.keys() == theirs.keys()
    for name, row in ours.items():
        assert theirs[name]["pixel_hash"] == row["pixel_hash"], name
        for mask in ("lung", "left_lung", "infection"):
            assert theirs[name]["volume_masks"][mask]["bytes"] == row["volume_masks"][mask]["bytes"], (name, mask)


def test_all_archives_in_one_folder_are_no_masks(tmp_path: Path) -> None:
    """Whoever unpacks all four into one folder has the masks alone, under the names of the volumes."""
    for what in source.ARCHIVES:
        source.write_folder(tmp_path / "flat", what)
    found = check("covid19_ct_seg", tmp_path / "flat")
    assert not found.ok
    assert any("lung" in path for path in found.missing)


def test_files_that_are_twice_strange_or_alone_are_told(tree: Path) -> None:
    (tree / "images/coronacases_001.nii").write_bytes(b"unpacked")
    (tree / "images/radiopaedia_4_85506_1.nii.gz").unlink()
    (tree / "images/radiopaedia_99_1_0.nii.gz").write_bytes(nifti(source.volume("coronacases_001")))
    (tree / "lung/notes.docx").write_bytes(b"x")
    records, notices = records_of(tree)
    assert count(notices) == {
        "file twice": 1,
        "mask without a volume": 3,
        "extra file": 1,
        "mask missing": 2,
        "volume in no fold": 1,
        "not needed": 1,
    }
    assert (records["radiopaedia_99_1_0"].official_split, records["radiopaedia_99_1_0"].age) == (None, None)
