"""SARS-CoV-2 CT-scan: nobody knows the patients, the mode of a picture tells its class, and one number may be there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from covid_datasets import build_dataset, load_dataset
from tests.small import SmallSources
from tests.sources import chest

pytestmark = [
    pytest.mark.filterwarnings("ignore:.* is INCOMPLETE"),
    pytest.mark.filterwarnings("ignore:.*Nobody knows which rows show one person"),
]


def rows_of(small: SmallSources) -> dict[str, dict[str, Any]]:
    small.build("sarscov2_ctscan")
    with small.in_use():
        rows = load_dataset(
            "sarscov2_ctscan", split="all", framework="numpy", cache_dir=small.cache, allow_missing=True
        )
        return {row["sample_id"].rpartition("/")[2]: row for row in rows}


def test_no_patient_is_invented_and_twins_stay_together(small: SmallSources) -> None:
    rows = rows_of(small)
    assert {row["patient_id"] for row in rows.values()} == {None}
    assert {row["patient_known"] for row in rows.values()} == {False}
    assert rows["Covid (128).png"]["group_id"] == rows["Covid (129).png"]["group_id"]
    assert rows["Covid (2).png"]["group_id"] != rows["Covid (10).png"]["group_id"]


def test_the_column_says_the_mode_that_tells_the_class(small: SmallSources) -> None:
    modes = {(row["label_raw"], row["pixel_mode"]) for row in rows_of(small).values()}
    assert modes == {("COVID", "RGB"), ("COVID", "RGBA"), ("non-COVID", "RGBA")}


def test_the_number_that_the_public_copy_lacks_is_a_row_where_it_is_there(small: SmallSources, tmp_path: Path) -> None:
    tree = small.tree("sarscov2_ctscan")
    with_it = tmp_path / "tree"
    for path in tree.rglob("*.png"):
        (with_it / path.relative_to(tree)).parent.mkdir(parents=True, exist_ok=True)
        (with_it / path.relative_to(tree)).write_bytes(path.read_bytes())
    (with_it / "non-COVID/Non-Covid (151).png").write_bytes(chest(599, mode="RGBA"))
    with small.in_use():
        built = build_dataset(
            "sarscov2_ctscan", data_dir=with_it, cache_dir=tmp_path / "cache", num_proc=1, allow_missing=True
        )
    assert built.rows == small.build("sarscov2_ctscan").rows + 1
    told = {notice["where"] for notice in built.manifest()["notices"]}
    assert "non-COVID/Non-Covid (151).png" not in told
