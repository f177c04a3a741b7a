"""Recipes written for a source find there what they predict: small trees say it as the publisher's tables do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import build_dataset, load_dataset, train
from covid_datasets.baselines.recipe import read_recipe
from covid_datasets.baselines.target import counted, truth_of
from covid_datasets.errors import UsageError
from tests.small import SmallSources

CASES = [
    ("severity-mosmed", "mosmed", "slices", {"CT-0": 36, "CT-1": 60, "CT-2": 24, "CT-3|CT-4": 48}),
    ("severity-covidx", "covidx@Sev", "default", {"level1": 1, "level2": 1}),
    ("severity-opacity", "cohen", "default", {"value": 2}),
    ("severity-extent", "cohen", "default", {"value": 2}),
    ("survival-outcome", "cohen", "default", {"true": 2, "false": 1}),
    ("survival-hannover", "hannover", "default", {"died": 1, "censored": 5}),
    ("severity-intensive", "covid19_ny_sbu", "all_films", {"false": 5, "true": 2}),
    ("severity-intensive", "covid19_ar", "slices", {"false": 5, "true": 10}),
    (
        "severity-ricord",
        "midrc_ricord_1c",
        "films",
        {
            "Negative for Pneumonia": 2,
            "Mild Opacities (1-2 lung zones)": 2,
            "Moderate Opacities (3-4 lung zones)": 1,
            "Severe Opacities (>4 lung zones)": 0,
        },
    ),
]


@pytest.mark.parametrize(
    ("recipe", "source", "config", "counts"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES]
)
def test_a_source_says_what_its_recipe_predicts(
    small: SmallSources,
    capsys: pytest.CaptureFixture[str],
    recipe: str,
    source: str,
    config: str,
    counts: dict[str, int],
) -> None:
    given: dict[str, Any] = {"config": config, "cache_dir": small.cache, "allow_missing": True}
    build_dataset(source, data_dir=small.tree(source.partition("@")[0]), **given)
    target = read_recipe(recipe).target
    assert target
    capsys.readouterr()
    truth = truth_of(target, [load_dataset(source, split="all", framework="numpy", **given)])
    assert counted(target, np.array(list(truth.values()))) == counts
    assert "left out" not in capsys.readouterr().err, "a word of the source is no level of its recipe"


def test_volumes_of_mosmed_are_trained_as_the_guide_says(small: SmallSources, tmp_path: Path) -> None:
    """Its label is what a reader saw, and no test for the virus: who asks for COVID-19 is told what to ask for."""
    pytest.importorskip("torch")
    small.build("mosmed", config="slices")
    quick: dict[str, Any] = {"image_size": 32, "epochs": 1, "batch_size": 4, "width": 0.1}
    given: dict[str, Any] = {"config": "slices", "recipe": "small-volume", "device": "cpu", "cache_dir": small.cache}
    guide = (Path(__file__).parents[2] / "docs" / "patients_volumes.md").read_text(encoding="utf-8")
    assert "train mosmed --config slices --recipe small-volume --task all " in guide
    with pytest.raises(UsageError, match="found covid19. Next: .* of a training task 'all'"):
        train("mosmed", out=tmp_path / "no", changes=quick, **given)
    quick["task"] = "all"
    run = train("mosmed", out=tmp_path / "run", changes=quick, scheme="patient(34/33/33, seed=2)", **given)
    told = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
    assert set(told["units"]["test"]) == {"no_finding", "viral_pneumonia"}
