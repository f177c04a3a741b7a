"""`load_dataset` as its users call it: what comes back, what is refused, and what a second call costs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from covid_datasets.catalog.cards import load_card, names
from covid_datasets.errors import (
    IncompleteSourceError,
    MissingExtraError,
    NotBuiltError,
    OfflineError,
    UnknownDatasetError,
    UnknownVersionError,
    UsageError,
)
from covid_datasets.load.dataset import UNKNOWN, load_dataset
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.find import find_build
from tests.small import SmallSources

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"datasets", "pandas", "torch", "tensorflow"}


def run_python(code: str, **environment: str) -> str:
    """Run code in a new process with a bare environment of ours; return what it prints."""
    settings = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("covidct", None, "Did you mean 'covid_ct'"),
        ("Cohen", None, "Did you mean 'cohen'?"),
        ("phantom", "smal", "no config 'smal'; it has: default, small, large"),
        ("cohen@2020-06-21", None, "no version '2020-06-21'; it has: 2020-06-22"),
        ("../cohen", None, "there is no dataset '../cohen'"),
        ("", None, f"Known: {', '.join(names())}"),
    ],
)
def test_unknown_names_suggest_the_nearest(name: str, config: str | None, message: str) -> None:
    with pytest.raises((UnknownDatasetError, UnknownVersionError)) as error:
        load_dataset(name, config)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"name": "phantom", "framework": "keras"},
            "expected one of hf, numpy, torch, tf, pandas, monai, torchio, found 'keras'",
        ),
        ({"name": []}, "found an empty list"),
        ({"name": ["cohen", "covid_ct"], "data_dir": "x"}, "data_dir: expected with one dataset"),
        ({"name": "phantom", "framework": "numpy", "streaming": True}, "streaming: expected with framework='hf'"),
        ({"name": "phantom", "verify": "none"}, "verify: expected 'full' or 'bytes'"),
        ({"name": "phantom", "config": "small", "num_proc": 0}, "num_proc: expected 1 or more"),
        ({"name": "phantom", "config": "small", "num_proc": "2"}, "num_proc: expected 1 or more, found '2'"),
    ],
)
def test_wrong_arguments_build_nothing(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        load_dataset(**options, cache_dir=tmp_path / "cache")
    assert message in str(error.value)
    assert not list((tmp_path / "cache").rglob("manifest.json"))


def test_splits_and_sums_and_ranges(small: SmallSources) -> None:
    built = small.build("phantom")

    def ids(split: str) -> list[str]:
        rows = load_dataset("phantom", "small", split, framework="numpy", cache_dir=small.cache)
        return [row["sample_id"] for row in rows]

    assert len(ids("all")) == built.rows
    assert ids("all") == ids("train") + ids("validation") + ids("test")
    assert ids("train+test") == ids("train") + ids("test")
    assert ids("train[:50%]") + ids("train[50%:]") == ids("train")
    assert ids("train[-3:]+test[1:2]") == ids("train")[-3:] + ids("test")[1:2]
    assert ids("train[5:5]") == []
    with pytest.raises(UsageError, match="expected one of train, validation, test, found 'val'"):
        ids("val")


def test_what_is_missing_is_told_and_only_taken_when_asked(small: SmallSources, tmp_path: Path) -> None:
    tree = small.tree("covid_ct")
    with pytest.raises(IncompleteSourceError, match="allow_missing=True"):
        load_dataset("covid_ct", data_dir=tree, cache_dir=tmp_path)
    with pytest.warns(UserWarning, match="covid_ct@2020-04-28 is INCOMPLETE: 19 rows") as caught:
        rows = load_dataset(
            "covid_ct", split="all", framework="numpy", data_dir=tree, cache_dir=tmp_path, allow_missing=True
        )
    assert len(rows) == 19
    assert caught[0].filename == __file__, "the warning points at the caller"
    with pytest.raises(IncompleteSourceError):  # the incomplete build is not taken for the whole
        load_dataset("covid_ct", data_dir=tree, cache_dir=tmp_path)


def test_a_complete_build_warns_of_nothing(small: SmallSources) -> None:
    small.build("phantom")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = load_dataset("phantom", "small", "train", framework="numpy", cache_dir=small.cache)
    assert len(rows) == small.build("phantom").splits["train"]


def test_changed_files_of_the_user_are_built_anew(small: SmallSources, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(small.tree("cohen"), tree)
    options: dict[str, Any] = {"data_dir": tree, "cache_dir": tmp_path / "cache", "allow_missing": True}
    with pytest.warns(UserWarning, match="13 rows"):
        load_dataset("cohen", framework="numpy", **options)
    (tree / "images" / "000016.jpg").unlink()
    with pytest.warns(UserWarning, match="12 rows"):
        rows = load_dataset("cohen", split="all", framework="numpy", **options)
    assert "cohen/000016.jpg" not in {row["sample_id"] for row in rows}


def test_offline_needs_files_or_a_finished_build(small: SmallSources, tmp_path: Path) -> None:
    with pytest.raises(OfflineError, match="COVID_DATASETS_OFFLINE"):
        load_dataset("cohen", cache_dir=tmp_path, offline=True)


def test_bytes_only_is_loaded_and_says_what_is_unknown(tmp_path: Path) -> None:
    options: dict[str, Any] = {"framework": "numpy", "cache_dir": tmp_path}
    with pytest.warns(
        UserWarning, match="built with verify='bytes', .* quality .* unknown .* verify='full' builds it anew"
    ):
        rows = load_dataset("phantom", "small", "all", verify="bytes", **options)
    assert {row["quality"] for row in rows} == {None}
    assert all(len(row["sha256"]) == 64 for row in rows)
    with pytest.warns(UserWarning, match="built with verify='bytes'"):  # not built anew, which may take hours
        again = load_dataset("phantom", "small", "all", **options)
    assert [row["sample_id"] for row in again] == [row["sample_id"] for row in rows]
    whole = load_dataset("phantom", "small", "all", verify="full", **options)
    assert None not in {row["quality"] for row in whole}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_dataset("phantom", "small", "all", **options)[0]["quality"] is not None, "of both the full one"


def test_all_columns_that_are_said_to_be_unknown_are_and_no_others(tmp_path: Path) -> None:
    options: dict[str, Any] = {"framework": "pandas", "cache_dir": tmp_path}
    hashed, whole = (load_dataset("phantom", "small", "all", verify=how, **options) for how in ("bytes", "full"))
    lost = [name for name in whole if whole[name].notna().any() and hashed[name].isna().all()]
    assert sorted(lost) == sorted(UNKNOWN.replace(" and ", ", ").split(", "))


def test_the_second_call_in_a_new_process_needs_neither_raw_files_nor_network(tmp_path: Path) -> None:
    """The finished build is all that stays: the user's folder is gone, no socket, no heavy import, nothing written."""
    tree, cache = tmp_path / "tree", tmp_path / "cache"
    tree.mkdir()
    first = load_dataset("phantom", "small", "all", framework="numpy", data_dir=tree, cache_dir=cache)
    tree.rmdir()
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    code = f"""
import socket, sys

def refuse(*arguments, **options):
    raise AssertionError("a socket was opened")

socket.socket.connect = refuse
import covid_datasets
rows = covid_datasets.load_dataset("phantom", "small", "all", framework="numpy", offline=True)
assert rows[0]["image"].ndim == 2
print(len(rows), *sorted({HEAVY!r} & {{name.partition(".")[0] for name in sys.modules}}))
"""
    assert run_python(code, COVID_DATASETS_CACHE=str(cache)) == str(len(first))
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before


