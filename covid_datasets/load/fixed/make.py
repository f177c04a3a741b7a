"""`to_numpy`: the rows of a dataset as batches of one shape; the same engine is under `to_torch`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, TypeVar, Unpack

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.load.fixed.ahead import Blocks
from covid_datasets.load.fixed.around import around
from covid_datasets.load.fixed.batches import Batches, Pixels
from covid_datasets.load.fixed.chosen import Chosen, chosen_of
from covid_datasets.load.fixed.layer import Layer, masks_in
from covid_datasets.load.fixed.lot import scale_of
from covid_datasets.load.fixed.options import Options, Wanted, wanted
from covid_datasets.load.fixed.order import Order, check_order
from covid_datasets.load.fixed.sources import open_source, places_of
from covid_datasets.load.fixed.store import PIECE_BYTES
from covid_datasets.load.fixed.view import View, mask_names

Kind = TypeVar("Kind", bound=Batches)
TYPES = ("float32", "uint8", "int16")


def to_numpy(ds: Any, **options: Unpack[Options]) -> Any:
    """Make batches of arrays, all images of one size, from anything that `load_dataset` returns.

    The first call makes the images once and keeps them beside the build; later ones map them from the disk. Each batch
    is a dictionary: ``image`` N×C×H×W, ``label`` (-1 where nobody told it), ``sample_id``, and ``masks`` where wanted.
    It is valid until the next one: its memory is used again.

    Args:
        ds: A split, as ``framework="hf"``, ``"numpy"`` or ``"torch"`` gives it, also after Hugging Face's ``select``,
            ``filter``, ``shuffle`` or ``sort``; or several by name, for a dictionary of batches.
        **options: ``image_size=224``, ``batch_size=64``, ``shuffle=True``, ``seed=0``, ``dtype="float32"``, and all
            that `covid_datasets.load.fixed.options.Wanted` lists.

    >>> from covid_datasets import load_dataset
    >>> rows = load_dataset("phantom", "small", split="train", framework="numpy", cache_dir=getfixture("tmp_path"))
    >>> batches = to_numpy(rows, image_size=32, batch_size=4)
    >>> next(iter(batches))["image"].shape
    (4, 1, 32, 32)
    """
    if "augment" in options or "device" in options:
        raise UsageError("augment, device: expected with torch, so use to_torch; batches of NumPy have neither")
    return of_each(ds, lambda split: make_batches(split, wanted(options), Batches, TYPES))


def of_each(ds: Any, make: Any) -> Any:
    """Make batches of a split, or of each where there are several."""
    return {name: make(split) for name, split in ds.items()} if isinstance(ds, Mapping) else make(ds)


def make_batches(ds: Any, want: Wanted, kind: type[Kind], types: tuple[str, ...], *more: Any) -> Kind:
    """Make batches of some kind; what can be wrong with the call is said before anything is decoded."""
    view = want.view
    _check_type(want.type_name, view, types)
    scale = scale_of(view, want.mean, want.std)
    if want.type_name == view.dtype and (want.mean, want.std) != (0.0, 1.0):
        raise UsageError(
            f"mean, std: expected with dtype='float32', because {want.type_name} values are not normalised"
        )
    chosen = chosen_of(ds)
    names = mask_names(want.masks, masks_in(chosen.builds))
    layers = [Layer(built, view) for built in chosen.builds]
    chosen = _with_images(chosen, layers)
    order = _order(chosen, layers, want)
    blocks = None if order.places is None else Blocks(order.block, order.places)
    source = open_source(layers, chosen, want.materialise, want.threads, blocks)
    masks = {
        name: open_source(
            [Layer(each, view.of_mask(name)) for each in chosen.builds], chosen, want.materialise, want.threads
        )
        for name in names
    }
    beside = around(chosen, want.slices) if want.slices > 1 else None
    return kind(chosen, Pixels(view, source, want.type_name, scale, masks, beside), order, want.steps, *more)


def _check_type(name: str, view: View, types: tuple[str, ...]) -> None:
    fitting = [each for each in types if each not in ("uint8", "int16") or each == view.dtype]
    if name not in fitting:
        raise UsageError(f"dtype: expected {' or '.join(map(repr, fitting))}, found {name!r}")


def _with_images(chosen: Chosen, layers: list[Layer]) -> Chosen:
    """Leave out rows that have no image, and say how many those are."""
    there = places_of(layers, chosen) >= 0
    if there.all():
        return chosen
    without = int((~there).sum())
    if not there.any() and len(chosen):
        raise UsageError(
            f"expected images, found {without:,} rows without any: volumes and videos have no fixed shape. Load a "
            "config that holds their slices or frames; covid_datasets.info(...) lists the configs"
        )
    warnings.warn(
        f"{without:,} of {len(chosen):,} rows have no image (a volume, a video) and are left out", stacklevel=5
    )
    return chosen.keep(there)


def _order(chosen: Chosen, layers: list[Layer], want: Wanted) -> Order:
    on_disk = np.empty(len(chosen), np.int64)
    on_disk[np.lexsort((chosen.rows, chosen.build_of))] = np.arange(len(chosen))
    order = Order(
        len(chosen),
        want.shuffle,
        want.seed,
        chosen.labels if want.balance else None,
        chosen.groups,
        want.per_group,
        max(1, PIECE_BYTES // layers[0].view.bytes) if layers else 1,
        on_disk if want.shuffle == "blocks" else None,
    )
    check_order(order)
    return order
