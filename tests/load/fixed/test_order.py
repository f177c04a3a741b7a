"""Epochs are exact: every row once, the same on every machine, for any number of ranks, from any place on."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.load.fixed.order import WINDOW_BLOCKS, Order, Shuffle, permutation
from covid_datasets.load.fixed.steps import Steps, Uneven
from covid_datasets.transforms.joint.numbers import keys

counts = st.integers(0, 300)
small = st.integers(1, 9)


def test_orders_are_pinned() -> None:
    """Epochs of a published run are the same with every later version: a change of these numbers breaks a promise."""
    assert permutation(10, 0, 0).tolist() == PINNED[0]
    assert permutation(10, 7, 3).tolist() == PINNED[1]
    assert keys(2, 1, 2).tolist() == PINNED_KEYS


PINNED = [[4, 6, 3, 9, 5, 7, 1, 8, 2, 0], [5, 4, 6, 0, 1, 7, 8, 9, 2, 3]]
PINNED_KEYS = [5377388732346800180, 8166931934322313856]


@given(counts, st.integers(-5, 1 << 70), st.integers(0, 100), st.sampled_from([True, False, "blocks"]), small)
def test_every_row_once(count: int, seed: int, epoch: int, shuffle: Shuffle, block: int) -> None:
    rows = Order(count, shuffle, seed, block=block).rows(epoch)
    assert sorted(rows.tolist()) == list(range(count))


def test_epochs_and_seeds_differ_and_look_random() -> None:
    orders = [Order(1000, True, seed).rows(epoch) for seed in range(3) for epoch in range(3)]
    assert len({order.tobytes() for order in orders}) == 9
    moved = [abs(float(np.corrcoef(order, np.arange(1000))[0, 1])) for order in orders]
    assert max(moved) < 0.15
    first = Counter(int(Order(10, True, seed).rows(0)[0]) for seed in range(2000))
    assert all(120 < first[row] < 280 for row in range(10)), "each row is first about as often"


def test_blocks_mix_within_windows() -> None:
    order = Order(1000, "blocks", block=10).rows(0)
    windows = [set((order[at : at + 10 * WINDOW_BLOCKS] // 10).tolist()) for at in range(0, 1000, 10 * WINDOW_BLOCKS)]
    assert all(len(window) <= WINDOW_BLOCKS for window in windows), "a window reads no more than its blocks"
    assert abs(float(np.corrcoef(order, np.arange(1000))[0, 1])) < 0.35
    places = np.random.default_rng(0).permutation(1000)
    by_place = places[Order(1000, "blocks", block=10, places=places).rows(0)]
    assert by_place.tolist() == order.tolist(), "neighbours are those on the disk"


@given(counts, small, small, st.booleans(), st.sampled_from(["pad", "drop"]))
def test_ranks_share_one_order(
    count: int, batch_size: int, world: int, drop_last: bool, uneven: Literal["pad", "drop"]
) -> None:
    order = permutation(count, 1, 2)
    ranks = [Steps(batch_size, rank, world, drop_last, uneven) for rank in range(world)]
    batches = [list(steps.cut(order)) for steps in ranks]
    assert {len(each) for each in batches} == {ranks[0].count(count)}, "equally many batches for every rank"
    seen: list[int] = []
    for step in zip(*batches, strict=True):
        assert len({len(batch) for batch in step}) == 1, "of equal sizes"
        assert len(step[0]) >= 1
        seen += [row for batch in step for row in batch.tolist()]
    assert seen[:count] == order.tolist()[: len(seen)], "all ranks together see the one order"
    left = count % (batch_size * world)
    if drop_last:
        assert len(seen) == count - left
    elif uneven == "drop":
        assert len(seen) == count - left % world
    else:
        assert len(seen) == (0 if count == 0 else count + -count % world)


@given(counts, small, small, st.data(), st.sampled_from(["pad", "drop"]))
def test_any_place_can_be_gone_on_from(
    count: int, batch_size: int, world: int, data: st.DataObject, uneven: Uneven
) -> None:
    order = permutation(count, 5)
    steps = Steps(batch_size, 0, world, uneven=uneven)
    whole = [batch.tolist() for batch in steps.cut(order)]
    done = data.draw(st.integers(0, len(whole)))
    seen = min(done * steps.together, count)
    assert [batch.tolist() for batch in steps.cut(order, seen)] == whole[done:]
    assert steps.count(count, seen) == len(whole) - done


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=120), st.integers(0, 9))
def test_balance_draws_every_class_equally_often(given_labels: list[int], epoch: int) -> None:
    labels = np.array(given_labels)
    known = labels[labels >= 0]
    rows = Order(len(labels), True, 3, labels=labels).rows(epoch)
    assert len(rows) == len(known)
    if len(known) == 0:
        return
    drawn = Counter(labels[rows].tolist())
    assert set(drawn) == set(known.tolist())
    assert max(drawn.values()) - min(drawn.values()) <= 1
    times = Counter(rows.tolist())
    for label in drawn:
        members = np.flatnonzero(labels == label).tolist()
        each = [times[row] for row in members]
        assert max(each) - min(each) <= 1, "no row twice before each of its class once"


@given(st.lists(st.integers(0, 6), min_size=1, max_size=80), st.integers(1, 4))
def test_groups_take_turns(given_groups: list[int], most: int) -> None:
    groups = np.array(given_groups)
    sizes = Counter(given_groups)
    order = Order(len(groups), True, 0, groups=groups, per_group=most)
    seen: set[int] = set()
    for epoch in range(-(-max(sizes.values()) // most)):
        rows = order.rows(epoch)
        assert len(set(rows.tolist())) == len(rows)
        assert Counter(groups[rows].tolist()) == {group: min(size, most) for group, size in sizes.items()}
        seen |= set(rows.tolist())
    assert seen == set(range(len(groups))), "after so many epochs every row was there"


@pytest.mark.parametrize("epoch", [0, 5])
def test_both_together(epoch: int) -> None:
    labels, groups = np.array([0] * 50 + [1] * 4), np.arange(54) // 5
    rows = Order(54, True, 0, labels=labels, groups=groups, per_group=1).rows(epoch)
    assert len(rows) == 11
    assert sorted(Counter(labels[rows].tolist()).values()) in ([5, 6], [1, 10])