def test_loading_what_is_not_built_does_not_import_heavy_things(tmp_path: Path) -> None:
    code = f"""
import sys, covid_datasets
rows = covid_datasets.load_dataset("phantom", "small", "train", framework="numpy", num_proc=1)
print(len(rows) > 0, *sorted({HEAVY!r} & {{name.partition(".")[0] for name in sys.modules}}))
"""
    assert run_python(code, COVID_DATASETS_CACHE=str(tmp_path)) == "True"


def test_find_build_says_why_nothing_fits(small: SmallSources, tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="covid-datasets build phantom"):
        find_build("phantom", cache_dir=tmp_path)
    small.build("covid_ct")
    with pytest.raises(NotBuiltError, match="it is incomplete"):
        find_build("covid_ct", cache_dir=small.cache, allow_missing=False)


@pytest.mark.parametrize(
    ("split", "scheme"),
    [
        ("tain", "patient"),
        ("train[:", "patient"),
        ("validation", "fold-1-of-2"),
        ("test", "patient@3"),
        (None, "patients"),
        (None, "fold-3-of-2"),
    ],
)
def test_a_wrong_split_or_scheme_is_told_before_anything_is_built(
    tmp_path: Path, split: str | None, scheme: str
) -> None:
    with pytest.raises((UsageError, UnknownVersionError), match="expected"):
        load_dataset("phantom", "small", split, scheme=scheme, cache_dir=tmp_path, framework="numpy")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_extra_is_told_before_anything_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = load_card("phantom")
    lacking = replace(card, configs={"small": replace(card.configs["small"], needs=("no_such_module",))})
    monkeypatch.setattr("covid_datasets.catalog.cards.load_card", lambda name: lacking)
    with pytest.raises(MissingExtraError, match="no_such_module is not installed"):
        build_dataset("phantom", "small", cache_dir=tmp_path)
    assert not list(tmp_path.iterdir())
