"""What filters do to real pictures: flags of quality before and after, and damage of known size undone.

Needs builds of real sources: ``COVID_DATASETS_CACHE=CACHE COVID_DATASETS_OFFLINE=1 python -m benchmarks.filter_gain``.
"""

from __future__ import annotations

import io
import warnings
from collections import Counter
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from covid_datasets import load_dataset
from covid_datasets.measure.image import measure_image
from covid_datasets.transforms.filters import REPAIRS, deblurred, denoised, repaired, without_text

SOURCES = ("cohen", "covid_ct", "hannover", "sarscov2_ctscan")
SOUND = 30
"""Sound pictures of each source that are damaged on purpose."""


def flags(values: np.ndarray) -> set[str]:
    """Measure a picture as a build does."""
    return set(measure_image(Image.fromarray(values), "", "").quality_reasons or ())


def off(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in decibels."""
    error = float(((found.astype(float) - truth) ** 2).mean())
    return 10 * float(np.log10(255**2 / max(error, 1e-9)))


def picture(row: Any, most: int = 800) -> np.ndarray:
    """Return a picture as bytes; a large one smaller, to save time."""
    values = Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")
    values.thumbnail((most, most))
    return np.asarray(values)


def main() -> None:
    """Print a table."""
    warnings.simplefilter("ignore")
    had, left, new, sizes = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    gains: dict[str, list[float]] = {name: [] for name in ("denoised 5", "denoised 10", "denoised 20", "deblurred")}
    harm: dict[str, list[float]] = {"denoised": [], "deblurred": []}
    found: dict[str, list[float]] = {"CT": [], "CXR": []}
    wrong: dict[str, list[float]] = {"CT": [], "CXR": []}
    rng = np.random.default_rng(0)
    for source in SOURCES:
        rows = load_dataset(source, split="all", framework="hf", columns=["image", "quality_reasons", "modality"])
        rows = rows.cast_column("image", rows.features["image"].__class__(decode=False))
        sound = 0
        for number, reasons in enumerate(rows["quality_reasons"]):
            wanted = set(reasons or ()) & set(REPAIRS)
            if wanted:
                values = picture(rows[number])
                before = flags(values) & set(REPAIRS)
                done, _ = repaired(values, sorted(before))
                after = flags(done)
                for reason in before:
                    had[reason] += 1
                    left[reason] += reason in after
                for reason in after - flags(values):
                    new[reason] += 1
            elif not reasons and sound < SOUND and number % 7 == 0:
                sound += 1
                grey = np.asarray(Image.fromarray(picture(rows[number], 512)).convert("L"))
                for noise in (5, 10, 20):
                    noisy = np.clip(grey + rng.normal(0, noise, grey.shape), 0, 255).astype(np.uint8)
                    gains[f"denoised {noise}"].append(off(denoised(noisy).values, grey) - off(noisy, grey))
                soft = np.asarray(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(1.0)))
                gains["deblurred"].append(off(deblurred(soft).values, grey) - off(soft, grey))
                harm["denoised"].append(off(denoised(grey).values, grey))
                harm["deblurred"].append(off(deblurred(grey).values, grey))
                lettered = Image.fromarray(grey)
                ImageDraw.Draw(lettered).text((5, 5), "PORTABLE 12:30", fill=255)
                letters = (np.asarray(lettered).astype(int) - grey) > 90
                done = without_text(np.asarray(lettered)).values
                if letters.any():
                    found[rows[number]["modality"]].append(float((done[letters] < 160).mean()))
                wrong[rows[number]["modality"]].append(without_text(grey).change.touched)
        sizes[source] = len(rows)
    print(dict(sizes))
    for reason in had:
        print(f"{reason:<14} flagged {had[reason]:>4}, after its filter {left[reason]:>4}")
    print(f"flags that came anew: {dict(new)}")
    for name, each in gains.items():
        better = float((np.array(each) > 0).mean())
        print(f"{name:<14} {np.median(each):+.2f} dB in the median of {len(each)}, better in {better:.0%}")
    for name, each in harm.items():
        print(f"{name:<14} of a sound picture: {np.median(each):.1f} dB from what it was")
    for modality, shares in found.items():
        others = f"touches {np.median(wrong[modality]):.3%} of a picture without (median)"
        print(f"without_text   {modality}: {np.mean(shares):.0%} of planted letters gone (n={len(shares)}); {others}")


if __name__ == "__main__":
    main()
