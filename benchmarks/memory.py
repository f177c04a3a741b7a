"""Peak memory of a build at two workers, summed over all its processes, and of a source ten times as large."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

EVERY_SECONDS = 0.02


def resident_mb(pid: int) -> float:
    """Sum the resident memory of a process and all below it."""
    try:
        own = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError, StopIteration):  # it ended between two looks
        return 0.0
    return int(own.split()[1]) / 1000 + sum(resident_mb(int(child)) for child in children)


def peak_of(command: list[str]) -> float:
    """Run a command and watch its memory."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read() if process.stderr else ""))
    reader.start()
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, resident_mb(process.pid))
        time.sleep(EVERY_SECONDS)
    reader.join()
    if process.returncode != 0:
        raise SystemExit(errors[0])
    return peak


def main() -> None:
    """Measure phantom in two sizes, and the real sources where given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--covid-ct", type=Path)
    parser.add_argument("--cohen", type=Path)
    options = parser.parse_args()
    builds = {"phantom": ["phantom"], "phantom, 10 times": ["phantom", "--config", "large"]}
    for source, folder in (("covid_ct", options.covid_ct), ("cohen", options.cohen)):
        if folder is not None:
            builds[source] = [source, "--data-dir", str(folder)]
    peaks = {}
    for name, arguments in builds.items():
        with tempfile.TemporaryDirectory() as cache:
            command = [sys.executable, "-m", "covid_datasets", "build", *arguments, "--num-proc", "2"]
            peaks[name] = peak_of([*command, "--cache-dir", cache])
        print(f"  {name:<20}{peaks[name]:>8.0f} MB (aim 350)")
    print(
        f"  ten times the source: {peaks['phantom, 10 times'] / peaks['phantom']:.2f} times the memory (aim 0.9 to 1.1)"
    )


if __name__ == "__main__":
    main()
