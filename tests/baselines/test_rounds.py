"""Several rounds of one training: a folder for each, scored together, and gone on with."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import evaluate
from covid_datasets.cli import main
from covid_datasets.errors import UsageError
from tests.baselines.quick import QUICK

pytestmark = [
    pytest.mark.skipif(not all(map(find_spec, ("torch", "safetensors"))), reason="needs the extra baselines"),
    pytest.mark.usefixtures("one_thread"),
]


def trained(cohort: Path, out: Path, **options: Any) -> Any:
    from covid_datasets.baselines.train.rounds import train_rounds

    options = {"rounds": 2, "scheme": "fold-{round}-of-3", "seed": 7} | options
    given: dict[str, Any] = {"changes": QUICK | {"epochs": 1}, "filters": {"modality": "CXR"}, "cache_dir": cohort}
    return train_rounds("phantom", out, device="cpu", **given | options)


def test_rounds_are_runs_that_are_scored_together(cohort: Path, tmp_path: Path) -> None:
    found = trained(cohort, tmp_path / "all")
    assert [(run.path.name, run.config["seed"], run.config["scheme"]) for run in found.runs] == [
        ("round-1", 7, "fold-1-of-3"),
        ("round-2", 8, "fold-2-of-3"),
    ]
    alone = [evaluate(run.path, beside=False, cache_dir=cohort).auc.value for run in found.runs]
    again = evaluate(found.path, beside=False, cache_dir=cohort)
    assert again.auc.value == pytest.approx(sum(alone) / 2)
    assert again.to_json() == found.evaluation.to_json()
    told = json.loads((found.path / "rounds.json").read_text("utf-8"))
    assert (told["runs"], told["evaluation"]["auc"]) == (["round-1", "round-2"], pytest.approx(again.auc.value))

    kept = (found.path / "round-1" / "checkpoint.safetensors").stat().st_mtime_ns
    shutil.rmtree(found.path / "round-2")
    assert trained(cohort, found.path).evaluation.auc == found.evaluation.auc
    assert (found.path / "round-1" / "checkpoint.safetensors").stat().st_mtime_ns == kept, "what is done stays"
    with pytest.raises(UsageError, match="that of 1 rounds, found 'round-2'"):
        trained(cohort, found.path, rounds=1)
    with pytest.raises(UsageError, match="rounds: expected a whole number"):
        trained(cohort, tmp_path / "none", rounds=0)


def test_the_command_trains_as_many_rounds_as_the_recipe_says(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "mine.toml"
    numbers = "".join(f"{key} = {json.dumps(value)}\n" for key, value in (QUICK | {"epochs": 1, "rounds": 2}).items())
    recipe.write_text(f'extends = "small"\n{numbers}', encoding="utf-8")
    command = ["train", "phantom", "--recipe", str(recipe), "--out", str(tmp_path / "run"), "--modality", "CXR"]
    assert main([*command, "--device", "cpu", "--cache-dir", str(cohort)]) == 0
    assert "2 rounds, AUC" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["round-1", "round-2", "rounds.json"]
