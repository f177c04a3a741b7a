"""To the Hub of Hugging Face in one commit, through its own client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import covid_datasets
from covid_datasets.exports.export import export
from tests.exports.hub import Hub, serve_hub

pytest.importorskip("huggingface_hub")
SCRIPT = """
import sys
import covid_datasets
rows = covid_datasets.load_dataset("phantom", "small", sys.argv[3] or None, framework="numpy")
try:
    covid_datasets.export(rows, sys.argv[1], sys.argv[2], overwrite=bool(sys.argv[4]))
except covid_datasets.CovidDatasetsError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve_hub() as found:
        yield found


def run(hub: Hub, format: str, url: str, split: str = "", overwrite: str = "") -> str:
    """Export in a process of its own: the client reads its settings once, when it is imported."""
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_test", "HF_HUB_DISABLE_XET": "1"}
    environment |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, format, url, split, overwrite],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    return done.stderr if done.returncode else ""


def test_an_export_is_one_commit(hub: Hub, tmp_path: Path) -> None:
    assert run(hub, "hf", "hf://datasets/me/ct") == ""
    export(covid_datasets.load_dataset("phantom", "small"), "hf", tmp_path / "out")
    there: dict[str, bytes] = {name: data for name, data in (hub.files or {}).items() if name != ".gitattributes"}
    here = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in (tmp_path / "out").rglob("*.*")
    }
    assert {name: sha256(data).hexdigest() for name, data in there.items()} == {
        name: sha256(data).hexdigest() for name, data in here.items()
    }
    assert (hub.commits, hub.private) == (1, True)


def test_another_export_replaces_it_only_when_asked(hub: Hub) -> None:
    assert run(hub, "webdataset", "hf://datasets/me/ct") == ""
    assert "--overwrite" in run(hub, "hf", "hf://datasets/me/ct")
    assert hub.commits == 1
    assert run(hub, "hf", "hf://datasets/me/ct", "train", "yes") == ""
    assert hub.commits == 2
    files: dict[str, Any] = json.loads((hub.files or {})["manifest.json"])["files"]
    assert (hub.files or {}).keys() == {*files, "manifest.json", ".gitattributes"}


def test_what_else_is_there_is_left_alone(hub: Hub) -> None:
    hub.files = {".gitattributes": b"", "thesis.tex": b"mine"}
    assert "thesis.tex" in run(hub, "hf", "hf://datasets/me/ct", overwrite="yes")
    assert hub.commits == 0


def test_a_refusal_leaves_nothing(hub: Hub) -> None:
    hub.refuses = True
    assert "Nothing of it is visible" in run(hub, "hf", "hf://datasets/me/ct")
    assert (hub.files or {}).keys() == {".gitattributes"}
