"""Small sources, written and built once for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import load_card
from covid_datasets.prepare.result import Built
from covid_datasets.schema import Notice, Record
from tests.demands import records_of
from tests.small import SmallSources

# How long an example takes says what else the machine does, and nothing of the code.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def small_sources(tmp_path_factory: pytest.TempPathFactory) -> SmallSources:
    """Return the small raw trees of all sources; tests only look at them."""
    return SmallSources(tmp_path_factory.mktemp("small"))


@pytest.fixture
def small(small_sources: SmallSources) -> Iterator[SmallSources]:
    """Return the small sources, with the catalog that expects them in use."""
    with small_sources.in_use():
        yield small_sources


@pytest.fixture
def card(name: str) -> Card:
    """Return the real card; the small catalog is in use only where a test asks for ``small``."""
    return load_card(name)


@pytest.fixture
def built(name: str, config: str, small: SmallSources) -> Built:
    """Return the build of the source's small raw tree, in one of its configs."""
    return small.build(name, config=config)


@pytest.fixture
def found(name: str, config: str, small: SmallSources) -> list[Record | Notice]:
    """Return all that the builder yields for the small raw tree."""
    return records_of(name, config, small.tree(name))
