"""Small sources of which a module asks much: written once for it, apart from those that all tests look at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.small import SmallSources


@pytest.fixture(scope="module")
def alone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallSources]:
    """Return the small tree of the source that the module calls ``NAME``, with the catalog that expects it in use."""
    sources = SmallSources(tmp_path_factory.mktemp("alone"))
    sources.tree(request.module.NAME)
    with sources.in_use():
        yield sources
