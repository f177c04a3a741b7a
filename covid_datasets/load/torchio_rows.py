"""Rows as the subjects of TorchIO. Imported only by ``framework="torchio"``, because it imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torchio

from covid_datasets.errors import UsageError
from covid_datasets.load.by_number import RowsByNumber
from covid_datasets.load.form import Form
from covid_datasets.load.located import PICTURES, Located, LocatedRows
from covid_datasets.load.selection import Picked


class StoredImage(torchio.ScalarImage):  # type: ignore[misc]
    """An image in a build. Its path is that in its source, and no file is there."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make an image as TorchIO does, which does so anew for every patch."""
        super().__init__(*args, **{**kwargs, "verify_path": False})


class StoredLabelMap(torchio.LabelMap):  # type: ignore[misc]
    """A mask in a build."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make a mask as TorchIO does, which does so anew for every patch."""
        super().__init__(*args, **{**kwargs, "verify_path": False})


class TorchioRows(RowsByNumber[torchio.Subject]):
    """A split as a sequence of `torchio.Subject`: give it to ``torchio.SubjectsDataset`` with a transform.

    ``image`` and ``volume`` are `torchio.ScalarImage`, masks (``mask_lung``) `torchio.LabelMap`. They are decoded when
    their values are first asked for, so that subjects are cheap to list.
    """

    def __init__(self, parts: Sequence[Picked], form: Form) -> None:
        """Take some rows."""
        self._rows = LocatedRows(parts, form)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._rows)

    def _row(self, position: int) -> torchio.Subject:
        """Return a row as a subject."""
        metadata = self._rows.metadata(position)
        names = self._rows.names(position)
        if not names:
            raise UsageError(
                f"row {position} ({metadata.get('sample_id', 'columns without sample_id')}): expected an image, a "
                "volume or a mask among its columns, of which a subject is made, found none"
            )
        stored = _Stored(self._rows, position)
        images = {
            name: (StoredImage if name in PICTURES else StoredLabelMap)(
                path=self._rows.file(position, name), reader=_Reader(stored, name)
            )
            for name in names
        }
        return torchio.Subject({**metadata, **images})

    @property
    def form(self) -> Form:
        """The columns that were asked for, and what the numbers of the label column mean."""
        return self._rows.form


@dataclass(eq=False)
class _Stored:
    """The pictures of one row, decoded once for all of its images. No copy of a subject copies it."""

    rows: LocatedRows
    index: int

    @cached_property
    def pictures(self) -> dict[str, Located]:
        return self.rows.pictures(self.index)

    def __deepcopy__(self, _: Any) -> _Stored:
        return _Stored(self.rows, self.index)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Stored, (self.rows, self.index)


@dataclass(frozen=True, eq=False)
class _Reader:
    """What TorchIO calls to read an image: there is no file of its own, so the path is not looked at."""

    stored: _Stored
    name: str

    def __call__(self, _: object) -> tuple[torch.Tensor, np.ndarray]:
        values, affine, _ = self.stored.pictures[self.name]
        return torch.from_numpy(values if values.ndim == 4 else values[..., None]), affine
