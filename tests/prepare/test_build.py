"""A build on disk: plain, complete, the same whoever makes it, and clear about what went wrong."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from covid_datasets.builders import phantom

from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import BuildError, InvalidRecordError, NotBuiltError, UsageError
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.plan import MIN_BATCH_BYTES
from covid_datasets.prepare.result import Built
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import COLUMNS, File, Made, Notice, RawReader, Record
from covid_datasets.splits.index import Index
from tests.processes import Serial, digest_of, files_below, leftovers, python, table_of

TINY_SHARDS = 100_000
SMALL = {"patients": 6, "seed": 0}

OPEN_PLAINLY = """
import json, sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "covid_datasets":
            raise ImportError("not installed here")
sys.meta_path.insert(0, Blocker())
import datasets
stored = datasets.load_from_disk(sys.argv[1])
train = stored["train"]
print(json.dumps({
    "splits": {name: len(part) for name, part in stored.items()},
    "image": type(train.features["image"]).__name__,
    "lung": type(train.features["masks"]["lung"]).__name__,
    "label": type(train.features["label"]).__name__,
    "names": train.features["label"].names,
    "labels": sorted({train.features["label"].int2str(label) for part in stored.values() for label in part["label"]}),
    "sizes": [list(row["image"].size) for row in train],
    "told": [[row["width"], row["height"]] for row in train.remove_columns(["image", "masks"])],
    "masks": [row["masks"]["lung"].size == row["image"].size for row in train],
    "columns": train.column_names,
}))
"""
BUILD = """
import sys
from covid_datasets import build_dataset
built = build_dataset("phantom", "small", cache_dir=sys.argv[1], num_proc=2, shard_bytes=int(sys.argv[2]))
print(built.fingerprint)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A finished build; tests only look at it."""
    return build_dataset("phantom", "small", cache_dir=tmp_path_factory.mktemp("built"), num_proc=1)


@pytest.fixture(scope="module")
def content(built: Built) -> str:
    return digest_of(built)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return [record for record in phantom.records(RawTree((), options=SMALL)) if isinstance(record, Record)]


def test_plain_datasets_opens_it_where_this_library_is_not_installed(built: Built) -> None:
    # -I: neither PYTHON* variables nor the current folder; the blocker stands for an uninstalled package.
    done = python(OPEN_PLAINLY, built.path, options=("-I",))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["splits"] == dict(built.splits)
    assert (found["image"], found["lung"], found["label"]) == ("Image", "Image", "ClassLabel")
    assert set(found["labels"]) == {"covid19", "no_finding", "bacterial_pneumonia"}
    assert set(found["labels"]) <= set(found["names"])
    assert found["sizes"] == found["told"]
    assert all(found["masks"])
    assert found["columns"] == list(COLUMNS)


def test_the_bytes_are_those_of_the_source(built: Built, records: list[Record]) -> None:
    raw = RawTree((), options=SMALL)
    stored = {row["sample_id"]: row for row in table_of(built).to_pylist()}
    assert len(stored) == len(records) == built.rows
    for record in records:
        row = stored[f"phantom/{record.sample_id}"]
        assert isinstance(record.image, File | Made)
        data = record.image.read(raw)
        assert row["image"] == {"bytes": data, "path": record.image.path}
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        for name, mask in record.masks.items():
            assert row["masks"][name] == {"bytes": mask.read(raw), "path": mask.path}


def test_a_finished_build_tells_everything_about_itself(built: Built) -> None:
    assert {path.name for path in built.path.iterdir()} == {
        "dataset_dict.json", "id_map.csv", "index.arrow", "manifest.json", "manifest.sha256", "qc.csv", "report.md",
        "train", "validation", "test",
    }  # fmt: skip
    manifest = built.manifest()
    assert manifest["build"]["fingerprint"] == built.fingerprint
    assert manifest["inputs"]["config"] == "small"
    assert built.rows == sum(built.splits.values()) == sum(built.labels.values()) == 42
    assert built.fingerprint in built.report()
    assert "no leak found" in built.report()
    index = Index.read(built.path)
    assert index.texts("sample_id") == table_of(built).column("sample_id").to_pylist()
    assert index.texts("sha256") == table_of(built).column("sha256").to_pylist()


def test_nothing_but_the_finished_folder_is_left(built: Built) -> None:
    cache = built.path.parents[4]
    assert leftovers(cache) == []


def test_a_second_build_returns_at_once_and_touches_nothing(built: Built) -> None:
    cache = built.path.parents[4]
    before = files_below(cache)
    assert build_dataset("phantom", "small", cache_dir=cache, executor=Refusing()) == built
    assert find_build("phantom", "small", cache_dir=cache) == built
    assert files_below(cache) == before


class Refusing(Executor):
    """Fails when it is asked for work."""

    def submit(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("expected no work, found some")


EXECUTORS: dict[str, Callable[[], Executor]] = {
    "threads": lambda: ThreadPoolExecutor(3),
    "processes": lambda: ProcessPoolExecutor(2),
    "serial": Serial,
}


@pytest.mark.parametrize("num_proc", [1, 2, 7])
@pytest.mark.parametrize("shard_bytes", [1, TINY_SHARDS, 1 << 40])
def test_number_of_workers_and_size_of_shards_change_nothing(
    built: Built, content: str, tmp_path: Path, num_proc: int, shard_bytes: int
) -> None:
    other = build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=num_proc, shard_bytes=shard_bytes)
    assert other.fingerprint == built.fingerprint
    assert digest_of(other) == content
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("kind", EXECUTORS)
def test_the_executor_changes_nothing(built: Built, content: str, tmp_path: Path, kind: str) -> None:
    with EXECUTORS[kind]() as executor:
        other = build_dataset("phantom", "small", cache_dir=tmp_path, executor=executor, shard_bytes=TINY_SHARDS)
    assert other.fingerprint == built.fingerprint
    assert digest_of(other) == content


def test_index_and_report_do_not_tell_how_the_build_was_made(built: Built, tmp_path: Path) -> None:
    other = build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=2, shard_bytes=1)
    assert Index.read(other.path).table.equals(Index.read(built.path).table)
    assert other.report() == built.report()
    cost = {"build": None, "files": None}
    assert other.manifest() | cost == built.manifest() | cost
    sheets = ["id_map.csv", "qc.csv"]
    same = [
        "dataset_dict.json",
        "index.arrow",
        "report.md",
        *sheets,
        *(f"{split}/dataset_info.json" for split in built.splits),
    ]
    one, two = (each.manifest()["files"] for each in (other, built))
    assert {name: one[name] for name in same} == {name: two[name] for name in same}, "only the shards differ"


@pytest.mark.parametrize(
    ("shard_bytes", "environment"),
    [
        (1, {"LC_ALL": "C", "PYTHONHASHSEED": "1", "PYTHONUTF8": "0", "TZ": "Pacific/Apia"}),
        (TINY_SHARDS, {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "4711", "TZ": "UTC"}),
    ],
)
def test_locale_hash_seed_time_zone_and_temporary_folder_change_nothing(
    built: Built, content: str, tmp_path: Path, shard_bytes: int, environment: dict[str, str]
) -> None:
    temporary = tmp_path / "temporary ä"
    temporary.mkdir()
    done = python(BUILD, tmp_path / "cache", str(shard_bytes), environment={**environment, "TMPDIR": str(temporary)})
    assert done.stdout.strip() == built.fingerprint, done.stderr
    assert digest_of(find_build("phantom", "small", cache_dir=tmp_path / "cache")) == content
    assert list(temporary.iterdir()) == []


def test_bytes_only_is_another_build_without_pixels(built: Built, tmp_path: Path) -> None:
    plain = build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1, verify="bytes")
    assert plain.fingerprint != built.fingerprint
    row = table_of(plain).to_pylist()[0]
    assert [row[name] for name in ("width", "pixel_hash", "phash", "quality")] == [None] * 4
    assert row["sha256"] == hashlib.sha256(row["image"]["bytes"]).hexdigest()


def test_the_build_finds_the_planted_duplicates_and_keeps_them_together(tmp_path: Path) -> None:
    built = build_dataset("phantom", cache_dir=tmp_path, num_proc=2, shard_bytes=1 << 20)
    rows = {row["sample_id"]: json.loads(row["source_row"]) for row in table_of(built).to_pylist()}
    planted = {name: row["planted"].split() for name, row in rows.items() if row["planted"]}
    assert sorted(words[0] for words in planted.values()) == ["exact", "near"]

    index = Index.read(built.path)
    place = {name: number for number, name in enumerate(index.texts("sample_id"))}
    linked = {(link.kind, *sorted((link.first, link.second))) for link in index.links}
    groups, splits = index.texts("group"), index.texts("split")
    for name, (kind, *_, original) in planted.items():
        one, other = sorted((place[name], place[f"phantom/{original}"]))
        kinds = {"exact": {"same bytes", "same pixels", "near-duplicate"}, "near": {"near-duplicate"}}[kind]
        assert {found for found, *pair in linked if pair == [one, other]} == kinds
        assert groups[one] == groups[other]
        assert splits[one] == splits[other]

    # Two of 24 patients were joined to two others, and nobody else was.
    assert len(set(groups)) == built.groups == 22
    audit = built.manifest()["audits"][0]
    assert (audit["scheme"], audit["leaks"]) == ("patient", False)


def test_rows_that_pixels_move_to_another_split_move_before_anything_is_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # P00004 and P00005 lent pictures of P00001 and P00002; the metadata alone would tear each pair apart.
    planned = {f"phantom/P0000{patient}": "test" if patient >= 4 else "train" for patient in range(6)}
    for module in ("plan", "finish"):
        monkeypatch.setattr(f"covid_datasets.prepare.{module}.published_splits", lambda dataset: planned)
    contents = set()
    for shard_bytes in (1, TINY_SHARDS, 1 << 40):
        cache = tmp_path / str(shard_bytes)
        built = build_dataset("phantom", "small", cache_dir=cache, num_proc=2, shard_bytes=shard_bytes)
        index = Index.read(built.path)
        people: dict[str, set[str]] = {}
        for patient, split in zip(index.texts("patient_id"), index.texts("split"), strict=True):
            people.setdefault(split, set()).add(patient.removeprefix("phantom/"))
        assert people == {"train": {"P00000", "P00003"}, "test": {"P00001", "P00002", "P00004", "P00005"}}
        stored = table_of(built).column("sample_id").to_pylist()
        train, test = stored[: built.splits["train"]], stored[built.splits["train"] :]
        assert (train, test) == (sorted(train), sorted(test))
        assert not built.manifest()["audits"][0]["leaks"]
        contents.add((built.fingerprint, digest_of(built)))
    assert len(contents) == 1


def end_the_worker(_: RawReader) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)  # as the system does where memory is short
    raise AssertionError("expected the end of this process")


def fail(_: RawReader) -> bytes:
    return b"%d" % (1 // 0)


def replaced(functions: dict[int, Callable[[RawReader], bytes]]) -> Callable[[RawTree], Iterator[Record | Notice]]:
    """Make the phantom's builder give the pictures at these places other functions."""
    real = phantom.records

    def records(raw: RawTree) -> Iterator[Record | Notice]:
        for number, record in enumerate(real(raw)):
            assert isinstance(record, Record)
            assert isinstance(record.image, File | Made)
            changed = number in functions
            yield replace(record, image=Made(record.image.path, functions[number])) if changed else record

    return records


