"""Datasets of ours: under their schemes, and under a table of one's own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import covid_datasets as cd
from covid_datasets import audit, build_dataset, load_splits
from covid_datasets.catalog.own import OwnData
from covid_datasets.cli import main
from covid_datasets.errors import NotBuiltError, UsageError
from tests.audits.cohort import LEAKS, Leak, cohort, write_csv, write_files


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    build_dataset("phantom", "small", cache_dir=folder)
    return folder


def split_of_ours(cache: Path, place: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = load_splits("phantom", config="small", cache_dir=cache).to_pylist()
    with (place / "my.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ("sample_id", "split", "sha256"))
        writer.writeheader()
        writer.writerows({name: row[name] for name in writer.fieldnames} for row in rows)
    return rows


@pytest.mark.parametrize("scheme", ["patient", "fold-1-of-2"])
def test_our_schemes_do_not_leak(cache: Path, scheme: str) -> None:
    report = audit("phantom", scheme, level="quick", config="small", cache_dir=cache)
    assert (report.leaks, report.scheme, report.dataset, report.level) == (0, scheme, "phantom", "quick")
    assert sum(report.rows.values()) == len(report.samples)


def test_a_table_of_ones_own_for_a_dataset_of_ours(cache: Path, tmp_path: Path) -> None:
    rows = split_of_ours(cache, tmp_path)
    table = tmp_path / "my.csv"
    assert audit("phantom", split=table, level="quick", config="small", cache_dir=cache).leaks == 0
    first = next(row for row in rows if row["split"] == "train" and row["patient_known"])
    text = table.read_text().replace(f"{first['sample_id']},train", f"{first['sample_id']},test")
    table.write_text(text)
    report = audit("phantom", split=table, level="quick", config="small", cache_dir=cache)
    assert report.leaks
    assert report.pairs[0].patients == (first["patient_id"],) * 2
    assert first["sample_id"] in {name for pair in report.pairs for name in (pair.first, pair.second)}
    honest = report.save_no_leaks(tmp_path / "honest.csv")
    assert audit("phantom", split=honest, level="quick", config="small", cache_dir=cache).leaks == 0


@pytest.mark.parametrize("column", ["sha256", "file"])
def test_rows_are_found_by_hash_and_by_the_end_of_the_name(cache: Path, column: str) -> None:
    rows = load_splits("phantom", config="small", cache_dir=cache).to_pylist()
    names = {row["sample_id"]: row["sample_id"].partition("/")[2] for row in rows}
    table = [{"sha256": row["sha256"], "file": names[row["sample_id"]], "split": row["split"]} for row in rows]
    given = [{column: row[column], "split": row["split"]} for row in table]
    report = audit("phantom", split=given, level="quick", config="small", cache_dir=cache)
    assert (report.leaks, len(report.samples)) == (0, len(rows))


def test_rows_that_are_in_no_build_are_told(cache: Path) -> None:
    rows = load_splits("phantom", config="small", cache_dir=cache).to_pylist()
    given = [{"file": row["sample_id"], "split": row["split"]} for row in rows[:4]] + [
        {"file": "x.png", "split": "test"}
    ]
    report = audit("phantom", split=given, level="quick", config="small", cache_dir=cache)
    assert [(each.kind, each.count) for each in report.notices if each.kind == "row not there"] == [
        ("row not there", 1)
    ]
    with pytest.raises(UsageError, match="such as 'phantom/"):
        audit("phantom", split=given[-1:], config="small", cache_dir=cache)


def test_what_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="covid-datasets build phantom"):
        audit("phantom", cache_dir=tmp_path)


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_in_the_official_split_of_a_build(leak: Leak, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "ward", cohort(leak))
    write_csv(folder / "list.csv", cohort(leak))
    name = OwnData(folder, patient="patient_id", findings={"a": "covid19", "b": "no_finding"})
    built = build_dataset(name, cache_dir=tmp_path / "cache")
    assert built.rows == 7
    report = audit(name, "official", level="quick", cache_dir=tmp_path / "cache")
    assert [pair.kind for pair in report.pairs] == [leak]
    assert [gone.split for gone in report.removed] == ["train"]
    ours = audit(name, level="quick", cache_dir=tmp_path / "cache")
    assert ours.leaks == 0, "our own split keeps both together"


def test_a_clean_build(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "ward", cohort())
    write_csv(folder / "list.csv", cohort())
    name = OwnData(folder, patient="patient_id", findings={"a": "covid19", "b": "no_finding"})
    build_dataset(name, cache_dir=tmp_path / "cache")
    assert audit(name, "official", level="quick", cache_dir=tmp_path / "cache").leaks == 0


def test_a_build_is_looked_at_thoroughly_unless_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_files(tmp_path / "ward", cohort("registered"))
    write_csv(folder / "list.csv", cohort("registered"))
    name = OwnData(folder, patient="patient_id", findings={"a": "covid19", "b": "no_finding"})
    build_dataset(name, cache_dir=tmp_path / "cache")
    report = audit(name, "official", cache_dir=tmp_path / "cache")
    assert ([pair.kind for pair in report.pairs], report.level) == (["registered"], "thorough")
    with monkeypatch.context() as without:
        without.setattr("covid_datasets.audits.weighed.is_installed", lambda module: module != "cv2")
        report = audit(name, "official", cache_dir=tmp_path / "cache")
        assert (report.leaks, report.level) == (0, "quick")
        assert "OpenCV is not installed; with pip install 'covid_datasets[audit]' it finds" in report.why
    monkeypatch.setattr("covid_datasets.audits.weighed.MOST", 6)
    report = audit(name, "official", cache_dir=tmp_path / "cache")
    assert (report.leaks, report.level) == (0, "quick")
    assert report.why.startswith("7 pictures, more than 6; --level thorough finds")


def test_the_command_takes_a_scheme(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--level", "quick", "--config", "small", "--cache-dir", str(cache)]
    assert main(["audit", "phantom", "--scheme", "fold-1-of-2", "--fail-on-leak", *place]) == 0
    assert "phantom, scheme 'fold-1-of-2'" in capsys.readouterr().out
    assert main(["audit", "phantom", "--scheme", "fold-1-of-2", "--json", *place]) == 0
    assert '"leaks": 0' in capsys.readouterr().out


def test_importing_the_room_leaves_the_function() -> None:
    import covid_datasets.audits.finder as finder

    assert callable(finder.find_copies)
    assert callable(cd.audit)


def test_a_build_that_only_hashed_its_bytes_is_looked_at(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "ward", cohort("near-duplicate"))
    write_csv(folder / "list.csv", cohort("near-duplicate"))
    name = OwnData(folder, patient="patient_id", findings={"a": "covid19", "b": "no_finding"})
    build_dataset(name, verify="bytes", cache_dir=tmp_path / "cache")
    for level in ("quick", None):
        report = audit(name, "official", level=level, cache_dir=tmp_path / "cache")
        assert ([pair.kind for pair in report.pairs], report.pictures) == (["near-duplicate"], 7)
    assert report.level == "thorough"


def test_pictures_that_the_catalog_tells_apart_are_no_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_files(tmp_path / "ward", cohort("near-duplicate"))
    write_csv(folder / "list.csv", cohort("near-duplicate"))
    name = OwnData(folder, patient="patient_id", findings={"a": "covid19", "b": "no_finding"})
    build_dataset(name, cache_dir=tmp_path / "cache")
    pair = frozenset(("own.ward/p0.png", "own.ward/again.jpg"))
    monkeypatch.setattr("covid_datasets.audits.weighed.told_apart", lambda: {pair: "their doctor says so"})
    assert audit(name, "official", level="quick", cache_dir=tmp_path / "cache").leaks == 0
    assert audit(folder, split=folder / "list.csv", level="quick").leaks == 1, "of other data the catalog knows nothing"
