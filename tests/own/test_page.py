"""The page about own data shows what works: its examples are run as they stand."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

import covid_datasets as cd

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "own_data.md").read_text(encoding="utf-8")


def test_its_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    first, joint, builder = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(first, names)
    said = capsys.readouterr().out
    assert "own.ward" in said
    assert "no leak found" in said
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(joint, names)
    assert len(names["both"]) > len(names["train"])  # type: ignore[arg-type]
    Path("read_ward.py").write_text(builder)
    assert cd.build_dataset(cd.OwnData("ward", builder="read_ward.py")).rows > 0
