"""`search`: everything that is built as one table, asked in SQL that can do nothing but look, or by filters."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from covid_datasets import build_dataset, list_datasets, load_dataset, search
from covid_datasets.catalog.taxonomy import classify, finding_names, label_names
from covid_datasets.cli import main
from covid_datasets.errors import MissingExtraError, UsageError
from covid_datasets.load.found import Found
from covid_datasets.load.metadata import SEARCHABLE, find_library, no_samples, plain, samples
from covid_datasets.prepare.result import split_files
from covid_datasets.prepare.seal import seal
from covid_datasets.schema import COLUMNS
from tests.small import SmallSources

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with two builds of pictures, of several splits; tests only look at it."""
    folder = tmp_path_factory.mktemp("searched")
    for config in ("small", "default"):
        build_dataset("phantom", config, cache_dir=folder, num_proc=1)
    return folder


def rows_of(cache: Path, config: str) -> list[dict[str, Any]]:
    loaded = load_dataset("phantom", config, "all", framework="numpy", cache_dir=cache)
    names = label_names()
    return [row | {"label": None if row["label"] is None else names[row["label"]]} for row in loaded]


@pytest.fixture
def duckdb() -> Any:
    return pytest.importorskip("duckdb")


def test_every_stored_column_is_there(cache: Path, duckdb: Any) -> None:
    found = search("config = 'default'", cache_dir=cache)
    assert set(found.column_names) == {*COLUMNS, "finding", "version", "config", "split"}
    expected = rows_of(cache, "default")
    assert len(found) == len(expected) > 50
    plain = [name for name in COLUMNS if name not in ("image", "volume", "video", "masks", "volume_masks")]
    for row, wanted in zip(found, expected, strict=True):
        assert {name: row[name] for name in plain} == {name: wanted[name] for name in plain}
        assert row["finding"] == finding_names()[label_names().index(row["label"])]
        assert row["image"].endswith(".png")
        assert (row["masks"]["lung"] is None) == (wanted["masks"]["lung"] is None)
        assert row["volume"] is None


def test_no_build_has_the_columns_of_any(cache: Path) -> None:
    found = plain(samples(find_library(cache / "prepared")))
    assert no_samples().schema == found.schema
    assert found.column_names == list(SEARCHABLE)


def test_findings_have_text_that_means_their_class() -> None:
    assert [classify(name) for name in finding_names()] == list(label_names())


def test_the_first_example(cache: Path, duckdb: Any) -> None:
    found = search("finding = 'COVID-19' AND age > 60", cache_dir=cache)
    wanted = [
        row["sample_id"]
        for config in ("default", "small")
        for row in rows_of(cache, config)
        if row["label"] == "covid19" and (row["age"] or 0) > 60
    ]
    assert [row["sample_id"] for row in found] == wanted
    assert wanted


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("finding = 'COVID-19' AND age BETWEEN 60 AND 200", {"finding": "COVID-19", "age": (60, None)}),
        ("label IN ('covid19', 'no_finding')", {"finding": ["covid-19", "Normal"]}),
        ("split = 'test' AND config = 'small'", {"split": "test", "config": "small"}),
        ("", {}),
        ("true", {}),
        ("WHERE quality = 'good'", {"quality": "good"}),
        ("license = 'CC0-1.0'", {"license": "commercial"}),
    ],
)
def test_filters_and_sql_find_the_same(query: str, filters: dict[str, Any], cache: Path, duckdb: Any) -> None:
    assert search(query, cache_dir=cache) == search(cache_dir=cache, **filters)
    assert len(search(query, cache_dir=cache))


def test_a_query_is_asked_about_the_rows_that_filters_keep(cache: Path, duckdb: Any) -> None:
    query = "SELECT modality, count(*) AS n FROM samples GROUP BY ALL"
    (row,) = search(query, modality="CT", cache_dir=cache)
    assert row == {"modality": "CT", "n": len(search(modality="CT", cache_dir=cache))}


def test_whole_statements(cache: Path, duckdb: Any) -> None:
    counts = search("SELECT split, count(*) AS n FROM Samples WHERE config = 'default' GROUP BY ALL", cache_dir=cache)
    build = next(row for row in search("FROM builds", cache_dir=cache) if row["config"] == "default")
    splits = {"train": 0, "validation": 0, "test": 0} | {row["split"]: row["n"] for row in counts}
    assert splits == load_counts(cache)
    assert build["rows"] == sum(splits.values())
    joined = "WITH s AS (SELECT DISTINCT dataset FROM samples) SELECT title FROM s JOIN cards ON cards.id = s.dataset"
    assert [row["title"] for row in search(joined, cache_dir=cache)] == [
        row["title"] for row in list_datasets().to_pylist() if row["id"] == "phantom"
    ]
    described = search("DESCRIBE samples", cache_dir=cache)
    assert {row["column_name"] for row in described} >= set(COLUMNS)
    last = search("age IS NOT NULL ORDER BY age DESC, sample_id LIMIT 3 -- the oldest", cache_dir=cache)
    assert len(last) == 3
    assert last[0]["age"] >= last[2]["age"]


