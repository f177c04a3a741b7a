"""List and plan a source of 600,000 slices in folders of patients and scans: seconds and peak memory.

Two shapes: a record for each scan that has many parts, and a record for each slice. Files have one byte, so what is
measured is the listing, the records and the plan, and no reading.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.measuring import in_process

SLICES = 300
SCANS = 2
PLAN = """
import json, resource, sys, time
from covid_datasets.prepare import plan
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import File, Parts, Record

def parts(raw): yield from ()

def by_scan(raw):
    scans = {}
    for path in raw.sizes():
        scans.setdefault(path.rpartition("/")[0], []).append(path)
    for scan, files in sorted(scans.items()):
        files = tuple(sorted(files))
        image = Parts(scan, parts, (files,), files)
        patient = scan.partition("/")[0]
        yield Record(sample_id=scan, image=image, modality="CT", patient=patient, study=scan, series=scan)

def by_slice(raw):
    for path in raw.paths("*.dcm"):
        scan = path.rpartition("/")[0]
        patient = scan.partition("/")[0]
        yield Record(sample_id=path, image=File(path), modality="CT", patient=patient, study=scan, series=scan)

raw = RawTree.of_folder(sys.argv[1])
started = time.perf_counter()
count = len(raw.sizes())
listed = time.perf_counter() - started
made = plan.make_plan("phantom", {"scan": by_scan, "slice": by_slice}[sys.argv[2]](raw), raw)
seconds = time.perf_counter() - started - listed
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps({"files": count, "list": listed, "plan": seconds, "rows": made.rows, "mb": peak}))
"""


def write_tree(folder: Path, count: int) -> None:
    """Write so many files of one byte, as ``<patient>/<scan>/<slice>.dcm``."""
    for number in range(count // (SLICES * SCANS)):
        for scan in range(SCANS):
            place = folder / f"P{number:05}" / f"scan-{scan}"
            place.mkdir(parents=True)
            for index in range(SLICES):
                (place / f"{index:04}.dcm").write_bytes(b"x")


def main() -> None:
    """Measure both shapes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=600_000)
    parser.add_argument("--tree", type=Path, help="a tree of an earlier run, or where to leave it for the next one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tree = options.tree or Path(name) / "tree"
        if not tree.exists():
            write_tree(tree, options.slices)
        for shape in ("scan", "slice"):
            found = in_process(PLAN, str(tree), shape)
            print(
                f"  a record for each {shape:<6} {found['files']:,.0f} files listed in {found['list']:.1f} s, "
                f"{found['rows']:,.0f} records planned in {found['plan']:.1f} s, peak {found['mb']:.0f} MB "
                f"(aim 60 s, 1,000 MB) {json.dumps(found)}"
            )


if __name__ == "__main__":
    main()
