"""A DICOM series to stored slices, against SimpleITK's series reader and an array of the whole.

Ours reads the headers, orders the slices, checks each and encodes it as it is stored; measuring quality, hashes and
writing are left out on both sides. Needs SimpleITK beside the extra ``dicom``.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measuring import ROUNDS, in_process, in_turns, median, show
from tests.dicom import ct, jpeg_lossless

SIDE = 512
OURS = """
import json, sys, time
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.encode import encode
from covid_datasets.read.series import Wanted, series_parts
from covid_datasets.schema import Part

raw = RawTree.of_folder(sys.argv[1])
for item in series_parts(raw, raw.paths()[:1], Wanted("S")):  # imports are not what is measured
    pass
started = time.perf_counter(), time.process_time()
slices = [len(encode(part.pixels)) for part in series_parts(raw, raw.paths(), Wanted("S")) if isinstance(part, Part)]
print(json.dumps({
    "slices": len(slices), "wall": time.perf_counter() - started[0], "cpu": time.process_time() - started[1]
}))
"""
SIMPLEITK = """
import json, sys, time
import SimpleITK
from pathlib import Path

SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
SimpleITK.ReadImage(str(next(Path(sys.argv[1]).iterdir())))
started = time.perf_counter(), time.process_time()
reader = SimpleITK.ImageSeriesReader()
reader.SetFileNames(reader.GetGDCMSeriesFileNames(sys.argv[1]))
volume = SimpleITK.GetArrayFromImage(reader.Execute())
print(json.dumps({
    "slices": len(volume), "wall": time.perf_counter() - started[0], "cpu": time.process_time() - started[1]
}))
"""


def write_series(folder: Path, count: int) -> None:
    """Write a series twice: plain, and as JPEG Lossless. Bodies with a little noise, as scanners have it."""
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for index in range(count):
        radius = 150 + 60 * np.sin(index / count * np.pi)
        body = np.hypot(rows - SIDE / 2, columns - SIDE / 2) < radius
        noise = random.normal(0, 1, (SIDE, SIDE)) * np.where(body, 20, 8)
        pixels = np.where(body, 40, -1000) + noise.round()
        data = ct(pixels.astype(np.int16), (-180.0, -180.0, 1.25 * index))
        for kind, encoded in (("plain", data), ("jpeg", jpeg_lossless(data))):
            (folder / kind).mkdir(exist_ok=True)
            (folder / kind / f"{index * 7919 % 100_003:06}.dcm").write_bytes(encoded)


def main() -> None:
    """Measure both encodings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        write_series(Path(name), options.slices)
        for kind, title in (("plain", "Explicit VR Little Endian"), ("jpeg", "JPEG Lossless")):
            folder = str(Path(name) / kind)
            results = in_turns(
                {"ours": partial(in_process, OURS, folder), "SimpleITK": partial(in_process, SIMPLEITK, folder)},
                options.rounds,
            )
            print(f"{title}, {options.slices} slices")
            for contender, found in results.items():
                show(contender, found, "wall", "s")
                show(f"{contender}, processor time", found, "cpu", "s")
            wall, cpu = (median(results["ours"], each) / median(results["SimpleITK"], each) for each in ("wall", "cpu"))
            print(f"  ours / SimpleITK: {wall:.2f} of the time, {cpu:.2f} of the processor time (aim at most 0.5)")


if __name__ == "__main__":
    main()
