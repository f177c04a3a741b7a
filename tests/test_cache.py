"""The cache is told apart into downloads, builds and leftovers, and cleaning spares what is in use."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

import covid_datasets
from covid_datasets import cache_contents, clean_cache
from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import UnknownDatasetError, UsageError
from covid_datasets.fetch.places import place
from covid_datasets.lock import Lock


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with one of each: a build, an unfinished one, a download with its record, a partial one, a stranger."""
    covid_datasets.build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    work = tmp_path / "prepared" / ".work" / "cohen-2020-06-22-default-0123"
    (work / "pieces").mkdir(parents=True)
    (work / "pieces" / "0.arrow").write_bytes(b"x" * 10)
    whole, partial, *_ = urls("covid_ct")
    for path, size in (
        (place(whole), 100),
        (f"{place(whole)}.json", 7),
        (f"{place(partial)}.part", 20),
        (f"{place(partial)}.part.json", 7),
        ("elsewhere.org/file.bin", 1000),
    ):
        (tmp_path / "downloads" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "downloads" / path).write_bytes(b"x" * size)
    return tmp_path


def urls(name: str) -> list[str]:
    found = dict.fromkeys(copy.url for resource in load_card(name).resources for copy in resource.copies)
    return list(found)


def kinds(cache: Path) -> list[tuple[str, str]]:
    return sorted((entry.kind, entry.name) for entry in cache_contents(cache))


ALL = sorted(
    [
        ("build", "phantom@1"),
        ("unfinished", "cohen"),
        ("download", "covid_ct"),
        ("unfinished", "covid_ct"),
        ("download", ""),
    ]
)


def test_contents(cache: Path) -> None:
    assert kinds(cache) == ALL
    sizes = {(entry.kind, entry.name): entry.bytes for entry in cache_contents(cache)}
    assert sizes["download", "covid_ct"] == 100
    assert sizes["unfinished", "cohen"] == 10


def test_an_absent_cache_is_empty(tmp_path: Path) -> None:
    assert cache_contents(tmp_path / "none") == []
    assert clean_cache(tmp_path / "none", what="all") == 0
    assert not (tmp_path / "none").exists()


def test_dry_run_removes_nothing(cache: Path) -> None:
    assert clean_cache(cache, what="all", dry_run=True) == sum(entry.bytes for entry in cache_contents(cache))
    assert kinds(cache) == ALL


def test_unfinished_is_the_default(cache: Path) -> None:
    assert clean_cache(cache) == 30
    assert kinds(cache) == [entry for entry in ALL if entry[0] != "unfinished"]
    assert covid_datasets.find_build("phantom", "small", cache_dir=cache)


def test_all(cache: Path) -> None:
    clean_cache(cache, what="all")
    assert kinds(cache) == []
    left = [path.name for path in cache.rglob("*") if path.is_file()]
    assert left == [f"{Path(place(urls('covid_ct')[0])).name}.json"], "the recorded hash outlives its file"


@pytest.mark.parametrize("name", ["phantom", "phantom@1"])
def test_by_name(cache: Path, name: str) -> None:
    assert clean_cache(cache, what="all", name=name) > 0
    assert kinds(cache) == [entry for entry in ALL if entry[0] != "build"]


def test_another_version_stays(cache: Path) -> None:
    assert clean_cache(cache, what="all", name="phantom@2") == 0
    assert kinds(cache) == ALL


def test_unknown_what(cache: Path) -> None:
    with pytest.raises(UsageError, match="expected one of unfinished"):
        clean_cache(cache, what="everything")  # type: ignore[arg-type]


def test_what_is_in_use_stays(cache: Path) -> None:
    work = cache / "prepared" / ".work"
    with Lock(work / "cohen-2020-06-22-default-0123.lock"):
        (entry,) = [entry for entry in cache_contents(cache) if entry.name == "cohen"]
        assert entry.note.startswith("in use by ")
        assert str(os.getpid()) in entry.note
        clean_cache(cache, what="unfinished", name="cohen")
        assert ("unfinished", "cohen") in kinds(cache)
    clean_cache(cache, what="unfinished", name="cohen")
    assert ("unfinished", "cohen") not in kinds(cache)


def test_downloads_that_a_build_reads_stay(cache: Path) -> None:
    with Lock(cache / "prepared" / ".work" / "covid_ct-2020-04-28-default-4567.lock"):
        assert clean_cache(cache, what="downloads", name="covid_ct") == 0
    assert clean_cache(cache, what="downloads", name="covid_ct") == 100


def test_a_dead_process_holds_nothing(cache: Path) -> None:
    lock = cache / "prepared" / ".work" / "cohen-2020-06-22-default-0123.lock"
    with Lock(lock):
        holder = json.loads(lock.read_text())
    lock.write_text(json.dumps(holder | {"pid": 2**22 + 1}))
    assert clean_cache(cache, name="cohen") == 10


def test_another_machine_that_went_away_holds_nothing(cache: Path) -> None:
    lock = cache / "prepared" / ".work" / "cohen-2020-06-22-default-0123.lock"
    with Lock(lock):
        holder = json.loads(lock.read_text())
    lock.write_text(json.dumps(holder | {"host": "elsewhere"}))
    assert clean_cache(cache, name="cohen") == 0
    os.utime(lock, (0, 0))
    assert clean_cache(cache, name="cohen") == 10


def test_entries_are_plain(cache: Path) -> None:
    assert {key for entry in cache_contents(cache) for key in asdict(entry)} == {
        "kind",
        "name",
        "path",
        "bytes",
        "note",
    }


def test_exports_for_tensorflow_datasets_go_with_their_builds(cache: Path) -> None:
    pytest.importorskip("google_crc32c")
    rows = covid_datasets.load_dataset("phantom", "small", framework="numpy", cache_dir=cache)
    folder = cache / "tfds" / "phantom" / "small" / "1.0.0"
    covid_datasets.export(rows, "tfrecord", folder)
    [entry] = [entry for entry in cache_contents(cache) if entry.kind == "export"]
    assert (entry.name, entry.path, entry.note) == ("phantom@1", folder, "tfrecord for tfds")
    assert entry.bytes > 1000
    assert clean_cache(cache, name="cohen", what="prepared") == 0
    assert folder.exists()
    assert clean_cache(cache, name="phantom", what="prepared") >= entry.bytes
    assert not (cache / "tfds").exists()


def test_a_misspelt_source_is_told_and_one_that_is_not_there_is_empty(cache: Path) -> None:
    assert cache_contents(cache, name="stoic") == []
    assert clean_cache(cache, name="stoic@1") == 0
    for name in ("phantm", "Phantom@1"):
        with pytest.raises(UnknownDatasetError, match="Did you mean 'phantom'"):
            cache_contents(cache, name=name)
        with pytest.raises(UnknownDatasetError, match="Did you mean 'phantom'"):
            clean_cache(cache, name=name, what="all")