def load_counts(cache: Path) -> dict[str, int]:
    loaded = load_dataset("phantom", "default", framework="numpy", cache_dir=cache)
    return {name: len(rows) for name, rows in loaded.items()}


def test_cards_alone_open_no_build(tmp_path: Path, duckdb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object) -> None:
        raise AssertionError("a build was looked for")

    monkeypatch.setattr("covid_datasets.load.search.find_library", opened)
    found = search("access = 'open' AND list_contains(modalities, 'US')", cards=True, cache_dir=tmp_path)
    assert found == search(access="open", modalities="US", cards=True, cache_dir=tmp_path)
    assert found.column("id").to_pylist() == ["pocus"]
    assert len(search(cards=True)) == list_datasets().num_rows
    assert len(search("SELECT id FROM cards")) == list_datasets().num_rows


def test_an_empty_cache_is_an_answer(tmp_path: Path, duckdb: Any) -> None:
    for found in (search(cache_dir=tmp_path), search("age > 60", cache_dir=tmp_path)):
        assert len(found) == 0
        assert "finding" in found.column_names
    assert search("FROM builds", cache_dir=tmp_path)[:] == []


# What foreign SQL may not do


HOSTILE = {
    "COPY samples TO 'out.csv'": "which only read, found COPY",
    "COPY (SELECT 1) TO 'out.parquet'": "which only read, found COPY",
    "EXPORT DATABASE 'out'": "which only read, found EXPORT",
    "CREATE TABLE x AS SELECT 1": "which only read, found CREATE",
    "INSERT INTO samples SELECT * FROM samples": "which only read, found INSERT",
    "UPDATE samples SET age = 1": "which only read, found UPDATE",
    "DELETE FROM samples": "which only read, found DELETE",
    "DROP VIEW samples": "which only read, found DROP",
    "ATTACH 'out.db'": "which only read, found ATTACH",
    "INSTALL httpfs": "which only read, found",
    "LOAD httpfs": "which only read, found LOAD",
    "SET enable_external_access = true": "which only read, found",
    "RESET lock_configuration": "which only read, found",
    "PRAGMA database_list": "which only read, found",
    "CALL pragma_version()": "which only read, found CALL",
    "SELECT 1; SELECT 2": "expected one statement, found 2",
    "1 = 1; DROP VIEW samples": "expected one statement, found 2",
    "true; COPY samples TO 'out.csv'": "expected one statement, found 2",
    "SELECT * FROM read_csv('secret.csv')": "disabled by configuration",
    "SELECT * FROM read_text('secret.csv')": "disabled by configuration",
    "SELECT * FROM read_blob('secret.csv')": "disabled by configuration",
    "SELECT * FROM read_parquet('secret.csv')": "disabled by configuration",
    "SELECT * FROM read_json('secret.csv')": "disabled by configuration",
    "SELECT * FROM sniff_csv('secret.csv')": "disabled by configuration",
    "SELECT * FROM glob('*')": "disabled by configuration",
    "SELECT * FROM 'secret.csv'": "expected to read the tables samples, cards, builds",
    'SELECT * FROM "secret.csv"': "expected to read the tables samples, cards, builds",
    "SELECT * FROM secret": "expected tables samples, cards, builds",
    "age IN (SELECT content FROM read_text('secret.csv'))": "disabled by configuration",
    "SELECT * FROM query('COPY samples TO ''out.csv''')": "query:",
    "SELECT * FROM 'https://example.org/x.parquet'": "query:",
}


