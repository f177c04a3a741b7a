"""PDF files written by hand, so that every byte of them is known."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

Objects = dict[int, bytes]


def jpeg(height: int = 60, width: int = 80, seed: int = 0, **options: object) -> bytes:
    """A picture with something in it, as JPEG."""
    out = io.BytesIO()
    Image.fromarray(noise(height, width, seed)).save(out, "JPEG", **options)
    return out.getvalue()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Grey values without a line of one colour."""
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def stream(entries: str, data: bytes) -> bytes:
    """A stream with its dictionary."""
    return f"<< {entries} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def picture(data: bytes, width: int, height: int, rest: str) -> bytes:
    """The stream of a picture."""
    return stream(f"/Type /XObject /Subtype /Image /Width {width} /Height {height} {rest}", data)


def jpeg_picture(data: bytes) -> bytes:
    """The stream of a JPEG, as it is."""
    with Image.open(io.BytesIO(data)) as image:
        return picture(data, *image.size, "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /DCTDecode")


def flate_picture(values: np.ndarray, rest: str) -> bytes:
    """The stream of plain values, deflated; ``values`` are bytes in rows."""
    return picture(zlib.compress(values.tobytes()), values.shape[1], values.shape[0], f"{rest} /Filter /FlateDecode")


def text(x: float, y: float, words: str, size: float = 9) -> str:
    """A line of text."""
    return f"BT /F1 {size} Tf 1 0 0 1 {x} {y} Tm ({words}) Tj ET\n"


def painted(name: str, x: float, y: float, width: float, height: float) -> str:
    """A picture in its place."""
    return f"q {width} 0 0 {height} {x} {y} cm /{name} Do Q\n"


def document(pages: Sequence[str], objects: Mapping[int, bytes], rest: str = "") -> bytes:
    """A PDF of pages, each of which knows every object as X and its number; these are above 10."""
    named = " ".join(f"/X{number} {number} 0 R" for number in objects)
    first = max([10, *objects]) + 1
    numbers = range(first, first + 2 * len(pages), 2)
    everything: Objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{n} 0 R' for n in numbers)}] >>".encode(),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        4: f"<< /XObject << {named} >> /Font << /F1 3 0 R >> >>".encode(),
        **objects,
    }
    for number, content in zip(numbers, pages, strict=True):
        entries = f"/Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources 4 0 R {rest}"
        everything[number] = f"<< {entries} /Contents {number + 1} 0 R >>".encode()
        everything[number + 1] = stream("", content.encode())
    return written(everything)


def written(objects: Mapping[int, bytes], trailer: str = "") -> bytes:
    """The file of some objects."""
    out, places = io.BytesIO(b"%PDF-1.7\n"), dict[int, int]()
    out.seek(0, io.SEEK_END)
    for number, content in sorted(objects.items()):
        places[number] = out.tell()
        out.write(b"%d 0 obj\n" % number + content + b"\nendobj\n")
    start, size = out.tell(), max(objects) + 1
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % size)
    for number in range(1, size):
        out.write(b"%010d 00000 n \n" % places[number] if number in places else b"0000000000 00000 f \n")
    out.write(f"trailer << /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()
