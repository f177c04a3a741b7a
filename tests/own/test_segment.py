"""A folder of one's own scans becomes masks in their own geometry and a list; kills, changes and odd files included."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from covid_datasets.cli import main
from covid_datasets.errors import UsageError
from covid_datasets.own.segment.folder import segment_folder
from covid_datasets.phantoms.volume import ChestVolume, chest_volume
from covid_datasets.transforms.windows import windowed
from tests.dicom import ct, radiograph
from tests.processes import fork

pytest.importorskip("scipy")
KEYS = ["file", "infection_rate", "lung_ml", "confidence", "reasons"]


@cache
def chest(seed: int = 1) -> ChestVolume:
    return chest_volume(seed, shape=(20, 96, 96), load=0.12, kinds=("ground_glass",))


def affine_of(codes: tuple[str, str, str], spacing: tuple[float, ...]) -> np.ndarray:
    """Give the affine of a volume whose axes lead where ``codes`` say, in RAS."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, letter in enumerate(codes):
        row = next(number for number, pair in enumerate(("RL", "AP", "SI")) if letter in pair)
        affine[row, axis] = spacing[row] * (1 if letter in "RAS" else -1)
    affine[:3, 3] = (11.0, -7.0, 30.0)
    return affine


def stored(known: np.ndarray, codes: tuple[str, str, str]) -> np.ndarray:
    """Turn voxels by (slice up, row to the back, column to the left) into axes of these codes."""
    lps = known.transpose(2, 1, 0)  # L, P, S
    order = [next(number for number, pair in enumerate(("RL", "AP", "SI")) if letter in pair) for letter in codes]
    out = lps.transpose(order)
    return np.flip(out, tuple(axis for axis, letter in enumerate(codes) if letter in "RAI"))


def save(path: Path, known: ChestVolume, codes: tuple[str, str, str] = ("L", "P", "S")) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(stored(known.voxels, codes), affine_of(codes, known.spacing)), path)


def listed(out: Path) -> dict[str, dict[str, object]]:
    rows = json.loads((out / "segment.json").read_text(encoding="utf-8"))
    assert all(list(row) == KEYS for row in rows)
    return {row["file"]: row for row in rows}


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / max(one.sum() + other.sum(), 1))


@pytest.mark.parametrize("codes", [("L", "P", "S"), ("R", "A", "S"), ("A", "S", "R"), ("L", "P", "I")])
def test_masks_have_the_geometry_of_their_scan(tmp_path: Path, codes: tuple[str, str, str]) -> None:
    known = chest()
    save(tmp_path / "in" / "ward" / "scan.nii.gz", known, codes)
    segment_folder(tmp_path / "in", tmp_path / "out")
    scan = nibabel.load(tmp_path / "in" / "ward" / "scan.nii.gz")
    row = listed(tmp_path / "out")["ward/scan.nii.gz"]
    masks = {what: nibabel.load(tmp_path / "out" / "ward" / f"scan_{what}.nii.gz") for what in ("lung", "infection")}
    for mask in masks.values():
        assert mask.shape == scan.shape
        assert np.allclose(mask.affine, scan.affine)
    lung, infection = (np.asarray(mask.dataobj) for mask in masks.values())
    truth = stored(known.lung, codes)
    assert dice(lung == 1, truth == 1) > 0.94
    assert dice(lung == 2, truth == 2) > 0.94
    assert row["infection_rate"] == pytest.approx((infection[lung > 0] > 0).mean())
    assert row["infection_rate"] == pytest.approx(known.infection_rate, abs=0.03)
    assert row["lung_ml"] == pytest.approx((lung > 0).sum() * np.prod(known.spacing) / 1000, rel=1e-3)
    assert row["confidence"] == 0.35  # pixels of 4 mm, slices of 12.5 mm
    assert "coarse pixels" in str(row["reasons"])