@pytest.mark.parametrize("query", HOSTILE)
def test_foreign_sql_can_only_look(query: str, cache: Path, duckdb: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.csv").write_text("a,b\nsecret-value,2\n")
    secret = pa.table({"a": ["secret-value"]})  # a variable that DuckDB would find by its name
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    with pytest.raises(UsageError, match=HOSTILE[query]) as told:
        search(query, cache_dir=cache)
    assert "secret-value" not in str(told.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.csv"]
    assert before == {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    assert secret.num_rows == 1


def test_the_lock_holds(cache: Path, duckdb: Any) -> None:
    rows = search("SELECT name, value FROM duckdb_settings()", cache_dir=cache)
    settings = {row["name"]: row["value"] for row in rows}
    assert settings["enable_external_access"] == "false"
    assert settings["lock_configuration"] == "true"
    assert settings["temp_directory"] == ""


# What is wrong is said


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("fnding = 'COVID-19'", "found 'fnding'. Did you mean 'finding'?"),
        ("samples.agee > 3", "found 'agee'. Did you mean 'age'?"),
        ('finding = "COVID-19"', "Text is written in single quotes"),
        ("SELECT * FROM sampels", "found 'sampels'. Did you mean 'samples'?"),
        ("age >", "syntax error"),
        ("SELECT count(* FROM samples", "syntax error"),
        ("age > 'old'", "Could not convert string 'old'"),
        ("nosuchfunction(age) > 1", "nosuchfunction"),
    ],
)
def test_slips(query: str, said: str, cache: Path, duckdb: Any) -> None:
    with pytest.raises(UsageError) as told:
        search(query, cache_dir=cache)
    assert said in str(told.value)


def test_a_value_that_no_row_can_have(cache: Path, duckdb: Any) -> None:
    with pytest.warns(UserWarning, match="Did you mean 'COVID-19'"):
        assert len(search("finding = 'covid19'", cache_dir=cache)) == 0
    with pytest.warns(UserWarning, match="expected one of CT, CXR"):
        search("modality = 'X-ray'", cache_dir=cache)
    with pytest.warns(UserWarning, match="fits none of"):
        assert len(search(country="Atlantis", cache_dir=cache)) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"finding": "COVD-19"}, "Did you mean 'COVID-19'?"),
        ({"modalty": "CT"}, "Did you mean 'modality'?"),
        ({"finding": "COVID-19", "label": "covid19"}, "expected one of them"),
        ({"cards": True, "acess": "open"}, "Did you mean 'access'?"),
        ({"age": (3, 1)}, "expected a range from low to high"),
    ],
)
def test_slips_in_filters(arguments: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        search(cache_dir=tmp_path, **arguments)
    assert said in str(told.value)


def test_sql_is_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected SQL as text"):
        search(3, cache_dir=tmp_path)  # type: ignore[arg-type]


def test_without_duckdb_filters_still_work(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covid_datasets.extras.is_installed", lambda _: False)
    assert len(search(modality="CT", cache_dir=cache))
    with pytest.raises(MissingExtraError, match=r"covid_datasets\[search\]"):
        search("modality = 'CT'", cache_dir=cache)


# Builds that are damaged, of another release, or of data that nobody describes any more


@pytest.fixture
def copied(cache: Path, tmp_path: Path) -> Path:
    shutil.copytree(cache / "prepared", tmp_path / "copy" / "prepared")
    return tmp_path / "copy"


def _build(copied: Path, config: str) -> Path:
    (folder,) = (copied / "prepared" / "phantom").glob(f"*/{config}/*")
    return folder


def _truncate(folder: Path) -> None:
    file = split_files(folder, "train")[0]
    os.truncate(file, file.stat().st_size // 2)


def _lose(folder: Path) -> None:
    split_files(folder, "train")[0].unlink()


def _change_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"rows": ', '"rows": 1', 1))


def _no_json(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"\x00garbage")


def _empty_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"")


def _older_format(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["inputs"]["format"] = 1
    del manifest["files"]
    (folder / "manifest.json").unlink()
    (folder / "manifest.sha256").unlink()
    seal(folder, manifest, {})


def _other_builder(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["inputs"]["builder"] = "another"
    (folder / "manifest.json").unlink()
    (folder / "manifest.sha256").unlink()
    seal(folder, manifest, {})


def _overwrite(folder: Path) -> None:
    """The same size, and no Arrow at all: the seal is not looked at by whoever loads."""
    file = split_files(folder, "train")[0]
    file.write_bytes(b"\x07" * file.stat().st_size)


DAMAGES = (_truncate, _lose, _change_manifest, _no_json, _empty_manifest, _older_format, _other_builder, _overwrite)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_what_is_damaged_is_named_and_left_out(damage: Any, copied: Path) -> None:
    damage(_build(copied, "default"))
    with pytest.warns(UserWarning, match="left out of the search: .*phantom"):
        found = search(cache_dir=copied)
    assert {row["config"] for row in found} == {"small"}
    (folder,) = found.left_out
    assert folder.name == "default"
    assert "1 build left out" in repr(found)


def test_an_unfinished_build_is_no_build(copied: Path) -> None:
    shutil.copytree(_build(copied, "small"), copied / "prepared" / ".work" / "phantom-1-small-x")
    (_build(copied, "small") / "manifest.json").unlink()
    assert {row["config"] for row in search(cache_dir=copied)} == {"default"}


def test_a_source_that_the_catalog_has_no_more(copied: Path, duckdb: Any) -> None:
    (copied / "prepared" / "phantom").rename(copied / "prepared" / "own.ward")
    assert len(search("config = 'small'", cache_dir=copied)) == 42
    (copied / "prepared" / "own.ward" / "1").rename(copied / "prepared" / "own.ward" / "another version")
    assert {row["version"] for row in search("FROM builds", cache_dir=copied)} == {"1"}


def test_own_data_and_tables_beside_pictures(small: SmallSources, duckdb: Any, tmp_path: Path) -> None:
    covid_ct, table = small.build("covid_ct"), small.build("jhu_csse")
    for built in (covid_ct, table):  # in a cache of their own, without what other tests built of them
        shutil.copytree(built.path, tmp_path / built.path.relative_to(small.cache))
    found = search("SELECT dataset, count(*) AS n FROM samples GROUP BY ALL", cache_dir=tmp_path)
    assert {row["dataset"]: row["n"] for row in found}["covid_ct"] == covid_ct.rows
    counted = search("SELECT count(*) AS n FROM jhu_csse", cache_dir=tmp_path)
    assert [row["n"] for row in counted] == [table.rows]
    assert set(search("FROM jhu_csse LIMIT 1", cache_dir=tmp_path).column_names) == set(table.columns)


# The order, and what is read


def test_the_same_every_time(cache: Path, duckdb: Any) -> None:
    for query in (
        "age > 20",
        "SELECT finding, modality, count(*), avg(age) FROM samples GROUP BY ALL",
        "SELECT DISTINCT patient_id FROM samples",
        "true ORDER BY modality",
        "SELECT a.sample_id FROM samples a JOIN samples b USING (patient_id)",
    ):
        first = search(query, cache_dir=cache)
        assert all(search(query, cache_dir=cache) == first for _ in range(5)), query


def test_pictures_stay_where_they_are(cache: Path, duckdb: Any) -> None:
    library = find_library(cache / "prepared")
    table, stored = samples(library), library.tables[0]
    assert not [field for field in table.schema if "binary" in str(field.type)]
    age = table.column("age").chunks[0].buffers()[1]
    assert age.address == stored.column("age").chunks[0].buffers()[1].address, "mapped, not copied"
    before = pa.total_allocated_bytes()
    found = search("SELECT finding, count(*) FROM samples GROUP BY ALL", cache_dir=cache)
    pictures = stored.column("image").nbytes
    assert pa.total_allocated_bytes() - before < pictures / 10
    assert len(found)


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("SELECT count(*) FROM samples", set()),
        ("SELECT finding, count(*) FROM samples WHERE age > 3 GROUP BY ALL", {"finding", "age"}),
        ("SELECT max(s.part_index) FROM samples s WHERE split = 'train'", {"part_index", "split"}),
        ("SELECT count(DISTINCT s) FROM samples s", set(SEARCHABLE)),
        ("SELECT a.age FROM samples a NATURAL JOIN samples b", set(SEARCHABLE)),
        ("FROM samples", set(SEARCHABLE)),
        ("SUMMARIZE samples", set(SEARCHABLE)),
        ("age > 3", set(SEARCHABLE)),
        ("SELECT COLUMNS('^a') FROM samples", {"age"}),
        ("SELECT * EXCLUDE (age) FROM samples", set(SEARCHABLE)),
    ],
)
def test_only_the_columns_that_are_needed_are_opened(
    query: str, columns: set[str], cache: Path, duckdb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[str]] = []

    def find(prepared: Path, wanted: Any) -> Any:
        asked.append(set(wanted))
        return find_library(prepared, wanted)

    expected = search(query, cache_dir=cache)
    monkeypatch.setattr("covid_datasets.load.search.find_library", find)
    assert search(query, cache_dir=cache) == expected
    assert columns <= asked[0]
    assert len(asked[0]) <= len(columns) + 1, "few more than what is needed"
    monkeypatch.setattr("covid_datasets.load.search._columns_in", lambda *_: SEARCHABLE)
    assert search(query, cache_dir=cache) == expected


# The result, and the command line


def test_what_is_found(cache: Path, duckdb: Any) -> None:
    pandas = pytest.importorskip("pandas")
    found = search("config = 'small'", cache_dir=cache)
    assert len(found) == found.to_arrow().num_rows == 42
    assert isinstance(found.to_pandas(), pandas.DataFrame)
    assert found[0] == next(iter(found)) == found[:1][0] == found[-42]
    assert found[1:5:2] == [found[1], found[3]]
    assert found[40:] == [found[40], found[41]]
    for beyond in (42, -43):
        with pytest.raises(IndexError):
            found[beyond]
    assert repr(found).startswith("Found(42 rows, 67 columns)\ndataset ")
    assert "32 more rows" in repr(found)
    assert "<td>COVID-19</td>" in found._repr_html_()


def test_what_a_source_wrote_is_text(tmp_path: Path) -> None:
    found = Found(pa.table({"=a": ["=HYPERLINK(1)", "<b>\x1b]0;x\x07", None, "-1"], "n": [-1, 2, 3, 4]}))
    assert "<b>" not in found._repr_html_()
    assert "\x1b" not in repr(found) + found._repr_html_()
    found.to_csv(tmp_path / "a.csv")
    lines = list(csv.reader((tmp_path / "a.csv").open(newline="")))
    assert lines[:2] == [["'=a", "n"], ["'=HYPERLINK(1)", "-1"]]
    assert lines[3:] == [["", "3"], ["'-1", "4"]]
    Found(pa.table({"tags": [["=1", "b"], None]})).to_csv(tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == 'tags\n"[""=1"", ""b""]"\n""\n'


def test_files(cache: Path, tmp_path: Path, duckdb: Any, capsys: Capture) -> None:
    import pyarrow.parquet as pq

    query = ["search", "finding = 'COVID-19'", "--cache-dir", str(cache)]
    expected = search("finding = 'COVID-19'", cache_dir=cache)
    assert main([*query, "--parquet", str(tmp_path / "a.parquet")]) == 0
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == list(expected)
    assert main([*query, "--csv", str(tmp_path / "a.csv")]) == 0
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert [row["sample_id"] for row in csv.DictReader(file)] == expected.column("sample_id").to_pylist()
    assert f"{len(expected)} rows" in capsys.readouterr().out
    assert main([*query, "--csv", "-"]) == 0
    printed = capsys.readouterr().out
    assert list(csv.DictReader(io.StringIO(printed))) == list(csv.DictReader((tmp_path / "a.csv").open(newline="")))
    assert main([*query, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["sample_id"] for row in rows] == expected.column("sample_id").to_pylist()
    assert main([*query, "--csv", str(tmp_path / "nowhere" / "a.csv")]) == 6
    assert not (tmp_path / "nowhere").exists()


def test_in_a_terminal(cache: Path, duckdb: Any, capsys: Capture) -> None:
    assert main(["search", "--cache-dir", str(cache), "true"]) == 0
    shown = capsys.readouterr().out
    assert "COVID-19" in shown
    assert "50 are shown" in shown
    assert main(["search", "--cards", "access = 'open'"]) == 0
    assert "pocus" in capsys.readouterr().out
    assert main(["search", "fnding = 1", "--cache-dir", str(cache)]) == 2
    assert "Did you mean 'finding'" in capsys.readouterr().err


def test_bits_that_flip_end_no_process(copied: Path, duckdb: Any) -> None:
    """A file of the right size whose bytes were changed is found by `verify`; a search says so or reads on."""
    folder = _build(copied, "small")
    code = (
        "import random, sys, warnings; from pathlib import Path; from covid_datasets import search\n"
        "from covid_datasets.errors import CovidDatasetsError\n"
        "from covid_datasets.load.stored import split_files\n"
        "warnings.simplefilter('ignore')\n"
        "file = split_files(Path(sys.argv[1]), 'train')[0]; whole = file.read_bytes(); told = 0\n"
        "for seed in range(60):\n"
        "    data = bytearray(whole); chance = random.Random(seed)\n"
        "    for _ in range(20): data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)\n"
        "    file.write_bytes(data)\n"
        "    try: search(\"age > 0 AND sample_id <> ''\", cache_dir=sys.argv[2])\n"
        "    except CovidDatasetsError: told += 1\n"
    )
    done = subprocess.run([sys.executable, "-c", code, folder, copied], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_it_is_light() -> None:
    code = "import sys, covid_datasets; covid_datasets.search; print('duckdb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_counter_of_left_out_is_plain() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = search(cards=True)
    assert Counter(found.column("id").to_pylist()).most_common(1)[0][1] == 1


def test_the_page_runs(tmp_path: Path, duckdb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setenv("COVID_DATASETS_CACHE", str(tmp_path))
    text = (Path(__file__).resolve().parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for part in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(part, "docs/search.md", "exec"), names)
    assert len(names["old"]) > 0
    assert names["known"].column("id").to_pylist() == ["pocus"]
