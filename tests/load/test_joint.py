"""Several sources as one dataset: people and pictures stay on one side, whichever source they came from."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from covid_datasets import about_splits, audit, load_splits
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.published import read_sums
from covid_datasets.errors import UsageError
from covid_datasets.load.dataset import load_dataset
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.find import find_build
from covid_datasets.schema import COLUMNS
from covid_datasets.splits.audit import audit_links
from covid_datasets.splits.index import Index
from covid_datasets.splits.schemes import scheme_splits
from tests.small import SmallSources

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
PICTURE = "CT_NonCOVID/14.png"
"""A picture of covid_ct whose patient is published as something else than test."""
COPY = "images/5083A6B7-8983-472E-A427-570A3E03DDEE.jpeg"
"""A file of cohen whose patient is published as test, and to which the tests give that picture."""
FIRST, SECOND = "covid_ct/14.png", f"cohen/{COPY.split('/')[1]}"


@pytest.fixture
def cache(small: SmallSources, tmp_path: Path) -> Path:
    """Build both sources, of which one holds a smaller copy of a picture of the other, encoded anew."""
    tree = tmp_path / "cohen"
    shutil.copytree(small.tree("cohen"), tree)
    picture = Image.open(small.tree("covid_ct") / PICTURE)
    changed = io.BytesIO()
    picture.resize((picture.width * 3 // 4, picture.height * 3 // 4)).save(changed, "JPEG", quality=85)
    (tree / COPY).write_bytes(changed.getvalue())
    with pytest.MonkeyPatch.context() as patch:
        # The manifest of the small tree knows the picture that was there before.
        patch.setattr("covid_datasets.raw.tree.RawTree.identity", lambda raw, path: None)
        build_dataset("cohen", data_dir=tree, cache_dir=tmp_path / "cache", allow_missing=True, num_proc=1)
    covid_ct = small.tree("covid_ct")
    build_dataset("covid_ct", data_dir=covid_ct, cache_dir=tmp_path / "cache", allow_missing=True, num_proc=1)
    return tmp_path / "cache"


def splits_of(names: str | list[str], cache: Path, **options: Any) -> dict[str, str]:
    loaded = load_dataset(names, framework="numpy", cache_dir=cache, allow_missing=True, offline=True, **options)
    return {row["sample_id"]: split for split, rows in loaded.items() for row in rows}


def test_one_picture_in_two_sources_is_on_one_side(cache: Path) -> None:
    alone = splits_of("covid_ct", cache) | splits_of("cohen", cache)
    assert alone[SECOND] == "test"
    assert alone[FIRST] != "test", "expected a pair that only a joint split can keep together"
    joint = splits_of(["covid_ct", "cohen"], cache)
    assert joint.keys() == alone.keys(), "no row is lost"
    assert joint[FIRST] == joint[SECOND] == "test", "a published test set never loses a row"
    moved = {sample for sample in alone if joint[sample] != alone[sample]}
    assert FIRST in moved
    assert all(sample.startswith("covid_ct/") for sample in moved), "what was published as test stays, the other moves"


def test_the_order_of_the_names_changes_no_split(cache: Path) -> None:
    assert splits_of(["covid_ct", "cohen"], cache) == splits_of(["cohen", "covid_ct"], cache)


@pytest.mark.parametrize("scheme", ["patient", "fold-1-of-3", "fold-2-of-3"])
def test_the_joint_split_has_no_leak(cache: Path, scheme: str) -> None:
    builds = [find_build(name, cache_dir=cache) for name in ("covid_ct", "cohen")]
    index = Index(pa.concat_tables([Index.read(built.path).table for built in builds]))
    names = index.texts("sample_id")
    pairs = [(names[link.first], names[link.second]) for link in index.links if link.kind == "near-duplicate"]
    assert [pair for pair in pairs if pair[0].split("/")[0] != pair[1].split("/")[0]] == [(FIRST, SECOND)]
    splits = scheme_splits(index, ["covid_ct", "cohen"], scheme)
    report = audit_links("both", scheme, splits, names, index.strings("label"), index.links)
    assert not report.leaks, str(report)
    assert splits_of(["covid_ct", "cohen"], cache, scheme=scheme) == dict(zip(names, splits, strict=True))


def test_one_schema_in_hugging_face(cache: Path) -> None:
    datasets = pytest.importorskip("datasets")
    loaded = load_dataset(["covid_ct", "cohen"], cache_dir=cache, allow_missing=True)
    assert type(loaded) is datasets.DatasetDict
    for part in loaded.values():
        assert list(part.features) == [*COLUMNS, "group_id"]
    sources = [row["dataset"] for part in loaded.values() for row in part]
    assert (sources.count("covid_ct"), sources.count("cohen")) == (19, 13)
    test = load_dataset(["covid_ct", "cohen"], split="test", cache_dir=cache, allow_missing=True, modality="CT")
    assert {FIRST, SECOND} <= set(test["sample_id"])


def test_filters_and_ranges_go_across_sources(cache: Path) -> None:
    options: dict[str, Any] = {"framework": "numpy", "cache_dir": cache, "allow_missing": True}
    train = load_dataset(["covid_ct", "cohen"], split="train", label="covid19", **options)
    assert {row["dataset"] for row in train} == {"covid_ct", "cohen"}
    half = load_dataset(["covid_ct", "cohen"], split="train[50%:]", label="covid19", **options)
    assert [row["sample_id"] for row in half] == [row["sample_id"] for row in train][round(len(train) / 2) :]


# --- schemes over several sources ----------------------------------------------------------------------------------

BOTH = ["covid_ct", "cohen"]


@pytest.mark.filterwarnings("ignore:.*rows are in no split")
@pytest.mark.parametrize("scheme", ["patient", "fold-1-of-3", "patient(70/15/15, seed=2)", "leave-cohen-out"])
def test_what_is_told_of_a_list_is_what_is_loaded(cache: Path, scheme: str) -> None:
    table = load_splits(BOTH, scheme, cache_dir=cache)
    about = about_splits(table)
    rows = {row["sample_id"]: row for row in table.to_pylist()}
    loaded = splits_of(BOTH, cache, scheme=scheme)
    assert {sample: row["split"] for sample, row in rows.items() if row["split"]} == loaded
    assert all(row["sha256"] and row["pixel_hash"] for row in rows.values())
    assert rows[FIRST]["group"] == rows[SECOND]["group"] == min(FIRST, SECOND), "groups go across sources"
    turned = load_splits(BOTH[::-1], scheme, cache_dir=cache)
    assert about_splits(turned)["digest"] == about["digest"], "a digest is of who is where, in whatever order"
    assert {row["sample_id"]: row["group"] for row in turned.to_pylist()} == {
        sample: row["group"] for sample, row in rows.items()
    }
    assert [build["id"] for build in about["builds"]] == BOTH
    assert about["builds"][0]["published"]["sha256"] == read_sums(catalog_folder() / "splits")["covid_ct.csv"]
    report = audit(BOTH, scheme, level="quick", cache_dir=cache)
    assert not report.leaks
    assert list(report.notes) == about["notes"]


def test_a_fold_is_the_same_alone_and_in_a_list_but_for_who_is_in_both(cache: Path) -> None:
    joint = splits_of(BOTH, cache, scheme="fold-2-of-3")
    alone = splits_of("covid_ct", cache, scheme="fold-2-of-3") | splits_of("cohen", cache, scheme="fold-2-of-3")
    table = load_splits(BOTH, cache_dir=cache)
    (shared,) = {row["group"] for row in table.to_pylist() if row["sample_id"] == FIRST}
    both = {row["sample_id"] for row in table.to_pylist() if row["group"] == shared}
    assert {sample for sample in alone if joint[sample] != alone[sample]} <= both


def test_a_source_is_left_out_with_whom_it_shares(cache: Path) -> None:
    with pytest.warns(UserWarning, match=r"scheme 'leave-cohen-out': \d of 32 rows are in no split, because they show"):
        splits = splits_of(BOTH, cache, scheme="leave-cohen-out")
    assert FIRST not in splits, "it shows a picture of cohen, and is neither trained on nor tested on"
    assert {sample for sample, split in splits.items() if split == "test"} == {
        sample for sample in splits if sample.startswith("cohen/")
    }
    with pytest.raises(UsageError, match=r"leave-covid_ct-out, leave-cohen-out.*found hannover"):
        splits_of(BOTH, cache, scheme="leave-hannover-out")


def test_a_source_without_dates_has_no_time(cache: Path) -> None:
    with pytest.raises(UsageError, match="found none in the column date of covid_ct"):
        splits_of(BOTH, cache, scheme="temporal(2020-03-01)")
    rows = load_dataset("cohen", framework="numpy", cache_dir=cache, allow_missing=True, offline=True)
    days = {row["sample_id"]: row["date"] for part in rows.values() for row in part}
    cut = max(day for day in days.values() if day and len(day) == len("2020-03-01"))
    with pytest.warns(UserWarning, match="rows are in no split, because their date is not known well enough"):
        splits = splits_of("cohen", cache, scheme=f"temporal({cut})")
    assert set(splits.values()) == {"train", "test"}
    assert all((days[sample] >= cut) == (split == "test") for sample, split in splits.items())


def test_one_scheme_written_in_two_ways_is_kept_once(cache: Path) -> None:
    first = splits_of(BOTH, cache, scheme="patient(70/15/15, seed=2)")
    assert splits_of(BOTH, cache, scheme="patient(0.7/0.15/0.15,seed=2)") == first
    assert len(list((cache / "splits").iterdir())) == 1
