"""Wards of planted people: who is ill and how their pictures were saved is chosen by each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from covid_datasets import OwnData, build_dataset

FOLDERS = ("covid", "normal")


def film(seed: int) -> Image.Image:
    """Return a picture of its own, that looks like no other one."""
    random = np.random.default_rng(seed)
    rough = Image.fromarray(random.integers(20, 236, (9, 9), dtype=np.uint8))
    return rough.resize((80, 72), Image.Resampling.BICUBIC)


Save = Callable[[Image.Image, Path, bool, int], None]
"""Writes a picture to a path without its ending; told whether the person is ill, and the person's number."""


def as_png(picture: Image.Image, path: Path, ill: bool, person: int) -> None:
    """Save all alike."""
    picture.save(path.with_suffix(".png"))


def by_container(picture: Image.Image, path: Path, ill: bool, person: int) -> None:
    """Save those who are ill as JPEG."""
    picture.save(path.with_suffix(".jpg" if ill else ".png"))


def ward(folder: Path, cache: Path, save: Save, people: int = 40, first: int = 0) -> OwnData:
    """Write and build ``<finding>/<person>/<number>``, two pictures of each, every second person ill."""
    for person in range(first, first + people):
        ill = person % 2 == 0
        home = folder / FOLDERS[not ill] / f"p{person:03d}"
        home.mkdir(parents=True)
        for number in range(2):
            save(film(1000 * person + number), home / str(number), ill, person)
    own = OwnData(folder, patient_level=1)
    build_dataset(own, cache_dir=cache, num_proc=1)
    return own


@pytest.fixture(scope="session")
def confounded(tmp_path_factory: pytest.TempPathFactory) -> tuple[OwnData, Path]:
    """Return a ward where the container tells the label, and the cache that it is built in."""
    folder = tmp_path_factory.mktemp("confounded")
    return ward(folder / "ward", folder / "cache", by_container), folder / "cache"


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[OwnData, Path]:
    """Return a ward where nothing tells the label, and the cache that it is built in."""
    folder = tmp_path_factory.mktemp("plain")
    return ward(folder / "ward", folder / "cache", as_png), folder / "cache"
