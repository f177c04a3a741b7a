"""Videos through PyAV: decoded once from memory, whole or not at all.

Colours are computed here, in whole numbers, and not by the library that decodes: its results differ between processors
and versions, and those of a build must not.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.extras import need
from covid_datasets.read.bounds import MAX_FRAME_PIXELS, MAX_VIDEO_PIXELS, border

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,gif,asf,ogg,flv"
"""What a video may be. A decoder that guesses takes a text for a list of files to open, or of sockets to listen at."""
_OPTIONS = {
    "format_whitelist": FORMATS,
    "protocol_whitelist": "",
    "max_pixels": str(MAX_FRAME_PIXELS),
    "max_streams": "16",
}
_PLANAR = frozenset(("yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p"))
"""Formats of 8-bit planes: brightness, then two of colour, which may have fewer rows and columns."""
_BT709, _FULL_RANGE = 1, 2
_ONE = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded frame; `pixels` shows it.

    Attributes:
        number: Its place in the video, from 0.
        seconds: Its time since the first frame, where the file tells it.
        rate: Frames a second of its video on average, where the file tells it.
        decoded: The frame as PyAV holds it.
    """

    number: int
    seconds: float | None
    rate: float | None
    decoded: Any


def frames(data: bytes, path: str) -> Iterator[Frame]:
    """Decode every frame of the first video stream, in order.

    Raises:
        DamagedFileError: There is no video, or it is not whole: a packet or frame is damaged, or there are fewer
            frames or bytes than the file states. MPEG program streams state nothing, so one that was cut exactly
            between two pictures passes.
    """
    need("av")
    if (data[:4] == b"GIF8" and not _is_whole_gif(data)) or (data[:4] == b"RIFF" and not _is_whole_riff(data)):
        raise DamagedFileError(f"{path}: expected a whole video, found {len(data):,} bytes that stop before its end")
    number, pixels = 0, 0
    found = _frames(data, path)
    while True:
        with border(path, f"a whole video, {number} frames of it seen", data):
            frame = next(found, None)
        if frame is None:
            break
        pixels += frame.decoded.width * frame.decoded.height
        if pixels > MAX_VIDEO_PIXELS:
            raise DamagedFileError(f"{path}: expected a video of at most {MAX_VIDEO_PIXELS:,} pixels, found more")
        yield frame
        number += 1
    if not number:
        raise DamagedFileError(f"{path}: expected a video, found no frame in {len(data):,} bytes")


def _frames(data: bytes, path: str) -> Iterator[Frame]:
    import av

    number, packets, begin = 0, 0, None
    with av.open(io.BytesIO(data), metadata_errors="replace", options=_OPTIONS) as container:
        if not container.streams.video:
            raise DamagedFileError(f"{path}: expected a video, found a file without a video stream")
        stream = container.streams.video[0]
        if stream.codec_context.width * stream.codec_context.height > MAX_FRAME_PIXELS:
            raise DamagedFileError(f"{path}: expected frames of at most {MAX_FRAME_PIXELS:,} pixels, found larger ones")
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        rate = float(stream.average_rate) if stream.average_rate else None
        for packet in container.demux(stream):
            packets += packet.size > 0 or packet.dts is not None  # not the one that only ends the stream
            if packet.is_corrupt:
                raise DamagedFileError(f"{path}: expected a whole video, found a damaged packet {packets}")
            for decoded in packet.decode():
                if decoded.is_corrupt:
                    raise DamagedFileError(f"{path}: expected a whole video, found a damaged frame {number}")
                begin = decoded.time if begin is None else begin
                seconds = None if decoded.time is None or begin is None else float(decoded.time - begin)
                yield Frame(number, seconds, rate, decoded)
                number += 1
        # Packets, because an edit list may hide frames that the file holds and states; AVI also counts the moments at
        # which the frame before is shown on.
        if packets < stream.frames and container.format.name != "avi":
            raise DamagedFileError(f"{path}: expected {stream.frames} frames, as the file states, found {packets}")


