"""The drawn pictures: the same bytes on every machine and for ever, since builds, splits and papers rest on them."""

from __future__ import annotations

import hashlib
import io
from typing import IO

import numpy as np
import pytest
from PIL import Image

from covid_datasets.phantoms.chest import faint_picture, picture
from covid_datasets.phantoms.png import png

LAYERS = ("image", "lung", "infection")


class Nothing:
    """Raw files that are none: a picture needs no other."""

    def has(self, path: str) -> bool:
        return False

    def read(self, path: str) -> bytes:
        raise AssertionError(path)

    def open(self, path: str) -> IO[bytes]:
        return io.BytesIO(self.read(path))


def drawn(modality: str, shifted: bool = False) -> str:
    digest = hashlib.sha256()
    for patient in range(3):
        for layer in LAYERS:
            digest.update(picture(Nothing(), 0, patient, 1, modality, 0, shifted, layer))
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("modality", "shifted", "digest"),
    [
        ("CT", False, "742a7ffb6471da4ea82a286fec890c7d8e688d76e9eb367d7773efa5fad398f7"),
        ("CT", True, "bc9bea1baea2c5edee5b08e2e686b9b5dacf5b1fc1b9ead98633f16c7222392a"),
        ("CXR", False, "0c5e305c0f6d098de84a7b85fd7251b1b7140df2b84c9a2b55961729b690f492"),
    ],
)
def test_the_bytes_never_change(modality: str, shifted: bool, digest: str) -> None:
    assert drawn(modality, shifted) == digest


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (300, 300)])
def test_a_png_holds_its_pixels(shape: tuple[int, int]) -> None:
    pixels = np.arange(shape[0] * shape[1], dtype=np.int64).reshape(shape).astype(np.uint8)
    with Image.open(io.BytesIO(png(pixels))) as opened:
        assert (np.asarray(opened) == pixels).all()


def test_faint_bytes_never_change() -> None:
    digest = hashlib.sha256()
    for layer in LAYERS:
        digest.update(faint_picture(Nothing(), 1, 0, 0, layer))
    assert digest.hexdigest() == "30cd4174e1676d772d02c55c2e8497521dc24fcc68e5eeeea32fca795199e735"


def test_no_fixed_threshold_reads_faint_pictures() -> None:
    """The best of all thresholds, for what is diseased in lungs that are known, and for who is."""
    sick, dice = [], np.zeros(256)
    for patient in range(36):
        image, lung, infection = (decoded(faint_picture(Nothing(), 1, patient, 0, layer)) for layer in LAYERS)
        inside = np.bincount(image[lung > 0], minlength=256)[::-1].cumsum()[::-1]
        sick.append((patient % 3 == 0, inside / inside[0]))
        if infection.any():
            hit = np.bincount(image[infection > 0], minlength=256)[::-1].cumsum()[::-1]
            dice += 2 * hit / (inside + hit[0]) / 24
    pairs = np.mean([np.sign(one - other) / 2 + 0.5 for ill, one in sick if ill for well, other in sick if not well], 0)
    assert dice.max() < 0.8
    assert max(pairs.max(), 1 - pairs.min()) < 0.8


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))
