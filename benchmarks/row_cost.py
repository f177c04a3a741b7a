"""What a row costs beyond decoding its image: the image and the label alone, and all columns, as arrays and tensors."""

from __future__ import annotations

import argparse
import io
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

ROWS = 300


def main() -> None:
    """Build COVID-CT once, then decode the same pictures bare and as rows, in turns."""
    import numpy as np
    import torch
    from PIL import Image

    from covid_datasets import build_dataset, load_dataset

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--covid-ct", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as cache:
        build_dataset("covid_ct", data_dir=options.covid_ct, cache_dir=cache, allow_missing=True)
        contenders: dict[str, Callable[[int], object]] = {}
        for framework in ("numpy", "torch"):
            for way, columns in (("image and label", ["image", "label"]), ("all columns", None)):
                rows = load_dataset(
                    "covid_ct", split="train", framework=framework, columns=columns, cache_dir=cache, allow_missing=True
                )
                contenders[f"{framework}, {way}"] = rows.__getitem__
        pictures = [value["bytes"] for value in rows.column("image").slice(0, ROWS).to_pylist()]
        contenders["numpy, bare"] = lambda row: np.asarray(Image.open(io.BytesIO(pictures[row])))
        contenders["torch, bare"] = lambda row: torch.from_numpy(np.array(Image.open(io.BytesIO(pictures[row]))))
        took: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, work in contenders.items():
                started = time.process_time()
                for row in range(ROWS):
                    work(row)
                took[name].append((time.process_time() - started) / ROWS * 1e6)
    for name, found in took.items():
        beyond = min(found) - min(took[f"{name.split(',')[0]}, bare"])
        print(f"  {name:<24}{min(found):>8.0f} µs a row, beyond decoding {beyond:>6.0f}")


if __name__ == "__main__":
    main()
