"""What can be asked of batches: each option with its type and default, checked in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypedDict

from covid_datasets.errors import UsageError, did_you_mean
from covid_datasets.load.fixed.order import Shuffle
from covid_datasets.load.fixed.sources import Materialise
from covid_datasets.load.fixed.steps import Steps, Uneven
from covid_datasets.load.fixed.view import View, make_view
from covid_datasets.settings import given_count

Size = int | Sequence[int]
Numbers = float | Sequence[float]
MOST_SLICES = 15


class Options(TypedDict, total=False):
    """The keyword arguments of `to_numpy` and `to_torch`; `Wanted` says what each does, and its default."""

    image_size: Size
    batch_size: int
    shuffle: Shuffle
    seed: int
    dtype: Any
    mean: Numbers
    std: Numbers
    channels: Literal[1, 3]
    slices: int
    masks: bool | Sequence[str]
    stored: Literal["uint8", "int16"]
    window: Sequence[float]
    counts: Sequence[float]
    draft: bool
    drop_last: bool
    rank: int
    world: int
    uneven: Uneven
    balance: bool
    per_group: int
    augment: Any
    device: Any
    materialise: Materialise
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Options of batches.

    Attributes:
        image_size: Rows and columns of every image, or one number for both.
        batch_size: Samples of a batch; of each rank, where there are several.
        shuffle: True mixes all rows among all; "blocks" reads large blocks and mixes within windows of eight, for views
            that are larger than memory; False leaves the order of the rows.
        seed: Another one gives other orders.
        dtype: "float32", "bfloat16" (of torch), "uint8", or "int16" where that is stored.
        mean: Taken away from values from 0 to 1 (from Hounsfield units where stored is "int16"); or one a channel.
        std: What they are then divided by.
        channels: 1 for grey, 3 for colours.
        slices: How many slices of a series are seen at once, each a channel, the row's own in the middle; of masks
            there is that one. At the ends of a series, and where a row is of none, it is seen again.
        masks: Whether masks come along; or which.
        stored: "uint8", or "int16" for Hounsfield units as they are.
        window: The Hounsfield units that become black and white; -1000 to 400 by default.
        counts: The same for values of more than 8 bits without a unit, of which nothing is assumed.
        draft: Let JPEGs be reduced while they are decoded; pixels differ slightly.
        drop_last: Leave out the last batch where it is not full.
        rank: Which of so many processes this is.
        world: How many processes train together.
        uneven: What happens to rows that cannot be shared out evenly: the first rows come again ("pad"), or they are
            left out ("drop").
        balance: Draw every class equally often; rows without a label are left out.
        per_group: At most so many rows of each group of patients in an epoch, in turns.
        augment: What changes images and masks together: an `Augment` (torch).
        device: Where batches are to be (torch).
        materialise: True stores the view and raises where there is no room; "auto" then decodes; False always does.
        threads: How many threads decode; one a core by default.
    """

    image_size: Size = 224
    batch_size: int = 64
    shuffle: Shuffle = True
    seed: int = 0
    dtype: Any = "float32"
    mean: Numbers = 0.0
    std: Numbers = 1.0
    channels: int = 1
    slices: int = 1
    masks: bool | Sequence[str] = False
    stored: str = "uint8"
    window: Sequence[float] | None = None
    counts: Sequence[float] | None = None
    draft: bool = False
    drop_last: bool = False
    rank: int = 0
    world: int = 1
    uneven: Uneven = "pad"
    balance: bool = False
    per_group: int | None = None
    augment: Any = None
    device: Any = None
    materialise: Materialise = "auto"
    threads: int | None = None

    @property
    def type_name(self) -> str:
        """The name of the type of images, also where it is one of torch."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def view(self) -> View:
        """What images look like."""
        return make_view(
            self.image_size,
            channels=self.channels,
            stored=self.stored,
            window=self.window,
            counts=self.counts,
            draft=self.draft,
        )

    @property
    def steps(self) -> Steps:
        """How an epoch is shared out."""
        return Steps(self.batch_size, self.rank, self.world, self.drop_last, self.uneven)


NAMES = tuple(each.name for each in fields(Wanted))


def wanted(options: Mapping[str, Any]) -> Wanted:
    """Take options as a caller gave them.

    >>> wanted({"batch_sise": 2})
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: batch_sise: expected one of image_size, batch_size, ... Did you mean 'batch_size'?
    """
    for name in options:
        if name not in NAMES:
            raise UsageError(f"{name}: expected one of {', '.join(NAMES)}{did_you_mean(name, NAMES)}")
    found = Wanted(**options)
    _ = found.view, found.steps  # each says what is wrong with it
    given_count(found.threads, "threads")
    _check_slices(found)
    if found.materialise not in (True, False, "auto"):
        raise UsageError(f"materialise: expected True, False or 'auto', found {found.materialise!r}")
    for name in ("draft", "drop_last", "balance"):
        if not isinstance(getattr(found, name), bool):
            raise UsageError(f"{name}: expected True or False, found {getattr(found, name)!r}")
    return found


def _check_slices(found: Wanted) -> None:
    slices, whole = found.slices, isinstance(found.slices, int) and not isinstance(found.slices, bool)
    if not whole or slices % 2 == 0 or not 0 < slices <= MOST_SLICES:
        raise UsageError(f"slices: expected an odd number, 1 to {MOST_SLICES}, found {slices!r}")
    if slices > 1 and found.channels != 1:
        raise UsageError(f"slices: expected with channels=1, for each slice is a channel, found {found.channels}")
