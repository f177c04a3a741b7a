"""Records of a source as a part of another, and tables of scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from covid_datasets.errors import ColumnMissingError
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.parts import records_of_part
from covid_datasets.read.scores import read_scores
from covid_datasets.schema import File, Notice, RawFiles, Record


def films(raw: RawFiles) -> Iterator[Record | Notice]:
    """Stand for the builder of the part."""
    for path in raw.paths("images/*"):
        yield Notice("odd", path, "it is odd", dropped=True)
        masks = {"lung": File("masks/1.png")}
        yield Record(
            sample_id="1.png",
            image=File(path),
            modality="CXR",
            patient="7",
            ties=("patient:8", "article:x"),
            masks=masks,
        )


def tree_of(folder: Path, *paths: str) -> RawTree:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("a\n", encoding="utf-8")
    return RawTree.of_folder(folder)


def test_all_that_a_part_names_gets_the_name_of_the_part(tmp_path: Path) -> None:
    raw = tree_of(tmp_path, "fig/table.csv", "fig/images/1.png", "other/images/2.png")
    notice, record = records_of_part(films, raw, "fig", "table.csv")
    assert notice == Notice("odd", "fig/images/1.png", "it is odd")
    assert isinstance(record, Record)
    assert (record.sample_id, record.patient) == ("fig/1.png", "fig-7")
    assert (record.image, record.masks["lung"]) == (File("fig/images/1.png"), File("fig/masks/1.png"))
    assert record.ties == ("patient:fig-8", "article:x")


def test_a_part_without_its_table_is_told_and_an_absent_one_is_not(tmp_path: Path) -> None:
    raw = tree_of(tmp_path, "fig/images/1.png")
    (notice,) = records_of_part(films, raw, "fig", "table.csv")
    assert isinstance(notice, Notice)
    assert (notice.kind, notice.where) == ("table missing", "fig/table.csv")
    assert list(records_of_part(films, raw, "other", "table.csv")) == []


COLUMNS = {"extent": ("Extent", 8.0), "opacity": ("Opacity", 6.0)}


def test_scores_are_read_by_picture(tmp_path: Path) -> None:
    text = "set,file,Extent,Opacity\na,1.png,2.5,3\na,2.png,,7\nb,1.png,0,?\n"
    (tmp_path / "scores.csv").write_text(text, encoding="utf-8")
    raw = RawTree.of_folder(tmp_path)
    scores, notices = read_scores(raw, "scores.csv", COLUMNS, ("set", "file"), known={"a/1.png", "a/2.png"})
    assert scores == {"a/1.png": {"extent": 2.5, "opacity": 3.0}, "a/2.png": {}}
    assert [(notice.kind, notice.where) for notice in notices] == [
        ("row of nothing known", "b/1.png"),
        ("impossible value", "scores.csv: a/2.png"),
    ]
    scores, notices = read_scores(raw, "scores.csv", COLUMNS, ("set", "file"), unknown=("?", "7"))
    assert (scores["b/1.png"], notices) == ({"extent": 0.0}, [])


def test_a_table_of_scores_that_is_missing_or_changed(tmp_path: Path) -> None:
    scores, notices = read_scores(RawTree.of_folder(tmp_path), "scores.csv", COLUMNS, ("file",))
    assert (scores, [notice.kind for notice in notices]) == ({}, ["table missing"])
    (tmp_path / "scores.csv").write_text("file,Extent,opacity mean\n1.png,1,1\n", encoding="utf-8")
    with pytest.raises(ColumnMissingError, match="Opacity"):
        read_scores(RawTree.of_folder(tmp_path), "scores.csv", COLUMNS, ("file",))
