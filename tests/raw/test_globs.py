"""Archives without a manifest: the same files, however they are packed and spelled, are the same dataset."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.catalog.cards import choose
from covid_datasets.catalog.layout import canonical, matches, problem_of, respelled
from covid_datasets.catalog.resource import Copy, Pattern, Resource
from covid_datasets.errors import IncompleteSourceError
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.raw.check import check
from covid_datasets.raw.local import mount_local
from covid_datasets.raw.obtain import obtain
from covid_datasets.settings import Settings
from tests.raw.test_archives import tar_of, zip_of
from tests.raw.test_local import put
from tests.sources import chest
from tests.tiny import CARD, installed

VERSION = """
[versions.1]
resources = ["films"]

[[resources]]
name = "films"
kind = "archive"
files = [
    { glob = "chest_xray/(train|test)/(NORMAL|PNEUMONIA)/*.(jpeg|png)", what = "a film", required = true },
    { glob = "chest_xray/readme.txt", what = "what the publisher says" },
]

[[resources.copies]]
url = "https://first.org/films.zip"

[[resources.copies]]
url = "https://second.org/again.zip"
rename = { "PNEUMONIA" = "ill" }
"""
BUILDER = """
from covid_datasets.schema import File, Record


def records(raw):
    for path in raw.paths("*.png"):
        yield Record(sample_id=path, image=File(path), modality="CXR", patient=path.split("/")[-1][0])
