"""A build in a daemonic process, which may have no children, as in many a web server and task queue."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from covid_datasets import build_dataset, find_build


def _build(cache: Path) -> None:
    build_dataset("phantom", "small", cache_dir=cache, num_proc=2)


def test_a_daemon_builds_with_threads(tmp_path: Path) -> None:
    daemon = multiprocessing.get_context("fork").Process(target=_build, args=(tmp_path / "daemon",), daemon=True)
    daemon.start()
    daemon.join()
    assert daemon.exitcode == 0
    _build(tmp_path / "usual")
    one, other = (find_build("phantom", "small", cache_dir=tmp_path / name) for name in ("daemon", "usual"))
    assert one.fingerprint == other.fingerprint
