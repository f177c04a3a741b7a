"""A selection in the form of each framework; each is imported here, by the call that needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from covid_datasets.extras import need
from covid_datasets.load.form import Form
from covid_datasets.load.rows import NumpyRows
from covid_datasets.load.selection import Picked, stored_groups, stored_splits
from covid_datasets.prepare.result import Built
from covid_datasets.splits.subset import GROUP

if TYPE_CHECKING:
    import pandas as pd
    import torchio
    from datasets import Dataset, DatasetDict, IterableDataset
    from torch.utils.data import Dataset as TorchDataset


def as_huggingface(parts: Sequence[Picked], form: Form) -> Dataset:
    """Return a real ``datasets.Dataset``, mapped from disk."""
    need("datasets")
    from datasets import concatenate_datasets, load_from_disk

    chosen = []
    for build, wanted, groups in parts:
        stored = load_from_disk(str(build.path))
        whole = in_form(concatenate_datasets([stored[split] for split in build.splits]), groups, form)
        contiguous = (
            len(wanted) > 0
            and int(wanted[-1]) - int(wanted[0]) + 1 == len(wanted)
            and bool((np.diff(wanted) == 1).all())
        )
        chosen.append(whole.select(range(int(wanted[0]), int(wanted[-1]) + 1) if contiguous else wanted))
    return concatenate_datasets(chosen) if len(chosen) > 1 else chosen[0]


def stored_dataset(built: Built, form: Form) -> DatasetDict:
    """Return the default splits as they are stored: what ``datasets.load_from_disk`` gives, and the groups."""
    need("datasets")
    from datasets import load_from_disk

    groups, stored = stored_groups(built), load_from_disk(str(built.path))
    for split, rows in stored_splits(built).items():
        of_split = None if groups is None else groups.slice(int(rows[0]) if len(rows) else 0, len(rows))
        stored[split] = in_form(stored[split], of_split, form)
    return stored


def in_form(whole: Dataset, groups: pa.Array | None, form: Form) -> Dataset:
    """Add the groups to stored rows, exchange the classes, and choose columns. No row is written or copied."""
    from datasets import ClassLabel

    if groups is not None and GROUP in form.columns:
        whole = whole.add_column(GROUP, groups)
    if form.classes is not None and "label" in form.columns:
        codes = form.classes.encode(whole.data.column("label"))
        names = ClassLabel(names=list(form.classes.names))
        whole = whole.remove_columns("label").add_column("label", codes, feature=names)
    return whole if whole.column_names == list(form.columns) else whole.select_columns(list(form.columns))


def as_stream(parts: Sequence[Picked], form: Form) -> IterableDataset:
    """Return an iterable dataset over the stored rows."""
    rows = as_huggingface(parts, form)
    if len(rows):
        return rows.to_iterable_dataset()
    from datasets import IterableDataset

    return IterableDataset.from_generator(_no_rows, features=rows.features)  # no rows make no shard


def _no_rows() -> Iterator[dict[str, Any]]:
    yield from ()


def as_dict(framework: str, streaming: bool, parts: dict[str, Any]) -> Any:
    """Bundle the splits the way the framework does; a plain dictionary where it has none."""
    if framework != "hf":
        return parts
    from datasets import DatasetDict, IterableDatasetDict

    return IterableDatasetDict(parts) if streaming else DatasetDict(parts)


def as_numpy(parts: Sequence[Picked], form: Form) -> NumpyRows:
    """Return a sequence of rows with arrays."""
    return NumpyRows(parts, form)


def as_pandas(parts: Sequence[Picked], form: Form) -> pd.DataFrame:
    """Return a data frame; images stay encoded, labels become categories, dates datetime64."""
    need("pandas")
    import pandas as pd

    frame: pd.DataFrame = as_numpy(parts, form).table().to_pandas(date_as_object=False)
    if "label" in form.columns and not parts[0].build.columns:
        codes = frame["label"].fillna(-1).astype(int)
        frame["label"] = pd.Categorical.from_codes(codes.to_numpy(), categories=pd.Index(form.label_names))
    return frame


def as_torch(parts: Sequence[Picked], form: Form) -> TorchDataset[dict[str, Any]]:
    """Return a map-style ``torch.utils.data.Dataset``; images are uint8 tensors, channels first."""
    need("torch")
    from covid_datasets.load.torch_rows import TorchRows

    return TorchRows(as_numpy(parts, form))


def as_monai(parts: Sequence[Picked], form: Form) -> TorchDataset[dict[str, Any]]:
    """Return dictionaries of ``monai.data.MetaTensor`` for ``monai.transforms.Compose``."""
    need("monai", "torch")
    from covid_datasets.load.monai_rows import MonaiRows

    return MonaiRows(parts, form)


def as_torchio(parts: Sequence[Picked], form: Form) -> Sequence[torchio.Subject]:
    """Return ``torchio.Subject`` for ``torchio.SubjectsDataset``."""
    need("torchio", "torch")
    from covid_datasets.load.torchio_rows import TorchioRows

    return TorchioRows(parts, form)


FRAMEWORKS: dict[str, Callable[[Sequence[Picked], Form], Any]] = {
    "hf": as_huggingface,
    "stream": as_stream,
    "numpy": as_numpy,
    "pandas": as_pandas,
    "torch": as_torch,
    "monai": as_monai,
    "torchio": as_torchio,
}
