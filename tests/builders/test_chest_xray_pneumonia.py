"""Films of children from Guangzhou: numbers that restart, three forms of names, an archive with its tree twice."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from covid_datasets import build_dataset
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.builders.test_builders import build
from tests.small import SmallSources
from tests.sources import chest
from tests.sources import chest_xray_pneumonia as source


def of(folder: Path, version: str = "kaggle") -> tuple[dict[str, Record], list[Notice]]:
    return build("chest_xray_pneumonia", RawTree.of_folder(folder, version=version))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source.write(tmp_path / "tree")
    return tmp_path / "tree"


def put(tree: Path, *names: str) -> None:
    for number, name in enumerate(names):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(chest(number, modality="CXR", kind="JPEG"))


def test_one_number_is_one_group_whatever_agent_and_folder(tree: Path) -> None:
    records, notices = of(tree)
    assert notices == []
    people = {path: record.patient for path, record in records.items()}
    assert (
        people["train/PNEUMONIA/person1_bacteria_1.jpeg"] == people["test/PNEUMONIA/person1_virus_6.jpeg"] == "person1"
    )
    assert people["train/PNEUMONIA/person1180_virus_2010_1.jpeg"] == "person1180"
    assert len({people[f"train/NORMAL/IM-0439-0001{end}.jpeg"] for end in ("", "-0001", "-0002")}) == 1
    assert people["train/NORMAL/NORMAL2-IM-0439-0001.jpeg"] != people["train/NORMAL/IM-0439-0001.jpeg"]


def test_names_of_the_third_version(tmp_path: Path) -> None:
    put(tmp_path, "train/NORMAL/NORMAL-1049278-0001.jpeg", "test/PNEUMONIA/VIRUS-12-0003.jpeg")
    records, notices = of(tmp_path, "3")
    assert notices == []
    normal, virus = records["train/NORMAL/NORMAL-1049278-0001.jpeg"], records["test/PNEUMONIA/VIRUS-12-0003.jpeg"]
    assert (normal.patient, normal.label, normal.doi) == ("1049278", "no_finding", "10.17632/rscbjbr9sj.3")
    assert (virus.patient, virus.label, virus.label_raw) == ("12", "viral_pneumonia", "PNEUMONIA/virus")


def test_a_name_that_says_nobody_is_told_and_one_at_odds_with_its_folder_too(tree: Path) -> None:
    put(tree, "train/PNEUMONIA/scan.jpeg", "train/PNEUMONIA/other.jpeg", "train/NORMAL/person7_virus_9.jpeg")
    records, notices = of(tree)
    unread = records["train/PNEUMONIA/scan.jpeg"]
    assert (unread.patient, unread.label, unread.flags) == (None, "pneumonia", ("name_unread",))
    assert unread.ties == records["train/PNEUMONIA/other.jpeg"].ties
    moved = records["train/NORMAL/person7_virus_9.jpeg"]
    assert (moved.patient, moved.label, moved.label_raw) == ("person7", "no_finding", "NORMAL")
    assert [notice.kind for notice in notices] == ["unexpected name"] * 3


@pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
def test_kaggles_archive_holds_the_tree_twice(small: SmallSources, tmp_path: Path) -> None:
    """One tree is taken, the other and the litter of a Mac are told; the build is that of a clean tree."""
    clean = small.build("chest_xray_pneumonia")
    with small.in_use(), zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for path in source.FILMS:
            data = (small.tree("chest_xray_pneumonia") / path).read_bytes()
            archive.writestr(f"chest_xray/chest_xray/{path}", data)
            archive.writestr(f"chest_xray/{path}", data)
            folder, _, name = path.rpartition("/")
            archive.writestr(f"chest_xray/__MACOSX/chest_xray/{folder}/._{name}", b"\x00\x05\x16\x07")
    (tmp_path / "given").mkdir()
    shutil.move(tmp_path / "archive.zip", tmp_path / "given/archive.zip")
    with small.in_use():
        built = build_dataset(
            "chest_xray_pneumonia",
            data_dir=tmp_path / "given",
            cache_dir=tmp_path / "cache",
            num_proc=1,
            allow_missing=True,
        )
    assert built.fingerprint == clean.fingerprint
    told = [notice for notice in built.manifest()["notices"] if notice["kind"] == "extra file"]
    assert sum(notice["count"] for notice in told) >= len(source.FILMS)
