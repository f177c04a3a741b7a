"""Whole there or not there, never over anything else, and always the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import covid_datasets
from covid_datasets.errors import DownloadError, NoSpaceError, UsageError
from covid_datasets.exports import export as exporting
from covid_datasets.exports.export import export
from covid_datasets.exports.place import BEGUN_FILE, MANIFEST_FILE
from covid_datasets.exports.split import BATCH_BYTES, Split
from tests.exports.written import WRITTEN


@pytest.fixture
def loaded() -> Any:
    return covid_datasets.load_dataset("phantom", "small")


def files_in(folder: Path) -> dict[str, str]:
    """Hash everything below a folder, hidden things too."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.mark.parametrize("format", WRITTEN)
def test_the_manifest_lists_every_file(format: str, loaded: Any, tmp_path: Path) -> None:
    done = export(loaded, format, tmp_path / "out")
    found = files_in(tmp_path)
    found = {name.removeprefix("out/"): digest for name, digest in found.items() if name.startswith("out/")}
    del found[MANIFEST_FILE]
    assert {name: file["sha256"] for name, file in done.files.items()} == found
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]


@pytest.mark.parametrize("format", WRITTEN)
@pytest.mark.parametrize("framework", ["numpy", "hf"])
def test_the_same_rows_are_the_same_bytes(format: str, framework: str, loaded: Any, tmp_path: Path) -> None:
    export(loaded, format, tmp_path / "first")
    again = covid_datasets.load_dataset("phantom", "small", framework=framework)
    export(again, format, tmp_path / "second")
    assert files_in(tmp_path / "first") == files_in(tmp_path / "second")


def test_an_unknown_format_is_told_with_the_nearest(loaded: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'parquet'"):
        export(loaded, "parket", tmp_path / "out")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_something_else_is_left_alone(overwrite: bool, loaded: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match=r"thesis.tex.*Next: name another one"):
        export(loaded, "parquet", tmp_path / "out", overwrite=overwrite)
    assert files_in(tmp_path / "out").keys() == {"thesis.tex"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_manifest_of_something_else_is_left_alone(overwrite: bool, loaded: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MANIFEST_FILE).write_text('{"name": "an app"}')
    with pytest.raises(UsageError, match="that no export wrote"):
        export(loaded, "parquet", tmp_path / "out", overwrite=overwrite)


def test_a_file_in_the_place_is_left_alone(loaded: Any, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="found a file"):
        export(loaded, "parquet", tmp_path / "out", overwrite=True)
    assert (tmp_path / "out").read_text() == "mine"


def test_the_same_export_again_changes_nothing(loaded: Any, tmp_path: Path) -> None:
    first = export(loaded, "parquet", tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert export(loaded, "parquet", tmp_path / "out") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == times


def test_an_older_export_is_replaced_only_when_asked(loaded: Any, tmp_path: Path) -> None:
    export(loaded, "webdataset", tmp_path / "out")
    before = files_in(tmp_path / "out")
    with pytest.raises(UsageError, match="phantom as webdataset.*overwrite=True"):
        export(loaded["train"], "parquet", tmp_path / "out")
    assert files_in(tmp_path / "out") == before
    done = export(loaded["train"], "parquet", tmp_path / "out", overwrite=True)
    assert files_in(tmp_path / "out").keys() == {*done.files, MANIFEST_FILE}


KILLED = """
import os, signal, sys
import covid_datasets
from covid_datasets.exports import parquet
from covid_datasets.exports.export import export

write = parquet.write

def killed(data, folder, **options):
    write(data, folder, **options)
    os.kill(os.getpid(), signal.SIGKILL)

parquet.write = killed
export(covid_datasets.load_dataset("phantom", "small", framework="numpy"), "parquet", sys.argv[1])
"""


def test_a_killed_export_is_not_there_and_is_made_again(loaded: Any, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "out")], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")]
    again = export(loaded, "parquet", tmp_path / "out")
    assert files_in(tmp_path / "out").keys() == {*again.files, MANIFEST_FILE}
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")]


def test_two_at_once_make_one(tmp_path: Path) -> None:
    covid_datasets.build_dataset("phantom", "small")
    script = KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "open(sys.argv[1] + '.' + str(os.getpid()), 'w')")
    both = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "out")]) for _ in range(2)]
    assert [each.wait() for each in both] == [0, 0]
    assert (tmp_path / "out" / MANIFEST_FILE).is_file()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no device that is always full")
