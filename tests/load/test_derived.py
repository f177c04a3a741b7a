"""A derived dataset is asked for as any is: in every framework, filtered, streamed, exported, verified, cleaned."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import (
    build_dataset,
    cache_contents,
    clean_cache,
    export,
    find_build,
    load_dataset,
    search,
    to_numpy,
    verify,
)
from covid_datasets.cli import main
from covid_datasets.errors import NotBuiltError, UsageError
from covid_datasets.load.rows import decoded
from covid_datasets.prepare.derived.asked import derivation
from covid_datasets.prepare.derived.build import build_view
from covid_datasets.prepare.result import Built
from tests.prepare.derived.chests import derived
from tests.processes import Serial, digest_of, kill_amid_pieces, leftovers, table_of

pytest.importorskip("scipy")
pytestmark = pytest.mark.filterwarnings("ignore:.*found nothing in")
NEW = ["lung_mask_from", "infection_mask_from", "infection_rate", "confidence", "reasons"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the phantom, and its infection."""
    folder = tmp_path_factory.mktemp("derived")
    build_dataset("phantom", "small", cache_dir=folder, num_proc=1, derive="infection")
    return folder


def load(cache: Path, *more: Any, **options: Any) -> Any:
    return load_dataset("phantom", "small", *more, cache_dir=cache, derive="infection", num_proc=1, **options)


def test_real_datasets_have_the_new_columns(cache: Path) -> None:
    datasets = pytest.importorskip("datasets")
    found = load(cache)
    assert isinstance(found, datasets.DatasetDict)
    assert list(found["train"].features)[-6:] == [*NEW, "group_id"]
    assert found["train"].features["infection_rate"] == datasets.Value("float64")
    row = found["train"][0]
    assert set(np.unique(np.asarray(row["masks"]["lung"]))) == {0, 1, 2}
    assert 0 < row["infection_rate"] < 1
    opened = datasets.load_from_disk(str(find_build("phantom", "small", cache_dir=cache, derive="infection").path))
    assert opened["train"][0]["infection_rate"] == row["infection_rate"]
    streamed = load(cache, streaming=True)
    assert [each["infection_rate"] for each in streamed["train"]] == found["train"]["infection_rate"][:]


@pytest.mark.parametrize("framework", ["numpy", "pandas", "torch", "tf", "monai", "torchio"])
def test_every_framework_has_them(framework: str, cache: Path) -> None:
    pytest.importorskip({"tf": "tensorflow"}.get(framework, framework))
    plain = load(cache, "train", framework="numpy")
    assert plain.column_names[-6:] == [*NEW, "group_id"]
    rates = [row["infection_rate"] for row in plain]
    rows = load(cache, "train", framework=framework)
    if framework == "pandas":
        assert rows["infection_rate"].isna().sum() == rates.count(None)
        assert list(rows["reasons"][0]) == plain[0]["reasons"]
    elif framework == "tf":
        found = [float(rate) for rate in rows.map(lambda row: row["infection_rate"]).as_numpy_iterator()]
        assert found == pytest.approx([float("nan") if rate is None else rate for rate in rates], nan_ok=True)
    else:
        found = [row["infection_rate"] for row in rows]
        unknown = None if framework in ("numpy", "torch") else pytest.approx(float("nan"), nan_ok=True)
        assert found == [unknown if rate is None else rate for rate in rates]
        assert len(rows) == len(plain)


def test_rows_are_chosen_by_what_was_derived(cache: Path) -> None:
    every = [row for part in load(cache, framework="numpy").values() for row in part]
    sick = load(cache, "all", framework="numpy", infection_rate=(0.05, 1.0), lung_mask_from="source")
    fits = [row for row in every if (row["infection_rate"] or 0) >= 0.05 and row["lung_mask_from"] == "source"]
    assert 0 < len(sick) == len(fits) < len(every)
    some = load(cache, "all", framework="numpy", columns=["sample_id", "infection_rate"])
    assert list(some[0]) == ["sample_id", "infection_rate"]
    folds = load(cache, "test", framework="numpy", scheme="fold-1-of-2", columns=["sample_id"])
    plain = load_dataset(
        "phantom", "small", "test", framework="numpy", cache_dir=cache, scheme="fold-1-of-2", columns=["sample_id"]
    )
    assert list(folds) == list(plain)
    with pytest.raises(UsageError, match="Did you mean 'infection_rate'"):
        load(cache, infection_rates=(0.1, 1))
    with pytest.raises(UsageError, match="Did you mean 'lung_mask_from'"):
        load(cache, columns=["lung_mask_form"])
    with pytest.raises(UsageError, match="found no such column"):
        load_dataset("phantom", "small", cache_dir=cache, infection_rate=(0.1, 1))


def test_batches_have_the_derived_masks(cache: Path) -> None:
    options: dict[str, Any] = {"image_size": 32, "batch_size": 4, "shuffle": False}
    batch = next(iter(load(cache, "train", framework="numpy", masks=["lung", "infection"], **options)))
    assert batch["image"].shape == (4, 1, 32, 32)
    assert [set(np.unique(mask)) for mask in batch["masks"].swapaxes(0, 1)] == [{0, 1}, {0, 1}]
    again = next(iter(to_numpy(load(cache, "train", framework="numpy"), masks=True, **options)))
    assert np.array_equal(batch["masks"], again["masks"])
    sized = load(cache, "train", framework="numpy", image_size=48, batch_size=None)[0]
    assert sized["image"].shape == sized["masks"]["lung"].shape == (48, 48)


