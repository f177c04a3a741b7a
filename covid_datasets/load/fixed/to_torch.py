"""`to_torch`: batches of one shape as tensors. torch is imported by the call, and not before."""

from __future__ import annotations

from typing import Any, Unpack

from covid_datasets.extras import need
from covid_datasets.load.fixed.make import of_each
from covid_datasets.load.fixed.options import Options, wanted


def to_torch(ds: Any, **options: Unpack[Options]) -> Any:
    """Make batches of tensors, as `to_numpy` makes arrays: the same samples, in the same order.

    What comes back is a ``torch.utils.data.IterableDataset`` of batches. Go through it as it is: one thread is enough,
    because nothing is decoded. A ``DataLoader(batches, batch_size=None, num_workers=2)`` works too, and ``.rows`` is a
    map-style dataset of the same samples, for samplers of your own.

    Args:
        ds: As for `to_numpy`.
        **options: As for `to_numpy`, and ``dtype=torch.bfloat16``, ``augment=Augment(...)``, ``device="cuda"``.

    >>> from covid_datasets import load_dataset, to_torch
    >>> rows = load_dataset("phantom", "small", split="train", framework="numpy", cache_dir=getfixture("tmp_path"))
    >>> next(iter(to_torch(rows, image_size=32, batch_size=4, dtype="uint8")))["image"].dtype
    torch.uint8
    """
    need("torch")
    from covid_datasets.load.fixed.torch_batches import torch_batches

    return of_each(ds, lambda split: torch_batches(split, wanted(options)))
