"""Grids: held against SimpleITK, nibabel and Pillow, and against what must be true of any."""

from __future__ import annotations

from itertools import permutations, product

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from covid_datasets.errors import UsageError
from covid_datasets.transforms.axes import Axis, as_stored, interpolated_plane, kept, nearest_plane, sized, spaced
from covid_datasets.transforms.grids import AS_IS, Regrid, nearest_planes, planes, regrid, turned_plane
from covid_datasets.transforms.orient import axis_codes, codes_of

LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
CODES = ["".join(order) for sides in product("LR", "PA", "SI") for order in permutations(sides)]
OBLIQUE = np.array([[0.69, 0.05, -0.4, -10.0], [-0.04, 0.79, 0.3, 5.0], [0.1, -0.06, 2.9, 30.0], [0, 0, 0, 1]])


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-1000, 400, shape).astype(np.int16)


def smooth(*shape: int) -> np.ndarray:
    """A ramp along each axis, which linear interpolation gives back exactly inside."""
    slices, rows, columns = np.ogrid[tuple(slice(side) for side in shape)]
    return (100.0 * slices + 7.0 * rows - 3.0 * columns).astype(np.float64)


def made(volume: np.ndarray, grid: Regrid) -> np.ndarray:
    return np.stack(list(planes(volume, grid)))


@pytest.mark.parametrize("spacing", [(0.5, 0.6, 5.0), (0.7, 0.8, 3.0), (0.33, 0.8, 8.0)])
def test_finer_spacing_is_that_of_simpleitk(spacing: tuple[float, ...]) -> None:
    sitk = pytest.importorskip("SimpleITK")
    volume, affine = noise(7, 20, 30), np.diag([0.7, 0.8, 8.0, 1.0])
    affine[:3, 3] = (-10, 5, 30)
    image = sitk.GetImageFromArray(volume.astype(np.float64))
    image.SetSpacing((0.7, 0.8, 8.0))
    image.SetOrigin((-10, 5, 30))
    grid = regrid(volume.shape, affine, spacing=spacing)
    ours, place = made(volume, grid), grid.affine(affine)
    assert place.diagonal()[:3] == pytest.approx(spacing)
    size = [int(side) for side in ours.shape[::-1]]
    origin, sides = tuple(place[:3, 3]), tuple(place.diagonal()[:3])
    theirs = sitk.GetArrayFromImage(
        sitk.Resample(image, size, sitk.Transform(), sitk.sitkLinear, origin, sides, image.GetDirection(), 0.0)
    )
    inside = np.s_[2:-2, 2:-2, 2:-2]  # beyond its outermost voxels SimpleITK knows nothing
    assert np.abs(ours - theirs)[inside].max() < 1e-6


def test_an_oblique_volume_is_where_nibabel_says() -> None:
    pytest.importorskip("scipy")
    processing = pytest.importorskip("nibabel.processing")
    volume = noise(9, 20, 30)
    grid = regrid(volume.shape, OBLIQUE, orientation="RAS", spacing=(0.5, 0.5, 2.0))
    ours, place = made(volume, grid), LPS_RAS @ grid.affine(OBLIQUE)
    source = nibabel.Nifti1Image(volume.T.astype(np.float64), LPS_RAS @ OBLIQUE)
    theirs = processing.resample_from_to(source, (ours.shape[::-1], place), order=1, cval=np.nan).get_fdata().T
    known = ~np.isnan(theirs)
    assert known.mean() > 0.7
    assert np.abs(ours - theirs)[known].max() < 1e-6


@pytest.mark.parametrize("codes", CODES)
def test_turning_is_that_of_nibabel_and_loses_nothing(codes: str) -> None:
    volume = noise(5, 6, 7)
    grid = regrid(volume.shape, OBLIQUE, orientation=codes)
    image = nibabel.Nifti1Image(volume.T, LPS_RAS @ OBLIQUE)
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(codes)
    )
    theirs = image.as_reoriented(turn)
    assert np.array_equal(made(volume, grid), np.asarray(theirs.dataobj).T)
    assert np.allclose(LPS_RAS @ grid.affine(OBLIQUE), theirs.affine)
    assert codes_of(grid.affine(OBLIQUE)) == codes
    back = regrid(grid.shape, grid.affine(OBLIQUE), orientation=codes_of(OBLIQUE))
    assert np.array_equal(made(made(volume, grid), back), volume)


@given(
    st.sampled_from(CODES),
    st.tuples(*[st.floats(0.3, 4.0)] * 3),
    st.one_of(st.none(), st.tuples(st.integers(1, 40), st.integers(1, 40))),
)
def test_a_ramp_stays_a_ramp_and_in_its_place(
    codes: str, spacing: tuple[float, ...], size: tuple[int, int] | None
) -> None:
    """The value of a voxel is a function of its place, so what the affine says can be read off the voxels."""
    volume = smooth(8, 9, 10)
    grid = regrid(volume.shape, OBLIQUE, orientation=codes, spacing=spacing, size=size)
    ours = made(volume, grid)
    assert ours.shape == grid.shape
    slices, rows, columns = np.indices(ours.shape).reshape(3, -1)
    old = (grid.matrix @ np.stack([columns, rows, slices, np.ones(len(rows))]))[:3]
    reach = max(1.0, *(axis.scale for axis in grid.axes))
    inside = ((old >= reach) & (old <= np.array([[9], [8], [7]]) - reach)).all(axis=0)
    expected = 100.0 * old[2] + 7.0 * old[1] - 3.0 * old[0]
    # Where many voxels become one, their middle may be off by some of a voxel's slope; a wrong place is off by more.
    tolerance = 1e-6 if reach == 1 else 0.25 * (100 + 7 + 3)
    assert np.abs(ours.ravel() - expected)[inside].max(initial=0) < tolerance


