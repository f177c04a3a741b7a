"""`explain` of a run: the command as its users type it, and runs that are of other data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from covid_datasets import explain, train
from covid_datasets.cli import main
from covid_datasets.errors import PredictionsError, UsageError
from tests.baselines.quick import QUICK, SCHEME


def test_a_run_is_explained_against_the_masks_of_its_data(
    cohort: Path, one_thread: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train("phantom", run, device="cpu", scheme=SCHEME, cache_dir=cohort, changes=QUICK, filters={"modality": "CT"})
    capsys.readouterr()
    command = ["explain", str(run), "--limit", "12", "--device", "cpu", "--cache-dir", str(cohort)]
    assert main([*command, "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert found["images"] == 12
    assert found["shares"].keys() == {"grad-cam", "saliency", "occlusion", "random"}
    for of in found["shares"].values():
        assert {"lung", "infection", "outside", "upper", "middle", "lower"} <= of.keys()
    lung = found["shares"]["random"]["lung"]
    assert 0 < lung["area"]["value"] < 1
    assert lung["attention"]["value"] == pytest.approx(lung["area"]["value"], rel=0.3), "chance"
    inside, outside = (found["shares"]["saliency"][name]["attention"]["value"] for name in ("lung", "outside"))
    assert inside + outside == pytest.approx(1, abs=1e-5)
    assert main(command) == 0
    assert "share of attention" in capsys.readouterr().out

    with pytest.raises(UsageError, match="limit: expected a number of images above 0"):
        explain(run, limit=0, cache_dir=cohort)
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    (run / "config.json").write_text(json.dumps(config | {"fingerprint": "0" * 64}), encoding="utf-8")
    with pytest.raises(PredictionsError, match="expected the fingerprint"):
        explain(run, cache_dir=cohort)
