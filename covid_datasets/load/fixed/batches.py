"""`Batches`: epochs of one shape as dictionaries of arrays, from reused buffers, in one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.load.fixed.chosen import Chosen
from covid_datasets.load.fixed.lot import Lot, Scale
from covid_datasets.load.fixed.order import Order
from covid_datasets.load.fixed.sources import Source
from covid_datasets.load.fixed.steps import Steps
from covid_datasets.load.fixed.view import View

RING = 2
"""Buffers that take turns: some trainers ask for a batch before they have used the one before."""
Allocate = Callable[[tuple[int, ...], str], np.ndarray]
Position = dict[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """What is in a batch: images of a view, as a type, by a scale; and masks, by name.

    Where slices are seen with those beside them, ``around`` has the rows of each.
    """

    view: View
    source: Source
    dtype: str
    scale: Scale
    masks: Mapping[str, Source]
    around: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of a sample."""
        slices = 1 if self.around is None else self.around.shape[1]
        return (self.view.channels * slices, *self.view.image_size)

    def lots(self, batches: Iterable[np.ndarray]) -> Iterator[Lot]:
        """Yield the images of each batch; of slices with those beside them all, one after the other."""
        around = self.around
        return self.source.lots(batches if around is None else (around[rows].reshape(-1) for rows in batches))


