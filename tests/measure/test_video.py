"""Of a video some frames are compared, evenly over all of it, so that what was made of it is found."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from covid_datasets.measure.image import Measured, measure
from covid_datasets.measure.looks import HASH_BYTES, moment_of
from covid_datasets.measure.video import COMPARED, measure_video
from covid_datasets.splits.near import near_duplicates
from covid_datasets.splits.seen import Seen
from tests.sources.pocus import blobs

SIDE = 96
FLAT = np.full((SIDE, SIDE), 40, np.uint8)


def moved(person: int, count: int, first: int = 0) -> list[np.ndarray]:
    """Show somebody from a probe that moves on."""
    wide = np.concatenate([np.asarray(blobs(100 * person + number, side=128)) for number in range(2)], axis=1)
    return [np.ascontiguousarray(wide[:SIDE, at : at + SIDE]) for at in range(first, first + count)]


def video(pictures: Sequence[np.ndarray], tmp_path: Path, codec: str = "mpeg4", **options: str) -> Measured:
    path = tmp_path / "video.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = pictures[0].shape
        stream.pix_fmt, stream.bit_rate = "yuv420p", 800_000
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_image(Image.fromarray(picture).convert("RGB"))))
        container.mux(stream.encode())
    return measure_video(path.read_bytes(), "", "a.mkv")


def moments(measured: Measured) -> list[str]:
    return list(dict.fromkeys(moment_of(look.part) for look in measured.looks or ()))


def found(*measured: Measured) -> list[tuple[int, int]]:
    links = near_duplicates(Seen.of(each.looks for each in measured))
    return [(link.first, link.second) for link in links]


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 31, 32, 70])
def test_frames_are_even_over_all_of_a_video(count: int, tmp_path: Path) -> None:
    compared = moments(video(moved(1, count), tmp_path))
    assert compared[0] == "", "that of the frame which stands for it, and gives it its hash"
    numbers = [int(moment.removeprefix("frame ")) for moment in compared[1:]]
    if count < 2 * COMPARED:
        assert len(compared) == count
    else:
        assert COMPARED <= len(compared) < 2 * COMPARED
    step = 1
    while count // step >= 2 * COMPARED:
        step *= 2
    usual = 1 << (count.bit_length() - 1)
    assert numbers == [at - 1 for at in range(step, count + 1, step) if at != usual]


def test_its_hash_is_that_of_the_frame_that_stands_for_it(tmp_path: Path) -> None:
    measured = video(moved(1, 20), tmp_path)
    assert measured.looks is not None
    assert measured.phash == measured.looks[0].hashes[:HASH_BYTES].hex() != bytes(HASH_BYTES).hex()


@pytest.mark.parametrize(
    "part", [slice(0, 30), slice(30, 60), slice(13, 37), slice(0, 60, 2), slice(1, 60, 2), slice(3, None)]
)
def test_what_was_made_of_a_video_is_found(part: slice, tmp_path: Path) -> None:
    pictures = moved(1, 60)
    shorter = [np.asarray(Image.fromarray(each).resize((120, 112))) for each in pictures[part]]
    others = [video(moved(person, 60), tmp_path) for person in (2, 3)]
    copy = video(shorter, tmp_path, "mpeg2video")
    assert found(video(pictures, tmp_path), *others, copy) == [(0, 3)]


def test_a_frame_that_stands_elsewhere_as_a_picture_is_found(tmp_path: Path) -> None:
    pictures = moved(1, 60)
    data = io.BytesIO()
    Image.fromarray(pictures[43]).resize((200, 200)).save(data, "JPEG")
    still = measure(data.getvalue(), "", "a.jpg")
    (link,) = near_duplicates(Seen.of([video(pictures, tmp_path).looks, still.looks]))
    assert link.key.endswith("whole of frame 43")


def test_a_video_of_nothing_is_like_nothing(tmp_path: Path) -> None:
    blank = video([FLAT] * 20, tmp_path)
    assert blank.looks == ()
    assert blank.phash == bytes(HASH_BYTES).hex()
    assert found(blank, video([FLAT], tmp_path)) == []


def test_frames_that_show_nothing_hide_no_copy(tmp_path: Path) -> None:
    """Of the first the frame that stands for it is flat, and so has no hash."""
    pictures = moved(1, 60)
    dark = video([*pictures[:25], *[FLAT] * 15], tmp_path)
    assert dark.phash == bytes(HASH_BYTES).hex()
    assert found(dark, video([*[FLAT] * 10, *pictures[5:]], tmp_path), video(moved(2, 60), tmp_path)) == [(0, 1)]


def test_a_title_that_many_videos_begin_with_does_not_make_them_one(tmp_path: Path) -> None:
    title = [np.asarray(blobs(7, side=SIDE))] * 20
    people = [video([*title, *moved(person, 40)], tmp_path) for person in (1, 2)]
    assert found(*people) == []
    assert found(*people, video([*title, *moved(1, 40, 8)], tmp_path, "mpeg2video")) == [(0, 2)]


def test_a_video_that_does_not_move_is_found_by_its_one_picture(tmp_path: Path) -> None:
    still = np.asarray(blobs(7, side=SIDE))
    assert found(video([still] * 20, tmp_path), video([still] * 3, tmp_path), video(moved(1, 9), tmp_path)) == [(0, 1)]
