"""A view is a build: made once, found again, shared, resumed, verified; and its rows and splits are its source's."""

from __future__ import annotations

import multiprocessing
import re
import shutil
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import build_dataset, cache_contents, clean_cache, export, find_build, load_dataset, search, verify
from covid_datasets.cli.viewed import add_view, view_of
from covid_datasets.errors import DamagedFileError, NotBuiltError, UsageError
from covid_datasets.load.rows import decoded
from covid_datasets.prepare.derived.asked import derivation
from covid_datasets.prepare.derived.build import build_view
from covid_datasets.prepare.result import Built
from covid_datasets.read.encode import encode
from covid_datasets.read.volumes import read_volume
from covid_datasets.transforms.windows import WINDOWS, windowed
from tests.load.flips import missed
from tests.prepare.derived.records import film, stack, use, volume
from tests.processes import Serial, copy_of, digest_of, kill_amid_pieces, leftovers, table_of
from tests.small import SmallSources

WANTED: dict[str, Any] = {"window": "lung", "image_size": 48, "to_spacing": (1, 1, 5), "to_orientation": "LPS"}
GRID: dict[str, Any] = {"to_spacing": (1, 1, 5), "to_orientation": "LPS"}


@pytest.fixture
def mosmed(small: SmallSources, tmp_path: Path) -> Built:
    """A copy of the small source's slices, in a cache that a test may damage."""
    built = small.build("mosmed", config="slices")
    place = tmp_path / "cache" / built.path.relative_to(small.cache)
    shutil.copytree(built.path, place)
    return Built.read(place)


def view(built: Built, num_proc: int = 1, shard_bytes: int | None = None, **wanted: Any) -> Built:
    found = derivation(**wanted)
    assert found is not None
    return build_view(built, found, built.path.parents[3], num_proc=num_proc, shard_bytes=shard_bytes)


def by_id(built: Built) -> dict[str, dict[str, Any]]:
    return {row["sample_id"]: row for row in table_of(built).to_pylist()}


def split_of(built: Built) -> dict[str, str]:
    rows = iter(table_of(built).column("patient_id").to_pylist())
    return {next(rows): split for split, count in built.splits.items() for _ in range(count)}


def test_rows_ids_and_splits_are_those_of_the_source(mosmed: Built) -> None:
    grey = view(mosmed, window="bone", image_size=32)
    assert list(by_id(grey)) == list(by_id(mosmed))
    assert grey.splits == mosmed.splits
    assert split_of(view(mosmed, **GRID)) == split_of(mosmed), "every patient stays where it was"
    assert (grey.patients, grey.groups, grey.labels) == (mosmed.patients, mosmed.groups, mosmed.labels)


def test_a_window_is_of_the_numbers_that_are_stored_without_it(mosmed: Built) -> None:
    numbers, grey = by_id(view(mosmed, **GRID)), by_id(view(mosmed, **GRID, window="lung"))
    assert numbers.keys() == grey.keys()
    for name, row in numbers.items():
        assert np.array_equal(windowed(decoded(row)["image"], WINDOWS["lung"]), decoded(grey[name])["image"])


def test_slices_and_volumes_are_brought_to_one_grid(mosmed: Built, small: SmallSources, tmp_path: Path) -> None:
    volumes = small.build("mosmed", config="volumes")
    shutil.copytree(volumes.path, place := tmp_path / "cache" / volumes.path.relative_to(small.cache))
    for wanted in (WANTED, {"to_spacing": 2.0, "to_orientation": "RAS"}, {"to_orientation": "LIP"}):
        slices, whole = by_id(view(mosmed, **wanted)), by_id(view(Built.read(place), **wanted))
        for name, row in whole.items():
            own = sorted(
                (each for each in slices.values() if each["series_id"] == name), key=lambda row: row["part_index"]
            )
            stored = read_volume(row["volume"]["bytes"], row["volume"]["path"])
            assert np.array_equal(stored.voxels, np.stack([decoded(each)["image"] for each in own]))
            assert np.allclose(stored.header.spacing, own[0]["spacing"], atol=1e-5)
            corner = np.diag([-1.0, -1.0, 1.0, 1.0]) @ stored.header.affine
            assert np.allclose(corner[:3, 3], own[0]["position"], atol=1e-4)
            assert np.allclose(
                corner[:3, :2] / stored.header.spacing[:2], np.reshape(own[0]["orientation"], (2, 3)).T, atol=1e-5
            )
            mask = row["volume_masks"]["infection"]
            drawn = [decoded(each)["masks"]["infection"] for each in own]
            if mask is None:
                assert not any(each is not None for each in drawn)
            else:
                layer = read_volume(mask["bytes"], mask["path"])
                assert np.array_equal(layer.voxels, np.stack(drawn))
                assert repr(layer.header.affine) == repr(stored.header.affine)