@pytest.mark.parametrize("size", [(37, 50), (237, 250), (100, 50), (1, 1)])
def test_a_size_is_that_of_pillow(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (100, 133)).astype(np.uint8)
    ours = as_stored(interpolated_plane(picture, sized(100, size[0]), sized(133, size[1])), np.dtype(np.uint8))
    theirs = np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR))
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


def test_a_pattern_finer_than_the_new_pixels_becomes_grey() -> None:
    lines = np.tile(np.array([[0], [100]], np.uint8), (64, 8))
    small = interpolated_plane(lines, sized(128, 16), sized(8, 8))
    assert np.abs(small[1:-1] - 50).max() < 1


def test_masks_are_chosen_and_never_mixed() -> None:
    mask = np.random.default_rng(2).integers(0, 2, (12, 20, 30)).astype(np.uint8) * 255
    grid = regrid(mask.shape, np.diag([1.0, 1.0, 5.0, 1.0]), orientation="SLA", spacing=(2.0, 0.7, 1.3))
    assert set(np.unique(np.stack(list(nearest_planes(mask, grid))))) == {0, 255}
    assert nearest_plane(mask[0], sized(20, 40), sized(30, 60)).tolist() == mask[0].repeat(2, 0).repeat(2, 1).tolist()


def test_slices_are_asked_for_when_they_are_needed() -> None:
    volume, most = noise(40, 8, 8), 0
    asked: list[int] = []
    grid = regrid(volume.shape, np.diag([1.0, 1.0, 8.0, 1.0]), orientation="LPI", spacing=(1.0, 1.0, 5.0))

    def plane(number: int) -> np.ndarray:
        asked.append(number)
        found: np.ndarray = volume[number]
        return found

    found = []
    for number, out in enumerate(planes(plane, grid)):
        found.append(out)
        most = max(most, len(asked) - number * 5 // 8)
    assert np.array_equal(np.stack(found), made(volume, grid))
    assert asked == list(range(39, -1, -1)), "each once"
    assert most <= 3


def test_the_middle_stays_where_it_is() -> None:
    for old, spacing, wanted in ((40, 8.0, 5.0), (41, 0.7, 1.0), (3, 1.0, 2.0), (512, 0.65, 0.5)):
        axis = spaced(old, spacing, wanted)
        assert abs(axis.new * wanted - old * spacing) <= wanted / 2 + 1e-9
        assert axis.scale * (axis.new - 1) / 2 + axis.shift == pytest.approx((old - 1) / 2)


def test_one_slice_stays_one() -> None:
    grid = regrid((1, 20, 20), np.diag([0.5, 0.5, 8.0, 1.0]), spacing=(1.0, 1.0, 5.0))
    assert grid.shape == (1, 10, 10)
    assert grid.slices_stay
    assert np.sqrt((grid.affine(np.diag([0.5, 0.5, 8.0, 1.0]))[:3, 2] ** 2).sum()) == 8.0


def test_a_border_goes_on_outside() -> None:
    axis = spaced(3, 1.0, 4.0).then(sized(1, 9))
    assert np.isfinite(interpolated_plane(np.array([[1.0, 2.0, 3.0]]), kept(1), axis)).all()
    assert interpolated_plane(np.array([[1.0, 2.0, 3.0]]), kept(1), axis)[0, [0, -1]].tolist() == [1.0, 3.0]


def test_nothing_to_do_is_nothing_done() -> None:
    affine = np.diag([0.7, 0.7, 8.0, 1.0])
    grid = regrid((4, 20, 30), affine, orientation="LPS", spacing=(0.7, 0.70001, 8.0), size=(20, 30))
    assert grid.same
    assert grid == Regrid(AS_IS, (kept(30), kept(20), kept(4)))
    assert grid.affine(affine) is affine


@pytest.mark.parametrize("codes", CODES)
def test_boxes_move_with_their_pixels(codes: str) -> None:
    volume = np.zeros((3, 40, 60), np.uint8)
    volume[:, 8:20, 10:30] = 1
    grid = regrid(volume.shape, np.diag([1.0, 1.0, 3.0, 1.0]), orientation=codes, size=(80, 60))
    found = grid.box(10, 8, 20, 12)
    if codes[2] not in "SI":
        assert found is None
        return
    assert found is not None
    x, y, width, height = (round(value) for value in found)
    rows, columns = np.nonzero(next(nearest_planes(volume, grid)))
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x, y, x + width, y + height)


def test_a_box_outside_is_gone() -> None:
    grid = Regrid(AS_IS, (spaced(100, 1.0, 1.0), Axis(100, 10, 5.0, 25.0), kept(1)))
    assert grid.box(0, 0, 10, 10) is None


def test_colours_are_turned_like_grey() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    grid = regrid((1, 5, 6), np.eye(4), orientation="AL" + "S")
    turned = turned_plane(picture, grid)
    assert turned.shape == (6, 5, 3)
    assert np.array_equal(turned[..., 1], made(picture[None, ..., 1], grid)[0])


@pytest.mark.parametrize("wrong", ["", "LP", "LPSS", "LLS", "LPX", "LRS", "lph", 3, None, ("L", "P", "S")])
def test_what_is_no_orientation_is_said(wrong: object) -> None:
    with pytest.raises(UsageError, match=r"to_orientation: expected three letters.*found"):
        axis_codes(wrong)
