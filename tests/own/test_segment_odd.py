"""Folders of scans that are odd: names that collide, slices that are missing, tilted gantries, and what others do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest

from covid_datasets.errors import CacheError, NoSpaceError
from covid_datasets.own.files import Item
from covid_datasets.own.segment import folder as folders
from covid_datasets.own.segment.folder import segment_folder
from covid_datasets.own.segment.scans import OwnScan, read_scan
from covid_datasets.raw.tree import RawTree
from covid_datasets.transforms.segment.infection import infection_mask
from covid_datasets.transforms.segment.lungs import lung_mask
from covid_datasets.transforms.windows import windowed
from tests.dicom import ct
from tests.own.test_segment import affine_of, chest, dice, listed, save, states
from tests.processes import fork

pytest.importorskip("scipy")


def series(folder: Path, missing: tuple[int, ...] = ()) -> None:
    folder.mkdir(parents=True)
    known = chest()
    for number, plane in enumerate(known.voxels):
        if number not in missing:
            place = (0.0, 0.0, number * known.spacing[2])
            (folder / f"{number}.dcm").write_bytes(ct(plane, place, PixelSpacing=list(known.spacing[:2])))


def test_missing_slices_are_a_doubt_that_counts(tmp_path: Path) -> None:
    series(tmp_path / "in" / "whole")
    series(tmp_path / "in" / "holes", missing=(9, 10, 11))
    segment_folder(tmp_path / "in", tmp_path / "out")
    rows = listed(tmp_path / "out")
    assert float(str(rows["holes"]["confidence"])) <= 0.5 * float(str(rows["whole"]["confidence"]))
    assert "about 3 slices are missing" in str(rows["holes"]["reasons"])


def test_a_tilted_gantry_makes_no_lung_larger(tmp_path: Path) -> None:
    known = chest()
    straight, tilted = affine_of(("L", "P", "S"), known.spacing), np.eye(4)
    tilted[1, 2] = 0.4
    (tmp_path / "in").mkdir()
    for name, affine in (("straight", straight), ("tilted", tilted @ straight)):
        nibabel.save(nibabel.Nifti1Image(known.voxels.transpose(2, 1, 0), affine), tmp_path / "in" / f"{name}.nii")
    segment_folder(tmp_path / "in", tmp_path / "out")
    rows = listed(tmp_path / "out")
    assert rows["tilted.nii"]["lung_ml"] == pytest.approx(rows["straight.nii"]["lung_ml"], rel=0.01)
    mask = nibabel.load(tmp_path / "out" / "tilted_lung.nii.gz")
    assert np.allclose(mask.affine, tilted @ straight, atol=1e-5)


@pytest.mark.parametrize("ones", [np.eye(4), np.diag([-1.0, -1.0, 1.0, 1.0])], ids=["nifti", "itk"])
def test_an_affine_of_ones_says_nothing_but_masks_keep_it(tmp_path: Path, ones: np.ndarray) -> None:
    """With voxels of 1 mm taken at their word, vessels were infection, and lungs had a third of a litre."""
    known = chest()
    (tmp_path / "in").mkdir()
    grey = windowed(known.voxels, (-1350, 150))  # units were lost with the geometry
    nibabel.save(nibabel.Nifti1Image(grey.transpose(2, 1, 0), ones), tmp_path / "in" / "scan.nii.gz")
    segment_folder(tmp_path / "in", tmp_path / "out")
    row = listed(tmp_path / "out")["scan.nii.gz"]
    assert row["lung_ml"] is None
    assert row["infection_rate"] == infection_mask(grey, lung_mask(grey)).rate
    assert "voxels of 1 mm from the origin on" in str(row["reasons"])
    mask = nibabel.load(tmp_path / "out" / "scan_lung.nii.gz")
    assert np.array_equal(mask.affine, ones)
    lung = (np.asarray(mask.dataobj) > 0).transpose(2, 1, 0)
    assert dice(lung, known.lung > 0) > 0.93


@pytest.mark.parametrize("angle", [0.3, -0.5])
def test_an_oblique_scan_keeps_its_geometry(tmp_path: Path, angle: float) -> None:
    known, turn = chest(), np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = turn @ affine_of(("R", "A", "I"), known.spacing)
    (tmp_path / "in").mkdir()
    voxels = known.voxels[::-1, ::-1, ::-1].transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), tmp_path / "in" / "a b ü.nii.gz")
    segment_folder(tmp_path / "in", tmp_path / "out")
    mask = nibabel.load(tmp_path / "out" / "a b ü_lung.nii.gz")
    assert np.allclose(mask.affine, affine, atol=1e-5)
    found, truth = np.asarray(mask.dataobj), known.lung[::-1, ::-1, ::-1].transpose(2, 1, 0)
    for side in (1, 2):
        assert 2 * ((found == side) & (truth == side)).sum() / ((found == side).sum() + (truth == side).sum()) > 0.94


def test_no_two_scans_share_the_names_of_their_masks(tmp_path: Path) -> None:
    """The third one's plain name is the whole name of the first."""
    names = ("x.nii", "x.nii.gz", "x.nii.nii")
    for number, name in enumerate(names):
        save(tmp_path / "in" / name, chest(number + 1))
    done = segment_folder(tmp_path / "in", tmp_path / "out")
    assert len({scan.name for scan in done.scans}) == 3
    assert len(states(tmp_path / "out")) == 6


