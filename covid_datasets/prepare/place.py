"""Where the pieces of a build go, and come from again: a folder that all workers share, or an object store.

Pieces of one plan have the same content whoever writes them, so attempts share them.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from covid_datasets.disk import make_folder, publish_folder, read_json, remove_folder, started, write_json
from covid_datasets.errors import BuildError, DamagedFileError
from covid_datasets.prepare.seal import file_digest, sealed
from covid_datasets.schema import Notice
from covid_datasets.store import Store, together

ROWS, INDEX, SEAL = "rows.arrow", "index.arrow", "seal.json"
"""The files of a piece: its rows, its index, and what these two have to be."""


class Place(Protocol):
    """Where the pieces of one plan are. It is sent to workers, which write there, and asked by who finishes a build."""

    def writing(self, number: int) -> AbstractContextManager[Path]:
        """Give a private folder for the files of a piece, which becomes one when the block ends well."""
        ...

    def is_finished(self, number: int) -> bool:
        """Tell whether a piece is there and whole."""
        ...

    def finished(self, numbers: Iterable[int]) -> set[int]:
        """Tell which of some pieces are there and whole."""
        ...

    def prepare(self) -> int:
        """Make what workers need, and count the bytes of the pieces that are there."""
        ...

    def bring_indices(self, numbers: Iterable[int]) -> None:
        """Make sure that `index` answers at once."""
        ...

    def index(self, number: int) -> tuple[pa.Table, list[Notice], Mapping[str, Any]]:
        """Read the index of a finished piece, its notices, and the size and SHA-256 of its rows."""
        ...

    def rows_file(self, number: int) -> Path:
        """Give a file of this machine with the rows of a finished piece."""
        ...

    def link(self, number: int, target: Path) -> None:
        """Give the rows of a finished piece their final name as well, where that is one of this machine."""
        ...

    def carry(self, number: int, folder: Store, name: str) -> None:
        """Copy the rows of a finished piece within the store that they are in."""
        ...


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A folder that all workers share: ``pieces`` holds the finished ones, ``attempt`` is private to one try.

    A piece is a folder that is written in the attempt and gets its name in one step, unless another attempt was first.

    Nothing is forced to the disk here, which would mean to wait for it again and again: a build does that once, at its
    end. Till then a power cut may tear pieces that have their names, so each says what its files must hold, and whoever
    goes on after a restart of the machine looks.
    """

    pieces: Path
    attempt: Path

    @contextmanager
    def writing(self, number: int) -> Iterator[Path]:
        """Give a folder in the attempt, and give it its name at the end, unless the piece has been written by now."""
        private = self.attempt / f"{number}.{uuid.uuid4().hex[:12]}"
        private.mkdir()
        try:
            yield private
            write_json(private / SEAL, {"started": started(), "files": _files(private)}, durable=False)
            final = piece_folder(self.pieces, number)
            if not publish_folder(private, final, durable=False) and not self.is_finished(number):  # damaged
                remove_folder(final)
                publish_folder(private, final, durable=False)
        finally:
            shutil.rmtree(private, ignore_errors=True)

    def is_finished(self, number: int) -> bool:
        """Look at the sizes of its files; after a restart of the machine hash all of it."""
        folder = piece_folder(self.pieces, number)
        told = read_json(folder / SEAL)
        if not told:
            return False
        files = {folder / name: wanted for name, wanted in told["files"].items()}
        if any(not path.exists() or path.stat().st_size != wanted["size"] for path, wanted in files.items()):
            return False
        restarted = not told["started"] or told["started"] != started()
        return not restarted or all(file_digest(path) == wanted["sha256"] for path, wanted in files.items())

    def finished(self, numbers: Iterable[int]) -> set[int]:
        """Look at each."""
        return {number for number in numbers if self.is_finished(number)}

    def prepare(self) -> int:
        """Make the folder."""
        make_folder(self.pieces)
        return sum(path.stat().st_size for path in self.pieces.glob("*/*.arrow"))

    def bring_indices(self, numbers: Iterable[int]) -> None:
        """Do nothing: they are here."""

    def index(self, number: int) -> tuple[pa.Table, list[Notice], Mapping[str, Any]]:
        """Map the index."""
        return read_piece_index(piece_folder(self.pieces, number))

    def rows_file(self, number: int) -> Path:
        """Name the file."""
        return rows_path(self.pieces, number)

    def link(self, number: int, target: Path) -> None:
        """Link the file; it keeps the old name until the build is finished, for a resume."""
        source = self.rows_file(number)
        try:
            os.link(source, target)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, target)

    def carry(self, number: int, folder: Store, name: str) -> None:
        """Put the file into a store."""
        folder.put_file(self.rows_file(number), name)


