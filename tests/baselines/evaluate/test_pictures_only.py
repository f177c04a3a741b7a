"""Volumes among pictures: a training leaves them out, and so they are not asked of its predictions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from covid_datasets import about_splits, evaluate, load_dataset, load_splits
from covid_datasets.errors import PredictionsError
from tests.audits.conftest import as_png, ward
from tests.baselines.evaluate.conftest import noisy, write
from tests.nifti import nifti

SCHEME = "patient(2/1/2)"


def test_a_run_on_pictures_is_not_asked_of_volumes(tmp_path: Path) -> None:
    for person in range(12):
        home = tmp_path / "ward" / "normal" / f"p{person:03d}"
        home.mkdir(parents=True)
        voxels = np.random.default_rng(person).integers(-900, 100, (4, 16, 16), dtype=np.int16)
        (home / "scan.nii.gz").write_bytes(nifti(voxels))
    cache = tmp_path / "cache"
    own = ward(tmp_path / "ward", cache, as_png, people=24, first=100)
    table = load_splits(own, SCHEME, cache_dir=cache)
    rows = load_dataset(own, split="test", scheme=SCHEME, framework="numpy", cache_dir=cache)
    there = rows.column("image").is_valid().to_pylist()
    assert 0 < sum(there) < len(there), "of both kinds"
    pictures = {sample for sample, known in zip(rows.column("sample_id").to_pylist(), there, strict=True) if known}
    write(
        tmp_path / "predictions.csv",
        [row for row in table.to_pylist() if row["sample_id"] in pictures],
        noisy(0, 2),
    )
    with pytest.raises(PredictionsError, match=f"{len(there) - len(pictures)} no prediction of"):
        evaluate(tmp_path / "predictions.csv", own, scheme=SCHEME, beside=False, cache_dir=cache)
    about = about_splits(table)
    said = {"dataset": None, "scheme": SCHEME, "split_hash": about["digest"], "pictures": True}
    said["fingerprint"] = ", ".join(build["fingerprint"] for build in about["builds"])
    (tmp_path / "config.json").write_text(json.dumps(said), encoding="utf-8")
    found = evaluate(tmp_path, own, beside=False, cache_dir=cache)
    assert found.rows == len(pictures)
    assert any(f"{len(there) - len(pictures)} rows of test have no image" in note for note in found.notes)
