"""Batches of one shape as tensors. Imported only by `to_torch`, because it imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from covid_datasets.errors import UsageError
from covid_datasets.load.fixed.batches import Batches, Pixels
from covid_datasets.load.fixed.chosen import Chosen
from covid_datasets.load.fixed.lot import Lot
from covid_datasets.load.fixed.make import make_batches
from covid_datasets.load.fixed.options import Wanted
from covid_datasets.load.fixed.order import Order
from covid_datasets.load.fixed.steps import Steps
from covid_datasets.load.fixed.view import UNKNOWN
from covid_datasets.transforms.joint.augment import COUNT, Augment, Turns
from covid_datasets.transforms.joint.drawn import Drawn
from covid_datasets.transforms.joint.numbers import uniform
from covid_datasets.transforms.joint.on_torch import changed_batch

TYPES = ("float32", "bfloat16", "uint8", "int16")


def torch_batches(ds: Any, want: Wanted) -> TorchBatches:
    """Make batches of tensors of one split."""
    if want.augment is not None and not isinstance(want.augment, Augment | Turns):
        raise UsageError(f"augment: expected covid_datasets.Augment(...), found {want.augment!r}")
    device = None if want.device is None else torch.device(want.device)
    return make_batches(ds, want, TorchBatches, TYPES, device, want.augment)


def drawn_at(augment: Augment, seed: int, epoch: int, places: np.ndarray, turn: int = 0) -> Drawn:
    """Draw the changes of the samples at some places of an epoch: the same after a resume, and for any workers."""
    more = (turn,) if turn else ()
    numbers = [uniform(COUNT, seed, epoch, 1 + int(place), *more) for place in places]
    return augment.drawn(np.stack(numbers).reshape(len(places), COUNT))


class TorchBatches(Batches, IterableDataset[dict[str, Any]]):
    """Batches as tensors, to be gone through as they are, or by a ``DataLoader`` with ``batch_size=None``.

    In the workers of a ``DataLoader`` each batch has memory of its own, and each worker makes every n-th batch, so that
    they come in the same order for any number of workers. There, call `set_epoch` before each epoch, as one does with
    a ``DistributedSampler``: workers have copies of this, and their counting does not come back.
    """

    def __init__(
        self,
        chosen: Chosen,
        pixels: Pixels,
        order: Order,
        steps: Steps,
        device: torch.device | None,
        augment: Augment | Turns | None,
    ) -> None:
        """Put together what `to_torch` chooses."""
        super().__init__(chosen, pixels, order, steps)
        self.device, self.augment = device, augment
        self._copied: dict[int, torch.cuda.Event] = {}

    @property
    def rows(self) -> FixedRows:
        """The same samples one by one, for samplers of your own: a map-style dataset."""
        return FixedRows(self)

    def of_rows(self, rows: np.ndarray) -> dict[str, Any]:
        """Return some samples as a batch of its own memory, which is not augmented."""
        if len(rows) and not (-len(self.chosen) <= rows.min() and rows.max() < len(self.chosen)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self.chosen)}")
        plain = self if self.augment is None else self.without_augment()
        return plain.finished(plain.alone(rows % max(len(self.chosen), 1)), 0, 0)

    def at_places(self, rows: np.ndarray, epoch: int, places: np.ndarray) -> dict[str, Any]:
        """Return some samples in memory of their own, changed as at these places; equal ones are changed alike."""
        return self.finished(self.alone(rows), epoch, places)

    def without_augment(self) -> TorchBatches:
        """Return the same batches as they are stored."""
        return TorchBatches(self.chosen, self.pixels, self.order, self.steps, self.device, None)

    def worker(self) -> tuple[int, int]:
        """Say which worker of a ``DataLoader`` this is."""
        info = get_worker_info()
        return (0, 1) if info is None else (info.id, info.num_workers)

    def in_worker(self) -> bool:
        """Tell whether this runs in a worker of a ``DataLoader``."""
        return get_worker_info() is not None

    @property
    def held(self) -> str:
        """The type of the buffers: as stored where more is done to a batch, and where that is done on a device."""
        return self.pixels.view.dtype if self._later else self.pixels.dtype

    @property
    def _later(self) -> bool:
        return self.augment is not None or (self.device is not None and self.device.type != "cpu")

    def allocate(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Make a buffer; pinned where it is copied to a GPU."""
        kind = "int16" if dtype == "bfloat16" else dtype  # which NumPy lacks: two bytes are two bytes
        if self.device is not None and self.device.type == "cuda" and not self.in_worker():
            pinned: np.ndarray = torch.empty(shape, dtype=getattr(torch, kind), pin_memory=True).numpy()
            return pinned
        return super().allocate(shape, kind)

    def fill(self, images: np.ndarray, lot: Lot) -> None:
        """Gather the images of a batch into a buffer, in its type."""
        if self.held == "bfloat16":
            row = np.empty((1, *self.pixels.view.shape), np.float32)
            source, target = torch.from_numpy(row)[0], torch.from_numpy(images).view(torch.bfloat16)
            for number in range(len(lot)):
                lot.only(number).scale(row, self.pixels.scale)
                target[number].copy_(source)
        else:
            super().fill(images, lot)

    def wait_for(self, images: np.ndarray) -> None:
        """Wait until a buffer is on the GPU, and may be used again."""
        if (event := self._copied.pop(images.ctypes.data, None)) is not None:
            event.synchronize()

    def finished(self, batch: dict[str, Any], epoch: int, place: int | np.ndarray) -> dict[str, Any]:
        """Turn a batch into tensors of the same memory; then whatever is done on the device."""
        images, masks = batch["image"], batch.get("masks")
        found = {
            "image": self._tensor(images, self.held),
            "label": torch.from_numpy(batch["label"]),
            "sample_id": batch["sample_id"],
        }
        if masks is not None:
            found["masks"] = self._tensor(masks, "uint8")
        if self.device is not None:
            found = {name: value if name == "sample_id" else self._moved(value) for name, value in found.items()}
            if self.device.type == "cuda":
                self._copied[images.ctypes.data] = torch.cuda.Event()
                self._copied[images.ctypes.data].record()
        if self._later:
            places = np.arange(place, place + len(images)) if isinstance(place, int) else place
            found["image"], changed = self._changed(found["image"], found.get("masks"), epoch, places)
            if changed is not None:
                found["masks"] = changed
        return found

    def _tensor(self, array: np.ndarray, dtype: str) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        return tensor.view(torch.bfloat16) if dtype == "bfloat16" else tensor

    def _moved(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self.device, non_blocking=True)

    def _changed(
        self, stored: torch.Tensor, masks: torch.Tensor | None, epoch: int, places: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Augment and normalise a batch where it is; in new memory."""
        view, wanted = self.pixels.view, getattr(torch, self.pixels.dtype)
        if self.augment is None and self.pixels.dtype == view.dtype:
            return stored, masks
        images = stored
        steps = (
            () if self.augment is None else (self.augment,) if isinstance(self.augment, Augment) else self.augment.steps
        )
        for turn, step in enumerate(steps):
            full = (0.0, 255.0) if view.dtype == "uint8" else view.window
            drawn = drawn_at(step, self.order.seed, epoch, places, turn)
            images, masks = changed_batch(
                drawn, images, masks, full=full, names=self.mask_names, outside=UNKNOWN, kind=torch.float32
            )
        images = images.to(torch.float32)
        if not wanted.is_floating_point:
            return images.round_().to(wanted), masks
        if self.pixels.scale is not None:
            factor, offset = (torch.tensor(each, device=images.device) for each in self.pixels.scale)
            images = images.mul_(factor).sub_(offset)
        return images.to(wanted), masks

    def __getstate__(self) -> dict[str, Any]:
        """Leave the buffers behind: every process has its own."""
        return super().__getstate__() | {"_copied": {}}


class FixedRows(Dataset[dict[str, Any]]):
    """The samples of batches one by one, in the order of the rows, each in memory of its own; nothing is augmented.

    A number gives a sample, and a list of numbers a batch. Samplers, ``DistributedSampler`` among them, work as with
    any map-style dataset.
    """

    def __init__(self, batches: TorchBatches) -> None:
        """Take the samples of some batches."""
        self._batches = batches

    def __len__(self) -> int:
        """Count the samples."""
        return len(self._batches.chosen)

    def __getitem__(self, index: int | Sequence[int]) -> dict[str, Any]:
        """Return a sample, or a batch of some."""
        if isinstance(index, int):
            return self.__getitems__([index])[0]
        return self._batches.of_rows(np.asarray(index, np.int64))

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Return some samples at once, as a ``DataLoader`` asks for them."""
        batch = self[list(indices)]
        return [{name: values[number] for name, values in batch.items()} for number in range(len(indices))]
