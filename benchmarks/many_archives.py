"""Read members of a hundred zips in random order: how long the lists take once, and each read after that.

Measured in a new process over `RawTree`, whose mounts know nothing of what is in their archives: the time to list all
archives and to build the index of paths, once; the first read after it, with no file open; then many reads in random
order, with the files that are open at once. Files have a few kB, so what is measured is finding and opening.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import zipfile
from pathlib import Path

from benchmarks.measuring import in_process

READ = """
import json, os, random, resource, statistics, sys, time
from pathlib import Path
from covid_datasets.raw.handles import handles
from covid_datasets.raw.mounts import TreeMount
from covid_datasets.raw.tree import RawTree

folder, count = Path(sys.argv[1]), int(sys.argv[2])
raw = RawTree(tuple(TreeMount((str(path),)) for path in sorted(folder.glob("*.zip"))))

def open_now():
    links = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    return sum(os.path.realpath(link).startswith(str(folder)) for link in links if os.path.exists(link))

paths = sorted(raw.sizes())
started = time.perf_counter()
raw.has(paths[0])
index = time.perf_counter() - started
handles.close()
started = time.perf_counter()
raw.read(paths[len(paths) // 2])
first = time.perf_counter() - started
chance, seconds, most = random.Random(1), [], 0
for number in range(count):
    path = chance.choice(paths)
    started = time.perf_counter()
    raw.read(path)
    seconds.append(time.perf_counter() - started)
    if number % 500 == 0:
        most = max(most, open_now())
seconds.sort()
print(json.dumps({
    "files": len(paths), "index": index, "first": first, "median": statistics.median(seconds),
    "p999": seconds[int(len(seconds) * 0.999)], "longest": seconds[-1], "open": most,
    "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
}))
"""
LIST = """
import json, sys, time
from pathlib import Path
from covid_datasets.raw.archives import open_archive

started = time.perf_counter()
count = sum(len(open_archive((str(path),)).sizes()) for path in sorted(Path(sys.argv[1]).glob("*.zip")))
print(json.dumps({"list": time.perf_counter() - started, "files": count}))
"""


def write_archives(folder: Path, archives: int, members: int) -> None:
    """Write zips of small members that do not compress."""
    folder.mkdir(parents=True)
    chance = random.Random(0)
    for number in range(archives):
        with zipfile.ZipFile(folder / f"CT-{number}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for member in range(members):
                archive.writestr(f"{number}/{member // 100}/{member:04}.png", chance.randbytes(2000))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archives", type=int, default=100)
    parser.add_argument("--members", type=int, default=4000)
    parser.add_argument("--reads", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "archives"
        write_archives(folder, options.archives, options.members)
        listed = in_process(LIST, str(folder))
        found = in_process(READ, str(folder), str(options.reads))
    print(
        f"{found['files']:,.0f} files in {options.archives} archives: listed once in {listed['list']:.2f} s, "
        f"index of paths {found['index']:.2f} s; then the first read, with nothing open, {found['first'] * 1e3:.2f} ms "
        f"(aim 20 ms); any read {found['median'] * 1e3:.3f} ms at the median, {found['p999'] * 1e3:.2f} ms for 999 of "
        f"1,000, longest {found['longest'] * 1e3:.2f} ms (aim 1 ms); {found['open']:.0f} files open at most (aim 64); "
        f"peak {found['mb']:.0f} MB {json.dumps({**listed, **found})}"
    )


if __name__ == "__main__":
    main()
