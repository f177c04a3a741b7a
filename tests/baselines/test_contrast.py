"""Momentum contrast: pictures are found again, labels are not looked at, and a kill loses nothing."""

from __future__ import annotations

import json
import math
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import train
from covid_datasets.baselines.recipe import Pretraining, read_recipe, recipe_of
from covid_datasets.errors import CatalogError
from tests.baselines.quick import QUICK, SCHEME
from tests.baselines.test_resume import KILLED
from tests.processes import python

pytestmark = [
    pytest.mark.skipif(not all(map(find_spec, ("torch", "safetensors"))), reason="needs the extra baselines"),
    pytest.mark.usefixtures("one_thread"),
]
SHORT: dict[str, Any] = {"epochs": 2, "dictionary": 24, "batch_size": 16, "features": 8}
OPTIONS: dict[str, Any] = {
    "scheme": SCHEME,
    "seed": 5,
    "device": "cpu",
    "changes": QUICK | {"pretraining": SHORT, "epochs": 1, "masks": ["lung"]},
    "filters": {"modality": "CT"},
    "checkpoint_steps": 2,
}


def contrast_of(**changes: Any) -> Any:
    import torch

    from covid_datasets.baselines.networks.contrast import Contrast
    from covid_datasets.baselines.networks.named import make_network

    torch.manual_seed(0)
    settings = Pretraining(**SHORT | {"features": 8} | changes)
    return Contrast(make_network("mobilenet_v2", 2, width=0.1), "classifier.1", settings)


def test_the_dictionary_holds_the_newest_keys_and_keys_follow() -> None:
    import torch

    contrast = contrast_of(follows=0.75, dictionary=24)
    begun, before = (contrast.dictionary.clone(), next(contrast.keys.parameters()).clone())
    with torch.no_grad():
        for values in contrast.network.parameters():
            values.add_(1)
        scores = contrast(torch.rand(16, 1, 32, 32), torch.rand(16, 1, 32, 32))
    assert scores.shape == (16, 1 + 24)
    assert torch.allclose(next(contrast.keys.parameters()), before + 0.25), "a quarter of the way"
    assert torch.equal(contrast.dictionary[:, 16:], begun[:, 16:])
    assert not torch.isclose(contrast.dictionary[:, :16], begun[:, :16]).all(0).any()
    contrast(torch.rand(16, 1, 32, 32), torch.rand(16, 1, 32, 32))
    assert int(contrast.place) == 8, "the oldest keys were replaced"
    assert torch.allclose(contrast.dictionary.norm(dim=0), torch.ones(24), atol=1e-5)


def test_pictures_are_told_apart_after_a_while() -> None:
    """Batch after batch is of other pictures than those that are remembered, and a picture is found among 49."""
    import torch

    from covid_datasets.baselines.networks.contrast import Contrast

    torch.manual_seed(0)
    convolution: Any = [torch.nn.Conv2d(1, 16, 8, 8), torch.nn.BatchNorm2d(16), torch.nn.ReLU()]
    network = torch.nn.Sequential(*convolution, torch.nn.Flatten(), torch.nn.Linear(256, 2))
    contrast = Contrast(network, "4", Pretraining(**SHORT | {"dictionary": 48, "follows": 0.9}))
    pictures = torch.rand(96, 1, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
    by = torch.optim.SGD(contrast.network.parameters(), 0.03, momentum=0.9)
    losses = []
    for step in range(36):
        shown = pictures[16 * (step % 6) :][:16]
        first, second = (shown + 0.02 * torch.randn(shown.shape) for _ in range(2))
        scores = contrast(first, second)
        loss = torch.nn.functional.cross_entropy(scores, torch.zeros(16, dtype=torch.long))
        by.zero_grad()
        loss.backward()
        by.step()
        losses.append(loss.item())
    chance = math.log(49)
    assert sum(losses[-6:]) / 6 < chance / 3 < max(losses)
    assert all(values.grad is None for values in contrast.keys.parameters())


def test_a_training_begins_with_what_was_learned_without_labels(cohort: Path, tmp_path: Path) -> None:
    import torch

    from covid_datasets.baselines.train.state import read_tensors

    whole = train("phantom", tmp_path / "whole", cache_dir=cohort, **OPTIONS)
    stage = whole.path / "pretraining"
    assert len((stage / "metrics.jsonl").read_text().splitlines()) == 2
    learned, about = read_tensors(stage / "checkpoint.safetensors")
    assert about["epoch"] == 2
    assert not any(name.startswith("classifier.1") for name in learned)
    assert recipe_of(json.loads((whole.path / "config.json").read_text())["recipe"], "it") == whole.recipe

    done = python(KILLED, tmp_path / "killed", cohort, "2", json.dumps(OPTIONS))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "killed" / "state.safetensors").exists(), "killed before the first label"
    resumed = train("phantom", tmp_path / "killed", cache_dir=cohort, **OPTIONS)
    for name in ("pretraining/state.safetensors", "checkpoint.safetensors"):
        one, other = (read_tensors(run.path / name)[0] for run in (whole, resumed))
        assert set(one) == set(other)
        assert all(torch.equal(one[key], other[key]) for key in one), name
    again = OPTIONS | {"changes": OPTIONS["changes"] | {"epochs": 1}, "weights": stage / "checkpoint.safetensors"}
    given = train("phantom", tmp_path / "given", cache_dir=cohort, **again)
    assert given.config["weights"]["left_out"] == ["classifier.1.weight", "classifier.1.bias"]


def test_self_trans_is_that_of_its_paper_and_nonsense_is_told() -> None:
    for name in ("selftrans-densenet169", "selftrans-resnet50"):
        recipe = read_recipe(name)
        before, stage = recipe.stage_before, recipe.pretraining
        assert stage is not None
        assert (stage.dictionary, before.batch_size, before.optimizer) == (512, 128, "sgd")
        assert (before.weight_decay, before.momentum, before.rate_at(0)) == (1e-4, 0.9, 0.015)
        changes: Any = before.changes
        assert (changes.crop, changes.blur_share, changes.size) == (0.2, 0.5, None)
        assert (recipe.rate, recipe.network) == (1e-4, name.partition("-")[2])
    for wrong, says in (
        ({"epochs": 0}, "table 'pretraining': key 'epochs'"),
        ({"epochs": 1, "dictionary": 8}, "key 'dictionary': expected 128 or more"),
        ({"epochs": 1, "follows": 1.0}, "key 'follows': expected 0 to below 1"),
        ({"epochs": 1, "queue": 3}, "expected one of"),
    ):
        with pytest.raises(CatalogError, match=says):
            read_recipe("small", pretraining=wrong)