def sample(data: bytes, path: str, *, hertz: float, most: int) -> list[Frame]:
    """Decode a whole video and keep about ``hertz`` frames a second, ``most`` of them at most.

    That is every ``int(rate / hertz)``-th frame from the first one on; every frame where the video is slower than
    that, or does not tell its rate.
    """
    chosen: list[Frame] = []
    for frame in frames(data, path):
        step = max(1, int((frame.rate or 0) / hertz))
        if frame.number % step == 0 and len(chosen) < most:
            chosen.append(frame)
    return chosen


def pixels(frame: Frame) -> np.ndarray:
    """Show a frame: 8-bit grey (rows, columns) where nothing in it has a colour, else (rows, columns, 3)."""
    if (stored := planes(frame.decoded)) is None:
        shown: np.ndarray = frame.decoded.to_ndarray(format="rgb24")
        grey = np.array_equal(shown[..., 0], shown[..., 1]) and np.array_equal(shown[..., 1], shown[..., 2])
        return np.ascontiguousarray(shown[..., 0]) if grey else shown
    luma, *weights = _tables(*_colours(frame.decoded))
    if all((plane == 128).all() for plane in stored[1:]):
        return np.asarray(_eight_bits(luma)[stored[0]])
    brightness = luma[stored[0]]
    rows, columns = brightness.shape
    blue, red = (
        plane.repeat(-(-rows // len(plane)), axis=0)[:rows].repeat(-(-columns // plane.shape[1]), axis=1)[:, :columns]
        for plane in stored[1:]
    )
    red_of_red, green_of_red, green_of_blue, blue_of_blue = weights
    return np.stack(
        [
            _eight_bits(brightness + red_of_red[red]),
            _eight_bits(brightness - green_of_red[red] - green_of_blue[blue]),
            _eight_bits(brightness + blue_of_blue[blue]),
        ],
        axis=-1,
    )


def brightness(frame: Frame) -> np.ndarray:
    """Show a frame without its colours, at a fraction of the cost; as `pixels` does where no plane is brightness."""
    if (stored := planes(frame.decoded)) is None:
        return pixels(frame)
    return np.asarray(_eight_bits(_tables(*_colours(frame.decoded))[0])[stored[0]])


def _colours(decoded: Any) -> tuple[bool, bool]:
    """Tell whether its colours are those of BT.709, and whether its values go from 0 to 255."""
    return decoded.colorspace == _BT709, decoded.color_range == _FULL_RANGE or decoded.format.name.startswith("yuvj")


def planes(decoded: Any) -> list[np.ndarray] | None:
    """View the planes without their padding; ``None`` for a format that is not one of `_PLANAR`."""
    if decoded.format.name not in _PLANAR or any(plane.line_size <= 0 for plane in decoded.planes):
        return None
    return [
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in decoded.planes
    ]


@lru_cache(maxsize=4)
def _tables(bt709: bool, full: bool) -> tuple[np.ndarray, ...]:
    """For each value of a plane what it adds, in 1/65536: brightness, and red, green twice and blue of the colours."""
    red, blue = (0.2126, 0.0722) if bt709 else (0.299, 0.114)
    green = 1 - red - blue
    stretch, black = (1.0, 0) if full else (255 / 219, 16)
    colour = 1.0 if full else 255 / 224
    values = np.arange(256, dtype=np.int32)
    of_red, of_blue = 2 * (1 - red) * colour, 2 * (1 - blue) * colour
    weights = (of_red, of_red * red / green, of_blue * blue / green, of_blue)
    return (values - black) * round(stretch * _ONE), *((values - 128) * round(weight * _ONE) for weight in weights)


def _eight_bits(scaled: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.clip((scaled + _ONE // 2) >> 16, 0, 255).astype(np.uint8)
    return rounded


def _is_whole_gif(data: bytes) -> bool:
    """Walk the blocks of a GIF to the byte that ends it; decoders take the end of the file for it."""
    at = 13 + _gif_table(data[10:11])
    while data[at : at + 1] in (b"!", b","):
        picture = data[at : at + 1] == b","
        at += 11 + _gif_table(data[at + 9 : at + 10]) if picture else 2
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return data[at : at + 1] == b";"


def _is_whole_riff(data: bytes) -> bool:
    """Hold an AVI against the size that it states, where it states one."""
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")


def _gif_table(flags: bytes) -> int:
    """Tell how many bytes of colours follow a descriptor."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0
