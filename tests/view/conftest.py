"""One small build, for tests that look at what is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from covid_datasets import build_dataset


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds a finished build; tests only look at it."""
    folder = tmp_path_factory.mktemp("built")
    build_dataset("phantom", "small", cache_dir=folder, num_proc=1)
    return folder
