"""Lines of a text file of any size, a part of it in memory at a time.

A file is gone through twice: once to find out how it is written, once to read it.
"""

from __future__ import annotations

import codecs
import io
from collections import deque
from collections.abc import Iterator
from typing import IO

from covid_datasets.errors import CovidDatasetsError, DamagedFileError, IncompleteSourceError
from covid_datasets.schema import Notice, RawReader

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 1 << 24
"""Characters; the widest table of this field has lines of 20,000."""


def encoding_of(raw: RawReader, path: str) -> tuple[str, list[Notice]]:
    """Find out how a file is written: UTF-8, else Windows-1252, the two that sources of this field use.

    Raises:
        IncompleteSourceError: It is not there.
        DamagedFileError: It is empty, or cannot be read to its end.
    """
    if not raw.has(path):
        raise IncompleteSourceError(
            f"{path}: expected this table in the raw files, found nothing; without it the source cannot be read. "
            "Download it again, or put it into data_dir= under this name"
        )
    decoder = codecs.getincrementaldecoder("utf-8")()
    before = 0
    for chunk in _chunks(raw, path):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            byte, at = error.object[error.start], before - pending + error.start
            what = f"byte {byte:#04x} at offset {at} is not UTF-8; read as Windows-1252"
            return "cp1252", [Notice("text not UTF-8", path, what)]
        before += len(chunk)
    if not before:
        raise DamagedFileError(f"{path}: expected a table, found an empty file (0 bytes)")
    return "utf-8-sig", []


def _chunks(raw: RawReader, path: str) -> Iterator[bytes]:
    """Yield the bytes of a file, at last an empty piece; whatever goes wrong on the way is damage."""
    with raw.open(path) as stream:
        while True:
            chunk = read_some(stream, path, CHUNK_BYTES)
            yield chunk
            if not chunk:
                return


def read_some(stream: IO[bytes], path: str, size: int) -> bytes:
    """Read a piece of a stream; the decompressors of archives let through whatever their parsers raise."""
    try:
        return stream.read(size)
    except CovidDatasetsError:
        raise
    except Exception as error:
        raise DamagedFileError(f"{path}: expected a whole file, found one that cannot be read on: {error}") from error


class _Pieces(io.RawIOBase):
    """A stream that turns every failure of the one below into a `DamagedFileError`."""

    def __init__(self, stream: IO[bytes], path: str) -> None:
        self._stream = stream
        self._path = path

    def readable(self) -> bool:
        """Say that it is there to be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read the next piece."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        piece = read_some(self._stream, self._path, len(view))
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Close the stream below too."""
        self._stream.close()
        super().close()


class Lines:
    """The lines of a text, each with its number from 1: those ahead can be looked at before they are taken."""

    def __init__(self, raw: RawReader, path: str, encoding: str) -> None:
        pieces = io.BufferedReader(_Pieces(raw.open(path), path), CHUNK_BYTES)
        self._text = io.TextIOWrapper(pieces, encoding, errors="replace", newline="")
        self._path = path
        self._ahead: deque[str] = deque()
        self.number = 1
        """The number of the next line."""

    def peek(self, ahead: int = 0) -> str:
        """Look at a line that is still to come; empty behind the last one."""
        while len(self._ahead) <= ahead:
            line = self._text.readline(LONGEST_LINE)
            if not line:
                return ""
            if len(line) == LONGEST_LINE:
                where = f"{self._path} line {self.number + len(self._ahead)}"
                raise DamagedFileError(f"{where}: expected at most {LONGEST_LINE:,} characters in a line, found more")
            self._ahead.append(line)
        return self._ahead[ahead]

    def drop(self, count: int = 1) -> None:
        """Go on behind some lines that were looked at."""
        for _ in range(count):
            self._ahead.popleft()
        self.number += count

    def close(self) -> None:
        """Close the file."""
        self._text.close()
