"""Videos: every frame or none, exact colours, and the same numbers on every machine."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import xxhash
from PIL import Image

from covid_datasets.errors import DamagedFileError
from covid_datasets.measure.image import UndecodableError, to_grey
from covid_datasets.measure.video import measure_video
from covid_datasets.read.video import brightness, frames, pixels, sample
from tests.sources.pocus import blobs, clip

KINDS = ("gif", "mpeg", "avi", "mov", "mp4")
COUNT = 30


def encoded(tmp_path: Path, codec: str, form: str, pictures: list[np.ndarray], **options: str) -> bytes:
    path = tmp_path / "video.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = form
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=form)))
        container.mux(stream.encode())
    return path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_in_order(kind: str) -> None:
    found = list(frames(clip(1, kind, rate=10 if kind == "gif" else 25), kind))
    assert [frame.number for frame in found] == list(range(COUNT))
    rate = 10 if kind == "gif" else 25
    assert [frame.seconds for frame in found] == pytest.approx([number / rate for number in range(COUNT)])
    for frame in found[::10]:
        shown = pixels(frame)
        assert shown.shape == (96, 96), "grey, as nothing in it has a colour"
        assert shown.dtype == np.uint8
        assert np.corrcoef(shown.ravel(), np.asarray(blobs(1, frame.number)).ravel())[0, 1] > 0.99


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_cut_video_is_an_error_and_never_a_shorter_video(kind: str, share: float) -> None:
    whole = clip(1, kind)
    cut = whole[: int(len(whole) * share)]
    with pytest.raises(DamagedFileError, match=f"x.{kind}: expected"):
        list(frames(cut, f"x.{kind}"))
    with pytest.raises(UndecodableError):
        measure_video(cut, "", f"x.{kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_an_end_that_is_lost_is_an_error_or_was_no_picture(kind: str) -> None:
    whole = clip(1, kind)
    wanted = measure_video(whole, "", "x")
    for lost in (1, 8, 40, 150, 400):
        try:
            assert measure_video(whole[:-lost], "", "x") == wanted
        except UndecodableError:
            continue


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_an_mp4_that_begins_with_its_index_is_held_against_it(share: float) -> None:
    whole = clip(1, "mp4", movflags="faststart")
    assert whole.index(b"moov") < whole.index(b"mdat")
    with pytest.raises(DamagedFileError):
        list(frames(whole[: int(len(whole) * share)], "x.mp4"))


def test_a_gif_that_lost_only_its_end() -> None:
    whole = clip(1, "gif")
    assert len(list(frames(whole, "x.gif"))) == COUNT
    assert len(list(frames(whole + b"\0\0", "x.gif"))) == COUNT
    for lost in (1, 2, 10, 100):
        with pytest.raises(DamagedFileError, match="bytes that stop before its end"):
            list(frames(whole[:-lost], "x.gif"))


def test_a_gif_with_one_frame_is_a_video_of_one_frame() -> None:
    found = measure_video(clip(1, "gif", count=1), "", "x.gif")
    assert (found.depth, found.width, found.height) == (1, 96, 96)


@pytest.mark.parametrize("data", [b"", b"\0" * 5000, b"GIF89a", b"no video at all", b"RIFF\0\0\0\0AVI LIST"])
def test_what_is_no_video(data: bytes) -> None:
    with pytest.raises(DamagedFileError, match="x: expected"):
        list(frames(data, "x"))


def test_sound_alone_is_no_video() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(DamagedFileError, match="without a video stream"):
        list(frames(out.getvalue(), "x.mp4"))


def test_bytes_changed_in_the_middle() -> None:
    whole = bytearray(clip(1, "avi"))
    at = whole.index(b"movi") + 2000
    whole[at : at + 600] = bytes(600)
    with pytest.raises(DamagedFileError):
        list(frames(bytes(whole), "x.avi"))


@pytest.mark.parametrize("rate", [25, 50])
def test_three_a_second(rate: int) -> None:
    data = clip(1, "mp4", rate=rate, count=60)
    step = int(rate / 3)
    assert [frame.number for frame in sample(data, "x", hertz=3, most=30)] == list(range(0, 60, step))
    assert [frame.number for frame in sample(data, "x", hertz=3, most=2)] == [0, step]


@pytest.mark.parametrize("rate", [1, 2, 3, 4, 5])
def test_a_slow_video_gives_every_frame(rate: int) -> None:
    data = clip(1, "gif", rate=rate, count=8)
    assert [frame.number for frame in sample(data, "x", hertz=3, most=30)] == list(range(8))


def test_a_cut_video_gives_no_frames_at_all() -> None:
    whole = clip(1, "avi", count=60)
    with pytest.raises(DamagedFileError):
        sample(whole[: len(whole) * 9 // 10], "x", hertz=25, most=2)


@pytest.mark.parametrize(("form", "likeness"), [("yuv444p", 3), ("yuv422p", 12), ("yuv420p", 20)])
def test_colours(tmp_path: Path, form: str, likeness: int) -> None:
    rows, columns = np.mgrid[0:48, 0:64]
    picture = np.stack([rows * 5, columns * 4, (rows + columns) * 2], axis=-1).astype(np.uint8)
    (frame, *_) = frames(encoded(tmp_path, "ffv1", form, [picture] * 2), "x")
    assert frame.decoded.format.name == form
    shown = pixels(frame)
    assert shown.shape == picture.shape
    assert np.abs(shown.astype(int) - picture).max() <= likeness


def test_colours_of_jpeg(tmp_path: Path) -> None:
    """Motion JPEG uses the full range of 8 bits."""
    picture = np.full((32, 32, 3), (250, 30, 120), np.uint8)
    (frame,) = frames(encoded(tmp_path, "mjpeg", "yuvj444p", [picture], strict="unofficial"), "x")
    assert frame.decoded.format.name == "yuvj444p"
    assert np.abs(pixels(frame).astype(int) - picture).max() <= 6


def test_colours_without_loss(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    (frame,) = frames(encoded(tmp_path, "ffv1", "bgr0", [picture]), "x")
    assert np.array_equal(pixels(frame), picture)


@pytest.mark.parametrize("form", ["yuv444p", "yuvj444p", "bgr0"])
def test_brightness_is_that_of_the_colours(tmp_path: Path, form: str) -> None:
    rows, columns = np.mgrid[0:48, 0:64]
    picture = np.stack([60 + rows, 100 + columns, 90 + rows - columns], axis=-1).astype(np.uint8)
    codec = "mjpeg" if form == "yuvj444p" else "ffv1"
    (frame,) = frames(encoded(tmp_path, codec, form, [picture], strict="unofficial"), "x")
    found = np.asarray(to_grey(Image.fromarray(brightness(frame)))).astype(int)
    expected = np.asarray(to_grey(Image.fromarray(pixels(frame))))
    assert np.abs(found - expected).max() <= 2


def test_odd_sizes(tmp_path: Path) -> None:
    picture = np.full((35, 61, 3), (200, 40, 90), np.uint8)
    (frame,) = frames(encoded(tmp_path, "ffv1", "yuv420p", [picture]), "x")
    shown = pixels(frame)
    assert shown.shape == picture.shape
    assert np.abs(shown.astype(int) - picture)[:, :60].max() <= 2, "an old encoder spoils the last column"


def test_measured_values_are_the_same_everywhere(tmp_path: Path) -> None:
    """A lossless video of known values: whatever library decodes it, these are its hashes."""
    step = np.arange(64 * 64, dtype=np.int64).reshape(64, 64)
    pictures = [np.repeat(((step * (number + 3)) % 251).astype(np.uint8)[..., None], 3, 2) for number in range(5)]
    data = encoded(tmp_path, "ffv1", "bgr0", pictures)
    found = measure_video(data, "sha", "x")
    wanted = xxhash.xxh3_128()
    for picture in pictures:
        wanted.update(b"bgr0 64x64:" + picture.tobytes())
    assert (found.sha256, found.depth, found.pixel_hash) == ("sha", 5, wanted.hexdigest())
    assert found.phash == measure_video(data, "sha", "y").phash


def test_the_same_frames_in_another_container_have_the_same_pixel_hash(tmp_path: Path) -> None:
    whole = clip(1, "mp4")
    path = tmp_path / "again.avi"
    with av.open(io.BytesIO(whole)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    one, other = measure_video(whole, "", "x.mp4"), measure_video(path.read_bytes(), "", "x.avi")
    assert whole != path.read_bytes()
    assert one == other


# --- what is no video must not make the decoder open anything --------------------------------------------------

ASKS = """
import os, sys
from covid_datasets.errors import DamagedFileError
from covid_datasets.read.video import frames
opened = []
sys.addaudithook(lambda event, args: opened.append(event) if event.startswith("socket.") else None)
data = open(sys.argv[1], "rb").read()
try:
    list(frames(data, "x.mp4"))
