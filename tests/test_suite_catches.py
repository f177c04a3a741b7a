"""The conformance suite itself: a sound source passes it, and each wrong one fails the test that is meant for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from tests.checkout import Outcome, make_checkout, run_suite, write_pages

CARD = """\
title = "Tiny"
summary = "A list and eight films of four people."
seed_names = []
modalities = ["CXR"]
task = "classification"
homepage = "https://example.org/tiny"
default_version = "1"

[[citations]]
key = "tiny2020"
title = "Tiny"
author = ["Nobody"]
year = 2020
url = "https://example.org/tiny"

[licence]
spdx = "CC0-1.0"
terms = "Made for a test."
redistribution = "yes"
commercial = "yes"

[access]
kind = "open"

[patients]
known = "all"
how = "The list names each person."

[versions.1]
resources = ["files"]

[[resources]]
name = "files"
kind = "archive"
copies = [{ url = "https://example.org/tiny.zip" }]
"""
BUILDER = '''\
"""Tiny: list.csv says whose each film is, and what it shows."""

from __future__ import annotations

from collections.abc import Iterator

from covid_datasets.catalog.taxonomy import classify
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Notice, RawFiles, Record


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each film of the list."""
    table = read_csv(raw, "list.csv", required=("file", "patient", "finding"))
    yield from table.notices
    rows = {}
    for row in table.rows:
        path = f"films/{row['file']}"
        if not row["file"]:
            yield Notice("broken row", "list.csv", f"no file: {row}", dropped=True)
        elif rows.setdefault(path, row) is not row:
            yield Notice("row listed twice", path, "the first is kept", dropped=True)
    for path in raw.paths("films/*"):
        if path not in rows:
            yield Notice("file not in the table", path, "left out", dropped=True)
    for path in sorted(rows):
        row = rows[path]
        yield Record(
            sample_id=row["file"],
            image=File(path),
            modality="CXR",
            patient=row["patient"] or None,
            ties=() if row["patient"] else ("table:nobody",),
            label=classify(row["finding"]),
            label_raw=row["finding"] or None,
            source_row=row,
        )
'''
TREE = '''\
"""A list and its films."""

import tempfile
from pathlib import Path

from tests.sources import Expected, chest, pack

EXPECTED = {
    "films/0.png": Expected("0.png", "p0", "covid19", SPLIT),
    "films/1.png": Expected("1.png", "p0", "covid19", SPLIT),
}


def write_unpacked(folder: Path) -> None:
    """Write the tree."""
    (folder / "films").mkdir(parents=True)
    lines = ["file,patient,finding"]
    for number in range(8):
        (folder / "films" / f"{number}.png").write_bytes(chest(number, modality="CXR"))
        lines.append(f"{number}.png,p{number // 2},{'COVID-19' if number < 4 else 'No Finding'}")
    (folder / "list.csv").write_text("\\n".join(lines) + "\\n", encoding="utf-8")


def write_archives(folder: Path) -> None:
    """Write what is served."""
    with tempfile.TemporaryDirectory() as place:
        write_unpacked(Path(place) / "tree")
        pack(Path(place) / "tree", folder / "example.org" / "tiny.zip", root="")
