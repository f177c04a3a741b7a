"""Small files that claim to be large ones, and how much memory each takes. Run as a script, one process for each."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from PIL import Image

MEGABYTE = 1 << 20
Reader = Callable[[bytes], object]


def readers() -> dict[str, Reader]:
    from covid_datasets.measure.image import measure
    from covid_datasets.measure.video import measure_video
    from covid_datasets.measure.volume import measure_volume
    from covid_datasets.read.dicom import read_header, read_hounsfield
    from covid_datasets.read.film import FilmForm, read_film
    from covid_datasets.read.levels import Grey
    from covid_datasets.read.masks import read_labels, read_mask
    from covid_datasets.read.mdai import read_annotations
    from covid_datasets.read.slices import axial_slices
    from covid_datasets.read.tables import read_csv, read_xlsx
    from tests.raws import Files

    return {
        "image": lambda data: measure(data, "", "a"),
        "video": lambda data: measure_video(data, "", "a"),
        "volume": lambda data: measure_volume(data, "", "a.nii.gz"),
        "slices": lambda data: sum(1 for _ in axial_slices(Files({"a.nii.gz": data}), "a.nii.gz")),
        "mask": lambda data: read_mask(data, "a.nii.gz"),
        "labels": lambda data: read_labels(data, "a.nii.gz", (1, 2), (1, 2, 3)),
        "grey": lambda data: sum(1 for _ in axial_slices(Files({"a.nii.gz": data}), "a.nii.gz", (), Grey())),
        "mha": lambda data: measure_volume(data, "", "a.mha"),
        "mha slices": lambda data: sum(1 for _ in axial_slices(Files({"a.mha": data}), "a.mha")),
        "header": lambda data: read_header(data, "a.dcm"),
        "slice": lambda data: read_hounsfield(data, "a.dcm"),
        "film": lambda data: read_film(data, "a.dcm", FilmForm(shown=True)),
        "workbook": lambda data: read_xlsx(Files({"t.xlsx": data}), "t.xlsx", required=("path",)),
        "csv": lambda data: read_csv(Files({"t.csv": data}), "t.csv", required=("path",)),
        "json": lambda data: read_annotations(data.decode(), "a.json", ()),
    }


@lru_cache(maxsize=2)
def zeros(count: int, bits: int) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, bits)
    packed = [packer.compress(bytes(MEGABYTE)) for _ in range(count // MEGABYTE)]
    return b"".join([*packed, packer.compress(bytes(count % MEGABYTE)), packer.flush()])


def nifti(shape: tuple[int, int, int], kind: int, bits: int, count: int | None = None) -> bytes:
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, *shape, 1, 1, 1, 1)
    struct.pack_into("<hh", head, 70, kind, bits)
    struct.pack_into("<8f", head, 76, *[1.0] * 8)
    struct.pack_into("<fff", head, 108, 352, 0.5, 3)
    head[344:348] = b"n+1\0"
    full = int(np.prod(shape)) * bits // 8
    return gzip.compress(bytes(head)) + zeros(full if count is None else count, zlib.MAX_WBITS | 16)


def mha(shape: tuple[int, int, int], kind: str, bytes_each: int) -> bytes:
    lines = f"NDims = 3\nDimSize = {' '.join(map(str, shape))}\nElementType = {kind}\nCompressedData = True\n"
    count = int(np.prod(shape)) * bytes_each
    return lines.encode() + b"ElementDataFile = LOCAL\n" + zeros(count, zlib.MAX_WBITS)


def rle(side: int) -> bytes:
    from pydicom.uid import RLELossless

    from tests.dicom import compressed, radiograph

    plane = b"\x81\x07" * (side * side // 128)  # 128 times a 7; sides are multiples of 16
    frame = struct.pack("<16I", 2, 64, 64 + len(plane), *[0] * 13) + plane * 2
    plain = radiograph(np.zeros((2, 2), np.uint16))
    packed = compressed(plain, RLELossless, frame)
    for element in (0x10, 0x11):
        small, large = (struct.pack("<HH2sHH", 0x28, element, b"US", 2, value) for value in (2, side))
        packed = packed.replace(small, large)
    return packed


def deflated(count: int) -> bytes:
    from tests.dicom import radiograph

    plain = radiograph(np.zeros((2, 2), np.uint16)).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    length = struct.unpack_from("<I", plain, 140)[0] + 2
    at = plain.index(b"1.2.840.10008.1.2.1.99")
    plain = plain[:140] + struct.pack("<I", length) + plain[144 : at - 2] + struct.pack("<H", 22) + plain[at:]
    return plain[: 144 + length] + zeros(count, -zlib.MAX_WBITS)


def elements(count: int, nested: bool) -> bytes:
    """Write very many very small elements, at the top or as items of items."""
    from tests.dicom import radiograph

    plain = radiograph(np.zeros((2, 2), np.uint16))
    at = plain.index(struct.pack("<HH", 0x28, 2))
    if not nested:
        many = b"".join(struct.pack("<HH2sH", 0x29, number % 65536, b"LO", 0) for number in range(count))
    else:
        item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
        many = struct.pack("<HH2sHI", 0x8, 0x1140, b"SQ", 0, 0xFFFFFFFF) + item * count
        many += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return plain[:at] + many + plain[at:]


def jpeg_of(side: int) -> bytes:
    from pydicom.uid import JPEGLosslessSV1

    from tests.dicom import compressed, radiograph

    claims = b"\xff\xc3\x00\x0b\x10" + struct.pack(">HH", side, side) + b"\x01\x01\x11\x00"
    return compressed(radiograph(np.zeros((2, 2), np.uint16)), JPEGLosslessSV1, b"\xff\xd8" + claims + b"\xff\xd9")


def png(side: int, depth: int, colour: int = 0, each: int = 2) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
    body = zeros(side * (side * each + 1), zlib.MAX_WBITS)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def saved(mode: str, side: int, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (side, side)).save(out, kind, **options)
    return out.getvalue()


def workbook(name: str, start: str, again: str, count: int, end: str) -> bytes:
    """Write a workbook of one part in which something stands so many times."""
    import openpyxl

    plain, out = io.BytesIO(), io.BytesIO()
    book = openpyxl.Workbook()
    book.create_sheet("of strings").append(["path"])
    book.save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in {*old.namelist(), name}:
            new.writestr(part, old.read(part) if part != name else start + again * count + end)
    return out.getvalue()


SHEET, STYLES = "xl/worksheets/sheet1.xml", "xl/styles.xml"
_SPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_CELL = '<c t="inlineStr"><is><t>path</t></is></c>'
_ROWS = f"<worksheet {_SPACE}><sheetData><row>{_CELL}</row><row>"
_END = "</row></sheetData></worksheet>"


def workbooks() -> Iterator[tuple[str, Callable[[], bytes]]]:
    far = '<c r="XFD1"><v>1</v></c></row><row>'
    yield "rows with one far cell", lambda: workbook(SHEET, _ROWS, far, 1_200, _END)
    yield "a million rows", lambda: workbook(SHEET, _ROWS, f"{_CELL}</row><row>", 900_000, _END)
    form = '<numFmt numFmtId="200" formatCode="0"/>'
    last = "</numFmts></styleSheet>"
    yield "formats", lambda: workbook(STYLES, f"<styleSheet {_SPACE}><numFmts>", form, 1_600_000, last)
    text = _ROWS + '<c t="inlineStr"><is><t>'
    yield "one long text", lambda: workbook(SHEET, text, "a" * 1000, 60_000, f"</t></is></c>{_END}")


def csvs() -> Iterator[tuple[str, Callable[[], bytes]]]:
    yield "nine million columns", lambda: b"path" + b"," * 9_000_000
    yield "short rows", lambda: b"path\n" + b"a\n" * 4_500_000
    yield "broken rows", lambda: b"path,b\n" + b"a\n" * 4_500_000
    yield "open quotation marks", lambda: b"path,b\n" + b'a,"b\n' * 1_900_000
    yield "blank cells", lambda: b"path" + b"," * 9 + (b"\na" + b"," * 9) * 800_000
    yield "blank lines", lambda: b"path,b\n" + b"\n" * 9_000_000


def attacks() -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    for way in ("volume", "slices", "mask", "labels", "grey"):
        yield way, "one large slice of a volume", lambda: nifti((4000, 4000, 1), 256, 8)
        yield way, "as much as is held", lambda: nifti((2000, 2000, 45), 2, 8)
        yield way, "64 bits a voxel", lambda: nifti((512, 512, 150), 64, 64)
        yield way, "claims gigabytes", lambda: nifti((512, 512, 7000), 4, 16, count=MEGABYTE)
    for way in ("mha", "mha slices"):
        yield way, "64 bits a voxel", lambda: mha((512, 512, 150), "MET_DOUBLE", 8)
        yield way, "one large slice", lambda: mha((20_000, 20_000, 1), "MET_UCHAR", 1)
    for way in ("header", "slice", "film"):
        yield way, "run lengths of a slice of 16384", lambda: rle(16_384)
        yield way, "run lengths of the largest film", lambda: rle(5_776)
        yield way, "deflated zeros", lambda: deflated(150 * MEGABYTE)
        yield way, "a million elements", lambda: elements(1_000_000, nested=False)
        yield way, "a million items", lambda: elements(1_000_000, nested=True)
        yield way, "a JPEG of 65500", lambda: jpeg_of(65_500)
    yield "image", "16 bits of grey", lambda: png(7_000, 16)
    yield "image", "16 bits of colour", lambda: png(5_000, 16, 6, 8)
    yield "image", "more than the limit", lambda: png(60_000, 1, 0, 0)
    yield "image", "floating point", lambda: saved("F", 7_000, "TIFF", compression="tiff_deflate")
    yield "image", "32 bits", lambda: saved("I", 7_000, "TIFF", compression="tiff_deflate")
    yield "image", "WebP", lambda: saved("RGB", 7_000, "WEBP", lossless=True, quality=0, method=0)
    yield "image", "GIF", lambda: saved("P", 7_000, "GIF")
    yield "video", "a GIF of 65535", lambda: b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\2D\1\0;"
    for name, make in workbooks():
        yield "workbook", name, make
    for name, make in csvs():
        yield "csv", name, make
    yield "json", "lists in lists", lambda: b"[" * 5_000_000
    yield "json", "many lists", lambda: b'{"datasets":[' + b"{}," * 3_000_000 + b'{}],"labelGroups":[]}'


def measured(read: Reader, data: bytes) -> dict[str, object]:
    """Read in a process of its own, so that nobody's memory is counted but what this takes."""
    from covid_datasets.errors import CovidDatasetsError
    from covid_datasets.measure.image import UndecodableError

    receive, send = os.pipe()
    if (child := os.fork()) == 0:
        os.close(receive)
        try:
            read(data)
            outcome = "read"
        except (CovidDatasetsError, UndecodableError) as error:
            outcome = f"refused: {error}"
        except BaseException as error:
            outcome = f"raw {type(error).__name__}: {error}"
        with open("/proc/self/status", encoding="utf-8") as status:
            peak = int(status.read().partition("VmHWM:")[2].split()[0]) // 1024
        told_of = {"outcome": outcome[:300], "megabytes": peak, "seconds": round(time.process_time(), 2)}
        os.write(send, json.dumps(told_of).encode())
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return dict(json.loads(told)) if told else {"outcome": "died", "megabytes": 0, "seconds": 0.0}


def main() -> None:
    ways = readers()
    for way, name, make in attacks():
        data = make()
        print(json.dumps({"way": way, "name": name, "bytes": len(data), **measured(ways[way], data)}), flush=True)


if __name__ == "__main__":
    main()
