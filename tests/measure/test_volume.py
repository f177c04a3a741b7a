"""Of a volume some axial slices are compared, so that a copy is found however it is stored, or cut."""

from __future__ import annotations

import io
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from covid_datasets.measure.image import Measured, measure, measure_pixels, window
from covid_datasets.measure.looks import HASH_BYTES, moment_of
from covid_datasets.measure.volume import COMPARED, LEAST_SIDE, measure_volume, places
from covid_datasets.splits.near import near_duplicates
from covid_datasets.splits.seen import Seen
from tests.nifti import USUAL, body, nifti

BODY = body(1)


def measured(voxels: np.ndarray, affine: np.ndarray = USUAL, *, located: bool = True) -> Measured:
    return measure_volume(nifti(np.ascontiguousarray(voxels), affine, located=located), "", "a.nii.gz")


WHOLE = measured(BODY)
OTHERS = [measured(body(person)) for person in (2, 3)]


def found(*others: Measured) -> list[tuple[int, int]]:
    links = near_duplicates(Seen.of(each.looks for each in (WHOLE, *OTHERS, *others)))
    return [(link.first, link.second) for link in links]


@given(st.integers(1, 4000))
def test_places_are_as_many_from_either_end(depth: int) -> None:
    numbers = places(depth)
    assert numbers == sorted({depth - 1 - number for number in numbers})
    assert 1 <= len(numbers) <= COMPARED
    assert depth // 2 in numbers
    assert len(numbers) == depth or depth > COMPARED // 2


def test_the_middle_slice_comes_first_and_gives_a_volume_its_hash() -> None:
    assert WHOLE.looks is not None
    moments = list(dict.fromkeys(moment_of(look.part) for look in WHOLE.looks))
    assert moments == ["", *(f"slice {number}" for number in places(48) if number != 24)]
    assert WHOLE.phash == WHOLE.looks[0].hashes[:HASH_BYTES].hex()


@pytest.mark.parametrize(("side", "slices"), [(LEAST_SIDE - 1, 1), (LEAST_SIDE, len(places(48)))])
def test_of_stripes_one_is_compared(side: int, slices: int) -> None:
    """All of six volumes with 240 slices of 200 x 3 voxels looked alike a million times: half a minute."""
    middle = BODY.shape[2] // 2
    looks = measured(BODY[:, :, middle - side // 2 : middle - side // 2 + side]).looks
    assert looks is not None
    assert len({moment_of(look.part) for look in looks}) == slices


@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_looks_are_the_same_however_a_volume_is_stored(axes: tuple[int, int, int]) -> None:
    """Its affine says where everything is."""
    backwards = axes[0] != 0
    stored = BODY.transpose(axes)[:: -1 if backwards else 1]
    change = np.zeros((4, 4))
    for old, new in enumerate(axes):
        change[2 - new, 2 - old] = 1.0
    change[3, 3] = 1.0
    if backwards:
        change[:, 3] += change[:, 2] * (stored.shape[0] - 1)
        change[:, 2] *= -1
    assert measured(stored, USUAL @ change).looks == WHOLE.looks


@pytest.mark.parametrize(
    "copy",
    [
        BODY[::-1],
        BODY[:-1][::-1],
        BODY[::-1, ::-1],
        BODY.transpose(0, 2, 1),
        BODY[::2],
        BODY[1::3],
        BODY[: len(BODY) // 2],
        BODY[10:-6],
        BODY[:, 2:-2, 3:-1],
        np.clip(BODY, -900, 100) + 900,
        ((BODY + 1000) / 1400 * 255).astype(np.uint8),
    ],
    ids=["upside down", "odd", "both", "transposed", "every 2nd", "every 3rd", "half", "part", "cut", "window", "grey"],
)
def test_a_copy_is_found_though_nothing_says_how_it_lies(copy: np.ndarray) -> None:
    assert found(measured(copy, located=False)) == [(0, 3)]


def test_a_slice_that_was_published_as_a_picture_is_found() -> None:
    data = io.BytesIO()
    Image.fromarray(window(BODY[places(48)[3]])[:, ::-1]).resize((200, 180)).save(data, "PNG")
    assert found(measure(data.getvalue(), "", "a.png")) == [(0, 3)]


def test_the_slice_that_stands_for_a_series_is_found_in_a_volume() -> None:
    """A volume says which way it lies, so in its display that is a slice of the same number."""
    shown = BODY[24][::-1]  # `USUAL` has rows to the front
    assert found(measure_pixels(shown, "", "a.tiff")) == [(0, 3)]


def test_one_slice_in_common_does_not_make_two_volumes_one() -> None:
    stranger = body(4)
    stranger[24] = BODY[24]
    assert found(measured(stranger)) == []
    assert found(measured(BODY[24:25])) == [(0, 3)], "a volume of a single slice is a picture"


@pytest.mark.parametrize(
    "voxels",
    [
        np.full((1, 60, 60), -700, np.int16),
        np.full((30, 60, 60), 5, np.uint8),
        np.repeat(np.arange(30, dtype=np.int16), 3600).reshape(30, 60, 60),
        np.full((9, 60, 60), np.nan, np.float32),
    ],
    ids=["one slice", "one value", "constant slices", "no numbers"],
)
def test_a_volume_of_nothing_is_like_nothing(voxels: np.ndarray) -> None:
    blank = measured(voxels)
    assert (blank.looks, blank.phash) == ((), bytes(HASH_BYTES).hex())
    assert found(blank, blank) == []


def test_slices_that_show_nothing_hide_no_copy() -> None:
    """The middle one is constant, and one holds what is no number."""
    voxels = BODY.astype(np.float32)
    voxels[24] = -1000
    voxels[12, :40] = np.nan
    assert found(measured(voxels)) == [(0, 3)]
