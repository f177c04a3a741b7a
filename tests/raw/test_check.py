"""`check`: a user's own copy of any source against what it should hold, in Python and on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import covid_datasets
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.cli import main
from covid_datasets.errors import AccessRequired, DamagedFileError, NotThereError, UnknownVersionError
from tests.raw.test_archives import tar_of, zip_of
from tests.sources import chest
from tests.tiny import BUILDER, CARD, VERSION, installed

NAMES = ["images/1.png", "images/2.png"]
FILES = {name: chest(number, modality="CXR") for number, name in enumerate(NAMES)}
FILES["list.csv"] = "file,patient,finding\n{},A,COVID-19\n{},B,No Finding\n".format(*NAMES).encode()
MASKS = """
[[resources]]
name = "masks"
kind = "archive"
optional = true
steps = ["Ask the authors."]

[[resources]]
name = "cases"
kind = "folder"
steps = ["Save each page."]
files = [{ glob = "{case}/page.html", what = "the page", required = true, example = "<html>\\n" }]
"""
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with installed(tmp_path / "package", monkeypatch, {"tiny": CARD + VERSION}, {"tiny": BUILDER}, FILES):
        yield


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def with_parts_by_hand() -> None:
    path = catalog_folder() / "tiny.toml"
    text = path.read_text().replace('resources = ["files"]', 'resources = ["files", "masks", "cases"]')
    path.write_text(text + MASKS)


def run(capsys: Capture, *argv: str) -> tuple[int, str]:
    code = main(["check", *argv])
    return code, capsys.readouterr().out


def test_a_whole_copy_is_ready(tmp_path: Path, capsys: Capture) -> None:
    data = put(tmp_path / "my data", {"files.zip": zip_of(FILES)})
    found = covid_datasets.check("tiny", data)
    assert (found.ok, found.files, found.expected) == (True, 3, 3)
    assert found.bytes == sum(map(len, FILES.values()))
    assert (found.missing, found.damaged, found.extra, found.optional, found.downloads) == ((), (), (), {}, ())
    code, output = run(capsys, "tiny", "--data-dir", str(data))
    assert code == 0
    assert output.endswith(f"Ready. Next: covid-datasets build tiny --data-dir '{data}'\n")
    assert not (tmp_path / "cache").exists(), "nothing is built"


def test_what_is_missing_damaged_and_extra_is_listed(tmp_path: Path, capsys: Capture) -> None:
    data = put(tmp_path / "data", {**FILES, "images/2.png": b"short", "more.txt": b"", "torn.zip": b"PK"})
    (data / "list.csv").unlink()
    code, output = run(capsys, "tiny", "--data-dir", str(data))
    assert code == 5
    assert "Missing (1):\n  list.csv\n" in output
    assert f"images/2.png: expected {len(FILES['images/2.png']):,} bytes, found 5" in output
    assert f"{data}/torn.zip: " in output
    assert f"Not expected, left alone (1):\n  {data}/more.txt\n" in output
    assert "files.zip   (untouched, or unpacked: 3 files)" in output
    assert output.endswith(f"covid-datasets build tiny --data-dir {data} --allow-missing\n")


def test_what_only_is_too_much_does_no_harm(tmp_path: Path, capsys: Capture) -> None:
    data = put(tmp_path / "data", FILES | {"more.txt": b""})
    code, output = run(capsys, "tiny", "--data-dir", str(data))
    assert (code, "more.txt" in output) == (0, True)


def test_json_says_the_same(tmp_path: Path, capsys: Capture) -> None:
    data = put(tmp_path / "data", {"images/1.png": FILES["images/1.png"]})
    code, output = run(capsys, "tiny", "--data-dir", str(data), "--json")
    assert output.count("\n") == 1
    told = json.loads(output)
    assert code == 5
    assert told["ok"] is False
    assert (told["name"], told["version"], told["data_dir"]) == ("tiny", "1", str(data))
    assert (told["missing"], told["files"], told["expected"]) == (["images/2.png", "list.csv"], 1, 3)
    assert told["tree"].startswith("  FOLDER/")


def test_a_check_agrees_with_a_build(tmp_path: Path) -> None:
    data = put(tmp_path / "data", FILES)
    assert covid_datasets.check("tiny", data).ok
    assert covid_datasets.build_dataset("tiny", data_dir=data).rows == 2
    (data / "images/2.png").unlink()
    assert not covid_datasets.check("tiny", data).ok
    text = (catalog_folder() / "tiny.toml").read_text()
    (catalog_folder() / "tiny.toml").write_text(text.replace("[versions.1]", "[versions.1]\ntolerance = 0.4"))
    assert covid_datasets.check("tiny", data).ok, "the catalog tolerates it"


def test_parts_by_hand_parts_that_are_downloaded_and_parts_that_may_be_absent(tmp_path: Path, capsys: Capture) -> None:
    with_parts_by_hand()
    data = put(tmp_path / "data", {"7/page.html": b"<html>", "8/photo.jpg": b"x"})
    found = covid_datasets.check("tiny", data)
    assert found.missing == ("8/page.html (the page)",)
    assert found.downloads == ("files",)
    assert found.optional == {"masks": "Ask the authors."}
    output = run(capsys, "tiny", "--data-dir", str(data))[1]
    assert "Not there, and not needed:\n  masks: Ask the authors.\n" in output
    assert "Not there; a build downloads it:\n  files\n" in output
    tree = "files.zip   (untouched, or unpacked: 3 files, downloaded for you where it is not there)"
    assert tree in output
    (data / "8/photo.jpg").unlink()
    assert covid_datasets.check("tiny", data).ok


def test_what_has_no_address_is_asked_for_with_an_example(tmp_path: Path) -> None:
    with_parts_by_hand()
    with pytest.raises(AccessRequired) as error:
        covid_datasets.build_dataset("tiny")
    text = str(error.value)
    assert "only you can fetch it. A part of it has no address that a program can read." in text
    assert "  1. Ask the authors.\n  2. Save each page.\n" in text
    assert "    <case>/\n      page.html   (needed: the page)\n" in text
    assert "<case>/page.html, for example:\n  | <html>\n" in text


def test_less_than_the_whole_folder_is_marked_incomplete(tmp_path: Path) -> None:
    with_parts_by_hand()
    data = put(tmp_path / "data", FILES | {"7/page.html": b"<html>", "8/photo.jpg": b"x"})
    with pytest.warns(UserWarning, match="INCOMPLETE"):
        covid_datasets.load_dataset("tiny", data_dir=data, allow_missing=True, framework="numpy")
    built = covid_datasets.find_build("tiny", data_dir=data)
    assert built.incomplete
    assert [n["where"] for n in built.manifest()["notices"] if n["kind"] == "file not served"] == [
        "8/page.html (the page)"
    ]


def test_what_cannot_be_checked(tmp_path: Path, capsys: Capture) -> None:
    with pytest.raises(NotThereError, match="expected a folder or an archive, found nothing"):
        covid_datasets.check("tiny", tmp_path / "gone")
    with pytest.raises(UnknownVersionError, match="tiny has no version '9'"):
        covid_datasets.check("tiny@9", tmp_path)
    with pytest.raises(DamagedFileError):
        covid_datasets.check("tiny", put(tmp_path, {"torn.zip": b"PK"}) / "torn.zip")
    assert main(["check", "tiny", "--data-dir", str(tmp_path / "gone")]) == 1
    assert "expected a folder or an archive" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["masks.zip", "masks.tar", "sub/masks.zip", "masks/a.png", "x/masks/a.png"])
def test_an_archive_by_hand_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    with_parts_by_hand()
    content = {"zip": zip_of({"a.png": b"mask"}), "tar": tar_of({"a.png": b"mask"}), "png": b"mask"}
    data = put(tmp_path / "data", {"7/page.html": b"<html>", name: content[name[-3:]]})
    found = covid_datasets.check("tiny", data)
    assert (found.ok, found.optional, found.extra) == (True, {}, ())
    assert found.files == 2
