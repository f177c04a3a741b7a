"""The Radiography Database: names in two cases, blanks and brackets, masks of another size, a doubled folder."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from covid_datasets import build_dataset
from covid_datasets.load.stored import open_table
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.builders.test_builders import build, count
from tests.small import SmallSources
from tests.sources import chest, write_table
from tests.sources import covid19_radiography as source


def of(tree: Path, version: str = "5") -> tuple[dict[str, Record], list[Notice]]:
    return build("covid19_radiography", RawTree.of_folder(tree, version=version))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source.write(tmp_path / "tree")
    return tmp_path / "tree"


def test_rows_are_joined_whatever_the_case(tree: Path) -> None:
    records, notices = of(tree)
    assert notices == []
    assert records["Normal-3.png"].source_url == source.KERMANY
    assert records["Normal-3.png"].source_row["FILE NAME"] == "NORMAL-3"
    assert {(record.patient, record.ties) for record in records.values()} == {(None, ())}, (
        "all are one group by the card"
    )


def test_the_first_release_has_other_folders_and_blanks_in_names(tmp_path: Path) -> None:
    for name in ("COVID-19/COVID-19 (1).png", "COVID-19/COVID-19 (12).png", "NORMAL/NORMAL (1).png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(chest(len(name), modality="CXR"))
    write_table(tmp_path / "NORMAL.metadata.xlsx", source.HEADER, [("NORMAL-1", "PNG", "1024*1024", source.KERMANY)])
    rows = [("COVID-19(12)", "PNG", "1024*1024", "u"), ("COVID-19(13)", "PNG", "1024*1024", "v")]
    write_table(tmp_path / "COVID-19.metadata.xlsx", source.HEADER, rows)
    records, notices = of(tmp_path, "1")
    assert {name: record.label for name, record in records.items()} == {
        "COVID-19 (1).png": "covid19",
        "COVID-19 (12).png": "covid19",
        "NORMAL (1).png": "no_finding",
    }
    assert [records[name].source_url for name in records] == [None, "u", source.KERMANY]
    assert count(notices) == {"file not in the table": 1, "missing file": 1}
    assert [notice.where for notice in notices if notice.lost] == ["COVID-19/13"]


def test_a_mask_is_brought_to_the_size_of_its_film(small: SmallSources) -> None:
    rows = {row["sample_id"]: row for row in open_table(small.build("covid19_radiography")).to_pylist()}
    drawn = np.asarray(Image.open(io.BytesIO(rows["covid19_radiography/COVID-1.png"]["masks"]["lung"]["bytes"])))
    assert drawn.shape == (299, 299)
    assert set(np.unique(drawn)) == {0, 1}
    assert (drawn[150, 60], drawn[150, 150], drawn[10, 60]) == (1, 0, 0)


def test_films_masks_and_tables_that_lack_each_other_are_told(tree: Path) -> None:
    (tree / "COVID/masks/COVID-2.png").unlink()
    (tree / "Normal/images/Normal-1.png").unlink()
    (tree / "Lung_Opacity.metadata.xlsx").unlink()
    (tree / "Odd").mkdir()
    shutil.copy(tree / "COVID/images/COVID-1.png", tree / "Odd/Odd-1.png")
    records, notices = of(tree)
    told = count(notices)
    assert told == {
        "mask missing": 1,
        "missing file": 1,
        "mask without a film": 1,
        "table missing": 2,
        "unknown finding": 1,
    }
    assert records["COVID-2.png"].masks == {}
    assert (records["Odd-1.png"].label, records["Odd-1.png"].flags) == (None, ("unknown_finding",))


@pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
def test_a_doubled_folder_without_images_is_the_same_but_for_paths(small: SmallSources, tmp_path: Path) -> None:
    """Older copies of the release have the films in the folders of the classes, and some unpack into two folders."""
    (tmp_path / "given").mkdir()
    root = "COVID-19_Radiography_Dataset/COVID-19_Radiography_Dataset"
    with zipfile.ZipFile(tmp_path / "given/archive.zip", "w") as archive:
        for path in sorted(small.tree("covid19_radiography").rglob("*")):
            name = path.relative_to(small.tree("covid19_radiography")).as_posix()
            if path.is_file() and "/masks/" not in name:
                archive.writestr(f"{root}/{name.replace('/images/', '/')}", path.read_bytes())
    with small.in_use():
        built = build_dataset(
            "covid19_radiography",
            data_dir=tmp_path / "given",
            cache_dir=tmp_path / "cache",
            num_proc=1,
            allow_missing=True,
        )
    assert built.rows == small.build("covid19_radiography").rows
    assert open_table(built).column("source_url").null_count == 0
