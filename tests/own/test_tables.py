"""Tables of one's own: columns of the schema are taken, others stay in `source_row`, and no path leads out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import covid_datasets as cd
from covid_datasets import OwnData
from covid_datasets.errors import ColumnMissingError, DamagedFileError, IncompleteSourceError, UsageError
from tests import sources
from tests.own.test_folders import build, fill, notices, rows

HEADER = ("path", "Patient", "label", "modality", "sex", "age", "split", "crp_mg_per_l", "ward")
ROWS = (
    ("a/1.png", "P1", "COVID-19", "x-ray", "female", "61", "training", "12.5", "7"),
    ("a/2.png", "P2", "normal", "CT", "M", "", "val", "", "8"),
    ("./a/../a/3.png", "", "strange", "CT", "?", "400", "later", "", "9"),
)


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    folder = fill(tmp_path / "ward", ("a/1.png", "a/2.png", "a/3.png"))
    sources.write_table(folder / "labels.csv", HEADER, ROWS)
    return folder


def change(folder: Path, row: int, column: str, cell: str) -> None:
    cells = [list(each) for each in ROWS]
    cells[row][HEADER.index(column)] = cell
    sources.write_table(folder / "labels.csv", HEADER, cells)


def test_columns_of_the_schema_are_taken_and_others_stay(ward: Path) -> None:
    pytest.importorskip("pandas")
    found = rows(ward)
    first, third = found["a/1.png"], found["a/3.png"]
    assert [first[name] for name in ("patient_id", "label", "modality", "sex", "age")] == [
        "own.ward/P1", "covid19", "CXR", "F", 61,
    ]  # fmt: skip
    assert first["clinical"]["crp_mg_per_l"] == 12.5
    assert json.loads(first["source_row"])["ward"] == "7"
    assert third["label_raw"] == "strange"
    assert not third["patient_known"]
    told = {note["what"].partition(" is ")[0] for note in cd.find_build(ward).manifest()["notices"]}
    assert {"sex", "age", "split"} <= told
    assert sorted(filter(None, cd.load_splits(ward, "official").column("split").to_pylist())) == ["train", "validation"]


@pytest.mark.parametrize("name", ["labels.csv", "labels.xlsx", "labels.tsv"])
def test_a_table_is_named_itself_or_found_in_its_folder(tmp_path: Path, name: str) -> None:
    folder = fill(tmp_path / "w", ("a/1.png", "a/2.png", "a/3.png"))
    sources.write_table(folder / name, HEADER, ROWS)
    found = [build(folder), build(OwnData(folder / name, name="w")), build(OwnData(folder, table=name))]
    assert {each.labels["covid19"] for each in found} == {1}
    assert {each.fingerprint for each in found} == {found[0].fingerprint}


def test_semicolons_of_european_spreadsheets_are_read(ward: Path) -> None:
    text = (ward / "labels.csv").read_text().replace(",", ";")
    (ward / "labels.csv").write_text(text)
    assert build(ward).labels["covid19"] == 1


def test_any_column_can_tell_the_patient(ward: Path) -> None:
    assert build(OwnData(ward, patient="ward")).patients == 3
    with pytest.raises(ColumnMissingError, match="expected the column 'wards'"):
        build(OwnData(ward, patient="wards"))
    (ward / "labels.csv").unlink()
    with pytest.raises(ColumnMissingError, match="expected a table of paths with this column"):
        build(OwnData(ward, patient="ward"))


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "a/../../secret.png", r"..\..\secret.png", r"C:\secret.png"]
)
def test_a_path_that_leads_out_is_refused(ward: Path, path: str) -> None:
    (ward.parent / "secret.png").write_bytes(sources.chest(5))
    change(ward, 1, "path", path)
    with pytest.raises(DamagedFileError, match="leads out of it; nothing was read there"):
        build(ward)


def test_a_missing_file_fails_the_build_unless_that_is_allowed(ward: Path) -> None:
    change(ward, 1, "path", "a/none.png")
    with pytest.raises(IncompleteSourceError, match=r"a/none\.png: missing file"):
        build(ward)
    built = build(ward, allow_missing=True)
    assert (built.rows, built.incomplete) == (2, True)
    assert notices(built, "file not in the table") == ["a/2.png"]


def test_a_listed_file_that_is_no_image_is_lost(ward: Path) -> None:
    change(ward, 1, "path", "notes.txt")
    (ward / "notes.txt").write_text("x")
    with pytest.raises(IncompleteSourceError, match="lists it, and it is no image"):
        build(ward)


def test_a_path_listed_twice_counts_once_and_is_told(ward: Path) -> None:
    change(ward, 1, "path", "a/1.png")
    built = build(ward)
    assert built.rows == 2
    assert notices(built, "row listed twice") == ["a/1.png"]


def test_two_tables_of_paths_have_to_be_told_apart(ward: Path) -> None:
    (ward / "more.csv").write_text("path\na/1.png\n")
    with pytest.raises(UsageError, match=r"expected one table of paths, found labels\.csv, more\.csv"):
        build(ward)
    assert build(OwnData(ward, table="more.csv")).rows == 1
    assert build(OwnData(ward, table="")).rows == 3


def test_a_table_says_whose_a_mask_is(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    folder = fill(tmp_path / "m", ("images/1.png", "masks/1.png"))
    (folder / "t.csv").write_text("path,mask_lung\nimages/1.png,masks/1.png\n")
    found = rows(folder)
    assert list(found) == ["images/1.png"]
    assert found["images/1.png"]["masks"]["lung"]["bytes"] == (folder / "masks/1.png").read_bytes()


@pytest.mark.parametrize("text", ["path\n", "", "path,label\n\0,\0\n"])
def test_an_empty_or_odd_table_ends_in_an_error_of_ours(ward: Path, text: str) -> None:
    (ward / "labels.csv").write_text(text)
    errors: Any = cd.CovidDatasetsError
    with pytest.raises(errors):
        build(OwnData(ward, table="labels.csv"))
