"""The files of a folder: which of them show something, and which one somebody means by a name."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from covid_datasets.audits.sample import Form
from covid_datasets.errors import DamagedFileError, UnreadableError
from covid_datasets.own.files import DICOM, is_mask, kind_by_name
from covid_datasets.schema import Notice

MAX_BYTES = 1 << 30
"""Of one file: it is in memory while it is looked at."""
_MOST = 2_000_000
"""Files of a folder; it is a mistake to audit a whole disk."""
_DEEPEST = 64
"""Folders in folders; links can make more of them than anybody has."""
_PREAMBLE = 128


@dataclass(frozen=True, slots=True)
class Found:
    """A file that shows something, by its path in the folder."""

    name: str
    form: Form
    read: Callable[[], bytes]


def read_file(path: str) -> bytes:
    """Read a whole file, as long as it is a file and no larger than any picture or volume."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            told = os.fstat(file.fileno())
            if not stat.S_ISREG(told.st_mode):
                raise DamagedFileError(f"{path}: expected a file, found a device, a pipe or a socket")
            if told.st_size > MAX_BYTES:
                raise DamagedFileError(f"{path}: expected at most {MAX_BYTES:,} bytes, found {told.st_size:,}")
            return file.read()
    except OSError as error:
        raise UnreadableError.of(path, error) from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a pipe that nobody writes to without waiting for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def form_of(path: str) -> Form | None:
    """Tell what a file shows, by its name and, where that says nothing, by its first bytes.

    >>> form_of("a.png"), form_of("ct.nii.gz"), form_of("1.dcm"), form_of("notes.txt")
    ('picture', 'volume', 'dicom', None)
    """
    kind = kind_by_name(path)
    if kind in ("picture", "volume"):
        return "picture" if kind == "picture" else "volume"
    name = PurePosixPath(path.replace(os.sep, "/")).name.lower()
    if name.endswith(DICOM):
        return "dicom"
    ending = name.rpartition(".")[2] if "." in name else ""
    if (ending and not ending.isdigit()) or not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return "dicom" if file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM" else None


def files_of(folder: Path) -> tuple[list[Found], list[Notice]]:
    """List what a folder holds, sorted by path, and count what is left out: masks, and what is no picture."""
    found: list[Found] = []
    left: Counter[str] = Counter()
    example: dict[str, str] = {}
    for name in _walk(folder):
        path = str(folder / name)
        form = form_of(path)
        if form is not None and not shows_mask(name):
            found.append(Found(name, form, partial(read_file, path)))
            continue
        why = "masks" if form else f"of {PurePosixPath(name).suffix.lower() or 'no ending'}, no picture or volume"
        left[why] += 1
        example.setdefault(why, name)
    notices = [
        Notice("file left out", example[why], f"{count:,} {why}", dropped=True, count=count)
        for why, count in sorted(left.items())
    ]
    return sorted(found, key=lambda each: each.name), notices


def shows_mask(path: str) -> bool:
    """Tell whether a file is a mask: by its folder, or by a word of its own name.

    >>> shows_mask("masks/1.png"), shows_mask("train/1_mask.png"), shows_mask("1.masks-lung.png"), shows_mask("a/1.png")
    (True, True, True, False)
    """
    words = re.split(r"[^a-z]+", path.lower().rpartition("/")[2].rpartition(".")[0])
    return is_mask(path) or not {"mask", "masks"}.isdisjoint(words)


def _walk(folder: Path) -> Iterator[str]:
    """Yield the path of every file that is not hidden; a folder that is a link is followed, but not in a circle."""
    count = 0
    waiting: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ())]
    while waiting:
        within, above = waiting.pop()
        here = os.path.join(folder, within)
        try:
            told = os.stat(here)
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            raise UnreadableError.of(here, error) from error
        place = (told.st_dev, told.st_ino)
        if place in above or len(above) > _DEEPEST:
            continue
        for entry in entries:
            path = f"{within}/{entry.name}" if within else entry.name
            if entry.name.startswith((".", "__MACOSX")):
                continue
            if entry.is_dir():
                waiting.append((path, (*above, place)))
                continue
            count += 1
            if count > _MOST:
                raise DamagedFileError(f"{folder}: expected at most {_MOST:,} files, found more")
            yield path


def plain(name: str) -> str:
    r"""Write a path in one way, whoever wrote it.

    >>> plain(r".\train\a.png"), plain("images//b.png"), plain("C:\\data\\c.png")
    ('train/a.png', 'images/b.png', 'C:/data/c.png')
    """
    text = unicodedata.normalize("NFC", name.strip().replace("\\", "/"))
    root = "/" if text.startswith("/") else ""
    return root + "/".join(part for part in text.split("/") if part not in ("", "."))


class Names:
    """Finds what somebody means by a name: the path, else as much of its end as fits, also without the ending."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take the names that there are."""
        self._whole: dict[str, int] = {}
        self._ends: dict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(names):
            path = plain(name)
            self._whole.setdefault(path, number)
            self._ends[path.rpartition("/")[2]].append(number)
        self._plain = [plain(name) for name in names]
        self._stems: dict[str, list[int]] = defaultdict(list)
        for last, numbers in self._ends.items():
            self._stems[last.partition(".")[0] if last.endswith(".gz") else last.rpartition(".")[0]] += numbers

    def find(self, name: str) -> list[int]:
        """Return the numbers of what fits: one where it is clear, several where it is not, none where nothing is there.

        >>> names = Names(["train/a.png", "test/a.png", "test/b.png"])
        >>> [names.find(each) for each in ("test/a.png", "/data/test/a.png", "a.png", "b", "c.png")]
        [[1], [1], [0, 1], [2], []]
        """
        path = plain(name)
        if path in self._whole:
            return [self._whole[path]]
        last = path.rpartition("/")[2]
        if last in self._ends:
            return self._longest(path, self._ends[last])
        return self._longest(path, self._stems[last]) if last in self._stems else []

    def _longest(self, path: str, numbers: Sequence[int]) -> list[int]:
        """Keep those that agree with most folders on the way."""
        folders = path.split("/")[-2::-1]
        shared = []
        for number in numbers:
            own = self._plain[number].split("/")[-2::-1]
            agree = 0
            for one, other in zip(folders, own, strict=False):
                if one != other:
                    break
                agree += 1
            shared.append(agree)
        most = max(shared)
        return [number for number, agree in zip(numbers, shared, strict=True) if agree == most]
