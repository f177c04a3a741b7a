"""v7_xray: pictures that are elsewhere, masks that say nothing or neither, and addresses with somebody's key."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from covid_datasets import build_dataset
from covid_datasets.errors import DamagedFileError
from covid_datasets.load.stored import open_table
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import File, Notice, Record
from tests.builders.test_builders import build
from tests.small import SmallSources
from tests.sources import v7_xray as source

FIRST = f"cohen/{source.FIRST}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source.write(tmp_path / "tree")
    return tmp_path / "tree"


def of(tree: Path, version: str = "covid-only") -> tuple[dict[str, Record], list[Notice]]:
    return build("v7_xray", RawTree.of_folder(tree, version=version))


def mask_of(tree: Path, record: Record) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(record.masks["lung"].read(RawTree.of_folder(tree)))))


def test_lung_is_one_and_what_is_to_be_ignored_is_neither(tree: Path) -> None:
    records, _ = of(tree)
    assert set(np.unique(mask_of(tree, records[FIRST]))) == {0, 1}
    ignored = mask_of(tree, records["cohen/kjr-21-e24-g002-l-a.jpg"])
    assert (ignored[70, 70], ignored[100, 70], ignored[0, 0]) == (255, 1, 0)


def test_a_mask_of_zeros_says_that_nobody_annotated(tree: Path) -> None:
    records, notices = of(tree)
    lateral = records[f"cohen/{source.IMAGES['1676193'][0]}"]
    assert lateral.masks == {}
    assert "lungs_not_outlined" in lateral.flags
    assert [(notice.where, notice.count) for notice in notices if notice.kind == "lungs not outlined"] == [
        ("annotations/", 1)
    ]


def test_a_mask_of_zeros_is_no_mask_where_lungs_were_outlined(tree: Path) -> None:
    path = tree / source.MASKS / "1676192.png"
    Image.new("L", Image.open(path).size).save(path)
    with pytest.raises(DamagedFileError, match="nobody annotated"):
        mask_of(tree, of(tree)[0][FIRST])


def test_what_is_known_of_a_picture_is_what_its_own_source_says(tree: Path) -> None:
    record = of(tree)[0][FIRST]
    assert (record.patient, record.label, record.age, record.view) == ("cohen-2", "covid19", 65.0, "PA")
    assert record.image == File(f"cohen/images/{source.FIRST}")
    assert record.source_row["darwin"] == "1676192"
    assert "PatientID:2" in record.source_row["tags"]


def test_no_key_of_an_address_is_kept(small: SmallSources) -> None:
    built = small.build("v7_xray")
    assert source.KEY in (small.tree("v7_xray") / "covid-only/1676192.json").read_text(encoding="utf-8")
    assert source.KEY not in json.dumps(open_table(built).drop_columns(["image", "masks"]).to_pylist(), default=str)
    assert not [path for path in built.path.rglob("*") if path.is_file() and source.KEY.encode() in path.read_bytes()]


def test_all_images_take_films_of_kermany_by_name(small: SmallSources, tmp_path: Path) -> None:
    source.write_unpacked(tmp_path / "tree", "all-images")
    records, _ = of(tmp_path / "tree", "all-images")
    assert len(records) == len(source.IMAGES | source.OTHERS)
    labels = {name: record.label for name, record in records.items() if name.startswith("kermany/")}
    assert labels == {
        "kermany/IM-0115-0001.jpeg": "no_finding",
        "kermany/IM-0115-0002.jpeg": "no_finding",
        "kermany/person1_bacteria_1.jpeg": "bacterial_pneumonia",
        "kermany/person1_virus_6.jpeg": "viral_pneumonia",
    }
    virus, bacteria = records["kermany/person1_virus_6.jpeg"], records["kermany/person1_bacteria_1.jpeg"]
    assert virus.patient is None
    assert virus.ties == bacteria.ties == ("name:person1",), "nobody says that they are two"
    assert records["cohen/ARDSSevere.png"].label == "ards"
    with small.in_use():
        small.tree("v7_xray")
        built = build_dataset(
            "v7_xray@all-images",
            data_dir=tmp_path / "tree",
            cache_dir=tmp_path / "cache",
            num_proc=1,
            allow_missing=True,
        )
    assert built.rows == len(records)


def test_an_export_that_cannot_be_read_is_told_and_lost(tree: Path) -> None:
    (tree / "covid-only/1676192.json").write_text("{", encoding="utf-8")
    records, notices = of(tree)
    assert FIRST not in records
    assert [(notice.where, notice.lost) for notice in notices if notice.kind == "export not usable"] == [
        ("covid-only/1676192.json", True)
    ]


def test_one_picture_in_two_exports_is_told(tree: Path) -> None:
    text = (tree / "covid-only/1676192.json").read_text(encoding="utf-8")
    (tree / "covid-only/1676999.json").write_text(text, encoding="utf-8")
    told = [notice for notice in of(tree)[1] if notice.kind == "picture listed twice"]
    assert [notice.where for notice in told] == ["covid-only/1676999.json"]