def test_the_fingerprint_follows_from_the_source_and_what_was_asked(mosmed: Built) -> None:
    found = view(mosmed, **WANTED)
    wanted = derivation(**WANTED)
    assert wanted is not None
    assert found.fingerprint == wanted.fingerprint(mosmed.fingerprint) != mosmed.fingerprint
    others = [derivation(**WANTED | other) for other in ({"window": "bone"}, {"image_size": 47}, {"to_spacing": 1})]
    assert len({wanted.fingerprint("0f"), *(each.fingerprint("0f") for each in others if each)}) == 4
    again = derivation(window=(-1350, 150), image_size=(48, 48), to_spacing=[1.0, 1.0, 5.0], to_orientation="lps")
    assert again == wanted, "it is the same view, however it is written"
    counted = {"image_size": np.int64(48), "to_spacing": np.array([1, 1, 5]), "window": np.array([-1350, 150])}
    assert derivation(**WANTED | counted) == wanted
    assert derivation(to_spacing=np.float32(0.5)) == derivation(to_spacing=0.5)


def test_what_is_typed_for_a_view_is_that_view() -> None:
    wanted = derivation(
        window=(-1350.125, 150), image_size=(48, 32), to_spacing=(0.7031255, 0.7031255), to_orientation="LPS"
    )
    assert wanted is not None
    assert wanted.typed == (
        "--window -1350.125 150 --image-size 48 32 --to-spacing 0.7031255 0.7031255 --to-orientation LPS"
    )
    parser = ArgumentParser()
    add_view(parser)
    assert derivation(**view_of(parser.parse_args(wanted.typed.split()))) == wanted