def test_dicom_series_pictures_and_what_is_no_ct(tmp_path: Path) -> None:
    known = chest()
    series = tmp_path / "in" / "patient 7"
    series.mkdir(parents=True)
    for number, plane in enumerate(known.voxels):
        place = (0.0, 0.0, number * known.spacing[2])
        (series / f"{99 - number}.dcm").write_bytes(ct(plane, place, PixelSpacing=list(known.spacing[:2])))
    grey = windowed(known.voxels[10], (-1350, 150))
    Image.fromarray(grey).save(tmp_path / "in" / "slice.png")
    Image.fromarray(np.stack([grey] * 3 + [np.full_like(grey, 255)], axis=-1)).save(tmp_path / "in" / "rgba.png")
    film = tmp_path / "in" / "films"
    film.mkdir()
    (film / "film.dcm").write_bytes(radiograph(np.full((64, 64), 900, np.uint16)))
    (tmp_path / "in" / "torn.nii.gz").write_bytes(b"\x1f\x8b\x08\0torn")
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    holes = np.where(known.lung > 0, np.nan, known.voxels).astype(np.float32).transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(holes, np.diag([4.0, 4, 12, 1])), tmp_path / "in" / "nan.nii")
    done = segment_folder(tmp_path / "in", tmp_path / "out")
    rows = listed(tmp_path / "out")
    assert sorted(rows) == sorted(["patient 7", "slice.png", "rgba.png", "films/film.dcm", "torn.nii.gz", "nan.nii"])
    assert rows["patient 7"]["infection_rate"] == pytest.approx(known.infection_rate, abs=0.03)
    mask = nibabel.load(tmp_path / "out" / "patient 7_lung.nii.gz")
    assert np.asarray(mask.dataobj).transpose(2, 1, 0).shape == known.lung.shape
    assert dice(np.asarray(mask.dataobj).transpose(2, 1, 0) == 2, known.lung == 2) > 0.94
    assert nibabel.aff2axcodes(mask.affine) == ("L", "P", "S")
    assert nibabel.load(tmp_path / "out" / "slice_lung.nii.gz").shape == (96, 96, 1)
    assert rows["slice.png"]["infection_rate"] == rows["rgba.png"]["infection_rate"]
    assert rows["slice.png"]["lung_ml"] is None
    for name, words in {"films/film.dcm": "no CT", "torn.nii.gz": "NIfTI", "nan.nii": "NaN"}.items():
        assert rows[name]["infection_rate"] is None
        assert rows[name]["confidence"] == 0
        assert words in str(rows[name]["reasons"])
    assert any("notes.txt" in what for what in done.left_out)
    assert (tmp_path / "out" / "pictures" / "slice.png").is_file()
    assert "not" in (tmp_path / "out" / "report.md").read_text()
    lesions = (tmp_path / "out" / "lesions.csv").read_text().splitlines()
    assert lesions[0].startswith("file,number,voxels,ml,mean,kind")
    assert any(line.startswith("patient 7,") for line in lesions)


def test_a_header_without_a_place_claims_no_sides_and_no_volume(tmp_path: Path) -> None:
    known = chest()
    image = nibabel.Nifti1Image(known.voxels.transpose(2, 1, 0), None)
    image.header["pixdim"][1:4] = 0
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "scan.nii").write_bytes(image.to_bytes())
    segment_folder(tmp_path / "in", tmp_path / "out")
    row = listed(tmp_path / "out")["scan.nii"]
    assert row["lung_ml"] is None
    assert "where voxels lie" in str(row["reasons"])
    assert "spacing is unknown" in str(row["reasons"])
    assert row["infection_rate"] == pytest.approx(known.infection_rate, abs=0.06)


def test_two_scans_of_one_name_keep_both_their_masks(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.nii", chest())
    save(tmp_path / "in" / "a.nii.gz", chest(2))
    segment_folder(tmp_path / "in", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").glob("*_lung.nii.gz")} == {
        "a.nii_lung.nii.gz", "a.nii.gz_lung.nii.gz",
    }  # fmt: skip


def states(out: Path) -> dict[str, tuple[int, int]]:
    found = out.rglob("*_*.nii.gz")
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in found}


