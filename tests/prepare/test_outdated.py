"""Builds of an older format are found, named and made anew, never silently used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from covid_datasets import build_dataset, cache_contents, load_dataset
from covid_datasets.errors import NotBuiltError
from covid_datasets.prepare import inputs
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built

TOLD = f"built with format {inputs.FORMAT - 1}, this release stores format {inputs.FORMAT}"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    """A build of the release before this one, whose manifest says less."""
    with monkeypatch.context() as patch:
        patch.setattr(inputs, "FORMAT", inputs.FORMAT - 1)
        built = build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    # Another release has other code, so that what the one before noted of its own counts no more.
    shutil.rmtree(tmp_path / "prepared" / ".noted", ignore_errors=True)
    manifest = built.manifest()
    del manifest["build"]["columns"]
    (built.path / "manifest.json").write_text(json.dumps(manifest | {"parts": []}), encoding="utf-8")
    return built


def test_it_is_not_used_and_told(old: Built, tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match=rf"{TOLD}.*covid-datasets build phantom --config small$"):
        find_build("phantom", "small", cache_dir=tmp_path)


def test_loading_builds_anew(old: Built, tmp_path: Path) -> None:
    assert len(load_dataset("phantom", "small", "all", framework="numpy", cache_dir=tmp_path, num_proc=1)) == old.rows
    new = find_build("phantom", "small", cache_dir=tmp_path)
    assert new.path != old.path
    assert new.manifest()["inputs"]["format"] == inputs.FORMAT


def test_the_cache_shows_it(old: Built, tmp_path: Path) -> None:
    build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    notes = {entry.path: entry.note for entry in cache_contents(tmp_path)}
    assert notes[old.path] == f"config small, outdated: {TOLD}"
    assert sorted(notes.values()) == ["config small", f"config small, outdated: {TOLD}"]
