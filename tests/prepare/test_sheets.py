"""The spreadsheets of a build: what its rows say, written as they come, and nothing of it runs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import build_dataset, verify
from covid_datasets.prepare import plan
from covid_datasets.prepare.place import LocalPlace
from covid_datasets.prepare.sheets import ID_MAP_FILE, QC_FILE, STORED, write_sheets
from covid_datasets.view.report.tables import save_tables
from tests.small import SmallSources

BUILD = {"id": "own", "version": "1", "config": "all"}
SHEETS = (QC_FILE, ID_MAP_FILE)


def row(number: int, **told: Any) -> dict[str, Any]:
    found = dict.fromkeys(STORED) | {"sample_id": f"own/{number}", "quality_reasons": ["small"], "flags": []}
    return found | {"split": "train", "file": f"{number}.png", "group_id": "own/a"} | told


def lines(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(encoding="utf-8", newline="")))


@pytest.mark.parametrize(
    ("name", "config"),
    [("cohen", None), ("mosmed", "volumes"), ("mosmed", None), ("pocus", "videos"), ("jhu_csse", None)],
)
def test_they_say_what_the_rows_of_the_build_say(
    name: str, config: str | None, small: SmallSources, tmp_path: Path
) -> None:
    """Those of a build come from the indices of its pieces, those of a report from its rows."""
    built = small.build(name, config=config)
    for path in save_tables([built], tmp_path):
        assert (built.path / path.name).read_bytes() == path.read_bytes()
    assert {*SHEETS} <= built.manifest()["files"].keys()
    assert len(lines(built.path / ID_MAP_FILE)) == (0 if built.columns else built.rows)
    dropped = [each for each in lines(built.path / QC_FILE) if each["state"] == "dropped"]
    assert sum(int(each["count"]) for each in dropped) == built.dropped


def test_changed_ones_are_found(tmp_path: Path) -> None:
    built = build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    assert verify(built.path).ok
    sheet = built.path / ID_MAP_FILE
    sheet.write_bytes(sheet.read_bytes().replace(b"P00000", b"P99999", 1))
    assert ID_MAP_FILE in str(verify(built.path).problems)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1", " =1", "a\r\n=1", "\x1b[31m", "\u202e=1", '",=1'])
def test_nothing_in_them_runs(text: str, tmp_path: Path) -> None:
    hostile = row(1, sample_id=text, patient_id=text, file=text, flags=[text], quality_reasons=[text], source_url=text)
    notice = {"dropped": True, "where": text, "count": 1, "kind": text, "what": text}
    for path in write_sheets(tmp_path, [(BUILD | {"version": text}, [hostile], [notice])]):
        found = lines(path)
        assert len(found) == (2 if path.name == QC_FILE else 1)
        for cell in (cell for each in found for cell in each.values()):
            assert cell.isprintable()
            assert not cell.lstrip().startswith(("=", "+", "-", "@"))


def test_rows_are_written_as_they_come_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        for number in range(5000):
            yield row(number)
        written.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
        raise OSError("the disk is full")

    written: list[int] = []
    with pytest.raises(OSError, match="full"):
        write_sheets(tmp_path, [(BUILD, rows(), ())])
    assert written[0] > 300_000, "most of it is on the disk before the last row is asked for"
    assert list(tmp_path.iterdir()) == []


def test_pieces_of_an_older_form_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone begins a build, updates the library, and goes on: pieces without what the sheets need are not used."""
    monkeypatch.setattr(plan, "PIECE_FORMAT", 1)
    monkeypatch.setattr(LocalPlace, "bring_indices", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    (old,) = (tmp_path / "prepared" / ".work").glob("*/pieces-*")
    assert list(old.glob("piece-*/index.arrow"))
    for index in old.glob("piece-*/index.arrow"):
        index.write_bytes(b"x" * index.stat().st_size)
    monkeypatch.undo()
    built = build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    assert len(lines(built.path / ID_MAP_FILE)) == built.rows == 42