def test_a_view_is_asked_for_as_any_dataset_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamed, labelled, filtered, by arrays of NumPy: what comes is the same rows."""
    pytest.importorskip("datasets")
    use(monkeypatch, stack("a", volume(4)), stack("b", volume(4, seed=1)))
    options: dict[str, Any] = {"cache_dir": tmp_path, "allow_missing": True, "num_proc": 1}
    options |= {"to_spacing": np.array([1, 1, 2])}
    whole = load_dataset("phantom", "small", **options)
    streams = load_dataset("phantom", "small", streaming=True, **options)
    assert {split: list(rows["sample_id"]) for split, rows in whole.items()} == {
        split: [row["sample_id"] for row in rows] for split, rows in streams.items()
    }
    narrow: dict[str, Any] = {"labels": "present", "modality": "CT", "scheme": "fold-1-of-2", **options}
    whole = load_dataset("phantom", "small", **narrow)
    streams = load_dataset("phantom", "small", streaming=True, **narrow)
    assert whole["train"].features["label"] == streams["train"].features["label"]
    for split, rows in whole.items():
        images = [np.asarray(row["image"]) for row in streams[split]]
        assert len(images) == len(rows) > 0
        assert all(np.array_equal(row["image"], image) for row, image in zip(rows, images, strict=True))


def test_workers_and_shards_change_nothing(mosmed: Built, tmp_path: Path) -> None:
    whole = view(mosmed, **WANTED)
    place = tmp_path / "other" / mosmed.path.relative_to(tmp_path / "cache")
    shutil.copytree(mosmed.path, place)
    other = view(Built.read(place), num_proc=2, shard_bytes=1, **WANTED)
    assert len(list(other.path.glob("train/*.arrow"))) > len(list(whole.path.glob("train/*.arrow")))
    assert (other.fingerprint, other.content, digest_of(other)) == (whole.fingerprint, whole.content, digest_of(whole))
    assert leftovers(tmp_path) == []


def test_a_view_that_was_killed_goes_on(mosmed: Built, tmp_path: Path) -> None:
    place = tmp_path / "undisturbed" / mosmed.path.relative_to(tmp_path / "cache")
    shutil.copytree(mosmed.path, place)
    whole = view(Built.read(place), shard_bytes=1, **WANTED)
    work = tmp_path / "cache" / "prepared" / ".work"
    process = multiprocessing.get_context("fork").Process(target=view, args=(mosmed, 1, 1), kwargs=WANTED)
    process.start()
    kept = kill_amid_pieces(process, work, 4)
    assert kept >= 4
    with pytest.raises(NotBuiltError):
        find_build("mosmed", "slices", cache_dir=tmp_path / "cache", **WANTED)
    unfinished = [entry for entry in cache_contents(tmp_path / "cache") if entry.kind == "unfinished"]
    assert [entry.name for entry in unfinished] == ["mosmed"]
    counting, wanted = Serial(), derivation(**WANTED)
    assert wanted is not None
    again = build_view(mosmed, wanted, mosmed.path.parents[3], executor=counting, shard_bytes=1)
    assert counting.submitted == 14 - kept, "a piece that was finished is not made again"
    assert digest_of(again) == digest_of(whole)
    assert leftovers(tmp_path / "cache") == []


def test_who_comes_second_waits_and_shares(mosmed: Built, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=view, args=(mosmed, 1, 1), kwargs=WANTED) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    found = view(mosmed, **WANTED)
    times = {path: path.stat().st_mtime_ns for path in found.path.rglob("*")}
    assert view(mosmed, **WANTED) == found
    assert times == {path: path.stat().st_mtime_ns for path in found.path.rglob("*")}
    assert leftovers(tmp_path / "cache") == []
    assert verify(found.path, pixels=True).ok


def test_a_view_outlives_its_source(mosmed: Built, tmp_path: Path) -> None:
    found = view(mosmed, **WANTED)
    shutil.rmtree(mosmed.path)
    options: dict[str, Any] = {"allow_missing": True, "cache_dir": tmp_path / "cache", "offline": True}
    assert find_build("mosmed", "slices", cache_dir=tmp_path / "cache", **WANTED) == found
    assert verify("mosmed", config="slices", cache_dir=tmp_path / "cache", pixels=True, **WANTED).ok
    options |= {"framework": "numpy", **WANTED}
    rows = load_dataset("mosmed", "slices", "train", **options)
    assert len(rows) == found.splits["train"]
    folds = load_dataset("mosmed", "slices", scheme="fold-1-of-3", **options)
    assert sum(map(len, folds.values())) == found.rows, "what joins its rows is there too"


def test_every_flipped_bit_is_found(mosmed: Built, tmp_path: Path) -> None:
    assert missed(copy_of(view(mosmed, **WANTED), tmp_path / "copy"), 60, seed=1) == []


def test_a_damaged_source_makes_no_view(mosmed: Built, tmp_path: Path) -> None:
    file = sorted(mosmed.path.glob("train/*.arrow"))[0]
    data = bytearray(file.read_bytes())
    image = table_of(mosmed).column("image")[0].as_py()["bytes"]
    data[data.find(image) + 5000] ^= 1
    file.write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"mosmed/study_\d+/000: expected the row as it was built"):
        view(Built.read(mosmed.path), **GRID)
    assert not list(tmp_path.glob("cache/prepared/mosmed/*/*/*.views/*"))


def test_joint_splits_and_folds_are_those_without_a_view(mosmed: Built, tmp_path: Path) -> None:
    build_dataset("phantom", "small", cache_dir=tmp_path / "cache", num_proc=1)
    options: dict[str, Any] = {
        "allow_missing": True,
        "cache_dir": tmp_path / "cache",
        "framework": "pandas",
        "columns": ["patient_id", "group_id"],
    }
    for scheme in ("patient", "fold-2-of-3"):
        plain = load_dataset("mosmed", "slices", scheme=scheme, **options)
        seen = load_dataset("mosmed", "slices", scheme=scheme, to_spacing=(1, 1, 3), num_proc=1, **options)
        for split, frame in plain.items():
            assert set(map(tuple, frame.to_numpy())) == set(map(tuple, seen[split].to_numpy()))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_views_of_several_sources_are_split_as_these_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that is in both joins them, whatever it looks like in a view."""
    pictures = np.random.default_rng(0).integers(0, 256, (6, 64, 64)).astype(np.uint8)
    use(monkeypatch, *(film(f"a{number}", pictures[number]) for number in range(4)))
    (ward := tmp_path / "ward").mkdir()
    for number in (3, 4, 5):
        (ward / f"{number}.png").write_bytes(encode(pictures[number]))
    options: dict[str, Any] = {"cache_dir": tmp_path / "cache", "allow_missing": True, "num_proc": 1}
    options |= {"framework": "pandas", "columns": ["sample_id", "group_id"]}
    wanted: list[dict[str, Any]] = [{}, {"image_size": 8}, {"image_size": (1, 2), "window": "lung"}]
    for scheme in ("patient", "fold-1-of-2"):
        found = []
        for view in wanted:
            splits = load_dataset(["phantom", str(ward)], scheme=scheme, **view, **options)
            found.append({split: set(map(tuple, frame.to_numpy())) for split, frame in splits.items()})
        assert found[1] == found[2] == found[0]
        groups: dict[str, set[str]] = {}
        for name, group in set.union(*found[0].values()):
            groups.setdefault(group, set()).add(name.split("/")[0])
        assert max(map(len, groups.values())) == 2, "the picture of both"


