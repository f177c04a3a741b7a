"""A million files in one zip, one tar and one folder of archives' lists: time and memory to list them and to read some.

``python -m benchmarks.many_members --count 1000000``
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

LIMIT_MB = 1500


def write_zip(path: Path, count: int) -> None:
    """Pack so many small files."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            archive.writestr(zipfile.ZipInfo(name(number)), b"x")


def write_tar(path: Path, count: int) -> None:
    """Pack so many small files."""
    with path.open("wb") as out:
        for number in range(count):
            member = tarfile.TarInfo(name(number))
            member.size = 1
            out.write(member.tobuf(tarfile.GNU_FORMAT) + b"x".ljust(512, b"\0"))
        out.write(bytes(1024))


WRITERS: dict[str, Callable[[Path, int], None]] = {"x.zip": write_zip, "x.tar": write_tar}


def name(number: int) -> str:
    """Name a file as sources of this field do."""
    return f"dataset/patient-{number // 100:06}/slice-{number % 100:03}.png"


def look(path: Path, count: int) -> None:
    """List an archive in this process, read a few of its files, and print what that took."""
    from covid_datasets.raw.archives import open_archive

    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    archive = open_archive((str(path),))
    assert len(archive.sizes()) == count
    listed = time.perf_counter() - started
    for number in range(0, count, max(count // 100, 1)):
        assert archive.read(name(number)) == b"x"
    took = time.perf_counter() - started - listed
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{path.name}: {count:,} files listed in {listed:.1f} s, 100 read in {took:.2f} s, {megabytes:,.0f} MB")
    assert megabytes < LIMIT_MB, f"expected less than {LIMIT_MB:,} MB"


def main() -> None:
    """Write the archives, and look at each in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--look", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.look:
        look(chosen.look, chosen.count)
        return
    with tempfile.TemporaryDirectory() as folder:
        for kind, write in WRITERS.items():
            path = Path(folder) / kind
            write(path, chosen.count)
            command = [
                sys.executable,
                "-m",
                "benchmarks.many_members",
                "--count",
                str(chosen.count),
                "--look",
                str(path),
            ]
            subprocess.run(command, check=True)
            path.unlink()


if __name__ == "__main__":
    main()
