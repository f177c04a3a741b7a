"""Odd stacks of slices in place of the phantom's: each tests one thing that a view must do or refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from covid_datasets.read.encode import encode
from covid_datasets.schema import Box, Made, Notice, Part, Parts, Record

UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def volume(slices: int, rows: int = 24, columns: int = 32, seed: int = 0) -> np.ndarray:
    """Make voxels in which every place has a value of its own, with air below zero."""
    z, y, x = np.ogrid[:slices, :rows, :columns]
    noise = np.random.default_rng(seed).integers(-5, 5, (slices, rows, columns))
    found: np.ndarray = (-900 + 20 * z + 9 * y + 4 * x + noise).astype(np.int16)
    return found


def parts(
    _: Any, voxels: np.ndarray, fields: list[dict[str, Any]], masks: list[dict[str, np.ndarray]]
) -> Iterator[Part]:
    """Yield slices with what is said of each."""
    for number, (pixels, own, drawn) in enumerate(zip(voxels, fields, masks, strict=True)):
        yield Part(f"{number:03}", f"v/{number:03}", pixels, drawn, {"part_index": number, **own})


def stack(
    name: str,
    voxels: np.ndarray,
    *,
    spacing: tuple[float, ...] | None = (0.8, 0.6, 4.0),
    step: float = 4.0,
    orientation: tuple[float, ...] | None = UPRIGHT,
    positions: Sequence[tuple[float, ...]] | None = None,
    masks: Mapping[int, Mapping[str, np.ndarray]] | None = None,
    every: Mapping[int, Mapping[str, Any]] | None = None,
    **more: Any,
) -> Record:
    """Describe a series of slices."""
    places = positions or [(-10.0, -20.0, step * number) for number in range(len(voxels))]
    told: list[dict[str, Any]] = [
        {"spacing": spacing, "orientation": orientation, "position": place if orientation else None}
        | dict((every or {}).get(number, {}))
        for number, place in enumerate(places)
    ]
    drawn = [dict((masks or {}).get(number, {})) for number in range(len(voxels))]
    return Record(
        sample_id=name,
        image=Parts(f"{name}.nii", parts, (voxels, told, drawn)),
        modality="CT",
        patient=name.partition("-")[0],
        series=name,
        view="axial",
        label="covid19",
        **more,
    )


def picture(_: Any, pixels: np.ndarray) -> bytes:
    """Encode a picture."""
    return encode(pixels)


def film(name: str, pixels: np.ndarray, **more: Any) -> Record:
    """Describe a single picture."""
    return Record(
        sample_id=name,
        image=Made(f"{name}.png", picture, (pixels,)),
        modality="CXR",
        patient=name,
        label="covid19",
        **more,
    )


def use(monkeypatch: pytest.MonkeyPatch, *records: Record | Notice) -> None:
    """Let the phantom's builder yield these."""
    monkeypatch.setattr("covid_datasets.builders.phantom.records", lambda _: iter(records))


BOX = Box("lesion", 4.0, 6.0, 8.0, 3.0)


def given(_: Any, data: bytes) -> bytes:
    """Return what a file would hold."""
    return data


def scan(name: str, data: bytes, masks: Mapping[str, bytes] | None = None, **more: Any) -> Record:
    """Describe a volume with its masks."""
    return Record(
        sample_id=name,
        volume=Made(f"{name}.nii.gz", given, (data,)),
        volume_masks={key: Made(f"{name}_{key}.nii.gz", given, (mask,)) for key, mask in (masks or {}).items()},
        modality="CT",
        patient=name,
        label="covid19",
        **more,
    )
