"""Two videos or volumes are one by two moments that differ, a picture and anything else by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from covid_datasets import OwnData, build_dataset
from covid_datasets.measure.looks import HASH_BYTES, Look, Looks, looks_at
from covid_datasets.splits.index import Index
from covid_datasets.splits.moments import DIFFERENT, Moments
from covid_datasets.splits.seen import Seen
from tests.nifti import body, nifti


def look(bits: int, part: str = "whole") -> Looks:
    """Make a look whose hash has so many bits that others have not."""
    return (Look(part, b"", ((1 << bits) - 1).to_bytes(HASH_BYTES, "big")),)


def sequence(*bits: int) -> Looks:
    first, *others = bits
    moments = (each for number, more in enumerate(others) for each in looks_at(f"frame {number}", look(more)))
    return (*look(first), *look(first, "central square"), *moments)


MOVING = sequence(0, 100, 100 + DIFFERENT - 1, 200)
"""Looks 0 and 1 are of its first moment, 2 and 3 of two that hardly differ, 4 of another."""


@pytest.mark.parametrize("turned", [False, True])
def test_two_moments_that_differ_in_both(turned: bool) -> None:
    def suffice(moments: Moments, one: int, other: int) -> bool:
        return moments.suffice(5 + other, one) if turned else moments.suffice(one, 5 + other)

    seen = Seen.of([MOVING, MOVING])
    for first, second, expected in [
        ((0, 0), (0, 0), False),
        ((0, 0), (1, 1), False),
        ((2, 2), (3, 3), False),
        ((0, 2), (4, 3), False),
        ((0, 0), (4, 0), False),
        ((0, 0), (2, 2), True),
        ((1, 0), (4, 4), True),
        ((3, 3), (0, 4), True),
    ]:
        moments = Moments(seen)
        assert not suffice(moments, *first)
        assert suffice(moments, *second) is expected, (first, second)


@pytest.mark.parametrize("still", [look(0), sequence(0), sequence(0, 5, DIFFERENT - 1)])
def test_one_moment_has_to_do_where_there_is_no_other(still: Looks) -> None:
    moments = Moments(Seen.of([None, MOVING, still]))
    assert moments.suffice(0, 5)
    assert moments.suffice(5, 4)


def test_pairs_do_not_prove_each_other() -> None:
    moments = Moments(Seen.of([MOVING, MOVING, MOVING]))
    assert not moments.suffice(0, 5)
    assert not moments.suffice(4, 14)
    assert moments.suffice(4, 9)


def test_a_moment_whose_whole_is_not_its_first_look_is_one() -> None:
    rows = [(*looks_at("slice 3", look(0, "within borders")), *looks_at("slice 9", look(200)))] * 2
    moments = Moments(Seen.of(rows))
    assert not moments.suffice(0, 2)
    assert moments.suffice(1, 3)
    assert np.array_equal(Seen.of(rows).rows, [0, 0, 1, 1])


def test_a_build_keeps_a_volume_and_what_was_made_of_it_together(tmp_path: Path) -> None:
    copy = np.ascontiguousarray(body(1)[::-1][5:])
    files = {"P0": nifti(body(1)), "P1": nifti(copy, located=False), "P2": nifti(body(2))}
    for patient, data in files.items():
        place = tmp_path / "own" / "covid" / patient
        place.mkdir(parents=True)
        (place / "1.nii.gz").write_bytes(data)
    built = build_dataset(OwnData(tmp_path / "own", patient_level=1), cache_dir=tmp_path / "cache", num_proc=1)
    assert (built.rows, built.groups) == (3, 2)
    (link,) = Index.evidence([built.path]).links
    assert (link.kind, link.first, link.second) == ("near-duplicate", 0, 1)
    assert ", upside down, " in link.key
    assert " of slice " in link.key
