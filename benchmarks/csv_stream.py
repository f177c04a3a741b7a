"""How long a table of many rows takes to read as a stream, and how much memory: ``python -m benchmarks.csv_stream``.

A million rows of eight cells, one in a hundred with quotation marks and one in a thousand over two lines.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from covid_datasets.raw.tree import RawTree
from covid_datasets.read.tables import scan_csv

ROWS = 1_000_000
COLUMNS = "uid,date,country,province,confirmed,deaths,latitude,longitude"
SECONDS, MEGABYTES = 8, 300


def write(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write(f"{COLUMNS}\n")
        for number in range(rows):
            province = '"two\nlines"' if number % 1_000 == 7 else '"Korea, South"' if number % 100 == 3 else "Québec"
            out.write(f"{number},2020-03-{number % 31 + 1:02},Canada,{province},{number % 977},,52.9399,-73.5491\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rows", type=int, nargs="?", default=ROWS)
    rows: int = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write(path, rows)
        began, busy = time.perf_counter(), time.process_time()
        scan = scan_csv(RawTree.of_folder(folder), path.name, required=COLUMNS.split(","))
        count = sum(1 for _ in scan.rows)
        seconds, busy = time.perf_counter() - began, time.process_time() - busy
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        megabytes = path.stat().st_size / 1e6
        print(f"{count:,} rows, {megabytes:,.0f} MB: {seconds:.1f} s, of one core {busy:.1f} s; {peak:.0f} MB at most")
        assert count == rows
        assert not scan.notices
        if rows == ROWS and (busy > SECONDS or peak > MEGABYTES):
            sys.exit(f"expected under {SECONDS} s and {MEGABYTES} MB")


if __name__ == "__main__":
    main()
