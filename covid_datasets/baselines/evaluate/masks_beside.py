"""What stands beside the masks of a network: the classical method, a fixed threshold, one mask for all, and none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from covid_datasets.baselines.evaluate.overlap import Counts, overlap
from covid_datasets.errors import UsageError
from covid_datasets.extras import is_installed
from covid_datasets.transforms.segment.infection import infection_mask
from covid_datasets.transforms.segment.lungs import lung_mask

if TYPE_CHECKING:
    from covid_datasets.baselines.evaluate.masks_of import Held

DRAWERS = {
    "classical": "lung_mask, and infection_mask in these lungs, which learn from nobody",
    "threshold": "the best fixed grey level on train; of what lies in lungs, in the true ones",
    "one mask": "where most images of train have it, the same in every image",
    "nothing": "an empty mask",
}
"""Who else draws -> what that is."""
SHARES = np.arange(1, 10) / 10
"""Of the images of train that have a mask at a pixel: above which of them it is drawn, for one mask."""
Levels = np.ndarray


def drawn_beside(of: Held) -> dict[str, list[Counts] | str]:
    """Draw the masks of a split in all these ways; the reason, where one cannot."""
    learned = _Learned.of(of)
    return {
        "classical": _classical(of),
        "threshold": list(learned.by_threshold()),
        "one mask": list(learned.by_place()),
        "nothing": list(of.truth.values()),
    }


def _classical(of: Held) -> list[Counts] | str:
    """Ask the classical methods about each series as a volume, and each other picture by itself."""
    rows, draws = of.data.rows[of.split], of.recipe.draws
    if set(rows.column("modality").to_pylist()) != {"CT"}:
        return "it is one of CT"
    if not set(draws) & {"lung", "infection"}:
        return f"it draws lung and infection, and no {', '.join(draws)}"
    if not is_installed("scipy"):
        return "scipy is not installed; pip install 'covid_datasets[segment]' brings it"
    together: dict[str, list[int]] = defaultdict(list)
    series, part = (rows.column(name).to_pylist() for name in ("series_id", "part_index"))
    for number, name in enumerate(series):
        together[f"row {number}" if name is None else f"series {name}"].append(number)
    found: dict[str, Counts] = {}
    for numbers in together.values():
        each = [rows[number] for number in sorted(numbers, key=lambda number: part[number] or 0)]
        for row, masks in zip(each, _of_series([row["image"] for row in each]), strict=True):
            known = of.truth[row["sample_id"]]
            pixels = {
                name: overlap(row["masks"][name], masks[name]) if name in masks else (known.pixels[name][0], 0, 0)
                for name in known.pixels
            }
            found[known.sample] = replace(known, pixels=pixels)
    return list(found.values())


def _of_series(images: Sequence[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Find lungs and infection in slices of one size together, else in each; what is refused has none."""
    grey = [each if each.ndim == 2 else np.asarray(Image.fromarray(each).convert("L")) for each in images]
    same = len(grey) > 1 and len({(each.shape, each.dtype) for each in grey}) == 1
    for scan in [np.stack(grey)] if same else grey:
        try:
            lungs = lung_mask(scan)
            ill = infection_mask(scan, lungs).mask > 0
            found = {"lung": lungs.mask > 0, "infection": ill}
        except UsageError:  # it is no CT that can be segmented
            found = {name: np.zeros(scan.shape, bool) for name in ("lung", "infection")}
        yield from (
            [{name: mask[number] for name, mask in found.items()} for number in range(len(scan))] if same else [found]
        )


@dataclass(frozen=True, eq=False)
class _Learned:
    """What is learned of train in one look: how often each grey level, and each place, belongs to each mask."""

    held: Held
    inside: np.ndarray
    every: np.ndarray
    place: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, of: Held) -> _Learned:
        """Look at train, as the network saw it."""
        draws, side = of.recipe.draws, of.recipe.image_size
        inside, every = np.zeros((2, len(draws), 256))
        place, known = np.zeros((2, len(draws), side, side))
        for _, grey, masks in _images(of, "train"):
            for mask in range(len(draws)):
                asked = (masks[:, mask] != 255) & _allowed(of, masks, mask)
                inside[mask] += np.bincount(grey[asked & (masks[:, mask] == 1)], minlength=256)
                every[mask] += np.bincount(grey[asked], minlength=256)
            place += (masks == 1).sum(0)
            known += (masks != 255).sum(0)
        return cls(of, inside, every, place, known)

    def by_threshold(self) -> Iterator[Counts]:
        """Draw what is brighter, or darker, than the level with the best Dice on train."""
        chosen = [_best_levels(inside, every) for inside, every in zip(self.inside, self.every, strict=True)]
        for ids, grey, masks in _images(self.held, self.held.split):
            drawn = [levels[grey] & _allowed(self.held, masks, mask) for mask, levels in enumerate(chosen)]
            yield from self._counted(ids, np.stack(drawn, 1), masks)

    def by_place(self) -> Iterator[Counts]:
        """Draw one mask in all images: where so many images of train have it that its Dice there is best."""
        maps = np.stack([_best_map(share) for share in self.place / np.maximum(self.known, 1)])
        for ids, _, masks in _images(self.held, self.held.split):
            yield from self._counted(ids, np.broadcast_to(maps, masks.shape), masks)

    def _counted(self, ids: Sequence[str], drawn: np.ndarray, masks: np.ndarray) -> Iterator[Counts]:
        for sample, found, truth in zip(ids, drawn, masks, strict=True):
            known = self.held.truth[sample]
            names = [name for name in self.held.recipe.draws if name in known.pixels]
            at = {name: self.held.recipe.draws.index(name) for name in names}
            yield replace(known, pixels={name: overlap(truth[at[name]] * 255, found[at[name]]) for name in names})


def _images(of: Held, part: str) -> Iterator[tuple[list[str], Levels, np.ndarray]]:
    """Yield batches of a part as the network sees them, not changed: ids, grey levels, and masks of 0, 1 and 255."""
    for batch in of.data.batches(part, of.recipe, 0, shuffle=False, augment=None, drop_last=False):
        middle = batch["image"][:, of.recipe.around // 2].numpy()
        yield batch["sample_id"], np.rint(middle * 127.5 + 127.5).astype(np.uint8), batch["masks"].numpy()


def _allowed(of: Held, masks: np.ndarray, mask: int) -> np.ndarray:
    """Say where a threshold may draw: what lies in lungs only in the true ones, where they are known."""
    draws = of.recipe.draws
    if "lung" not in draws or draws[mask] == "lung":
        return np.ones(masks[:, mask].shape, bool)
    found: np.ndarray = masks[:, draws.index("lung")] > 0
    return found


def _best_levels(inside: np.ndarray, every: np.ndarray) -> np.ndarray:
    """Choose the levels from some on, or up to some, whose Dice is best; as true and false for each level."""
    levels = np.arange(256)
    tried = [levels >= level for level in range(256)] + [levels <= level for level in range(256)]
    dice = [2 * inside[each].sum() / max(every[each].sum() + inside.sum(), 1) for each in tried]
    return tried[int(np.argmax(dice))]


def _best_map(share: np.ndarray) -> np.ndarray:
    """Choose one mask by its Dice with all images of train together, of which a share has each pixel."""
    tried: list[np.ndarray] = [share > least for least in SHARES]
    dice = [2 * share[each].sum() / max(each.sum() + share.sum(), 1e-9) for each in tried]
    return tried[int(np.argmax(dice))]
