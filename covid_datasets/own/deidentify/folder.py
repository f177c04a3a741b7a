"""A folder of DICOM files -> another one without what says whose they are, with a report of every change."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from covid_datasets.disk import make_folder, write_file
from covid_datasets.errors import DamagedFileError, UsageError, words_of
from covid_datasets.extras import need
from covid_datasets.lock import Lock
from covid_datasets.own.deidentify.clean import Cleaned, NoImageError, clean
from covid_datasets.own.deidentify.journal import Journal
from covid_datasets.own.deidentify.profile import profile_digest
from covid_datasets.own.deidentify.report import Deidentified, Done, write_report
from covid_datasets.own.deidentify.secret import Secret, open_secret
from covid_datasets.progress import progress, tell

SUFFIX = ".secret"
_PREAMBLE = 128


@dataclass(frozen=True, slots=True)
class _Task:
    """A file of the folder: where it is, what it is called there, and by what it is known again."""

    path: Path
    name: str
    known: str


def deidentify(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    secret: str | os.PathLike[str] | None = None,
    keep_map: bool = False,
    keep_burned_in: bool = False,
) -> Deidentified:
    """Write the DICOM images of a folder into another one, without what says whose they are.

    The Basic Application Level Confidentiality Profile of the standard (PS3.15 Annex E), with dates and times moved by
    one offset a patient, and age and sex kept. Private attributes go, and so does everything that is not known to say
    nothing of a person. Files that are no such images are listed, and not copied; nothing is written into ``folder``.
    The same call goes on where another one was stopped.

    Args:
        folder: A folder of DICOM files; links in it are not followed.
        out: A new or empty folder, or one that the same call began. Beside images it gets a folder ``report``.
        secret: A folder for what must not leave the house: the key, the list of what was left out, and the journal. It
            is made where it is not there; by default it is named as ``out``, with ``.secret`` behind. The same one
            gives the same pseudonyms, UIDs and offsets to files that come later. Delete it, and nobody can link them.
        keep_map: Whether ``people.csv`` in ``secret`` says which patient has which pseudonym and offset.
        keep_burned_in: Whether files are kept whose header says that there is text in their pixels.

    Raises:
        UsageError: The folders are in one another, or ``out`` holds something else.

    >>> here = getfixture("tmp_path")
    >>> _ = (here / "scans").mkdir(), (here / "scans" / "Doe.txt").write_text("Jane Doe")
    >>> done = deidentify(here / "scans", here / "clean")
    >>> done.files, [left.why for left in done.left_out]
    (0, ['no DICOM file'])
    """
    need("pydicom")
    source, target = Path(folder), Path(out)
    kept = Path(secret) if secret is not None else Path(os.path.abspath(target) + SUFFIX)
    _check(source, target, kept)
    key = open_secret(kept)
    with Lock(kept / "lock", on_wait=tell):
        tasks = list(_tasks(source, f"{profile_digest()} {keep_burned_in}"))
        work = _Work(source.resolve(), target, key, Journal(kept / "journal.jsonl"), keep_burned_in)
        work.begin({task.known for task in tasks})
        with progress("deidentify", total_bytes=len(tasks), unit="files") as display:
            display.add("files", len(tasks))
            for task in tasks:
                work.do(task)
                display.advance("files")
        results = [*work.results, *work.others.values()]
        people = {(done.patient, done.pseudonym, key.minutes(done.patient)) for done in results if done.file}
        return write_report(target, kept, results, work.journal.kinds, people if keep_map else ())


def _check(source: Path, target: Path, kept: Path) -> None:
    if not source.is_dir():
        raise UsageError(f"{source}: expected a folder, found {'a file' if source.exists() else 'nothing'}")
    for place in (target, kept):
        if place.exists() and not place.is_dir():
            raise UsageError(f"{place}: expected a folder, or nothing, found a file")
    places = {"the folder": source.resolve(), "OUT": target.resolve(), "the secret folder": kept.resolve()}
    for name, place in places.items():
        for other, inside in places.items():
            if name != other and (inside == place or place in inside.parents):
                raise UsageError(f"{other} ({inside}) is in {name} ({place}): expected three folders beside each other")


def _tasks(source: Path, options: str) -> Iterator[_Task]:
    """List all files, sorted, each with a digest of what it is known by: its name, size, time, and the options."""
    for folder, folders, names in os.walk(source, followlinks=False):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            state = path.lstat()
            said = f"{path.relative_to(source)}\0{state.st_size}\0{state.st_mtime_ns}\0{options}"
            known = hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()
            yield _Task(path, path.relative_to(source).as_posix(), known)


@dataclass(slots=True)
class _Work:
    """The files so far: ``results`` of this call, and ``others`` by their new names, of calls with other files."""

    source: Path
    target: Path
    key: Secret
    journal: Journal
    keep_burned_in: bool
    results: list[Done] = field(default_factory=list)
    others: dict[str, Done] = field(default_factory=dict)
    taken: dict[str, Done] = field(default_factory=dict)
    _earlier: dict[str, list[Done]] = field(default_factory=lambda: defaultdict(list))

    def begin(self, known: set[str]) -> None:
        """Find out what is there of earlier calls; what else there is in OUT is an error."""
        written = [done for done in self.journal.done.values() if done.file and (self.target / done.file).is_file()]
        strange = [] if self.journal.began(self.target) or not self.target.exists() else list(self.target.iterdir())
        if strange and not written:
            raise UsageError(
                f"{self.target}: expected a new or empty folder, or one that the same call began, found "
                f"{min(strange).name!r} in it; choose another one, or name the secret folder of that call"
            )
        self.journal.begin(self.target)
        for litter in self.target.rglob(".*.part"):  # of a call that was killed
            litter.unlink(missing_ok=True)
        self.others = {done.file: done for done in written if done.known not in known}
        self.taken = {done.file: done for done in written if done.known in known}
        for done in self.others.values():
            self._earlier[done.path].append(done)

    def do(self, task: _Task) -> None:
        """Clean one file and write it, whole or not at all; one that was written before is not looked at again."""
        before = self.journal.done.get(task.known)
        if before is not None and before.file in self.taken:
            done = before
        elif (done := self._clean(task)) != before:
            self.journal.add(done)
        self._forget(done)
        self.results.append(done)

    def _forget(self, done: Done) -> None:
        """Remove what an earlier call made of a file that has changed since, or with other options."""
        for name in [other.file for other in self._earlier.get(done.path, ()) if other.file != done.file]:
            if self.others.pop(name, None):
                (self.target / name).unlink(missing_ok=True)

    def _clean(self, task: _Task) -> Done:
        path = str(self.source / task.name)
        try:
            data = _bytes(task.path)
            cleaned = clean(data, task.name, self.key, keep_burned_in=self.keep_burned_in)
        except (DamagedFileError, NoImageError) as error:
            return Done(path, task.known, left_out=str(error))
        except OSError as error:
            return Done(path, task.known, left_out=words_of(error))
        name, other = self._name(cleaned, path)
        if other:
            return Done(path, task.known, left_out=f"the same image as {other}")
        make_folder((self.target / name).parent)
        write_file(self.target / name, cleaned.data)
        done = Done(
            path, task.known, name, cleaned.patient, cleaned.pseudonym,
            kind=self.journal.kind(cleaned.changes), warnings=cleaned.warnings,
        )  # fmt: skip
        self.others.pop(name, None)
        self.taken[name] = done
        return done

    def _name(self, cleaned: Cleaned, path: str) -> tuple[str, str]:
        """Choose a name that says nothing; tell which other file gave the same image, if one did."""
        study, series, instance = (self.key.name("file", uid) for uid in cleaned.uids)
        for number in count(1):
            name = f"{cleaned.pseudonym}/{study}/{series}/{instance}{f'-{number}' if number > 1 else ''}.dcm"
            there = self.taken.get(name) or self.others.get(name)
            if there is None or there.path == path:
                break
            if (self.target / name).read_bytes() == cleaned.data:
                return name, there.path if name in self.taken else ""
        return name, ""


def _bytes(path: Path) -> bytes:
    """Read a DICOM file; anything else is none."""
    if path.is_symlink() or not path.is_file():
        raise NoImageError("a link, or no file")
    with path.open("rb") as file:
        head = file.read(_PREAMBLE + 4)
        if head[_PREAMBLE:] != b"DICM":
            raise NoImageError("no DICOM file")
        return head + file.read()
