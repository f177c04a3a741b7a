"""`covid-datasets new --probe` and `covid-datasets manifest`: what a machine finds, and that it never guesses."""

from __future__ import annotations

import hashlib
import json
import tarfile
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.cli import main
from covid_datasets.contribute.manifest import content_manifest, manifest_text
from covid_datasets.contribute.new import write_skeleton
from covid_datasets.contribute.probe import probe, report
from covid_datasets.errors import NotThereError, UsageError
from covid_datasets.raw.tars import Tar
from tests.dicom import ct
from tests.metaimage import write_metaimage
from tests.nifti import nifti
from tests.server import serve
from tests.sources import chest


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    (folder / "films").mkdir(parents=True)
    for number in range(3):
        (folder / "films" / f"{number}.png").write_bytes(chest(number, mode="RGB", size=(64, 32)))
    (folder / "films" / "broken.png").write_bytes(b"\x89PNG nothing more")
    (folder / "list.csv").write_text("name,age\n0,40\n1,50\n2,\n", encoding="utf-8")
    (folder / "films" / ".DS_Store").write_bytes(b"left behind")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for folder in ("builders", "catalogs", "tests"):
        (tmp_path / "checkout" / folder).mkdir(parents=True)
    return tmp_path / "checkout"


def test_a_folder_of_pictures_and_their_table(films: Path) -> None:
    found = probe(str(films))
    assert (found.kind, found.url, found.size, found.sha256) == ("pictures", "", None, "")
    assert list(found.files) == ["films/0.png", "films/1.png", "films/2.png", "films/broken.png", "list.csv"]
    name, age = found.tables[0].columns
    assert (name.name, name.filled, name.distinct, name.stems, name.files) == ("name", 3, 3, 3, 0)
    assert (age.filled, age.distinct, age.range) == (2, 2, (40.0, 50.0))
    assert found.looks["pictures"]["mode"] == {"RGB": 3}
    assert found.looks["pictures"]["size"] == {"64x32": 3}
    assert [problem.partition(":")[0] for problem in found.problems] == ["films/broken.png"]
    text = report(found)
    assert "| age | 2 | 2 | 40 to 50 |" in text
    assert "films/broken.png" in text


