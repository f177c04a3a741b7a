"""All near pairs among 10^5 and 10^6 pictures: seconds and memory of one hash a picture, and of all fifteen.

    python -m benchmarks.near_scale --pictures 100000 1000000

Pictures are made up as thumbnails: something that all share, and more of waves of their own, stronger the longer these
are; every thirtieth is the one before with some noise. They share so much that as many words of two hashes agree, but
for one bit, as of 20,913 real films: 2.8 for every hundred pairs, where hashes at random would have 0.8.
"""

from __future__ import annotations

import argparse
import os

import numpy as np

from benchmarks.measuring import in_process
from covid_datasets.measure.looks import FRAMES, HASHED, SIDE, _cosines, local_contrast, pack, resampling
from covid_datasets.splits.seen import Seen
from covid_datasets.splits.ways import Words

AT_ONCE = 1 << 11
WAVES = 24
SHARED = 0.55
"""What all pictures share, as a part of what each has of its own."""
RUN = """
import json, resource, sys, time
from benchmarks.near_scale import made_up
from covid_datasets.splits.near import near_groups
seen = made_up(int(sys.argv[1]), int(sys.argv[2]))
before, used = time.perf_counter(), time.process_time()
found = sum(1 for _ in near_groups(seen))
print(json.dumps({
    "seconds": time.perf_counter() - before, "cpu": time.process_time() - used, "found": found,
    "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
}))
"""


def made_up(count: int, hashes: int) -> Seen:
    """Make up looks with so many hashes each."""
    kinds, words = [], np.empty((count, hashes, 4), np.uint64)
    chance = np.random.default_rng(0)
    steps = np.pi * np.outer(np.arange(WAVES), np.arange(SIDE) + 0.5) / SIDE
    waves, strength = np.cos(steps), 120 / (1 + np.add.outer(np.arange(WAVES), np.arange(WAVES)))
    shared = chance.normal(0, 1, (WAVES, WAVES)) * strength * SHARED
    shared[0, 0] = 0
    thumbs = np.empty((count, SIDE, SIDE), np.uint8)
    for start in range(0, count, AT_ONCE):
        size = min(AT_ONCE, count - start)
        own = chance.normal(0, 1, (size, WAVES, WAVES)) * strength
        own[:, 0, 0] = 0
        again = np.flatnonzero(np.arange(size) % 30 == 29)
        own[again] = own[again - 1]
        seen = 128 + 0.5 * (waves.T @ (own + shared) @ waves) + chance.normal(0, 2, (size, SIDE, SIDE))
        thumbs[start : start + size] = seen.clip(0, 255).astype(np.uint8)
        contrast = local_contrast(thumbs[start : start + size])
        for number, (left, right, top, bottom) in enumerate(FRAMES[:hashes]):
            rows, columns = (_cosines() @ resampling(*edges) for edges in ((top, bottom), (left, right)))
            spectrum = rows @ contrast @ columns.T
            spectrum[:, 0, 0] = spectrum[:, HASHED, HASHED]
            words[start : start + size, number] = hashed(spectrum[:, :HASHED, :HASHED] > 0)
        kinds += ["whole"] * size
    return Seen(
        np.arange(count), np.asarray(kinds), np.full(count, hashes), words.reshape(-1, 4),
        lambda look: thumbs[look].tobytes(),
    )  # fmt: skip


def hashed(signs: np.ndarray) -> Words:
    """Pack signs as looks do."""
    return pack(signs).view(np.uint64)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--hashes", type=int, nargs="+", default=[1, len(FRAMES)], help="of each picture")
    options = parser.parse_args()
    for count in options.pictures:
        for hashes in options.hashes:
            found = in_process(RUN, str(count), str(hashes))
            print(
                f"  {count:,} pictures, {hashes} hashes: {found['seconds']:.1f} s, {found['cpu']:.1f} s of CPU, "
                f"{found['mb']:,.0f} MB; {found['found']:,.0f} pairs; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
