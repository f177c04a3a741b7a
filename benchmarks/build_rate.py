"""W1: how long a build takes, against decoding the same bytes with Pillow and against a plain copy."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measuring import in_process, in_turns, median, raw_files, real_sources, show

DECODE = """
import glob, io, json, sys, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from PIL import Image
files = sorted(glob.glob(sys.argv[1]))
def decode(file):
    with open(file, "rb") as stream:
        Image.open(io.BytesIO(stream.read())).load()
started = time.perf_counter()
with (ThreadPoolExecutor if sys.argv[2] == "threads" else ProcessPoolExecutor)(2) as pool:
    list(pool.map(decode, files, chunksize=16))
print(json.dumps({"seconds": time.perf_counter() - started}))
"""

COPY = """
import glob, json, sys, time
files = sorted(glob.glob(sys.argv[1]))
started = time.perf_counter()
with open(sys.argv[2] + "/copy.bin", "wb") as sink:
    for file in files:
        with open(file, "rb") as stream:
            sink.write(stream.read())
print(json.dumps({"seconds": time.perf_counter() - started}))
"""

BUILD = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
import openpyxl, pyarrow.compute, covid_datasets.prepare.engine as engine, covid_datasets.builders.covid_ct
source, folder, verify, mode, out = sys.argv[1:]
pool = ThreadPoolExecutor(2) if mode == "threads" else None
started = time.perf_counter()
built = engine.build_dataset(source, data_dir=folder, cache_dir=out, verify=verify, executor=pool, num_proc=2)
print(json.dumps({"seconds": time.perf_counter() - started}))
"""


def build(source: str, folder: Path, verify: str, mode: str) -> dict[str, float]:
    """Build into a fresh cache."""
    with tempfile.TemporaryDirectory() as out:
        return in_process(BUILD, source, str(folder), verify, mode, out)


def copy(pattern: str) -> dict[str, float]:
    """Append all files to one file."""
    with tempfile.TemporaryDirectory() as out:
        return in_process(COPY, pattern, out)


def main() -> None:
    """Measure both sources."""
    options = real_sources(__doc__)
    for source, folder, inside in (("covid_ct", options.covid_ct, "CT_*/*"), ("cohen", options.cohen, "images/*")):
        if folder is None:
            continue
        megabytes = sum(file.stat().st_size for file in raw_files(folder, inside)) / 1e6
        pattern = str(folder / inside)
        results = in_turns(
            {
                "decode, threads": partial(in_process, DECODE, pattern, "threads"),
                "decode, processes": partial(in_process, DECODE, pattern, "processes"),
                "build full, threads": partial(build, source, folder, "full", "threads"),
                "build full, processes": partial(build, source, folder, "full", "processes"),
                "plain copy": partial(copy, pattern),
                "build bytes, threads": partial(build, source, folder, "bytes", "threads"),
                "build bytes, processes": partial(build, source, folder, "bytes", "processes"),
            },
            options.rounds,
        )
        print(f"{source}: {megabytes:.0f} MB")
        best: dict[str, float] = {}
        for name, measured in results.items():
            show(name, measured, "seconds", "s")
            kind = name.split(",")[0]
            best[kind] = min(best.get(kind, float("inf")), median(measured, "seconds"))
        print(f"  full build over decoding: {best['build full'] / best['decode']:.2f} (aim 1.30)")
        rate, limit = megabytes / best["build bytes"], megabytes / best["plain copy"]
        print(f"  bytes build: {rate:.0f} MB/s where a copy does {limit:.0f}, {rate / limit:.2f} of it (aim 0.30)")


if __name__ == "__main__":
    main()