def test_the_same_tree_is_found_in_an_archive(films: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        for path in films.rglob("*.*"):
            packed.write(path, f"top/{path.relative_to(films).as_posix()}")
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as tar:
        tar.add(films, "top")
    trees = [probe(str(films)), *(probe(str(tmp_path / name), "top/") for name in ("set.zip", "set.tar.gz"))]
    assert len({json.dumps(dict(tree.files)) for tree in trees}) == 1
    assert trees[0].tables == trees[1].tables == trees[2].tables
    assert trees[0].looks == trees[1].looks == trees[2].looks


def test_a_url_is_brought_into_the_cache_and_pinned(
    films: Path, tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        for path in films.rglob("*.*"):
            packed.write(path, path.relative_to(films).as_posix())
    data = (tmp_path / "set.zip").read_bytes()
    with serve(tmp_path) as server:
        url = server.url("/set.zip")
        arguments = [
            "new",
            "films",
            "--probe",
            url,
            "--checkout",
            str(checkout),
            "--cache-dir",
            str(tmp_path / "cache"),
        ]
        assert main(arguments) == 0
    written = capsys.readouterr().out
    assert "films.probe.md" in written
    resource = tomllib.loads((checkout / "catalogs/films.toml").read_text(encoding="utf-8"))["resources"][0]
    assert resource["copies"] == [{"url": url}]
    assert (resource["size"], resource["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    manifest = read_manifest(resource["manifest"], checkout / "catalogs/manifests")
    assert list(manifest) == ["films/0.png", "films/1.png", "films/2.png", "films/broken.png", "list.csv"]
    builder = (checkout / "builders/films.py").read_text(encoding="utf-8")
    assert 'row["name"].strip()' in builder
    assert "PurePosixPath(path).stem" in builder
    assert "patient=None,  # FILL-IN" in builder


def test_no_cell_of_a_table_goes_into_the_skeleton(films: Path, checkout: Path) -> None:
    (films / "list.csv").write_text("name,who\n0,Jane Roe\n1,John Doe\n", encoding="utf-8")
    write_skeleton("films", checkout, found=probe(str(films)))
    for path in checkout.rglob("*.*"):
        if path.is_file() and path.name != "films.probe.md":
            assert "Jane" not in path.read_text(encoding="utf-8"), path


def test_headers_are_summed_up(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    for number in range(2):
        data = ct(np.zeros((8, 4), np.int16), (0.0, 0.0, float(number)), PatientID=f"P{number}", Manufacturer="ACME")
        (tmp_path / "series" / f"{number}.dcm").write_bytes(data)
    (tmp_path / "volume.nii.gz").write_bytes(nifti(np.zeros((3, 4, 5), np.int16)))
    found = probe(str(tmp_path))
    assert found.kind == "dicom"
    assert found.looks["DICOM files"]["Manufacturer"] == {"ACME": 2}
    assert found.looks["DICOM files"]["size"] == {"4x8": 2}
    assert found.looks["volumes"]["slices, rows, columns"] == {"3x4x5": 1}
    text = report(found)
    assert "- PatientID: 2 different" in text
    assert "P0" not in text, "ids are counted, not shown"


@pytest.mark.parametrize("ending", [".mha", ".mhd", ".MHA"])
def test_a_metaimage_is_a_volume(ending: str, tmp_path: Path) -> None:
    for number in range(2):
        write_metaimage(tmp_path / f"{number}{ending}", np.zeros((3, 4, 5), np.int16))
    found = probe(str(tmp_path))
    assert found.kind == "volumes"
    assert found.looks["volumes"]["slices, rows, columns"] == {"3x4x5": 2}
    assert found.looks["volumes"]["format"] == {"MetaImage": 2}
    assert not found.problems


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match="expected a URL, a folder"):
        probe(str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="expected an address"):
        probe("https://example.org:80set.zip")
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(UsageError, match="--root"):
        probe(str(tmp_path), "elsewhere/")


def test_a_table_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "book.xlsx").write_bytes(b"no workbook")
    (tmp_path / "empty.csv").write_bytes(b"")
    found = probe(str(tmp_path))
    assert [(table.path, table.rows) for table in found.tables] == [("book.xlsx", 0), ("empty.csv", 0)]
    assert all(table.problems for table in found.tables)
    assert "expected an Excel workbook" in report(found)


def test_manifest_is_written_and_read_back(films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manifest", str(films), "--out", str(tmp_path / "films.tsv")]) == 0
    assert "5 files" in capsys.readouterr().out
    written = read_manifest("films.tsv", tmp_path)
    data = (films / "list.csv").read_bytes()
    assert written["list.csv"].mismatch(data, hashlib.sha256(data).hexdigest()) is None
    assert main(["manifest", str(films), "--root", "films/", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == 4
    assert main(["manifest", str(tmp_path / "nothing")]) == 1


def test_a_manifest_reads_an_archive_in_its_own_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compressed tar that is read by name is inflated again and again."""
    order = ["c.png", "a.png", "b.png"]
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as packed:
        for name in order:
            (tmp_path / name).write_bytes(name.encode())
            packed.add(tmp_path / name, name)
    seen: list[str] = []
    read = Tar.read

    def reading(tar: Tar, name: str) -> bytes:
        seen.append(name)
        return read(tar, name)

    monkeypatch.setattr(Tar, "read", reading)
    assert [file.path for file in content_manifest(tmp_path / "set.tar.gz")] == sorted(order)
    assert seen == order


@given(st.dictionaries(st.from_regex(r"[a-z]{1,3}\.(png|csv)", fullmatch=True), st.binary(max_size=20), max_size=5))
def test_manifest_of_any_files(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("files")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "manifest").mkdir()
    found = content_manifest(folder)
    assert {file.path: file.size for file in found} == {name: len(data) for name, data in files.items()}
    for file in found:
        assert file.mismatch(files[file.path], "") is not None or not file.sha256
        assert file.mismatch(files[file.path], hashlib.sha256(files[file.path]).hexdigest()) is None
    (folder / "manifest/a.tsv").write_text(manifest_text(found), encoding="utf-8")
    assert dict(read_manifest("a.tsv", folder / "manifest")) == {file.path: file for file in found}


def test_a_name_that_breaks_lines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a\tb.csv").write_text("x")
    with pytest.raises(UsageError, match="tabs"):
        manifest_text(content_manifest(tmp_path))
