"""A large CSV as several: cut between its rows, so that several workers read it and none holds all of it.

Nothing is copied: a cut is seen as a file of its own that begins with the header.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from covid_datasets.read.lines import CHUNK_BYTES, read_some
from covid_datasets.read.tables import LONGEST_ROW
from covid_datasets.schema import RawReader


@dataclass(frozen=True, slots=True)
class Cut:
    """The rows of a table that begin at byte ``start``, in line ``line``, and end before byte ``end``."""

    path: str
    header: int
    start: int
    end: int
    line: int

    @property
    def name(self) -> str:
        """What notices call it: lines are counted from where it begins."""
        return self.path if self.start == self.header else f"{self.path} from line {self.line:,}"


def cuts(raw: RawReader, path: str, size: int) -> Iterator[Cut]:
    """Cut a CSV into parts of about ``size`` bytes, each of whole rows.

    A line ends a row where the quotation marks up to it are even in number. Where one is left open for longer than any
    row is, it is one that somebody forgot: rows end with their lines from there on.
    """
    header = start = at = first = 0
    odd, opened = False, 0
    for number, line in enumerate(_lines(raw, path), start=1):
        if not header:
            header = start = len(line)
            at, first = header, number + 1
            continue
        at += len(line)
        if line.count(b'"') % 2:
            odd, opened = not odd, at
        if odd and at - opened > LONGEST_ROW:
            odd = False
        if not odd and at - start >= size:
            yield Cut(path, header, start, at, first)
            start, first = at, number + 1
    if at > start or start == header:
        yield Cut(path, header, start, at, first)


@dataclass(frozen=True, slots=True)
class CutReader:
    """Raw files in which a cut is a file, under its name."""

    raw: RawReader
    cut: Cut

    def has(self, path: str) -> bool:
        """Tell whether the table is there."""
        return self.raw.has(self.cut.path)

    def read(self, path: str) -> bytes:
        """Return the header and the rows of the cut."""
        with self.open(path) as stream:
            return stream.read()

    def open(self, path: str) -> IO[bytes]:
        """Open the header and the rows of the cut, to be read piece by piece."""
        return io.BufferedReader(_Cut(self.raw.open(self.cut.path), self.cut), CHUNK_BYTES)


class _Cut(io.RawIOBase):
    def __init__(self, stream: IO[bytes], cut: Cut) -> None:
        self._stream = stream
        self._left = [(0, cut.header), (cut.start, cut.end - cut.start)]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        while self._left:
            at, count = self._left[0]
            if count > 0:
                self._stream.seek(at)
                piece = self._stream.read(min(len(view), count))
                self._left[0] = (at + len(piece), count - len(piece) if piece else 0)
                if piece:
                    view[: len(piece)] = piece
                    return len(piece)
            else:
                self._left.pop(0)
        return 0

    def close(self) -> None:
        self._stream.close()
        super().close()


def _lines(raw: RawReader, path: str) -> Iterator[bytes]:
    """Yield lines as bytes: no letter of UTF-8 or Windows-1252 has the byte that ends them."""
    rest = b""
    with raw.open(path) as stream:
        while chunk := read_some(stream, path, CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line + b"\n" for line in lines)
    if rest:
        yield rest
