"""A view is whole or not there: killed, cut, changed, copied and full disks, and two who make it at once."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import build_dataset, cache_contents, clean_cache, load_dataset, to_numpy
from covid_datasets.errors import CacheError, NoSpaceError
from covid_datasets.load.fixed import layer as layers
from covid_datasets.load.fixed import pixels, store
from covid_datasets.load.fixed.layer import Layer
from covid_datasets.load.fixed.store import ARRAY_FILE, PIECES_FILE, folder_of, stored
from covid_datasets.load.fixed.view import View
from covid_datasets.prepare.result import Built
from covid_datasets.settings import VIEW_FILE, VIEWS

VIEW = View(image_size=(32, 32))


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return build_dataset("phantom", "small", cache_dir=tmp_path / "cache", num_proc=1)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five samples a piece, so that there are several."""
    monkeypatch.setattr(store, "PIECE_BYTES", 5 * VIEW.bytes)


class Counted:
    """Counts how many samples are rendered, and can stop at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.fail_at = 0, -1
        self._render = pixels.render
        monkeypatch.setattr(layers, "render", self)

    def __call__(self, *arguments: Any) -> None:
        self.count += 1
        if self.count == self.fail_at:
            raise RuntimeError("stopped")
        self._render(*arguments)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def state(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_is_made_once_and_opens_without_this_library(built: Built, rendered: Counted) -> None:
    before = state(built.path)
    array = stored(Layer(built, VIEW))
    assert rendered.count == built.rows == len(array)
    assert np.array_equal(np.load(folder_of(built, VIEW) / ARRAY_FILE), array)
    assert np.array_equal(stored(Layer(built, VIEW)), array)
    assert rendered.count == built.rows
    assert state(built.path) == before, "the build stays as it was"
    assert sorted(path.name for path in folder_of(built, VIEW).iterdir()) == [ARRAY_FILE, VIEW_FILE]
    assert not isinstance(stored(Layer(built, VIEW)).base, np.ndarray) or array.flags.writeable is False


def test_another_parameter_is_another_view(built: Built) -> None:
    views = [VIEW, View(image_size=(32, 33)), View(image_size=(32, 32), channels=3), VIEW.of_mask("lung"),
             View(image_size=(32, 32), window=(0, 1)), View(image_size=(32, 32), draft=True)]  # fmt: skip
    for view in views:
        stored(Layer(built, view))
    assert len({folder_of(built, view) for view in views}) == len(views)


@pytest.mark.usefixtures("small_pieces")
def test_it_goes_on_where_it_was_stopped(built: Built, rendered: Counted) -> None:
    rendered.fail_at = 23
    with pytest.raises(RuntimeError, match="stopped"):
        stored(Layer(built, VIEW), workers=1)
    assert not folder_of(built, VIEW).exists()
    whole = stored(Layer(built, VIEW), workers=1)
    assert rendered.count == 23 + built.rows - 20, "four pieces of five were there"
    shutil.rmtree(folder_of(built, VIEW))
    assert np.array_equal(stored(Layer(built, VIEW), workers=3), whole)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("damage", ["bits", "cut", "record", "gone"])
def test_damaged_pieces_of_an_earlier_try_are_made_anew(built: Built, rendered: Counted, damage: str) -> None:
    whole = np.array(stored(Layer(built, VIEW)))
    shutil.rmtree(folder_of(built, VIEW))
    rendered.count, rendered.fail_at = 0, 23
    with pytest.raises(RuntimeError, match="stopped"):
        stored(Layer(built, VIEW), workers=1)
    work = folder_of(built, VIEW).with_name(f".{VIEW.name}")
    if damage == "bits":
        flip(work / ARRAY_FILE, 128 + 7 * VIEW.bytes)
    elif damage == "cut":
        os.truncate(work / ARRAY_FILE, 128 + 7 * VIEW.bytes)
    elif damage == "record":
        (work / PIECES_FILE).write_bytes(b"\xff\xfe0 abc\n99 def\n1")
    else:
        (work / ARRAY_FILE).unlink()
    assert np.array_equal(stored(Layer(built, VIEW)), whole)


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (value,) = file.read(1)
        file.seek(at)
        file.write(bytes([value ^ 1]))


@pytest.mark.parametrize("damage", ["bits", "header", "cut", "longer", "gone", "json", "no json", "fingerprint"])
def test_damage_is_noticed_and_mended(built: Built, rendered: Counted, damage: str) -> None:
    whole = np.array(stored(Layer(built, VIEW)))
    folder = folder_of(built, VIEW)
    rendered.count = 0
    file, said = folder / ARRAY_FILE, folder / VIEW_FILE
    time.sleep(0.02)  # clocks of file systems tick
    if damage in ("bits", "header"):
        flip(file, 20 if damage == "header" else 128 + 3000)
    elif damage == "cut":
        os.truncate(file, file.stat().st_size - 1)
    elif damage == "longer":
        with file.open("ab") as opened:
            opened.write(b"x")
    elif damage == "gone":
        file.unlink()
    elif damage == "json":
        said.write_text("{")
    elif damage == "no json":
        said.unlink()
    else:
        said.write_text(said.read_text().replace(built.fingerprint, "0" * len(built.fingerprint)))
    assert np.array_equal(stored(Layer(built, VIEW)), whole)
    assert rendered.count == built.rows


def test_a_copied_cache_is_hashed_once_and_not_made_anew(built: Built, rendered: Counted, tmp_path: Path) -> None:
    whole = np.array(stored(Layer(built, VIEW)))
    shutil.copytree(tmp_path / "cache", tmp_path / "copy", copy_function=shutil.copyfile)
    moved = Built.read(tmp_path / "copy" / built.path.relative_to(tmp_path / "cache"))
    rendered.count = 0
    before = json.loads((folder_of(moved, VIEW) / VIEW_FILE).read_text())["mtime_ns"]
    assert np.array_equal(stored(Layer(moved, VIEW)), whole)
    assert rendered.count == 0
    assert json.loads((folder_of(moved, VIEW) / VIEW_FILE).read_text())["mtime_ns"] != before


def test_two_who_want_it_make_it_once(built: Built, rendered: Counted) -> None:
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(stored(Layer(built, VIEW), 1))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert rendered.count == built.rows
    assert all(np.array_equal(found[0], each) for each in found)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals of this kind")
def test_a_killed_process_leaves_nothing_half_done(built: Built, tmp_path: Path) -> None:
    """Killed at any time: the next one finds a whole view, or makes the rest."""
    code = f"""
