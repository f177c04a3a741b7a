"""What a start costs: which modules are imported, and which files are opened, to list, to find and to load."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import catalogs, load_dataset
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.errors import DamagedFileError, NotBuiltError, UsageError
from covid_datasets.prepare import noted
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.find import find_build, find_folder
from covid_datasets.prepare.result import Built
from tests.small import SmallSources

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "datasets", "pandas", "pyarrow", "numpy", "rich", "fsspec", "PIL", "openpyxl"}
OLD = 1_500_000_000_000_000_000
LOAD = "covid_datasets.load_dataset('phantom', 'small', split='train', framework='numpy')"


def modules_after(statement: str, cache: Path) -> set[str]:
    """Name every module that a new process has imported when it has run a statement."""
    code = f"import sys\nout = sys.stdout\nsys.stdout = sys.stderr\n{statement}\nprint(*sys.modules, file=out)"
    environment = os.environ | {"COVID_DATASETS_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.fixture
def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a copy of the catalog that nobody has touched for long; what is noted then, counts."""
    folder = tmp_path / "catalog"
    shutil.copytree(catalog_folder(), folder)
    monkeypatch.setattr(catalogs, "__path__", [str(folder)])
    monkeypatch.setattr(noted, "STARTED", 1e11)
    return folder


def build(cache: Path, **options: Any) -> Built:
    return build_dataset("phantom", "small", cache_dir=cache, num_proc=1, **options)


def said(cache: Path, name: str = "phantom", config: str | None = "small") -> noted.Said | None:
    return noted.read_note(cache / "prepared", name, config)


# --- imports -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["info", "cohen"], ["info", "jhu_csse", "--json"]])
def test_what_is_known_of_sources_is_told_without_a_library(words: list[str], tmp_path: Path) -> None:
    found = modules_after(f"from covid_datasets.cli import main\nassert main({words!r}) == 0", tmp_path)
    assert not {name.partition(".")[0] for name in found} & HEAVY


def test_a_finished_build_is_found_without_the_engine(tmp_path: Path) -> None:
    build(tmp_path)
    command = "from covid_datasets.cli import main\nassert main(['build', 'phantom', '--config', 'small']) == 0"
    found = modules_after(command, tmp_path)
    assert not {name.partition(".")[0] for name in found} & HEAVY
    assert not {f"covid_datasets.prepare.{name}" for name in ("finish", "pieces", "source", "workers")} & found


