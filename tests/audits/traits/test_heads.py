"""Heads of files as programs write them, cut off anywhere, and of nonsense."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from covid_datasets.audits.traits.heads import Head, head_of

PICTURE = Image.effect_mandelbrot((40, 30), (-2, -1, 1, 1), 9)


def saved(form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    PICTURE.save(file, form, **options)
    return file.getvalue()


def described() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "a program")
    return info


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "GIF", "BMP"])
def test_the_container_is_what_the_bytes_are(form: str) -> None:
    assert head_of(memoryview(saved(form))).container == form


def test_a_png_tells_its_parts_before_the_pixels() -> None:
    assert head_of(memoryview(saved("PNG"))) == Head("PNG", "none")
    assert head_of(memoryview(saved("PNG", dpi=(72, 72), pnginfo=described()))).parts == "tEXt, pHYs"


def test_a_jpeg_tells_its_parts_and_how_coarse_it_is() -> None:
    fine, coarse = (head_of(memoryview(saved("JPEG", quality=quality))) for quality in (95, 30))
    assert fine.parts == coarse.parts == "APP0 JFIF, baseline"
    assert fine.coarseness is not None
    assert coarse.coarseness is not None
    assert fine.coarseness < 500 < coarse.coarseness
    assert head_of(memoryview(saved("JPEG", progressive=True))).parts == "APP0 JFIF, progressive"
    assert head_of(memoryview(saved("JPEG", exif=b"Exif\0\0" + b"1234"))).parts == "APP0 JFIF, APP1 Exif, baseline"


@pytest.mark.parametrize(
    ("data", "container"),
    [
        (b"RIFF0000WEBPVP8 ", "WebP"),
        (b"RIFF0000AVI LIST", "AVI"),
        (b"\0\0\0\x20ftypisom", "MP4"),
        (b"\x1f\x8b\x08", "NIfTI, gzip"),
        (b"\0" * 344 + b"n+1\0", "NIfTI"),
        (b"", None),
        (b"DICM", None),
    ],
)
def test_volumes_and_videos_have_containers_too(data: bytes, container: str | None) -> None:
    assert head_of(memoryview(data)).container == container


@given(st.sampled_from([saved("PNG", dpi=(72, 72), pnginfo=described()), saved("JPEG")]), st.integers(0, 700))
def test_what_is_cut_off_is_read_as_far_as_it_goes(data: bytes, length: int) -> None:
    assert head_of(memoryview(data[:length])).container in (None, "PNG", "JPEG")


@given(st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b""]), st.binary(max_size=300))
def test_nonsense_ends_it(magic: bytes, rest: bytes) -> None:
    found = head_of(memoryview(magic + rest)).container
    assert found in (None, "PNG", "JPEG") or not magic, "what begins like a picture of one kind is of no other"


def test_a_chain_of_parts_has_an_end() -> None:
    endless = b"\xff\xd8" + b"\xff\xe1\0\2" * 100_000
    assert head_of(memoryview(endless)).parts == "APP1"
