"""Memory over many epochs, with no, 2 and 4 workers of a `DataLoader`: it must not grow.

What is counted is what a process has of its own (USS): pages of the view are the system's, and shared by all.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from covid_datasets import build_dataset, load_dataset, to_torch

OPTIONS: dict[str, Any] = {"image_size": 64, "batch_size": 32, "dtype": "uint8"}
"""Small batches: how many of them are under way when one looks is chance, and must not hide a growth."""


def own_mb() -> float:
    """Sum what this process and its children have in memory that nobody else has."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    total = 0
    for pid in (str(os.getpid()), *children):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it ended between two looks
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))
    return total / 1000


def epochs(batches: Any, workers: int, count: int) -> list[float]:
    """Go through epochs, and look at the memory in the middle of each."""
    from torch.utils.data import DataLoader

    loader = DataLoader(batches, batch_size=None, num_workers=workers, persistent_workers=workers > 0)
    found = []
    for _ in range(count):
        for number, _ in enumerate(batches if workers == 0 else loader):
            if number == len(batches) // 2:
                found.append(own_mb())
    return found


def main() -> None:
    """Measure each number of workers in turn; the first epochs warm up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--config", default="large", help="of phantom")
    options = parser.parse_args()
    if options.epochs < 4:
        parser.error("--epochs: expected at least 4, of which the second and the last quarter are compared")
    with tempfile.TemporaryDirectory() as cache:
        build_dataset("phantom", options.config, cache_dir=cache)
        rows = load_dataset("phantom", options.config, split="all", framework="numpy", cache_dir=cache)
        for materialise in (True, False):
            for workers in (0, 2, 4):
                batches = to_torch(rows, **OPTIONS, materialise=materialise, threads=2)
                memory = epochs(batches, workers, options.epochs)
                # Medians: how many batches of a worker are under way when one looks differs by chance.
                quarter = len(memory) // 4
                first, last = median(memory[quarter : 2 * quarter]), median(memory[-quarter:])
                way = "mapped" if materialise else "decoded"
                ratio = f"{last / first:.3f} (aim 0.98 to 1.02)"
                print(f"  {way:<8}{workers} workers: {first:6.1f} MB, then {last:6.1f} MB: {ratio}")


if __name__ == "__main__":
    main()
