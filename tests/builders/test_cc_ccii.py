"""CC-CCII: 90 zips, lists of what is wrong, scans out of order, lungs that are cut out, and slices with masks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import load_dataset
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.builders.test_builders import build
from tests.small import SmallSources
from tests.sources import cc_ccii as source
from tests.sources import chest, write_table

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source.write(tmp_path / "tree")
    shutil.rmtree(tmp_path / "tree/ct_lesion_seg")
    return tmp_path / "tree"


def of(tree: Path) -> tuple[dict[str, Record], list[Notice]]:
    return build("cc_ccii", RawTree.of_folder(tree))


def order(records: dict[str, Record], scan: str) -> list[int | None]:
    return [record.part_index for path, record in sorted(records.items()) if path.startswith(f"{scan}/")]


def test_scans_are_in_the_order_that_is_corrected(tree: Path) -> None:
    records, _ = of(tree)
    assert order(records, "NCP/16/1164") == [3, 2, 1, 0], "reverse"
    assert order(records, "CP/0/3131") == [2, None, 0, 1, None], "2-3+0"
    assert order(records, "Normal/2000/601") == [0, 1]


def test_one_sound_slice_of_a_scan_is_typical(tree: Path) -> None:
    records, _ = of(tree)
    typical = [path for path, record in records.items() if record.typical]
    assert len(typical) == len(source.SCANS)
    assert "CP/0/3131/0002.png" in typical, "0, 3 and 4 are repeated or foreign"


def test_lists_of_bad_slices_are_reasons_against_them(tree: Path) -> None:
    records, _ = of(tree)
    reasons = {path: record.quality_reasons for path, record in records.items()}
    assert reasons["CP/0/3131/0002.png"] == ()
    assert reasons["CP/0/3131/0000.png"] == ("repeated or foreign slice (Clean-CC-CCII)",)
    assert "no place in the corrected order (Clean-CC-CCII)" in reasons["CP/0/3131/0004.png"]
    assert reasons["CP/10/3153/0001.JPG"] == ("discarded scan (Clean-CC-CCII)",)
    assert reasons["NCP/328/1805/0000.BMP"] == ("erroneous scan (COVIDNet-CT)",)


def test_reasons_of_a_list_are_stored_with_those_that_are_measured(small: SmallSources) -> None:
    rows = loaded(small, "slices")
    assert "discarded scan (Clean-CC-CCII)" in rows["CP/10/3153/0001.JPG"]["quality_reasons"]
    assert rows["CP/10/3153/0001.JPG"]["quality"] == "questionable"


def test_reasons_of_a_list_are_stored_where_nothing_is_decoded(small: SmallSources, tmp_path: Path) -> None:
    with small.in_use():
        rows = load_dataset(
            "cc_ccii", split="all", framework="numpy", data_dir=small.tree("cc_ccii"), cache_dir=tmp_path,
            verify="bytes", allow_missing=True,
        )  # fmt: skip
        found = {row["sample_id"]: (row["quality"], row["quality_reasons"]) for row in rows}
    assert found["cc_ccii/CP/10/3153/0001.JPG"] == (None, ["discarded scan (Clean-CC-CCII)"])
    assert found["cc_ccii/NCP/16/1164/0000.png"] == (None, None)


def test_lungs_that_are_cut_out_are_flagged_and_unknown_ones_too(tree: Path) -> None:
    records, _ = of(tree)
    flags = {path: record.flags for path, record in records.items()}
    assert flags["Normal/1995/600/0000.png"] == ("excluded_by_covidnet_ct", "lung_masked")
    assert flags["NCP/16/1165/0000.jpg"] == ("lung_masked",)
    assert flags["CP/666/3200/0000.png"] == ("excluded_by_covidnet_ct",), "excluded, and yet not cut out"
    assert flags["Normal/2000/601/0000.png"] == ("masking_unknown",)


def test_a_patient_in_two_zips_is_one(tree: Path) -> None:
    records, _ = of(tree)
    assert {record.patient for path, record in records.items() if path.startswith("NCP/16/")} == {"16"}


def test_missing_slices_are_lost_and_counted(tree: Path) -> None:
    (tree / "NCP/16/1164/0001.png").unlink()
    shutil.rmtree(tree / "CP/0")
    (tree / "Normal/2000/601/0002.png").write_bytes(chest(3999))
    records, notices = of(tree)
    assert order(records, "NCP/16/1164") == [2, 1, 0]
    lost = {notice.where: notice.count for notice in notices if notice.lost}
    assert lost == {"NCP/16/1164": 1, "CP/0/3131": 5}
    assert "Normal/2000/601" in {notice.where for notice in notices}
    assert "such as NCP/16/1164/0001" in "".join(notice.what for notice in notices)


@pytest.mark.parametrize(("column", "text"), [("repeat_ids", "0:3"), ("re_order", "reversed"), ("re_order", "3-")])
def test_what_a_list_says_otherwise_than_known_is_told(tree: Path, column: str, text: str) -> None:
    header = ("cls", "pid", "scan_id", "is_seg", "is_repeat", "repeat_ids", "re_order")
    row = dict(zip(header, source.CLEANED[0], strict=True)) | {column: text}
    write_table(tree / "CT_cleaned_v2.csv", header, [tuple(row.values())])
    records, notices = of(tree)
    told = [notice.what for notice in notices if notice.where == "CT_cleaned_v2.csv: NCP/16/1164"]
    assert order(records, "NCP/16/1164") == ([3, 2, 1, 0] if column == "repeat_ids" else [0, 1, 2, 3])
    assert len(told) == 1, told
    assert repr(text) in told[0]


def test_slices_with_lesions_alone(small: SmallSources) -> None:
    assert sorted(loaded(small, "lesion_slices")) == sorted(source.LESIONS)


def test_masks_of_lesions(small: SmallSources) -> None:
    rows = loaded(small, "lesion_masks")
    masks = rows["ct_lesion_seg/image/0/12.jpg"]["masks"]
    area = {name: int(np.count_nonzero(mask)) for name, mask in masks.items() if mask is not None}
    assert area == {"lung": 6400, "infection": 130, "ground_glass": 100, "consolidation": 30}
    assert {row["patient_id"] for row in rows.values()} == {"cc_ccii/ct_lesion_seg/0", "cc_ccii/ct_lesion_seg/149"}


def loaded(small: SmallSources, config: str) -> dict[str, dict[str, Any]]:
    small.build("cc_ccii", config=config)
    with small.in_use():
        rows = load_dataset(
            "cc_ccii", config, split="all", framework="numpy", cache_dir=small.cache, allow_missing=True
        )
        return {row["sample_id"].removeprefix("cc_ccii/"): row for row in rows}
