"""One module per source that writes a small raw tree in its true layout, dirt included, with phantom pictures.

``write_unpacked(folder)`` writes the tree as the publisher lays it out, ``write_archives(folder)`` what the publisher
serves, as a mirror (``<folder>/<host>/<path>``). ``write`` is the first of the two.

``EXPECTED`` says by hand what some of its files must become in the first config: ``{"images/1.png": Expected(...)}``; of
a table some of its rows, ``({"date": ...}, ...)``. ``SMALL`` replaces texts of the card where the whole source is too
much for a test, and ``UNTOLD`` owns up to damage that the source leaves untold.
"""

import csv
import io
import re
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
from PIL import Image

from covid_datasets.phantoms.chest import picture
from covid_datasets.raw.tree import RawTree

KINDS = {".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"} | {
    f".{kind.lower()}": kind for kind in ("PNG", "WEBP", "BMP", "GIF")
}
"""Ending of a picture -> how Pillow calls its format."""


class Expected(NamedTuple):
    """What a file must become: the source's own ids and the splits as stored; ``None`` where the source says nothing."""

    sample: str
    patient: str | None
    label: str | None
    split: str
    official: str | None = None


def chest(
    number: int, *, modality: str = "CT", mode: str = "L", kind: str = "PNG", size: tuple[int, int] | None = None
) -> bytes:
    """Encode a phantom picture, another one for each number, in the wanted mode and container."""
    image = Image.open(io.BytesIO(picture(RawTree(()), 7, number, 1, modality, 0, False, "image")))
    shown = image.resize(size) if size else image
    out = io.BytesIO()
    shown.convert(mode).save(out, kind)
    return out.getvalue()


def pack(folder: Path, archive: Path, root: str, pattern: str = "**/*") -> None:
    """Zip the files of a folder under ``root``, with one date for all, as our test mirror has it."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(folder.glob(pattern)):
            if path.is_file():
                name = zipfile.ZipInfo(root + path.relative_to(folder).as_posix(), (2020, 1, 1, 0, 0, 0))
                out.writestr(name, path.read_bytes())


def pack_tree(write: Callable[[Path], object], archive: Path, root: str = "") -> None:
    """Zip the tree that ``write`` writes."""
    with tempfile.TemporaryDirectory() as place:
        write(Path(place) / "tree")
        pack(Path(place) / "tree", archive, root)


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]]) -> bytes:
    """Make an Excel file of rows, the same bytes at any time: openpyxl writes into it when it was made."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for at, row in enumerate(rows, 1):
            for column, value in enumerate(row, 1):
                sheet.cell(at, column, value)
    written, out = io.BytesIO(), io.BytesIO()
    book.save(written)
    with zipfile.ZipFile(written) as made, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as dated:
        for name in made.namelist():
            data = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]{8}Z", b"2020-01-01T00:00:00Z", made.read(name))
            dated.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
    return out.getvalue()


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table as its ending says: CSV, tab-separated or Excel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".xlsx":
        path.write_bytes(workbook({"Sheet": [[cell or None for cell in row] for row in (header, *rows)]}))
        return
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines, delimiter="\t" if path.suffix == ".tsv" else ",").writerows((header, *rows))