def test_the_same_call_makes_only_what_has_changed(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        save(tmp_path / "in" / f"{number}.nii", chest(number))
    segment_folder(tmp_path / "in", tmp_path / "out")
    before, rows = states(tmp_path / "out"), listed(tmp_path / "out")
    segment_folder(tmp_path / "in", tmp_path / "out")
    assert states(tmp_path / "out") == before
    save(tmp_path / "in" / "2.nii", chest(4))
    (tmp_path / "in" / "3.nii").unlink()
    (tmp_path / "out" / "1_infection.nii.gz").unlink()
    segment_folder(tmp_path / "in", tmp_path / "out")
    after = states(tmp_path / "out")
    assert set(after) == {"1_lung.nii.gz", "1_infection.nii.gz", "2_lung.nii.gz", "2_infection.nii.gz"}
    assert all(after[name] != before[name] for name in after)
    again = listed(tmp_path / "out")
    assert set(again) == {"1.nii", "2.nii"}
    assert again["1.nii"] == rows["1.nii"]
    assert again["2.nii"] != rows["2.nii"]
    segment_folder(tmp_path / "in", tmp_path / "out", method="rag")
    assert all(state != after[name] for name, state in states(tmp_path / "out").items())


def test_a_killed_call_goes_on_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    for number in range(6):
        save(tmp_path / "in" / f"{number}.nii", chest(number % 3))
    process = fork(segment_folder, tmp_path / "in", tmp_path / "out")
    until = time.monotonic() + 300
    while not (tmp_path / "out" / "1_infection.nii.gz").exists() and time.monotonic() < until:
        time.sleep(0.005)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (tmp_path / "out" / "segment.json").exists()
    for path in (tmp_path / "out").glob("*_*.nii.gz"):
        assert np.asarray(nibabel.load(path).dataobj).shape == (96, 96, 20)
    before = states(tmp_path / "out")
    segment_folder(tmp_path / "in", tmp_path / "out")
    after = states(tmp_path / "out")
    assert len(after) == 12
    assert after["0_lung.nii.gz"] == before["0_lung.nii.gz"]
    assert not list((tmp_path / "out").rglob("*.part"))
    shutil.rmtree(tmp_path / "out")
    rows = segment_folder(tmp_path / "in", tmp_path / "out").to_json()
    assert json.loads((tmp_path / "out" / "segment.json").read_text()) == json.loads(json.dumps(rows))


def test_folders_that_cannot_work_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").write_text("mine")
    for source, target, words in [
        ("in", "full", "'thesis.doc' in it"),
        ("in", "in", "beside each other"),
        ("in", "in/out", "beside each other"),
        ("nowhere", "out", "found nothing"),
        ("full/thesis.doc", "out", "expected a CT"),
    ]:
        with pytest.raises(UsageError, match=words):
            segment_folder(tmp_path / source, tmp_path / target)
    with pytest.raises(UsageError, match="method"):
        segment_folder(tmp_path / "in", tmp_path / "out", method="unet")  # type: ignore[arg-type]
    assert (tmp_path / "full" / "thesis.doc").read_text() == "mine"
    assert listed_none(segment_folder(tmp_path / "in", tmp_path / "empty").out)


def listed_none(out: Path) -> bool:
    return bool(json.loads((out / "segment.json").read_text()) == [])


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "in" / "a.nii.gz", chest())
    assert main(["segment", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    assert "a.nii.gz: 12." in capsys.readouterr().out
    assert main(["segment", str(tmp_path / "in" / "a.nii.gz"), str(tmp_path / "one"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "one" / "segment.json").read_text())
    assert main(["segment", str(tmp_path / "none"), str(tmp_path / "out")]) == 2