def test_a_worker_that_dies_is_told_and_the_next_run_goes_on(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(phantom, "records", replaced({30: end_the_worker}))
        with pytest.raises(BuildError, match=r"worker process died.*num_proc=1.*run the same command again"):
            build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=2, shard_bytes=1)
    with pytest.raises(NotBuiltError):
        find_build("phantom", "small", cache_dir=tmp_path)
    finished = len(list(tmp_path.rglob("piece-*/index.arrow")))
    assert 0 < finished < 42

    executor = Serial()
    again = build_dataset("phantom", "small", cache_dir=tmp_path, executor=executor, shard_bytes=1)
    assert again.fingerprint == built.fingerprint
    assert executor.submitted == 42 - finished
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("num_proc", [1, 2])
def test_a_bug_in_a_builder_keeps_its_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_proc: int) -> None:
    monkeypatch.setattr(phantom, "records", replaced({5: fail}))
    with pytest.raises(ZeroDivisionError) as caught:
        build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=num_proc, shard_bytes=1)
    trace = "".join([*(str(entry) for entry in caught.traceback), str(caught.value.__cause__)])
    assert "in fail" in trace or "1 // 0" in trace


def test_a_record_that_the_schema_does_not_allow_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Record(sample_id="a", image=None, modality=None, patient=None, sex="x", age=-1.0)  # type: ignore[arg-type]
    monkeypatch.setattr(phantom, "records", lambda raw: iter([wrong]))
    with pytest.raises(InvalidRecordError, match=r"builder phantom, sample 'a': patient: .*; sex: .*; age: "):
        build_dataset("phantom", "small", cache_dir=tmp_path)


