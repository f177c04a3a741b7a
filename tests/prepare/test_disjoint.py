"""No group in two splits: attacked where a split is made, kept, stored and published."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets import load_dataset
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.published import SPLITS, SUMS, published_splits, read_sums
from covid_datasets.errors import CatalogError, LeakingSplitError
from covid_datasets.load import stored
from covid_datasets.prepare.disjoint import check_disjoint
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.find import find_build
from covid_datasets.splits.divide import Division
from covid_datasets.splits.index import INDEX_FILE, Index
from tests.small import SmallSources

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")

ROWS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["train", "test", None])), max_size=20)


@given(ROWS)
def test_a_split_is_refused_just_where_a_group_is_in_two_parts(rows: list[tuple[str, str | None]]) -> None:
    groups, splits = [group for group, _ in rows], [split for _, split in rows]
    parts = {group: {split for other, split in rows if other == group and split} for group in groups}
    torn = {group for group, found in parts.items() if len(found) > 1}
    samples = [f"s/{row}" for row in range(len(rows))]
    if not torn:
        check_disjoint("s", splits, groups, lambda: samples)
        return
    with pytest.raises(LeakingSplitError, match=f"found {len(torn)} that straddle") as raised:
        check_disjoint("s", splits, groups, lambda: samples)
    named = [group for group in torn if f"group {group} (" in str(raised.value)]
    assert len(named) == min(len(torn), 5)
    for group in named:
        for split in ("train", "test"):
            assert f"{samples[rows.index((group, split))]} in {split}" in str(raised.value)


# --- where a build is made -----------------------------------------------------------------------------------------


def by_row(groups: Sequence[int], *_: Any) -> list[str]:
    return [SPLITS[row % 3] for row in range(len(groups))]


def test_a_build_whose_split_tears_groups_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covid_datasets.prepare.finish.assign", by_row)
    with pytest.raises(LeakingSplitError, match="the split of phantom: expected each group .* this build is not publ"):
        build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    assert not list(tmp_path.rglob("manifest.json"))
    monkeypatch.undo()
    assert build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1).rows


def test_nor_is_one_whose_groups_forget_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The groups are planted to be one a row, and so agree with any split; the audit asks the evidence itself."""
    alone = property(lambda index: list(range(index.table.num_rows)))
    names = property(lambda index: [f"{sample}" for sample in index.texts("sample_id")])
    monkeypatch.setattr(Index, "groups", alone)
    monkeypatch.setattr(Index, "group_ids", names)
    monkeypatch.setattr("covid_datasets.prepare.finish.assign", by_row)
    with pytest.raises(LeakingSplitError, match="phantom: expected a split that keeps people apart, .*LEAKS"):
        build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    assert not list(tmp_path.rglob("manifest.json"))


# --- where it is loaded --------------------------------------------------------------------------------------------

NAMES = ["covid_ct", "cohen"]


@pytest.fixture
def cache(small: SmallSources, tmp_path: Path) -> Path:
    for name in NAMES:
        build_dataset(name, data_dir=small.tree(name), cache_dir=tmp_path, allow_missing=True, num_proc=1)
    return tmp_path


def load(cache: Path, names: Any = NAMES, scheme: str = "patient") -> Any:
    how: dict[str, Any] = {"framework": "numpy", "cache_dir": cache, "allow_missing": True, "offline": True}
    return load_dataset(names, scheme=scheme, **how)


def changed(values: list[str | None]) -> list[str | None]:
    return [SPLITS[row % 3] for row in range(len(values))]


@pytest.mark.parametrize(("names", "scheme"), [(NAMES, "patient"), (NAMES, "fold-1-of-3"), ("cohen", "fold-1-of-3")])
def test_a_division_that_tears_groups_is_not_loaded(
    cache: Path, monkeypatch: pytest.MonkeyPatch, names: Any, scheme: str
) -> None:
    monkeypatch.setattr(
        "covid_datasets.load.schemes.division_of", lambda builds, index, _: Division(by_row(index.groups))
    )
    with pytest.raises(LeakingSplitError, match=f"scheme '{scheme}' of .*cohen: .*group .* in train, .* in "):
        load(cache, names, scheme)
    monkeypatch.undo()
    assert not (cache / "splits").exists(), "nothing is kept of it"
    load(cache, names, scheme)


def test_a_kept_split_that_was_forged_with_its_digest_is_not_loaded(cache: Path) -> None:
    load(cache)
    (path,) = (cache / "splits").iterdir()
    heading, _, stream = path.read_bytes().partition(b"\n")[2].partition(b"\n")
    batch = pa.ipc.open_stream(stream).read_next_batch()
    forged = pa.array(changed(batch.column(0).to_pylist()), pa.string())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(pa.record_batch([forged, batch.column(1)], schema=batch.schema))
    content = heading + b"\n" + sink.getvalue().to_pybytes()
    path.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
    with pytest.raises(LeakingSplitError, match="scheme 'patient' of covid_ct, cohen: "):
        load(cache)


def test_a_stored_index_that_says_otherwise_than_the_splits_is_told(cache: Path) -> None:
    built = find_build("cohen", cache_dir=cache)
    path = built.path / INDEX_FILE
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    table = pa.table(dict(zip(table.column_names, table.columns, strict=True)))
    one = pa.array(["cohen/1"] * table.num_rows)
    table = table.set_column(table.schema.get_field_index("group_id"), "group_id", one)
    copy = Path(shutil.copytree(built.path, cache / "changed"))
    with pa.OSFile(str(copy / INDEX_FILE), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(LeakingSplitError, match=r"index\.arrow: .*group cohen/1 \(cohen/.* in train, cohen/.* in "):
        stored._stored_groups(copy)


# --- where it is published -----------------------------------------------------------------------------------------


def test_every_published_split_has_its_digest() -> None:
    folder = catalog_folder() / "splits"
    assert read_sums(folder).keys() == {path.relative_to(folder).as_posix() for path in folder.rglob("*.csv")}
    for name, digest in read_sums(folder).items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("damage", ["moved", "cut", "line ends"])
def test_a_published_split_that_was_changed_is_refused(tmp_path: Path, damage: str) -> None:
    folder = Path(shutil.copytree(catalog_folder() / "splits", tmp_path / "splits"))
    path = folder / "cohen.csv"
    whole = path.read_bytes()
    assert published_splits("cohen", folder) == published_splits("cohen")
    contents = {
        "moved": whole.replace(b",test\n", b",train\n", 1),
        "cut": whole[: whole.index(b"\n", 1000) + 1],
        "line ends": whole.replace(b"\n", b"\r\n"),
    }
    path.write_bytes(contents[damage])
    with pytest.raises(CatalogError, match=r"cohen\.csv: expected the published split, with sha256 .* was changed"):
        published_splits("cohen", folder)
    (folder / SUMS).unlink()
    assert published_splits("cohen", folder)


def test_a_patient_in_two_lines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("patient_id,split\n1,test\n2,train\n1,train\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"d\.csv line 4: expected each patient once, found '1' again"):
        published_splits("d", tmp_path)
