"""A film that is stored as a volume of one slice."""

from __future__ import annotations

import numpy as np
import pytest

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.only_picture import only_picture
from covid_datasets.schema import Part
from tests.metaimage import mha
from tests.nifti import USUAL, nifti
from tests.raws import Files

FILM = np.random.default_rng(3).integers(0, 4096, (1, 40, 30)).astype(np.int16)


def part_of(voxels: np.ndarray, affine: np.ndarray = USUAL) -> Part:
    (part,) = only_picture(Files({"a.nii.gz": nifti(voxels, affine)}), "a.nii.gz")
    return part


@pytest.mark.parametrize("kind", ["<i2", "<u2", ">i2", "<i4", "<f4", "<f8"])
def test_stored_counts_stay_as_they_are(kind: str) -> None:
    part = part_of(FILM.astype(kind))
    assert part.id == ""
    assert part.pixels.dtype == np.uint16
    assert np.array_equal(part.pixels, FILM[0])
    assert part.fields == {
        "spacing": (0.7, 0.7),
        "value_range": "grey levels of 16 bits, no Hounsfield units: as stored",
    }


def test_counts_below_zero_are_moved_up_and_this_is_said() -> None:
    part = part_of(FILM - 4096)
    assert np.array_equal(part.pixels, FILM[0] - FILM.min())
    assert part.fields["value_range"].endswith(f"stored value * 1 + {FILM.min() - 4096}")


def test_no_affine_turns_a_film() -> None:
    flipped = USUAL @ np.diag([-1.0, -1.0, 1.0, 1.0])
    assert np.array_equal(part_of(FILM, flipped).pixels, FILM[0])


def test_eight_bits_stay_eight_and_a_metaimage_is_read_too() -> None:
    assert part_of(FILM // 16).pixels.dtype == np.uint8
    (part,) = only_picture(Files({"a.mha": mha(FILM)}), "a.mha")
    assert np.array_equal(part.pixels, FILM[0])


@pytest.mark.parametrize(
    ("voxels", "told"),
    [
        (np.repeat(FILM, 2, axis=0), "expected one picture, found 2 slices"),
        (np.where(FILM > 9, FILM, np.nan), "expected grey levels .* found values that are no numbers"),
        (np.full(FILM.shape, np.inf), "expected grey levels .* found values that are no numbers"),
    ],
)
def test_what_is_no_film_is_refused(voxels: np.ndarray, told: str) -> None:
    with pytest.raises(DamagedFileError, match=f"^a.nii.gz: {told}"):
        part_of(voxels)
