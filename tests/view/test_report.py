"""The report of builds: whole, harmless, readable, and the same content for machines."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from covid_datasets import build_dataset, find_build, load_splits, report
from covid_datasets.cli import main
from covid_datasets.errors import NotBuiltError, UsageError
from tests.small import SmallSources
from tests.view.pages import Page, is_harmless, is_readable

ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]


def test_the_page_has_what_the_build_has(cache: Path) -> None:
    built = find_build("phantom", "small", cache_dir=cache)
    found = report("phantom", "small", cache_dir=cache)
    page = Page(found.html)
    assert is_harmless(page)
    assert is_readable(page)
    assert built.fingerprint in page.text
    for caption in ("Rows", "Labels", "Sex", "Age in years", "Views", "Grades", "Masks", "Scheme patient"):
        assert caption in page.captions
    assert 0 < len(page.images) <= 24
    assert any("outlined in" in image["alt"] for image in page.images)
    assert "no leak found" in page.text
    assert len(found.html) < 1_000_000


def test_how_ill_somebody_was_is_told_wherever_a_source_says_it(small: SmallSources) -> None:
    """Cohen's has no words for severity, and scores of readers; no outcome, and whether somebody lived."""
    small.build("cohen")
    page = Page(report("cohen", cache_dir=small.cache).html)
    assert "Severity scores: rows that have one" in page.captions
    assert "Survival: what the source says about death" in page.captions
    assert "The source does not tell: severity, outcome." in page.text
    told = report("cohen", cache_dir=small.cache).to_json()["builds"][0]["counts"]
    assert {name: sum(of.values()) for name, of in told["severity scores"].items()} == {
        "geographic_extent": 2,
        "opacity": 2,
    }
    assert {name: sum(of.values()) for name, of in told["survival"].items()} == {"lived": 2, "died": 1, "unknown": 10}


def test_json_has_the_same_counts(cache: Path, capsys: Capture) -> None:
    built = find_build("phantom", "small", cache_dir=cache)
    assert main(["report", "phantom", "--config", "small", "--json", "--cache-dir", str(cache)]) == 0
    (told,) = json.loads(capsys.readouterr().out)["builds"]
    assert told["fingerprint"] == built.fingerprint
    for column in ("label", "sex", "age", "modality", "quality"):
        of = told["counts"][column]
        assert sum(sum(splits.values()) for splits in of.values()) == built.rows
        for split, rows in built.splits.items():
            assert sum(splits.get(split, 0) for splits in of.values()) == rows
    labels = {label: sum(splits.values()) for label, splits in told["counts"]["label"].items()}
    assert labels == dict(built.labels)
    page = Page(report("phantom", "small", cache_dir=cache).html)
    assert all(f"{label}" in page.text for label in labels)
    assert [image["alt"].split(",")[0] for image in page.images] == [
        f"Picture of {each['sample_id']}" for each in told["pictures"]
    ]


