"""A small cohort that is built once, and torch in one thread."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import build_dataset


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the phantom, and return the cache that it is in."""
    cache: Path = tmp_path_factory.mktemp("cohort")
    build_dataset("phantom", cache_dir=cache, num_proc=1)
    return cache


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch add up in one order, whatever the machine."""
    if not find_spec("torch"):
        pytest.skip("needs the extra baselines")
    torch: Any = import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