class Batches:
    """Epochs of batches; go through it once for each epoch.

    A batch is a dictionary: ``image`` N×C×H×W; ``label``, -1 where nobody told it; ``sample_id``; and where they were
    asked for ``masks`` N×M×H×W, in the order of ``mask_names``: 1 inside, 0 outside, 255 where nobody drew that mask.
    Its images and masks are valid until the next batch is asked for; ``copy`` what you keep.

    Every pass is one epoch, and the next one goes on counting; `set_epoch` says which one comes next. An epoch depends
    on the seed and its number only: on no global generator, no number of workers, and no number of ranks.
    """

    def __init__(self, chosen: Chosen, pixels: Pixels, order: Order, steps: Steps) -> None:
        """Put together what `to_numpy` and `to_torch` choose."""
        self.chosen, self.pixels, self.order, self.steps = chosen, pixels, order, steps
        self.label_names = chosen.label_names
        self.mask_names = tuple(pixels.masks)
        self._next, self._from = 0, 0
        self._now: tuple[int, int] | None = None
        self._rings: list[Ring] = []
        self._sizes: dict[int, int] = {}

    def __len__(self) -> int:
        """Count the batches of an epoch, of this rank."""
        return self.steps.count(self._rows_of(self._next))

    def __repr__(self) -> str:
        """Say what this is in one line."""
        return (
            f"{type(self).__name__}({len(self.chosen):,} samples, {len(self):,} batches of {self.steps.batch_size}, "
            f"{self.pixels.dtype} {'×'.join(map(str, self.pixels.shape))})"
        )

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Go through the next epoch, or what is left of it after `load_state_dict`."""
        worker, workers = self.worker()
        epoch, start = self._next, self._from
        self._next, self._from = epoch + 1, 0
        rows = self.order.rows(epoch)
        self._sizes = {epoch: len(rows)}
        self._now = epoch, start
        total = self.steps.count(len(rows), start)

        def mine() -> Iterator[np.ndarray]:
            return islice(self.steps.cut(rows, start), worker, None, workers)

        streams = [self.pixels.lots(mine()), *(source.lots(mine()) for source in self.pixels.masks.values())]
        ring = None if self.in_worker() else self._take_ring()
        try:
            for number, batch in zip(range(worker, total, workers), mine(), strict=True):
                lots = [next(stream) for stream in streams]
                done = start + (number + 1) * self.steps.together
                self._now = (epoch, done) if number + 1 < total else (epoch + 1, 0)
                place = start + number * self.steps.together + self.steps.rank * len(batch)
                yield self.finished(self._filled(ring or Ring(self), batch, lots), epoch, place)
        finally:
            for stream in streams:
                stream.close()  # type: ignore[attr-defined]  # threads that decode ahead stop
            if ring is not None:
                self._rings.append(ring)

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next pass is; a place within it that was loaded stays."""
        if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 0:
            raise UsageError(f"epoch: expected a whole number, 0 or more, found {epoch!r}")
        if epoch != self._next:
            self._next, self._from = epoch, 0

    def state_dict(self) -> Position:
        """Say how far things are: the seed, the epoch, and how many of its rows all ranks together have seen.

        It is that of the batch that was handed out last, so that the next one follows after `load_state_dict`, also
        with another batch size, number of ranks, or number of workers.
        """
        epoch, seen = self._now or (self._next, self._from)
        return {"seed": self.order.seed, "epoch": epoch, "seen": seen}

    def state_after(self, batches: int, epoch: int) -> Position:
        """Say how far things are after so many batches of an epoch: for a ``DataLoader``, whose workers are ahead."""
        seen = batches * self.steps.together
        finished = batches >= self.steps.count(self._rows_of(epoch))
        return {"seed": self.order.seed, "epoch": epoch + finished, "seen": 0 if finished else seen}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from where `state_dict` was asked for."""
        found = {name: state.get(name) for name in ("seed", "epoch", "seen")}
        wrong = [name for name, value in found.items() if not isinstance(value, int) or isinstance(value, bool)]
        if wrong or set(state) != set(found):
            raise UsageError(f"state: expected whole numbers for seed, epoch and seen, found {dict(state)!r}")
        if state["seed"] != self.order.seed:
            raise UsageError(f"state: expected that of seed={self.order.seed}, found one of seed={state['seed']}")
        if state["epoch"] < 0 or not 0 <= state["seen"] <= self._rows_of(state["epoch"]):
            raise UsageError(f"state: expected a place in {len(self.chosen):,} rows, found {dict(state)!r}")
        self._next, self._from, self._now = state["epoch"], state["seen"], None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the buffers behind: every process has its own."""
        return self.__dict__ | {"_rings": []}

    def worker(self) -> tuple[int, int]:
        """Say which worker of how many this is."""
        return 0, 1

    def in_worker(self) -> bool:
        """Tell whether batches are sent to another process, so that no buffer may be used again."""
        return False

    @property
    def held(self) -> str:
        """The type of the buffers."""
        return self.pixels.dtype

    def fill(self, images: np.ndarray, lot: Lot) -> None:
        """Gather the images of a batch into a buffer, in its type."""
        if self.held == self.pixels.view.dtype:
            lot.gather(images)
        else:
            lot.scale(images, self.pixels.scale)

    def wait_for(self, images: np.ndarray) -> None:
        """Wait until a buffer may be used again."""

    def allocate(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Make a buffer."""
        return np.empty(shape, dtype)

    def _rows_of(self, epoch: int) -> int:
        """Count the rows of an epoch."""
        if self.order.labels is None and self.order.per_group is None:
            return self.order.count
        if epoch not in self._sizes:
            self._sizes = {epoch: len(self.order.rows(epoch))}
        return self._sizes[epoch]

    def alone(self, rows: np.ndarray) -> dict[str, Any]:
        """Make a batch of some rows, in memory of its own."""
        streams = [self.pixels.lots([rows]), *(source.lots([rows]) for source in self.pixels.masks.values())]
        return self._filled(Ring(self, most=len(rows)), rows, [next(stream) for stream in streams])

    def _take_ring(self) -> Ring:
        return self._rings.pop() if self._rings else Ring(self)

    def _filled(self, ring: Ring, batch: np.ndarray, lots: list[Lot]) -> dict[str, Any]:
        images, masks = ring.next(len(batch))
        self.fill(images.reshape(-1, *self.pixels.view.shape), lots[0])
        found = {
            "image": images,
            "label": self.chosen.labels[batch],
            "sample_id": self.chosen.ids[batch].tolist(),
        }
        if masks is not None:
            for number, lot in enumerate(lots[1:]):
                lot.gather(masks[:, number : number + 1])
            found["masks"] = masks
        return found

    def finished(self, batch: dict[str, Any], epoch: int, place: int) -> dict[str, Any]:
        """Hand out a batch; other frameworks make theirs of it. ``place`` is that of its first row in the epoch."""
        return batch


class Ring:
    """Buffers for the images and masks of a batch, that take turns."""

    def __init__(self, batches: Batches, most: int | None = None) -> None:
        """Remember the shapes; each buffer is made when it is first needed."""
        self._batches, self._most, self._turn = batches, most or batches.steps.batch_size, 0
        self._buffers: list[tuple[np.ndarray, np.ndarray | None]] = []

    def next(self, size: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the buffers that were used longest ago, as large as a batch is."""
        if len(self._buffers) < RING:
            pixels, most = self._batches.pixels, self._most
            images = self._batches.allocate((most, *pixels.shape), self._batches.held)
            shape = (most, len(pixels.masks), *pixels.view.image_size)
            self._buffers.append((images, self._batches.allocate(shape, "uint8") if pixels.masks else None))
        images, masks = self._buffers[self._turn % RING]
        self._turn += 1
        self._batches.wait_for(images)
        return images[:size], None if masks is None else masks[:size]
