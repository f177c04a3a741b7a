"""MIDRC-RICORD-1A: any layout gives the same slices, readers' outlines become masks, and what is missing is told."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("pydicom")

import numpy as np
from covid_datasets.builders.midrc_ricord_1a import _ANNOTATIONS, _LISTING

from covid_datasets import build_dataset, load_dataset
from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.listing import COLUMNS, read_listing
from covid_datasets.contribute import listing
from covid_datasets.contribute.listing import fingerprint
from covid_datasets.errors import DamagedFileError, IncompleteSourceError, NotThereError, OfflineError
from covid_datasets.prepare.result import Built
from tests.buckets import read_folders, write_nbia
from tests.small import SmallSources
from tests.sources import pack
from tests.sources.midrc_ricord_1a import GROUPS, series, write_archives

NAME = "midrc_ricord_1a"
FINGERPRINT = "35034ba208b211f71a59d81f7b2b6a82259ccac1aefefd192913df7e8a14ecc5"
Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def built(alone: SmallSources) -> Built:
    return alone.build(NAME)


def rows(alone: SmallSources, config: str | None = None, cache: Path | None = None) -> Rows:
    loaded = load_dataset(NAME, config, "all", framework="numpy", cache_dir=cache or alone.cache, offline=True)
    return {row["sample_id"]: row for row in loaded}


def told(built: Built) -> list[tuple[str, str]]:
    return [(notice["kind"], notice["where"]) for notice in built.manifest()["notices"]]


def annotated() -> str:
    """Name the series that the annotations of the small tree are of."""
    return next(read_listing(_LISTING)[folder].series for folder, kind in series().items() if kind == "axial SITE2")


# --- the real listing ----------------------------------------------------------------------------------------------


def test_the_listing_is_the_published_one() -> None:
    found = read_listing(_LISTING)
    assert fingerprint(found) == FINGERPRINT
    assert (len(found), sum(one.files for one in found.values())) == (229, 31_856)
    assert round(sum(one.bytes for one in found.values()) / 1e6) == 11_675
    assert len({one.patient for one in found.values()}) == load_card(NAME).version()[1].patients == 110
    assert {one.row["aws_bucket"] for one in found.values()} == {"idc-open-data-cr"}


def test_people_of_release_1c_are_tied() -> None:
    """All releases number people alike, which their cards say: one id is one person in each of them."""
    assert {load_card(f"midrc_ricord_1{release}").patients.ids for release in "abc"} == {"midrc-ricord"}
    here, there = (
        {one.patient.removeprefix(f"MIDRC-RICORD-1{release}-"): one for one in read_listing(listing).values()}
        for release, listing in (("A", _LISTING), ("C", "midrc_ricord_1c.tsv"))
    )
    people = here.keys() & there.keys()
    assert len(people) == 64
    for person in people:  # what says that they are the same people, and not only the same numbers
        assert here[person].row["PatientSex"] == there[person].row["PatientSex"]
        ages = {here[person].row["PatientAge"], there[person].row["PatientAge"]} - {""}
        assert len(ages) <= 1, person


def test_an_extract_is_made_from_the_index(tmp_path: Path) -> None:
    names = [*COLUMNS, "collection_id", "series_aws_url"]
    plain: dict[str, Any] = dict.fromkeys(names, "x") | {"instanceCount": 7, "series_size_MB": 1.25, "PatientAge": None}
    uuids = [f"{n}0000000-0000-4000-8000-000000000000" for n in (2, 1, 3)]
    table = [plain | {"crdc_series_uuid": uuid, "collection_id": "mine", "PatientID": f"P{uuid[0]}"} for uuid in uuids]
    table[2]["collection_id"] = "other"
    table[0]["SeriesDescription"] = "two\tcells\nand lines"
    pq.write_table(pa.Table.from_pylist(table), tmp_path / "index.parquet")
    assert listing.main(["mine", str(tmp_path / "out.tsv"), "--index", str(tmp_path / "index.parquet")]) == 0
    found = read_listing("out.tsv", tmp_path)
    assert list(found) == [uuids[1], uuids[0]]
    assert (found[uuids[0]].files, found[uuids[0]].bytes) == (7, 1_250_000)
    assert found[uuids[0]].row["SeriesDescription"] == "two cells and lines"
    assert found[uuids[0]].row["PatientAge"] == ""
    with pytest.raises(NotThereError, match="absent: expected series of this collection"):
        listing.extract("absent", tmp_path / "index.parquet")


# --- slices and masks ----------------------------------------------------------------------------------------------


def test_slices_of_a_series_are_in_order(alone: SmallSources, built: Built) -> None:
    found = rows(alone)
    one = [row for row in found.values() if row["series_id"] == f"{NAME}/{annotated()}"]
    one.sort(key=lambda row: row["sample_id"])
    assert [row["position"][2] for row in one] == [-12.0, -9.0, -6.0, -3.0, 0.0]
    assert [row["part_index"] for row in one] == [0, 1, 2, 3, 4]
    assert {row["image"].dtype for row in one} == {np.dtype(np.int16)}
    assert {tuple(row["spacing"]) for row in one} == {(0.7, 0.7, 3.0)}
    assert {row["view"] for row in found.values()} == {"axial", "coronal"}
    assert {row["patient_known"] for row in found.values()} == {True}
    assert built.labels == {"covid19": built.rows}


def test_outlines_of_all_readers_are_one_mask(alone: SmallSources, built: Built) -> None:
    found = {row["part_index"]: row for row in rows(alone).values() if row["series_id"] == f"{NAME}/{annotated()}"}
    masks = {index: row["masks"]["infection"] for index, row in found.items()}
    assert [index for index, mask in masks.items() if mask is not None] == [1, 3]
    assert int(masks[3].sum()) == 121 + 66, "one outline of each team"
    assert masks[3][15, 12] == masks[3][31, 35] == 1
    assert masks[1][51, 63] == 1, "an outline that leaves the image is cut at its edge"
    row = found[0]
    assert row["label_raw"] == f"{GROUPS[1]}: Typical; {GROUPS[0]}: Typical"
    assert json.loads(row["source_row"])["image_annotations"] == {
        "Green Group 2: Infectious opacity": 2,
        "Purple Group 1: Atelectasis": 1,
        "Purple Group 1: Infectious opacity": 2,
    }
    kinds = [kind for kind, _ in told(built)]
    assert kinds.count("annotation without data") == kinds.count("outline does not fit") == 1


def test_only_what_was_annotated(alone: SmallSources, tmp_path: Path) -> None:
    built = build_dataset(NAME, "annotated", data_dir=alone.tree(NAME), cache_dir=tmp_path, num_proc=1)
    assert {row["series_id"] for row in rows(alone, "annotated", tmp_path).values()} == {f"{NAME}/{annotated()}"}
    assert built.rows == 5


def test_without_annotations_there_are_slices_without_masks(alone: SmallSources, tmp_path: Path) -> None:
    tree = shutil.copytree(alone.tree(NAME), tmp_path / "tree")
    (tree / _ANNOTATIONS).unlink()
    built = build_dataset(NAME, data_dir=tree, cache_dir=tmp_path, num_proc=1)
    assert built.rows == 35
    assert ("component not present", "annotations") in told(built)
    found = rows(alone, cache=tmp_path)
    assert all(row["masks"]["infection"] is None and row["label_raw"] is None for row in found.values())
    with pytest.raises(NotThereError, match="the config 'annotated' is the series that it names"):
        build_dataset(NAME, "annotated", data_dir=tree, cache_dir=tmp_path, num_proc=1)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"labelGroups": 3, "datasets": []}', '{"labelGroups": [{"labels": 1}], "datasets": []}']
)
def test_a_damaged_export_is_refused(alone: SmallSources, tmp_path: Path, text: str) -> None:
    tree = shutil.copytree(alone.tree(NAME), tmp_path / "tree")
    (tree / _ANNOTATIONS).write_text(text)
    with pytest.raises(DamagedFileError, match=_ANNOTATIONS):
        build_dataset(NAME, data_dir=tree, cache_dir=tmp_path, num_proc=1)


def test_annotations_of_series_that_nobody_lists_are_told(alone: SmallSources, tmp_path: Path) -> None:
    tree = shutil.copytree(alone.tree(NAME), tmp_path / "tree")
    export = json.loads((tree / _ANNOTATIONS).read_text())
    drawn = export["datasets"][0]["annotations"]
    drawn[0]["SeriesInstanceUID"] = "1.2.3"
    drawn[1]["labelId"] = "L_unknown"
    (tree / _ANNOTATIONS).write_text(json.dumps(export))
    found = told(build_dataset(NAME, data_dir=tree, cache_dir=tmp_path, num_proc=1))
    assert ("annotations of an unknown series", _ANNOTATIONS) in found
    assert ("annotation without a label", f"{_ANNOTATIONS}#A_2") in found


# --- layouts -------------------------------------------------------------------------------------------------------


def nbia(alone: SmallSources, folder: Path) -> Path:
    """Lay the series out as the NBIA Data Retriever does, with the annotations and what else it brings."""
    listing = read_listing(_LISTING)
    write_nbia(folder, dict(read_folders(alone.tree(NAME), listing)), listing, "MIDRC-RICORD-1A")
    (top,) = folder.iterdir()
    (top / "LICENSE").write_text("CC BY-NC")
    shutil.copyfile(alone.tree(NAME) / _ANNOTATIONS, top / _ANNOTATIONS)
    return folder


@pytest.mark.parametrize("zipped", [False, True])
def test_the_layout_of_nbia_gives_the_same(alone: SmallSources, built: Built, tmp_path: Path, zipped: bool) -> None:
    folder = nbia(alone, tmp_path / "nbia")
    if zipped:
        pack(folder, tmp_path / "zipped" / "download.zip", "")
        folder = tmp_path / "zipped"
    other = build_dataset(NAME, data_dir=folder, cache_dir=tmp_path / "cache", num_proc=1)
    assert other.fingerprint == built.fingerprint
    assert [where.rpartition("/")[2] for kind, where in told(other) if kind == "extra file"] in (["LICENSE"], [])


def test_a_mirror_that_is_a_folder_is_used_in_place(alone: SmallSources, tmp_path: Path) -> None:
    built = build_dataset(NAME, mirror=str(alone.tree(NAME, "served")), cache_dir=tmp_path, num_proc=1, offline=True)
    assert built.rows == 35
    assert not (tmp_path / "downloads").exists()
    assert "number of files and bytes of each series as listed" in built.report()


def test_a_folder_of_something_else_fetches_nothing(alone: SmallSources, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "holiday.jpg").write_bytes(b"\xff\xd8")
    with pytest.raises(IncompleteSourceError, match=r"\{series\}/\*.dcm"):
        build_dataset(NAME, data_dir=tmp_path / "other", cache_dir=tmp_path, num_proc=1)


def test_annotations_alone_ask_for_the_images(alone: SmallSources, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    shutil.copyfile(alone.tree(NAME) / _ANNOTATIONS, tmp_path / "mine" / _ANNOTATIONS)
    with pytest.raises(OfflineError):
        build_dataset(NAME, data_dir=tmp_path / "mine", cache_dir=tmp_path, num_proc=1, offline=True)
    write_archives(tmp_path / "mirror")
    built = build_dataset(
        NAME, data_dir=tmp_path / "mine", cache_dir=tmp_path, num_proc=1, mirror=str(tmp_path / "mirror")
    )
    assert built.fingerprint == alone.build(NAME).fingerprint


def test_what_is_missing_is_named(alone: SmallSources, tmp_path: Path) -> None:
    tree = shutil.copytree(alone.tree(NAME), tmp_path / "tree")
    absent, short = [name for name, kind in series().items() if kind.startswith("axial")][:2]
    shutil.rmtree(tree / absent)
    next((tree / short).glob("*.dcm")).unlink()
    with pytest.raises(IncompleteSourceError) as raised:
        build_dataset(NAME, data_dir=tree, cache_dir=tmp_path, num_proc=1)
    assert absent in str(raised.value)
    assert re.search(rf"{short} \(series [\d.]+\): expected 5 files, found 4", str(raised.value))
    built = build_dataset(NAME, data_dir=tree, cache_dir=tmp_path, num_proc=1, allow_missing=True)
    assert built.incomplete
    assert {where for kind, where in told(built) if kind == "missing file"} == {absent, short}