except DamagedFileError as error:
    print(type(error).__name__, *opened)
"""


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile 'inner.mp4'\n",
        "ffconcat version 1.0\nfile '{folder}/inner.mp4'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{folder}/inner.mp4\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n",
        "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'>"
        "<BaseURL>file://{folder}/inner.mp4</BaseURL></MPD>",
    ],
    ids=["ffconcat", "ffconcat absolute", "hls", "sdp", "dash"],
)
def test_a_text_opens_neither_file_nor_socket(text: str, tmp_path: Path) -> None:
    (tmp_path / "inner.mp4").write_bytes(clip(1, "mp4"))
    (tmp_path / "list.mp4").write_text(text.format(folder=tmp_path))
    strace = shutil.which("strace")
    command = [sys.executable, "-c", ASKS, "list.mp4"]
    if strace:
        command = [strace, "-f", "-o", "calls", "-e", "trace=open,openat,socket", *command]
    seen = (tmp_path / "inner.mp4").stat().st_atime_ns
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["DamagedFileError"]
    assert (tmp_path / "inner.mp4").stat().st_atime_ns == seen
    if strace:
        calls = (tmp_path / "calls").read_text()
        assert "inner.mp4" not in calls
        assert "AF_INET" not in calls


def test_a_frame_is_bounded_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    from covid_datasets.read import video

    monkeypatch.setattr(video, "MAX_VIDEO_PIXELS", 96 * 96 * 10)
    seen: list[object] = []
    with pytest.raises(DamagedFileError, match="at most 92,160 pixels"):
        seen.extend(frames(clip(1, "mp4"), "x.mp4"))
    monkeypatch.setattr(video, "MAX_FRAME_PIXELS", 96 * 95)
    with pytest.raises(DamagedFileError, match="frames of at most 9,120 pixels"):
        list(frames(clip(1, "mp4"), "x.mp4"))