def test_the_cache_shows_views_and_takes_them_away(mosmed: Built, tmp_path: Path) -> None:
    made, other = view(mosmed, **WANTED), view(mosmed, window="lung")
    rows = load_dataset(
        "mosmed",
        "slices",
        "train",
        framework="numpy",
        allow_missing=True,
        cache_dir=tmp_path / "cache",
        batch_size=4,
        **WANTED,
    )
    next(iter(rows))
    found = {entry.path: entry.kind for entry in cache_contents(tmp_path / "cache")}
    assert {kind for path, kind in found.items() if path != mosmed.path} == {"view"}
    assert {made.path, other.path} <= set(found)
    assert len(found) == 5, "batches are of a view without a window, and a view of their own"
    assert clean_cache(tmp_path / "cache", what="views") > 0
    assert [entry.path for entry in cache_contents(tmp_path / "cache")] == [mosmed.path]


def test_batches_or_rows(mosmed: Built, tmp_path: Path) -> None:
    """``image_size`` alone, or with an option of batches, means batches; beside what only a view has, rows of it."""
    options: dict[str, Any] = {
        "allow_missing": True,
        "cache_dir": tmp_path / "cache",
        "framework": "numpy",
        "num_proc": 1,
    }
    load = partial(load_dataset, "mosmed", "slices", "train", **options)
    assert next(iter(load(image_size=16, batch_size=2)))["image"].shape == (2, 1, 16, 16)
    assert next(iter(load(image_size=16)))["image"].shape[1:] == (1, 16, 16)
    assert load(image_size=16, batch_size=None)[0]["image"].shape == (16, 16)
    assert load(image_size=16, window="lung")[0]["image"].dtype == np.uint8
    assert load(to_spacing=2)[0]["image"].dtype == np.int16
    grid = load(image_size=16, batch_size=2, window="lung", to_spacing=(2, 2, 8), dtype="uint8", shuffle=False)
    assert next(iter(grid))["image"].shape == (2, 1, 16, 16)
    with pytest.raises(UsageError, match="batch_size"):
        load(window="lung", batch_size=4)


def test_exports_say_which_view_they_are_of(mosmed: Built, tmp_path: Path) -> None:
    found = view(mosmed, **WANTED)
    rows = load_dataset(
        "mosmed", "slices", framework="numpy", allow_missing=True, cache_dir=tmp_path / "cache", **WANTED
    )
    done = export(rows, "parquet", tmp_path / "out", cache_dir=tmp_path / "cache")
    assert done.rows == found.rows
    assert (
        found.fingerprint
        in (tmp_path / "out" / "README.md").read_text() + (tmp_path / "out" / "croissant.json").read_text()
    )


