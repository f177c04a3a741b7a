"""What is measured of an image does not depend on how it was encoded, and nothing that calls itself one can do harm."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from covid_datasets.measure.image import Measured, UndecodableError, decode, measure, to_grey, window
from covid_datasets.read.bounds import MAX_PIXELS
from covid_datasets.splits.words import MAX_DISTANCE
from tests.sources import chest

CHEST = Image.open(io.BytesIO(chest(3, modality="CXR")))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def measured(image: Image.Image | bytes, kind: str = "PNG", **options: object) -> Measured:
    data = image if isinstance(image, bytes) else encoded(image, kind, **options)
    return measure(data, hashlib.sha256(data).hexdigest(), "x")


def distance(one: Measured, other: Measured) -> int:
    return (int(one.phash or "", 16) ^ int(other.phash or "", 16)).bit_count()


def test_a_film() -> None:
    found = measured(CHEST)
    assert (found.width, found.height, found.pixel_mode, found.quality) == (224, 224, "L", "good")
    assert found.pixel_hash == xxhash.xxh3_128(b"224x224:" + CHEST.tobytes()).hexdigest()
    assert found.looks is not None
    assert found.looks[0].hashes.hex().startswith(found.phash or "x" * 64)


LOSSLESS = [
    ("PNG", CHEST, {"compress_level": 9}),
    ("PNG", CHEST.convert("RGB"), {}),
    ("PNG", CHEST.convert("RGBA"), {}),
    ("PNG", CHEST.convert("LA"), {}),
    ("PNG", CHEST.convert("P"), {}),
    ("TIFF", CHEST, {"compression": "tiff_lzw"}),
    ("BMP", CHEST, {}),
    ("GIF", CHEST, {}),
    ("WEBP", CHEST, {"lossless": True}),
]


@pytest.mark.parametrize(("kind", "image", "options"), LOSSLESS, ids=[f"{k}-{i.mode}" for k, i, _ in LOSSLESS])
def test_another_encoding_or_mode_has_the_same_pixels(
    kind: str, image: Image.Image, options: dict[str, object]
) -> None:
    again, first = measured(image, kind, **options), measured(CHEST)
    assert again.sha256 != first.sha256
    assert again.pixel_hash == first.pixel_hash
    assert again.looks == first.looks


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    pixels = np.asarray(CHEST)
    stretched = (pixels.astype(np.float64) - pixels.min()) * 255.0 / (int(pixels.max()) - int(pixels.min()))
    deep = Image.fromarray(pixels.astype(np.uint16) * 16 + 1000)
    for kind in ("PNG", "TIFF"):
        found = measured(deep, kind)
        assert found.pixel_mode == "I;16"
        assert found.quality == "good"
        assert distance(found, measured(CHEST)) <= 8
    grey = np.asarray(to_grey(decode(encoded(deep))))
    assert np.abs(grey - stretched).max() <= 0.5
    # Eight bits over the whole range, stored as sixteen, are the same pixels.
    whole = pixels.copy()
    whole[0, :2] = 0, 255
    assert measured(Image.fromarray(whole.astype(np.uint16) * 257)).pixel_hash == (
        measured(Image.fromarray(whole)).pixel_hash
    )


@pytest.mark.parametrize("mode", ["1", "CMYK", "LAB", "F", "I"])
def test_rare_modes_are_measured(mode: str) -> None:
    image = Image.new("LAB", (200, 200)) if mode == "LAB" else CHEST.convert(mode)
    found = measured(image, "TIFF")
    assert found.pixel_mode == mode
    assert found.pixel_hash is not None


def test_floats_that_are_no_numbers_are_black() -> None:
    pixels = np.asarray(CHEST, dtype=np.float32).copy()
    pixels[:3, 0] = np.nan, np.inf, -np.inf
    assert np.asarray(to_grey(decode(encoded(Image.fromarray(pixels), "TIFF"))))[:3, 0].tolist() == [0, 0, 0]


def test_the_perceptual_hash_sees_one_picture_in_many_forms() -> None:
    first = measured(CHEST)
    forms = [
        measured(CHEST, "JPEG", quality=60),
        measured(CHEST.resize((448, 448), Image.Resampling.BICUBIC)),
        measured(CHEST.resize((150, 150), Image.Resampling.BICUBIC)),
        measured(CHEST.point(lambda value: min(value + 10, 255))),
        measured(CHEST.crop((1, 1, 224, 224))),
    ]
    assert max(distance(first, form) for form in forms) <= MAX_DISTANCE
    others = [measured(chest(number, modality="CXR")) for number in (0, 1, 2, 4)]
    assert min(distance(first, other) for other in others) > MAX_DISTANCE


def test_hashes_stay_what_they_are() -> None:
    """A change here changes every fingerprint: raise FORMAT in prepare/inputs.py."""
    rows, columns = np.mgrid[0:200, 0:160]
    found = measured(Image.fromarray(((rows * 3 + columns * 7 + rows * columns // 50) % 256).astype(np.uint8)))
    assert found.pixel_hash == "0d41813496b0dd3a04daaf9500952608"
    assert found.phash == "801400ac05000e00007311520ef31ee21117331c10ff33df19e22bc117226c1b"
    looks = hashlib.sha256(b"".join(look.thumb + look.hashes for look in found.looks or ())).hexdigest()
    assert looks[:16] == "b8856ee3a70f47f5"


# --- what is no image ---------------------------------------------------------------------------------------------


def huge_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(1)
    row = bytes(width + 1)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(20_000, 20_000), (10_000, 9_000), (MAX_PIXELS // 100 + 1, 100)])
def test_a_gigantic_picture_is_refused_without_decoding_it(size: tuple[int, int]) -> None:
    data = huge_png(*size)
    with pytest.raises(UndecodableError, match="limit"):
        measured(data)
    # Its header alone says the same: nobody asked for the pixels, else their absence would be the complaint.
    with pytest.raises(UndecodableError, match="limit"):
        measured(data[: data.index(b"IDAT") + 100])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"the file is empty \(0 bytes\)"),
        (b"<html></html>", "not a whole image: cannot identify image file; 13 bytes"),
        (encoded(CHEST)[:2000], r"not a whole image: .*2,000 bytes beginning b'\\x89PNG"),
        (encoded(CHEST, "JPEG")[:1000], "not a whole image: "),
        (encoded(CHEST)[:30], "not a whole image: "),
        (bytes(5000), "not a whole image: "),
        (b"%PDF-1.4 is no format that we decode", "not a whole image: "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a whole image: "),  # would start a program
    ],
)
def test_what_is_no_image_says_why(data: bytes, said: str) -> None:
    with pytest.raises(UndecodableError, match=said):
        measured(data)


SEEDS = [
    encoded(CHEST.resize((40, 40))),
    encoded(CHEST.resize((40, 40)).convert("P")),
    encoded(CHEST.resize((40, 40)), "JPEG"),
    encoded(CHEST.resize((40, 40)), "GIF"),
    encoded(CHEST.resize((40, 40)), "TIFF"),
    encoded(CHEST.resize((40, 40)), "TIFF", compression="tiff_lzw"),
    encoded(CHEST.resize((40, 40)), "BMP"),
    encoded(CHEST.resize((40, 40)), "WEBP"),
]


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=400, deadline=None)
@given(
    seed=st.sampled_from(SEEDS),
    flips=st.lists(
        st.tuples(st.integers(0, 400) | st.integers(0, 5000), st.binary(min_size=1, max_size=4)), max_size=5
    ),
    cut=st.integers(0, 6000),
)
def test_any_damage_is_undecodable_or_measured(seed: bytes, flips: list[tuple[int, bytes]], cut: int) -> None:
    data = bytearray(seed)
    for at, new in flips:
        data[at : at + len(new)] = new
    try:
        found = measured(bytes(data[: cut or None]))
    except UndecodableError:
        return
    assert found.width is not None
    assert found.height is not None
    assert found.width * found.height <= MAX_PIXELS


def test_the_window_of_slices_is_that_of_all_other_numbers() -> None:
    every = np.arange(-(1 << 15), 1 << 15)
    assert np.array_equal(window(every.astype(np.int16)), window(every))
    assert window(np.array([-1001, -1000, -300, 400, 401], np.int16)).tolist() == [0, 0, 128, 255, 255]
    flipped = every.astype(np.int16).reshape(256, 256)[::-1]
    assert np.array_equal(window(flipped), window(flipped.astype(np.int64)))
    assert flipped[0, 0] == every[-256], "the slice itself is as it was"
