"""Verification of a finished build: whole where nothing changed, and the name of whatever did."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from covid_datasets.errors import DamagedFileError, NotBuiltError
from covid_datasets.load.verify import VerifyReport, verify
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.result import Built
from tests.processes import copy_of, python, table_of


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_dataset("phantom", "small", cache_dir=tmp_path_factory.mktemp("built"), num_proc=1)


@pytest.fixture
def copy(built: Built, tmp_path: Path) -> Path:
    return copy_of(built, tmp_path / "copy")


def train_file(build: Path) -> Path:
    return sorted((build / "train").glob("*.arrow"))[0]


def rewrite(file: Path, change: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> None:
    """Change the rows of a file, and leave it a whole Arrow file."""
    table = pa.ipc.open_stream(file.read_bytes()).read_all()
    changed = pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(changed)


@pytest.mark.parametrize("pixels", [False, True])
def test_a_fresh_build_is_whole(built: Built, pixels: bool) -> None:
    report = verify(built.path, pixels=pixels)
    assert report.ok
    assert report.problems == ()
    assert report.rows == built.rows
    assert report.bytes == sum(len(row["image"]["bytes"]) for row in table_of(built).to_pylist())
    assert report.to_json()["ok"] is True


def test_a_build_is_found_by_its_name(built: Built) -> None:
    cache = built.path.parents[4]
    assert verify("phantom", config="small", cache_dir=cache).path == built.path
    with pytest.raises(NotBuiltError, match="covid-datasets build phantom"):
        verify("phantom", config="large", cache_dir=cache)


def test_a_flipped_bit_of_an_image_names_the_sample(built: Built, copy: Path) -> None:
    row = table_of(built).to_pylist()[3]
    file = train_file(copy)
    data = bytearray(file.read_bytes())
    data[data.index(row["image"]["bytes"]) + 20_000] ^= 1
    file.write_bytes(data)
    report = verify(copy)
    assert [problem.split(":")[0] for problem in report.problems] == [row["sample_id"]]
    assert f"expected sha256 {row['sha256']}, found " in report.problems[0]


def test_a_changed_mask_names_the_sample(built: Built, copy: Path) -> None:
    row = table_of(built).to_pylist()[3]
    file = train_file(copy)
    data = bytearray(file.read_bytes())
    data[data.index(row["masks"]["lung"]["bytes"]) + 20_000] ^= 1
    file.write_bytes(data)
    assert [problem.split(":")[0] for problem in verify(copy).problems] == [row["sample_id"]]


def test_a_changed_label_names_the_sample(copy: Path) -> None:
    def change(rows: list[dict[str, object]]) -> list[dict[str, object]]:
        return [rows[0] | {"label": 0 if rows[0]["label"] else 1}, *rows[1:]]

    name = pa.ipc.open_stream(train_file(copy).read_bytes()).read_all().column("sample_id")[0].as_py()
    rewrite(train_file(copy), change)
    (problem,) = verify(copy).problems
    assert problem.startswith(f"{name}: row: expected digest ")


def test_rows_that_are_lost_doubled_or_exchanged_are_named(copy: Path) -> None:
    names = pa.ipc.open_stream(train_file(copy).read_bytes()).read_all().column("sample_id").to_pylist()
    rewrite(train_file(copy), lambda rows: [*rows[1:-1], rows[0]])
    assert verify(copy).problems == (f"{names[-1]}: expected in the files, found nothing",)
    rewrite(train_file(copy), lambda rows: [*rows, rows[3]])
    assert any("found twice" in problem or "found nothing" in problem for problem in verify(copy).problems)


def test_a_row_twice_in_two_files_is_named(built: Built, copy: Path) -> None:
    first = pa.ipc.open_stream(train_file(copy).read_bytes()).read_all().column("sample_id")[0].as_py()
    state = copy / "test" / "state.json"
    content = json.loads(state.read_text())
    shutil.copy(train_file(copy), copy / "test" / "more.arrow")
    state.write_text(json.dumps(content | {"_data_files": [*content["_data_files"], {"filename": "more.arrow"}]}))
    assert f"{first}: found twice in the files" in verify(copy).problems


def test_a_row_in_another_split_breaks_the_fingerprint(built: Built, copy: Path) -> None:
    for name in ("train", "test"):
        (copy / name).rename(copy / f"{name}-")
    (copy / "train-").rename(copy / "test")
    (copy / "test-").rename(copy / "train")
    first, *files = verify(copy).problems
    assert first.startswith(f"fingerprint: expected {built.fingerprint}, found ")
    assert {file.split(":")[0] for file in files} >= {"train/state.json", "test/state.json"}


@pytest.mark.parametrize("lost", ["train/data", "train/state.json", "index.arrow"])
def test_a_missing_file_is_named(copy: Path, lost: str) -> None:
    path = train_file(copy) if lost.endswith("data") else copy / lost
    path.unlink()
    with pytest.raises(DamagedFileError, match=rf"{path}: expected .*, found: .*Remove {copy} and build again"):
        verify(copy)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_named_or_its_samples_are(copy: Path, share: float) -> None:
    path = train_file(copy)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    try:
        problems = verify(copy).problems
    except DamagedFileError as error:
        assert str(path) in str(error)  # noqa: PT017 (either way is fine)
    else:
        assert problems
        assert all(problem.startswith("phantom/P") for problem in problems)


def test_a_build_that_was_refused_by_pixels_only(built: Built, copy: Path) -> None:
    """Where somebody changed an image and its hash alike, the digest of the row still tells."""

    def change(rows: list[dict[str, object]]) -> list[dict[str, object]]:
        return [rows[0] | {"image": rows[1]["image"], "sha256": rows[1]["sha256"]}, *rows[1:]]

    rewrite(train_file(copy), change)
    found = verify(copy, pixels=True).problems
    assert len(found) == 2
    assert "pixels: expected " in found[0]
    assert "row: expected digest " in found[1]


FUZZ = """
import json, random, sys
from pathlib import Path
from covid_datasets.load.verify import verify
from covid_datasets.errors import DamagedFileError
import pyarrow as pa
build = Path(sys.argv[1])
file = sorted((build / "validation").glob("*.arrow"))[0]
whole = file.read_bytes()
rows = pa.ipc.open_stream(whole).read_all().to_pylist()
pictures = [picture["bytes"] for row in rows for picture in (row["image"], *row["masks"].values()) if picture]
big = [(whole.index(data), len(data)) for data in pictures]
rest = [at for at in range(len(whole)) if not any(start <= at < start + size for start, size in big)]
chance, missed, caught = random.Random(7), [], 0
for at in chance.sample(rest, 80):
    data = bytearray(whole)
    data[at] ^= 1 << chance.randrange(8)
    file.write_bytes(data)
    try:
        caught += not verify(build).ok
    except DamagedFileError as error:
        assert str(file) in str(error)
        caught += 1
    else:
        if verify(build).ok and pa.ipc.open_stream(bytes(data)).read_all().to_pylist() != rows:
            missed.append(at)
print(json.dumps({"missed": missed, "caught": caught}))
"""


def test_any_flipped_bit_is_found_or_means_nothing(copy: Path) -> None:
    done = python(FUZZ, copy)  # in a process of its own, because a wrong offset might end it
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["missed"] == []
    assert found["caught"] > 10


def test_the_report_is_plain_data(built: Built) -> None:
    report = VerifyReport("phantom", built.path, 1, 2, False, 0.5, ("phantom/a: row: …",))
    assert not report.ok
    assert json.loads(json.dumps(report.to_json()))["problems"] == ["phantom/a: row: …"]
    assert np.isfinite(report.seconds)
