"""What is special about CORD-19: a table in cuts, two schemas, and the parses that several papers share."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from covid_datasets.builders import cord19 as builder

from covid_datasets import build_dataset, load_dataset
from covid_datasets.errors import IncompleteSourceError, UsageError
from covid_datasets.prepare.result import Built
from tests.sources import cord19 as source

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
FIRST = f"{source.PDF}/{source.FIRST}.json"


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Built]:
    def build(name: str = "cord19", config: str = "metadata", cache: str = "cache", **options: Any) -> Built:
        folder = tmp_path / "raw"
        source.write_unpacked(folder)
        for path, text in options.pop("changes", {}).items():
            (folder / path).unlink()
            if text is not None:
                (folder / path).write_text(text, encoding="utf-8", newline="")
        return build_dataset(name, config, data_dir=folder, cache_dir=tmp_path / cache, num_proc=1, **options)

    return build


def rows(built: Built) -> list[dict[str, Any]]:
    options: dict[str, Any] = {"cache_dir": built.path.parents[4], "framework": "numpy", "allow_missing": True}
    return list(load_dataset(f"cord19@{built.version}", built.config, split="train", **options))


def told(built: Built, kind: str) -> list[str]:
    found = [notice for notice in built.manifest()["notices"] if notice["kind"] == kind]
    return [f"{notice['where']}: {notice['what']}" for notice in found]


def test_cuts_change_no_row(build: Callable[..., Built], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows(build())
    monkeypatch.setattr(builder, "CUT_BYTES", 1)
    cut = build(cache="other")
    assert rows(cut) == whole
    assert told(cut, "not a whole number") == []
    assert "metadata.csv from line 6" in told(cut, "after 2022-06-02, when this was published")[0]


def test_a_cord_uid_twice_is_told_and_kept(build: Callable[..., Built]) -> None:
    built = build()
    assert [row["title"] for row in rows(built) if row["cord_uid"] == "aaaa1111"] == ["One, two", "Again"]
    assert told(built, "row listed twice") == ["metadata.csv: 1 rows have the cord_uid of an earlier one; all are kept"]


def test_the_first_schema(build: Callable[..., Built]) -> None:
    lacking = {"arxiv_id", "pdf_json_files", "pmc_json_files", "url", "s2_id"}
    table = list(csv.DictReader(io.StringIO(source.METADATA, newline="")))
    kept = [name for name in table[0] if name not in lacking]
    old = {"mag_id": "Microsoft Academic Paper ID", "who_covidence_id": "WHO #Covidence"}
    out = io.StringIO(newline="")
    lines = csv.writer(out)
    lines.writerow([*(old.get(name, name) for name in kept), "has_full_text", "full_text_file"])
    lines.writerows([*(row[name] for name in kept), "True", "custom_license"] for row in table)
    text = out.getvalue().replace("2022-12-31", "2020-12-31")
    built = build("cord19@2020-05-01", changes={"metadata.csv": text}, allow_missing=True)
    found = rows(built)
    assert {row[name] for row in found for name in lacking} == {None}
    assert [row["who_covidence_id"] for row in found] == [None, "#727756", None, None]
    assert found[2]["publish_time"] == "2020", "a last of December that was still to come"
    assert told(built, "unknown column") == []
    with pytest.raises(UsageError, match="last release alone"):
        build("cord19@2020-05-01", "text", allow_missing=True)


def test_paragraphs_in_order_with_the_paper_that_lists_them(build: Callable[..., Built]) -> None:
    built = build(config="text")
    found = {(row["parse"], row["paper_id"], row["number"]): row for row in rows(built)}
    parts = [(row["part"], row["section"], row["text"]) for key, row in sorted(found.items()) if source.FIRST in key]
    assert parts == [
        ("title", None, "One, two"), ("abstract", "Abstract", "In two lines"), ("body_text", "Methods", "We é."),
        ("body_text", None, "So."),
    ]  # fmt: skip
    assert {row["cord_uid"] for row in found.values()} == {"aaaa1111"}
    assert told(built, "parse of several papers") == [
        "metadata.csv: 1 times a later row names it; its text has the first cord_uid"
    ]


def test_without_the_parses_it_says_how_to_get_them(build: Callable[..., Built]) -> None:
    gone = dict.fromkeys(source.PARSES)
    with pytest.raises(IncompleteSourceError, match=r"Download https://ai2-semanticscholar.*Unpack it once"):
        build(config="text", changes=gone)
    assert build(changes=gone).rows == 4, "the table needs none of them"


def test_the_inner_archive_packed_is_the_same(build: Callable[..., Built], tmp_path: Path) -> None:
    unpacked = build(config="text")
    packed = tmp_path / "2022-06-02"
    packed.mkdir()
    (packed / "metadata.csv").write_text(source.METADATA, encoding="utf-8", newline="")
    with tarfile.open(packed / "document_parses.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "raw" / "document_parses", "document_parses")
    built = build_dataset("cord19", "text", data_dir=packed, cache_dir=tmp_path / "other", num_proc=1)
    assert built.fingerprint == unpacked.fingerprint


def test_parses_that_are_gone_or_listed_by_none(build: Callable[..., Built]) -> None:
    with pytest.raises(IncompleteSourceError):
        build(config="text", changes={FIRST: None})
    built = build(config="text", changes={FIRST: None}, allow_missing=True)
    assert told(built, "missing file") == [f"{FIRST}: metadata.csv lists it, but the file is not there"]
    table = source.METADATA.replace(f"{source.PMC}/PMC7357256.xml.json", "")
    stray = build(config="text", changes={"metadata.csv": table})
    assert told(stray, "file not in the table") == ["document_parses/: 1 files are not listed; they have no cord_uid"]
    assert {row["cord_uid"] for row in rows(stray) if row["parse"] == "pmc_json"} == {None}


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "null", '{"paper_id": "x"}', '{"paper_id": "x", "metadata": {"title": 5}}', "[" * 100_000,
     '{"paper_id": "x", "metadata": {}, "body_text": ["text"]}',
     '{"paper_id": "x", "metadata": {}, "body_text": [{"text": null}]}'],
)  # fmt: skip
def test_a_parse_that_is_none_is_lost_alone(build: Callable[..., Built], text: str) -> None:
    built = build(config="text", changes={FIRST: text}, allow_missing=True)
    assert len(told(built, "damaged file")) == 1
    assert FIRST in told(built, "damaged file")[0]
    assert {row["paper_id"] for row in rows(built)} == {source.SECOND, "PMC7357256"}
