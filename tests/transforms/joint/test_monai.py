"""The changes as a transform of MONAI: in its order of axes, with its affines, seeds and inverses."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets.errors import UsageError
from covid_datasets.transforms.joint import Augment, Drawn, Image, Mask

there = find_spec("monai") is not None and find_spec("torch") is not None
pytestmark = pytest.mark.skipif(not there, reason="needs the extra monai")
transforms: Any = import_module("monai.transforms") if there else None
torch: Any = import_module("torch") if there else None
Augmentd: Any = import_module("covid_datasets.transforms.joint.on_monai").Augmentd if there else None
CHANGING = Augment(rotate=20, crop=0.6, flip=0.5, gain=0.1, elastic=0.02)


def row(*shape: int) -> dict[str, Any]:
    from monai.data import MetaTensor

    values = np.random.default_rng(0).integers(0, 256, (1, *shape)).astype(np.float32)
    affine = torch.diag(torch.tensor([-0.7, -0.8, 5.0, 1.0], dtype=torch.float64))
    mask = torch.from_numpy((values > 128).astype(np.float32))
    return {"image": MetaTensor(torch.from_numpy(values), affine=affine), "mask_lung": mask, "label": 1}


@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 3)])
def test_it_does_what_numpy_does(shape: tuple[int, ...]) -> None:
    given = row(*shape)
    before = given["image"].clone()
    done = Augmentd(CHANGING, "image", "mask_lung").set_random_state(3)(given)
    assert torch.equal(given["image"], before)
    drawn = Drawn.of_record(json.loads(done["image"].applied_operations[-1]["extra_info"]["drawn"])["drawn"])
    image = Image(np.ascontiguousarray(given["image"].numpy()[0].T), full=(0, 255))
    mask = Mask(np.ascontiguousarray(given["mask_lung"].numpy()[0].T).astype(np.uint8))
    wanted = CHANGING.replay(drawn, image, mask)
    assert np.abs(done["image"].numpy()[0].T - wanted.image.values).max() < 0.05
    assert np.array_equal(done["mask_lung"].numpy()[0].T, wanted.masks.values)
    again = Augmentd(CHANGING, "image", "mask_lung").set_random_state(3)(given)
    assert torch.equal(again["image"], done["image"])


def test_affines_follow_and_the_way_back_leads_there() -> None:
    given = row(64, 48)
    given["image"][:] = 0
    given["image"][0, 20:40, 10:30] = 255
    given["mask_lung"] = (given["image"].as_tensor() > 0).float()
    chain = transforms.Compose([Augmentd(Augment(rotate=15, shift=0.1, flip=1.0, size=(50, 70)), "image", "mask_lung")])
    chain.set_random_state(1)
    done = chain(given)
    inside = torch.nonzero(done["mask_lung"][0]).double().mean(dim=0)
    place = done["image"].affine @ torch.tensor([*inside, 0, 1], dtype=torch.float64)
    wanted = given["image"].affine @ torch.tensor([29.5, 19.5, 0, 1], dtype=torch.float64)
    assert float((place - wanted).abs().max()) < 0.4, "the middle of what is marked is where it was, in millimetres"
    back = chain.inverse(done)
    assert back["image"].shape == given["image"].shape
    torch.testing.assert_close(back["image"].affine, given["image"].affine)
    assert float((back["mask_lung"] != given["mask_lung"]).float().mean()) < 0.02
    assert float((back["image"] - given["image"]).abs().median()) < 1


def test_sides_change_places() -> None:
    lungs = {"mask_left_lung": torch.tensor([[[1.0], [0.0]]]), "mask_right_lung": torch.tensor([[[0.0], [1.0]]])}
    keys = tuple(lungs)
    done = Augmentd(Augment(flip=1.0), "image", keys)({"image": torch.zeros(1, 2, 1), **lungs})
    assert all(torch.equal(done[key], lungs[key]) for key in keys)
    with pytest.raises(UsageError, match="expected mask_right_lung"):
        Augmentd(Augment(flip=0.1), "image", "mask_left_lung")


def drawn_in_workers(loader: Any, seed: int, epochs: int = 1) -> list[float]:
    from monai.data import Dataset

    chain = transforms.Compose([Augmentd(Augment(rotate=30, noise=0.02), "image", "mask_lung")])
    chain.set_random_state(seed)
    plain = {"image": torch.arange(63.0).reshape(1, 9, 7), "mask_lung": torch.ones(1, 9, 7)}
    batches = loader(
        Dataset([plain] * 4, chain), batch_size=2, num_workers=2, generator=torch.Generator().manual_seed(seed)
    )
    return [float(image.sum()) for _ in range(epochs) for batch in batches for image in batch["image"]]


@pytest.mark.parametrize("whose", ["monai.data", "torch.utils.data"])
def test_workers_draw_numbers_of_their_own_and_the_same_for_a_seed(whose: str) -> None:
    """Workers of torch's own loader are copies: they drew the same, and so did every epoch."""
    loader = import_module(whose).DataLoader
    twice = drawn_in_workers(loader, 5, epochs=2)
    assert len(set(twice)) == 8
    assert drawn_in_workers(loader, 5) == twice[:4]
    assert not set(drawn_in_workers(loader, 6)) & set(twice)


