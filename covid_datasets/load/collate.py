"""`collate`: rows of ``framework="torch"`` to batches, where values may be unknown and images differ in size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from covid_datasets.schema import COLUMNS

IGNORED = -100
"""What an unknown label becomes: the number that the losses of torch leave out (``ignore_index``)."""


def collate(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make a batch: pass it to a ``torch.utils.data.DataLoader`` as ``collate_fn=``.

    Images of one size are stacked to one tensor, others stay a list. Numbers become a tensor, with NaN where one is
    unknown, and labels too, with -100, which the losses of torch ignore. Everything else is a list with one entry for
    each row, ``None`` where it is unknown.

    >>> collate([{"label": 1, "age": 40.0, "sex": "F"}, {"label": None, "age": None, "sex": None}])
    {'label': tensor([   1, -100]), 'age': tensor([40., nan]), 'sex': ['F', None]}
    """
    return {name: _batch(name, [row[name] for row in rows]) for name in rows[0]}


def _batch(name: str, values: list[Any]) -> Any:
    import torch  # an extra

    known = [value for value in values if value is not None]
    if name == "label":
        return torch.tensor([IGNORED if value is None else value for value in values])
    if known and len(known) == len(values) and all(isinstance(value, torch.Tensor) for value in known):
        alike = len({(value.shape, value.dtype) for value in known}) == 1
        return torch.stack(known) if alike else values
    if COLUMNS.get(name) == "float64" or (known and all(isinstance(value, float) for value in known)):
        return torch.tensor([float("nan") if value is None else value for value in values])
    if known and len(known) == len(values) and all(isinstance(value, bool | int) for value in known):
        return torch.tensor(known)
    return values
