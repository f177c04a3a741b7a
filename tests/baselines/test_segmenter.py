"""A network that draws masks is trained like a classifier: a recipe, a folder, the same bits after a kill, a method."""

from __future__ import annotations

import json
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import (
    evaluate,
    explain,
    infection_mask,
    learned_infection,
    learned_lungs,
    load_dataset,
    lung_mask,
    predict,
    train,
)
from covid_datasets.baselines.recipe import read_recipe
from covid_datasets.cli import main
from covid_datasets.errors import CatalogError, DamagedFileError, TrainingError, UsageError
from tests.baselines.test_resume import KILLED, tensors_of
from tests.processes import python

pytestmark = [
    pytest.mark.skipif(not all(map(find_spec, ("torch", "safetensors"))), reason="needs the extra baselines"),
    pytest.mark.usefixtures("one_thread"),
]
QUICK: dict[str, Any] = {"width": 0.05, "image_size": 32, "batch_size": 8, "epochs": 3}
OPTIONS: dict[str, Any] = {
    "recipe": "segment-small", "scheme": "patient(50/25/25)", "seed": 5, "device": "cpu", "changes": QUICK,
    "checkpoint_steps": 2, "filters": {"modality": "CT"},
}  # fmt: skip


@pytest.fixture(scope="module")
def drawn(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run that was never stopped, in one thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    run = train("phantom", tmp_path_factory.mktemp("drawn") / "run", cache_dir=cohort, **OPTIONS)
    torch.set_num_threads(before)
    return run


def test_a_run_draws_masks_and_says_which(drawn: Any) -> None:
    files = {each.name for each in drawn.path.iterdir()} - {".lock"}
    assert files >= {"config.json", "metrics.jsonl", "checkpoint.safetensors", "weights.safetensors", "weights.json"}
    assert drawn.classes == ("lung", "infection")
    assert drawn.config["counts"]["train"] == {"lung": 60, "infection": 60}
    dices = [row["validation_dice"] for row in drawn.history]
    assert drawn.history[-1]["loss"] < drawn.history[0]["loss"]
    assert "validation Dice" in (drawn.path / "curve.svg").read_text()
    card = json.loads((drawn.path / "weights.json").read_text())
    assert drawn.config["fingerprint"] in card["trained_on"][0]
    assert card["figures"]["validation_dice"] == max(dices)


def test_a_killed_training_of_masks_ends_with_the_same_bits(drawn: Any, cohort: Path, tmp_path: Path) -> None:
    import torch

    done = python(KILLED, tmp_path / "killed", cohort, "5", json.dumps(OPTIONS))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "killed" / "predictions.csv").exists()
    resumed = train("phantom", tmp_path / "killed", cache_dir=cohort, **OPTIONS)
    one, other = (tensors_of(run.path / "state.safetensors")[0] for run in (drawn, resumed))
    assert set(one) == set(other)
    assert all(torch.equal(one[key], other[key]) for key in one)
    for name in ("weights.safetensors", "weights.json", "predictions.csv"):
        assert (drawn.path / name).read_bytes() == (resumed.path / name).read_bytes()


def test_what_plugs_in_draws_the_masks_that_were_scored(drawn: Any, cohort: Path) -> None:
    from covid_datasets.baselines.evaluate.overlap import read_counts
    from covid_datasets.baselines.segment.taught import LUNGS
    from covid_datasets.baselines.segment.taught import drawn as draw
    from covid_datasets.transforms.segment.given import scan_of

    rows = load_dataset("phantom", split="all", framework="numpy", cache_dir=cohort, modality="CT")
    pictures = {row["sample_id"]: row for row in rows}
    method: Any = learned_lungs(drawn.path)
    assert method.name == f"segment-small-phantom@{json.loads((drawn.path / 'weights.json').read_text())['sha256'][:8]}"
    for line in read_counts(drawn.path / "predictions.csv")[1][:6]:
        row = pictures[line.sample]
        found = draw(method.network, scan_of(row["image"]), LUNGS)[0]
        inside = row["masks"]["lung"] > 0
        assert (int(inside.sum()), int(found.sum()), int((found & inside).sum())) == line.pixels["lung"]
        lungs = lung_mask(row["image"], method=method)
        assert lungs.empty or np.array_equal(lungs.mask > 0, found)
        ill = infection_mask(row["image"], lungs, method=learned_infection(drawn.path))
        assert not (ill.mask[lungs.mask == 0] > 0).any()


def test_a_scan_that_is_turned_over_is_drawn_as_before(drawn: Any) -> None:
    from covid_datasets.baselines.segment.taught import LUNGS
    from covid_datasets.baselines.segment.taught import drawn as draw
    from covid_datasets.phantoms.volume import chest_volume
    from covid_datasets.transforms.segment.given import scan_of

    method: Any = learned_lungs(drawn.path)
    known, network = chest_volume(1, shape=(5, 64, 48)), method.network
    straight = draw(network, scan_of(known.voxels, known.spacing, "LPS"), LUNGS)
    assert straight.any()
    for codes, axes in (("LAS", (1,)), ("RPS", (2,)), ("LPI", (0,)), ("RAI", (0, 1, 2))):
        turned = draw(network, scan_of(np.flip(known.voxels, axes), known.spacing, codes), LUNGS)
        assert np.array_equal(np.flip(turned, axes), straight)


