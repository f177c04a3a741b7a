"""The pictures of a terminal in the README show what is shown now."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(int(version("rich").split(".")[0]) < 15, reason="older versions of rich draw other pictures")
def test_the_pictures_are_current_and_fetch_nothing() -> None:
    script = ROOT / "docs/pictures/terminal.py"
    done = subprocess.run([sys.executable, script, "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for path in script.parent.glob("*.svg"):
        picture = path.read_text(encoding="utf-8")
        assert "url(http" not in picture, path
        assert "<script" not in picture, path
        assert len(picture) < 50_000, path
