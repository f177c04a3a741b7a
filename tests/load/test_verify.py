"""Verification of a finished build: whole where nothing changed, and the name of whatever did."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from covid_datasets.errors import DamagedFileError, NotBuiltError
from covid_datasets.load.dataset import load_dataset
from covid_datasets.load.splits import audit, load_splits
from covid_datasets.load.verify import VerifyReport, verify
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.prepare.rows import row_digest
from tests.load.flips import said
from tests.processes import copy_of, python, table_of

ROOT = Path(__file__).resolve().parents[2]


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


def test_rows_are_looked_at_only_where_a_file_was_changed(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digested: list[str] = []
    monkeypatch.setattr("covid_datasets.load.verify.worker_pool", lambda *_: nullcontext(None))

    def counted(row: dict[str, Any]) -> str:
        digested.append(row["sample_id"])
        return row_digest(row)

    monkeypatch.setattr("covid_datasets.load.verify.row_digest", counted)
    assert verify(copy).ok
    assert verify(copy, pixels=True).ok
    assert digested == []
    file = train_file(copy)
    names = pa.ipc.open_stream(file.read_bytes()).read_all().column("sample_id").to_pylist()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert not verify(copy).ok
    assert digested == names


def test_pixels_of_files_that_were_not_changed_are_decoded(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build may be sealed and wrong: by a bug of a decoder, or memory that failed, when it was built."""
    decoded = 0

    def other(grey: object) -> str:
        nonlocal decoded
        decoded += 1
        return "0" * 32

    monkeypatch.setattr("covid_datasets.load.verify.pixel_hash", other)
    problems = verify(copy, pixels=True).problems
    assert decoded == len(problems) == 42
    assert all("pixels: expected " in problem for problem in problems)


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
from typing import Any
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


def test_of_three_hundred_flips_in_all_files_none_passes(copy: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.load.flips", copy, "300", "7"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


SEALED = ["dataset_dict.json", "train/state.json", "train/dataset_info.json", "index.arrow", "report.md", "qc.csv"]


@pytest.mark.parametrize("name", [*SEALED, "train/data", "manifest.json", "manifest.sha256"])
def test_a_lost_or_shortened_file_is_found_by_loading_already(built: Built, copy: Path, name: str) -> None:
    path = train_file(copy) if name.endswith("data") else copy / name
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(DamagedFileError, match=rf"(?s){copy}.*expected .*, found: .*Remove {copy} and build again"):
        Built.read(copy)
    assert said(lambda: verify(copy).ok) == "refused"
    path.unlink()
    with pytest.raises(DamagedFileError, match=f"{path.name}: expected the file as it was built, found: No such file"):
        Built.read(copy)
    with pytest.raises(DamagedFileError, match=path.name):
        verify(copy)


def test_label_names_that_were_exchanged_are_found_by_loading_already(copy: Path) -> None:
    info = copy / "train" / "dataset_info.json"
    text = info.read_text()
    assert text.count('"covid19"') == text.count('"no_finding"') == 1
    info.write_text(
        text.replace('"covid19"', '"-"').replace('"no_finding"', '"covid19"').replace('"-"', '"no_finding"')
    )
    with pytest.raises(DamagedFileError, match=f"{info}: expected SHA-256 "):
        Built.read(copy)
    assert [problem.split(":")[0] for problem in verify(copy).problems] == ["train/dataset_info.json"]


def test_an_edited_manifest_is_refused(built: Built, copy: Path) -> None:
    manifest = copy / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"incomplete": false', '"incomplete": true'))
    for read in (Built.read, verify, lambda folder: replace(built, path=folder).manifest()):
        with pytest.raises(DamagedFileError, match=f"{manifest}: expected the SHA-256 that manifest.sha256 names"):
            read(copy)


def test_exchanged_files_and_files_too_many_are_found(copy: Path) -> None:
    (copy / "train" / "more.arrow").write_bytes(b"")
    (copy / "train" / "cache-0f.arrow").write_bytes(b"what datasets keeps of a map")
    assert verify(copy).problems == ("train/more.arrow: expected no such file, found one that is not of this build",)
    (copy / "train" / "more.arrow").unlink()
    one, other = copy / "train" / "state.json", copy / "test" / "state.json"
    texts = one.read_bytes(), other.read_bytes()
    one.write_bytes(texts[1])
    other.write_bytes(texts[0])
    assert [problem.split(":")[0] for problem in verify(copy).problems] == ["test/state.json", "train/state.json"]


def test_every_file_is_sealed_and_the_seal_can_be_checked_by_hand(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    names = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert names == {*manifest["files"], "manifest.json", "manifest.sha256"}
    for name, wanted in manifest["files"].items():
        data = (copy / name).read_bytes()
        assert wanted == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    digest = hashlib.sha256((copy / "manifest.json").read_bytes()).hexdigest()
    assert (copy / "manifest.sha256").read_text() == f"{digest}  manifest.json\n"


def test_all_that_opens_a_build_refuses_a_damaged_one(tmp_path: Path) -> None:
    built = build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    file = train_file(built.path)
    file.write_bytes(file.read_bytes()[:-8])
    options: dict[str, Any] = {"config": "small", "cache_dir": tmp_path}
    calls: list[Callable[[], object]] = [
        lambda: find_build("phantom", **options),
        lambda: load_dataset("phantom", framework="numpy", **options),
        lambda: load_splits("phantom", **options),
        lambda: audit("phantom", **options),
        lambda: build_dataset("phantom", **options),
    ]
    for call in calls:
        with pytest.raises(DamagedFileError, match=f"{file}: expected .* bytes, found: .*build again"):
            call()
    (built.path / "manifest.json").unlink()  # what is left is no build, and gives way to one
    assert build_dataset("phantom", num_proc=1, **options) == replace(
        built, seconds=find_build("phantom", **options).seconds
    )
    assert verify(built.path).ok


def test_the_report_is_plain_data(built: Built) -> None:
    report = VerifyReport("phantom", built.path, 1, 2, False, 0.5, ("phantom/a: row: …",))
    assert not report.ok
    assert json.loads(json.dumps(report.to_json()))["problems"] == ["phantom/a: row: …"]
    assert np.isfinite(report.seconds)
