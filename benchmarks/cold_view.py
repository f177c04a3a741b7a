"""Epochs over a view that is not in memory, against the rate at which the disk gives its file in order.

Before each measurement the system is asked to forget the file (``posix_fadvise``), so nothing else is disturbed; where
the machine below keeps a cache of its own, the disk seems faster than it is, for both alike.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from covid_datasets import OwnData, build_dataset, load_dataset, to_numpy
from covid_datasets.load.fixed.store import ARRAY_FILE

SIDE = 1024
SOURCES = 64
"""Pictures that are really different; the rest are these again, which no step notices."""


def forget(file: Path) -> None:
    """Drop a file from the page cache."""
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def make(work: Path, gigabytes: float) -> Any:
    """Build pictures whose view has so many bytes."""
    raw = work / "raw"
    if not raw.exists():
        raw.mkdir(parents=True)
        for number in range(SOURCES):
            pixels = np.random.default_rng(number).integers(0, 256, (64, 64), np.uint8)
            Image.fromarray(pixels).save(raw / f"{number}.png")
        for number in range(SOURCES, int(gigabytes * 1e9 / SIDE**2)):
            shutil.copyfile(raw / f"{number % SOURCES}.png", raw / f"{number}.png")
    source = OwnData(raw)
    build_dataset(source, cache_dir=work, verify="bytes")
    return load_dataset(source, split="all", framework="numpy", cache_dir=work, verify="bytes")


def in_order(file: Path) -> float:
    """Read a file from beginning to end; MB/s."""
    scratch = memoryview(bytearray(8 << 20))
    started = time.perf_counter()
    with file.open("rb", buffering=0) as opened:
        while opened.readinto(scratch):
            pass
    return file.stat().st_size / (time.perf_counter() - started) / 1e6


def epoch(batches: Any, most: float = 60.0) -> float:
    """Go through an epoch, or as much of it as time allows; MB/s."""
    started, size = time.perf_counter(), 0
    for batch in batches:
        size += batch["image"].nbytes
        if time.perf_counter() - started > most:
            break
    return size / (time.perf_counter() - started) / 1e6


def main() -> None:
    """Measure in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--gigabytes", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = make(options.work, options.gigabytes)
    loaders = {
        shuffle: to_numpy(rows, image_size=SIDE, batch_size=16, dtype="uint8", shuffle=shuffle)
        for shuffle in ("blocks", True)
    }
    (file,) = options.work.glob(f"prepared/*/*/*/*.views/*/{ARRAY_FILE}")
    ways: dict[str, Callable[[], float]] = {
        "the file in order": lambda: in_order(file),
        'shuffle="blocks"': lambda: epoch(loaders["blocks"]),
        "shuffle=True": lambda: epoch(loaders[True]),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, measure in ways.items():
            forget(file)
            found[name].append(measure())
    limit = median(found["the file in order"])
    for name, rates in found.items():
        middle = median(rates)
        print(f"  {name:<20}{middle:>8.0f} MB/s {middle / limit:>6.2f} ({min(rates):.0f} to {max(rates):.0f})")


if __name__ == "__main__":
    main()
