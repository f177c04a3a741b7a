"""A PNG that is written here: what is in it counts, and not how it was compressed; anything else is another file."""

from __future__ import annotations

import hashlib
import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, PngImagePlugin

from covid_datasets.read import png
from covid_datasets.read.encode import digest, encode

PICTURES = st.one_of(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20))),
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
)


class Store:
    """A compressor that does not compress, as another machine may have one."""

    error = zlib.error
    decompressobj = staticmethod(zlib.decompressobj)

    @staticmethod
    def compress(data: bytes, level: int) -> bytes:
        return zlib.compress(data, 0)


@settings(deadline=None)
@given(PICTURES)
def test_every_reader_sees_the_same_pixels(values: np.ndarray) -> None:
    data = encode(values)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), values)
    found = png.read_png(data)
    assert found is not None
    assert np.array_equal(found, values)


@pytest.mark.parametrize("engine", [zlib, Store])
def test_equal_pixels_have_one_digest_whatever_compressed_them(monkeypatch: pytest.MonkeyPatch, engine: object) -> None:
    values = np.random.default_rng(0).integers(0, 9, (40, 50, 3), dtype=np.uint8)
    here = encode(values)
    monkeypatch.setattr(png, "engine", lambda: engine)
    there = encode(values)
    assert here != there
    assert digest(here) == digest(there) == digest(there, values)
    assert digest(there) != digest(encode(values[:, ::-1]))
    assert digest(there) != digest(encode(values.reshape(40, 150))), "the shape counts"


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_file_that_was_changed_anywhere_has_another_digest(data: st.DataObject) -> None:
    values = np.arange(77, dtype=np.uint8).reshape(7, 11)
    whole = encode(values)
    changed = bytearray(whole)
    place = data.draw(st.integers(0, len(whole) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))
    assert digest(bytes(changed)) != digest(whole)
    assert digest(whole[:place]) != digest(whole)
    assert digest(whole + whole[:1]) != digest(whole)


def test_of_a_publishers_file_its_bytes_count() -> None:
    told = PngImagePlugin.PngInfo()
    told.add_text("Software", "covid_datasets")
    out = io.BytesIO()
    Image.fromarray(np.zeros((5, 5), np.uint8)).convert("P").save(out, "PNG", pnginfo=told)
    data = out.getvalue()
    assert png.read_png(data) is None, "a palette is nothing that is written here"
    assert digest(data) == hashlib.sha256(data).hexdigest()


def test_what_claims_to_be_huge_is_not_unpacked() -> None:
    lines = zlib.compress(bytes(1 << 20), 9)
    claimed = np.broadcast_to(np.uint8(0), (1 << 16, 1 << 16))
    data = b"".join((png.head(claimed), png.MARK, png.chunk(b"IDAT", lines), png.END))
    assert png.read_png(data) is None
    small = np.zeros((2, 2), np.uint8)
    assert png.read_png(b"".join((png.head(small), png.MARK, png.chunk(b"IDAT", lines), png.END))) is None
