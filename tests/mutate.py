"""Bytes changed at random, and what whoever reads them raises that is not ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from covid_datasets.errors import CovidDatasetsError

Way = Callable[[bytes], object]
WORDS = [b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff", b"\x80", b"0", b"-1", b"9" * 20, b"nan", b"\xfe\xff\x00\xe0"]


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """Change a few bytes, mostly of the beginning, where headers are; insert, remove, repeat, or cut."""
    changed = bytearray(data)
    for _ in range(int(random.integers(1, 6))):
        reach = len(changed) if random.random() < 0.4 else min(len(changed), 1500)
        at, way = int(random.integers(0, max(reach, 1))), int(random.integers(0, 6))
        word = WORDS[int(random.integers(0, len(WORDS)))]
        if way == 0 and changed:
            changed[at % len(changed)] ^= 1 << int(random.integers(0, 8))
        elif way == 1:
            changed[at : at + len(word)] = word
        elif way == 2:
            changed[at:at] = word
        elif way == 3:
            del changed[at : at + int(random.integers(1, 20))]
        elif way == 4:
            changed[at:at] = changed[at : at + int(random.integers(1, 200))]
        elif random.random() < 0.1:
            del changed[at:]
        elif changed:
            changed[at % len(changed)] = int(random.integers(0, 256))
    return bytes(changed)


def raw_errors_of(
    wholes: Sequence[bytes], ways: Sequence[Way], count: int, seed: int, ours: tuple[type[Exception], ...] = ()
) -> list[tuple[int, str]]:
    """Read so many changed files; return the seeds of those that raised what is not ours, with what."""
    expected: tuple[type[Exception], ...] = (CovidDatasetsError, *ours)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(seed, seed + count):
            data = mutated(wholes[number % len(wholes)], np.random.default_rng(number))
            for way in ways:
                try:
                    way(data)
                except expected:
                    pass
                except Exception as error:
                    found.append((number, f"{type(error).__name__}: {error}"))
    return found
