"""Severity, numbers and survival from end to end, on a ward where they show in the pictures and nowhere else."""

from __future__ import annotations

import csv
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import evaluate, explain, predict, train
from covid_datasets.baselines.recipe import read_recipe, recipe_names, recipe_of
from covid_datasets.cli import main
from covid_datasets.contribute.results import main as results
from covid_datasets.errors import CatalogError, PredictionsError, UsageError
from tests.baselines.planted import LEVELS, film, ward

pytestmark = [
    pytest.mark.skipif(
        not all(map(find_spec, ("torch", "safetensors", "sklearn"))), reason="needs the extras baselines and audit"
    ),
    pytest.mark.usefixtures("one_thread"),
]
SCHEME = "patient(50/20/30)"
QUICK = {"network": "vgg16", "width": 0.1, "image_size": 32, "batch_size": 8, "epochs": 10, "rate": 1e-3, "augment": {}}
CRP = """
extends = "small"
task = "target"

[target]
kind = "regression"
column = "clinical.crp_mg_per_l"
bounds = [0, 200]
steps = [100]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the ward, and return the folder with it and its cache."""
    folder = tmp_path_factory.mktemp("planted")
    ward(folder)
    (folder / "crp.toml").write_text(CRP, encoding="utf-8")
    return folder


def trained(home: Path, out: Path, recipe: str, **changes: Any) -> Any:
    options: dict[str, Any] = {"cache_dir": home / "cache", "changes": QUICK | changes}
    return train(str(home / "ward"), out, recipe, scheme=SCHEME, device="cpu", **options)


