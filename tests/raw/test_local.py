"""A user's own copy of a source is found however it lies there; all that is missing, extra or damaged is listed."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from covid_datasets.catalog.cards import choose
from covid_datasets.catalog.resource import Copy
from covid_datasets.errors import DamagedFileError, IncompleteSourceError, NotThereError, UnsafeArchiveError
from covid_datasets.raw.obtain import Obtained, obtain
from covid_datasets.raw.places import archive_names
from covid_datasets.settings import Settings
from tests.raw.test_archives import tar_of, zip_of
from tests.tiny import BUILDER, CARD, VERSION, installed

FILES = {
    "list.csv": b"file,patient,finding\n",
    "images/1%0.png": b"first picture",
    "images/1%1.png": b"second picture",
    "images/2.png": b"third",
}
PLAIN = """
[[resources]]
name = "scores"
path = "annotations/scores.csv"
copies = [{ url = "https://first.org/annotations/scores.csv" }]
"""
SCORES = b"file,score\n"


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    text = CARD + VERSION.replace('["files"]', '["files", "scores"]') + PLAIN
    with installed(tmp_path / "package", monkeypatch, {"tiny": text}, {"tiny": BUILDER}, FILES):
        yield


def look(data_dir: Path, *, allow_missing: bool = False) -> Obtained:
    settings = Settings.resolve()
    return obtain(choose("tiny"), settings, data_dir=data_dir, allow_missing=allow_missing)


def spell(name: str) -> str:
    return name.replace("%", "_")


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def unpacked(folder: Path) -> Path:
    return put(folder, FILES | {"annotations/scores.csv": SCORES})


def unpacked_deep_inside_with_other_names(folder: Path) -> Path:
    files = {f"my files/covid/tiny-0c1d/{spell(name)}": data for name, data in FILES.items()}
    return put(folder, files | {"downloads/scores.csv": SCORES})


def untouched_archive(folder: Path) -> Path:
    return put(folder, {"files.zip": zip_of(FILES), "scores.csv": SCORES})


def archive_of_another_name_and_kind(folder: Path) -> Path:
    return put(folder, {"from colleague.tgz": gzip.compress(tar_of(FILES, prefix="a/b/")), "scores.csv": SCORES})


def renamed_in_an_archive(folder: Path) -> Path:
    files = {f"tiny-0c1d/{spell(name)}": data for name, data in FILES.items()}
    return put(folder, {"tiny-0c1d.zip": zip_of(files), "scores.csv": SCORES})


def one_archive(folder: Path) -> Path:
    put(folder, {"all.zip": zip_of(FILES | {"annotations/scores.csv": SCORES})})
    return folder / "all.zip"


def nested_archives(folder: Path) -> Path:
    put(folder, {"outer.zip": zip_of({"x/files.zip": zip_of(FILES), "x/scores.tar": tar_of({"scores.csv": SCORES})})})
    return folder / "outer.zip"


LAYOUTS: list[Callable[[Path], Path]] = [
    unpacked,
    unpacked_deep_inside_with_other_names,
    untouched_archive,
    archive_of_another_name_and_kind,
    renamed_in_an_archive,
    one_archive,
    nested_archives,
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_gives_the_same_tree(tmp_path: Path, layout: Callable[[Path], Path]) -> None:
    found = look(layout(tmp_path / "data"))
    assert {path: found.raw.read(path) for path in found.raw.sizes()} == FILES | {"annotations/scores.csv": SCORES}
    assert (found.missing, found.extra, dict(found.unusable)) == ((), (), {})
    assert [origin.verified for origin in found.origins] == ["content manifest", "given by the user"]


def test_of_two_copies_the_more_complete_one_is_taken(tmp_path: Path) -> None:
    some = dict(list(FILES.items())[:2])
    data = put(tmp_path / "data", {"files.zip": zip_of(some), "better.zip": zip_of(FILES), "scores.csv": SCORES})
    found = look(data)
    assert found.raw.read("images/2.png") == b"third"
    assert [path.removeprefix(f"{data}/") for path in found.extra] == [
        "files.zip",
        "files.zip -> images/1%0.png",
        "files.zip -> list.csv",
    ]


def test_everything_that_is_wrong_is_listed_with_the_tree_to_create(tmp_path: Path) -> None:
    data = unpacked(tmp_path / "data")
    (data / "images/1%0.png").unlink()
    (data / "annotations/scores.csv").unlink()
    (data / "images/2.png").write_bytes(b"third, but longer")
    put(data, {"notes.txt": b"x", "torn.zip": zip_of(FILES)[:200]})
    with pytest.raises(IncompleteSourceError) as error:
        look(data)
    text = str(error.value)
    assert text.startswith(f"tiny@1: 2 of 5 files are missing in data_dir {data}, 2 are damaged.")
    parts = re.split(r"^(Missing|Damaged|Not expected|Expected):$", text, flags=re.MULTILINE)
    said = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert said["Missing"].split() == ["images/1%0.png", "annotations/scores.csv"]
    assert "images/2.png: expected 5 bytes, found 17" in said["Damaged"]
    assert f"{data / 'torn.zip'}: " in said["Damaged"]
    assert said["Not expected"].strip() == str(data / "notes.txt")
    assert "FOLDER/" in said["Expected"]
    assert "files.zip   (untouched, or unpacked: 4 files)" in said["Expected"]
    assert "annotations/scores.csv" in said["Expected"]
    assert "allow_missing=True, or --allow-missing" in text


def test_damage_alone_is_told_before_anything_is_built(tmp_path: Path) -> None:
    data = unpacked(tmp_path / "data")
    (data / "images/2.png").write_bytes(b"")
    with pytest.raises(IncompleteSourceError, match=r"0 of 5 files are missing .*, 1 are damaged"):
        look(data)


def test_long_lists_are_cut_and_counted(tmp_path: Path) -> None:
    data = put(unpacked(tmp_path / "data"), {f"extra-{number:03d}": b"" for number in range(100)})
    (data / "images/2.png").unlink()
    with pytest.raises(IncompleteSourceError, match="… and 80 more"):
        look(data)


def test_less_than_all_is_given_only_when_asked_for(tmp_path: Path) -> None:
    data = put(tmp_path / "data", {"files.zip": zip_of(FILES)[:-30], "images/2.png": b"third", "notes.txt": b""})
    with pytest.raises(IncompleteSourceError):
        look(data)
    found = look(data, allow_missing=True)
    assert found.raw.sizes() == {"images/2.png": 5}
    assert found.missing == ("images/1%0.png", "images/1%1.png", "list.csv", "annotations/scores.csv")
    assert found.extra == (str(data / "notes.txt"),)
    assert {Path(where).name: "truncated" in why for where, why in found.unusable.items()} == {"files.zip": True}


def test_an_evil_archive_is_refused_even_among_good_files(tmp_path: Path) -> None:
    data = put(unpacked(tmp_path / "data"), {"evil.zip": zip_of({"../../evil.png": b"x"})})
    for allowed in (False, True):
        with pytest.raises(UnsafeArchiveError, match=r"evil\.zip: member '\.\./\.\./evil\.png' points outside"):
            look(data, allow_missing=allowed)
    assert not list(tmp_path.glob("**/evil.png"))


def test_nothing_and_no_archive(tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match=r"data_dir .*gone: expected a folder or an archive, found nothing"):
        look(tmp_path / "gone")
    with pytest.raises(DamagedFileError, match=r"list\.csv: expected a whole zip or tar archive"):
        look(put(tmp_path / "data", FILES) / "list.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(IncompleteSourceError, match="5 of 5 files are missing"):
        look(tmp_path / "empty")


def test_names_that_are_not_text_are_listed(tmp_path: Path) -> None:
    data = unpacked(tmp_path / "data")
    Path(os.fsdecode(bytes(data) + b"/caf\xe9.csv")).write_bytes(b"")
    assert look(data).extra == (f"{data}/caf\\udce9.csv",)


def test_names_under_which_downloads_are_saved() -> None:
    assert archive_names(Copy(url="https://first.org/a/files.zip?raw=1")) == ["files.zip"]
    assert archive_names(Copy(url="https://github.com/a/set/archive/0c1d.zip")) == ["0c1d.zip", "set-0c1d.zip"]