'''
BESIDE: tuple[Mapping[str, str], Mapping[str, str]] = (
    {
        "File, Notice": "File, Notice, RawReader, Record, Rows",
        "RawFiles, Record\n": "RawFiles\n",
        '    table = read_csv(raw, "list.csv", required=("file", "patient", "finding"))\n    yield from': (
            '    if raw.config == "people":\n'
            '        yield Record(sample_id="list.csv", rows=Rows("list.csv", people, (), ("list.csv",)))\n'
            "        return\n"
            '    table = read_csv(raw, "list.csv", required=("file", "patient", "finding"))\n    yield from'
        ),
        "def records": (
            "def people(raw: RawReader) -> Iterator[Mapping[str, list[str | None]] | Notice]:\n"
            '    """Yield who is on the list."""\n'
            '    table = read_csv(raw, "list.csv", required=("file", "patient", "finding"))\n'
            "    yield from table.notices\n"
            "    if len({tuple(row.values()) for row in table.rows}) < len(table.rows):\n"
            '        yield Notice("row listed twice", "list.csv", "kept")\n'
            '    yield {name: [row[name] or None for row in table.rows] for name in ("file", "patient", "finding")}\n'
            "\n\ndef records"
        ),
        "import Iterator": "import Iterator, Mapping",
    },
    {
        "[versions.1]": (
            '[configs.films]\nsummary = "The films."\n\n[configs.people]\nsummary = "The list, as a table."\n\n'
            '[configs.people.columns]\nfile = "string"\npatient = "string"\nfinding = "string"\n\n[versions.1]'
        )
    },
)
"""What makes of the sound source one with a table beside its films: changes of the builder and of the card."""


NOTHING: Mapping[str, str] = MappingProxyType({})


class Wrong(NamedTuple):
    """What is changed in the sound source, the test that must fail for it, and words of its message."""

    test: str
    words: str
    builder: Mapping[str, str]
    card: Mapping[str, str] = NOTHING


LISTED = "for path in sorted(rows):"
WRONG = {
    "one_group_each": Wrong(
        "test_unknown_patients_are_not_one_each",
        "8 of 8 rows are a group of their own",
        {'row["patient"] or None': "None", '() if row["patient"] else ("table:nobody",)': '(f"picture:{path}",)'},
        {'known = "all"': 'known = "none"\nwarning = "Nobody says who they are."\ngroup = "folder"'},
    ),
    "no_labels": Wrong("test_labels_are_given", "no row has a label", {'classify(row["finding"])': "None"}),
    "drops_a_film": Wrong("test_nothing_is_lost_silently", "7.png", {LISTED: "for path in sorted(rows)[:-1]:"}),
    "order_of_a_set": Wrong("test_records_are_the_same_each_time", "item ", {LISTED: "for path in set(rows):"}),
    "another_each_time": Wrong(
        "test_records_are_the_same_each_time",
        ": caption is ",
        {"source_row=row,": "source_row=row, caption=str(id(row)),"},
    ),
    "reads_pixels": Wrong(
        "test_enumerating_reads_no_picture",
        "workers read pixels",
        {"row = rows[path]": "row = rows[path]; raw.read(path)"},
    ),
    "raw_exception": Wrong(
        "test_damaged_tables_are_told",
        "list.csv: empty cell patient: raw ValueError",
        {'row["patient"] or None': "str(int(row['patient'][1:]))"},
    ),
    "column_not_asked_for": Wrong(
        "test_damaged_tables_are_told",
        "list.csv: renamed column finding: nothing is told",
        {
            ', "finding")': ")",
            'row["finding"])': 'row.get("finding", ""))',
            'row["finding"] or': 'row.get("finding") or',
        },
    ),
    "last_row_wins": Wrong(
        "test_damaged_tables_are_told",
        "list.csv: duplicate row: nothing is told",
        {"rows.setdefault(path, row) is not row": "rows.update({path: row})"},
    ),
    "other_than_expected": Wrong(
        "test_some_files_are_what_somebody_expects",
        "films/0.png",
        {'row["patient"] or None': '"p" + row["finding"][:1]'},
    ),
    "heavy": Wrong(
        "test_records_are_the_same_each_time",
        "a builder imports what it needs",
        {"from collections": "import datasets\nfrom collections"},
    ),
    "borrows_a_builder": Wrong(
        "test_the_builder_imports_no_other_but_those_that_its_card_declares",
        "composed_of on the card: expected ['phantom']",
        {"from collections": "import covid_datasets.builders.phantom\nfrom collections"},
    ),
    "placeholders": Wrong(
        "test_no_placeholder_is_left",
        "builders/placeholders.py:1\ncatalogs/placeholders.toml:1",
        {"Tiny": "FILL-IN"},
        {'title = "Tiny"': 'title = "FILL-IN"'},
    ),
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    checkout = make_checkout(tmp_path_factory.mktemp("checkout") / "covid_datasets")
    add(checkout, "sound")
    add(checkout, "tables_beside", *BESIDE)
    for name, wrong in WRONG.items():
        add(checkout, name, wrong.builder, wrong.card)
    write_pages(checkout)
    (checkout / "catalogs/broken.toml").write_text(CARD.replace("homepage", "home_page"), encoding="utf-8")
    return run_suite(checkout, ["sound", "tables_beside", *WRONG, "broken"])


def add(checkout: Path, name: str, builder: Mapping[str, str] = {}, card: Mapping[str, str] = {}) -> None:
    for path, text, changes in (
        (f"catalogs/{name}.toml", CARD, card),
        (f"builders/{name}.py", BUILDER, builder),
        (f"tests/sources/{name}.py", TREE.replace("SPLIT", '"train"'), {}),
        (f"catalogs/splits/{name}.csv", "patient_id,split\np0,train\np1,train\np2,train\np3,train\n", {}),
    ):
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new, 1)
        (checkout / path).write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_a_sound_source_passes(outcome: Outcome) -> None:
    assert outcome.of("sound") == {}
    assert outcome.of("tables_beside") == {}
    assert outcome.passed > 30 * len(WRONG)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_source_fails_the_test_that_is_meant_for_it(outcome: Outcome, name: str) -> None:
    failed = outcome.of(name)
    assert WRONG[name].test in failed, f"failed are {failed}"
    assert WRONG[name].words in failed[WRONG[name].test]


@pytest.mark.slow
def test_a_broken_card_fails_alone(outcome: Outcome) -> None:
    assert "home_page" in outcome.of("broken")["test_its_card_can_be_read"]
    assert outcome.of("phantom") == {}