def test_the_command_writes_the_page_or_nothing(cache: Path, tmp_path: Path, capsys: Capture) -> None:
    ask = ["report", "phantom", "--config", "small", "--cache-dir", str(cache)]
    assert main([*ask, "-o", str(tmp_path / "report.html")]) == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert main([*ask, "-o", str(tmp_path / "no" / "such.html")]) == 1
    assert main([*ask, "-o", str(tmp_path)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    capsys.readouterr()
    assert main(ask) == 0
    assert "fingerprint" in capsys.readouterr().out


def test_the_tables_have_every_sample_and_all_that_was_dropped(small: SmallSources, tmp_path: Path) -> None:
    built = small.build("cohen")
    ask = ["report", "cohen", "--cache-dir", str(small.cache), "--tables", str(tmp_path / "new" / "folder")]
    assert main(ask) == 0
    tables = {
        path.name: list(csv.DictReader(path.open(encoding="utf-8", newline="")))
        for path in (tmp_path / "new" / "folder").iterdir()
    }
    splits = {row["sample_id"]: row["split"] for row in load_splits("cohen", cache_dir=small.cache).to_pylist()}
    groups = {row["sample_id"]: row["group_id"] for row in tables["id_map.csv"]}
    assert {row["sample_id"]: row["split"] for row in tables["id_map.csv"]} == splits
    assert len(set(groups.values())) == built.groups
    kept = [row for row in tables["qc.csv"] if row["state"] == "kept"]
    assert [row["sample_id"] for row in kept] == [row["sample_id"] for row in tables["id_map.csv"]]
    assert all(row["file"] and row["quality"] for row in kept)
    dropped = [row for row in tables["qc.csv"] if row["state"] == "dropped"]
    assert sum(int(row["count"]) for row in dropped) == built.dropped > 0
    assert all(row["reasons"] for row in dropped)


def test_the_same_build_gives_the_same_page(cache: Path) -> None:
    first, again = (report("phantom", "small", cache_dir=cache).html for _ in range(2))
    assert first == again


def test_what_is_asked_for_wrongly_is_told(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError):
        report("phantom", "small", cache_dir=tmp_path)
    with pytest.raises(UsageError, match="against: expected one dataset"):
        report(["phantom", "cohen"], against="phantom", cache_dir=cache)
    with pytest.raises(UsageError, match="config: expected one dataset"):
        report(["phantom", "cohen"], "small", cache_dir=cache)


def test_a_notebook_shows_it_in_a_frame_where_nothing_runs(cache: Path) -> None:
    shown = report("phantom", "small", cache_dir=cache)._repr_html_()
    assert shown.startswith("<iframe sandbox ")
    assert shown.count("<") == 2


def test_a_build_against_itself_and_against_a_larger_one(cache: Path, tmp_path: Path) -> None:
    small = find_build("phantom", "small", cache_dir=cache)
    same = report("phantom", "small", against=small.path, cache_dir=cache)
    assert same.change
    assert same.change.is_same
    assert same.change.differences == ()
    larger = build_dataset("phantom", cache_dir=tmp_path, num_proc=1)
    found = report("phantom", against=str(small.path), cache_dir=tmp_path)
    assert found.change
    counts = {each.kind: each.count for each in found.change.differences}
    assert counts.get("new", 0) - counts.get("gone", 0) == larger.rows - small.rows
    page = Page(found.html)
    assert is_harmless(page)
    assert is_readable(page)
    assert "Rows by label" in page.captions
    told = json.loads(json.dumps(found.to_json()))["change"]
    assert told["counts"]["rows"]["all"] == {"first": small.rows, "second": larger.rows}
    assert "against phantom@1, config small: not the same" in str(found)


@pytest.mark.parametrize(("name", "config"), [("jhu_csse", None), ("pocus", "videos"), ("mosmed", "volumes")])
def test_tables_videos_and_volumes(small: SmallSources, name: str, config: str | None) -> None:
    built = small.build(name, config=config)
    found = report(name, built.config, i_have_the_rights=True, cache_dir=small.cache)
    page = Page(found.html)
    assert is_harmless(page)
    assert is_readable(page)
    json.dumps(found.to_json())
    if built.columns:
        assert "Columns of the table" in page.captions
        assert not page.images
        assert "It is a table" in page.text
    else:
        assert page.images


def test_several_sources_show_labels_against_sources(small: SmallSources) -> None:
    for name in ("cohen", "hannover"):
        small.build(name)
    found = report(["cohen", "hannover"], cache_dir=small.cache)
    page = Page(found.html)
    assert is_harmless(page)
    assert is_readable(page)
    assert "Label against source" in page.captions
    assert found.together
    rows = {name: sum(of.get(name, 0) for of in found.together.labels.values()) for name in ("cohen", "hannover")}
    assert rows == {each.built.id: each.built.rows for each in found.builds}
    json.dumps(found.to_json())


def test_what_was_measured_of_another_build_is_said_to_be(small: SmallSources) -> None:
    small.build("cohen")
    found = report("cohen", cache_dir=small.cache)
    page = Page(found.html)
    assert "measured of another build: 2020-06-22, config default, fingerprint " in page.text
    assert "Confounded: " in page.text, "of this version and config"
    assert "`" not in page.text.partition("Confounded: ")[2].partition("\n")[0], "a command is shown as one"
    assert found.to_json()["builds"][0]["confounding"]["of_this_build"] is False


def test_a_licence_that_says_nothing_shows_no_picture(small: SmallSources) -> None:
    small.build("covid_ct")
    found = report("covid_ct", cache_dir=small.cache)
    page = Page(found.html)
    assert not page.images
    assert "No picture is shown" in page.text
    assert Page(report("covid_ct", i_have_the_rights=True, cache_dir=small.cache).html).images


def test_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COVID_DATASETS_CACHE", str(tmp_path / "cache"))
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    (code,) = [part.partition("```")[0] for part in text.split("```python\n")[1:]]
    exec(compile(code, "docs/report.md", "exec"), {})
    assert (tmp_path / "report.html").exists()