def test_search_lists_views_and_counts_no_sample_twice(mosmed: Built, tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    made = view(mosmed, **WANTED)
    (found,) = search("SELECT * FROM views", cache_dir=tmp_path / "cache")
    assert (found["fingerprint"], found["source"], found["rows"]) == (made.fingerprint, mosmed.fingerprint, made.rows)
    assert (found["window"], found["to_spacing"], found["to_orientation"]) == ([-1350, 150], [1, 1, 5], "LPS")
    assert len(search(cache_dir=tmp_path / "cache")) == mosmed.rows
    (made.path / "report.md").unlink()
    with pytest.warns(UserWarning, match="left out of the search: .*report.md"):
        assert len(search("SELECT id FROM views", cache_dir=tmp_path / "cache").left_out) == 1


def test_real_datasets_with_images(mosmed: Built, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    found = load_dataset("mosmed", "slices", allow_missing=True, cache_dir=tmp_path / "cache", **WANTED)
    assert isinstance(found, datasets.DatasetDict)
    image = found["train"][0]["image"]
    assert (image.format, image.mode, image.size) == ("PNG", "L", (48, 48))
    deep = load_dataset("mosmed", "slices", "train", allow_missing=True, cache_dir=tmp_path / "cache", **GRID)[0][
        "image"
    ]
    assert (deep.format, np.asarray(deep).min() < 0) == ("TIFF", True)
    opened = datasets.load_from_disk(str(view(mosmed, **WANTED).path))
    assert opened["train"][0]["sample_id"] == found["train"][0]["sample_id"]


@pytest.mark.parametrize("framework", ["pandas", "tf", "monai", "torchio", "torch"])
def test_every_framework_has_it(framework: str, mosmed: Built, tmp_path: Path) -> None:
    needs = {"tf": "tensorflow"}.get(framework, framework)
    pytest.importorskip(needs)
    rows = load_dataset(
        "mosmed", "slices", "train", framework=framework, allow_missing=True, cache_dir=tmp_path / "cache", **WANTED
    )
    assert len(rows) == view(mosmed, **WANTED).splits["train"]
    if framework == "monai":
        affine = np.asarray(rows[0]["image"].affine)
        assert np.allclose(
            np.abs(affine.diagonal()[:2]),
            np.asarray(by_id(view(mosmed, **WANTED))[rows[0]["sample_id"]]["spacing"])[:2],
        )
    if framework == "torchio":
        assert rows[0].image.shape == (1, 48, 48, 1)


def test_what_a_view_lacks_is_said_when_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, stack("a", volume(3)), film("b", np.zeros((20, 20), np.uint8)))
    options: dict[str, Any] = {"cache_dir": tmp_path, "framework": "numpy", "allow_missing": True, "num_proc": 1}
    with pytest.warns(UserWarning, match="left out because they cannot be brought to 2x2x2mm_.*: 1 of the rows"):
        load_dataset("phantom", "small", to_spacing=2, **options)
    with pytest.warns(UserWarning, match="hold no Hounsfield units: 1 of the pictures"):
        load_dataset("phantom", "small", window="lung", **options)
    with pytest.warns(UserWarning, match=r"no image was judged: quality .* unknown \(None\), and pictures that look"):
        hashed = load_dataset("phantom", "small", "all", image_size=8, batch_size=None, verify="bytes", **options)
    assert {(row["quality"], row["width"], row["phash"] is None) for row in hashed} == {(None, 8, False)}


def test_the_example_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "volumes.md").read_text(encoding="utf-8")
    example = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "./ward" in block)
    call, said = re.search(r"\n(rows\[0\].*)\n# (.*)\n", example, re.DOTALL).groups()  # type: ignore[union-attr]
    (tmp_path / "ward").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="Nobody knows which rows show one person"):
        exec(example.replace(call, f"print(({call}))"))
    assert capsys.readouterr().out.strip() == said


def test_tables_have_no_view(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="window: expected images, found jhu_csse, a table"):
        load_dataset("jhu_csse", window="lung", cache_dir=tmp_path, offline=True)


@pytest.mark.filterwarnings("ignore:this split does not keep patients apart")
def test_folds_that_a_publisher_ships_are_those_of_the_volumes(small: SmallSources, tmp_path: Path) -> None:
    built = small.build("covid19_ct_seg", config="slices")
    shutil.copytree(built.path, tmp_path / "cache" / built.path.relative_to(small.cache))
    how: dict[str, Any] = {"scheme": "official-fold_2", "cache_dir": tmp_path / "cache", "framework": "numpy"}
    volumes: list[dict[str, set[str]]] = []
    views: list[dict[str, Any]] = [{}, {"to_spacing": (2, 2, 7)}, {"to_orientation": "PSL"}]
    for wanted in views:
        splits = load_dataset("covid19_ct_seg", "slices", allow_missing=True, num_proc=1, **how, **wanted)
        volumes.append({split: {row["series_id"] for row in rows} for split, rows in splits.items()})
    assert volumes[0] == volumes[1] == volumes[2]
    assert len(volumes[0]) > 1
