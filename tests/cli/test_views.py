"""Views at the command line: built, found, verified, exported, listed and removed by the same options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from covid_datasets.cli import main

Capture = pytest.CaptureFixture[str]
VIEW = ("--window", "-1000", "400", "--image-size", "24", "32")


def answer(capsys: Capture, *argv: str, code: int = 0) -> Any:
    assert main([*argv, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_view_from_its_build_to_its_end(tmp_path: Path, capsys: Capture) -> None:
    named = ("phantom", "--config", "small", "--cache-dir", str(tmp_path))
    missing = answer(capsys, "path", *named, *VIEW, code=1)
    assert "covid-datasets build phantom --config small" in missing["message"]
    source = answer(capsys, "build", *named)
    missing = answer(capsys, "path", *named, *VIEW, code=1)
    assert missing["message"].endswith("--window -1000 400 --image-size 24 32")
    built = answer(capsys, "build", *named, *VIEW)
    assert built["rows"] == source["rows"]
    assert built["view"]["source"] == source["fingerprint"] != built["fingerprint"]
    assert answer(capsys, "path", *named, *VIEW)["path"] == built["path"]
    assert answer(capsys, "path", *named)["path"] == source["path"]
    assert answer(capsys, "verify", *named, *VIEW, "--pixels")["fingerprint"] == built["fingerprint"]
    out = str(tmp_path / "out")
    exported = answer(capsys, "export", "phantom", "folder", out, *named[1:], *VIEW)
    assert exported["rows"] == source["rows"]
    kinds = [entry["kind"] for entry in answer(capsys, "cache", "phantom", "--cache-dir", str(tmp_path))]
    assert kinds == ["build", "view"]
    assert answer(capsys, "cache", "--clean", "views", "--cache-dir", str(tmp_path))["bytes"] > 0
    assert answer(capsys, "path", *named, *VIEW, code=1)["error"] == "NotBuiltError"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("--window", "lungs"), "Did you mean 'lung'"),
        (("--window", "1", "2", "3"), "window: expected a name"),
        (("--to-spacing", "1", "0", "5"), "found 0.0 in"),
        (("--to-orientation", "LRS"), "three letters"),
        (("--derive", "lung"), "Did you mean 'lungs'"),
        (("--to-spacing", "1"), "the spacing is not known"),
    ],
)
def test_slips_are_told_with_code_2(typed: tuple[str, ...], message: str, tmp_path: Path, capsys: Capture) -> None:
    named = ("phantom", "--config", "small", "--cache-dir", str(tmp_path))
    assert message in answer(capsys, "build", *named, *typed, code=2)["message"]
