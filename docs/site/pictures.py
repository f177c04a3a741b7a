"""Pictures of a page: made small from what is built here, written beside the page, never part of the checkout."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from covid_datasets.harmless import code, markdown
from covid_datasets.markup import SIDE

FOLDER = "pictures"
"""Where they lie, as seen from the page."""


def shown(image: Image.Image, page: Path, name: str, seen: str) -> str:
    """Write a picture beside its page and return the Markdown that shows it; ``seen`` is for who cannot see it."""
    small = image.convert("RGB" if image.mode == "RGB" else "L")
    small.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    folder = page.parent / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    small.save(folder / f"{name}.jpg", "JPEG", quality=80)
    return f"![{markdown(seen)}]({FOLDER}/{name}.jpg)"


def credit(sample_id: str, *said: str) -> str:
    """Name a sample, and whom to thank for it."""
    return " · ".join([code(sample_id), *(markdown(each) for each in said if each)])
