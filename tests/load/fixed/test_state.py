"""A few integers say where an epoch is; from there it goes on exactly, also with other workers, ranks and sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import build_dataset, load_dataset, to_numpy
from covid_datasets.errors import UsageError


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Any:
    cache: Path = tmp_path_factory.mktemp("cache")
    build_dataset("phantom", "small", cache_dir=cache, num_proc=1)
    return load_dataset("phantom", "small", "all", framework="numpy", cache_dir=cache)


def make(rows: Any, **options: Any) -> Any:
    return to_numpy(rows, **{"image_size": 8, "batch_size": 4, "dtype": "uint8", **options})


def epochs(batches: Any, count: int) -> list[list[list[str]]]:
    return [[batch["sample_id"] for batch in batches] for _ in range(count)]


@pytest.mark.parametrize("options", [{}, {"balance": True}, {"per_group": 2}, {"shuffle": "blocks"}, {"batch_size": 5}])
def test_resumed_anywhere_it_is_the_same(rows: Any, options: dict[str, Any]) -> None:
    whole = epochs(make(rows, **options), 3)
    assert whole[0] != whole[1]
    for epoch in range(3):
        for stop in range(len(whole[epoch])):
            first = make(rows, **options)
            first.set_epoch(epoch)
            for number, _ in enumerate(first):
                if number == stop:
                    state = json.loads(json.dumps(first.state_dict()))
                    assert state == first.state_after(stop + 1, epoch)
                    break
            second = make(rows, **options)
            second.load_state_dict(state)
            left = whole[epoch][stop + 1 :]
            following = [left, *whole[epoch + 1 :]] if left else whole[epoch + 1 :]
            assert epochs(second, len(following)) == following


def test_set_epoch_after_a_resume_keeps_the_place(rows: Any) -> None:
    """The usual loop calls it at the top of every epoch, also of the one that goes on."""
    whole = epochs(make(rows), 3)
    batches = make(rows)
    batches.load_state_dict({"seed": 0, "epoch": 1, "seen": 8})
    batches.set_epoch(1)
    assert epochs(batches, 1) == [whole[1][2:]]
    batches.set_epoch(1)
    assert epochs(batches, 1) == [whole[1]]
    batches.set_epoch(2)
    assert epochs(batches, 1) == [whole[2]]


def test_it_goes_on_with_other_ranks_and_sizes(rows: Any) -> None:
    order = [name for batch in epochs(make(rows), 1)[0] for name in batch]
    ranks = [make(rows, rank=rank, world=2, batch_size=3) for rank in range(2)]
    for each in ranks:
        each.load_state_dict({"seed": 0, "epoch": 0, "seen": 12})
    steps = zip(*(epochs(each, 1)[0] for each in ranks), strict=True)
    assert [name for first, second in steps for name in (*first, *second)] == order[12:]


def test_len_counts_what_comes(rows: Any) -> None:
    for options in ({}, {"drop_last": True}, {"balance": True}, {"per_group": 1}, {"world": 3, "uneven": "drop"}):
        batches = make(rows, batch_size=5, **options)
        assert len(batches) == len(list(batches)) > 0


def test_leaving_early_begins_the_next_epoch(rows: Any) -> None:
    whole = epochs(make(rows), 2)
    batches = make(rows)
    assert next(iter(batches))["sample_id"] == whole[0][0]
    assert epochs(batches, 1) == whole[1:]


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"seed": 0, "epoch": 0},
        {"seed": 1, "epoch": 0, "seen": 0},
        {"seed": 0, "epoch": -1, "seen": 0},
        {"seed": 0, "epoch": 0, "seen": 10**6},
        {"seed": 0, "epoch": 0, "seen": "4"},
        {"seed": 0, "epoch": 0, "seen": 0, "other": 1},
    ],
)
def test_wrong_states(rows: Any, state: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="state: expected"):
        make(rows).load_state_dict(state)
    with pytest.raises(UsageError, match="epoch: expected"):
        make(rows).set_epoch(-1)


def test_no_global_random_state_is_used(rows: Any) -> None:
    import random

    import numpy as np

    before = random.getstate(), repr(np.random.get_state())
    epochs(make(rows, balance=True, per_group=2), 2)
    assert (random.getstate(), repr(np.random.get_state())) == before
