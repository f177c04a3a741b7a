"""Builds that are suspended at one of their steps, for longer than their lock lasts, and go on beside the next one."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from covid_datasets.prepare import engine, once
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from tests.processes import digest_of, fork, leftovers

LEASE = 1.0
STEPS = ("rename", "replace", "link", "unlink", "mkdir")
"""Calls of the system that make or remove something that another process may see."""


def build(cache: Path, told: Any = None) -> None:
    """Build in this process alone; tells its fingerprint."""
    once.LEASE = LEASE
    built = engine.build_dataset("phantom", "small", cache_dir=cache, num_proc=1, shard_bytes=1 << 20)
    if told is not None:
        told.put((str(built.path), built.fingerprint))


def build_with_hook(cache: Path, told: Any, hook: Callable[[int, bool], None]) -> None:
    """Build, and call ``hook`` before and after each step with its number."""
    steps: list[str] = []

    def hooked(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            own = len(steps)
            target = [each for each in arguments if isinstance(each, str | Path)][-1]
            steps.append(f"{real.__name__} {Path(target).name}")
            hook(own, False)
            try:
                return real(*arguments, **options)
            finally:
                hook(own, True)

        return step

    for name in STEPS:
        setattr(os, name, hooked(getattr(os, name)))
    shutil.rmtree = hooked(shutil.rmtree)  # type: ignore[assignment]
    build(cache, told)
    told.put(steps)


def steps_of(cache: Path) -> list[str]:
    """List the steps of a build that nobody disturbs, each with the name of what it makes or removes."""
    told = multiprocessing.get_context("fork").SimpleQueue()
    process = fork(build_with_hook, cache, told, lambda number, after: None)
    process.join()
    assert process.exitcode == 0
    told.get()
    steps: list[str] = told.get()
    return steps


def suspend_and_check(cache: Path, whole: Built, step: int, *, after: bool) -> None:
    """Suspend a build at a step, let another take it over and end, and let the first one go on.

    What is visible is whole at every moment, both builds report it, and nothing is left.
    """

    def stop(number: int, is_after: bool) -> None:
        if (number, is_after) == (step, after):
            os.kill(os.getpid(), signal.SIGSTOP)

    context = multiprocessing.get_context("fork")
    answers = [context.SimpleQueue(), context.SimpleQueue()]
    first = fork(build_with_hook, cache, answers[0], stop)
    try:
        assert first.pid is not None
        stopped = os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert stopped is not None
        assert stopped.si_status == signal.SIGSTOP, f"step {step}: the build ended without it"
        second = fork(build, cache, answers[1])
        second.join(1000)
        assert second.exitcode == 0, f"step {step}: the second build: {second.exitcode}"
        found = find_build("phantom", "small", cache_dir=cache)
        assert digest_of(found) == digest_of(whole)
    finally:
        assert first.pid is not None
        os.kill(first.pid, signal.SIGCONT)
    first.join(1000)
    assert first.exitcode == 0, f"step {step}: the suspended build: {first.exitcode}"
    assert answers[0].get() == answers[1].get() == (str(found.path), whole.fingerprint)
    assert digest_of(find_build("phantom", "small", cache_dir=cache)) == digest_of(whole)
    build(cache)
    assert leftovers(cache) == [], f"step {step}"


def chosen_step(seed: int, steps: int) -> tuple[int, bool]:
    """Choose a step by chance, and whether the build stops before or after it."""
    chance = random.Random(seed)
    return chance.randrange(steps), chance.random() < 0.5
