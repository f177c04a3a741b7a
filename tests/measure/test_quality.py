"""Each reason is given to a picture that deserves it and not to a normal one; the documentation has the thresholds."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from covid_datasets.measure.image import measure
from covid_datasets.measure.quality import POOR, THRESHOLDS, grade, reasons_against_volume
from covid_datasets.read.bounds import MAX_PIXELS
from tests.sources import chest

Pixels = NDArray[np.uint8]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "quality.md"


def scene(height: int = 300, width: int = 300) -> Pixels:
    """Draw an ordinary film: blobs of every brightness under fine grain."""
    rows, columns = np.mgrid[0:height, 0:width]
    smooth = 128 + 80 * np.sin(rows / 40) * np.cos(columns / 50)
    grain = np.random.default_rng(0).normal(0, 6, (height, width))
    return np.asarray(np.clip(smooth + grain, 1, 254), dtype=np.uint8)


def encoded(pixels: Pixels, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def reasons(data: bytes | Pixels, path: str = "film.png") -> tuple[str, ...]:
    found = measure(data if isinstance(data, bytes) else encoded(data), "", path)
    assert found.quality_reasons is not None
    assert found.quality == grade(found.quality_reasons)
    return found.quality_reasons


def test_normal_pictures_are_good() -> None:
    assert reasons(scene()) == ()
    for number in range(6):
        assert reasons(chest(number, modality="CXR")) == ()
        assert reasons(chest(number, modality="CXR", kind="JPEG", mode="RGB"), "x.jpeg") == ()
        assert set(reasons(chest(number, modality="CT"))) <= {"padding"}  # the air around a slim patient


def blurred() -> Pixels:
    """Draw shapes of full contrast without an edge."""
    return np.asarray(128 + 110 * np.cos(np.mgrid[0:300, 0:300][1] / 50), dtype=np.uint8)


def covered(pixels: Pixels, share: float, value: int) -> Pixels:
    """Give scattered pixels one value, so that only the histogram knows."""
    pixels = pixels.copy()
    pixels[np.random.default_rng(1).random((40, 40)).repeat(8, 0).repeat(8, 1)[:300, :300] < share] = value
    return pixels


def padded(pixels: Pixels, share: float) -> Pixels:
    pixels = pixels.copy()
    pixels[:, : int(pixels.shape[1] * share)] = 30
    return pixels


def painted(share: float, spread: int) -> Pixels:
    pixels = scene()[..., None].repeat(3, 2)
    band = pixels[: int(300 * share)]
    band[..., 0], band[..., 1], band[..., 2] = 128 + spread, 128, 128
    return pixels


# A picture just beyond a threshold, and its neighbour just within.
T = THRESHOLDS
EDGES: list[tuple[str, Callable[[], Pixels], Callable[[], Pixels]]] = [
    ("tiny", lambda: scene(T.tiny_side - 1, T.tiny_side), lambda: scene(T.tiny_side, T.tiny_side)),
    ("small", lambda: scene(T.small_side - 1, T.small_side), lambda: scene(T.small_side, T.small_side)),
    ("aspect", lambda: scene(130, 400), lambda: scene(150, 400)),
    ("near-constant", lambda: scene() // 64 + 100, lambda: scene() // 8 + 100),
    ("low contrast", lambda: scene() // 4 + 100, lambda: scene() // 2 + 60),
    ("clipped", lambda: covered(scene(), T.clipped_white + 0.1, 255), lambda: covered(scene(), 0.3, 255)),
    ("clipped", lambda: covered(scene(), T.clipped_black + 0.1, 0), lambda: covered(scene(), 0.6, 0)),
    ("padding", lambda: padded(scene(), T.padding + 0.05), lambda: padded(scene(), T.padding - 0.05)),
    ("blurred", blurred, scene),
    ("colour", lambda: painted(0.05, T.colour_spread + 20), lambda: painted(0.05, T.colour_spread - 20)),
    ("colour", lambda: painted(0.05, 100), lambda: painted(0.002, 100)),
]


@pytest.mark.parametrize(("reason", "beyond", "within"), EDGES, ids=[f"{n} {edge[0]}" for n, edge in enumerate(EDGES)])
def test_each_reason_begins_at_its_threshold(
    reason: str, beyond: Callable[[], Pixels], within: Callable[[], Pixels]
) -> None:
    assert reason in reasons(beyond())
    assert reason not in reasons(within())


# The same of volumes: depth, how many slices are blank, smallest and largest value.
VOLUME_EDGES = [
    ("few slices", (T.few_slices - 1, 0, -1000.0, 400.0), (T.few_slices, 0, -1000.0, 400.0)),
    ("blank slices", (100, int(T.blank_slices * 100) + 1, -1000.0, 400.0), (100, 9, -1000.0, 400.0)),
]
Told = tuple[int, int, float, float]


@pytest.mark.parametrize(("reason", "beyond", "within"), VOLUME_EDGES)
def test_each_reason_against_a_volume_begins_at_its_threshold(reason: str, beyond: Told, within: Told) -> None:
    assert reasons_against_volume(*beyond) == [reason]
    assert reasons_against_volume(*within) == []


def test_name_and_content_disagree() -> None:
    picture = scene()
    assert reasons(encoded(picture, "JPEG"), "a/film.PNG") == ("name says .png, content is JPEG",)
    assert reasons(encoded(picture, "PNG"), "film.jpeg") == ("name says .jpeg, content is PNG",)
    assert reasons(encoded(picture, "WEBP"), "film.png") == ("name says .png, content is WEBP",)
    agreed = [
        ("JPEG", "x.JPG"),
        ("JPEG", "x.jpeg"),
        ("TIFF", "x.tif"),
        ("BMP", "x.bmp"),
        ("GIF", "x.gif"),
        ("WEBP", "x.webp"),
    ]
    for kind, name in agreed:
        assert reasons(encoded(picture, kind), name) == ()
    # A name without an ending promises nothing, also in a folder with a dot.
    assert reasons(encoded(picture), "film") == reasons(encoded(picture), "v1.2/film") == ()


def test_poor_outweighs_questionable() -> None:
    assert grade(()) == "good"
    assert grade(("blurred", "small")) == "questionable"
    assert {grade(("blurred", reason)) for reason in POOR} == {"poor"}


def test_the_documentation_has_every_threshold() -> None:
    text = DOCS.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z -]+)` \| `(\w+)` \| ([\d.]+) \|", text, re.MULTILINE)
    assert {name: float(value) for _, name, value in rows} == {
        name: float(value) for name, value in asdict(THRESHOLDS).items()
    }
    assert {reason for reason, _, _ in rows} == {edge[0] for edge in (*EDGES, *VOLUME_EDGES)}
    assert f"{MAX_PIXELS:,} pixels" in text
    for reason in POOR:
        assert f"`{reason}`" in text
