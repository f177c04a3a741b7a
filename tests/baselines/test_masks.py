"""Masks in a training: shown beside the image, drawn beside the class, made where nobody published them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import evaluate, explain, predict, train
from covid_datasets.baselines.networks.named import NETWORKS
from covid_datasets.baselines.recipe import read_recipe
from covid_datasets.errors import CatalogError, UsageError
from tests.baselines.quick import QUICK, SCHEME

pytestmark = [
    pytest.mark.skipif(not all(map(find_spec, ("torch", "safetensors"))), reason="needs the extra baselines"),
    pytest.mark.usefixtures("one_thread"),
]


def trained(cohort: Path, out: Path, *, filters: Any = None, **changes: Any) -> Any:
    given: dict[str, Any] = {"changes": QUICK | changes, "filters": filters or {}, "cache_dir": cohort}
    return train("phantom", out, scheme=SCHEME, device="cpu", **given)


@pytest.mark.parametrize("name", ["mobilenet_v2", "vgg16", "xception", "inception_v3"])
def test_any_network_draws_masks_of_the_images_size(name: str) -> None:
    import torch

    from covid_datasets.baselines.networks.of_recipe import network_of_recipe

    recipe = read_recipe("small", network=name, image_size=96, width=0.1, draws=["infection", "lung"])
    network = network_of_recipe(recipe, 2)
    images = torch.rand(2, 1, 96, 96)
    scores, drawn = network(images)
    assert (scores.shape, drawn.shape) == ((2, 2), (2, 2, 96, 96))
    assert network.eval()(images).shape == (2, 2)
    assert recipe.network in NETWORKS


def test_the_joint_loss_is_one_to_one_and_learns_of_what_was_drawn() -> None:
    import torch

    from covid_datasets.baselines.train.loss import joint_loss, of_classes, of_masks

    recipe = read_recipe("small", masks=["lung"], draws=["infection"])
    lesion = (torch.rand(3, 1, 8, 8) > 0.5).to(torch.uint8)
    lesion[2] = 255  # nobody drew the third
    batch = {"label": torch.tensor([0, 1, 1]), "masks": torch.cat([torch.ones_like(lesion), lesion], 1)}
    scores, drawn = torch.randn(3, 2), torch.randn(3, 1, 8, 8, requires_grad=True)
    loss = joint_loss((scores, drawn), batch, recipe)
    assert loss.item() == pytest.approx((of_classes(scores, batch, recipe) + of_masks(drawn, lesion)).item())
    loss.backward()
    assert drawn.grad is not None
    assert drawn.grad[:2].abs().min() > 0
    assert not drawn.grad[2].any()
    wrong, right = (2 * lesion.float() - 1) * -9, (2 * lesion.float() - 1) * 9
    assert of_masks(right, lesion) < 0.01 < 8 < of_masks(wrong, lesion)


def test_a_network_that_draws_is_a_model_like_any_other(cohort: Path, tmp_path: Path) -> None:
    run = trained(cohort, tmp_path / "run", filters={"modality": "CT"}, draws=["infection"], epochs=1)
    assert run.history[0]["loss"] > 1, "two losses, each near 0.7 at the beginning"
    (tmp_path / "mine").mkdir()
    assert predict(run.path, tmp_path / "mine", device="cpu").rows == ()
    shares = explain(run.path, device="cpu", limit=4, cache_dir=cohort).shares
    assert 0 <= shares["saliency"]["lung"].attention.value <= 1
    assert evaluate(run.path, cache_dir=cohort, beside=False).auc.value >= 0


def test_masks_that_nobody_drew_are_made(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hearts.py").write_text(
        "from covid_datasets import Derived\n\ndef dark(sample):\n"
        "    return Derived(masks={'heart': (sample.pixels < 100).astype('uint8')})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    asked: dict[str, Any] = {"filters": {"modality": "CXR"}, "masks": ["heart"], "epochs": 1}
    with pytest.raises(UsageError, match="expected a mask 'heart' of every row.*Have them made"):
        trained(cohort, tmp_path / "run", **asked)
    run = trained(cohort, tmp_path / "made", derive="hearts:dark", **asked)
    assert (run.recipe.in_channels, run.recipe.derive) == (2, "hearts:dark")


def test_a_mask_that_nobody_drew_is_told_before(cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train: expected a mask 'effusion' of some rows.* none of"):
        trained(cohort, tmp_path / "run", draws=["effusion"])
    for changes, says in (
        ({"draws": ["lesion"]}, "key 'draws': expected some of"),
        ({"draws": ["lung"], "masks": ["lung"]}, "other masks than those that are shown"),
        ({"draws": ["lung"], "mask_weight": 0.0}, "key 'mask_weight': expected a number above 0"),
    ):
        with pytest.raises(CatalogError, match=says):
            read_recipe("small", **changes)


def test_study_two_has_three_ways_for_either_network() -> None:
    for network in ("densenet169", "resnet50"):
        lungs, lesions, both = (read_recipe(f"study2-{network}-{way}") for way in ("lungs", "lesions", "both"))
        assert {each.network for each in (lungs, lesions, both)} == {network}
        assert (lungs.masks, lungs.draws, lesions.masks, lesions.draws) == (("lung",), (), (), ("infection",))
        assert (both.masks, both.draws, both.mask_weight) == (("lung",), ("infection",), 1)
        assert (both.rate, both.batch_size, both.image_size) == (1e-4, 16, 480)