def test_a_full_disk_leaves_nothing(loaded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(data: Any, folder: Path, *, shard_bytes: int) -> None:
        device = os.open("/dev/full", os.O_WRONLY)  # unlike `open`, this makes no file where the device is gone
        with os.fdopen(device, "wb") as file:
            file.write(bytes(1 << 20))

    monkeypatch.setattr(exporting, "_module", lambda _: SimpleNamespace(write=write, HOW=""))
    with pytest.raises(NoSpaceError, match="disk is full"):
        export(loaded, "parquet", tmp_path / "out")
    assert not [path.name for path in tmp_path.iterdir() if "out" in path.name]


def test_too_small_a_disk_is_told_before_anything_is_written(
    loaded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(total=1 << 30, used=(1 << 30) - 1000, free=1000)
    monkeypatch.setattr("covid_datasets.disk.shutil.disk_usage", lambda _: free)
    with pytest.raises(NoSpaceError, match="needed"):
        export(loaded, "parquet", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_without_rights_is_told(loaded: Any, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(covid_datasets.CovidDatasetsError, match="cannot be written"):
        export(loaded, "parquet", tmp_path / "closed" / "out")


def test_a_url_gets_the_manifest_last(
    loaded: Any, bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[str] = []
    for name in ("put_file", "pipe_file"):
        real = getattr(type(bucket), name)

        def noted(fs: Any, first: str, second: Any, *rest: Any, real: Any = real, name: str = name, **more: Any) -> Any:
            put.append(second if name == "put_file" else first)
            return real(fs, first, second, *rest, **more)

        monkeypatch.setattr(type(bucket), name, noted)
    done = export(loaded, "hf", "memory://bucket/out")
    export(loaded, "hf", tmp_path / "out")
    assert put[-1] == f"/bucket/out/{MANIFEST_FILE}"
    found = {name.removeprefix("/bucket/out/"): bucket.cat_file(name) for name in bucket.find("/bucket/out")}
    assert {name: sha256(data).hexdigest() for name, data in found.items()} == files_in(tmp_path / "out")
    assert found.keys() == {*done.files, MANIFEST_FILE}


def test_what_an_unfinished_export_left_is_replaced(loaded: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ConnectionResetError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(type(bucket), "put_file", broken)
        with pytest.raises(DownloadError, match="counts as unfinished"):
            export(loaded, "parquet", "memory://bucket/out")
    assert [name.rpartition("/")[2] for name in bucket.find("/bucket/out")] == [BEGUN_FILE]
    done = export(loaded, "parquet", "memory://bucket/out")
    assert len(bucket.find("/bucket/out")) == len(done.files) + 1


def test_a_url_with_something_else_is_left_alone(loaded: Any, bucket: Any) -> None:
    bucket.pipe_file("/bucket/out/thesis.tex", b"mine")
    with pytest.raises(UsageError, match="thesis.tex"):
        export(loaded, "parquet", "memory://bucket/out", overwrite=True)


def test_an_older_export_at_a_url_is_replaced(loaded: Any, bucket: Any) -> None:
    export(loaded, "webdataset", "memory://bucket/out")
    done = export(loaded["train"], "parquet", "memory://bucket/out", overwrite=True)
    assert {name.removeprefix("/bucket/out/") for name in bucket.find("/bucket/out")} == {*done.files, MANIFEST_FILE}


def test_a_url_that_nobody_knows_is_told(loaded: Any) -> None:
    with pytest.raises(UsageError, match="a URL that fsspec knows"):
        export(loaded, "parquet", "nowhere://bucket/out")


def test_chosen_rows_keep_their_order(loaded: Any, tmp_path: Path) -> None:
    chosen = loaded["train"].filter(lambda row: row["modality"] == "CT").select([3, 0, 2])
    export(chosen, "parquet", tmp_path / "out")
    found = pq.read_table(tmp_path / "out" / "train-00000-of-00001.parquet")
    assert found.column("sample_id").to_pylist() == chosen["sample_id"][:]
    assert found.column("image").to_pylist() == chosen.with_format("arrow")[:].column("image").to_pylist()


def test_other_columns_and_pictures_of_ones_own_travel_too(loaded: Any, tmp_path: Path) -> None:
    from datasets import Image
    from PIL import Image as Pictures

    Pictures.new("L", (3, 2), 7).save(tmp_path / "own.png")
    rows = loaded["train"].select_columns(["sample_id", "label"]).map(lambda row: {"score": len(row["sample_id"]) / 2})
    rows = rows.add_column("image", [str(tmp_path / "own.png")] * len(rows)).cast_column("image", Image())
    export(rows, "parquet", tmp_path / "out")
    found = pq.read_table(tmp_path / "out" / "train-00000-of-00001.parquet").to_pylist()
    assert {row["image"]["bytes"] for row in found} == {(tmp_path / "own.png").read_bytes()}
    assert [row["score"] for row in found] == [len(name) / 2 for name in rows["sample_id"]]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_framework_can_be_exported(tmp_path: Path) -> None:
    for framework in ("pandas", "numpy"):
        rows = covid_datasets.load_dataset("phantom", "small", framework=framework, split="train", labels="present")
        export(rows, "parquet", tmp_path / framework)
    tables = [pq.read_table(tmp_path / each / "train-00000-of-00001.parquet") for each in ("pandas", "numpy")]
    assert tables[0].column("label").to_pylist() == tables[1].column("label").to_pylist()
    assert tables[0].column("image").to_pylist() == tables[1].column("image").to_pylist()
    assert tables[0].schema.metadata == tables[1].schema.metadata


def test_tensors_are_exported_as_they_are_stored(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    for framework in ("torch", "numpy"):
        rows = covid_datasets.load_dataset("phantom", "small", framework=framework)
        export(rows, "parquet", tmp_path / framework)
    assert files_in(tmp_path / "torch") == files_in(tmp_path / "numpy")


@pytest.mark.parametrize("built", [True, False])
def test_a_stream_is_written_down(built: bool, tmp_path: Path) -> None:
    if built:
        covid_datasets.build_dataset("phantom", "small")
    export(covid_datasets.load_dataset("phantom", "small", streaming=True), "parquet", tmp_path / "out")
    # Of what is not built, pixels have not yet told which rows belong into one split.
    stored = covid_datasets.load_dataset("phantom", "small", "all", framework="numpy").table()
    found = pa.concat_tables([pq.read_table(path) for path in (tmp_path / "out").glob("*.parquet")])
    assert found.sort_by("sample_id").column("image").equals(stored.sort_by("sample_id").column("image"))


@pytest.mark.parametrize("given", [[], {}, 7, {"a b": None}, None])
def test_what_is_no_dataset_is_told(given: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="export: expected"):
        export(given, "parquet", tmp_path / "out")


def test_splits_of_different_columns_are_refused(loaded: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="same columns and features in every split"):
        export({"train": loaded["train"], "test": loaded["test"].remove_columns("age")}, "parquet", tmp_path / "out")


def test_batches_are_bounded_by_bytes() -> None:
    size = BATCH_BYTES // 2
    rows = pa.table({"image": pa.array([b"x" * size] * 5, pa.binary())})
    split = Split(5, rows.schema, lambda start, stop, names: rows.select(names).slice(start, stop - start))
    assert [batch.num_rows for batch in split.batches()] == [1, 1, 1, 1, 1]
    small = pa.table({"image": pa.array([b"x"] * 5, pa.binary())})
    split = Split(5, small.schema, lambda start, stop, names: small.select(names).slice(start, stop - start))
    assert [batch.num_rows for batch in split.batches(2)] == [2, 2, 1]


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from covid_datasets.cli import main

    ask = ["export", "phantom", "webdataset", str(tmp_path / "out"), "--config", "small", "--split", "train"]
    assert main([*ask, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 14
    assert (tmp_path / "out" / "train-00000-of-00001.tar").is_file()
    assert main(["export", "phantom", "parquet", str(tmp_path / "out"), "--config", "small"]) == 2
    assert "--overwrite" in capsys.readouterr().err
