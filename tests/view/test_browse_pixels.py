"""What the page of `browse` shows of a row: images of any depth, volumes, videos, masks, and what cannot be decoded."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image

from covid_datasets.errors import UsageError
from covid_datasets.read.encode import encode
from covid_datasets.view.browse.kept import Kept
from covid_datasets.view.browse.pixels import SIDE, NothingShownError, small_picture, stack_of

EMPTY: dict[str, Any] = dict.fromkeys(
    ("image", "volume", "video", "masks", "volume_masks", "hu_slope", "hu_intercept", "modality")
)


def stored(data: bytes, path: str = "a.png") -> dict[str, Any]:
    return {"bytes": data, "path": path}


def image_of(pixels: np.ndarray, kind: str = "PNG") -> dict[str, Any]:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return stored(out.getvalue())


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_bytes_are_shown_as_they_are() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colours = np.stack([grey, grey[::-1], grey.T], axis=-1)
    for pixels in (grey, colours):
        stack = stack_of({**EMPTY, "image": image_of(pixels)})
        assert (len(stack), stack.kind, stack.hounsfield) == (1, "image", False)
        assert np.array_equal(np.asarray(stack.shown(0, "bone")), pixels)


def test_hounsfield_units_are_shown_by_windows() -> None:
    values = np.array([[-1350, -600, 150, 3000]], np.int16)
    by_scale = {"image": image_of((values + 1350).astype(np.uint16)), "hu_slope": 1.0, "hu_intercept": -1350.0}
    for row in ({"image": stored(encode(values), "a.tiff")}, by_scale):
        stack = stack_of({**EMPTY, **row})
        assert stack.hounsfield
        assert np.asarray(stack.shown(0)).tolist() == [[0, 128, 255, 255]]
        assert np.asarray(stack.shown(0, "mediastinum")).tolist() == [[0, 0, 198, 255]]
        assert np.asarray(stack.shown(0, "-1350,3000"))[0, -1] == 255
        for wrong in ("lungs", "1,2,3", "5,1", "a,b", "nan,1", ""):
            with pytest.raises(UsageError, match="window"):
                stack.shown(0, wrong)


def test_deep_pictures_that_are_no_hounsfield_units_fill_the_greys() -> None:
    values = np.arange(30_000, 30_100, dtype=np.uint16).reshape(10, 10)
    shown = np.asarray(stack_of({**EMPTY, "image": image_of(values)}).shown(0))
    assert (shown.min(), shown.max()) == (0, 255)
    flat = np.full((4, 4), 7, np.uint16)
    assert np.asarray(stack_of({**EMPTY, "image": image_of(flat)}).shown(0)).shape == (4, 4)


def test_masks_of_one_and_of_255_lie_where_they_are() -> None:
    where = np.zeros((8, 8), bool)
    where[2:4, 3:6] = True
    masks = {"lung": image_of(where.astype(np.uint8)), "infection": image_of(where * np.uint8(255)), "heart": None}
    stack = stack_of({**EMPTY, "image": image_of(np.zeros((8, 8), np.uint8)), "masks": masks})
    assert list(stack.marks) == ["lung", "infection"]
    for name in stack.marks:
        assert np.array_equal(np.asarray(stack.marked(name, 0))[..., 1] > 0, where)


@pytest.mark.parametrize("scaled", [False, True])
def test_volumes_are_slices_with_their_masks(scaled: bool) -> None:
    nibabel = pytest.importorskip("nibabel")
    voxels = np.full((6, 5, 4), -1000, np.int16)
    voxels[1, 2, 3] = 400
    picture = nibabel.Nifti1Image(voxels, np.diag([-1.0, -1.0, 2.0, 1.0]))
    if scaled:
        picture.header.set_slope_inter(0.5, -3.0)
    mask = nibabel.Nifti1Image((voxels > 0).astype(np.uint8), picture.affine)
    other = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), picture.affine)
    masks = {"lung": stored(mask.to_bytes(), "m.nii"), "heart": stored(other.to_bytes(), "o.nii"), "infection": None}
    row = {**EMPTY, "volume": stored(picture.to_bytes(), "a.nii"), "volume_masks": masks, "modality": "CT"}
    stack = stack_of(row)
    assert (stack.kind, len(stack), stack.hounsfield, list(stack.marks)) == ("volume", 4, True, ["lung"])
    bright = [np.argwhere(np.asarray(stack.shown(number)) == 255).tolist() for number in range(4)]
    assert bright == [[], [], [], [[2, 1]]]
    assert np.argwhere(np.asarray(stack.marked("lung", 3))[..., 1]).tolist() == [[2, 1]]
    assert stack.nbytes >= voxels.nbytes + mask.get_fdata().size
    assert opened(small_picture(row, b"")).size == (6, 5)


def test_videos_are_frames() -> None:
    pytest.importorskip("av")
    out = io.BytesIO()
    frames = [Image.new("L", (32, 24), grey) for grey in (0, 120, 240)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=100)
    stack = stack_of({**EMPTY, "video": stored(out.getvalue(), "a.gif")})
    assert (stack.kind, len(stack)) == ("video", 3)
    shown = [int(np.asarray(stack.shown(number).convert("L")).mean()) for number in range(3)]
    assert shown == pytest.approx([0, 120, 240], abs=4)
    assert stack.nbytes < 3 * 32 * 24 * 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_thumbnails_are_small_and_of_the_shape_of_their_picture(kind: str) -> None:
    ramp = np.linspace(0, 255, 900 * 600).reshape(600, 900).astype(np.uint8)
    found = opened(small_picture({**EMPTY, "image": image_of(ramp, kind)}, b""))
    assert found.size[0] == SIDE
    assert abs(found.size[1] - SIDE * 2 / 3) <= 1
    look = bytes(range(144)) * 16
    assert opened(small_picture({**EMPTY, "video": stored(b"", "a.mp4")}, look)).size == (SIDE, SIDE)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0" + bytes(50), b"GIF89a", b"<script>"])
def test_what_cannot_be_decoded_is_told(data: bytes) -> None:
    row = {**EMPTY, "image": stored(data)}
    with pytest.raises(NothingShownError, match="cannot be decoded"):
        small_picture(row, b"")
    with pytest.raises(NothingShownError, match="cannot be decoded"):
        stack_of(row)
    with pytest.raises(NothingShownError, match="no picture"):
        stack_of(EMPTY)


def test_what_is_kept_stays_within_its_room() -> None:
    kept = Kept[bytes](1000, len)
    made = []

    def make(size: int) -> bytes:
        made.append(size)
        return bytes(size)

    for number in range(5000):
        assert len(kept.get(number % 50, partial(make, 30 + number % 7))) >= 30
        assert kept.held <= 1000
    assert kept.held == sum(len(kept.get(name, lambda: b"")) for name in kept.names())
    assert len(kept.get("large", lambda: make(2000))) == 2000
    assert "large" not in kept.names()
