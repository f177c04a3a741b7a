"""A selection in the form of each framework; each is imported here, by the call that needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from covid_datasets.extras import need
from covid_datasets.load.rows import NumpyRows
from covid_datasets.load.selection import Picked
from covid_datasets.prepare.result import Built

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset, DatasetDict, IterableDataset
    from torch.utils.data import Dataset as TorchDataset


def as_huggingface(parts: Sequence[Picked]) -> Dataset:
    """Return a real ``datasets.Dataset``, mapped from disk."""
    need("datasets")
    from datasets import concatenate_datasets, load_from_disk

    chosen = []
    for build, wanted in parts:
        stored = load_from_disk(str(build.path))
        whole = concatenate_datasets([stored[split] for split in build.splits])
        contiguous = (
            len(wanted) > 0
            and int(wanted[-1]) - int(wanted[0]) + 1 == len(wanted)
            and bool((np.diff(wanted) == 1).all())
        )
        chosen.append(whole.select(range(int(wanted[0]), int(wanted[-1]) + 1) if contiguous else wanted))
    return concatenate_datasets(chosen) if len(chosen) > 1 else chosen[0]


def stored_dataset(built: Built) -> DatasetDict:
    """Return the default splits as they are stored: what ``datasets.load_from_disk`` gives, and nothing more."""
    need("datasets")
    from datasets import load_from_disk

    return load_from_disk(str(built.path))


def as_stream(parts: Sequence[Picked]) -> IterableDataset:
    """Return an iterable dataset over the stored rows."""
    return as_huggingface(parts).to_iterable_dataset()


def as_dict(framework: str, streaming: bool, parts: dict[str, Any]) -> Any:
    """Bundle the splits the way the framework does; a plain dictionary where it has none."""
    if framework != "hf":
        return parts
    from datasets import DatasetDict, IterableDatasetDict

    return IterableDatasetDict(parts) if streaming else DatasetDict(parts)


def as_numpy(parts: Sequence[Picked]) -> NumpyRows:
    """Return a sequence of rows with arrays."""
    return NumpyRows(parts)


def as_pandas(parts: Sequence[Picked]) -> pd.DataFrame:
    """Return a data frame; images stay encoded, labels become categories, dates datetime64."""
    need("pandas")
    import pandas as pd

    from covid_datasets.catalog.taxonomy import label_names

    frame: pd.DataFrame = as_numpy(parts).table().to_pandas(date_as_object=False)
    if not parts[0][0].columns:
        codes = frame["label"].fillna(-1).astype(int)
        frame["label"] = pd.Categorical.from_codes(codes.to_numpy(), categories=list(label_names()))
    return frame


def as_torch(parts: Sequence[Picked]) -> TorchDataset[dict[str, Any]]:
    """Return a map-style ``torch.utils.data.Dataset``; images are uint8 tensors, channels first."""
    need("torch")
    from covid_datasets.load.torch_rows import TorchRows

    return TorchRows(as_numpy(parts))


FRAMEWORKS: dict[str, Callable[[Sequence[Picked]], Any]] = {
    "hf": as_huggingface,
    "stream": as_stream,
    "numpy": as_numpy,
    "pandas": as_pandas,
    "torch": as_torch,
}
