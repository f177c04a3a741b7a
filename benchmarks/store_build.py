"""A build over S3 on two Dask workers, against the same build on the local disk with two worker processes.

    python -m benchmarks.store_build --raw COHEN                     # a folder with the archive of cohen
    python -m benchmarks.store_build --raw COVID_CT --source covid_ct --endpoint http://127.0.0.1:4568

The server runs on the same machine and competes for the same cores, so it should be one that serves a range without
reading the whole object: SeaweedFS, MinIO, or s3rver of npm. It has the bucket ``covid-datasets-test``, and takes the
keys of the usual variables. Without ``--endpoint`` the server of the tests is used, which is none of these.

The seconds of the processor are those of the client processes: the build's own and its workers'. Raw files are put into
the store before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from benchmarks.build_rate import CPU
from benchmarks.measuring import in_process, in_turns, median, show
from covid_datasets.store import Store
from tests.stores import BUCKET, KEYS, s3_server

BUILD = """
import json, sys, time
import pyarrow.compute, covid_datasets.prepare.engine as engine, covid_datasets.prepare.finish
source, folder, out, scheduler = sys.argv[1:]
executor = client = None
if scheduler:
    from distributed import Client
    client = Client(scheduler_file=scheduler)
    client.wait_for_workers(2)
    executor = client.get_executor()
begun, started = cpu(), time.perf_counter()
how = dict(executor=executor) if executor else dict(num_proc=2)
built = engine.build_dataset(source, data_dir=folder, cache_dir=out, allow_missing=True, **how)
print(json.dumps({"seconds": time.perf_counter() - started, "cpu": cpu() - begun, "fingerprint": built.fingerprint}))
"""


def cpu_of(processes: list[subprocess.Popen[bytes]]) -> float:
    """Return the seconds of the processor that processes took so far."""
    tick = os.sysconf("SC_CLK_TCK")
    fields = [Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split() for process in processes]
    return sum(int(field[11]) + int(field[12]) for field in fields) / tick


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[Path, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and two workers of one thread each."""
    file, quiet = folder / "scheduler.json", (folder / "dask.log").open("wb")
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    worker = ["distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    variables = {**os.environ, "TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder / "worker")}
    started = []
    try:
        for command in (scheduler, worker, worker):
            full = [sys.executable, "-m", *command, *common]
            started.append(subprocess.Popen(full, stdout=quiet, stderr=quiet, env=variables))
            while not file.exists():
                time.sleep(0.05)
        yield file, started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


def main() -> None:
    """Measure both, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="a folder with the untouched archives of the source")
    parser.add_argument("--source", default="cohen")
    parser.add_argument("--endpoint", help="the address of a server of the S3 protocol (default: that of the tests)")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    server = nullcontext(options.endpoint) if options.endpoint else s3_server()
    with tempfile.TemporaryDirectory() as temporary, server as address:
        folder = Path(temporary)
        variables = {"AWS_ENDPOINT_URL": address, "XDG_CACHE_HOME": str(folder / "client")}
        os.environ.update({**KEYS, **os.environ, **variables})
        raw = options.raw
        there = Store(f"s3://{BUCKET}/raw")
        for path in raw.iterdir():
            there.put_file(path, path.name)
        megabytes = sum(path.stat().st_size for path in raw.iterdir()) / 1e6

        with cluster(folder) as (scheduler, workers):
            turn = iter(range(1000))

            def on_disk() -> dict[str, float]:
                with tempfile.TemporaryDirectory() as out:
                    return in_process(CPU + BUILD, options.source, str(raw), out, "")

            def in_store() -> dict[str, float]:
                out = Store(f"s3://{BUCKET}/cache-{next(turn)}")
                before = cpu_of(workers)
                found = in_process(CPU + BUILD, options.source, there.url, out.url, str(scheduler))
                found["cpu"] += (took := cpu_of(workers) - before)
                found["workers"] = took
                out.remove()
                return found

            results = in_turns({"on a disk": on_disk, "over S3": in_store}, options.rounds)
        prints = {json.dumps(each["fingerprint"]) for found in results.values() for each in found}
        assert len(prints) == 1, f"expected one fingerprint, found {prints}"
        print(f"{options.source}: {megabytes:,.0f} MB of archives; fingerprint {prints.pop()}")
        for name, found in results.items():
            show(name, found, "seconds", "s")
            show(f"  {name}, CPU", found, "cpu", "s")
        show("  of this the workers", results["over S3"], "workers", "s")
        ratios = [median(results["on a disk"], what) / median(results["over S3"], what) for what in ("seconds", "cpu")]
        print(f"speed over S3: {ratios[0]:.2f} of that on a disk (aim: at least 0.4)")
        print(f"CPU of the client processes: {1 / ratios[1]:.2f} times (aim: at most 1.5)")


if __name__ == "__main__":
    main()
