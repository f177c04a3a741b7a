"""``kill -9`` at any moment of a build: nothing half done is visible, and the next run goes on to the same end."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from covid_datasets.errors import NotBuiltError
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from tests.processes import Serial, digest_of, fork, leftovers

PIECES = {"small": 42, "default": 168}
ONE_ROW = 1
"""Shards of a row each, so that a build has many steps to be killed at."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    """Builds that nobody disturbed."""
    cache = tmp_path_factory.mktemp("whole")
    return {config: build_dataset("phantom", config, cache_dir=cache) for config in PIECES}


def build(config: str, cache: Path, num_proc: int = 2) -> None:
    build_dataset("phantom", config, cache_dir=cache, num_proc=num_proc, shard_bytes=ONE_ROW)


def finished_pieces(cache: Path) -> dict[str, int]:
    """List the finished pieces of an unfinished build, with the inode of their rows."""
    return {
        index.parent.name: index.with_name("rows.arrow").stat().st_ino
        for index in cache.glob("prepared/.work/*/pieces-*/piece-*/index.arrow")
    }


def kill_with_workers(process: BaseProcess) -> None:
    """Kill a process, and only that; its workers are to end by themselves, and not wait."""
    try:
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    except OSError:  # it has ended meanwhile
        workers = []
    process.kill()
    process.join()
    deadline = time.monotonic() + 600
    while any(map(is_running, workers)):
        assert time.monotonic() < deadline, "expected that the workers end, found that they wait"
        time.sleep(0.001)


def is_running(process: str) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def kill_during_build(config: str, cache: Path, pieces: int, delay: float) -> None:
    """Kill a build once it has so many pieces and some more time has gone by; it may have ended by then."""
    process = fork(build, config, cache)
    while process.is_alive() and len(finished_pieces(cache)) < pieces:
        time.sleep(0.001)
    time.sleep(delay)
    kill_with_workers(process)


def assert_nothing_half_done(cache: Path, config: str, whole: Built) -> bool:
    """What a loader sees is the whole build or none; tells which."""
    try:
        found = find_build("phantom", config, cache_dir=cache)
    except NotBuiltError:
        assert not list(cache.glob("prepared/phantom/*/*/*"))
        return False
    assert digest_of(found) == digest_of(whole)
    return True


@pytest.mark.parametrize("seed", range(20))
def test_a_build_that_was_killed_goes_on(tmp_path: Path, whole: dict[str, Built], seed: int) -> None:
    chance = random.Random(seed)
    config = "default" if seed % 7 == 0 else "small"
    kill_during_build(config, tmp_path, chance.randint(0, PIECES[config]), chance.uniform(0, 0.02))
    ended = assert_nothing_half_done(tmp_path, config, whole[config])
    kept = finished_pieces(tmp_path)

    counting = Serial()
    again = build_dataset("phantom", config, cache_dir=tmp_path, executor=counting, shard_bytes=ONE_ROW)
    assert again.fingerprint == whole[config].fingerprint
    assert digest_of(again) == digest_of(whole[config])
    assert leftovers(tmp_path) == []
    if not ended:
        assert counting.submitted == PIECES[config] - len(kept)
    if not ended and config == "default":
        # The pieces that were finished are the very files that are now in the splits; no pixel moves a row here.
        assert set(kept.values()) <= {path.stat().st_ino for path in again.path.rglob("*.arrow")}


def build_and_die(cache: Path, step: int, after: bool) -> None:
    """Build in one process that kills itself right before or after its ``step``-th rename."""
    done = 0

    def dying(real: Callable[..., None]) -> Callable[..., None]:
        def rename(source: Path, target: Path) -> None:
            nonlocal done
            done += 1
            if done == step and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            real(source, target)
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)

        return rename

    os.replace, os.rename = dying(os.replace), dying(os.rename)
    build_dataset("phantom", "small", cache_dir=cache, num_proc=1, shard_bytes=1 << 40)


def test_every_rename_is_a_safe_place_to_die(tmp_path: Path, whole: dict[str, Built]) -> None:
    renames = 0
    while die_and_go_on(tmp_path / str(renames), whole["small"], renames + 1, after=False):
        renames += 1
    assert renames > 15  # each file, each piece, and the last one, which makes the build visible
    assert die_and_go_on(tmp_path / "visible", whole["small"], renames, after=True)


def die_and_go_on(cache: Path, whole: Built, step: int, after: bool) -> bool:
    """Kill a build at a rename and go on; tells whether there was such a rename."""
    process = fork(build_and_die, cache, step, after)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    assert_nothing_half_done(cache, "small", whole)
    again = build_dataset("phantom", "small", cache_dir=cache, num_proc=1, shard_bytes=1 << 40)
    assert again.fingerprint == whole.fingerprint
    assert leftovers(cache) == []
    return process.exitcode != 0


def test_a_build_killed_again_and_again_comes_to_its_end(tmp_path: Path, whole: dict[str, Built]) -> None:
    kept: list[int] = []
    for _ in range(4):
        kill_during_build("default", tmp_path, sum(kept[-1:]) + 30, 0.0)
        kept.append(len(finished_pieces(tmp_path)))
    assert kept == sorted(kept)
    assert kept[-1] >= 120
    build("default", tmp_path)
    assert find_build("phantom", "default", cache_dir=tmp_path).fingerprint == whole["default"].fingerprint
    assert leftovers(tmp_path) == []


def test_workers_die_with_the_build_that_started_them(tmp_path: Path) -> None:
    process = fork(build, "default", tmp_path, 3)
    while len(finished_pieces(tmp_path)) < 3:
        time.sleep(0.001)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(workers) == 3
    assert all(map(is_running, workers))
    kill_with_workers(process)


def test_pieces_of_another_plan_are_not_used(tmp_path: Path, whole: dict[str, Built]) -> None:
    kill_during_build("small", tmp_path, 10, 0.0)
    assert finished_pieces(tmp_path)
    again = build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1, shard_bytes=300_000)
    assert digest_of(again) == digest_of(whole["small"])
    assert leftovers(tmp_path) == []