def test_levels_are_learned_and_metadata_stand_beside(home: Path, tmp_path: Path) -> None:
    run = trained(home, tmp_path / "run", "severity-small")
    assert run.classes == LEVELS
    assert sum(run.config["counts"]["train"].values()) > 0
    assert "validation_rank" in run.history[0]
    assert "validation rank" in str(run)
    with (run.path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == set(LEVELS)
    assert all(sum(float(row[f"p_{level}"]) for level in LEVELS) == pytest.approx(1, abs=1e-5) for row in rows)
    found = evaluate(run.path, cache_dir=home / "cache")
    assert found.first[0] == "quadratic kappa"
    assert found.first[1].value > 0.7
    assert found.by_image["auc at least severe"].value > 0.9
    beside = found.metadata.measures["quadratic kappa"]
    assert beside.low is not None
    assert beside.high is not None
    assert beside.low < 0.2 < found.first[1].value - beside.value, "age and sex were drawn by lot"
    gain = found.metadata.gain["quadratic kappa"]
    assert gain.low is not None
    assert gain.low > 0
    said = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert said["metadata"]["measures"]["quadratic kappa"]["value"] == beside.value
    assert said["target"]["column"] == "severity"
    assert "predictions less that" in str(found)

    pictures = tmp_path / "mine"
    pictures.mkdir()
    for name, ill in (("low", 0.05), ("high", 0.95)):
        film(77, ill).save(pictures / f"{name}.png")
    chances = {row.file: row.probabilities for row in predict(run.path, pictures, device="cpu").rows}
    assert chances["high.png"]["severe"] > 0.5 > chances["low.png"]["severe"]


def test_numbers_and_days_are_learned(home: Path, tmp_path: Path) -> None:
    run = trained(home, tmp_path / "crp", str(home / "crp.toml"))
    found = evaluate(run.path, cache_dir=home / "cache")
    assert found.first[1].value > 0.7
    assert found.by_image["auc at least 100"].value > 0.9
    assert np.isnan(found.auc.value), "there are no classes"
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["auc"] is None
    (tmp_path / "mine").mkdir()
    film(5, 0.9).save(tmp_path / "mine" / "a.png")
    (row,) = predict(run.path, tmp_path / "mine", tmp_path / "out.csv", device="cpu").rows
    assert 100 < row.probabilities["value"] <= 200
    assert (tmp_path / "out.csv").read_text().startswith("file,value\n")

    run = trained(home, tmp_path / "days", "survival-small", batch_size=30, epochs=16)
    found = evaluate(run.path, cache_dir=home / "cache")
    name, concordance = found.first
    assert (name, found.by_patient) == ("concordance", {})
    assert concordance.value > 0.8
    assert found.metadata.measures["concordance"].value < concordance.value
    assert any("The others are censored" in note for note in found.notes)
    assert main(["evaluate", str(run.path), "--cache-dir", str(home / "cache"), "--alone"]) == 0


def test_what_nobody_says_is_refused_before(home: Path, tmp_path: Path) -> None:
    (tmp_path / "days.toml").write_text(
        'extends = "survival-small"\n[target]\nkind = "survival"\ncolumn = "source_row.died_on"\n', encoding="utf-8"
    )
    for recipe, says in (
        ("severity-opacity", "severity_scores.opacity: expected a number of some of .* found none"),
        ("severity-mosmed", "severity: expected CT-0, .* found 'm|severity: expected CT-0"),
        ("severity-intensive", "clinical.went_icu: expected false, true of some"),
        (str(tmp_path / "days.toml"), "all .* are censored.*says whether somebody died, and nothing says when"),
    ):
        with pytest.raises(UsageError, match=says):
            trained(home, tmp_path / "run", recipe)
        assert not (tmp_path / "run").exists()


def test_anybodys_table_is_held_against_the_target(home: Path, tmp_path: Path) -> None:
    with (home / "ward" / "ward.csv").open() as file:
        truth = {row["path"]: row for row in csv.DictReader(file)}
    from covid_datasets import load_splits

    own, cache = str(home / "ward"), home / "cache"
    test = [row for row in load_splits(own, cache_dir=cache).to_pylist() if row["split"] == "test"]

    def write(name: str, columns: dict[str, Any]) -> Path:
        with (tmp_path / name).open("w", newline="") as lines:
            table = csv.writer(lines)
            table.writerow(["sample_id", *columns])
            for row in test:
                of = truth[row["sample_id"].partition("/")[2]]
                table.writerow([row["sample_id"], *(value(of) for value in columns.values())])
        return tmp_path / name

    def chance(level: str) -> Any:
        return lambda row: float(row["severity"] == level)

    right = write("right.csv", {f"p_{level}": chance(level) for level in reversed(LEVELS)})
    found = evaluate(right, own, recipe="severity-small", cache_dir=cache, beside=False)
    assert (found.first[1].value, found.classes) == (1.0, LEVELS)
    assert "All draws are perfect too" in str(found)
    lot = np.random.default_rng(0)
    drawn = write("lot.csv", {"value": lambda _: 200 * lot.random()})
    found = evaluate(drawn, own, recipe=str(home / "crp.toml"), cache_dir=cache, beside=False)
    kappa = found.first[1]
    assert kappa.low is not None
    assert kappa.high is not None
    assert kappa.low < 0 < kappa.high
    for table, recipe, says in (
        (drawn, None, "expected to know what the column 'value' is of"),
        (right, "severity-covidx", "expected predictions of level1, level2|expected level1, level2"),
        (write("nan.csv", {"value": lambda _: "nan"}), "severity-opacity", "column value: expected a number"),
        (write("lie.csv", {"value": lambda _: 1, "label": lambda _: 7}), str(home / "crp.toml"), "other labels"),
    ):
        with pytest.raises((PredictionsError, UsageError), match=says):
            evaluate(table, own, recipe=recipe, cache_dir=cache, beside=False)
    with pytest.raises(UsageError, match="expected one with a target"):
        evaluate(right, own, recipe="small", cache_dir=cache)


def test_recipes_say_what_cannot_be_predicted() -> None:
    for name in recipe_names():
        recipe = read_recipe(name)
        assert recipe_of(json.loads(json.dumps(recipe.to_json())), name) == recipe
    good = {"kind": "ordinal", "column": "severity", "levels": ["a", "b"]}
    for changed, says in (
        ({"column": "severty"}, "Did you mean 'severity'"),
        ({"column": "source_row"}, "as in 'source_row.days'"),
        ({"levels": ["a"]}, "two or more, from the mildest on"),
        ({"levels": ["a", "b|a"]}, "each once"),
        ({"kind": "regression", "levels": []}, "two numbers, the lowest and the highest"),
        ({"bounds": [0, 1]}, "it with kind 'regression' alone"),
    ):
        with pytest.raises(CatalogError, match=says):
            read_recipe("small", task="target", target=good | changed)
    with pytest.raises(CatalogError, match="'target' with a table"):
        read_recipe("small", task="target")
    with pytest.raises(CatalogError, match="no balance"):
        read_recipe("severity-small", balance=True)


def test_a_head_over_drawn_masks_is_explained(cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = {"network": "mobilenet_v2", "width": 0.1, "image_size": 32, "epochs": 1, "augment": {}}
    given: dict[str, Any] = {"filters": {"modality": "CT"}, "cache_dir": cohort, "device": "cpu"}
    given |= {"scheme": "patient(50/50)", "changes": small | {"draws": ["infection"]}}
    run = train("phantom", tmp_path / "run", "severity-small", **given)
    assert run.classes == LEVELS
    found = explain(run.path, device="cpu", limit=4, cache_dir=cohort)
    assert 0 <= found.shares["saliency"]["lung"].attention.value <= 1
    assert evaluate(run.path, cache_dir=cohort, beside=False).first[0] == "quadratic kappa"
    with pytest.raises(UsageError, match="another recipe"):
        train("phantom", tmp_path / "run", "severity-small", **given | {"changes": small})
    assert results(["--cache-dir", str(cohort), "--out", str(tmp_path / "results"), "run", "mine", str(run.path)]) == 2
    assert "expected a run that predicts labels" in capsys.readouterr().err
