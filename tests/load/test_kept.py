"""Joint splits and folds are found once: the second load reads them, and never believes a damaged or an old one."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import cache_contents, clean_cache
from covid_datasets.load.dataset import load_dataset
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.splits import groups, kept, near
from tests.small import SmallSources

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
NAMES = ["covid_ct", "cohen"]


@pytest.fixture(scope="module")
def built(small_sources: SmallSources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("joint")
    with small_sources.in_use():
        for name in NAMES:
            tree = small_sources.tree(name)
            build_dataset(name, data_dir=tree, cache_dir=cache, allow_missing=True, num_proc=1)
    return cache


@pytest.fixture
def cache(small: SmallSources, built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "cache"))


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List the searches: of pictures among all, and of groups."""
    calls: list[str] = []

    def told(what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def search(*given: Any) -> Any:
            calls.append(what)
            return real(*given)

        return search

    monkeypatch.setattr(near, "_search", told("pictures", near._search))
    monkeypatch.setattr("covid_datasets.splits.index.components", told("groups", groups.components))
    return calls


def loaded(names: str | list[str], cache: Path, **options: Any) -> dict[str, tuple[str, str]]:
    found = load_dataset(names, framework="numpy", cache_dir=cache, allow_missing=True, offline=True, **options)
    return {row["sample_id"]: (split, row["group_id"]) for split, rows in found.items() for row in rows}


@pytest.mark.parametrize(
    ("names", "scheme"),
    [(NAMES, "patient"), (NAMES, "fold-1-of-3"), ("cohen", "fold-1-of-3"), ("covid_ct", "official")],
)
@pytest.mark.filterwarnings("ignore:this split does not keep patients apart")
def test_a_second_load_searches_nothing_and_gives_the_same(
    cache: Path, searched: list[str], names: str | list[str], scheme: str
) -> None:
    first = loaded(names, cache, scheme=scheme)
    assert ("groups" in searched) == (names == NAMES), "one build stored the groups that it found"
    assert len(list((cache / "splits").iterdir())) == 1
    searched.clear()
    assert loaded(names, cache, scheme=scheme) == first
    assert searched == []


def test_groups_of_a_build_are_not_searched_again(cache: Path, searched: list[str]) -> None:
    loaded("cohen", cache, scheme="fold-1-of-3")
    assert searched == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
def test_a_damaged_split_is_made_anew(cache: Path, searched: list[str], damage: str) -> None:
    first = loaded(NAMES, cache)
    (path,) = (cache / "splits").iterdir()
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[-40] ^= 1
    contents = {"cut": whole[:-9], "flipped": bytes(changed), "empty": b"", "foreign": b"\xff\n{}\nnothing"}
    path.write_bytes(contents[damage])
    assert [entry.note for entry in cache_contents(cache) if entry.kind == "split"] == [
        "damaged; it is made anew when it is asked for"
    ]
    searched.clear()
    assert loaded(NAMES, cache) == first
    assert "groups" in searched
    assert path.read_bytes() == whole


def test_no_bit_of_it_can_change_unseen(cache: Path) -> None:
    loaded(NAMES, cache)
    (path,) = (cache / "splits").iterdir()
    whole = path.read_bytes()
    for at in range(0, len(whole), 97):
        changed = bytearray(whole)
        changed[at] ^= 1 << (at % 8)
        path.write_bytes(changed)
        assert kept.heading_of(path) == {}


def test_other_builds_other_schemes_and_other_rules_have_files_of_their_own(
    cache: Path, small: SmallSources, searched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(NAMES, cache)
    for what, options in ((NAMES[::-1], {}), (NAMES, {"scheme": "fold-2-of-3"})):
        searched.clear()
        loaded(what, cache, **options)
        assert "groups" in searched
    tree = Path(shutil.copytree(small.tree("covid_ct"), tmp_path / "tree"))
    sorted((tree / "CT_NonCOVID").iterdir())[0].unlink()
    build_dataset("covid_ct", data_dir=tree, cache_dir=cache, allow_missing=True, num_proc=1)
    monkeypatch.setattr("covid_datasets.load.dataset.find_build", lambda name, *_, **__: _newest(cache, name))
    searched.clear()
    loaded(NAMES, cache)
    assert "groups" in searched
    monkeypatch.setattr(kept, "RULES", kept.RULES + 1)
    searched.clear()
    loaded(NAMES, cache)
    assert "groups" in searched
    assert len(list((cache / "splits").iterdir())) == 5


def _newest(cache: Path, name: str) -> Any:
    from covid_datasets.prepare.result import Built

    found = sorted((cache / "prepared" / name).glob("*/*/*/manifest.json"), key=lambda path: path.stat().st_mtime_ns)
    return Built.read(found[-1].parent)


def test_it_is_listed_and_cleaned(cache: Path) -> None:
    loaded(NAMES, cache)
    (entry,) = [entry for entry in cache_contents(cache) if entry.kind == "split"]
    assert entry.name == "covid_ct@2020-04-28, cohen@2020-06-22"
    assert entry.note == "scheme patient"
    assert clean_cache(cache, what="prepared", name="figure1") == 0
    clean_cache(cache, what="prepared", name="cohen")
    assert not entry.path.exists()
    assert {found.name for found in cache_contents(cache)} == {"covid_ct@2020-04-28"}


def test_a_cache_that_cannot_be_written_still_loads(cache: Path) -> None:
    (cache / "splits").write_bytes(b"a file where the folder should be")
    with pytest.warns(UserWarning, match="cannot be kept: .*splits"):
        first = loaded(NAMES, cache)
    (cache / "splits").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(INCOMPLETE|have no label|group|unknown)")
        assert loaded(NAMES, cache) == first
