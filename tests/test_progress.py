"""What people see of something that takes long: in a terminal, in a notebook, in a log."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from covid_datasets.prepare import engine, growth, target
from covid_datasets.prepare.growth import Growth
from covid_datasets.prepare.plan import Piece
from covid_datasets.progress import Display, NotebookDisplay, PlainDisplay, progress


class Screen(Display):
    """Remembers how far things were, each time that this changed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seen: list[tuple[int, int | None]] = []

    def _show(self, task: str) -> None:
        self.seen.append((self.done, self.total))


@pytest.fixture
def screens(monkeypatch: pytest.MonkeyPatch) -> list[Screen]:
    made: list[Screen] = []

    class Opened:
        def __init__(self, title: str, *, total_bytes: int | None = None) -> None:
            made.append(Screen(title, "bytes", total_bytes))

        def __enter__(self) -> Screen:
            return made[-1]

        def __exit__(self, *_: object) -> None:
            made[-1].close()

    monkeypatch.setattr("covid_datasets.progress.progress", Opened)
    return made


def test_the_bar_of_a_build_ends_at_its_end(screens: list[Screen], tmp_path: Path) -> None:
    """Pictures that are made here, with masks, are larger than planned; the bar counts what the plan counts."""
    engine.build_dataset("phantom", cache_dir=tmp_path, num_proc=1, shard_bytes=1 << 19)
    (screen,) = screens
    done = [done for done, _ in screen.seen]
    assert {total for _, total in screen.seen} == {done[-1]}
    assert done == sorted(done)
    assert len(set(done)) > 3


def test_a_build_that_goes_on_counts_what_is_there(
    screens: list[Screen], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(target.LocalTarget, "publish", stop)
        with pytest.raises(KeyboardInterrupt):
            engine.build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    engine.build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    first, second = screens
    assert first.seen[-1] == second.seen[-1]
    assert second.done == second.total


def test_a_large_piece_moves_the_bar_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "EVERY", 0.001)
    screen, moved = Screen("x"), threading.Event()
    written = tmp_path / "0.abc" / ".rows.arrow.def.part"
    written.parent.mkdir()
    written.write_bytes(bytes(60))
    watched = Growth((Piece(0, "train", (), 100), Piece(1, "train", (), 50)), tmp_path, screen)
    monkeypatch.setattr(screen, "_show", lambda task: moved.set())
    with watched.watched():
        assert moved.wait(1000)
    assert (screen.done, screen.total) == (60, 150)
    written.write_bytes(bytes(400))  # more than planned
    watched.look()
    assert screen.done == 100
    watched.finished(0)
    watched.finished(1)
    assert screen.done == 150


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What stands under a cell: a text for each output, by its id."""
    outputs: dict[str, str] = {}
    module = ModuleType("IPython.display")

    def display(data: dict[str, str], *, raw: bool, display_id: str) -> None:
        assert raw
        assert display_id not in outputs
        outputs[display_id] = data["text/plain"]

    def update_display(data: dict[str, str], *, raw: bool, display_id: str) -> None:
        assert raw
        assert display_id in outputs
        outputs[display_id] = data["text/plain"]

    vars(module).update(display=display, update_display=update_display)
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()), display=module)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return outputs


def test_a_notebook_keeps_one_line(cell: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with progress("Building x", enabled=True) as display:
        assert isinstance(display, NotebookDisplay)
        display.add("build", 4_000_000)
        assert list(cell.values()) == ["Building x: 0 B of 4.0 MB, 0 B/s"]
        display.advance("build", 1_000_000)
        assert list(cell.values()) == ["Building x: 0 B of 4.0 MB, 0 B/s"], "not at every step"
        now[0] += 2
        display.advance("build", 1_000_000)
        assert list(cell.values()) == ["Building x: 2.0 MB of 4.0 MB, 1.0 MB/s, 2 s left"]
        display.advance("build", 2_000_000)
    assert list(cell.values()) == ["Building x: 4.0 MB in 2.0 s"]


def test_a_notebook_without_work_shows_nothing(cell: dict[str, str]) -> None:
    with progress("Downloading", enabled=True):
        pass
    assert cell == {}


def test_a_program_that_merely_has_ipython_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    with progress("x", enabled=True) as display:
        assert isinstance(display, PlainDisplay)


def test_in_a_real_notebook(tmp_path: Path) -> None:
    """The line is in the saved file, though no ipywidgets are there."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    code = f"import covid_datasets\ncovid_datasets.build_dataset('phantom', 'small', cache_dir={str(tmp_path)!r}).rows"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=1000, kernel_name="python3").execute()
    texts = [output["data"]["text/plain"] for output in notebook.cells[0].outputs if "data" in output]
    assert len(texts) == 2
    assert texts[0].startswith("Building phantom: ")
    assert " in " in texts[0]
    assert texts[1] == "42"