"""
NAMES = ["train/NORMAL/a1.png", "train/PNEUMONIA/b1.png", "test/NORMAL/c1.png", "test/PNEUMONIA/D1.png"]
FILES = {f"chest_xray/{name}": chest(number, modality="CXR") for number, name in enumerate(NAMES)}


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with installed(tmp_path / "package", monkeypatch, {"tiny": CARD + VERSION}, {"tiny": BUILDER}):
        yield


def below(root: str, files: dict[str, bytes] = FILES) -> dict[str, bytes]:
    return {root + name: data for name, data in files.items()}


def a_zip(folder: Path) -> Path:
    return put(folder, {"films.zip": zip_of(FILES)})


def a_zip_of_another_name_and_root(folder: Path) -> Path:
    return put(folder, {"from a colleague.zip": zip_of(below("my set (2)/"))})


def a_doubled_folder(folder: Path) -> Path:
    return put(folder, {"films.zip": zip_of(below("chest_xray/"))})


def as_a_mac_packs_it(folder: Path) -> Path:
    litter = {f"__MACOSX/chest_xray/train/NORMAL/._{number}.png": b"x" for number in range(9)}
    return put(folder, {"films.zip": zip_of(litter | FILES | {"chest_xray/.DS_Store": b""})})


def unpacked(folder: Path) -> Path:
    return put(folder, FILES)


def unpacked_deep_inside(folder: Path) -> Path:
    return put(folder, below("downloads/archive/"))


def a_tar(folder: Path) -> Path:
    return put(folder, {"films.tar.gz": gzip.compress(tar_of(below("./x/")))})


def a_zip_in_a_zip(folder: Path) -> Path:
    return put(folder, {"all.zip": zip_of({"data/films.zip": zip_of(FILES)})}) / "all.zip"


def in_another_case(folder: Path) -> Path:
    spelled = {name.replace("chest_xray/train/normal", "").lower(): data for name, data in FILES.items()}
    return put(folder, {name.replace("/d1.", "/D1."): data for name, data in spelled.items()})


def with_the_names_of_a_copy(folder: Path) -> Path:
    renamed = {name.replace("PNEUMONIA", "ill"): data for name, data in FILES.items()}
    return put(folder, {"again.zip": zip_of(renamed)})


LAYOUTS: list[Callable[[Path], Path]] = [
    a_zip,
    a_zip_of_another_name_and_root,
    a_doubled_folder,
    as_a_mac_packs_it,
    unpacked,
    unpacked_deep_inside,
    a_tar,
    a_zip_in_a_zip,
    in_another_case,
    with_the_names_of_a_copy,
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_gives_the_same_tree(tmp_path: Path, layout: Callable[[Path], Path]) -> None:
    found = obtain(choose("tiny"), Settings.resolve(), data_dir=layout(tmp_path / "data"))
    assert {path: found.raw.read(path) for path in found.raw.sizes()} == FILES
    assert all(found.raw.size(path) == len(data) for path, data in FILES.items())
    assert (found.missing, found.extra, dict(found.unusable)) == ((), (), {})
    assert not found.raw.has("chest_xray/train/NORMAL/gone.png")


def test_every_layout_gives_the_same_fingerprint(tmp_path: Path) -> None:
    built = [
        build_dataset("tiny", data_dir=layout(tmp_path / layout.__name__), cache_dir=tmp_path / f"cache-{n}")
        for n, layout in enumerate(LAYOUTS)
    ]
    put(tmp_path / "mirror", {"second.org/again.zip": (tmp_path / "with_the_names_of_a_copy/again.zip").read_bytes()})
    built.append(build_dataset("tiny", mirror=str(tmp_path / "mirror"), cache_dir=tmp_path / "cache-mirror"))
    assert {(one.fingerprint, one.rows, one.patients) for one in built} == {(built[0].fingerprint, 4, 4)}


def test_a_tree_that_is_there_twice_is_read_once_and_the_rest_is_told(tmp_path: Path) -> None:
    data = put(tmp_path / "data", FILES | below("chest_xray/") | {"notes.docx": b"x"})
    found = obtain(choose("tiny"), Settings.resolve(), data_dir=data)
    assert set(found.raw.sizes()) == set(FILES)
    assert sorted(found.extra) == sorted([*(f"{data}/chest_xray/{name}" for name in FILES), f"{data}/notes.docx"])


def test_of_two_spellings_of_one_path_the_one_of_the_card_counts(tmp_path: Path) -> None:
    twice = {"chest_xray/train/NORMAL/a1.png": b"right", "chest_xray/TRAIN/normal/a1.png": b"other"}
    found = obtain(choose("tiny"), Settings.resolve(), data_dir=put(tmp_path / "data", twice))
    assert found.raw.read("chest_xray/train/NORMAL/a1.png") == b"right"
    assert found.extra == (f"{tmp_path}/data/chest_xray/TRAIN/normal/a1.png",)


@pytest.mark.parametrize("files", [{}, {"chest_xray/readme.txt": b"read me"}], ids=["nothing", "a readme alone"])
def test_without_what_is_required_nothing_is_ready(tmp_path: Path, files: dict[str, bytes]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    put(data, files)
    found = check("tiny", data)
    assert not found.ok
    assert len(found.missing) == 1
    assert found.missing[0].endswith("(a film)")
    with pytest.raises(IncompleteSourceError):
        obtain(choose("tiny"), Settings.resolve(), data_dir=data)


def test_mosmed_without_a_volume_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for files in ({}, {"README_EN.md": b"x", "LICENSE": b"x"}):
        data = put(tmp_path / f"data-{len(files)}", files)
        data.mkdir(exist_ok=True)
        found = check("mosmed", data)
        assert not found.ok
        assert len(found.missing) == 1110 + 50, "each is named"
        assert {"studies/CT-0/study_0001.nii.gz", "masks/study_0304_mask.nii.gz"} <= {*found.missing}
    one = put(tmp_path / "one", {"studies/CT-0/study_0001.nii.gz": b"x"})
    assert len(check("mosmed", one).missing) == 1109 + 50


def test_numbered_archives_that_were_unpacked_each_into_its_own_folder(tmp_path: Path) -> None:
    names = [f"CT-{number}" for number in (1, 2)]
    wanted = tuple(
        Resource(
            name=name, kind="archive", copies=(Copy(url=f"https://x.org/{name}.zip"),),
            files=(Pattern(glob="*/*.png", what="a slice"),),
        )
        for name in names
    )  # fmt: skip
    for files in (
        {"CT-1/p1/a.png": b"1", "CT-2/p2/a.png": b"2"},
        {"CT-1.zip": zip_of({"p1/a.png": b"1"}), "CT-2.zip": zip_of({"x/p2/a.png": b"2"})},
    ):
        local = mount_local(put(tmp_path / str(len(files)) / next(iter(files))[:6], files), wanted)
        assert [mount.sizes() for mount in local.mounts.values()] == [{"p1/a.png": 1}, {"p2/a.png": 1}]
        assert local.extra == []


@given(
    st.text("aA\u017fs\u0130i/.(|)*", max_size=12).filter(lambda glob: not problem_of(glob)),
    st.text("aA\u017fs\u0130i/.", max_size=12),
)
def test_what_is_spelled_as_the_card_does_is_named_by_it_and_stays(glob: str, path: str) -> None:
    found = canonical(path, glob)
    assert (found is not None) == matches(path, [glob])
    if found is not None:
        assert canonical(found, glob) == found
        assert len(found) == len(path)


def test_spellings() -> None:
    assert canonical("a/\u017f.png", "a/(s|t).png") == "a/s.png"
    assert canonical("A/b.PNG", "a/*.(jpg|png)") == "a/b.png"
    assert canonical("case-7/x/CASE-7.txt", "case-{case}/{any}/case-{case}.txt") == "case-7/x/case-7.txt"
    assert canonical("a/b.gif", "a/*.(jpg|png)") is None
    assert respelled("a_{a_b}/*_(a_b|c)", [("_", "-")]) == "a-{a_b}/*-(a-b|c)"
    assert canonical("x/ILL/1.png", "x/(NORMAL|PNEUMONIA)/*.png", "x/(NORMAL|ill)/*.png") == "x/PNEUMONIA/1.png"
