"""The same build on a Dask cluster whose workers share no disk with the client, from and to an object store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import build_dataset, verify
from covid_datasets.catalog.cards import load_card
from covid_datasets.cli import main
from covid_datasets.errors import BuildError, UsageError
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.store import Store
from tests.processes import digest_of, private_mounts
from tests.server import serve
from tests.small import NO_PROXY, SmallSources, small_configs
from tests.small import environment as small_environment
from tests.stores import BUCKET, environment, needs_store, proxy, s3_server, use

pytestmark = [
    needs_store,
    pytest.mark.skipif(not find_spec("distributed"), reason="needs distributed: pip install 'covid_datasets[dask]'"),
    pytest.mark.skipif(not private_mounts(), reason="needs a mount namespace to hide the client's disk from workers"),
]


class Cluster:
    """A scheduler and workers in processes of their own; of the folder ``hidden`` these see nothing."""

    def __init__(self, folder: Path, hidden: Path, variables: dict[str, str]) -> None:
        self.file, self._hidden, self._folder, self._variables = folder / "scheduler.json", hidden, folder, variables
        self.processes: list[subprocess.Popen[bytes]] = []
        self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        deadline = time.monotonic() + 60
        while not self.file.exists():
            assert time.monotonic() < deadline, "expected that the scheduler starts"
            time.sleep(0.05)
        self.workers = [self.worker(), self.worker()]

    @property
    def address(self) -> str:
        address: str = json.loads(self.file.read_text())["address"]
        return address

    def worker(self) -> subprocess.Popen[bytes]:
        """Start a worker on a disk of its own."""
        own = self._folder / f"disk-{len(self.processes)}"
        own.mkdir()
        hide = [*private_mounts(), "bash", "-euc", 'mount -t tmpfs none "$0"; exec "$@"', str(self._hidden)]
        where = {"TMPDIR": str(own), "XDG_CACHE_HOME": str(own), "HOME": str(own)}
        return self._start("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", before=hide, **where)

    def _start(self, what: str, *options: str, before: Sequence[str] = (), **where: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", str(self.file), *options]
        told = (self._folder / f"{what}-{len(self.processes)}.log").open("wb")
        variables = {**self._variables, **where}
        process = subprocess.Popen([*before, *command], stdout=told, stderr=told, env=variables, cwd=self._folder)
        self.processes.append(process)
        return process


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return the disk of the client, of which workers see nothing."""
    folder = tmp_path / "machine"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def cache(server: str, machine: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    use(monkeypatch, server)
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine))
    return f"s3://{BUCKET}/{abs(hash(request.node.nodeid)):x}"


@contextmanager
def cluster(tmp_path: Path, machine: Path, address: str) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    found = Cluster(folder, machine, environment(address))
    try:
        yield found
    finally:
        for process in found.processes:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_cluster_without_a_shared_disk(
    cache: str, server: str, machine: Path, tmp_path: Path, small_sources: SmallSources
) -> None:
    """Downloads reach the workers through the store, archives are read there in place; the command line does it too."""
    from distributed import Client

    names = ("covid19_radiography", "midrc_ricord_1a")  # a zip of films; series of DICOM, a folder each
    trees = {name: small_sources.tree(name, "served") for name in names}
    with (
        small_sources.in_use(),
        small_environment(NO_PROXY),
        cluster(tmp_path, machine, server) as dask,
        Client(dask.address) as client,
    ):
        client.wait_for_workers(2, timeout=120)
        for name in names:
            with serve(trees[name]) as host:
                config = small_configs(load_card(name))[0]
                how: dict[str, Any] = {"mirror": host.url(""), "allow_missing": True, "shard_bytes": 50_000}
                here = build_dataset(name, config, cache_dir=machine / "here", num_proc=1, **how)
                there = build_dataset(name, config, cache_dir=cache, executor=client.get_executor(), **how)
                assert there.rows
                assert there.fingerprint == here.fingerprint
                assert digest_of(find_build(name, config, cache_dir=cache)) == digest_of(here)
        assert main(["build", "phantom", "--config", "small", "--cache-dir", cache, "--dask", dask.address]) == 0
        by_command = find_build("phantom", "small", cache_dir=cache)
    local = build_dataset("phantom", "small", cache_dir=machine / "here", num_proc=1)
    assert by_command.fingerprint == local.fingerprint


@pytest.mark.slow
def test_worker_that_is_killed_loses_and_doubles_nothing(
    cache: str, server: str, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``kill -9`` of a worker while it puts a piece, over a connection that fails now and then."""
    from distributed import Client

    sealed: list[str] = []
    some = threading.Event()

    def fault(method: str, path: str, number: int) -> str:
        if method == "PUT" and path.partition("?")[0].endswith("seal.json"):
            sealed.append(path)
            if len(sealed) == 2:
                some.set()
        return ["503", "cut", "slow"][number // 11 % 3] if number % 11 == 5 else ""

    local: Built = build_dataset("phantom", "small", cache_dir=machine / "here", num_proc=1)
    with (
        proxy(server, fault) as address,
        cluster(tmp_path, machine, address) as dask,
        Client(dask.address) as client,
    ):
        use(monkeypatch, address)
        client.wait_for_workers(2, timeout=120)

        def kill() -> None:
            assert some.wait(300)
            os.kill(_pid_below(dask.workers[0].pid), 9)
            dask.worker()

        killer = threading.Thread(target=kill)
        killer.start()
        built = build_dataset("phantom", "small", cache_dir=cache, executor=client.get_executor(), shard_bytes=200_000)
        killer.join()
        assert built.fingerprint == local.fingerprint
        assert len(client.scheduler_info()["workers"]) <= 2
    use(monkeypatch, server)
    assert verify("phantom", config="small", cache_dir=cache).ok
    assert digest_of(find_build("phantom", "small", cache_dir=cache)) == digest_of(local)
    assert not (Store(cache) / "prepared" / ".work").sizes()


def _pid_below(process: int) -> int:
    """Give the worker: what starts it in its own mounts becomes it, or waits for it."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return int(children[0]) if children else process


def test_cluster_that_is_not_there_is_said() -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["build", "phantom", "--dask", "tcp://127.0.0.1:9", "--num-proc", "1"])
    assert stopped.value.code == UsageError.exit_code
    assert main(["build", "phantom", "--dask", "nonsense://x"]) == UsageError.exit_code


def test_worker_of_another_release_is_refused(cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece that other code wrote may hold something else: better none."""
    with monkeypatch.context() as patch:
        patch.setattr("covid_datasets.prepare.place.code_digest", iter(["planned", "another"]).__next__)
        with pytest.raises(BuildError, match="same covid_datasets as the one that began the build, found another"):
            build_dataset("phantom", "small", cache_dir=cache, num_proc=1)
