"""Small sources, written and built once for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.small import SmallSources


@pytest.fixture(scope="session")
def small_sources(tmp_path_factory: pytest.TempPathFactory) -> SmallSources:
    """Return the small raw trees of all sources; tests only look at them."""
    return SmallSources(tmp_path_factory.mktemp("small"))


@pytest.fixture
def small(small_sources: SmallSources) -> Iterator[SmallSources]:
    """Return the small sources, with the catalog that expects them in use."""
    with small_sources.in_use():
        yield small_sources
