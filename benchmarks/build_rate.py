"""W1: what a build takes, against decoding the same bytes with Pillow and against a copy that is on the disk.

Seconds of the processor, of all processes together, stand beside those of the clock: on a busy machine only their ratio
says something.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measuring import in_process, in_turns, median, raw_files, real_sources, show

CPU = """
import resource
def cpu():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
"""

DECODE = """
import glob, io, json, sys, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from PIL import Image
files = sorted(glob.glob(sys.argv[1]))
def decode(file):
    with open(file, "rb") as stream:
        Image.open(io.BytesIO(stream.read())).load()
begun, started = cpu(), time.perf_counter()
with (ThreadPoolExecutor if sys.argv[2] == "threads" else ProcessPoolExecutor)(2) as pool:
    list(pool.map(decode, files, chunksize=16))
print(json.dumps({"seconds": time.perf_counter() - started, "cpu": cpu() - begun}))
"""

COPY = """
import glob, json, os, sys, time
files = sorted(glob.glob(sys.argv[1]))
begun, started = cpu(), time.perf_counter()
with open(sys.argv[2] + "/copy.bin", "wb") as sink:
    for file in files:
        with open(file, "rb") as stream:
            sink.write(stream.read())
    sink.flush()
    os.fsync(sink.fileno())
print(json.dumps({"seconds": time.perf_counter() - started, "cpu": cpu() - begun}))
"""

BUILD = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
import openpyxl, pyarrow.compute, covid_datasets.prepare.engine as engine, covid_datasets.builders.covid_ct
source, folder, verify, mode, out = sys.argv[1:]
pool = ThreadPoolExecutor(2) if mode == "threads" else None
begun, started = cpu(), time.perf_counter()
built = engine.build_dataset(source, data_dir=folder, cache_dir=out, verify=verify, executor=pool, num_proc=2)
print(json.dumps({"seconds": time.perf_counter() - started, "cpu": cpu() - begun}))
"""


def build(source: str, folder: Path, verify: str, mode: str) -> dict[str, float]:
    """Build into a fresh cache."""
    with tempfile.TemporaryDirectory() as out:
        return in_process(CPU + BUILD, source, str(folder), verify, mode, out)


def copy(pattern: str) -> dict[str, float]:
    """Append all files to one file."""
    with tempfile.TemporaryDirectory() as out:
        return in_process(CPU + COPY, pattern, out)


def main() -> None:
    """Measure both sources."""
    options = real_sources(__doc__)
    sources = (("covid_ct", options.covid_ct, "CT_*/*", 1.6), ("cohen", options.cohen, "images/*", 1.4))
    for source, folder, inside, aim in sources:
        if folder is None:
            continue
        megabytes = sum(file.stat().st_size for file in raw_files(folder, inside)) / 1e6
        pattern = str(folder / inside)
        results = in_turns(
            {
                "decode, threads": partial(in_process, CPU + DECODE, pattern, "threads"),
                "decode, processes": partial(in_process, CPU + DECODE, pattern, "processes"),
                "build full, threads": partial(build, source, folder, "full", "threads"),
                "build full, processes": partial(build, source, folder, "full", "processes"),
                "copy and fsync": partial(copy, pattern),
                "build bytes, threads": partial(build, source, folder, "bytes", "threads"),
                "build bytes, processes": partial(build, source, folder, "bytes", "processes"),
            },
            options.rounds,
        )
        print(f"{source}: {megabytes:.0f} MB")
        best: dict[tuple[str, str], float] = {}
        for name, measured in results.items():
            kind = name.split(",")[0]
            for figure in ("seconds", "cpu"):
                show(f"{name}, {figure}", measured, figure, "s")
                best[kind, figure] = min(best.get((kind, figure), float("inf")), median(measured, figure))
        wall, cpu = (best["build full", figure] / best["decode", figure] for figure in ("seconds", "cpu"))
        print(f"  full build over decoding: wall {wall:.2f} (aim {aim}), processor {cpu:.2f} (aim 1.45)")
        share = best["copy and fsync", "seconds"] / best["build bytes", "seconds"]
        print(f"  bytes build: {megabytes / best['build bytes', 'seconds']:.0f} MB/s, {share:.2f} of a copy (aim 0.60)")


if __name__ == "__main__":
    main()
