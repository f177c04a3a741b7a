"""Results that are kept while there is room: thumbnails, frames and decoded volumes, each kind with its own bound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class Kept(Generic[V]):
    """The values that were asked for last, as many as fit into a number of bytes, for any number of threads.

    A value that is larger than all the room is handed out, and is not kept.

    >>> kept = Kept[bytes](10, len)
    >>> [kept.get(name, lambda: b"four") for name in ("a", "b", "c")], kept.names(), kept.held
    ([b'four', b'four', b'four'], ['b', 'c'], 8)
    """

    def __init__(self, room: int, size: Callable[[V], int]) -> None:
        self._room, self._size = room, size
        self._lock = Lock()
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self.held = 0

    def get(self, name: Hashable, make: Callable[[], V]) -> V:
        """Return what is kept by this name, else make it, outside of the lock, so that nobody waits for another's."""
        with self._lock:
            if name in self._values:
                self._values.move_to_end(name)
                return self._values[name]
        made = make()
        size = self._size(made)
        with self._lock:
            if name not in self._values and size <= self._room:
                self._values[name] = made
                self.held += size
            while self.held > self._room:
                self.held -= self._size(self._values.popitem(last=False)[1])
        return made

    def names(self) -> list[Hashable]:
        """List what is kept, the latest last."""
        with self._lock:
            return list(self._values)
