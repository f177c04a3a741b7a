"""COVID-19-20: masks and volumes find each other, and its people are those of the collection that they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from covid_datasets.builders import covid_19_20 as builder

from covid_datasets import check, load_dataset
from covid_datasets.load.rows import decode_array
from covid_datasets.load.stored import open_table
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.small import SmallSources
from tests.sources import covid_19_20 as source

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
BOTH = ("covid_19_20", "ct_images_in_covid19")


def enumerated(folder: Path) -> tuple[dict[str, Record], list[tuple[str, str]]]:
    items = list(builder.records(RawTree.of_folder(folder, options={"slices": False})))
    records = {item.sample_id: item for item in items if isinstance(item, Record)}
    return records, [(item.kind, item.where) for item in items if isinstance(item, Notice)]


def test_what_is_not_a_pair_is_told(tmp_path: Path) -> None:
    source.write_unpacked(tmp_path)
    train = "COVID-19-20_v2/Train/volume-covid19-A"
    (tmp_path / f"{train}-0003_seg.nii.gz").unlink()
    (tmp_path / f"{train}-0011_ct.nii.gz").unlink()
    (tmp_path / f"{train}-0014.nii.gz").write_bytes(b"x")
    records, told = enumerated(tmp_path)
    assert told == [
        ("extra file", f"{train}-0014.nii.gz"),
        ("mask missing", f"{train}-0003_ct.nii.gz"),
        ("missing file", f"{train}-0011_ct.nii.gz"),
    ]
    assert not records["Train/0003"].volume_masks
    assert "Train/0011" not in records


def test_lesions_lie_on_the_slices_of_the_training_alone(small: SmallSources) -> None:
    rows = open_table(small.build("covid_19_20", config="slices")).to_pylist()
    drawn = {row["sample_id"]: row["masks"]["infection"] for row in rows}
    shown = decode_array(drawn["covid_19_20/Train/0014/004"]["bytes"])
    assert np.array_equal(shown, source.lesions("0014")[4, ::-1])
    assert not decode_array(drawn["covid_19_20/Train/0014/000"]["bytes"]).any()
    assert {name.split("/")[1] for name, mask in drawn.items() if mask} == {"Train"}


def test_nobody_is_in_two_splits_together_with_the_collection_or_apart(small: SmallSources) -> None:
    pytest.importorskip("datasets")
    for name in BOTH:
        small.build(name)
    apart = [load_dataset(name, cache_dir=small.cache, allow_missing=True) for name in BOTH]
    joined = load_dataset(list(BOTH), cache_dir=small.cache, allow_missing=True)
    places: dict[str, set[str]] = {}
    for loaded in (*apart, joined):
        for split, rows in loaded.items():
            for patient in rows["patient_id"]:
                places.setdefault(patient.partition("/")[2], set()).add(split)
    assert {"0003", "0014", "0028", "0171", "0288", "0700"} <= set(places)
    assert {person: splits for person, splits in places.items() if len(splits) > 1} == {}


def test_the_folder_alone_gives_the_same_samples(tmp_path: Path) -> None:
    source.write_unpacked(tmp_path)
    whole, _ = enumerated(tmp_path)
    alone, told = enumerated(tmp_path / "COVID-19-20_v2")
    assert told == []
    assert list(alone) == [name for name in whole if not name.startswith("COVID-19-20_TestSet")]
    checked = check("covid_19_20", tmp_path / "COVID-19-20_v2")
    assert (checked.ok, checked.extra) == (True, ())
