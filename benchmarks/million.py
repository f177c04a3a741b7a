"""A million slices through plan, index and splits, without a pixel: processor seconds, peak memory of the client.

    python -m benchmarks.million                    # 1,000,000 slices; --slices 100000 for a quick look

Records, plan and index rows are those of a real build; of the rows of a piece only the index is written, as a worker
would, in as many pieces as the engine cuts. Looks are random, so no two slices are alike, which is what a source of CT
volumes is: its slices take no part in the search for near-duplicates. With ``--films`` all of them do.
"""

from __future__ import annotations

import argparse
import tempfile

from benchmarks.measuring import in_process

RUN = """
import json, random, resource, sys, time
from pathlib import Path
from covid_datasets.catalog.published import published_splits
from covid_datasets.disk import write_json
from dataclasses import asdict
import numpy as np
from PIL import Image
from covid_datasets.measure.image import Measured
from covid_datasets.measure.looks import looks_of
from covid_datasets.prepare import plan
from covid_datasets.prepare.arrow_file import arrow_file
from covid_datasets.prepare.indices import read_indices, write_index
from covid_datasets.prepare.place import LocalPlace, piece_folder
from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.prepare.settle import lay_out
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import File, Record
from covid_datasets.splits.assign import assign

count, films, out = int(sys.argv[1]), sys.argv[2] == "films", Path(sys.argv[3])
A_SCAN, SCANS = 250, 2
chance, noise, figures, last = random.Random(1), np.random.default_rng(1), {}, time.process_time()

def step(name):
    global last
    now, peak = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    figures[name], figures[name + " MB"], last = now - last, peak, now

class Tree(RawTree):
    def sizes(self):
        return found

found = {f"P{n // (A_SCAN * SCANS):06}/scan-{n // A_SCAN % SCANS}/{n % A_SCAN:04}.png": 100_000 for n in range(count)}
def records():
    for path in found:
        patient, scan, _ = path.split("/")
        yield Record(sample_id=path, image=File(path), modality="CT", patient=patient, study=scan, label="covid19")
step("list")
made = plan.make_plan("phantom", records(), Tree(()))
step("plan")
place = LocalPlace(out, out)
for piece in made.pieces:
    folder = piece_folder(out, piece.number)
    folder.mkdir()
    with arrow_file(folder / "index.arrow", INDEX_SCHEMA.with_metadata({"notices": "[]"})) as sink:
        for start in range(0, len(piece.rows), 4096):
            rows = []
            for number, record in piece.rows[start : start + 4096]:
                look = dict(looks=[asdict(look) for look in looks_of(Image.fromarray(
                    noise.integers(0, 255, (64, 64), np.uint8)))]) if films else {}
                rows.append(dict(
                    row=number << 20, sample_id=f"phantom/{record.sample_id}", patient_id=f"phantom/{record.patient}",
                    patient_known=True, ties=list(record.ties), label=record.label, modality="CT", quality="good",
                    bytes=100_000, sha256=f"{chance.getrandbits(256):064x}", blank=False, pixel_hash=None,
                    row_sha256=f"{chance.getrandbits(256):064x}", rows=1, **look))
            sink.write(rows)
    write_json(folder / "seal.json", {"files": {"rows.arrow": {"size": 1, "sha256": "0"}}}, durable=False)
step("indices of the workers")
made = made.without_records()
index, rows_of, _, _ = read_indices(made, place)
step("read indices")
groups = index.groups
step("groups")
splits = assign(groups, index.units, published_splits("phantom"))
rows = index.table.column("row").to_pylist()
planned = list(zip((piece.split for piece in made.pieces), rows_of))
layout = lay_out(planned, dict(zip(rows, splits)))
step("splits")
position = {row: number for number, row in enumerate(rows)}
(out / "final").mkdir()
write_index(index, splits, [position[row] for row in layout.order()], out / "final")
step("write index")
figures |= {"pieces": len(made.pieces), "index MB": (out / "final" / "index.arrow").stat().st_size / 1e6}
print(json.dumps(figures))
"""


def main() -> None:
    """Measure one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=1_000_000)
    parser.add_argument("--films", action="store_true", help="every slice is compared with every other by its look")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = in_process(RUN, str(options.slices), "films" if options.films else "slices", folder)
    steps = [name for name in figures if f"{name} MB" in figures]
    print(f"{options.slices:,} slices in {figures['pieces']:,.0f} pieces; index of {figures['index MB']:,.0f} MB")
    for name in steps:
        print(f"  {name:<24}{figures[name]:>9.1f} s  peak {figures[f'{name} MB']:>8,.0f} MB")
    print(f"  {'in all':<24}{sum(figures[name] for name in steps):>9.1f} s")


if __name__ == "__main__":
    main()
