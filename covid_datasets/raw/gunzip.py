"""A gzip stream that can be gone back in, without inflating it anew from its beginning each time.

Python's own ``gzip`` starts over for every step back, so that reading the members of an archive in another order than
its own takes time that grows with the square of their number. Here the state of the inflater is kept at regular places,
which costs about 40 kB each.
"""

from __future__ import annotations

import io
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FIRST_SPACING = 256 << 10
"""Inflated bytes between two places; doubled whenever there are too many."""
MAX_PLACES = 512
STREAMS = 4
"""Streams whose places are kept, those that were read last; the others start over when they are read again."""
_PIECE = 64 << 10
_CHUNK = 64 << 10
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class _Place:
    """The state of the inflater after ``out`` bytes: what it was fed up to, and what it has not eaten yet."""

    out: int
    fed: int
    tail: bytes
    inflate: Any


_recent: OrderedDict[int, Callable[[], None]] = OrderedDict()


class Gunzip(io.RawIOBase):
    """What is inside a gzip stream, to read and seek in; ends where its checksums were right, else raises."""

    def __init__(self, packed: io.RawIOBase) -> None:
        """Read from ``packed``, which must be able to seek."""
        self._packed = packed
        self._spacing = FIRST_SPACING
        self._places: list[_Place] = []
        self._wanted = 0
        self._go_to(self._beginning())

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be sought in."""
        return True

    def tell(self) -> int:
        """Return the position in the inflated bytes."""
        return self._wanted

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; nothing is inflated before it is read."""
        if whence == io.SEEK_CUR:
            offset += self._wanted
        elif whence == io.SEEK_END:
            while self._advance():
                pass
            offset += self._out + len(self._ready)
        self._wanted = max(offset, 0)
        return self._wanted

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer, or a part of it; nothing at the end."""
        self._reach(self._wanted)
        start = self._wanted - self._out
        data = self._ready[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._wanted += len(data)
        return len(data)

    def forget(self) -> None:
        """Let go of the places."""
        self._places.clear()

    def _reach(self, at: int) -> None:
        """Inflate until the byte at this place is ready, or the end; going back starts at the nearest kept place."""
        _recent[id(self)] = self.forget
        _recent.move_to_end(id(self))
        while len(_recent) > STREAMS:
            _recent.popitem(last=False)[1]()
        before = bisect_right(self._places, at, key=lambda place: place.out)
        nearest = self._places[before - 1] if before else self._beginning()
        if at < self._out or nearest.out > self._out + len(self._ready):
            self._go_to(nearest)
        while at >= self._out + len(self._ready) and self._advance():
            pass

    def _beginning(self) -> _Place:
        return _Place(0, 0, b"", zlib.decompressobj(_GZIP))

    def _go_to(self, place: _Place) -> None:
        self._out, self._fed, self._tail, self._inflate = place.out, place.fed, place.tail, place.inflate.copy()
        self._ready, self._ended = b"", False

    def _advance(self) -> bool:
        """Inflate the next piece; tell whether there was one."""
        self._out, self._ready = self._out + len(self._ready), b""
        while not self._ready and not self._ended:
            fed = self._tail or self._feed()
            if self._inflate.eof:
                fed = fed.lstrip(b"\0") or self._feed().lstrip(b"\0")  # some tools fill up to a block with zeros
                if not fed:
                    self._ended = True
                    break
                self._inflate = zlib.decompressobj(_GZIP)
            self._ready = self._inflate.decompress(fed, _PIECE)
            self._tail = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            if not fed and not self._ready and not self._inflate.eof:
                raise EOFError("the compressed data ends too early")
        self._keep()
        return bool(self._ready)

    def _feed(self) -> bytes:
        self._packed.seek(self._fed)
        data = self._packed.read(_CHUNK) or b""
        self._fed += len(data)
        return data

    def _keep(self) -> None:
        """Keep this place, if the last one is far enough away."""
        at = self._out + len(self._ready)
        if self._ended or at < (self._places[-1].out if self._places else 0) + self._spacing:
            return
        self._places.append(_Place(at, self._fed, self._tail, self._inflate.copy()))
        if len(self._places) > MAX_PLACES:
            self._places, self._spacing = self._places[1::2], self._spacing * 2