@pytest.mark.parametrize("wrong", [{"num_proc": 0}, {"verify": "some"}])
def test_wrong_arguments_are_told(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"expected .*, found "):
        build_dataset("phantom", "small", cache_dir=tmp_path, **wrong)


PEAK = """
import sys
from covid_datasets import build_dataset
# In one process: how two share the work depends on what else the machine does.
build_dataset("phantom", sys.argv[1], cache_dir=sys.argv[2], num_proc=1)
# Not getrusage: its peak begins with that of the process that started this one.
print(int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) / 1000)
print("pandas" in sys.modules)
"""


@pytest.mark.slow
def test_ten_times_the_source_takes_the_same_memory(tmp_path: Path) -> None:
    peaks = {}
    for config in ("default", "large"):
        done = python(PEAK, config, tmp_path / config)
        assert done.returncode == 0, done.stderr
        peak, pandas = done.stdout.split()
        assert pandas == "False"
        peaks[config] = float(peak)
    assert peaks["large"] < 350
    # A row stays in memory as its line of the index, which is smaller by far than the 50 kB of its picture and masks.
    rows = load_card("phantom").versions["1"].images
    assert rows is not None
    # Beside that, phantoms that look alike moved a few rows of the large one to another split, and their pieces were
    # written again: one is mapped meanwhile, and a batch of it is put together and copied.
    piece = max(path.stat().st_size for path in (tmp_path / "large").rglob("data-*.arrow"))
    again = piece + 2 * MIN_BATCH_BYTES
    assert (peaks["large"] - peaks["default"]) * 1e6 - again < 10_000 * 9 * rows, peaks


def test_an_empty_shard_is_a_file_with_the_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = phantom.records
    monkeypatch.setattr(phantom, "records", lambda raw: list(real(raw))[:7])  # one patient, so one split
    built = build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1, allow_missing=True)
    assert sorted(built.splits.values()) == [0, 0, 7]
    empty = next(split for split, rows in built.splits.items() if rows == 0)
    (file,) = (built.path / empty).glob("*.arrow")
    table = pa.ipc.open_stream(file.read_bytes()).read_all()
    assert (table.num_rows, table.schema.names) == (0, list(COLUMNS))
