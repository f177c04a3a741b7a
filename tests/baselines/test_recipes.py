"""Recipes: those that ship are whole, say what their papers say, and those of one's own are checked."""

from __future__ import annotations

import csv
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import train
from covid_datasets.baselines.recipe import read_recipe, recipe_names, recipe_of
from covid_datasets.errors import CatalogError, NotThereError, UsageError

FEW = [f"study1-{network}-118" for network in ("densenet169", "resnet50")]
"""More than a phantom has; what they do is tested by itself."""
PAPER_RESNET = ("study1-resnet50", "study2-resnet50", "selftrans-resnet50")
"""What differs from their DenseNet in the name of the network alone."""
OF_TARGETS = ("severity-", "survival-")
"""What the phantom does not say; ``test_targets`` trains them."""
OF_CHESTS = ("segment-chests",)
"""What the phantom does not draw; ``test_chests`` trains it."""
PICTURES = [
    name
    for name in recipe_names()
    if not name.startswith((*PAPER_RESNET, *OF_TARGETS, *OF_CHESTS)) and not read_recipe(name).in_depth
]


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_that_ship_are_whole(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.summary
    assert recipe.source
    assert recipe_of(json.loads(json.dumps(recipe.to_json())), "again") == recipe
    assert 0 < recipe.rate_at(0) <= recipe.rate


@pytest.mark.parametrize("name", ["study1-densenet169", "study1-resnet50"])
def test_study_one_is_that_of_its_paper(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.network == name.partition("-")[2]
    assert (recipe.image_size, recipe.batch_size, recipe.optimizer, recipe.rate) == (480, 16, "adam", 1e-4)
    assert (recipe.schedule, recipe.period) == ("cosine", 10)
    changes: Any = recipe.changes
    assert (changes.crop, changes.flip, changes.contrast, changes.gain) == (0.5, 0.5, 0.2, 0.2)


@pytest.mark.parametrize("name", FEW)
def test_the_small_rows_of_study_one_draw_118_images_anew(name: str) -> None:
    recipe, whole = read_recipe(name), read_recipe(name.removesuffix("-118"))
    assert (recipe.keep, recipe.rounds) == ({"covid19": 118}, 5)
    told = {"summary": whole.summary, "rounds": whole.rounds, "keep": {}}
    assert recipe.to_json() | told == whole.to_json()


def test_covid_arc_is_five_rounds_of_80_and_20() -> None:
    found = [read_recipe(name) for name in recipe_names() if name.startswith("covidarc-")]
    assert {(each.scheme, each.rounds) for each in found} == {("patient(80/20)", 5)}
    assert len({each.network for each in found}) == len(found) >= 6


def test_small_is_small() -> None:
    recipe = read_recipe("small")
    assert recipe.image_size <= 128
    assert recipe.width < 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"epoch": 3}, "key 'epoch': expected one of"),
        ({"epochs": 0}, "key 'epochs': expected 1 or more"),
        ({"epochs": 2.5}, "key 'epochs': expected a whole number"),
        ({"optimizer": "adams"}, "key 'optimizer': expected one of adam, adamw, sgd"),
        ({"task": "covid"}, "key 'task': expected one of"),
        ({"rate": -1.0}, "key 'rate': expected a number above 0"),
        ({"rate": float("nan")}, "key 'rate': expected a number above 0"),
        ({"image_size": 16}, "key 'image_size': expected 32 (of resnet18) to 4096"),
        ({"channels": 2}, "key 'channels': expected 1 or 3"),
        ({"masks": ["lungs"]}, "key 'masks': expected some of"),
        ({"keep": {"covid19": 0}}, "key 'keep': expected 1 row or more"),
        ({"mean": [0.1, 0.2]}, "key 'mean': expected one number, or 1"),
        ({"std": [0.0]}, "key 'std': expected numbers above 0"),
        ({"smoothing": 1.0}, "key 'smoothing': expected 0 to below 1"),
        ({"augment": {"rotat": 3}}, "key 'augment'"),
        ({"augment": {"preset": "modrn"}}, "Did you mean 'modern'"),
        ({"augment": {"size": 64}}, "expected the size 96"),
    ],
)
def test_wrong_values_are_told(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(CatalogError) as told:
        read_recipe("small", **changes)
    assert says in str(told.value)


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "small"\nepochs = 3\n')
    assert (read_recipe(str(mine)).epochs, read_recipe(str(mine)).network) == (3, "resnet18")
    mine.write_text('extends = "mine"\n')
    with pytest.raises(CatalogError, match="the name of another recipe"):
        read_recipe(str(mine))
    mine.write_text("epochs = \n")
    with pytest.raises(CatalogError, match="expected TOML"):
        read_recipe(str(mine))
    mine.write_text('extends = "smal"\n')
    with pytest.raises(NotThereError, match="Did you mean 'small'"):
        read_recipe(str(mine))
    with pytest.raises(UsageError, match="Did you mean 'resnet18'"):
        read_recipe("small", network="resnet81")


def test_rates_fall_and_rise() -> None:
    small = read_recipe("small")
    rates = [small.rate_at(epoch) for epoch in range(small.epochs)]
    assert rates[0] == small.rate / 2
    assert rates[1] == small.rate
    assert rates[1:] == sorted(rates[1:], reverse=True)
    constant = read_recipe("small", schedule="constant", warmup=0)
    assert {constant.rate_at(epoch) for epoch in range(5)} == {constant.rate}


@pytest.mark.skipif(not all(map(find_spec, ("torch", "monai", "safetensors"))), reason="needs the extra baselines")
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", [name for name in PICTURES if name not in FEW])
def test_each_recipe_makes_an_epoch(name: str, cohort: Path, tmp_path: Path) -> None:
    """Narrow, small and short; all else is as the recipe says, the split without validation of COVID-ARC among it."""
    narrow: dict[str, Any] = {"width": 0.05, "image_size": 80, "epochs": 1, "batch_size": 16}
    kind = "CT" if name.startswith("study2") else "CXR"  # which alone has lesions drawn
    if read_recipe(name).pretraining:
        narrow["pretraining"] = {"epochs": 1, "batch_size": 16}
    options: dict[str, Any] = {"changes": narrow, "filters": {"modality": kind}, "cache_dir": cohort}
    run = train("phantom", tmp_path / "run", name, device="cpu", **options)
    assert run.history[0]["loss"] > 0
    judged = "validation_dice" if run.recipe.draws_alone else "validation_auc"
    assert (judged in run.history[0]) == ("80/20" not in run.recipe.scheme)
    with (run.path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        parts = {row["split"] for row in csv.DictReader(file)}
    assert parts == ({"test"} if "80/20" in run.recipe.scheme else {"validation", "test"})