def test_what_a_loader_has_put_together_can_be_undone() -> None:
    from monai.data import DataLoader, Dataset, decollate_batch

    chain = transforms.Compose([Augmentd(Augment(rotate=20, size=(40, 44)), "image", "mask_lung")])
    given = row(32, 24)
    given["image"][:], given["mask_lung"][:] = 0, 0
    given["image"][0, 8:24, 6:18], given["mask_lung"][0, 8:24, 6:18] = 200, 1
    batch = next(iter(DataLoader(Dataset([given] * 2, chain), batch_size=2)))
    for each in decollate_batch(batch):
        back = chain.inverse(each)
        assert back["image"].shape == back["mask_lung"].shape == (1, 32, 24)
        assert set(back["mask_lung"].unique().tolist()) == {0.0, 1.0}
        assert float((back["mask_lung"] != given["mask_lung"]).float().mean()) < 0.05


@pytest.mark.parametrize("kind", ["bool", "uint8", "int64", "float16"])
def test_masks_keep_their_type_and_their_values(kind: str) -> None:
    given = {"image": torch.zeros(1, 20, 20), "mask_lung": torch.ones(1, 20, 20).to(getattr(torch, kind))}
    done = Augmentd(Augment(rotate=40), "image", "mask_lung").set_random_state(2)(given)["mask_lung"]
    assert done.dtype == given["mask_lung"].dtype
    assert set(done.unique().tolist()) == {0, 1}


def test_rows_of_ours_go_in(tmp_path: Path) -> None:
    from covid_datasets import load_dataset

    rows = load_dataset("phantom", "small", split="train", framework="monai", cache_dir=tmp_path)
    chain = transforms.Compose([Augmentd(Augment(size=64, rotate=10), "image", "mask_lung", allow_missing_keys=True)])
    done = chain(rows[0])
    assert done["image"].shape == (1, 64, 64)


def test_bad_rows_are_said() -> None:
    changing = Augmentd(Augment(), "image", "mask_lung")
    with pytest.raises(UsageError, match="of one shape"):
        changing({"image": torch.zeros(1, 4, 4), "mask_lung": torch.zeros(1, 4, 5)})
    with pytest.raises(UsageError, match="expected channel"):
        changing({"image": torch.zeros(4, 4), "mask_lung": torch.zeros(4, 4)})
    with pytest.raises(UsageError, match="NaN"):
        changing({"image": torch.full((1, 4, 4), float("nan")), "mask_lung": torch.zeros(1, 4, 4)})
    with pytest.raises(UsageError, match="full: expected the values of black and white"):
        changing({"image": torch.full((1, 4, 4), -1000.0), "mask_lung": torch.zeros(1, 4, 4)})
    with pytest.raises(UsageError, match="expected Augment"):
        Augmentd(5)
