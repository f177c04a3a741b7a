"""Chests to learn from: the same for the same seed, all unlike each other, and with masks that fit them."""

from __future__ import annotations

import numpy as np

from covid_datasets.phantoms.varied import varied_chest

SHAPE = (6, 64, 64)
CHESTS = [varied_chest(seed, shape=SHAPE) for seed in range(24)]


def test_a_seed_gives_one_chest() -> None:
    again = varied_chest(5, shape=SHAPE)
    assert np.array_equal(again.voxels, CHESTS[5].voxels)
    assert np.array_equal(again.infection, CHESTS[5].infection)
    assert again.spacing == CHESTS[5].spacing != CHESTS[6].spacing


def test_lesions_are_in_lungs_and_aerated_lung_is_dark() -> None:
    for chest in CHESTS:
        assert not chest.infection[chest.lung == 0].any()
        healthy = (chest.lung > 0) & (chest.infection == 0)
        if healthy.sum() > 200:
            assert np.median(chest.voxels[healthy]) < -600


def test_chests_differ_in_load_and_kind() -> None:
    rates = [chest.infection_rate for chest in CHESTS]
    assert min(rates) == 0
    assert max(rates) > 0.4
    dense = [float((chest.infection == 2).sum() / max((chest.infection > 0).sum(), 1)) for chest in CHESTS]
    assert np.std(dense) > 0.2