def test_names_are_no_formulas_and_no_markup(tmp_path: Path) -> None:
    save(tmp_path / "in" / "=1+1 <b>|.nii", chest())
    segment_folder(tmp_path / "in", tmp_path / "out")
    cells = (tmp_path / "out" / "zones.csv").read_text().splitlines()[1:]
    assert all(cell.startswith("'=1+1") for cell in cells)
    page = (tmp_path / "out" / "report.md").read_text()
    assert "<b>" not in page.replace(r"\<b\>", "")
    assert "pictures/%3D1%2B1%20%3Cb%3E%7C.png" in page
    assert list(listed(tmp_path / "out")) == ["=1+1 <b>|.nii"]


def test_damaged_masks_and_those_of_another_method_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "in" / "a.nii", chest())
    segment_folder(tmp_path / "in", tmp_path / "out")
    mask = tmp_path / "out" / "a_lung.nii.gz"
    whole = mask.read_bytes()
    mask.write_bytes(whole[:100])
    segment_folder(tmp_path / "in", tmp_path / "out")
    assert mask.read_bytes() == whole
    before = states(tmp_path / "out")
    monkeypatch.setattr(folders, "way", lambda: "a later release")
    segment_folder(tmp_path / "in", tmp_path / "out")
    assert all(state != before[name] for name, state in states(tmp_path / "out").items())


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in" / "a.nii"
    save(path, chest())

    def slow(raw: RawTree, item: Item) -> OwnScan:
        found = read_scan(raw, item)
        save(path, chest(2))
        return found

    with monkeypatch.context() as patched:
        patched.setattr(folders, "read_scan", slow)
        segment_folder(tmp_path / "in", tmp_path / "out")
    first = listed(tmp_path / "out")["a.nii"]
    segment_folder(tmp_path / "in", tmp_path / "out")
    assert listed(tmp_path / "out")["a.nii"] != first


def test_two_calls_at_once_do_it_once(tmp_path: Path) -> None:
    for number in (1, 2):
        save(tmp_path / "in" / f"{number}.nii", chest(number))
    calls = [fork(segment_folder, tmp_path / "in", tmp_path / "out") for _ in range(2)]
    for call in calls:
        call.join()
        assert call.exitcode == 0
    before = states(tmp_path / "out")
    assert len(before) == 4
    segment_folder(tmp_path / "in", tmp_path / "out")
    assert states(tmp_path / "out") == before
    assert not list((tmp_path / "out").rglob("*.part"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.nii", chest())
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(CacheError, match="out"):
        segment_folder(tmp_path / "in", tmp_path / "out")


def test_a_full_disk_stops_it_and_the_next_call_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at the second mask: the scan is no damaged one, and has no row that says so."""
    save(tmp_path / "in" / "a.nii", chest())
    write, writes = Path.write_bytes, []

    def full(self: Path, data: bytes) -> int:
        writes.append(self)
        if len(writes) == 2:
            raise OSError(28, "No space left on device")
        return write(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(NoSpaceError):
            segment_folder(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out" / "segment.json").exists()
    segment_folder(tmp_path / "in", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "segment.json").read_text())[0]["infection_rate"] > 0
