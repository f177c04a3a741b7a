"""Calculated chests in a folder are data of one's own: the same bytes for a seed, and masks where the chest is ill."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from covid_datasets import load_dataset
from covid_datasets.phantoms.folder import learned_chest, write_chests, write_volumes
from covid_datasets.phantoms.volume import chest_volume


def test_a_seed_gives_the_same_bytes_and_another_one_none_of_them(tmp_path: Path) -> None:
    def files(seed: int, to: str) -> dict[str, bytes]:
        folder = write_chests(tmp_path / to, 2, seed)
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    one, again, other = files(3, "one"), files(3, "again"), files(4, "other")
    assert one == again
    assert set(one) == set(other)
    assert [name for name in one if one[name] == other[name]] == ["chests.csv"]


def test_no_chest_to_learn_from_is_one_that_is_measured_on() -> None:
    learned = [learned_chest(number).voxels.tobytes() for number in (0, 4)]
    shapes = [learned_chest(number).voxels.shape for number in (0, 4)]
    assert not any(chest_volume(seed, shape=shape).voxels.tobytes() in learned for seed in range(3) for shape in shapes)


@pytest.mark.skipif(not find_spec("nibabel"), reason="needs the extra volumes")
def test_what_was_calculated_is_what_is_loaded(tmp_path: Path) -> None:
    chest = chest_volume(1, shape=(5, 64, 48), load=0.4, kinds=("consolidation", "ground_glass"))
    folder = write_volumes(
        tmp_path / "mine", [("a", chest), ("b", chest_volume(2, shape=(5, 64, 48)))], ["train", "test"]
    )
    rows = load_dataset(
        folder, "slices", split="train", scheme="official", framework="numpy", cache_dir=tmp_path / "cache"
    )
    assert np.array_equal(np.stack([row["image"] for row in rows]), chest.voxels)
    for name, truth in (
        ("lung", chest.lung > 0),
        ("infection", chest.infection > 0),
        ("consolidation", chest.infection == 2),
    ):
        assert np.array_equal(np.stack([row["masks"][name] for row in rows]) > 0, truth)
        assert truth.any()
