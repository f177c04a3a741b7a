"""Batched augmentation by torch, against Pillow and against NumPy image by image, on the same slices.

Each contender does the same to 512 × 512 slices: a crop of at least half of the area brought to 480 × 480, a flip, and
gain and contrast. What counts is processor time for each image, because it does not depend on who else is at work;
with ``--threads 2`` the clock is shown as well, which is of use on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from functools import partial

from benchmarks.measuring import in_process, in_turns, median, show

COMMON = """
import json, os, sys, time
import numpy as np
from concurrent.futures import ThreadPoolExecutor
threads, count, preset_name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
y, x = np.mgrid[:512, :512]
base = np.hypot(x - 256, y - 256)
images = np.stack([np.clip(255 - base + 20 * np.sin(x / (5 + n)), 0, 255) for n in range(8)]).astype(np.uint8)
images = np.resize(images, (count, 512, 512))

def measured(work):
    work()
    clock, spent = time.perf_counter(), time.process_time()
    work()
    clock, spent = time.perf_counter() - clock, time.process_time() - spent
    print(json.dumps({"cpu": spent / count * 1e3, "clock": clock / count * 1e3}))

def each(one):
    if threads == 1:
        return lambda: [one(number) for number in range(count)]
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(one, range(count)))
"""
PILLOW = """
from PIL import Image, ImageEnhance
def one(number):
    rng = np.random.default_rng(number)
    area, shape = rng.uniform(0.5, 1) * 512 * 512, np.exp(rng.uniform(-0.28, 0.28))
    wide, high = min(512, (area * shape) ** 0.5), min(512, (area / shape) ** 0.5)
    left, top = rng.uniform(0, 512 - wide), rng.uniform(0, 512 - high)
    picture = Image.fromarray(images[number])
    picture = picture.resize((480, 480), Image.Resampling.BILINEAR, box=(left, top, left + wide, top + high))
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.8, 1.2))
    return np.asarray(ImageEnhance.Contrast(picture).enhance(rng.uniform(0.8, 1.2)))
measured(each(one))
"""
PLAIN = """
def one(number):
    rng = np.random.default_rng(number)
    area, shape = rng.uniform(0.5, 1) * 512 * 512, np.exp(rng.uniform(-0.28, 0.28))
    wide, high = min(512, (area * shape) ** 0.5), min(512, (area / shape) ** 0.5)
    across = rng.uniform(0, 512 - wide) + (np.arange(480) + 0.5) * wide / 480 - 0.5
    down = rng.uniform(0, 512 - high) + (np.arange(480) + 0.5) * high / 480 - 0.5
    across, down = np.clip(across, 0, 511), np.clip(down, 0, 511)
    left, top = np.minimum(across.astype(int), 510), np.minimum(down.astype(int), 510)
    x, y = (across - left)[None, :], (down - top)[:, None]
    values = images[number].astype(np.float32)
    upper = values[np.ix_(top, left)] * (1 - x) + values[np.ix_(top, left + 1)] * x
    lower = values[np.ix_(top + 1, left)] * (1 - x) + values[np.ix_(top + 1, left + 1)] * x
    found = upper * (1 - y) + lower * y
    if rng.random() < 0.5:
        found = found[:, ::-1]
    found = np.clip(found * rng.uniform(0.8, 1.2), 0, 255)
    found = np.clip((found - found.mean()) * rng.uniform(0.8, 1.2) + found.mean(), 0, 255)
    return np.rint(found).astype(np.uint8)
measured(each(one))
"""
OURS = """
from covid_datasets.transforms.joint import Image, preset
changing = preset(preset_name)
measured(each(lambda number: changing(Image(images[number]), rng=np.random.default_rng(number))))
"""
TORCH = """
import torch
from covid_datasets.transforms.joint import preset
torch.set_num_threads(threads)
changing, tensors = preset(preset_name), torch.from_numpy(images)[:, None]
measured(lambda: changing.batch(tensors, rng=np.random.default_rng(0)))
"""
CONTENDERS = {"torch, batched": TORCH, "Pillow": PILLOW, "plain NumPy": PLAIN, "our NumPy": OURS}


def main() -> None:
    """Measure all in turns, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    arguments = (str(asked.threads), str(asked.count), "covid-ct")
    print(f"load {os.getloadavg()[0]:.1f}, {asked.threads} threads, {asked.count} images of 512 × 512")
    results = in_turns(
        {name: partial(in_process, COMMON + code, *arguments) for name, code in CONTENDERS.items()},
        asked.rounds,
    )
    for figure in ("cpu", "clock"):
        print(f"{figure} for each image")
        for name, found in results.items():
            show(name, found, figure, "ms")
        ours = median(results["torch, batched"], figure)
        ratios = {
            name: round(statistics.median(each[figure] for each in found) / ours, 2)
            for name, found in results.items()
            if name != "torch, batched"
        }
        print(f"  times torch: {json.dumps(ratios)}")


if __name__ == "__main__":
    main()
