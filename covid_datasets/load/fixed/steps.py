"""An epoch cut into batches: which rows each rank gets in each step, from any place on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from covid_datasets.errors import UsageError

Uneven = Literal["pad", "drop"]


@dataclass(frozen=True, slots=True)
class Steps:
    """How an epoch is shared out: step by step ``batch_size`` rows for each rank, one rank's after the other's.

    So all ranks together see one order, which does not depend on how many they are. What is left at the end is shared
    equally; where that does not come out even, ``uneven`` says whether the first rows come again ("pad"), or the last
    ones are left out ("drop"). Every rank gets equally many batches, of equal sizes.

    >>> [batch.tolist() for batch in Steps(batch_size=2, rank=1, world=2).cut(np.arange(7))]
    [[2, 3], [6, 0]]
    """

    batch_size: int
    rank: int = 0
    world: int = 1
    drop_last: bool = False
    uneven: Uneven = "pad"

    def __post_init__(self) -> None:
        """Refuse numbers that share nothing out."""
        for key, lowest in (("batch_size", 1), ("rank", 0), ("world", 1)):
            value = getattr(self, key)
            if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
                raise UsageError(f"{key}: expected a whole number, {lowest} or more, found {value!r}")
        if self.rank >= self.world:
            raise UsageError(f"rank: expected 0 to {self.world - 1}, because world={self.world}; found {self.rank}")
        if self.uneven not in ("pad", "drop"):
            raise UsageError(f"uneven: expected 'pad' or 'drop', found {self.uneven!r}")

    @property
    def together(self) -> int:
        """Rows of a step, of all ranks together."""
        return self.batch_size * self.world

    def count(self, rows: int, seen: int = 0) -> int:
        """Count the batches of a rank.

        >>> Steps(batch_size=2, world=2).count(7), Steps(batch_size=2, world=2, drop_last=True).count(7)
        (2, 1)
        """
        whole, left = divmod(max(rows - seen, 0), self.together)
        return whole + (not self.drop_last and left >= (self.world if self.uneven == "drop" else 1))

    def cut(self, order: np.ndarray, seen: int = 0) -> Iterator[np.ndarray]:
        """Yield the rows of each batch of this rank, from the row of the epoch on that is the next for all ranks."""
        for number in range(self.count(len(order), seen)):
            first = seen + number * self.together
            step = order[first : first + self.together]
            if self.uneven == "drop":
                step = step[: len(step) // self.world * self.world]
            elif odd := -len(step) % self.world:
                step = np.concatenate([step, np.resize(order, odd)])
            each = len(step) // self.world
            yield step[self.rank * each : (self.rank + 1) * each]
