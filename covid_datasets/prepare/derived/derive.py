"""From the rows of a stack to what a function derives of them: one row, or the slices of a series as one volume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from covid_datasets.errors import CovidDatasetsError, FunctionError, MissingExtraError, words_of
from covid_datasets.prepare.derived.place import NoPlaceError, Place, place_of
from covid_datasets.prepare.derived.values import Values
from covid_datasets.schema import CONTENT, Notice
from covid_datasets.transforms.axes import nearest_plane, sized
from covid_datasets.transforms.derive.checked import Result, checked, unmade
from covid_datasets.transforms.derive.contract import Sample
from covid_datasets.transforms.derive.named import Deriver
from covid_datasets.transforms.orient import codes_of

FAILED = "function failed"
FILES = (*CONTENT, "masks", "volume_masks")
Masks = Mapping[str, np.ndarray]


def not_found(made: Deriver) -> str:
    """Name the notices of rows that a function found nothing of."""
    return f"{made.label}: nothing found"


def told_of(made: Deriver, row: str, result: Result) -> Iterator[Notice]:
    """Say for the report what a function found nothing of."""
    for what, count in result.told.items():
        yield Notice(not_found(made), row, what, count=count)


def derive(made: Deriver, sample: Sample) -> tuple[Result, str]:
    """Run a function on a sample; the second is why it raised.

    Raises:
        FunctionError: It gave something that it may not give.
    """
    row, rows = str(sample.row["sample_id"]), len(sample.rows)
    wanted, modality = made.declared.modalities, sample.row["modality"]
    if wanted and modality is not None and modality not in wanted:
        return unmade(made, rows, f"its modality is {modality}, and this is for {' and '.join(wanted)}"), ""
    try:
        given = made.function(sample, **made.parameters)
    except (MissingExtraError, FunctionError, MemoryError):
        raise
    except Exception as error:  # anybody's function may raise anything, of one row among thousands
        why = str(error) if isinstance(error, CovidDatasetsError) else words_of(error)
        failed = unmade(made, rows, f"{made.text} failed: {why}")
        return Result(failed.columns, {}, {}), why
    return checked(given, sample, made, row), ""


def sample_of(
    rows: Sequence[Mapping[str, Any]], values: Sequence[Values], masks: Sequence[Masks], place: Place | None
) -> Sample:
    """Put rows without files together; several are slices of one volume, in order from the feet up."""
    several = len(rows) > 1
    led = place is not None and place.oriented and (place.located or not several)
    shape = values[0].pixels.shape[:2]
    fitted = [{name: _fitted(mask, shape) for name, mask in each.items()} for each in masks]
    names = dict.fromkeys(name for each in fitted for name in each)
    layers = {name: [each.get(name, np.zeros(shape, np.uint8)) for each in fitted] for name in names}
    return Sample(
        pixels=np.stack([each.pixels for each in values]) if several else values[0].pixels,
        volume=several,
        hounsfield=values[0].hounsfield,
        rows=tuple(rows),
        masks={name: np.stack(layer) if several else layer[0] for name, layer in layers.items()},
        drawn={name: tuple(name in each for each in fitted) for name in names},
        spacing=spacing_of(place, several),
        orientation=codes_of(place.affine) if place is not None and led else "",
    )


def spacing_of(place: Place | None, several: bool) -> tuple[float, ...] | None:
    """Return the spacing where it is known, of a picture that of its rows and columns."""
    if place is None or place.spaced < (3 if several else 2):
        return None
    sides = [float(side) for side in np.sqrt((place.affine[:3, :3] ** 2).sum(axis=0))]
    return tuple(sides[: 3 if several or place.spaced > 2 else 2])


def place_together(rows: Sequence[Mapping[str, Any]]) -> Place | None:
    """Find where slices lie that are a volume together; ``None`` where they are none.

    >>> alone = dict.fromkeys(("spacing", "position", "orientation"))
    >>> place_together([alone | {"part_index": 0}, alone | {"part_index": 2}]) is None
    True
    """
    try:
        place = place_of(rows)
    except NoPlaceError:
        return None
    return None if place.lacks else place


def _fitted(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return nearest_plane(mask, *map(sized, mask.shape, shape))
