"""CC-CCII at its full size on an imitated tree: planned, built and loaded, with time, memory and the cost of a slice.

    python -m benchmarks.cc_ccii                        # 5,000 slices
    python -m benchmarks.cc_ccii --slices 411529        # as many as there are, in 90 zips; about 2 GB in --folder

Slices are small pictures (64 by 64), each another one, in zips and folders of the true names, beside lists as the true
ones are. The lists are not the publisher's, so the catalog that is used is a copy without their hashes. What a slice
costs beyond its pixels is what is measured: finding it, its record, its row, its split.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measuring import in_process
from benchmarks.memory import peak_of
from covid_datasets.catalog.folder import catalog_folder

ZIPS = [
    (label, served, number)
    for label, served, last in (("NCP", "COVID19", 31), ("CP", "CP", 32), ("Normal", "Normal", 27))
    for number in range(1, last + 1)
]
A_SCAN = 98
"""Slices of a scan: 411,529 of 4,178 scans."""
SIDE = 64
START = """
import json, resource, sys, time
import covid_datasets.catalogs as catalogs
catalogs.__path__ = [sys.argv[1]]
tree, cache = sys.argv[2], sys.argv[3]
def done(**figures):
    figures["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps(figures))
started = time.perf_counter()
"""
PLAN = f"""{START}
from covid_datasets.catalog.cards import choose
from covid_datasets.prepare.source import open_source
from covid_datasets.settings import Settings
source = open_source(choose("cc_ccii"), Settings.resolve(cache), data_dir=tree, allow_missing=True)
opened = time.perf_counter() - started
rows = source.plan(None).rows
done(rows=rows, open=opened, plan=time.perf_counter() - started - opened)
"""
BUILD = f"""{START}
from covid_datasets import build_dataset
how = dict(num_proc=int(sys.argv[4]), verify=sys.argv[5], allow_missing=True)
build_dataset("cc_ccii", data_dir=tree, cache_dir=cache, **how)
"""
LOAD = f"""{START}
import random
from covid_datasets import load_dataset
rows = load_dataset("cc_ccii", split="all", data_dir=tree, cache_dir=cache, allow_missing=True, verify=sys.argv[5])
loaded = time.perf_counter() - started
chance = random.Random(1)
started = time.perf_counter()
for _ in range(1000):
    rows[chance.randrange(len(rows))]["image"]
done(rows=len(rows), load=loaded, row=(time.perf_counter() - started) / 1000)
"""


def scans_of(slices: int) -> Iterator[tuple[tuple[str, str, int], int, int]]:
    """Deal slices out to scans, and scans to the 90 zips in turn: zip, number of the scan, number of slices."""
    for number, first in enumerate(range(0, slices, A_SCAN)):
        yield ZIPS[number % len(ZIPS)], number, min(A_SCAN, slices - first)


def picture(base: np.ndarray, number: int) -> bytes:
    """Encode a slice: the picture of its scan with its number written into a corner, so that no two are the same."""
    pixels = base.copy()
    pixels[0, :24] = np.frombuffer(f"{number:024b}".encode(), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def write_tree(folder: Path, slices: int) -> None:
    """Write 90 zips and four lists; every ninth scan is cut out, every seventh reversed, every tenth has bad slices."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(3)
    scans, cleaned, lesions, number = [], [], [], 0
    archives = {zipped: zipfile.ZipFile(folder / f"{zipped[1]}-{zipped[2]}.zip", "w") for zipped in ZIPS}
    for (label, served, at), scan, count in scans_of(slices):
        name = (label, str(scan * 2 // 3), str(90 + scan))
        coarse = Image.fromarray(random.integers(0, 255, (9, 9), dtype=np.uint8))
        base = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        for index in range(count):
            path = f"{'/'.join(name)}/{index:04}.png"
            archives[label, served, at].writestr(path, picture(base, number))
            number += 1
            if label != "Normal" and index % 5 == 0:
                lesions.append(path)
        scans.append((f"{label}-{at}.zip", *name, str(count)))
        bad, order = "0-3;11" if scan % 10 == 0 else "", "reverse" if scan % 7 == 0 else ""
        cleaned.append((*name, str(int(scan % 9 == 0)), str(int(bool(bad))), bad, order))
    for archive in archives.values():
        archive.close()
    tables: dict[str, list[tuple[str, ...]]] = {
        "unzip_filenames.csv": [("zip_file", "label", "patient_id", "scan_id", "n_slice"), *scans],
        "CT_cleaned_v2.csv": [("cls", "pid", "scan_id", "is_seg", "is_repeat", "repeat_ids", "re_order"), *cleaned],
        "lesions_slices.csv": [("imgpath",), *((path,) for path in lesions)],
    }
    for path, rows in tables.items():
        (folder / path).write_text("".join(f"{','.join(row)}\n" for row in rows), encoding="utf-8")
    (folder / "exclude_list.txt").write_text(f"{scans[0][1]} {scans[0][2]}\n", encoding="utf-8")


def write_catalog(folder: Path) -> None:
    """Copy the catalog without sizes and hashes of downloads, which imitated lists cannot have."""
    shutil.copytree(catalog_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    card = folder / "cc_ccii.toml"
    card.write_text(re.sub(r"(?m)^(size|sha256|md5) = .*\n", "", card.read_text(encoding="utf-8")), encoding="utf-8")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--verify", choices=("full", "bytes"), default="full")
    parser.add_argument("--folder", type=Path, help="where tree and build go; a folder of its own, removed at the end")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        place = Path(name)
        started = time.perf_counter()
        write_tree(place / "tree", options.slices)
        write_catalog(place / "catalog")
        bytes_in = sum(path.stat().st_size for path in (place / "tree").glob("*.zip"))
        print(
            f"{options.slices:,} slices in {len(ZIPS)} zips, {bytes_in / 1e6:,.0f} MB, written in "
            f"{time.perf_counter() - started:.0f} s; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        )
        given = (
            str(place / "catalog"),
            str(place / "tree"),
            str(place / "cache"),
            str(options.workers),
            options.verify,
        )
        plan = in_process(PLAN, *given)
        started = time.perf_counter()
        peak = peak_of([sys.executable, "-c", BUILD, *given])
        seconds = time.perf_counter() - started
        loaded = in_process(LOAD, *given)
        stored = sum(path.stat().st_size for path in (place / "cache").rglob("*") if path.is_file())
    count, each = options.slices, options.slices / 1000  # of milliseconds
    print(
        f"  listed {plan['open']:>8.1f} s, planned {plan['plan']:.1f} s ({plan['plan'] / each:.3f} ms a slice), "
        f"peak {plan['mb']:,.0f} MB"
    )
    print(
        f"  built  {seconds:>8.1f} s with {options.workers} workers, verify={options.verify}: {seconds / each:.3f} ms "
        f"a slice, peak of all processes {peak:,.0f} MB, {stored / count:,.0f} bytes stored for {bytes_in / count:,.0f}"
    )
    print(
        f"  loaded {loaded['load']:>8.2f} s, a row by chance {loaded['row'] * 1e3:.2f} ms, peak {loaded['mb']:,.0f} MB"
    )
    figures = {"slices": count, "plan": plan, "build": seconds, "peak": peak, "load": loaded, "stored": stored}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
