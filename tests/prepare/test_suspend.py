"""SIGSTOP at any step of a build, for longer than its lock lasts: the next build and the first one agree.

``benchmarks/suspend_builds.py`` does the same at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets.prepare import engine, once
from covid_datasets.prepare.result import Built
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Part, Parts, Record, Rows
from tests.prepare.test_tabular import use_table
from tests.suspending import chosen_step, steps_of, suspend_and_check


def parts_of(raw: RawTree, number: int) -> Iterator[Part]:
    noise = np.random.default_rng(number).integers(-1000, 400, (3, 80, 80)).astype(np.int16)
    for index, pixels in enumerate(noise):
        yield Part(f"{index:03}", f"{number}.nii.gz/{index:03}", pixels, typical=index == 1)


def records_with_parts(raw: RawTree) -> Iterator[Record]:
    for number in range(14):
        image = Parts(f"{number}.nii.gz", parts_of, (number,))
        yield Record(sample_id=f"P{number}", image=image, modality="CT", patient=f"P{number}")


def rows_of(raw: RawTree, place: str) -> Iterator[dict[str, Any]]:
    yield {"place": place, "deaths": list(range(50))}


def records_of_rows(raw: RawTree) -> Iterator[Record]:
    for number in range(42):
        yield Record(sample_id=f"{number:02}", rows=Rows(f"{number}.csv", rows_of, (f"{number}",), (), 1 << 16))


KINDS: dict[str, Callable[[RawTree], Iterator[Record]] | None] = {
    "images": None,
    "parts": records_with_parts,
    "tables": records_of_rows,
}


@pytest.fixture(params=KINDS)
def whole(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    """A build of each kind that nobody disturbed."""
    if records := KINDS[request.param]:
        monkeypatch.setattr("covid_datasets.builders.phantom.records", records)
    if request.param == "tables":
        use_table(monkeypatch)
    monkeypatch.setattr(once, "LEASE", once.LEASE)
    cache = tmp_path / "whole"
    return engine.build_dataset("phantom", "small", cache_dir=cache, num_proc=1, allow_missing=False)


@pytest.mark.parametrize("seed", range(2))
def test_a_build_that_was_suspended_and_taken_over(tmp_path: Path, whole: Built, seed: int) -> None:
    steps = steps_of(tmp_path / "counted")
    assert len(steps) > 40
    step, after = chosen_step(seed, len(steps))
    suspend_and_check(tmp_path / "cache", whole, step, after=after)


@pytest.mark.parametrize("after", [False, True])
def test_a_build_that_was_suspended_when_it_becomes_visible(tmp_path: Path, whole: Built, after: bool) -> None:
    """The worst moment: it asked for its lock a moment ago, and has nothing left to do but the last rename."""
    steps = steps_of(tmp_path / "counted")
    last = max(number for number, name in enumerate(steps) if name == f"rename {whole.path.name}")
    suspend_and_check(tmp_path / "cache", whole, last, after=after)
