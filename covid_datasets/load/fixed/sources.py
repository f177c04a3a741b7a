"""Where the samples of a view come from: arrays on the disk, or decoding in threads. Both give the same ones."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Literal, Protocol

import numpy as np

from covid_datasets.errors import CacheError, NoSpaceError
from covid_datasets.load.fixed.ahead import Ahead, Blocks
from covid_datasets.load.fixed.chosen import Chosen
from covid_datasets.load.fixed.layer import Layer
from covid_datasets.load.fixed.lot import Lot
from covid_datasets.load.fixed.pixels import UnfitError
from covid_datasets.load.fixed.store import folder_of, place_of, stored
from covid_datasets.load.fixed.view import UNKNOWN
from covid_datasets.settings import usable_cores

Materialise = bool | Literal["auto"]
AHEAD = 3
"""Batches that are decoded while one is used."""


class Source(Protocol):
    """Samples by the numbers of the chosen rows."""

    def lots(self, batches: Iterable[np.ndarray]) -> Iterator[Lot]:
        """Yield the samples of each batch; what was yielded before is then no longer valid."""
        ...


@dataclass(frozen=True, eq=False)
class Mapped:
    """Samples that are on the disk, mapped into memory: nothing is copied before it is gathered."""

    layers: Sequence[Layer]
    chosen: Chosen
    blocks: Blocks | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Send a worker where the arrays are, and not what is in them."""
        return Mapped, (self.layers, self.chosen, self.blocks)

    @cached_property
    def arrays(self) -> list[np.ndarray]:
        """The array of each build."""
        # As plain arrays: a row of np.memmap is an object of a class in Python, which costs more than the row.
        return [np.asarray(stored(layer)) for layer in self.layers]

    @cached_property
    def places(self) -> np.ndarray:
        """The place of every chosen row in the array of its build."""
        return places_of(self.layers, self.chosen)

    def lots(self, batches: Iterable[np.ndarray]) -> Iterator[Lot]:
        """Say where the samples of each batch are; where they come in blocks, have these read ahead."""
        which = self.chosen.build_of
        if self.blocks is None:
            return (Lot(self.arrays, which[rows], self.places[rows]) for rows in batches)
        placed = ((rows, Lot(self.arrays, which[rows], self.places[rows])) for rows in batches)
        return Ahead([place_of(layer) for layer in self.layers], self.blocks, which, self.places).lots(placed)


@dataclass(frozen=True, eq=False)
class Decoded:
    """Samples that are decoded by threads each time, some batches ahead; Pillow lets threads run side by side."""

    layers: Sequence[Layer]
    chosen: Chosen
    threads: int | None

    def __reduce__(self) -> tuple[Any, ...]:
        """Send a worker what to decode, and nothing that was opened."""
        return Decoded, (self.layers, self.chosen, self.threads)

    @cached_property
    def places(self) -> np.ndarray:
        """The place of every chosen row in the layer of its build."""
        return places_of(self.layers, self.chosen)

    def lots(self, batches: Iterable[np.ndarray]) -> Iterator[Lot]:
        """Decode the batches in order, while the caller uses the one before."""
        left, waiting, free = iter(batches), deque[tuple[np.ndarray, list[Future[None]]]](), list[np.ndarray]()
        pool = ThreadPoolExecutor(self.threads or usable_cores())
        try:
            for rows in islice(left, AHEAD):
                waiting.append(self._begin(rows, pool, free))
            while waiting:
                out, futures = waiting.popleft()
                for future in futures:
                    future.result()
                yield Lot([out], np.zeros(len(out), np.int64), np.arange(len(out)))
                free.append(out)
                for rows in islice(left, 1):
                    waiting.append(self._begin(rows, pool, free))
        finally:
            pool.shutdown(cancel_futures=True)

    def _begin(
        self, rows: np.ndarray, pool: ThreadPoolExecutor, free: list[np.ndarray]
    ) -> tuple[np.ndarray, list[Future[None]]]:
        """Have a batch decoded into a buffer that is free, or a new one."""
        fitting = [number for number, each in enumerate(free) if len(each) == len(rows)]
        view = self.layers[0].view
        out = free.pop(fitting[0]) if fitting else np.empty((len(rows), *view.shape), view.dtype)
        wanted = zip(self.chosen.build_of[rows].tolist(), self.places[rows].tolist(), out, strict=True)
        return out, [pool.submit(self._decode, *each) for each in wanted]

    def _decode(self, number: int, place: int, out: np.ndarray) -> None:
        if place < 0:
            out[...] = UNKNOWN
        else:
            self.layers[number].render(place, out)


def places_of(layers: Sequence[Layer], chosen: Chosen) -> np.ndarray:
    """Find the place of every chosen row in the layer of its build; -1 where it has none."""
    found = np.full(len(chosen), -1, np.int64)
    for number, layer in enumerate(layers):
        here = chosen.build_of == number
        found[here] = layer.places[chosen.rows[here]]
    return found


def open_source(
    layers: Sequence[Layer], chosen: Chosen, materialise: Materialise, threads: int | None, blocks: Blocks | None = None
) -> Source:
    """Open the arrays of all layers, made where they are missing; decode where there is no room for them.

    Args:
        layers: Of each build.
        chosen: The rows.
        materialise: True raises where the disk refuses, or a row of the build that nobody chose has no place in the
            view; "auto" then decodes, False always does.
        threads: How many decode; one a core by default.
        blocks: Which rows lie together, where they are wanted in this way.
    """
    if materialise is not False:
        try:
            for layer in layers:
                stored(layer, threads)
        except (NoSpaceError, CacheError, UnfitError) as error:
            here = chosen.build_of == layers.index(layer)
            wanted = isinstance(error, UnfitError) and error.row in chosen.rows[here]
            if materialise is True or wanted:
                raise
            warnings.warn(
                f"{folder_of(layer.built, layer.view)}: this view cannot be kept, so every epoch decodes anew: {error}",
                stacklevel=6,
            )
        else:
            return Mapped(tuple(layers), chosen, blocks)
    return Decoded(tuple(layers), chosen, threads)
