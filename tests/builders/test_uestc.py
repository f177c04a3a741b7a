"""UESTC-COVID-19: values between 0 and 1, masks of two kinds of people, names that repeat, headers that are wrong."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import build_dataset, check
from covid_datasets.errors import AccessRequired
from covid_datasets.load.rows import decode_array
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.nifti import read_header, read_volume
from covid_datasets.splits.index import Index
from tests.builders.test_builders import build, count
from tests.nifti import nifti
from tests.small import SmallSources
from tests.sources import pack
from tests.sources import uestc as source

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
NOISY, EXPERT = "part1/0002", "part2/0007"


@pytest.fixture
def tree(small: SmallSources, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small.tree("uestc"), tmp_path / "tree"))


def rows_of(built: Built) -> dict[str, dict[str, Any]]:
    return {row["sample_id"].removeprefix("uestc/"): row for row in open_table(built).to_pylist()}


def told_of(built: Built) -> dict[str, str]:
    return {f"{note['kind']}: {note['where']}": note["what"] for note in built.manifest()["notices"]}


def build_of(small: SmallSources, tree: Path, config: str) -> Built:
    with small.in_use():
        cache = tree.parent / "cache"
        return build_dataset("uestc", config, data_dir=tree, cache_dir=cache, num_proc=1, allow_missing=True)


def test_values_are_called_what_they_are(small: SmallSources) -> None:
    rows = rows_of(small.build("uestc"))
    for name, row in rows.items():
        assert row["value_range"].startswith("0 to 1: ")
        assert row["value_range"].endswith("no Hounsfield units")
        assert (row["hu_slope"], row["hu_intercept"]) == (None, None)
        assert row["flags"] == (["mask_by_non_experts"] if name.startswith("part1") else [])
        assert "near-constant" not in row["quality_reasons"], "0 to 1 is not blank"
    assert len({row["phash"] for row in rows.values()}) == 5


def test_slices_are_grey_of_one_scale(small: SmallSources) -> None:
    rows = rows_of(small.build("uestc", config="slices"))
    for name in (NOISY, EXPERT):
        pixels = np.stack([decode_array(rows[f"{name}/{at:03}"]["image"]["bytes"]) for at in range(source.DEPTH)])
        wanted = source.volume(*name.split("/"))[:, ::-1]
        assert pixels.dtype == np.uint16
        assert np.abs(pixels / 65535 - wanted).max() <= 0.5 / 65535 + 1e-9
    words = {row["value_range"] for row in rows.values()}
    assert words == {"grey levels of 16 bits, no Hounsfield units: stored value * 1.52590219e-05 + 0"}


def test_a_mask_has_the_place_of_its_volume(small: SmallSources) -> None:
    row = rows_of(small.build("uestc"))[NOISY]
    mask, image = row["volume_masks"]["infection"], row["volume"]
    ours, theirs = read_header(mask["bytes"], "m.nii"), read_header(image["bytes"], "a.nii.gz")
    assert ours.affine is not None
    assert theirs.affine is not None
    assert np.allclose(ours.affine, theirs.affine)
    assert np.array_equal(read_volume(mask["bytes"], "m.nii").voxels, source.lesions("part1", "0002"))


def test_a_header_of_a_mask_that_says_another_place_is_told_with_slices(small: SmallSources) -> None:
    built = small.build("uestc", config="slices")
    drawn = np.stack(
        [decode_array(rows_of(built)[f"{NOISY}/{at:03}"]["masks"]["infection"]["bytes"]) for at in range(source.DEPTH)]
    )
    assert np.array_equal(drawn, source.lesions("part1", "0002")[:, ::-1])
    told = told_of(built)
    what = told["mask in another place: part1/label/0002.nii.gz"]
    assert "mm apart" in what
    assert what.endswith("; its voxels are taken for those of the image")
    assert not any("part2" in where for where in told)


@pytest.mark.parametrize("config", ["volumes", "slices"])
def test_a_mask_of_another_shape_is_not_used(small: SmallSources, tree: Path, config: str) -> None:
    (tree / "part1/label/0002.nii.gz").write_bytes(nifti(source.lesions("part1", "0002")[1:], source.WRONG))
    built = build_of(small, tree, config)
    why = [what for where, what in told_of(built).items() if where.startswith("mask not usable: part1/label/0002")]
    assert len(why) == 1
    assert "expected the shape (10, 80, 80) of its image, found (9, 80, 80)" in why[0]
    mine = [row for name, row in rows_of(built).items() if name.startswith(NOISY)]
    assert all(row["masks"]["infection"] is row["volume_masks"]["infection"] is None for row in mine)
    assert len(mine) == (1 if config == "volumes" else source.DEPTH)


def test_a_volume_in_other_units_is_told(small: SmallSources, tree: Path) -> None:
    """Somebody gave Hounsfield units in place of a volume between 0 and 1."""
    (tree / "part2/image/0007.nii.gz").write_bytes(nifti(source.volume("part2", "0007") * 1500 - 1400))
    built = build_of(small, tree, "slices")
    told = told_of(built)["undecodable (poor): part2/image/0007.nii.gz"]
    assert told.startswith("10 of 10 slices hold no grey levels")
    assert "values beyond 0 to 1, from -1" in told
    assert built.incomplete


def test_volumes_of_one_name_stay_together(small: SmallSources) -> None:
    index = Index.read(small.build("uestc").path)
    groups = dict(zip(index.texts("sample_id"), index.group_ids, strict=True))
    assert groups["uestc/part1/0001"] == groups["uestc/part2/0001"]
    assert len(set(groups.values())) == 4


def test_the_export_of_google_drive_is_read_as_it_is(small: SmallSources, tmp_path: Path) -> None:
    exported = tmp_path / "given/UESTC-COVID-19-20201109T135232Z-001.zip"
    pack(small.tree("uestc"), exported, "UESTC-COVID-19/")
    with small.in_use():
        assert check("uestc", exported.parent).ok
        built = build_dataset(
            "uestc", data_dir=exported.parent, cache_dir=tmp_path / "cache", num_proc=1, allow_missing=True
        )
    assert built.fingerprint == small.build("uestc").fingerprint


def test_files_that_lack_each_other_are_told(tree: Path) -> None:
    (tree / "part1/label/0001.nii.gz").unlink()
    (tree / "part2/image/0007.nii.gz").unlink()
    (tree / "part1/image/0003.nii").write_bytes(b"unpacked")
    (tree / "part1/readme.txt").write_text("x")
    records, notices = build("uestc", RawTree.of_folder(tree, options={"slices": False}))
    assert sorted(records) == ["part1/0001", "part1/0002", "part1/0003", "part2/0001"]
    assert count(notices) == {"mask missing": 1, "mask without a volume": 1, "file twice": 1, "extra file": 1}
    assert records["part1/0001"].flags == (), "there is no mask of anybody"


def test_who_asks_for_it_sees_the_folders_and_no_name_of_a_file_that_nobody_gives(tmp_path: Path) -> None:
    with pytest.raises(AccessRequired) as error:
        build_dataset("uestc", cache_dir=tmp_path, offline=True)
    assert ".zip" not in str(error.value)
    drawn = str(error.value).partition("Your folder is then:\n")[2].partition("\n\n")[0]
    assert drawn.splitlines() == [
        "  FOLDER/",
        "    one archive of any name, untouched, or what is in it:",
        "      (part1|part2)/image/",
        "        *.(nii.gz|nii)   (needed: a volume)",
        "      (part1|part2)/label/",
        "        *.(nii.gz|nii)   (needed: a mask of its lesions)",
    ]
