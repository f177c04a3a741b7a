"""Batches of tensors are those of NumPy, also through a DataLoader with any number of workers, and other trainers."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import Augment, build_dataset, load_dataset, to_numpy, to_torch
from covid_datasets.errors import UsageError

torch: Any = import_module("torch") if find_spec("torch") else None
pytestmark = pytest.mark.skipif(torch is None, reason="needs the extra torch")
OPTIONS: dict[str, Any] = {"image_size": 16, "batch_size": 4, "masks": True}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Any:
    cache: Path = tmp_path_factory.mktemp("cache")
    build_dataset("phantom", "small", cache_dir=cache, num_proc=1)
    return load_dataset("phantom", "small", "all", framework="torch", cache_dir=cache)


def kept(batches: Any) -> list[dict[str, Any]]:
    """Copy an epoch."""
    return [
        {name: value.clone() if hasattr(value, "clone") else value for name, value in batch.items()}
        for batch in batches
    ]


def same(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> bool:
    assert len(first) == len(second)
    return all(
        torch.equal(one[name], other[name]) if torch.is_tensor(one[name]) else one[name] == other[name]
        for one, other in zip(first, second, strict=True)
        for name in one
    )


@pytest.mark.parametrize("materialise", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_tensors_are_the_arrays(rows: Any, dtype: str, materialise: bool) -> None:
    arrays = to_numpy(rows, dtype=dtype, materialise=materialise, **OPTIONS)
    tensors = to_torch(rows, dtype=getattr(torch, dtype), materialise=materialise, **OPTIONS)
    assert isinstance(tensors, torch.utils.data.IterableDataset)
    for one, other in zip(arrays, tensors, strict=True):
        assert other["image"].dtype == getattr(torch, dtype)
        assert other["label"].dtype == torch.int64
        for name in ("image", "label", "masks"):
            assert np.array_equal(one[name], other[name].numpy())
        assert one["sample_id"] == other["sample_id"]


def test_bfloat16_is_float32_rounded(rows: Any) -> None:
    options = OPTIONS | {"mean": 0.5, "std": 0.25}
    floats = to_torch(rows, **options)
    for one, other in zip(floats, to_torch(rows, dtype="bfloat16", **options), strict=True):
        assert torch.equal(one["image"].to(torch.bfloat16), other["image"])


def test_the_buffers_are_two(rows: Any) -> None:
    for dtype in ("float32", "bfloat16", "uint8"):
        batches = to_torch(rows, dtype=dtype, **OPTIONS)
        assert len({batch["image"].data_ptr() for _ in range(5) for batch in batches}) == 2


@pytest.mark.parametrize("workers", [0, 2, 4])
@pytest.mark.parametrize("materialise", [True, False])
def test_a_dataloader_gives_the_same_for_any_number_of_workers(rows: Any, workers: int, materialise: bool) -> None:
    wanted = to_torch(rows, **OPTIONS)
    batches = to_torch(rows, materialise=materialise, **OPTIONS)
    loader = torch.utils.data.DataLoader(batches, batch_size=None, num_workers=workers)
    for epoch in range(2):
        batches.set_epoch(epoch)
        assert same(kept(loader), kept(wanted))


def test_a_dataloader_is_resumed(rows: Any) -> None:
    whole = kept(to_torch(rows, **OPTIONS))
    batches = to_torch(rows, **OPTIONS)
    batches.load_state_dict(batches.state_after(2, 0))
    assert same(kept(torch.utils.data.DataLoader(batches, batch_size=None, num_workers=2)), whole[2:])


def test_samples_one_by_one(rows: Any) -> None:
    batches = to_torch(rows, shuffle=False, **OPTIONS)
    wanted = kept(batches)
    one = batches.rows[5]
    assert torch.equal(one["image"], wanted[1]["image"][1])
    assert (one["sample_id"], int(one["label"])) == (wanted[1]["sample_id"][1], int(wanted[1]["label"][1]))
    assert same([batches.rows[[0, 1, 2, 3]]], wanted[:1])
    assert torch.equal(batches.rows[-1]["image"], wanted[-1]["image"][-1])
    with pytest.raises(IndexError):
        batches.rows[len(rows)]


@pytest.mark.parametrize("workers", [0, 2])
def test_distributed_sampler(rows: Any, workers: int) -> None:
    samples = to_torch(rows, **OPTIONS).rows
    seen: list[str] = []
    for rank in range(2):
        sampler = torch.utils.data.DistributedSampler(samples, num_replicas=2, rank=rank, seed=3)
        sampler.set_epoch(1)
        loader = torch.utils.data.DataLoader(samples, batch_size=5, sampler=sampler, num_workers=workers)
        for batch in loader:
            assert batch["image"].shape[1:] == (1, 16, 16)
            seen += batch["sample_id"]
    assert sorted(seen) == sorted(rows.column("sample_id").to_pylist())


def test_a_batch_sampler_gets_batches(rows: Any) -> None:
    from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

    samples = to_torch(rows, **OPTIONS).rows
    sampler = BatchSampler(SequentialSampler(samples), 4, drop_last=False)
    found = list(DataLoader(samples, batch_size=None, sampler=sampler))
    assert same(found, kept(to_torch(rows, shuffle=False, **OPTIONS)))


def test_lightning(rows: Any, tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning")
    seen: list[tuple[int, list[str]]] = []

    class Model(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(256, 40)

        def training_step(self, batch: dict[str, Any], _: int) -> Any:
            seen.append((self.current_epoch, batch["sample_id"]))
            sums.append(float(batch["image"].sum()))
            return torch.nn.functional.cross_entropy(self.layer(batch["image"].flatten(1)), batch["label"])

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    sums: list[float] = []
    batches, wanted = to_torch(rows, **OPTIONS), to_torch(rows, **OPTIONS)
    trainer = lightning.Trainer(
        max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu", default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(Model(), batches)
    whole = [(epoch, batch["sample_id"], float(batch["image"].sum())) for epoch in range(2) for batch in wanted]
    assert seen == [(epoch, names) for epoch, names, _ in whole], "exact epochs, each in an order of its own"
    assert sums == [total for *_, total in whole], "no batch is overwritten while it is used"


def test_accelerate(rows: Any) -> None:
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True)
    batches, wanted = to_torch(rows, **OPTIONS), to_torch(rows, **OPTIONS)
    loader = accelerator.prepare(torch.utils.data.DataLoader(batches, batch_size=None))
    for epoch in range(2):
        batches.set_epoch(epoch)
        for one, other in zip(loader, wanted, strict=True):
            assert one["sample_id"] == other["sample_id"]
            assert torch.equal(one["image"], other["image"]), "also where it asks for one batch ahead"


def test_augmentation_moves_images_and_masks_together(rows: Any) -> None:
    options = OPTIONS | {"image_size": 64, "shuffle": False}
    plain = kept(to_torch(rows, **options))
    flipped = kept(to_torch(rows, augment=Augment(flip=1.0), **options))
    for one, other in zip(plain, flipped, strict=True):
        torch.testing.assert_close(one["image"].flip(-1), other["image"], atol=1e-5, rtol=0)
        assert torch.equal(one["masks"].flip(-1), other["masks"])
    changing = Augment(flip=0.5, rotate=10, shift=0.1, scale=0.1, brightness=0.1, contrast=0.1)
    changed = kept(to_torch(rows, augment=changing, **options))
    for one, other in zip(plain, changed, strict=True):
        assert other["image"].shape == one["image"].shape
        assert 0 <= float(other["image"].min()) <= float(other["image"].max()) <= 1
        assert set(other["masks"].unique().tolist()) <= {0, 1, 255}
        assert not torch.equal(one["image"], other["image"])


def test_a_moved_image_stays_on_its_mask(rows: Any) -> None:
    """A picture that is its own mask: after every change of place, the two still agree."""
    from covid_datasets.load.fixed.torch_batches import drawn_at
    from covid_datasets.load.fixed.view import UNKNOWN
    from covid_datasets.transforms.joint.on_torch import changed_batch

    square = torch.zeros(8, 1, 64, 96)
    square[:, :, 20:40, 30:70] = 255
    changing = Augment(flip=0.5, rotate=30, shift=0.2, scale=0.2)
    drawn = drawn_at(changing, 0, 0, np.arange(8))
    lungs = (square > 0).to(torch.uint8)
    images, masks = changed_batch(drawn, square, lungs, full=(0.0, 255.0), names=("lung",), outside=UNKNOWN)
    inside = (masks == 1).float()
    overlap = ((images > 127).float() * inside).sum() / inside.sum()
    assert overlap > 0.95
    areas = inside.sum(dim=(1, 2, 3)) / (20 * 40)
    torch.testing.assert_close(areas, torch.as_tensor(drawn.scale**2, dtype=torch.float32), atol=0.08, rtol=0)


def test_left_and_right_lungs_change_places() -> None:
    from covid_datasets.load.fixed.torch_batches import drawn_at
    from covid_datasets.load.fixed.view import UNKNOWN
    from covid_datasets.transforms.joint.on_torch import changed_batch

    masks = torch.zeros(2, 2, 4, 4, dtype=torch.uint8)
    masks[:, 0, :, 0], masks[1, 1] = 1, 255
    changing = Augment(flip=1.0)
    drawn = drawn_at(changing, 0, 0, np.arange(2))
    options: dict[str, Any] = {"full": (0.0, 255.0), "outside": UNKNOWN}
    names = ("left_lung", "right_lung")
    _, moved = changed_batch(drawn, torch.zeros(2, 1, 4, 4), masks, names=names, **options)
    assert moved[0, 1, :, 3].tolist() == [1] * 4
    assert moved[0, 0].max() == 0
    assert (moved[1, 0] == 255).all(), "nobody drew the right lung, which now is the left one"
    with pytest.raises(UsageError, match="expected right_lung together with left_lung"):
        changed_batch(drawn, torch.zeros(2, 1, 4, 4), masks[:, :1], names=("left_lung",), **options)


def test_augmentation_is_the_same_for_workers_ranks_and_resumes(rows: Any) -> None:
    changing = Augment(flip=0.5, rotate=10, brightness=0.1)
    whole = kept(to_torch(rows, augment=changing, **OPTIONS))
    batches = to_torch(rows, augment=changing, **OPTIONS)
    assert same(kept(torch.utils.data.DataLoader(batches, batch_size=None, num_workers=2)), whole)
    batches.load_state_dict({"seed": 0, "epoch": 0, "seen": 8})
    assert same(kept(batches), whole[2:])
    ranks = [
        kept(to_torch(rows, augment=changing, **OPTIONS | {"batch_size": 2, "rank": n, "world": 2})) for n in (0, 1)
    ]
    for one, *both in zip(whole, *ranks, strict=True):
        torch.testing.assert_close(torch.cat([each["image"] for each in both]), one["image"])


def test_no_global_generator_is_used(rows: Any) -> None:
    before = torch.get_rng_state()
    kept(to_torch(rows, augment=Augment(flip=0.5, rotate=10, contrast=0.1), **OPTIONS))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_device_changes_nothing(rows: Any) -> None:
    """No GPU here: the path of one is walked with the processor as the device."""
    assert same(kept(to_torch(rows, device="cpu", **OPTIONS)), kept(to_torch(rows, **OPTIONS)))
    from covid_datasets.load.fixed.torch_batches import TorchBatches

    class Elsewhere(TorchBatches):
        _later = True

    plain = to_torch(rows, **OPTIONS)
    for one, other in zip(
        plain, Elsewhere(plain.chosen, plain.pixels, plain.order, plain.steps, torch.device("cpu"), None), strict=True
    ):
        torch.testing.assert_close(one["image"], other["image"])


@pytest.mark.parametrize(
    ("options", "match"), [({"augment": 5}, "expected covid_datasets.Augment"), ({"dtype": "half"}, "dtype")]
)
def test_wrong_options(rows: Any, options: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        to_torch(rows, **options)


@pytest.mark.parametrize("options", [{"flip": 2}, {"rotate": -1}, {"scale": 0.95}, {"contrast": True}])
def test_wrong_augmentation(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="expected a number from 0 to"):
        Augment(**options)
