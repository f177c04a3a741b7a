"""Take a PDF apart; run in a process of its own, which `command` bounds in time.

``python -m covid_datasets.contribute.figures.extract PDF FOLDER`` writes the pictures, ``figures.json`` and
``figures.csv`` into a folder that is there.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from covid_datasets.contribute.figures.captions import captions, nearest
from covid_datasets.contribute.figures.found import Figures, LeftOut, Picture, as_csv
from covid_datasets.contribute.figures.pages import Page, walk
from covid_datasets.contribute.figures.panels import SMALLEST, panels
from covid_datasets.contribute.figures.streams import LeftOutError, stored
from covid_datasets.errors import CovidDatasetsError, DamagedFileError, UnreadableError, words_of
from covid_datasets.read.bounds import border

MAX_BYTES = 512 << 20
"""Of a PDF, which is held in memory."""
MAX_PAGES = 2_000
MAX_PICTURES = 5_000
MAX_WRITTEN = 4 << 30
"""Bytes of all pictures together."""
MAX_MEMORY = 4 << 30
"""Of the process, where the system can bound it."""
NAME = "figures"


def extract(pdf: Path, folder: Path) -> Figures:
    """Write what is in a PDF into a folder.

    Raises:
        DamagedFileError: It is no PDF, is encrypted, or has no pages that can be read.
    """
    data = _read(pdf)
    reader = _open(pdf.name, data)
    with border(pdf.name, "a PDF with pages", data):
        pages = len(reader.pages)
    taken = _Taken(re.sub(r"[^\w.%+-]+", "_", pdf.stem)[:80].lstrip(".") or "figure", folder)
    for number in range(1, min(pages, MAX_PAGES) + 1):
        try:
            page = walk(reader, number)
        except Exception as error:  # parsers of foreign input raise whatever they trip over
            taken.left_out.append(LeftOut(number, 0, f"the page: {words_of(error)}"))
            continue
        taken.left_out += page.left_out
        if not taken.page(page):
            taken.left_out.append(LeftOut(number, 0, "the rest: there are too many pictures, or too large ones"))
            break
    if pages > MAX_PAGES:
        taken.left_out.append(LeftOut(MAX_PAGES + 1, 0, f"this page and those behind it: {pages:,} are too many"))
    found = Figures(
        pdf.name, hashlib.sha256(data).hexdigest(), pages, tuple(taken.pictures.values()), tuple(taken.left_out)
    )
    (folder / f"{NAME}.json").write_text(json.dumps(found.to_json(), indent=2, ensure_ascii=False), encoding="utf-8")
    (folder / f"{NAME}.csv").write_text(as_csv(found.pictures), encoding="utf-8", newline="\n")
    return found


class _Taken:
    """The pictures so far, each once, by what is in its file."""

    def __init__(self, stem: str, folder: Path) -> None:
        self.stem, self.folder, self.written = stem, folder, 0
        self.pictures: dict[str, Picture] = {}
        self.left_out: list[LeftOut] = []
        self._known: dict[int, str] = {}
        """Object numbers that were looked at -> hash of the file; empty where it was left out."""

    def page(self, page: Page) -> bool:
        """Take the pictures of a page; false where there were enough."""
        told = captions(page.lines)
        for reference, box in page.shown:
            number = int(getattr(reference, "idnum", 0))
            if number not in self._known or not number:
                try:
                    self._known[number] = self._take(reference, number, page.number, box, nearest(box, told))
                except (LeftOutError, DamagedFileError) as error:
                    self._known[number] = ""
                    self.left_out.append(LeftOut(page.number, number, str(error)))
            if digest := self._known[number]:
                self._again(digest, page.number)
            if len(self.pictures) > MAX_PICTURES or self.written > MAX_WRITTEN:
                return False
        return True

    def _again(self, digest: str, page: int) -> None:
        known = self.pictures[digest]
        if page not in known.pages:
            self.pictures[digest] = replace(known, pages=(*known.pages, page))

    def _take(self, reference: Any, number: int, page: int, box: Any, caption: str | None) -> str:
        name = f"{self.stem}-p{page}-{number}"
        stream = reference.get_object()
        found = stored(stream, name)
        height, width = found.grey.shape
        if min(height, width) < SMALLEST:
            raise LeftOutError(f"{width} by {height} pixels are no figure")
        digest = hashlib.sha256(found.data).hexdigest()
        if digest not in self.pictures:
            (self.folder / f"{name}{found.ending}").write_bytes(found.data)
            self.written += len(found.data)
            self.pictures[digest] = Picture(
                file=f"{name}{found.ending}",
                pages=(page,),
                object=number,
                width=width,
                height=height,
                original=found.original,
                mask="/SMask" in stream or "/Mask" in stream,
                sha256=digest,
                box=tuple(round(side, 2) for side in box),
                caption=caption,
                panels=panels(found.grey),
            )
        return digest


def _read(pdf: Path) -> bytes:
    try:
        if pdf.stat().st_size > MAX_BYTES:
            raise DamagedFileError(f"{pdf}: expected a PDF of at most {MAX_BYTES:,} bytes, found a larger file")
        return pdf.read_bytes()
    except OSError as error:
        raise UnreadableError.of(pdf, error) from error


def _open(name: str, data: bytes) -> Any:
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it trips over is told by page
    if b"%PDF-" not in data[:1024]:
        raise DamagedFileError(f"{name}: expected a PDF, found {len(data):,} bytes that do not begin as one")
    with border(name, "a PDF", data):
        reader = PdfReader(io.BytesIO(data))
        locked = reader.is_encrypted and not reader.decrypt("")
    if locked:
        raise DamagedFileError(f"{name}: expected a PDF that anybody can open, found one with a password: remove it")
    return reader


def _bound_memory() -> None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def main(arguments: list[str]) -> int:
    """Run `extract`; an error is one line of JSON on standard error."""
    _bound_memory()
    try:
        extract(Path(arguments[0]), Path(arguments[1]))
    except (CovidDatasetsError, MemoryError, RecursionError) as error:
        message = str(error) if isinstance(error, CovidDatasetsError) else words_of(error)
        print(json.dumps({"kind": type(error).__name__, "message": message}), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
