"""A source of images with tables beside them: configs of one card, each built, checked and loaded as what it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from covid_datasets import audit, build_dataset, load_dataset, verify
from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import UsageError
from covid_datasets.schema import COLUMNS
from covid_datasets.view.page import page
from tests.sources import chest
from tests.tiny import CARD, installed

FORMS = """
[official_split]
names = ["train", "test"]
summary = "By the list."

[configs.films]
summary = "The films."

[configs.stays]
summary = "A row a day in hospital, joined with its ward."
resources = ["stays", "wards"]

[configs.stays.columns]
patient = "string"
day = "date32"
ward = "string"

[configs.wards]
summary = "A row a ward."
resources = ["wards"]

[configs.wards.columns]
ward = "string"
beds = "int64"

[versions.1]
resources = ["films"]
images = 4

[[resources]]
name = "films"
kind = "folder"
files = [{ glob = "films/*.png", what = "a film", required = true }]
steps = ["Save them."]

[[resources]]
name = "stays"
path = "stays.csv"
steps = ["Save it."]

[[resources]]
name = "wards"
path = "wards.csv"
steps = ["Save it."]
"""
NOBODY = ('known = "all"', 'known = "none"\ngroup = "all"\nwarning = "Nobody knows them."')
BUILDER = '''
"""Films, and the stays of their people."""

from covid_datasets.read.cells import Columns, day, whole
from covid_datasets.read.rows import rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Record, Rows


def records(raw):
    if raw.config == "films":
        for number, path in enumerate(raw.paths("films/*.png")):
            split = ("train", "test")[number % 2]
            yield Record(sample_id=path, image=File(path), modality="CXR", official_split=split, source_row={})
    elif raw.config == "stays":
        yield Record(sample_id="stays", rows=Rows("stays.csv", stays, (), ("stays.csv", "wards.csv")))
    else:
        yield Record(sample_id="wards", rows=Rows("wards.csv", wards, (), ("wards.csv",)))


def stays(raw):
    names = read_csv(raw, "wards.csv", required=("id", "name", "beds")).rows
    joined, notices = rows_by(names, lambda row: row["id"], "wards.csv")
    yield from notices
    table, columns = read_csv(raw, "stays.csv", required=("patient", "day", "ward")), Columns()
    yield {
        "patient": [row["patient"] for row in table.rows],
        "day": columns.values(day, [row["day"] for row in table.rows], "day"),
        "ward": [joined[row["ward"]][0]["name"] if row["ward"] in joined else None for row in table.rows],
    }
    yield from columns.notices("stays.csv")


def wards(raw):
    table, columns = read_csv(raw, "wards.csv", required=("id", "name", "beds")), Columns()
    yield {
        "ward": [row["name"] for row in table.rows],
        "beds": columns.values(whole, [row["beds"] for row in table.rows], "beds"),
    }
'''


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "tree"
    (folder / "films").mkdir(parents=True)
    for number in range(4):
        (folder / "films" / f"{number}.png").write_bytes(chest(number, modality="CXR"))
    (folder / "stays.csv").write_text("patient,day,ward\na,2020-03-01,1\na,2020-03-02,2\nb,soon,1\n", encoding="utf-8")
    (folder / "wards.csv").write_text("id,name,beds\n1,North,20\n2,South,\n", encoding="utf-8")
    card = CARD.replace(*NOBODY) + FORMS
    with installed(tmp_path / "library", monkeypatch, {"tiny": card}, {"tiny": BUILDER}):
        monkeypatch.setenv("COVID_DATASETS_CACHE", str(tmp_path / "cache"))
        yield folder


def test_each_config_is_what_it_is(tree: Path) -> None:
    films = build_dataset("tiny", data_dir=tree, num_proc=1)
    stays = build_dataset("tiny", "stays", data_dir=tree, num_proc=1)
    wards = build_dataset("tiny", "wards", data_dir=tree, num_proc=1)
    assert (films.rows, films.columns, films.splits["train"]) == (4, {}, 4)
    assert [each["scheme"] for each in films.manifest()["audits"]] == ["patient", "official"]
    assert (stays.rows, stays.splits, stays.manifest()["audits"]) == (3, {"train": 3}, [])
    assert {(notice["kind"], notice["where"]) for notice in stays.manifest()["notices"]} >= {("not a day", "stays.csv")}
    assert all(verify(built.path).ok for built in (films, stays, wards))
    assert "one group" in films.report()
    assert "one group" not in stays.report(), "rows of a table are nobody's"
    rows = load_dataset("tiny", "stays", split="train", data_dir=tree, framework="pandas")
    assert rows["ward"].tolist() == ["North", "South", "North"]
    assert load_dataset("tiny", "wards", split="train", data_dir=tree, framework="numpy")[1] == {
        "ward": "South",
        "beds": None,
    }
    images = load_dataset("tiny", split="train", data_dir=tree, framework="numpy")
    assert {*images[0]} >= {*COLUMNS} - {"volume"}


def test_a_table_needs_nothing_of_the_images(tree: Path) -> None:
    for path in (tree / "films").iterdir():
        path.unlink()
    (tree / "films").rmdir()
    assert build_dataset("tiny", "wards", data_dir=tree, num_proc=1).rows == 2


def test_a_stream_before_the_build_gives_the_rows_of_its_config(tree: Path) -> None:
    pytest.importorskip("datasets")
    stream = load_dataset("tiny", "stays", data_dir=tree, streaming=True)["train"]
    assert [row["patient"] for row in stream] == ["a", "a", "b"]
    assert {*next(iter(load_dataset("tiny", data_dir=tree, streaming=True)["train"]))} >= {"image", "label"}


def test_what_only_images_can_do_names_the_config(tree: Path) -> None:
    with pytest.raises(UsageError, match="tiny, config 'stays', is a table without images"):
        load_dataset("tiny", "stays", data_dir=tree, framework="torch")
    build_dataset("tiny", "stays", data_dir=tree, num_proc=1)
    with pytest.raises(UsageError, match="tiny, config 'stays', is a table without images"):
        audit("tiny", config="stays")


def test_its_page_has_the_columns_of_each_table(tree: Path) -> None:
    text = page(load_card("tiny"))
    assert "Tables beside the images" in text
    assert "Config `wards`:" in text
    assert "| `beds` | int64 |" in text
    assert "Config `films`:" not in text
    assert "not known" in text, "of the films, who the patient is still counts"
