"""What is looked at: the stored rows of a shelf, opened when one is asked for, and what was decoded last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import pyarrow as pa

from covid_datasets.columns import CONTENT
from covid_datasets.errors import CovidDatasetsError, MissingExtraError, words_of
from covid_datasets.load.stored import Columns
from covid_datasets.prepare.result import Built
from covid_datasets.splits.index import Index
from covid_datasets.view.browse.kept import Kept
from covid_datasets.view.browse.pixels import NothingShownError, Stack, png, small_picture, stack_of
from covid_datasets.view.browse.shelf import GoneError, Place, Shelf

_TO_DECODE = (*CONTENT, "masks", "volume_masks", "hu_slope", "hu_intercept", "modality")
_THUMBNAILS, _STACKS = 64 << 20, 1 << 30
"""Bytes that are kept: some 10,000 thumbnails, and the volumes and videos that were opened last."""
_CHANGED = "was removed or built anew since this page was opened"

SEEN_AT_ONCE, ASKED_AT_ONCE = 4, 4
"""Pictures that are decoded at once, and questions that are answered, so that neither wait for the other.

With more threads than processors nothing is sooner there, and each decoded picture takes memory.
"""


class Looking:
    """Thumbnails, planes and masks of the rows of a shelf, for any number of threads."""

    def __init__(self, shelf: Shelf) -> None:
        """Take a shelf; nothing is opened yet."""
        self.shelf = shelf
        self.thumbnails = Kept[bytes](_THUMBNAILS, len)
        self.stacks = Kept[Stack](_STACKS, lambda stack: stack.nbytes)
        self._opened: dict[str, tuple[Columns, Index]] = {}
        self._opening = Lock()

    def thumbnail(self, place: Place, row: int) -> bytes:
        """Return the thumbnail of a row."""
        with _telling(place):
            return self.thumbnails.get(
                (place.key, row), lambda: small_picture(self._content(place, row), self._look(place, row))
            )

    def stack(self, place: Place, row: int) -> Stack:
        """Return the decoded planes of a row."""
        with _telling(place):
            return self.stacks.get((place.key, row), lambda: stack_of(self._content(place, row)))

    def plane(self, place: Place, row: int, number: int, window: str) -> bytes:
        """Return one plane as PNG, and of a video as it is kept."""
        stack = self.stack(place, row)
        _check(number, stack)
        return png(stack.shown(number, window))

    def mask(self, place: Place, row: int, name: str, number: int) -> bytes:
        """Return one plane of a mask as PNG."""
        stack = self.stack(place, row)
        _check(number, stack)
        if name not in stack.marks:
            raise GoneError("this row has no such mask")
        return png(stack.marked(name, number))

    def _content(self, place: Place, row: int) -> dict[str, Any]:
        return self._of_build(place)[0].row(row)

    def _look(self, place: Place, row: int) -> bytes:
        """Return the thumbnail of 48 by 48 that finds duplicates; nothing where the build measured none."""
        return self._of_build(place)[1].thumb(row)

    def _of_build(self, place: Place) -> tuple[Columns, Index]:
        """Return a build as it was when the first of its rows was looked at; many may ask for that one at once."""
        with self._opening:
            if place.key not in self._opened:
                self._opened[place.key] = self._open(place)
            return self._opened[place.key]

    def _open(self, place: Place) -> tuple[Columns, Index]:
        """Map all files of a build, so that what is shown is of one build even where it is replaced meanwhile."""
        if Built.read(place.built.path).fingerprint != place.built.fingerprint:
            raise GoneError(f"{place.built.id} {_CHANGED}")
        columns = Columns(place.built, _TO_DECODE)
        columns.open()
        return columns, Index.read(place.built.path)


def _check(number: int, stack: Stack) -> None:
    if not 0 <= number < len(stack):
        raise GoneError(f"expected one of {len(stack):,} planes")


@contextmanager
def _telling(place: Place) -> Iterator[None]:
    """Say what is wrong where a row cannot be read: its build is gone, or damaged, or an extra is missing."""
    try:
        yield
    except (GoneError, NothingShownError, MissingExtraError):
        raise
    except (CovidDatasetsError, OSError, pa.ArrowException, ValueError, KeyError, IndexError) as error:
        if not place.built.path.exists():
            raise GoneError(f"{place.built.id} {_CHANGED}") from error
        raise NothingShownError(f"this row cannot be shown: {words_of(error)}") from error
