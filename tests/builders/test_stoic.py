"""STOIC2021: slices in place whichever way they are stored, volumes as NIfTI, and what damaged or lying files do."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from covid_datasets.builders import stoic as builder

from covid_datasets import build_dataset, load_dataset
from covid_datasets.catalog.cards import load_card
from covid_datasets.load.rows import decode_array
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.metaimage import mha
from tests.nifti import USUAL
from tests.small import SmallSources
from tests.sources import stoic as source
from tests.sources import write_table

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
HEADER = ("PatientID", "probCOVID", "probSevere")


def rows_of(built: Built) -> dict[str, dict[str, Any]]:
    return {row["sample_id"].removeprefix("stoic/"): row for row in open_table(built).to_pylist()}


def enumerated(folder: Path) -> tuple[dict[str, Record], list[Notice]]:
    items = list(builder.records(RawTree.of_folder(folder, options={"slices": False})))
    records = {item.sample_id: item for item in items if isinstance(item, Record)}
    return records, [item for item in items if isinstance(item, Notice)]


def test_what_header_and_table_say(small: SmallSources) -> None:
    rows = rows_of(small.build("stoic"))
    assert (rows["6"]["age"], rows["6"]["sex"], rows["6"]["severity"]) == (65.0, "M", "not severe")
    assert (rows["8"]["age"], rows["8"]["sex"], rows["8"]["severity"]) == (85.0, None, "severe")
    assert (rows["10"]["age"], rows["10"]["sex"], rows["10"]["severity"]) == (None, "M", None)
    assert (rows["7"]["clinical"]["rt_pcr_positive"], rows["7"]["severity"]) == (False, None)
    assert {row["value_range"] for row in rows.values()} != {None}


def test_volumes_are_the_same_numbers_as_the_files(small: SmallSources) -> None:
    pytest.importorskip("datasets")
    small.build("stoic")
    for row in load_dataset("stoic", split="all", cache_dir=small.cache, allow_missing=True):
        patient = row["sample_id"].removeprefix("stoic/")
        stored = np.asarray(row["volume"].dataobj).T
        assert np.array_equal(stored[::-1] if patient == "8" else stored, source.volume(patient))
        assert row["volume"].affine[2, 2] == pytest.approx(-8.0 if patient == "8" else 8.0)


def test_slices_go_from_the_feet_up_however_they_are_stored(small: SmallSources) -> None:
    rows = rows_of(small.build("stoic", config="slices"))
    for patient in ("6", "8", "9"):
        heights = [rows[f"{patient}/{number:03}"]["position"][2] for number in range(12)]
        assert np.diff(heights) == pytest.approx(8.0)
        for number in (0, 5, 11):
            shown = decode_array(rows[f"{patient}/{number:03}"]["image"]["bytes"])
            assert np.array_equal(shown, source.volume(patient)[number, ::-1])
    assert rows["8/003"]["age"] == 85.0


def lying(**said: Any) -> Callable[[bytes], bytes]:
    return lambda data: mha(source.volume("6"), **said)


ATTACKS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda data: data[: len(data) // 2], "promises|zlib stream"),
    "nothing": (lambda data: b"", "0 bytes"),
    "more behind": (lambda data: data + b"x", "promises"),
    "size of what is compressed": (lying(CompressedDataSize=17), "promises 17"),
    "twice as deep": (lying(DimSize="96 96 24"), "12|zlib|bytes"),
    "a terabyte": (lying(DimSize="99999 99999 99"), "bytes of voxels"),
    "other type": (lying(ElementType="MET_INT"), "bytes"),
    "no type": (lying(ElementType="MET_NONE"), "expected one of MET_CHAR"),
    "voxels elsewhere": (lambda data: mha(source.volume("6"), data_file="../../etc/passwd"), "beside it"),
    "not a header": (lambda data: b"\x89PNG" + data, "expected"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_damaged_or_lying_volume_is_dropped_and_told(attack: str, small: SmallSources, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(small.tree("stoic"), tmp_path / "tree"))
    change, told = ATTACKS[attack]
    path = tree / "data/mha/6.mha"
    path.write_bytes(change(path.read_bytes()))
    for config in ("volumes", "slices"):
        with small.in_use():
            built = build_dataset(
                "stoic", config, data_dir=tree, cache_dir=tmp_path / config, num_proc=1, allow_missing=True
            )
        assert {sample.partition("/")[0] for sample in rows_of(built)} == {"7", "8", "9", "10"}
        found = [note["what"] for note in built.manifest()["notices"] if "6.mha" in note["where"] and note["dropped"]]
        assert any(part in what for what in found for part in told.split("|")), found


def test_other_byte_order_and_a_flipped_direction_are_no_damage(small: SmallSources, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(small.tree("stoic"), tmp_path / "tree"))
    flipped = USUAL @ np.diag([-1.0, -1.0, 1.0, 1.0])
    (tree / "data/mha/6.mha").write_bytes(mha(source.volume("6").astype(">i2")))
    turned = np.ascontiguousarray(source.volume("7")[:, ::-1, ::-1])
    moved = flipped.copy()
    moved[:3, 3] = USUAL[:3, 3]
    (tree / "data/mha/7.mha").write_bytes(mha(turned, moved))
    with small.in_use():
        built = build_dataset(
            "stoic", "slices", data_dir=tree, cache_dir=tmp_path / "c", num_proc=1, allow_missing=True
        )
    rows = rows_of(built)
    for patient in ("6", "7"):
        shown = decode_array(rows[f"{patient}/004"]["image"]["bytes"])
        assert np.array_equal(shown, source.volume(patient)[4, ::-1])


def test_a_table_that_contradicts_itself(tmp_path: Path) -> None:
    lines = [("6", "1", "0"), ("7", "0", "1"), ("8", "2", ""), ("6", "0", "0"), ("", "1", "0")]
    write_table(tmp_path / "metadata" / "reference.csv", HEADER, lines)
    (tmp_path / "data" / "mha").mkdir(parents=True)
    (tmp_path / "data/mha/7.mha").write_bytes(mha(source.volume("7"), PatientAge="7X", PatientSex="male"))
    (tmp_path / "data/mha/999.mha").write_bytes(mha(source.volume("9")))
    records, notices = enumerated(tmp_path)
    assert {name: (record.label, record.severity) for name, record in records.items()} == {
        "6": ("covid19", "not severe"),
        "7": ("not_covid19", None),
        "8": (None, None),
    }
    assert records["7"].flags == ("severe_without_positive_test",)
    assert (records["7"].age, records["7"].sex) == (None, None)
    assert Counter(notice.kind for notice in notices) >= Counter(
        {"row listed twice": 1, "broken row": 1, "severe without a positive test": 1, "file not in the table": 1}
    )


def test_every_volume_of_the_bucket_is_a_download() -> None:
    found = [each.path for each in load_card("stoic").choice().resources]
    assert len(found) == 2001
    assert {"data/mha/6.mha", "data/mha/10729.mha", "metadata/reference.csv"} <= set(found)
