"""Slices come with those beside them, in the order of their series, and no other series is looked into."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets import load_dataset, to_numpy
from covid_datasets.errors import UsageError
from covid_datasets.load.fixed.around import neighbours
from tests.small import SmallSources


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99)), min_size=1, max_size=12, unique=True),
    st.sampled_from([1, 3, 5]),
)
def test_neighbours_are_the_nearest_of_the_series(rows: list[tuple[int, int]], slices: int) -> None:
    series, part = (np.array(each) for each in zip(*rows, strict=True))
    found = neighbours(series, part, slices)
    for row, beside in enumerate(found):
        own = sorted(np.flatnonzero(series == series[row]).tolist(), key=lambda each: part[each])
        at = own.index(row)
        expected = [own[min(max(at + step, 0), len(own) - 1)] for step in range(-(slices // 2), slices // 2 + 1)]
        assert beside.tolist() == expected


@pytest.fixture
def slices(small: SmallSources) -> Any:
    small.build("mosmed", config="slices")
    return load_dataset("mosmed", "slices", split="all", framework="numpy", cache_dir=small.cache, allow_missing=True)


def test_each_slice_is_seen_between_its_neighbours(slices: Any) -> None:
    plain, three = (
        to_numpy(slices, image_size=32, batch_size=4, shuffle=False, masks=True, slices=number) for number in (1, 3)
    )
    alone = np.concatenate([batch["image"].copy() for batch in plain])[:, 0]
    seen, masks = zip(*((batch["image"].copy(), batch["masks"].copy()) for batch in three), strict=True)
    together = np.concatenate(seen)
    assert together.shape == (len(slices), 3, 32, 32)
    assert np.array_equal(together[:, 1], alone)
    assert np.array_equal(np.concatenate(masks), np.concatenate([batch["masks"].copy() for batch in plain]))
    names, part = (slices.column(name).to_pylist() for name in ("series_id", "part_index"))
    place = {(name, number): row for row, (name, number) in enumerate(zip(names, part, strict=True))}
    assert len(set(names)) < len(names), "or no slice has a neighbour"
    for row, (name, number) in enumerate(zip(names, part, strict=True)):
        for channel, step in ((0, -1), (2, 1)):
            beside = place.get((name, number + step), row)
            assert np.array_equal(together[row, channel], alone[beside])


def test_decoded_and_stored_slices_are_the_same(slices: Any) -> None:
    stored, decoded = (
        to_numpy(slices, image_size=24, batch_size=3, slices=3, materialise=kept, seed=4) for kept in (True, False)
    )
    for one, other in zip(stored, decoded, strict=True):
        assert one["sample_id"] == other["sample_id"]
        assert np.array_equal(one["image"], other["image"])


@pytest.mark.skipif(not find_spec("torch"), reason="needs torch")
def test_tensors_of_several_slices_are_changed_together(slices: Any) -> None:
    from covid_datasets import Augment, to_torch

    batches = to_torch(
        slices, image_size=24, batch_size=3, slices=3, augment=Augment(flip=1.0), shuffle=False, masks=True
    )
    plain = to_torch(slices, image_size=24, batch_size=3, slices=3, shuffle=False, masks=True)
    for one, other in zip(batches, plain, strict=True):
        assert one["image"].shape[1] == 3
        assert np.allclose(one["image"].flip(3), other["image"], atol=1e-6)


@pytest.mark.parametrize("wrong", [0, 2, -3, 17, True, "3", 3.0])
def test_numbers_of_slices_that_have_no_middle_are_refused(slices: Any, wrong: Any) -> None:
    with pytest.raises(UsageError, match="slices: expected an odd number"):
        to_numpy(slices, image_size=24, slices=wrong)
    with pytest.raises(UsageError, match="channels=1"):
        to_numpy(slices, image_size=24, slices=3, channels=3)
