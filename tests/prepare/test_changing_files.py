"""Files that change, shrink or vanish while a build reads them, and disks that fail: told, and never half done."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import pytest

from covid_datasets import build_dataset, find_build
from covid_datasets.errors import DamagedFileError, IncompleteSourceError, NotBuiltError, UnreadableError
from covid_datasets.prepare.result import Built
from tests.processes import python
from tests.raw.test_archives import zip_of
from tests.sources import chest
from tests.tiny import BUILDER, CARD, VERSION, installed

NAMES = ["images/1.png", "images/2.png", "images/3.png"]
FILES = {name: chest(number, modality="CXR") for number, name in enumerate(NAMES)}
FILES["list.csv"] = ("file,patient,finding\n" + "".join(f"{name},{name[7]},COVID-19\n" for name in NAMES)).encode()
HOOK = """

_listed = records


def after(): ...


def records(raw):
    yield from _listed(raw)
    after()
"""
Change = Callable[[Path], object]


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with installed(tmp_path / "package", monkeypatch, {"tiny": CARD + VERSION}, {"tiny": BUILDER + HOOK}, FILES):
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(data)
    return tmp_path / "data"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "files.zip").write_bytes(zip_of(FILES))
    return tmp_path / "packed"


def build(data: Path, after: Callable[[], object] = lambda: None, *, allow_missing: bool = False) -> Built:
    """Build; ``after`` is done between the list and the first picture."""
    importlib.import_module("covid_datasets.builders.tiny").after = after  # type: ignore[attr-defined]
    cache = data.parent / "cache"
    return build_dataset("tiny", data_dir=data, cache_dir=cache, num_proc=1, allow_missing=allow_missing)


def pipe_in_its_place(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder_in_its_place(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: dict[str, Change] = {
    "vanishes": Path.unlink,
    "shrinks": lambda path: os.truncate(path, 100),
    "is emptied": lambda path: os.truncate(path, 0),
    "is another one": lambda path: path.write_bytes(chest(9, modality="CXR")),
    "is a folder": folder_in_its_place,
    "is a pipe": pipe_in_its_place,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_changes_while_a_build_runs_is_told(folder: Path, change: Change) -> None:
    with pytest.raises(IncompleteSourceError, match=r"images/2\.png"):
        build(folder, lambda: change(folder / "images/2.png"))
    with pytest.raises(NotBuiltError):
        find_build("tiny", cache_dir=folder.parent / "cache")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_archive_that_changes_while_a_build_runs_is_told(archive: Path, change: Change) -> None:
    with pytest.raises((IncompleteSourceError, DamagedFileError)):
        build(archive, lambda: change(archive / "files.zip"))
    with pytest.raises(NotBuiltError):
        find_build("tiny", cache_dir=archive.parent / "cache")


def test_a_folder_that_vanishes_is_told(folder: Path) -> None:
    with pytest.raises(IncompleteSourceError):
        build(folder, lambda: shutil.rmtree(folder))


def test_a_disk_that_fails_ends_the_build_and_the_next_one_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No row is left out: what cannot be read now may be whole.
    real = os.stat

    def failing(path: object, *arguments: object, **options: object) -> os.stat_result:
        if str(path).endswith("images/2.png"):
            raise OSError(errno.EIO, "Input/output error", str(path))
        return real(path, *arguments, **options)  # type: ignore[arg-type]

    with pytest.raises(UnreadableError, match=r"images/2\.png: cannot be read: Input/output error\. Next: try again"):
        build(folder, lambda: monkeypatch.setattr(os, "stat", failing), allow_missing=True)


def test_a_clock_that_jumps_hurts_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(folder)
    shutil.rmtree(folder.parent / "cache")
    jumps, real = cycle((0, 6 * 3600, -6 * 3600, 400 * 86_400, -400 * 86_400)), time.time
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    again = build(folder)
    assert (again.fingerprint, again.rows) == (first.fingerprint, 3)
    assert build(folder).path == again.path
    assert not list(folder.parent.glob("cache/prepared/.work/*"))


def test_the_next_build_is_whole(folder: Path) -> None:
    path = folder / "images/2.png"
    with pytest.raises(IncompleteSourceError):
        build(folder, path.unlink)
    path.write_bytes(FILES["images/2.png"])
    assert build(folder).rows == 3


@pytest.mark.parametrize("limit", [1, 3_000, 30_000, 100_000])
def test_a_file_that_may_not_grow_leaves_nothing_half_written(tmp_path: Path, limit: int) -> None:
    # Whoever writes beyond the limit gets an error of the system in the middle of a file, as with a full quota.
    code = (
        "import resource, sys\n"
        "from covid_datasets import build_dataset, find_build\n"
        "from covid_datasets.errors import CovidDatasetsError, NotBuiltError\n"
        "cache, limit = sys.argv[1], int(sys.argv[2])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "try: build_dataset('phantom', 'small', cache_dir=cache, num_proc=1)\n"
        "except CovidDatasetsError as error: print('told', error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "try: find_build('phantom', 'small', cache_dir=cache)\n"
        "except NotBuiltError: print('nothing is seen')\n"
        "print(build_dataset('phantom', 'small', cache_dir=cache, num_proc=1).rows)\n"
    )
    done = python(code, tmp_path, str(limit))
    assert done.returncode == 0, done.stderr
    told, seen, rows = done.stdout.splitlines()
    assert "File too large" in told
    assert (seen, int(rows) > 0) == ("nothing is seen", True)
