"""Several sources as one dataset: people and pictures stay on one side, whichever source they came from."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

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
