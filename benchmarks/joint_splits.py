"""A list of two sources and a fold at 10^5 rows: the first load, which searches, and the second one, which reads.

The indices are made up: hashes and thumbnails of blends of synthetic chests, of which every thirtieth is nearly a copy.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from covid_datasets.load.selection import select
from covid_datasets.measure.looks import Looks, looks_of
from covid_datasets.prepare.result import Built
from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.splits.index import INDEX_FILE


def pictures(count: int, chance: np.random.Generator) -> list[Looks]:
    """Make pictures that resemble each other as chests do: few smooth shapes in varying shares, and some noise."""
    steps = np.linspace(-1, 1, 64)
    waves = [np.cos(np.pi * (rows * steps[:, None] + columns * steps)) for rows in range(8) for columns in range(8)]
    shapes = np.stack(waves).reshape(64, -1)
    looks = []
    for number in range(count):
        if not number or chance.random() > 1 / 30:
            picture = 128 + (chance.normal(0, 12, 64) @ shapes).reshape(64, 64)
        seen = np.clip(np.rint(picture + chance.normal(0, 2, picture.shape)), 0, 255)
        looks.append(looks_of(Image.fromarray(seen.astype(np.uint8))))
    return looks


def build(folder: Path, source: str, count: int, chance: np.random.Generator) -> Built:
    """Write what a split needs of a build: its index and its manifest."""
    looks = [[asdict(look) for look in each] for each in pictures(count, chance)]
    samples = [f"{source}/{number:07d}.png" for number in range(count)]
    patients = [f"{source}/{number // 3}" for number in range(count)]
    digests = [hashlib.sha256(sample.encode()).hexdigest() for sample in samples]
    known = {
        "row": range(count), "sample_id": samples, "patient_id": patients, "patient_known": [True] * count,
        "ties": [[]] * count, "label": ["covid19", "no_finding"] * (count // 2), "modality": ["CXR"] * count,
        "sha256": digests, "blank": [False] * count, "pixel_hash": digests, "looks": looks,
        "row_sha256": digests, "rows": [1] * count,
    }  # fmt: skip
    table = pa.table([pa.array(known.get(f.name, [None] * count), f.type) for f in INDEX_SCHEMA], schema=INDEX_SCHEMA)
    table = table.append_column("split", pa.array(["train"] * count)).append_column("group", pa.array(patients))
    folder.mkdir()
    with pa.OSFile(str(folder / INDEX_FILE), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    text = json.dumps({"files": {INDEX_FILE: {"sha256": source}}}).encode()
    (folder / "manifest.json").write_bytes(text)
    (folder / "manifest.sha256").write_text(f"{hashlib.sha256(text).hexdigest()}  manifest.json\n")
    plain: dict[str, Any] = {
        "version": "1",
        "config": "default",
        "patients": None,
        "labels": {},
        "dropped": 0,
        "seconds": 0.0,
    }
    return Built(
        id=source, path=folder, fingerprint=source, rows=count, splits={"train": count}, incomplete=False,
        verify="full", **plain,
    )  # fmt: skip


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    count = parser.parse_args().rows // 2
    with tempfile.TemporaryDirectory() as work:
        chance = np.random.default_rng(0)
        builds = [build(Path(work, name), name, count, chance) for name in ("one", "other")]
        print(f"{2 * count:,} rows; load of the machine {os.getloadavg()[0]:.1f}")
        for what, chosen, scheme in (("a list", builds, "patient"), ("a fold of a list", builds, "fold-1-of-5")):
            for which in ("first", "second"):
                start, used = time.perf_counter(), time.process_time()
                select(chosen, scheme, Path(work, "splits"))
                wall, cpu = time.perf_counter() - start, time.process_time() - used
                print(f"  {what}, {which} load: {wall:.2f} s, {cpu:.2f} s of CPU", "(aim 1 s)" * (which == "second"))


if __name__ == "__main__":
    main()
