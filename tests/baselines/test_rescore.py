"""A model on the same rows with other pixels: what it says is of its own build and split, and stands beside the run."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from covid_datasets import compare, evaluate, load_dataset, train
from covid_datasets.baselines.evaluate.predictions import read_predictions
from covid_datasets.baselines.train.rescore import rescore
from covid_datasets.baselines.train.run import Run
from covid_datasets.cli import main
from covid_datasets.errors import NotThereError, PredictionsError, UsageError
from tests.baselines.quick import QUICK, SCHEME

LEARNS = QUICK | {"network": "resnet18", "image_size": 48, "batch_size": 8, "epochs": 3}
"""Images differ in their scores, as those of the quickest network do not yet."""
pytest.importorskip("monai")
pytestmark = pytest.mark.usefixtures("one_thread")


def test_reencoded_pixels_are_grey_and_of_one_jpeg(cohort: Path) -> None:
    plain = load_dataset("phantom", framework="numpy", split="test", cache_dir=cohort)
    again = load_dataset("phantom", framework="numpy", split="test", cache_dir=cohort, derive="reencoded")
    worse = load_dataset("phantom", framework="numpy", split="test", cache_dir=cohort, derive="reencoded(quality=5)")
    assert again.column("sample_id").to_pylist() == plain.column("sample_id").to_pylist()
    far = [
        np.mean([np.abs(np.asarray(a["image"], float) - np.asarray(b["image"], float)).mean() for a, b in pairs])
        for pairs in (list(zip(plain, again, strict=True)), list(zip(plain, worse, strict=True)))
    ]
    assert 0 < far[0] < far[1] < 30
    with pytest.raises(Exception, match="quality: expected a whole number"):
        load_dataset("phantom", cache_dir=cohort, derive="reencoded(quality=0)")


def test_a_run_is_scored_on_other_pixels_and_held_against_itself(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    run = train("phantom", out, scheme=SCHEME, device="cpu", cache_dir=cohort, changes=LEARNS)
    command = ["evaluate", str(out), "--on", "reencoded", "--alone", "--json", "--cache-dir", str(cohort)]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["fingerprint"], told["split_hash"]) == (run.config["fingerprint"], run.config["split_hash"])
    assert told["against"]["aucs"][1] == pytest.approx(evaluate(out, beside=False, cache_dir=cohort).auc.value)
    place = out / "on-reencoded"
    assert compare(place, out, cache_dir=cohort).rows == told["rows"]
    places = [out, place, *([rescore(out, "segmented", cache_dir=cohort)] if find_spec("scipy") else [])]
    whole, *others = (read_predictions(each).probabilities[:, 1] for each in places)
    assert whole.std() > 1e-3
    changes = [float(np.abs(each - whole).max()) for each in others]
    assert changes[0] > 0
    assert changes == sorted(changes), "a blank outside of the lungs is more than the artefacts of a JPEG"
    assert train("phantom", out, scheme=SCHEME, device="cpu", cache_dir=cohort, changes=LEARNS).config == run.config
    with pytest.raises(NotThereError, match="name the run itself"):
        Run.read(place)
    with pytest.raises(UsageError, match="found other ones"):
        rescore(out, "reencoded(quality=5)", place, cache_dir=cohort)
    with pytest.raises(UsageError, match="Did you mean 'reencoded'"):
        rescore(out, "reencode", cache_dir=cohort)
    changed = json.loads((out / "config.json").read_text("utf-8")) | {"split_hash": "0" * 64}
    (out / "config.json").write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(PredictionsError, match="expected the split_hash .* found 0000"):
        rescore(out, "reencoded", tmp_path / "other", cache_dir=cohort)
    assert not (tmp_path / "other").exists(), "what is refused leaves no folder"
