"""What is learned needs little memory beside a volume: work goes by slabs of slices, and that changes no bit."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("scipy")

from covid_datasets import learned_infection
from covid_datasets.baselines.segment.learned import LearnedInfection, infection_by, lungs_by
from covid_datasets.phantoms.volume import ChestVolume, chest_volume
from covid_datasets.transforms.derive.chest import infection_of, lungs_of
from covid_datasets.transforms.derive.contract import Sample
from covid_datasets.transforms.segment.coarse import SLAB, grown
from covid_datasets.transforms.segment.given import scan_of

pytestmark = pytest.mark.usefixtures("one_thread")
MOST = 3.0
"""Volumes of memory beside the scan, at most; torch's own, which do not grow with a scan, are not counted."""


@pytest.fixture(scope="module")
def scan() -> ChestVolume:
    """A scan of the usual rows and columns, in which slabs are a small part; few slices, repeated."""
    few = chest_volume(1, shape=(4, 512, 512), load=0.2)
    times = SLAB
    spacing = (*few.spacing[:2], few.spacing[2] / times)
    return ChestVolume(np.repeat(few.voxels, times, 0), few.lung[:0], few.infection[:0], spacing)


@pytest.fixture(scope="module")
def network() -> Any:
    """A network as quick as can be: what it says does not matter here."""
    from covid_datasets.baselines.segment.unet import Architecture, new_network

    return new_network(Architecture(slices=1, widths=(4, 8), side=32), 0).eval()


def volumes_of(scan: ChestVolume, work: Any) -> float:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / scan.voxels.nbytes


def test_lungs_and_infection_by_a_network_take_less_than_three_volumes(scan: ChestVolume, network: Any) -> None:
    """As the derived dataset has both, which asks for the lungs and then, with these at hand, for infection."""
    rows = tuple({"modality": "CT"} for _ in scan.voxels)
    sample = Sample(scan.voxels, volume=True, hounsfield=True, rows=rows, spacing=scan.spacing, orientation="LPS")
    lungs: Any = lungs_by(network, "quick")
    infection = infection_by(network, "quick")
    assert volumes_of(scan, lambda: infection_of(sample, lungs_of(sample, lungs), infection)) < MOST


def test_infection_is_what_a_network_says_within_the_lungs() -> None:
    """The same by whole arrays, as it reads; the method itself works in place."""
    chest = chest_volume(3, shape=(SLAB + 1, 96, 80), load=0.4, kinds=("consolidation", "ground_glass"))
    seen, inside = scan_of(chest.voxels, chest.spacing), chest.lung > 0
    method: Any = learned_infection()
    assert isinstance(method, LearnedInfection)
    asked = method.asked
    _, ill, dense = asked.likely(seen, inside, asked.shown(seen))
    ill, dense = asked.large(ill, seen), asked.large(dense, seen)
    found = method(seen, inside)
    assert np.array_equal(found, np.where(ill & inside, np.where(dense, 2, 1), 0))
    assert found.dtype == np.uint8
    assert set(np.unique(found)) == {0, 1, 2}


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3 * SLAB), st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_slabs_grow_as_slices_do(slices: int, radius: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((slices, 9, 12)) < 0.1
    before = mask.copy()
    alone = np.concatenate([grown(mask[number : number + 1], radius) for number in range(slices)])
    assert np.array_equal(grown(mask, radius), alone)
    assert np.array_equal(mask, before)
