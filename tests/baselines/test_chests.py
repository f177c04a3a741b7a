"""Networks of the kind that ships are trained by the one loop, on a folder of calculated chests, and add to lungs."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from covid_datasets import lung_mask, train
from covid_datasets.baselines.recipe import read_recipe
from covid_datasets.errors import CatalogError
from covid_datasets.phantoms.folder import write_chests
from covid_datasets.phantoms.volume import chest_volume

pytestmark = [
    pytest.mark.skipif(
        not all(map(find_spec, ("torch", "safetensors", "scipy", "nibabel"))), reason="needs baselines and volumes"
    ),
    pytest.mark.usefixtures("one_thread"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("chests")
    write_chests(folder / "calculated", 10, seed=7)
    found = train(
        str(folder / "calculated"), folder / "run", "segment-chests", config="slices", scheme="patient(80/20)",
        seed=3, device="cpu", cache_dir=folder, changes={"image_size": 48, "batch_size": 8, "epochs": 9},
    )  # fmt: skip
    torch.set_num_threads(before)
    return found


def test_a_short_training_keeps_consolidation_that_a_threshold_loses(run: Any) -> None:
    from covid_datasets import learned_lungs

    method, rows = learned_lungs(run.path), []
    for seed in (1, 2):
        known = chest_volume(seed, shape=(16, 96, 96), load=0.3, kinds=("consolidation",))
        dense, lung = known.infection > 0, known.lung > 0
        learned = lung_mask(known.voxels, spacing=known.spacing, method=method).mask > 0
        rows.append([dense[learned].sum() / dense.sum(), dense[(known.voxels < -320) & lung].sum() / dense.sum()])
    kept, plain = np.mean(rows, axis=0)
    assert kept > plain + 0.3


@pytest.mark.parametrize("shape", [(6, 96, 96), (6, 72, 96), (5, 96, 72)])
def test_classical_lungs_stay_in_what_is_added_to_them(run: Any, shape: tuple[int, int, int]) -> None:
    from covid_datasets.baselines.segment.learned import LearnedLungs, learned_lungs
    from covid_datasets.transforms.segment.given import scan_of

    method: Any = learned_lungs(run.path)
    assert isinstance(method, LearnedLungs)
    known = chest_volume(4, shape=shape, load=0.2)
    plain = lung_mask(known.voxels, spacing=known.spacing).mask
    better = method.mended(scan_of(known.voxels, known.spacing), plain)
    assert better.shape == known.voxels.shape
    assert better[plain > 0].all()
    noise = np.random.default_rng(0).integers(0, 255, (96, 96)).astype(np.uint8)
    assert lung_mask(noise, method=method).empty


def test_a_card_names_the_data_and_no_folder_of_its_owner(run: Any) -> None:
    card = json.loads((run.path / "weights.json").read_text())
    assert card["name"] == "segment-chests-own.calculated"
    assert card["architecture"]["adds"] is True
    assert str(run.path.parent) not in json.dumps(card)
    assert run.config["fingerprint"] in card["trained_on"][0]


def test_what_draws_no_lungs_adds_none_and_weighs_none() -> None:
    for changes in ({"draws": ["infection"]}, {"network": "resnet18", "task": "all", "draws": [], "around": 1}):
        with pytest.raises(CatalogError, match="key 'adds': expected false where no lungs are drawn"):
            read_recipe("segment-chests", **changes, dense_counts=0)
        with pytest.raises(CatalogError, match="key 'dense_counts': expected 0, or more where lungs and consolidation"):
            read_recipe("segment-chests", **changes, adds=False)


def test_the_network_that_ships_is_one_of_this_recipe() -> None:
    from covid_datasets.baselines.networks.of_recipe import network_of_recipe
    from covid_datasets.baselines.segment.weights import load_weights

    shipped, recipe = load_weights().network, read_recipe("segment-chests")
    shapes = {name: value.shape for name, value in network_of_recipe(recipe, 3).state_dict().items()}
    assert shapes == {name: value.shape for name, value in shipped.state_dict().items()}
    assert (shipped.architecture.adds, shipped.architecture.as_view) == (True, False)
    assert (shipped.architecture.side, shipped.architecture.slices) == (recipe.image_size, recipe.around)
