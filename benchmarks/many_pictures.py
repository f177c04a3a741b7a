"""Build 100,000 pictures of 32 x 32 of one's own: by the clock, by the processor, and the memory of the parent."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import in_process
from covid_datasets.read.png import write_png

EACH = 10
BUILD = """
import json, resource, sys, time
from covid_datasets import build_dataset
started = time.perf_counter()
built = build_dataset(sys.argv[1], cache_dir=sys.argv[2], num_proc=2)
own, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps({
    "rows": built.rows, "seconds": time.perf_counter() - started, "own_cpu": own.ru_utime + own.ru_stime,
    "workers_cpu": workers.ru_utime + workers.ru_stime, "parent_mb": own.ru_maxrss * 1024 / 1e6,
}))
"""


def write_tree(folder: Path, count: int) -> None:
    """Write noise as ``<class>/<patient>/<picture>.png``, ten pictures of each patient."""
    noise = np.random.default_rng(0)
    for number in range(count):
        patient = number // EACH
        place = folder / ("covid" if patient % 2 else "normal") / f"P{patient:05}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number % EACH}.png").write_bytes(write_png(noise.integers(0, 256, (32, 32), np.uint8)))


def main() -> None:
    """Measure one build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--tree", type=Path, help="a tree of an earlier run, or where to leave it for the next one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tree = options.tree or Path(name) / "tree"
        if not tree.exists():
            write_tree(tree, options.pictures)
        found = in_process(BUILD, str(tree), str(Path(name) / "cache"))
        cpu = f"of the processor {found['own_cpu']:.1f} s and in workers {found['workers_cpu']:.1f} s"
        print(f"  {found['rows']:,.0f} rows in {found['seconds']:.1f} s (aim 90), {cpu}")
        print(f"  the parent took {found['parent_mb']:.0f} MB (aim 250)")


if __name__ == "__main__":
    main()
