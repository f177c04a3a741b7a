"""Where a finished build goes: a folder that gets its name in one step, or a prefix of a store that a mark names.

In a store a build is ``…/<key>/<token>/``: every attempt has a prefix of its own, with the manifest as its last object.
What makes one visible is ``…/<key>/built.json``, which names the prefix and is put on the condition that there is none.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from covid_datasets.disk import check_space, publish_folder, remove_folder
from covid_datasets.errors import DamagedFileError
from covid_datasets.prepare.result import MANIFEST_FILE, Built
from covid_datasets.prepare.seal import SEAL_FILE, check_files, read_manifest
from covid_datasets.settings import PREPARED, Settings
from covid_datasets.store import Store, together

if TYPE_CHECKING:
    from covid_datasets.prepare.place import Place

MARK_FILE = "built.json"
"""Makes a build in a store visible: names the prefix that holds it."""

Parts = tuple[str, str, str, str]
"""Source, version, config, and the digest of all inputs: no two different builds share it."""


@dataclass(frozen=True, slots=True)
class Made:
    """A build that is whole in a private folder, but for the files of a store that are pieces as workers put them.

    ``linked`` names the files that are pieces, and the number of each; ``place`` says where the pieces are.
    """

    folder: Path
    linked: Mapping[str, int] = field(default_factory=dict)
    place: Place | None = None


class Target(Protocol):
    """Where a finished build goes. ``work`` is a folder of this machine, beside which the lock is."""

    @property
    def work(self) -> Path:
        """The folder of the attempts."""
        ...

    def is_built(self) -> bool:
        """Tell whether somebody finished it."""
        ...

    def place(self, digest: str, attempt: Path) -> Place:
        """Give the place of the pieces of a plan."""
        ...

    @property
    def room(self) -> Path | None:
        """The folder whose disk a build fills; ``None`` of a store."""
        ...

    def check_room(self, needed: int, spare: int) -> None:
        """Refuse to begin what cannot end."""
        ...

    def publish(self, made: Made, proceed: Callable[[], object]) -> None:
        """Make a build visible in one step, unless another attempt was first.

        ``proceed`` is called before anything is removed; it raises to stop.
        """
        ...

    def clean(self) -> None:
        """Remove pieces and attempts."""
        ...

    def read(self) -> Built:
        """Read the finished build."""
        ...


def target_of(settings: Settings, parts: Parts) -> Target:
    """Tell a folder from a store.

    >>> target_of(Settings(Path("/cache")), ("phantom", "1", "small", "0a1b")).work.as_posix()
    '/cache/prepared/.work/phantom-1-small-0a1b'
    """
    if settings.store is None:
        prepared = settings.prepared
        return LocalTarget(prepared.joinpath(*parts), prepared / ".work" / "-".join(parts), prepared)
    return StoreTarget(settings.store / PREPARED, settings.prepared, parts)


@dataclass(frozen=True, slots=True)
class LocalTarget:
    """A folder of this machine, or of a file system that machines share."""

    final: Path
    work: Path
    room: Path

    def is_built(self) -> bool:
        """Look for the manifest."""
        return (self.final / MANIFEST_FILE).exists()

    def place(self, digest: str, attempt: Path) -> Place:
        """Keep pieces beside the attempts."""
        from covid_datasets.prepare.place import LocalPlace  # here, for a finished build is found without

        return LocalPlace(self.work / f"pieces-{digest[:16]}", attempt)

    def check_room(self, needed: int, spare: int) -> None:
        """Look at the disk."""
        check_space(self.work, needed, spare)

    def publish(self, made: Made, proceed: Callable[[], object]) -> None:
        """Rename the folder."""
        if not publish_folder(made.folder, self.final) and not self.is_built():  # what is there lost its manifest
            proceed()
            remove_folder(self.final)
            publish_folder(made.folder, self.final)

    def clean(self) -> None:
        """Remove the folder of the work."""
        shutil.rmtree(self.work, ignore_errors=True)

    def read(self) -> Built:
        """Read its manifest."""
        return Built.read(self.final)


@dataclass(frozen=True, slots=True)
class StoreTarget:
    """A prefix of an object store; ``scratch`` is where this machine keeps copies of builds and its own attempts.

    The lock beside ``work`` keeps apart the processes of this machine only. Two machines that build the same share
    finished pieces, and each may finish: the mark decides.
    """

    prepared: Store
    scratch: Path
    parts: Parts

    @property
    def work(self) -> Path:
        """The folder of the attempts of this machine."""
        return self.scratch / ".work" / "-".join(self.parts)

    @property
    def _home(self) -> Store:
        return self.prepared / "/".join(self.parts)

    @property
    def _pieces(self) -> Store:
        return self.prepared / ".work" / "-".join(self.parts)

    def is_built(self) -> bool:
        """Look for the mark."""
        return self._home.size(MARK_FILE) is not None

    def place(self, digest: str, attempt: Path) -> Place:
        """Keep pieces in the store, and what is read of them in the attempt."""
        from covid_datasets.prepare.place import StorePlace, code_digest

        return StorePlace(self._pieces / f"pieces-{digest[:16]}", attempt / "seen", code_digest())

    @property
    def room(self) -> None:
        """None: it fills no disk of this machine."""

    def check_room(self, needed: int, spare: int) -> None:
        """Ask nothing: a store has no end that it would tell of."""

    def publish(self, made: Made, proceed: Callable[[], object]) -> None:
        """Copy the pieces within the store, put the other files, the manifest last, and claim the mark."""
        private, linked, place = made.folder, made.linked, made.place
        assert place is not None, "a build in a store comes of pieces that are there"
        token = new_token()
        final, manifest = self._home / token, read_manifest(private)
        try:
            together(lambda name: place.carry(linked[name], final, name), sorted(linked))
            own = [name for name in manifest["files"] if name not in linked]
            together(lambda name: final.put_file(private / name, name), [*own, SEAL_FILE])
            check_files(final, manifest)
            final.put_file(private / MANIFEST_FILE, MANIFEST_FILE)
            heeds = self._home.put_new(MARK_FILE, mark_of(token))
            if not heeds:
                self._mark_lowest()
            if marked(self._home) == final or not heeds:
                return  # where no condition decides, another machine may be about to mark ours: it stays
        except BaseException:
            if marked(self._home) != final:
                final.remove()
            raise
        final.remove()  # another attempt was first: its build is the same

    def _mark_lowest(self) -> None:
        """Let the lowest of all finished attempts have the mark, on a store that knows no conditions.

        Each attempt is whole before it comes here, and none that was whole is ever removed: so whoever looks last
        sees all of them, and all agree.
        """
        while True:
            tokens = [token for token in self._home.folders() if token != MARK_FILE]
            lowest = min(token for token in tokens if (self._home / token).size(MANIFEST_FILE) is not None)
            if marked(self._home) == self._home / lowest:
                return
            self._home.put(MARK_FILE, mark_of(lowest))

    def clean(self) -> None:
        """Remove the pieces from the store and the attempts from this machine."""
        self._pieces.remove()
        shutil.rmtree(self.work, ignore_errors=True)

    def read(self) -> Built:
        """Read the manifest of the build that is marked."""
        found = marked(self._home)
        assert found is not None, "whoever reads it has seen its mark"
        return Built.read(found, self.scratch.joinpath(*self.parts))


def new_token() -> str:
    """Name an attempt, like no other."""
    return uuid.uuid4().hex[:12]


def mark_of(token: str) -> bytes:
    """Write the mark that names an attempt."""
    return json.dumps({"folder": token}).encode()


def marked(home: Store) -> Store | None:
    """Return the prefix that holds the build of a key; ``None`` where there is none.

    Raises:
        DamagedFileError: There is a mark, and it names nothing.
    """
    try:
        return home / str(json.loads(mark := home.read(MARK_FILE))["folder"])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedFileError(
            f"{home / MARK_FILE}: expected the name of the folder that holds the build, found {mark[:80]!r}. "
            "Remove it and build again."
        ) from error


def finished_in(source: Store) -> Iterator[tuple[Store, int]]:
    """List the finished builds in a store of one config of a source, each with the time at which it was marked."""
    homes = [source / key for key in source.folders()]
    found = zip(together(marked, homes), together(lambda home: home.when(MARK_FILE), homes), strict=True)
    yield from ((folder, when) for folder, when in found if folder is not None)
