"""What a source's files say reaches nobody's terminal, report or spreadsheet as anything but text."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.cli import main
from covid_datasets.cli.show import print_csv, print_table
from covid_datasets.harmless import code, csv_cell, markdown, visible
from covid_datasets.prepare.result import Built
from tests.small import SmallSources

HOSTILE = "\x1b]0;owned\x07`<img src=x onerror=y>|\u202egnp.exe"
Capture = pytest.CaptureFixture[str]


def is_tame(text: str) -> bool:
    return not any(char in text for char in ("\x1b", "\x07", "\u202e", "\r", "\x9b"))


def test_a_file_name_cannot_talk_to_a_terminal(small: SmallSources, tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(small.tree("covid_ct"), folder)
    (folder / HOSTILE.replace("/", "")).write_bytes(b"x")
    main(["check", "covid_ct", "--data-dir", str(folder)])
    told = capsys.readouterr()
    assert "owned" in told.out
    assert is_tame(told.out + told.err)

    argv = ["build", "covid_ct", "--data-dir", str(folder), "--cache-dir", str(tmp_path / "cache"), "--num-proc", "1"]
    assert main([*argv, "--allow-missing"]) == 0
    (manifest,) = (tmp_path / "cache").rglob("manifest.json")
    report = Built.read(manifest.parent).report()
    assert r"/\x1b]0;owned\x07`<img src=x onerror=y>|\u202egnp.exe``" in report, "in a span of two backticks"
    assert is_tame(report)


def test_neither_can_the_name_of_a_source(capsys: Capture) -> None:
    assert main(["info", HOSTILE]) == 1
    assert r"\x1b]0;owned\x07" in (err := capsys.readouterr().err)
    assert is_tame(err)


@pytest.mark.parametrize("terminal", [False, True])
def test_tables_show_what_is_there(terminal: bool, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    print_table([{"name": HOSTILE + "\n[red]x[/red]", "count": 1}], ("name", "count"))
    shown = "".join(capsys.readouterr().out.split())
    assert r"\x1b]0;owned\x07" in shown
    assert "\x1b]" not in shown, "rich sets colours, and nothing else"
    assert is_tame(shown.replace("\x1b[", ""))


def test_a_spreadsheet_runs_nothing(capsys: Capture) -> None:
    print_csv([{"a": "=1+1", "b": "-2", "c": -2, "d": None, "e": " @x", "f": "cohen/1.png", "g": "\t=1"}])
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    wanted = {"a": "'=1+1", "b": "'-2", "c": "-2", "d": "", "e": "' @x", "f": "cohen/1.png", "g": r"\t=1"}
    assert row == wanted


@given(st.text())
def test_whatever_the_text(text: str) -> None:
    for shown in (visible(text, keep=""), markdown(text), code(text)):
        assert all(char.isprintable() or char.isspace() for char in shown)
        assert len(shown.splitlines()) <= 1
    assert not str(csv_cell(text)).startswith(("=", "+", "-", "@"))
    assert visible(visible(text)) == visible(text)
