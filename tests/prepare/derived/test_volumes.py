"""Views of whole volumes: what their numbers mean, and their masks on the same voxels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from covid_datasets import build_dataset
from covid_datasets.errors import UsageError
from covid_datasets.load.rows import decoded
from covid_datasets.prepare.result import Built
from covid_datasets.read.nifti import read_volume
from tests.nifti import USUAL, nifti
from tests.prepare.derived.records import scan, use, volume
from tests.processes import table_of


def view(cache: Path, **wanted: Any) -> Built:
    return build_dataset("phantom", "small", cache_dir=cache, num_proc=1, allow_missing=True, verify="full", **wanted)


def rows(built: Built) -> dict[str, dict[str, Any]]:
    return {row["sample_id"].rpartition("/")[2]: row for row in table_of(built).to_pylist()}


def what(built: Built) -> dict[str, str]:
    return {each["where"].rpartition("/")[2]: each["what"] for each in built.manifest()["notices"]}


def test_only_hounsfield_units_are_windowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voxels = volume(6)
    shares = np.random.default_rng(0).random((6, 24, 32)).astype(np.float32)
    use(
        monkeypatch,
        scan("units", nifti(voxels)),
        scan("scaled", nifti((voxels + 1024).astype(np.uint16), slope=1.0, intercept=-1024.0)),
        scan("shares", nifti(shares)),
        scan("fractions", nifti((voxels + shares).astype(np.float32))),
        scan("grey", nifti((voxels - voxels.min()).astype(np.int16))),
    )
    built = view(tmp_path, window="lung")
    found = rows(built)
    assert {name: decoded(row)["volume"].dtype.name for name, row in found.items()} == {
        "units": "uint8", "scaled": "uint8", "shares": "float32", "fractions": "float32", "grey": "int16",
    }  # fmt: skip
    assert np.array_equal(decoded(found["units"])["volume"], decoded(found["scaled"])["volume"])
    assert np.array_equal(decoded(found["shares"])["volume"], shares)
    assert np.array_equal(decoded(found["fractions"])["volume"], (voxels + shares).astype(np.float32))
    assert built.view["unwindowed"] == 3
    use(monkeypatch, scan("said", nifti(voxels), value_range="as its publisher says, from 0 to 1"))
    said = build_dataset("phantom", "small", cache_dir=tmp_path / "said", num_proc=1, allow_missing=True, to_spacing=1)
    assert rows(said)["said"]["value_range"] == "as its publisher says, from 0 to 1"
    assert found["units"]["value_range"] == "Hounsfield units from -1350 to 150 as 0 to 255"
    assert "as 0 to 255" not in (found["grey"]["value_range"] or "")


def test_labels_of_a_mask_stay_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.random.default_rng(1).choice([0, 1, 2, 255], (6, 24, 32)).astype(np.uint8)
    half = (labels == 1) * 0.75
    elsewhere = USUAL + np.array([[0, 0, 0, 30.0], *[[0.0] * 4] * 3])
    use(
        monkeypatch,
        scan("a", nifti(volume(6)), {"lung": nifti(labels), "infection": nifti(half)}),
        scan("b", nifti(volume(6, seed=1)), {"lung": nifti(labels, elsewhere)}),
    )
    built = view(tmp_path, to_spacing=(0.35, 0.35, 4.0))
    found = rows(built)
    lung = read_volume(found["a"]["volume_masks"]["lung"]["bytes"], "a.nii")
    assert np.array_equal(lung.voxels, labels.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    image = read_volume(found["a"]["volume"]["bytes"], "a.nii")
    assert repr(lung.header.affine) == repr(image.header.affine)
    infection = read_volume(found["a"]["volume_masks"]["infection"]["bytes"], "a.nii").voxels
    assert np.array_equal(infection, (labels == 1).repeat(2, 0).repeat(2, 1).repeat(2, 2))
    assert found["b"]["volume_masks"]["lung"] is None, "it lay elsewhere, as its build said already"


def test_what_nibabel_reads_is_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    affine = np.array([[-0.6, 0.1, 0.3, 10.0], [0.1, 0.7, -0.2, 20.0], [0.05, 0.1, 4.0, -30.0], [0, 0, 0, 1.0]])
    voxels = volume(8)
    use(monkeypatch, scan("a", nifti(voxels, affine)))
    (row,) = rows(view(tmp_path, to_orientation="PIR")).values()
    image: Any = nibabel.Nifti1Image.from_bytes(row["volume"]["bytes"])
    assert nibabel.aff2axcodes(image.affine) == ("P", "I", "R")
    source: Any = nibabel.Nifti1Image(voxels.T, affine)
    inverse = np.linalg.inv(source.affine)
    for at in ((0, 0, 0), (5, 3, 7), (11, 4, 30)):
        old = np.rint(inverse @ image.affine @ np.array([*at, 1.0]))[:3].astype(int)
        assert np.asarray(image.dataobj)[at] == np.asarray(source.dataobj)[tuple(old)]
    assert io.BytesIO(row["volume"]["bytes"]).read(4) == b"\x5c\x01\x00\x00", "not compressed"
    assert row["volume"]["path"] == "a.nii"


def test_what_a_row_says_beside_its_volume_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    affine = np.diag([-0.6, -0.7, 4.0, 1.0])  # LPS, as most CT
    place: dict[str, Any] = {
        "position": (0.0, 0.0, 0.0),
        "orientation": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        "view": "axial",
    }
    use(monkeypatch, scan("told", nifti(volume(6), affine), **place), scan("silent", nifti(volume(6, seed=1), affine)))
    names = ("position", "orientation", "view")
    turned = rows(view(tmp_path, to_orientation="PIR"))
    assert {name: turned["told"][name] for name in names} == {
        "position": pytest.approx([31 * 0.6, 0.0, 5 * 4.0]), "orientation": [0, 1, 0, 0, 0, -1], "view": "sagittal",
    }  # fmt: skip
    assert (turned["silent"]["position"], turned["silent"]["view"]) == (None, "sagittal")
    same = rows(view(tmp_path, window="lung"))["told"]
    assert {name: same[name] for name in names} == {
        name: list(value) if isinstance(value, tuple) else value for name, value in place.items()
    }


def test_volumes_that_cannot_be_brought_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holes = np.full((6, 24, 32), np.nan, np.float32)
    use(
        monkeypatch,
        scan("nan", nifti(holes)),
        scan("nowhere", nifti(volume(6), located=False)),
        scan("fine", nifti(volume(6))),
    )
    built = view(tmp_path, to_orientation="LPS", to_spacing=1)
    assert rows(built).keys() == {"fine"}
    told = what(built)
    assert "no orientation is known" in told["nowhere"]
    assert "no numbers" in told["nan"]
    assert rows(view(tmp_path, to_spacing=1)).keys() == {"fine", "nowhere"}, "its spacing is told, and enough"


def test_a_volume_that_would_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, scan("a", nifti(volume(6))))
    view(tmp_path)
    with pytest.raises(UsageError, match="would come of to_spacing"):
        view(tmp_path, to_spacing=0.01)