def test_it_is_exported_verified_searched_and_cleaned(cache: Path, tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    place = tmp_path / "cache"
    shutil.copytree(cache, place)
    found = find_build("phantom", "small", cache_dir=place, derive="infection")
    assert verify("phantom", config="small", cache_dir=place, derive="infection", pixels=True).ok
    for number, rows in enumerate((load(place, framework="numpy"), load(place, framework="pandas"))):
        done = export(rows, "parquet", tmp_path / f"out{number}", cache_dir=place)
        assert done.rows == found.rows
    pq = pytest.importorskip("pyarrow.parquet")
    file = next(name for name in done.files if name.endswith(".parquet") and "train" in name)
    assert {*NEW} <= set(pq.read_schema(tmp_path / "out0" / file).names)
    assert (
        found.fingerprint
        in (tmp_path / "out0" / "README.md").read_text() + (tmp_path / "out0" / "croissant.json").read_text()
    )
    (row,) = search("SELECT derive, fingerprint FROM views WHERE image_size IS NULL", cache_dir=place)
    assert (row["derive"], row["fingerprint"]) == ("infection", found.fingerprint)
    assert len(search(cache_dir=place)) == found.rows, "no sample is counted twice"
    assert clean_cache(place, what="views") > 0
    assert not any(entry.kind == "view" for entry in cache_contents(place))


def test_commands_know_it(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = ["--config", "small", "--cache-dir", str(cache), "--derive", "infection"]
    found = find_build("phantom", "small", cache_dir=cache, derive="infection")
    assert main(["build", "phantom", *there, "--json"]) == 0
    built = json.loads(capsys.readouterr().out)
    assert (built["fingerprint"], built["view"]["columns"]["infection_rate"]) == (found.fingerprint, "float64")
    assert main(["path", "phantom", *there]) == 0
    assert capsys.readouterr().out.strip() == str(found.path)
    assert main(["verify", "phantom", *there, "--fingerprint", found.fingerprint]) == 0
    capsys.readouterr()
    assert main(["build", "phantom", *there[:-1], "infections"]) == UsageError.exit_code
    assert "Did you mean 'infection'" in capsys.readouterr().err
    assert main(["path", "phantom", *there[:-1], "infection(method='rag')"]) == NotBuiltError.exit_code
    assert "--derive 'infection(method='\"'\"'rag'\"'\"')'" in capsys.readouterr().err


def test_parameters_make_another_dataset(cache: Path, tmp_path: Path) -> None:
    source = find_build("phantom", "small", cache_dir=cache)
    place = tmp_path / "cache" / source.path.relative_to(cache)
    shutil.copytree(source.path, place)
    graph = derived(Built.read(place), "infection( method='rag' )")
    usual = find_build("phantom", "small", cache_dir=cache, derive="infection(method='threshold')")
    assert len({graph.fingerprint, usual.fingerprint}) == 2
    assert graph.view["parameters"]["derive"] == "infection(method='rag')"
    with pytest.raises(UsageError, match="method: expected one of threshold, rag, found 'rags'. Did you mean 'rag'"):
        load_dataset("phantom", "small", derive="infection(method='rags')", cache_dir=cache)


def make(source: Built) -> None:
    derived(source, "lungs", shard_bytes=1)


def test_one_that_was_killed_goes_on_and_several_at_once_share_it(cache: Path, tmp_path: Path) -> None:
    source = find_build("phantom", "small", cache_dir=cache)
    places = [tmp_path / name / source.path.relative_to(cache) for name in ("whole", "killed", "shared")]
    for place in places:
        shutil.copytree(source.path, place)
    whole, killed, shared = map(Built.read, places)
    expected = derived(whole, "lungs", shard_bytes=1)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=make, args=(killed,))
    process.start()
    work = tmp_path / "killed" / "prepared" / ".work"
    kept = kill_amid_pieces(process, work, 4)
    with pytest.raises(NotBuiltError):
        find_build("phantom", "small", cache_dir=tmp_path / "killed", derive="lungs")
    wanted, counting = derivation(derive="lungs"), Serial()
    assert wanted is not None
    again = build_view(killed, wanted, killed.path.parents[3], executor=counting, shard_bytes=1)
    pieces = len(list(expected.path.glob("*/data-*.arrow")))
    assert kept >= 4
    assert counting.submitted == pieces - kept, "a piece that was finished is not made again"
    both = [context.Process(target=make, args=(shared,)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert [each.exitcode for each in both] == [0, 0]
    third = derived(shared, "lungs", num_proc=2, shard_bytes=50_000)
    assert digest_of(again) == digest_of(third) == digest_of(expected)
    assert (again.content, third.content) == (expected.content, expected.content)
    assert leftovers(tmp_path) == []
    assert [decoded(row)["lung_mask_from"] for row in table_of(third).to_pylist()[:2]] == ["source", "source"]
