"""How quickly `predict` scores a folder, beside what decoding its pictures alone takes.

    python -m benchmarks.predict_rate RUN FOLDER

Images for each second of processor time, of all threads together; on two idle cores twice as many a second. One line.
Torch has one thread, as long as ``--threads`` does not say more: on a busy machine several of them wait for each other
with their processors at full speed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch

from covid_datasets import predict
from covid_datasets.baselines.train.run import Run
from covid_datasets.load.fixed.pixels import decoded_picture
from covid_datasets.load.fixed.view import make_view
from covid_datasets.own.files import find_items
from covid_datasets.raw.tree import RawTree


def rate(work: Callable[[], int]) -> tuple[int, float, float]:
    """Return how many images were done, and how many in a second of processor time and of the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    count = work()
    return count, count / (time.process_time() - cpu), count / (time.perf_counter() - clock)


def decode(run: Path, folder: Path) -> int:
    recipe, raw = Run.read(run).recipe, RawTree.of_folder(folder)
    view = make_view(recipe.image_size, channels=recipe.channels)
    files = [item.path for item in find_items(raw)[0] if item.kind == "picture"]
    with ThreadPoolExecutor() as threads:
        return sum(not isinstance(each, Exception) for each in threads.map(partial(decoded_picture, raw, view), files))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    predict(arguments.run, arguments.folder, device="cpu")  # imports, and files into memory
    decoded = rate(lambda: decode(arguments.run, arguments.folder))
    scored = rate(lambda: len(predict(arguments.run, arguments.folder, device="cpu").rows))
    told = {"images": scored[0], "decoded": decoded[0], "load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    told |= {"predict_per_cpu_second": round(scored[1], 1), "decode_per_cpu_second": round(decoded[1], 1)}
    told |= {"predict_per_second": round(scored[2], 1), "decode_per_second": round(decoded[2], 1)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
