"""sirm as its users meet it: asked for in full, checked before it is built, and honest about what they saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import covid_datasets
from covid_datasets.cli import main
from covid_datasets.errors import AccessRequired, IncompleteSourceError
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.splits.index import Index
from tests.sources import chest
from tests.sources.sirm import FIGURES, TEXT, TEXTS, write_unpacked


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """A folder that somebody filled."""
    write_unpacked(tmp_path / "cases")
    return tmp_path / "cases"


def build(folder: Path, *, allow_missing: bool = False) -> Built:
    return covid_datasets.build_dataset(
        "sirm", data_dir=folder, cache_dir=folder.parent / "cache", num_proc=1, allow_missing=allow_missing
    )


def rows_of(built: Built) -> dict[str, dict[str, Any]]:
    return {row["sample_id"].removeprefix("sirm/"): row for row in open_table(built).to_pylist()}


def notices_of(built: Built) -> list[tuple[str, str, str]]:
    return [(note["kind"], note["where"], note["what"]) for note in built.manifest()["notices"]]


# --- access -------------------------------------------------------------------------------------------------------


def test_without_files_the_steps_and_the_folder_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for call in (covid_datasets.load_dataset, covid_datasets.build_dataset):
        with pytest.raises(AccessRequired) as error:
            call("sirm", cache_dir=tmp_path)
        assert "    case-<number>/\n      case.txt" in str(error.value)
        assert "  | url: https://www.sirm.org/2020/03/10/covid-19-caso-24/\n" in str(error.value)
    assert main(["build", "sirm", "--cache-dir", str(tmp_path)]) == 3
    output = capsys.readouterr()
    assert output.out == ""
    assert "covid-datasets check sirm --data-dir FOLDER" in output.err
    assert max(map(len, output.err.splitlines())) <= 140
    assert main(["mirror", "sirm", str(tmp_path / "mirror")]) == 3
    assert main(["build", "sirm", "--mirror", str(tmp_path), "--cache-dir", str(tmp_path)]) == 3
    assert not list(tmp_path.iterdir()), "nothing was begun"


# --- what comes of a folder ---------------------------------------------------------------------------------------


def test_every_figure_is_a_row_of_its_case(cases: Path) -> None:
    built = build(cases)
    rows = rows_of(built)
    assert set(rows) == set(FIGURES)
    assert (built.patients, built.dropped, built.incomplete) == (6, 0, False)
    assert built.labels == {"covid19": len(FIGURES)}
    assert {row["label_raw"] for row in rows.values()} == {"COVID-19"}
    assert {row["license"] for row in rows.values()} == {None}
    assert {path: row["patient_id"] for path, row in rows.items()} == {
        path: f"sirm/{int(path.split('/')[0].removeprefix('case-'))}" for path in FIGURES
    }


def test_headers_and_text_reach_the_columns(cases: Path) -> None:
    rows = rows_of(build(cases))
    whole = rows["case-24/85E52EB3-56E9-4D67-82DA-DEA247C82886.jpeg"]
    assert (whole["age"], whole["sex"], whole["date"]) == (78.0, "F", "2020-03-10")
    assert (whole["location"], whole["country"]) == ("Italy", "Italy")
    assert whole["source_url"] == "https://www.sirm.org/2020/03/10/covid-19-caso-24/"
    assert whole["caption"] == TEXT.strip()
    windows = rows["case-2/TC-torace-1.png"]
    assert windows["caption"] == f"Sesso: M\n{TEXT}".strip(), "Windows-1252; what is no header is text"
    assert windows["source_url"] == "https://www.sirm.org/2020/03/03/covid19-caso-2/"
    assert (windows["sex"], windows["age"], windows["location"]) == (None, None, None)
    assert rows["case-71/case_71_figura1.png"]["caption"] == TEXT.strip(), "UTF-16, as an editor of Windows saves it"
    assert rows["case-085/covid-19-caso-85-1-9.png"]["caption"] is None


SHOWN = {
    "case-24/85E52EB3-56E9-4D67-82DA-DEA247C82886.jpeg": (None, None),
    "case-2/covid-19-caso-2-1-PA.jpg": ("CXR", "PA"),
    "case-2/covid-19-caso-2-1-L.jpg": ("CXR", "lateral"),
    "case-2/TC-torace-1.png": ("CT", None),
    "case-13/F051E018-DAD1-4506-AD43-BE4CA29E960B.JPEG": (None, None),
    "case-13/HRCT 2.webp": ("CT", None),
    "case-71/case_71_figura1.png": (None, None),
    "case-085/covid-19-caso-85-1-9.png": (None, None),
    "case-85/RX e TC.gif": (None, None),
    "case-86/covid-19-caso-86-Rx-torace-1.jpg": ("CXR", None),
    "case-86/RX-torace-a-letto-del-paziente-in-unica-proiezione-AP-1-1.jpeg": ("CXR", "AP"),
    "case-86/CT-2.tif": ("CT", None),
}


def test_a_name_says_what_it_shows_or_nothing_does(cases: Path) -> None:
    built = build(cases)
    assert {path: (row["modality"], row["view"]) for path, row in rows_of(built).items()} == SHOWN
    told = {where for kind, where, _ in notices_of(built) if kind == "modality not stated"}
    assert told == {path for path, (modality, _) in SHOWN.items() if modality is None}


def test_a_figure_of_another_format_than_its_name_is_kept_and_judged(cases: Path) -> None:
    row = rows_of(build(cases))["case-2/covid-19-caso-2-1-L.jpg"]
    assert "name says .jpg, content is PNG" in row["quality_reasons"]
    assert row["image"]["bytes"].startswith(b"\x89PNG")


def test_two_folders_of_one_case_are_one_patient(cases: Path) -> None:
    built = build(cases)
    rows = rows_of(built)
    pair = [rows["case-085/covid-19-caso-85-1-9.png"], rows["case-85/RX e TC.gif"]]
    assert {row["patient_id"] for row in pair} == {"sirm/85"}
    assert [row["age"] for row in pair] == [47.0, None]
    assert ("several folders of one case", "case-85", "one patient with case-085") in notices_of(built)


@pytest.mark.parametrize(
    ("date", "known"),
    [("2020-03-10", "2020-03-10"), ("2020-03", "2020-03"), ("2020-13-01", None), ("10 marzo", None)],
)
def test_a_date_that_is_none_is_unknown_and_told(cases: Path, date: str, known: str | None) -> None:
    (cases / "case-86" / "case.txt").write_text(f"date: {date}\n\nIl testo.\n", encoding="utf-8")
    built = build(cases)
    assert rows_of(built)["case-86/CT-2.tif"]["date"] == known
    what = f"date is {date!r}, expected a date as 2020-03-31, 2020-03 or 2020; left unknown"
    told = ("impossible value", "case-86/case.txt", what)
    assert (told in notices_of(built)) == (known is None)


def test_an_age_that_is_none_is_unknown_and_told(cases: Path) -> None:
    built = build(cases)
    row = rows_of(built)["case-13/HRCT 2.webp"]
    assert (row["age"], row["sex"]) == (None, "F")
    assert '"age": "61 anni"' in row["source_row"]
    what = "age is '61 anni', expected a number from 0 to 120; left unknown"
    assert ("impossible value", "case-13/case.txt", what) in notices_of(built)


@pytest.mark.parametrize(
    ("age", "years"),
    [("78", 78.0), ("0,5", 0.5), ("120", 120.0), ("121", None), ("-3", None), ("nan", None), ("1e2", None)],
)
def test_ages(cases: Path, age: str, years: float | None) -> None:
    (cases / "case-24/case.txt").write_text(f"age: {age}\n")
    assert rows_of(build(cases))["case-24/85E52EB3-56E9-4D67-82DA-DEA247C82886.jpeg"]["age"] == years


def test_the_url_of_another_case_is_told_and_ties_both(cases: Path) -> None:
    (cases / "case-24/case.txt").write_text("url: https://www.sirm.org/2020/05/20/covid-19-caso-86/\n")
    built = build(cases)
    assert [where for kind, where, _ in notices_of(built) if kind == "url of another case"] == ["case-24/case.txt"]
    index = Index.read(built.path)
    split = dict(zip(index.texts("patient_id"), index.texts("split"), strict=True))
    assert split["sirm/24"] == split["sirm/86"]
    assert dict(zip(index.texts("patient_id"), index.groups, strict=True))["sirm/24"] in {
        group for group, patient in zip(index.groups, index.texts("patient_id"), strict=True) if patient == "sirm/86"
    }


def test_one_figure_in_two_cases_joins_them_and_is_told(cases: Path) -> None:
    copied = (cases / "case-24/85E52EB3-56E9-4D67-82DA-DEA247C82886.jpeg").read_bytes()
    (cases / "case-86/RX-3.jpg").write_bytes(copied)
    built = build(cases)
    told = [(where, what) for kind, where, what in notices_of(built) if kind == "one file, several patients"]
    first = "sirm/case-24/85E52EB3-56E9-4D67-82DA-DEA247C82886.jpeg"
    assert told == [("sirm/case-86/RX-3.jpg", f"the same bytes as {first}; one group")]
    index = Index.read(built.path)
    splits = dict(zip(index.texts("patient_id"), index.texts("split"), strict=True))
    assert splits["sirm/24"] == splits["sirm/86"]


# --- what is wrong with a folder ----------------------------------------------------------------------------------


def without_its_text(cases: Path) -> str:
    (cases / "case-24/case.txt").unlink()
    return "case-24/case.txt (the text of the page)"


def without_a_figure(cases: Path) -> str:
    (cases / "case-71/case_71_figura1.png").unlink()
    return "case-71/*.(jpg|jpeg|png|webp|gif|tif|tiff) (its figures, as saved; one at least)"


def with_an_empty_figure(cases: Path) -> str:
    (cases / "case-86/CT-2.tif").write_bytes(b"")
    return "case-86/CT-2.tif: expected content, found 0 bytes"


def with_an_empty_text(cases: Path) -> str:
    (cases / "case-86/case.txt").write_bytes(b"")
    return "case-86/case.txt: expected content, found 0 bytes"


@pytest.mark.parametrize("damage", [without_its_text, without_a_figure, with_an_empty_figure, with_an_empty_text])
def test_what_is_missing_is_named_before_anything_is_built(cases: Path, damage: Callable[[Path], str]) -> None:
    said = damage(cases)
    found = covid_datasets.check("sirm", cases)
    assert not found.ok
    assert [*found.missing, *found.damaged] == [said]
    with pytest.raises(IncompleteSourceError) as error:
        build(cases)
    assert f"\n  {said}\n" in str(error.value)
    assert "case-<number>/" in str(error.value)
    assert not (cases.parent / "cache").exists()
    built = build(cases, allow_missing=True)
    assert built.incomplete
    assert built.rows == len(FIGURES) - (damage in (without_a_figure, with_an_empty_figure))


def test_less_than_all_is_built_when_asked_for_and_told(cases: Path) -> None:
    for damage in (without_its_text, without_a_figure, with_an_empty_figure, with_an_empty_text):
        damage(cases)
    told = {(kind, where) for kind, where, _ in notices_of(build(cases, allow_missing=True))}
    assert {
        ("text missing", "case-24/case.txt"),
        ("text without a figure", "case-71/case.txt"),
        ("empty file", "case-86/CT-2.tif"),
        ("text not usable", "case-86/case.txt"),
    } <= told


def test_a_truncated_figure_is_lost_and_told(cases: Path) -> None:
    path = cases / "case-86/covid-19-caso-86-Rx-torace-1.jpg"
    path.write_bytes(path.read_bytes()[:900])
    assert covid_datasets.check("sirm", cases).ok, "a check looks at names and sizes"
    with pytest.raises(IncompleteSourceError, match="covid-19-caso-86-Rx-torace-1.jpg: undecodable"):
        build(cases)
    built = build(cases, allow_missing=True)
    assert (built.rows, built.dropped, built.incomplete) == (len(FIGURES) - 1, 1, True)


def test_files_that_do_not_belong_are_told_and_left_alone(cases: Path) -> None:
    for name in ("case-24/report.docx", "index.html", "Caso 7/RX.jpg", "case-x/RX.jpg", "case-24/deep/RX.jpg"):
        (cases / name).parent.mkdir(exist_ok=True)
        (cases / name).write_bytes(chest(50))
    built = build(cases)
    assert set(rows_of(built)) == set(FIGURES)
    extra = sorted(where.removeprefix(f"{cases}/") for kind, where, _ in notices_of(built) if kind == "extra file")
    assert extra == ["Caso 7/RX.jpg", "case-24/deep/RX.jpg", "case-24/report.docx", "case-x/RX.jpg", "index.html"]
    assert [where.removeprefix(f"{cases}/") for where in covid_datasets.check("sirm", cases).extra] == extra


def test_what_a_system_leaves_behind_changes_nothing(cases: Path) -> None:
    built = build(cases)
    for name in ("case-86/Thumbs.db", "desktop.ini", "case-2/.DS_Store", "case-2/._TC-torace-1.png"):
        (cases / name).write_bytes(b"made by looking at the folder")
    assert build(cases).path == built.path
    assert "extra file" not in {kind for kind, _, _ in notices_of(built)}


@pytest.mark.parametrize("form", ["deep", "upper"])
def test_the_same_cases_elsewhere_and_spelled_otherwise(cases: Path, tmp_path: Path, form: str) -> None:
    for name in [*TEXTS, "case-85/case.txt", *FIGURES]:
        moved = tmp_path / form / ("a/b/" + name if form == "deep" else name.upper())
        moved.parent.mkdir(parents=True, exist_ok=True)
        moved.write_bytes((cases / name).read_bytes())
    built, again = build(cases), build(tmp_path / form)
    assert (again.rows, again.patients, again.labels) == (built.rows, built.patients, built.labels)
    assert [row["caption"] for row in rows_of(again).values()].count(None) == 1
    if form == "deep":
        assert again.fingerprint == built.fingerprint