import time, covid_datasets
from covid_datasets.load.fixed import layer, store
from covid_datasets.load.fixed.view import View
from covid_datasets.prepare.result import Built
from pathlib import Path
store.PIECE_BYTES = 5 * 32 * 32
real = layer.render
def slow(*arguments):
    time.sleep(0.02)
    real(*arguments)
layer.render = slow
print("go", flush=True)
store.stored(layer.Layer(Built.read(Path({str(built.path)!r})), View(image_size=(32, 32))), 1)
"""
    for seconds in (0.05, 0.3, 0.5):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path.cwd())
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not folder_of(built, VIEW).exists() or (folder_of(built, VIEW) / VIEW_FILE).exists()
    resumed = np.array(stored(Layer(built, VIEW)))
    shutil.rmtree(folder_of(built, VIEW))
    assert np.array_equal(stored(Layer(built, VIEW)), resumed)


def rows_of(built: Built, tmp_path: Path) -> Any:
    return load_dataset("phantom", "small", split="train", framework="numpy", cache_dir=tmp_path / "cache")


def test_where_there_is_no_room_it_is_decoded(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(built, tmp_path)
    wanted = [batch["image"].copy() for batch in to_numpy(rows, image_size=16, batch_size=4)]
    clean_cache(tmp_path / "cache", what="views")
    monkeypatch.setattr(store, "SPARE_BYTES", 1 << 60)
    with pytest.raises(NoSpaceError, match="are missing"):
        to_numpy(rows, image_size=16, materialise=True)
    with pytest.warns(UserWarning, match="this view cannot be kept, so every epoch decodes anew"):
        batches = to_numpy(rows, image_size=16, batch_size=4)
    assert all(np.array_equal(batch["image"], each) for batch, each in zip(batches, wanted, strict=True))
    assert not folder_of(built, VIEW).exists()


def test_a_disk_that_fills_up_is_told(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "_write_piece", full)
    with pytest.raises(NoSpaceError, match="the disk is full"):
        stored(Layer(built, VIEW))


def test_a_folder_that_may_not_be_written(built: Built, tmp_path: Path) -> None:
    (built.path.with_name(f"{built.path.name}{VIEWS}")).write_text("a file where the folder should be")
    with pytest.raises(CacheError):
        to_numpy(rows_of(built, tmp_path), image_size=16, materialise=True)
    with pytest.warns(UserWarning, match="cannot be kept"):
        assert len(to_numpy(rows_of(built, tmp_path), image_size=16, batch_size=4)) == 4


def test_the_cache_shows_and_cleans_views(built: Built, tmp_path: Path, rendered: Counted) -> None:
    cache = tmp_path / "cache"
    stored(Layer(built, VIEW))
    rendered.count, rendered.fail_at = 0, 3
    other = View(image_size=(8, 8))
    with pytest.raises(RuntimeError):
        stored(Layer(built, other), 1)
    kinds = sorted((entry.kind, entry.name) for entry in cache_contents(cache))
    assert kinds == [("build", "phantom@1"), ("unfinished", "phantom@1"), ("view", "phantom@1")]
    clean_cache(cache)
    assert sorted(entry.kind for entry in cache_contents(cache)) == ["build", "view"]
    (view,) = [entry for entry in cache_contents(cache) if entry.kind == "view"]
    assert clean_cache(cache, what="views", name="phantom") == view.bytes > built.rows * VIEW.bytes
    assert [entry.kind for entry in cache_contents(cache)] == ["build"]
    assert not folder_of(built, VIEW).parent.exists()
    rendered.fail_at = -1
    stored(Layer(built, VIEW))
    clean_cache(cache, what="prepared")
    assert cache_contents(cache) == []
