"""Sources of volumes with masks, attacked in one way: what is wrong with a file is told, and nothing else is lost.

Each attack befalls one volume or one map of labels of a small tree; all that is not of it stays as it was.
"""

from __future__ import annotations

import gzip
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from covid_datasets import build_dataset
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.read.nifti import read_volume
from tests.nifti import nifti
from tests.small import SmallSources

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")


class Target(NamedTuple):
    """One volume of a source, one of its masks, and how their samples are called."""

    source: str
    config: str
    volume: str
    mask: str
    sample: str


TARGETS = [
    Target("medseg", "slices", "tr_im.nii.gz", "tr_mask.nii.gz", "tr"),
    Target("medseg", "volumes", "rp_im/2.nii.gz", "rp_msk/2.nii.gz", "rp-2"),
    Target(
        "covid19_ct_seg", "volumes", "images/coronacases_007.nii.gz", "lung/coronacases_007.nii.gz", "coronacases_007"
    ),
    Target(
        "covid19_ct_seg",
        "slices",
        "images/radiopaedia_4_85506_1.nii.gz",
        "infection/radiopaedia_4_85506_1.nii.gz",
        "radiopaedia_4_85506_1",
    ),
    Target("uestc", "volumes", "part2/image/0007.nii.gz", "part2/label/0007.nii.gz", "part2/0007"),
    Target("uestc", "slices", "part2/image/0007.nii.gz", "part2/label/0007.nii.gz", "part2/0007"),
]
every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda each: "-".join(each[:2]) + "-" + each.mask[:4])


def torn(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def four_axes(data: bytes) -> bytes:
    voxels = read_volume(data, "a.nii.gz").voxels
    plain = bytearray(gzip.decompress(nifti(np.concatenate([voxels, voxels]))))
    struct.pack_into("<8h", plain, 40, 4, *voxels.shape[::-1], 2, 1, 1, 1)
    return gzip.compress(bytes(plain))


def more_slices(data: bytes) -> bytes:
    """Promise more than there is."""
    plain = bytearray(gzip.decompress(data))
    struct.pack_into("<h", plain, 46, struct.unpack_from("<h", plain, 46)[0] + 3)
    return gzip.compress(bytes(plain))


WHOLLY: dict[str, tuple[Callable[[bytes], bytes], str]] = {  # damage -> what is told of it
    "torn": (torn, "expected a whole NIfTI volume|ends too early"),
    "four axes": (four_axes, "expected three axes of numbers"),
    "more slices": (more_slices, "the header promises"),
    "a page": (lambda _: b"<html>please log in</html>", "expected a whole NIfTI volume"),
    "nothing": (lambda _: b"", "0 bytes"),
}
every_harm = pytest.mark.parametrize("harm", WHOLLY)


@pytest.fixture
def tree(target: Target, small: SmallSources, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small.tree(target.source), tmp_path / "tree"))


def build(small: SmallSources, target: Target, tree: Path) -> Built:
    with small.in_use():
        cache = tree.parent / "cache"
        return build_dataset(
            target.source, target.config, data_dir=tree, cache_dir=cache, num_proc=1, allow_missing=True
        )


def rows_of(built: Built) -> dict[str, dict[str, Any]]:
    return {row["sample_id"].partition("/")[2]: row for row in open_table(built).to_pylist()}


def of(target: Target, rows: dict[str, dict[str, Any]], *, mine: bool) -> dict[str, dict[str, Any]]:
    whose = (target.sample, f"{target.sample}/")
    return {name: row for name, row in rows.items() if (name == whose[0] or name.startswith(whose[1])) == mine}


def told_of(built: Built, path: str) -> str:
    notices = built.manifest()["notices"]
    return "; ".join(note["what"] for note in notices if note["where"].startswith(path))


def same_shown(first: dict[str, dict[str, Any]], second: dict[str, dict[str, Any]]) -> bool:
    return {name: row["sha256"] for name, row in first.items()} == {name: row["sha256"] for name, row in second.items()}


def is_told(what: str, expected: str) -> bool:
    return any(each in what for each in expected.split("|"))


@every_target
@every_harm
def test_a_damaged_volume_is_lost_alone(target: Target, harm: str, tree: Path, small: SmallSources) -> None:
    damage, expected = WHOLLY[harm]
    (tree / target.volume).write_bytes(damage((tree / target.volume).read_bytes()))
    built = build(small, target, tree)
    rows, sound = rows_of(built), rows_of(small.build(target.source, config=target.config))
    assert of(target, rows, mine=True) == {}
    assert same_shown(of(target, rows, mine=False), of(target, sound, mine=False))
    assert is_told(told_of(built, target.volume), expected), built.manifest()["notices"]
    assert (built.incomplete, built.lost) == (True, 1)


@every_target
@every_harm
def test_a_damaged_mask_costs_nothing_but_what_it_shows(
    target: Target, harm: str, tree: Path, small: SmallSources
) -> None:
    damage, expected = WHOLLY[harm]
    (tree / target.mask).write_bytes(damage((tree / target.mask).read_bytes()))
    built = build(small, target, tree)
    rows, sound = rows_of(built), rows_of(small.build(target.source, config=target.config))
    assert same_shown(rows, sound), "no volume is lost"
    assert is_told(told_of(built, target.mask), expected), built.manifest()["notices"]
    column = "masks" if "slices" in target.config else "volume_masks"
    for name, row in of(target, rows, mine=True).items():
        gone = {mask for mask, found in sound[name][column].items() if found} - {
            mask for mask, found in row[column].items() if found
        }
        assert gone, f"{name}: it had masks of this file"
        left = {mask: row[column][mask]["bytes"] for mask in row[column] if row[column][mask]}
        assert left == {mask: sound[name][column][mask]["bytes"] for mask in left}
    assert built.lost == 0


@every_target
def test_values_that_are_no_numbers_are_told(target: Target, tree: Path, small: SmallSources) -> None:
    """A volume may hold some, as published; a slice that does is left out, and only that."""
    whole = read_volume((tree / target.volume).read_bytes(), "a.nii.gz")
    values = whole.voxels.astype(np.float32)
    values[3, 5, 5] = np.nan
    assert whole.header.affine is not None
    (tree / target.volume).write_bytes(nifti(values, whole.header.affine))
    built = build(small, target, tree)
    mine = of(target, rows_of(built), mine=True)
    if target.config == "volumes":
        assert "not all are numbers" in mine[target.sample]["quality_reasons"]
        return
    sound = of(target, rows_of(small.build(target.source, config=target.config)), mine=True)
    assert sound.keys() - mine.keys() == {f"{target.sample}/003"}
    assert "slice 3 has values that are no numbers" in told_of(built, target.volume)
    assert built.lost == 1


@every_target
def test_a_volume_of_nothing_but_no_numbers_is_no_picture(target: Target, tree: Path, small: SmallSources) -> None:
    whole = read_volume((tree / target.volume).read_bytes(), "a.nii.gz")
    assert whole.header.affine is not None
    (tree / target.volume).write_bytes(nifti(np.full(whole.stored.shape, np.nan, np.float32), whole.header.affine))
    built = build(small, target, tree)
    mine = of(target, rows_of(built), mine=True)
    if target.config == "volumes":
        assert mine[target.sample]["quality"] == "poor"
        assert {"near-constant", "not all are numbers"} <= set(mine[target.sample]["quality_reasons"])
    else:
        assert mine == {}
        assert "values that are no numbers" in told_of(built, target.volume)
