"""Numbers that look random and are a function of where they stand: the same on every machine, for ever.

No library's generator is asked, because those may change from version to version.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_BITS = 1 << 64
_PARTS = 4
"""Uniform numbers that are added up to one that is nearly normal."""
_MIDDLE = _PARTS * (2**16 - 1) / 2
_SPREAD = (_PARTS * (2**32 - 1) / 12) ** 0.5


def keys(count: int, *seeds: int) -> np.ndarray:
    """Return 64 bits for each of so many positions that look random (SplitMix64), and are the same everywhere.

    >>> keys(2, 0, 1).tolist() == keys(3, 0, 1)[:2].tolist(), keys(1, 0).tolist() == keys(1, 1).tolist()
    (True, False)
    """
    state = np.zeros(1, np.uint64)
    with np.errstate(over="ignore"):
        for seed in seeds:
            state = _mixed(state ^ _mixed(np.array([seed % _BITS], np.uint64) + np.uint64(_GOLDEN)))
        return _mixed(state + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN))


def _mixed(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(_FIRST)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(_SECOND)
    found: np.ndarray = values ^ (values >> np.uint64(31))
    return found


def uniform(count: int, *seeds: int) -> np.ndarray:
    """Return numbers from 0 to below 1, the same everywhere.

    >>> bool((0 <= uniform(1000, 5)).all() and (uniform(1000, 5) < 1).all())
    True
    """
    return (keys(count, *seeds) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def grain(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return noise of mean 0 and deviation 1, nearly normal: each value is the sum of four uniform ones.

    >>> noise = grain((100, 100), 7)
    >>> bool(abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.03 and noise.max() < 3.5)
    True
    """
    bits = keys(int(np.prod(shape)), seed)
    total = sum(((bits >> np.uint64(16 * part)) & np.uint64(0xFFFF)).astype(np.int32) for part in range(_PARTS))
    found: np.ndarray = ((total - _MIDDLE) / _SPREAD).astype(np.float32).reshape(shape)
    return found


def grain_on(shape: tuple[int, ...], seeds: list[int], device: Any) -> Any:
    """Return what `grain` returns for each seed, as a tensor that is made where it is needed."""
    import torch

    start = np.array([_mixed(_mixed(np.array([seed], np.uint64) + np.uint64(_GOLDEN)))[0] for seed in seeds])
    states = torch.from_numpy(start.view(np.int64)).to(device)
    places = torch.arange(1, int(np.prod(shape)) + 1, dtype=torch.int64, device=device) * _signed(_GOLDEN)
    bits = states[:, None] + places  # whole numbers of 64 bits wrap around, with a sign or without
    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        bits.bitwise_xor_(_shifted(bits, shift)).mul_(_signed(factor))
    bits.bitwise_xor_(_shifted(bits, 31))
    total = bits & 0xFFFF
    for part in range(1, _PARTS):
        total.add_((bits >> (16 * part)).bitwise_and_(0xFFFF))
    return total.to(torch.float64).sub_(_MIDDLE).div_(_SPREAD).to(torch.float32).reshape(len(seeds), *shape)


def _signed(value: int) -> int:
    return value - _BITS if value >= _BITS // 2 else value


def _shifted(bits: Any, count: int) -> Any:
    """Shift to the right without the sign."""
    return (bits >> count).bitwise_and_((1 << (64 - count)) - 1)
