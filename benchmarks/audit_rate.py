"""How long an audit of a folder takes, at either level, and how much memory: ``python benchmarks/audit_rate.py 10000``.

Writes pictures as films are (grey JPEG and PNG of about 1,000 by 800 pixels), a hundredth of them copies, into a folder
that is removed afterwards, and says what was found of the copies.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from covid_datasets import audit
from covid_datasets.settings import usable_cores

EVERY = 100
"""One picture in so many has a copy in the other part."""


def film(seed: int, width: int) -> Image.Image:
    """Draw something with detail at every scale, as no other seed has it."""
    random = np.random.default_rng(seed)
    height = width * 4 // 5
    total = np.zeros((height, width), np.float32)
    for side in (3, 6, 12, 24, 48, 96):
        coarse = Image.fromarray(random.normal(size=(side, side)).astype(np.float32))
        total += np.asarray(coarse.resize((width, height), Image.Resampling.BILINEAR)) / side**0.6
    total += random.normal(size=total.shape).astype(np.float32) * 0.02
    low, high = total.min(), total.max()
    return Image.fromarray(np.rint((total - low) / (high - low) * 255).astype(np.uint8))


def write(number: int, folder: Path, width: int, thorough: bool) -> None:
    """Write one picture, and for some a copy in the other part."""
    shown = film(number, width)
    part = "test" if number % 5 == 0 else "train"
    name = f"{number:06}.{'png' if number % 4 == 0 else 'jpg'}"
    shown.save(folder / part / name, quality=90)
    if number % EVERY == 0:
        copy = ImageEnhance.Contrast(shown.resize((width * 3 // 4, width * 3 // 5))).enhance(0.9)
        if thorough:
            copy = copy.crop((40, 30, copy.width - 20, copy.height - 30)).rotate(90, expand=True)
        copy.save(folder / ("train" if part == "test" else "test") / f"copy-{number:06}.jpg", quality=85)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=2_000)
    parser.add_argument("--level", choices=("quick", "thorough"), default="quick")
    parser.add_argument("--width", type=int, default=1_000)
    parser.add_argument("--scratch", help="where the folder is made")
    options = parser.parse_args()
    os.environ["COVID_DATASETS_PROGRESS"] = "0"
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        folder = Path(scratch)
        for part in ("train", "test"):
            (folder / part).mkdir()
        make = partial(write, folder=folder, width=options.width, thorough=options.level == "thorough")
        with ProcessPoolExecutor(usable_cores()) as pool:
            list(pool.map(make, range(options.count), chunksize=50))
        size = sum(path.stat().st_size for path in folder.rglob("*.*"))
        began, cpu = time.monotonic(), sum(os.times()[:4])
        report = audit(folder, level=options.level)
        seconds, cpu = time.monotonic() - began, sum(os.times()[:4]) - cpu
        planted = {f"copy-{number:06}" for number in range(0, options.count, EVERY)}
        found = {Path(name).stem for pair in report.pairs for name in (pair.first, pair.second)}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        what = f"{options.level}: {report.pictures:,} pictures, {size / 1e6:,.0f} MB"
        cost = (
            f"{seconds:.1f} s, {cpu:.1f} s of CPU, {1e3 * cpu / report.pictures:.1f} ms a picture, peak {peak:,.0f} MB"
        )
        copies = (
            f"{len(planted & found)} of {len(planted)} copies found, {report.leaks - len(planted & found)} other pairs"
        )
        print(f"{what}: {cost}; {copies} ({usable_cores()} cores, load {os.getloadavg()[0]:.1f})")


if __name__ == "__main__":
    main()
