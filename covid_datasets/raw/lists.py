"""Lists that publishers give with their archives: what ``tar -tvf NAME`` says, as ``NAME.tar-tvf.txt`` beside it.

To list a compressed tar is to inflate all of it; of a thousand gigabytes that takes hours before anything else begins.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import IO

from covid_datasets.errors import DamagedFileError
from covid_datasets.raw.archive import Archive
from covid_datasets.raw.folders import readable
from covid_datasets.raw.guards import check_name

ENDING = ".tar-tvf.txt"
MAX_LIST_BYTES = 256 << 20
"""Of a list: some two million files."""
_LINE = re.compile(r"([-d])[-rwxsStT]{9}[.+]? +\S+ +([0-9]{1,15}) +[0-9]{4}-[0-9]{2}-[0-9]{2} +[0-9:]{5,8} (.+)")


def read_list(text: str) -> dict[str, int] | None:
    r"""Read which files are in an archive, in its order, with their sizes; ``None`` where a line says anything else.

    >>> read_list("drwxr-xr-x a/b 0 2020-06-05 10:11 a/\n-rw-r--r-- a/b 12 2020-06-05 10:11 ./a/b c.png\n")
    {'a/b c.png': 12}
    """
    found: dict[str, int] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        name = match[3].removeprefix("./") if match else ""
        if match is None or name in found or "\\" in name or " -> " in name:
            return None
        if match[1] == "-":
            found[name] = int(match[2])
    return found or None


def beside(path: str) -> dict[str, int] | None:
    """Read the list beside an archive on a disk; ``None`` where there is none that can be used."""
    place = path + ENDING
    if not os.path.isfile(place) or os.path.getsize(place) > MAX_LIST_BYTES:
        return None
    with readable(place), open(place, "rb") as file:
        return read_list(file.read().decode("utf-8", errors="surrogateescape"))


class Listed:
    """An archive that is known by its list, and inflated when the first of its files is read.

    Then list and archive have to agree, file by file.
    """

    def __init__(self, listed: Mapping[str, int], shown: str, load: Callable[[], Archive]) -> None:
        """Take a list, and what opens the archive itself."""
        for name in listed:
            check_name(name, shown)
        self._listed = listed
        self._shown = shown
        self._load = load

    @cached_property
    def _archive(self) -> Archive:
        archive = self._load()
        if archive.sizes() != self._listed:
            differ = sorted(dict(set(archive.sizes().items()) ^ set(self._listed.items())))
            raise DamagedFileError(
                f"{self._shown}: expected what its list {ENDING[1:]} says, found {len(differ):,} files that differ, "
                f"such as {differ[0]}. Fetch both again, or remove the list"
            )
        return archive

    @cached_property
    def _order(self) -> Mapping[str, int]:
        return {name: number for number, name in enumerate(self._listed)}

    def names(self) -> Iterable[str]:
        """List every file inside."""
        return self._listed

    def sizes(self) -> Mapping[str, int]:
        """List every file inside with its size."""
        return self._listed

    def size(self, name: str) -> int | None:
        """Return the size of a file, ``None`` where there is no such file."""
        return self._listed.get(name)

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        return self._archive.read(name)

    def open(self, name: str) -> IO[bytes]:
        """Open a file for seeking reads."""
        return self._archive.open(name)

    def position(self, name: str) -> int:
        """Tell which one of the list it is."""
        return self._order[name]
