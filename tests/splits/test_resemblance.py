"""Of whom nobody knows anything, pictures that are alike are kept together; of all others that is no evidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from covid_datasets import OwnData, audit, build_dataset
from covid_datasets.measure.looks import looks_of
from covid_datasets.prepare.result import Built
from covid_datasets.splits.index import Index
from covid_datasets.splits.near import near_duplicates, resemblances
from covid_datasets.splits.seen import Seen


def scan(number: int) -> Image.Image:
    """Draw a slice of somebody."""
    grain = np.random.default_rng(number).integers(0, 255, (12, 12), np.uint8)
    return Image.fromarray(grain).resize((320, 320), Image.Resampling.BICUBIC)


SLICES = [scan(1), scan(2), Image.blend(scan(1), scan(9), 0.32), scan(3)]
"""The third is what comes next to the first: much of it is the same."""


def seen(order: list[int]) -> Seen:
    return Seen.of([looks_of(SLICES[number]) for number in order])


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 2, 3, 0]])
def test_neighbours_are_alike_and_no_copies(order: list[int]) -> None:
    found = [{order[link.first], order[link.second]} for link in resemblances(seen(order))]
    assert found == [{0, 2}]
    assert near_duplicates(seen(order)) == []


def test_rows_that_are_left_out_keep_their_numbers() -> None:
    (link,) = resemblances(seen([1, 0, 3, 2]).of_rows(np.asarray([1, 3])))
    assert {link.first, link.second} == {1, 3}
    assert not list(resemblances(seen([1, 0, 3, 2]).of_rows(np.asarray([0, 3]))))


def test_what_shows_nothing_is_like_nothing() -> None:
    assert not list(resemblances(Seen.of([(), None, looks_of(Image.new("L", (320, 320), 90))])))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, shown in enumerate(SLICES):
        place = tmp_path / "own" / "covid" / f"P{number}"
        place.mkdir(parents=True)
        shown.save(place / "1.png")
    return tmp_path


def build(folder: Path, own: OwnData) -> Built:
    return build_dataset(own, cache_dir=folder / "cache", num_proc=1)


def test_only_people_of_whom_nothing_is_known_are_kept_together_by_it(folder: Path) -> None:
    unknown = build(folder, OwnData(folder / "own", group="near-duplicates"))
    known = build(folder, OwnData(folder / "own", patient_level=1))
    assert (unknown.groups, known.groups) == (3, 4)
    kinds = {link.kind for link in Index.evidence([unknown.path]).links}
    assert "resemblance" in kinds
    assert "near-duplicate" not in kinds, "they are no copies, and nothing says that they are"
    report = audit(OwnData(folder / "own", group="near-duplicates"), level="quick", cache_dir=folder / "cache")
    assert report.leaks == 0


def test_strangers_of_two_sources_are_not_kept_together_by_it(folder: Path) -> None:
    one = build(folder, OwnData(folder / "own", group="near-duplicates"))
    two = build(folder, OwnData(folder / "own", group="near-duplicates", name="other"))
    index = Index.join([one.path, two.path])
    across = [link for link in index.links if (link.first < one.rows) != (link.second < one.rows)]
    assert {link.kind for link in across} == {"same bytes", "same pixels", "near-duplicate"}