def test_rows_are_loaded_without_the_catalog(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "covid_datasets", "build", "phantom", "--config", "small", "--cache-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    if not list(tmp_path.glob("prepared/.noted/*")):
        pytest.skip("a file of this checkout was written within the last seconds, so nothing could be noted")
    found = modules_after(f"import covid_datasets\n{LOAD}[0]['image']", tmp_path)
    ours = {name for name in found if name.startswith("covid_datasets.")}
    assert not {name for name in ours if name.startswith(("covid_datasets.catalog.", "covid_datasets.splits."))}
    assert not {"pandas", "datasets", "tomllib", "pyarrow.compute", "covid_datasets.load.filters"} & found


def test_each_dataset_of_a_list_is_opened_once(small: SmallSources, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    names = ["phantom", "cohen", "covid_ct"]
    for name in names:
        small.build(name)
    from covid_datasets.load import frameworks

    frameworks._stored_rows.cache_clear()
    opened: list[str] = []
    load_from_disk = datasets.load_from_disk

    def counted(path: str) -> Any:
        opened.append(path)
        return load_from_disk(path)

    monkeypatch.setattr(datasets, "load_from_disk", counted)
    with pytest.warns(UserWarning, match="INCOMPLETE"):
        loaded = load_dataset(
            ["cohen", "covid_ct"], cache_dir=small.cache, allow_missing=True, offline=True, scheme="patient"
        )
    assert len(loaded) == 3
    assert len(opened) == 2


# --- the note ------------------------------------------------------------------------------------------------------


def test_what_is_noted_is_what_the_catalog_says(settled: Path, tmp_path: Path) -> None:
    built = build(tmp_path)
    assert said(tmp_path) == said(tmp_path, "phantom@1", "small")
    assert said(tmp_path, "phantom", None) is None, "the first config is another one"
    assert said(tmp_path, "cohen") is None
    assert find_build("phantom", "small", cache_dir=tmp_path) == built


def test_a_config_that_comes_first_is_noted_without_its_name(settled: Path, tmp_path: Path) -> None:
    build_dataset("phantom", cache_dir=tmp_path, num_proc=2)
    assert said(tmp_path, "phantom", None) == said(tmp_path, "phantom@1", "default") != None  # noqa: E711


@pytest.mark.parametrize("file", ["phantom.toml", "_taxonomy.toml", "splits/phantom.csv", "identities/phantom.tsv"])
@pytest.mark.parametrize("keep_times", [False, True])
def test_a_changed_catalog_is_read_again(settled: Path, tmp_path: Path, file: str, keep_times: bool) -> None:
    """Also where the new file has the size and the time of the old one, or there was none."""
    build(tmp_path)
    path = settled / file
    before = path.stat() if path.exists() else None
    text = path.read_bytes() if before else b"sample_id\tties\tflags\n"
    path.unlink(missing_ok=True)
    path.write_bytes(text)
    if before and keep_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert said(tmp_path) is None


@pytest.mark.parametrize("file", ["builders/phantom.py", "covid_datasets/__init__.py", "prepare/inputs.py"])
def test_another_builder_or_release_may_say_something_else(
    settled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    build(tmp_path)
    assert said(tmp_path) is not None
    state = noted._state

    def changed(path: str) -> Any:
        found = state(path)
        return found and [found[0] + path.endswith(file), *found[1:]]

    monkeypatch.setattr(noted, "_state", changed)
    assert said(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b'{"note": 3, "sha256": ""}', b"\xff\xfe"])
def test_a_damaged_note_says_nothing(settled: Path, tmp_path: Path, content: bytes) -> None:
    built = build(tmp_path)
    for note in (tmp_path / "prepared" / noted.FOLDER).iterdir():
        note.write_bytes(content)
    assert said(tmp_path) is None
    assert find_build("phantom", "small", cache_dir=tmp_path) == built


def test_no_flipped_bit_of_a_note_is_believed(settled: Path, tmp_path: Path) -> None:
    build(tmp_path)
    right = said(tmp_path)
    for note in (tmp_path / "prepared" / noted.FOLDER).iterdir():
        text = note.read_bytes()
        for place in range(0, len(text), max(1, len(text) // 150)):
            note.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
            assert said(tmp_path) in (None, right)
        note.write_bytes(text)


def test_a_note_of_another_question_is_not_believed(settled: Path, tmp_path: Path) -> None:
    build(tmp_path / "one")
    build_dataset("phantom", cache_dir=tmp_path / "two", num_proc=2)
    other = noted._file(tmp_path / "two" / "prepared", noted._asked("phantom", "default"))
    shutil.copyfile(other, noted._file(tmp_path / "one" / "prepared", noted._asked("phantom", "small")))
    assert said(tmp_path / "one") is None


def test_the_build_itself_is_checked_as_ever(settled: Path, tmp_path: Path) -> None:
    built = build(tmp_path)
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "prepared", moved / "prepared")
    assert find_build("phantom", "small", cache_dir=moved).path.is_relative_to(moved), "in its own cache"
    with (built.path / "train" / "state.json").open("a") as file:
        file.write(" ")
    assert said(tmp_path) is not None
    with pytest.raises(DamagedFileError):
        load_dataset("phantom", "small", framework="numpy", cache_dir=tmp_path)
    manifest = json.loads((built.path / "manifest.json").read_text())
    (built.path / "manifest.json").write_text(json.dumps(manifest | {"build": {}}))
    with pytest.raises(DamagedFileError):
        find_folder("phantom", "small", cache_dir=tmp_path)


def test_a_build_that_was_removed_is_made_again(settled: Path, tmp_path: Path) -> None:
    built = build(tmp_path)
    shutil.rmtree(built.path)
    assert said(tmp_path) is not None
    rows = load_dataset("phantom", "small", "train", framework="numpy", cache_dir=tmp_path, num_proc=1)
    assert rows[0]["image"] is not None
    assert find_build("phantom", "small", cache_dir=tmp_path).fingerprint == built.fingerprint


def test_a_wrong_split_is_told_before_what_was_removed_is_made_again(settled: Path, tmp_path: Path) -> None:
    shutil.rmtree(build(tmp_path).path)
    with pytest.raises(UsageError, match="Did you mean 'train'"):
        load_dataset("phantom", "small", "trian", framework="numpy", cache_dir=tmp_path)
    assert not list(tmp_path.rglob("manifest.json"))


def test_nothing_is_noted_of_files_that_were_changed_since_this_process_began(
    settled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noted, "STARTED", OLD / 1e9)
    build(tmp_path)
    assert not (tmp_path / "prepared" / noted.FOLDER).exists()


def test_an_incomplete_build_is_no_answer_where_a_whole_one_was_asked_for(small: SmallSources) -> None:
    built = small.build("cohen")
    assert built.incomplete
    with small.in_use(), pytest.raises(NotBuiltError, match="allow_missing"):
        find_build("cohen", cache_dir=small.cache, allow_missing=False)
