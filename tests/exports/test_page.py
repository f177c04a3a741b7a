"""The page on exports shows what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "export.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_its_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for example in EXAMPLES:
        exec(compile(example, str(PAGE), "exec"), {})
    assert (tmp_path / "phantom-hf" / "data" / "train-00000-of-00001.parquet").is_file()


def test_it_names_every_format() -> None:
    from covid_datasets.exports.formats import FORMATS

    assert [name for name in FORMATS if f"| `{name}` |" not in PAGE.read_text(encoding="utf-8")] == []