@dataclass(frozen=True, slots=True)
class StorePlace:
    """An object store, which workers share that share no disk. ``seen`` is where the client keeps what it reads of it.

    ``code`` is the digest of the code that planned the pieces.

    A worker writes to its own disk, and puts the files under a name that nobody else uses. What makes them a piece is
    its seal, which comes last and names them: whoever else writes the piece puts another seal, to the same content.
    """

    pieces: Store
    seen: Path
    code: str

    @contextmanager
    def writing(self, number: int) -> Iterator[Path]:
        """Give a temporary folder of this machine, and put what is in it at the end."""
        if code_digest() != self.code:
            raise BuildError(
                f"{self.pieces}: expected a worker with the same covid_datasets as the one that began the build, found "
                f"another on {platform.node()}. Next: install the same version there, then run the same command again"
            )
        with tempfile.TemporaryDirectory(prefix="covid-datasets-") as folder:
            private = Path(folder)
            yield private
            files, piece, token = _files(private), self.pieces / piece_name(number), uuid.uuid4().hex[:12]
            for name in files:
                (piece / token).put_file(private / name, name)
            piece.put(SEAL, json.dumps({"token": token, "files": files}).encode())

    def is_finished(self, number: int) -> bool:
        """Look for its seal."""
        return (self.pieces / piece_name(number)).size(SEAL) is not None

    def finished(self, numbers: Iterable[int]) -> set[int]:
        """Look for all seals at once."""
        sizes = self.pieces.sizes()
        return {number for number in numbers if f"{piece_name(number)}/{SEAL}" in sizes}

    def prepare(self) -> int:
        """Make a folder for what is read, and count what is there."""
        make_folder(self.seen)
        return sum(size for name, size in self.pieces.sizes().items() if name.endswith(".arrow"))

    def bring_indices(self, numbers: Iterable[int]) -> None:
        """Fetch the seals and indices of all pieces, many at once."""
        together(lambda number: self._bring(number, INDEX), list(numbers))

    def index(self, number: int) -> tuple[pa.Table, list[Notice], Mapping[str, Any]]:
        """Map the index that was fetched."""
        return read_piece_index(self._bring(number, INDEX).parent)

    def rows_file(self, number: int) -> Path:
        """Fetch the rows: only of pieces that lose or gain some because their pixels are in another split."""
        return self._bring(number, ROWS)

    def link(self, number: int, target: Path) -> None:
        """Do nothing: it is carried when the build is published."""

    def carry(self, number: int, folder: Store, name: str) -> None:
        """Copy the object that is named by the seal that was read; no byte of it comes here."""
        token = read_json(piece_folder(self.seen, number) / SEAL)["token"]
        folder.copy(self.pieces / piece_name(number) / token / ROWS, name)

    def _bring(self, number: int, name: str) -> Path:
        """Fetch a file of a piece, with its seal, unless it is here."""
        here, there = piece_folder(self.seen, number), self.pieces / piece_name(number)
        if not (here / SEAL).exists():
            make_folder(here)
            write_json(here / SEAL, json.loads(there.read(SEAL)), durable=False)
        told = read_json(here / SEAL)
        if not (here / name).exists():
            (there / told["token"]).get_file(name, here / f"{name}.part")
            if (found := sealed(here / f"{name}.part")) != told["files"][name]:
                raise DamagedFileError(
                    f"{there / told['token'] / name}: expected {told['files'][name]}, found {found}. Next: remove "
                    f"{there} and run the same command again"
                )
            os.replace(here / f"{name}.part", here / name)
        return here / name


@cache
def code_digest() -> str:
    """Digest the code of this package and of the builders: workers elsewhere may have another release."""
    builders = import_module("covid_datasets.builders")
    digest = hashlib.sha256()
    for folder in (Path(__file__).parents[1], Path(next(iter(builders.__path__)))):
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder)} {file_digest(path)}\n".encode())
    return digest.hexdigest()


def piece_name(number: int) -> str:
    """Name a piece, whose folder has this name only when it is whole."""
    return f"piece-{number:05d}"


def piece_folder(pieces: Path, number: int) -> Path:
    """Name the folder of a piece."""
    return pieces / piece_name(number)


def rows_path(pieces: Path, number: int) -> Path:
    """Name the file of a piece's rows."""
    return piece_folder(pieces, number) / ROWS


def read_piece_index(folder: Path) -> tuple[pa.Table, list[Notice], Mapping[str, Any]]:
    """Read the index of a finished piece, its notices, and the size and SHA-256 of its rows."""
    with pa.memory_map(str(folder / INDEX)) as source:
        table = pa.ipc.open_stream(source).read_all()
    told = json.loads(table.schema.metadata[b"notices"])
    rows: dict[str, Any] = read_json(folder / SEAL)["files"][ROWS]
    return table, [Notice(*values) for values in told], rows


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.name: sealed(path) for path in folder.iterdir()}