def test_what_is_no_ct_stays_refused(drawn: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (96, 96)).astype(np.uint8)
    for nothing in (noise, np.full((64, 64), 40, np.int16)):
        found = lung_mask(nothing, method=learned_lungs(drawn.path))
        assert found.empty
        assert found.reasons


def test_a_folder_of_scans_is_segmented_by_a_run(drawn: Any, cohort: Path, tmp_path: Path) -> None:
    from PIL import Image

    picture = load_dataset("phantom", split="test", framework="numpy", cache_dir=cohort, modality="CT")[0]["image"]
    (tmp_path / "scans").mkdir()
    Image.fromarray(picture).save(tmp_path / "scans" / "a.png")
    asked = ["segment", str(tmp_path / "scans"), str(tmp_path / "out"), "--lungs", "learned", "--method", "learned"]
    assert main([*asked, "--weights", str(drawn.path)]) == 0
    lungs = lung_mask(picture, method=learned_lungs(drawn.path))
    ill = infection_mask(picture, lungs, method=learned_infection(drawn.path))
    assert json.loads((tmp_path / "out" / "segment.json").read_text())[0]["infection_rate"] == ill.rate


def test_masks_that_nobody_drew_are_said_and_leave_no_folder(cohort: Path, tmp_path: Path) -> None:
    asked = OPTIONS | {"changes": QUICK | {"draws": ("effusion",)}}
    with pytest.raises(
        UsageError, match="expected images with a mask of effusion in train, found none; there are lung, "
    ):
        train("phantom", tmp_path / "run", cache_dir=cohort, **asked)
    asked["changes"]["draws"] = ("lung", "effusion")
    with pytest.raises(UsageError, match=r"train: expected a mask 'effusion' of some rows.*none of 60 rows has one"):
        train("phantom", tmp_path / "run", cache_dir=cohort, **asked)
    assert not (tmp_path / "run").exists()


def test_a_rate_that_is_too_high_stops_and_keeps_the_checkpoint(cohort: Path, tmp_path: Path) -> None:
    asked = OPTIONS | {"changes": QUICK | {"rate": 1e25, "warmup": 0}}
    with pytest.raises(TrainingError, match="expected a loss, found none"):
        train("phantom", tmp_path / "run", cache_dir=cohort, **asked)
    assert not (tmp_path / "run" / "predictions.csv").exists()


def test_foreign_and_damaged_weights_are_refused(drawn: Any, tmp_path: Path) -> None:
    for name in ("weights.safetensors", "weights.json"):
        (tmp_path / name).write_bytes((drawn.path / name).read_bytes())
    with (tmp_path / "weights.safetensors").open("r+b") as file:
        file.seek(-5, 2)
        file.write(b"\x01")
    with pytest.raises(DamagedFileError, match="expected the digest"):
        learned_lungs(tmp_path)
    with pytest.raises(UsageError, match=r"weights\.safetensors: expected weights"):
        learned_lungs(tmp_path.parent)


def test_weights_that_draw_no_lung_are_no_method_for_lungs(cohort: Path, tmp_path: Path) -> None:
    asked = OPTIONS | {"changes": QUICK | {"draws": ("infection",), "epochs": 1}, "scheme": "patient(50/50)"}
    run = train("phantom", tmp_path / "run", cache_dir=cohort, **asked)
    assert "validation_dice" not in run.history[0]
    with pytest.raises(UsageError, match="expected weights that draw lung, found some that draw infection"):
        learned_lungs(run.path)
    assert learned_infection(run.path).name.startswith("segment-small-phantom@")


def test_what_tells_classes_refuses_a_run_that_draws(drawn: Any, tmp_path: Path) -> None:
    for call in (lambda: predict(drawn.path, tmp_path), lambda: explain(drawn.path), lambda: evaluate(drawn.path)):
        with pytest.raises(UsageError, match="draws masks"):
            call()


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"network": "resnet18"}, "'task'"),
        ({"task": "all"}, "'task'"),
        ({"draws": ()}, "'draws'"),
        ({"masks": ("heart",)}, "'masks'"),
        ({"image_size": 40}, "'image_size'"),
        ({"around": 2}, "'around'"),
        ({"channels": 3}, "'channels'"),
        ({"std": (0.25,)}, "'std'"),
    ],
)
def test_recipes_that_cannot_draw_are_refused(changes: dict[str, Any], wrong: str) -> None:
    with pytest.raises(CatalogError, match=wrong):
        read_recipe("segment-small", **changes)


def test_a_training_begins_with_the_weights_of_another_one(drawn: Any, cohort: Path, tmp_path: Path) -> None:
    asked = OPTIONS | {"changes": QUICK | {"epochs": 1, "rate": 1e-9}}
    begun = train("phantom", tmp_path / "run", cache_dir=cohort, weights=drawn.path / "checkpoint.safetensors", **asked)
    best = max(row["validation_dice"] for row in drawn.history)
    assert begun.history[0]["validation_dice"] == pytest.approx(best, abs=1e-3)
