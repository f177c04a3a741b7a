"""Folders of one's own: classes, splits, patients, volumes and series, and what must not happen to them."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import covid_datasets as cd
from covid_datasets import Built, OwnData
from covid_datasets.errors import IncompleteSourceError, NotThereError, UsageError
from covid_datasets.load.stored import open_table
from covid_datasets.read.nifti import read_volume
from tests import sources
from tests.dicom import ct, radiograph
from tests.metaimage import write_metaimage
from tests.nifti import nifti

PICTURES = (
    "train/covid/P1/1.png", "train/covid/P1/2.png", "train/covid/P2/1.png", "train/normal/P3/1.png",
    "test/covid/P4/1.png", "test/normal/P5/1.png",
)  # fmt: skip


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """Write a folder of pictures: splits, classes, patients."""
    return fill(tmp_path / "Ward 7", PICTURES)


def fill(folder: Path, paths: tuple[str, ...]) -> Path:
    for number, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(sources.chest(number))
    return folder


def build(name: Any, **options: Any) -> Built:
    return cd.build_dataset(name, num_proc=1, **options)


def rows(name: Any, **options: Any) -> dict[str, dict[str, Any]]:
    """Load everything without a framework: a row by the end of its sample id."""
    build(name, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = cd.load_dataset(name, options.get("config"), "all", framework="pandas")
    return {row["sample_id"].partition("/")[2]: row for row in found.to_dict("records")}


def notices(built: Built, kind: str) -> list[str]:
    return [note["where"] for note in built.manifest()["notices"] if note["kind"] == kind]


def test_class_folders_give_labels_and_the_split_of_their_owner(ward: Path) -> None:
    pytest.importorskip("pandas")
    found = rows(str(ward))
    assert set(found) == set(PICTURES)
    row = found["test/normal/P5/1.png"]
    assert (row["dataset"], row["label"], row["label_raw"]) == ("own.ward_7", "no_finding", "normal")
    assert cd.load_splits(str(ward), "official").column("split").to_pylist() == ["test"] * 2 + ["train"] * 4


def test_without_patients_a_folder_is_one_group_and_a_warning_says_how_to_tell_them(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    folder = fill(tmp_path / "two", ("covid/1.png", "covid/2.png", "normal/3.png"))
    with pytest.warns(UserWarning, match=r"own\.two: Nobody knows .*patient_level=1"):
        cd.load_dataset(folder)
    built = cd.find_build(folder)
    assert (built.patients, built.groups) == (None, 2)
    assert set(cd.load_splits(folder).column("patient_id").to_pylist()) == {
        "own.two/folder:covid",
        "own.two/folder:normal",
    }


def test_patients_come_from_a_level_of_folders(ward: Path) -> None:
    built = build(OwnData(ward, patient_level=1))
    assert (built.patients, built.groups) == (5, 5)
    assert "Nobody knows" not in built.report()
    assert "Nobody knows" in build(ward).report()
    splits = cd.load_splits(OwnData(ward, patient_level=1))
    assert "own.ward_7/P1" in splits.column("patient_id").to_pylist()


def test_looks_alone_split_only_who_asks_for_it(tmp_path: Path) -> None:
    folder = fill(tmp_path / "flat", ("covid/1.png", "covid/2.png"))
    (folder / "covid/3.png").write_bytes((folder / "covid/2.png").read_bytes())
    assert build(OwnData(folder, group="near-duplicates")).groups == 2
    assert build(folder).groups == 1


def test_one_id_in_two_class_folders_is_one_person_and_told(tmp_path: Path) -> None:
    folder = fill(tmp_path / "ids", ("covid/P1/1.png", "normal/P1/1.png", "normal/P2/1.png"))
    built = build(OwnData(folder, patient_level=1))
    assert built.patients == 2
    assert notices(built, "patient with several findings") == ["P1"]


def test_a_level_that_is_not_there_leaves_the_patient_unknown(tmp_path: Path) -> None:
    built = build(OwnData(fill(tmp_path / "flat", ("1.png", "covid/P1/s/2.png")), patient_level=2))
    assert notices(built, "no folder of a patient") == ["1.png"]
    assert built.patients == 1


def test_a_class_is_no_patient(tmp_path: Path) -> None:
    built = build(OwnData(fill(tmp_path / "flat", ("train/covid/1.png", "train/2.png")), patient_level=1))
    assert (built.patients, built.groups) == (None, 2)
    assert len(notices(built, "no folder of a patient")) == 2


def test_names_that_are_no_text_are_told(ward: Path) -> None:
    odd = os.fsdecode(b"odd\xff.png")
    try:
        (ward / odd).write_bytes(sources.chest(1))
    except OSError:
        pytest.skip("this file system has no such names")
    built = build(ward)
    assert built.rows == len(PICTURES)
    assert any("odd" in note["where"] for note in built.manifest()["notices"])


def test_own_data_streams_before_it_is_built(ward: Path) -> None:
    pytest.importorskip("datasets")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        streams = cd.load_dataset(OwnData(ward, patient_level=1), streaming=True)
    assert sum(1 for split in streams.values() for _ in split) == len(PICTURES)


def test_findings_say_what_the_taxonomy_does_not_know(tmp_path: Path) -> None:
    folder = fill(tmp_path / "f", ("Pos/1.png", "pos/2.png", "other ward/3.png"))
    built = build(folder)
    assert built.labels == {"unlabelled": 3}
    assert notices(built, "unknown finding") == ["Pos", "other ward", "pos"]
    assert notices(built, "spelled in several ways") == ["Pos"]
    assert build(OwnData(folder, findings={"POS": "covid19"})).labels == {"covid19": 2, "unlabelled": 1}
    with pytest.raises(UsageError, match="expected what folders or cells say .*found 'covdi'"):
        build(OwnData(folder, findings={"covdi": "covid19"}))
    with pytest.raises(UsageError, match="the nearest is 'covid19'"):
        build(OwnData(folder, findings={"pos": "covid-19"}))


def test_folders_above_the_classes_are_passed_over(tmp_path: Path) -> None:
    built = build(fill(tmp_path / "w", ("data/images/covid/1.png", "data/images/normal/2.png")))
    assert built.labels == {"covid19": 1, "no_finding": 1}


def test_masks_are_no_samples(tmp_path: Path) -> None:
    built = build(fill(tmp_path / "m", ("COVID/images/1.png", "COVID/masks/1.png")))
    assert built.rows == 1
    assert notices(built, "mask left out") == ["COVID/masks/1.png"]


def test_what_is_no_image_is_told_and_never_run(ward: Path) -> None:
    ran = ward / "ran"
    for place in (ward, ward / "train"):
        (place / "builder.py").write_text(f"open({str(ran)!r}, 'w')\ndef records(raw):\n    return iter(())\n")
    (ward / "own.toml").write_text("id = 1")
    (ward / ".hidden.png").write_bytes(sources.chest(9))
    (ward / "Thumbs.db").write_bytes(b"x")
    (ward / "loop").symlink_to(ward)
    built = build(str(ward))
    assert built.rows == len(PICTURES)
    assert not ran.exists()
    told = {note["where"]: note["count"] for note in built.manifest()["notices"] if note["kind"] == "file left out"}
    assert told["builder.py"] == 2


def test_the_same_picture_in_train_and_test_is_told_and_the_given_split_leaks(ward: Path) -> None:
    pytest.importorskip("datasets")
    shutil.copy(ward / "train/covid/P1/1.png", ward / "test/covid/P4/again.png")
    name = OwnData(ward, patient_level=1)
    built = build(name)
    assert cd.audit(name, "official", level="quick").leaks
    assert not cd.audit(name, level="quick").leaks
    assert "LEAKS" in built.report()
    with pytest.warns(UserWarning, match="does not keep patients apart"):
        cd.load_dataset(name, scheme="official")


def test_changed_files_are_built_anew_and_a_moved_folder_keeps_its_fingerprint(ward: Path, tmp_path: Path) -> None:
    first = build(str(ward))
    assert build(str(ward)).path == first.path
    elsewhere = tmp_path / "elsewhere" / ward.name
    shutil.copytree(ward, elsewhere)
    os.utime(elsewhere / PICTURES[0], (1, 1))
    moved = build(elsewhere)
    assert moved.fingerprint == first.fingerprint
    assert moved.path != first.path
    (ward / PICTURES[0]).write_bytes(sources.chest(77))
    assert build(str(ward)).fingerprint != first.fingerprint


def test_an_untouched_archive_is_the_folder_that_it_holds(ward: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "packed" / "Ward 7"), "zip", ward)
    assert build(archive).fingerprint == build(ward).fingerprint


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_that_holds_the_folder_itself_is_that_folder(ward: Path, tmp_path: Path, kind: str) -> None:
    """`zip -r "Ward 7.zip" "Ward 7"`: the name of the folder is packaging, and no finding."""
    archive = shutil.make_archive(str(tmp_path / "packed" / "Ward 7"), kind, ward.parent, ward.name)
    assert build(archive).fingerprint == build(ward).fingerprint


def test_the_one_folder_of_another_name_in_an_archive_is_kept(ward: Path, tmp_path: Path) -> None:
    """It may be a class: all of one archive are COVID-19."""
    pytest.importorskip("pandas")
    archive = shutil.make_archive(str(tmp_path / "packed" / "all of it"), "zip", ward.parent, ward.name)
    assert set(rows(archive)) == {f"Ward 7/{path}" for path in PICTURES}


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda folder: folder.mkdir(), IncompleteSourceError, "an empty folder"),
        (lambda folder: folder.write_bytes(sources.chest(1)), UsageError, "found a file"),
        (lambda folder: None, NotThereError, "found nothing at"),
        (lambda folder: (folder.mkdir(), (folder / "a.txt").touch()), IncompleteSourceError, "1 of .txt"),
    ],
)  # fmt: skip
def test_what_is_no_data_is_an_error_that_says_so(tmp_path: Path, make: Any, error: Any, text: str) -> None:
    make(tmp_path / "x")
    with pytest.raises(error, match=text):
        build(tmp_path / "x")


def test_a_damaged_picture_is_lost_unless_that_is_allowed(ward: Path) -> None:
    (ward / PICTURES[0]).write_bytes(b"\x89PNG no picture")
    with pytest.raises(IncompleteSourceError, match=PICTURES[0]):
        build(ward)
    assert build(ward, allow_missing=True).incomplete


@pytest.mark.parametrize(
    "options", [{"patient_level": 0}, {"patient": "a", "patient_level": 1}, {"group": "all"}, {"modality": "MRI"}]
)
def test_wrong_options_are_said_first(ward: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        build(OwnData(ward, **options))


def test_own_data_takes_no_other_copy(ward: Path) -> None:
    with pytest.raises(UsageError, match="expected none with own data"):
        build(ward, data_dir=ward)


def test_a_folder_without_a_slash_is_hinted_at(ward: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ward.parent)
    with pytest.raises(NotThereError, match=r"'\./Ward 7'"):
        cd.find_build("Ward 7")
    assert build("./Ward 7").id == "own.ward_7"


def test_volumes_stay_volumes_or_become_slices(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    folder = tmp_path / "vol"
    (folder / "covid").mkdir(parents=True)
    voxels = np.random.default_rng(1).integers(-1000, 400, (6, 32, 32)).astype(np.int16)
    (folder / "covid" / "a.nii.gz").write_bytes(nifti(voxels, packed=True))
    assert build(folder).labels == {"covid19": 1}
    assert build(folder, config="slices").labels == {"covid19": 6}


@pytest.mark.parametrize("ending", ["mha", "mhd"])
def test_metaimages_are_volumes_like_others(tmp_path: Path, ending: str) -> None:
    """With masks in either format, and voxels beside a header that are no file of their own."""
    pytest.importorskip("nibabel")
    folder = tmp_path / "vol"
    folder.mkdir()
    voxels = np.random.default_rng(1).integers(-1000, 400, (6, 32, 32)).astype(np.int16)
    write_metaimage(folder / f"a.{ending}", voxels)
    (folder / "b.nii.gz").write_bytes(nifti(voxels[::-1].copy(), packed=True))
    write_metaimage(folder / "m.mha", (voxels > 0).astype(np.uint8))
    header = "file,patient,finding,mask_lung\n"
    (folder / "list.csv").write_text(f"{header}a.{ending},1,COVID-19,m.mha\nb.nii.gz,2,Normal,m.mha\n", "utf-8")
    own = OwnData(str(folder), patient="patient")
    built = build(own)
    found = {row["sample_id"].rpartition("/")[2]: row for row in open_table(built).to_pylist()}
    assert found[f"a.{ending}"]["volume"]["path"] == f"a.{ending}.nii"
    for name, expected in ((f"a.{ending}", voxels), ("b.nii.gz", voxels[::-1])):
        assert np.array_equal(decode_volume(found[name]["volume"]), expected)
        assert np.array_equal(decode_volume(found[name]["volume_masks"]["lung"]), voxels > 0)
    assert [note["where"] for note in built.manifest()["notices"] if ".raw" in note["where"]] == []
    rows = cd.load_dataset(own, "slices", split="all", framework="numpy", cache_dir=tmp_path / "cache")
    first, second = [[row for row in rows if row["patient_id"].endswith(f"/{patient}")] for patient in "12"]
    assert [len(first), len(second)] == [6, 6]
    for one, other in zip(first, second, strict=True):  # each slice has its own part of the mask, which both share
        assert np.array_equal(one["masks"]["lung"] > 0, one["image"] > 0)
        assert np.array_equal(other["masks"]["lung"], one["masks"]["lung"])


def test_a_mask_that_does_not_lie_on_its_volume_is_told_and_left_out(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    folder = tmp_path / "vol"
    (folder / "masks").mkdir(parents=True)
    voxels = np.random.default_rng(1).integers(-1000, 400, (6, 32, 32)).astype(np.int16)
    (folder / "a.nii").write_bytes(nifti(voxels))
    (folder / "masks" / "a.nii").write_bytes(nifti((voxels[1:] > 0).astype(np.uint8)))
    (folder / "list.csv").write_text("path,mask_lung\na.nii,masks/a.nii\n")
    built = build(folder, config="slices")
    assert all(row["masks"]["lung"] is None for row in open_table(built).to_pylist())
    told = [note["what"] for note in built.manifest()["notices"] if note["where"] == "masks/a.nii"]
    assert len(told) == 1
    assert "expected the shape (6, 32, 32) of its image, found (5, 32, 32)" in told[0]
    (folder / "masks" / "a.nii").unlink()
    with pytest.raises(IncompleteSourceError, match=r"masks/a\.nii"):
        build(folder, config="slices")


def decode_volume(stored: dict[str, Any]) -> np.ndarray:
    return read_volume(stored["bytes"], stored["path"]).voxels


def test_folders_of_dicom_are_series_and_their_patients_those_of_the_headers(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    folder = tmp_path / "dicom"
    for number, place in enumerate(("covid/s1", "covid/s2", "normal/s3")):
        (folder / place).mkdir(parents=True)
        for at in range(3):
            pixels = np.random.default_rng(number * 10 + at).integers(-1000, 400, (32, 32)).astype(np.int16)
            tags: dict[str, Any] = {"SeriesInstanceUID": f"1.{number}", "PatientID": "A" if number < 2 else ""}
            # Names of files out of scanners: a UID, nothing, or an ending.
            (folder / place / ("1.2.3", "IM1", "x.dcm")[at]).write_bytes(ct(pixels, (0.0, 0.0, 3.0 * at), **tags))
    built = build(folder)
    assert built.labels == {"covid19": 6, "no_finding": 3}
    assert (built.patients, built.groups) == (1, 2)


def test_dicom_films_are_a_sample_each(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    folder = tmp_path / "films"
    (folder / "covid").mkdir(parents=True)
    for at in range(2):
        pixels = np.random.default_rng(at).integers(0, 4000, (64, 64)).astype(np.uint16)
        (folder / "covid" / f"{at}.dcm").write_bytes(radiograph(pixels))
    assert build(folder).labels == {"covid19": 2}


def test_own_data_loads_beside_public_sources(ward: Path) -> None:
    pytest.importorskip("datasets")
    name = OwnData(ward, patient_level=1)
    build(name)
    cd.build_dataset("phantom", num_proc=1)
    both = cd.load_dataset([name, "phantom"], split="all")
    assert set(both["dataset"]) == {"own.ward_7", "phantom"}
    assert len(cd.load_dataset(name, split="all", label="covid19")) == 4
    assert cd.overlaps([name, "phantom"]).num_rows >= 0
    assert cd.verify(name).ok
    assert cd.check(name).ok
    with pytest.raises(UsageError, match=r"each dataset once, found .* which is own\.ward_7, own\.ward_7"):
        cd.load_dataset([name, str(ward)])


def test_a_folder_without_files_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    found = cd.check(tmp_path / "none")
    assert (found.ok, found.damaged) == (False, ("expected pictures, volumes or videos, found no file",))
