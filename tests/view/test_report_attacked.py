"""Reports of sources that were made to harm, or that say nothing: nothing of them is ever markup."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from covid_datasets import build_dataset, find_build, report
from covid_datasets.catalog.card import Licence
from covid_datasets.catalog.cards import info
from covid_datasets.cli import main
from covid_datasets.markup import text
from covid_datasets.view.report.counts import Counted
from covid_datasets.view.report.page import LONGEST_VALUE, _counts
from covid_datasets.view.report.pictures import _forbidden
from tests.tiny import installed
from tests.view.pages import Page, is_harmless, is_readable

PHANTOM = (Path(__file__).resolve().parents[2] / "catalogs" / "phantom.toml").read_text(encoding="utf-8")
PER_IMAGE = PHANTOM.replace("[licence]", "[licence]\nper_image = true").replace(
    'redistribution = "yes"', 'redistribution = "per-image"'
)
BUILDER = '''
"""Some phantoms, of which other things are told."""

from dataclasses import replace

from covid_datasets.builders import phantom
from covid_datasets.schema import Notice

EVIL = [
    "<script>alert(1)</script>",
    "\\"><img src=x onerror=alert(2)>",
    "\\'><svg/onload=alert(3)>",
    "=HYPERLINK(1)",
    "\\u202egnp.exe\\u200f",
    "x" * 10_000,
    "</td></table></main><h1>owned</h1>",
    "javascript:alert(4)",
    "\\x1b[2J\\x00\\r\\n",
    "unknown",
]
BARE = ("label label_raw view sex age offset_days survival outcome location country date license source_url doi "
        "caption severity manufacturer scanner_model kernel kvp slice_thickness_mm spacing").split()


def records(raw):
    for number, record in enumerate(phantom.records(raw)):
        yield told(record, number)
        if number == LAST:
            break
    yield from NOTICES
'''
EVIL = """
LAST = 19
NOTICES = [Notice(evil, evil, evil, dropped=True) for evil in EVIL]


def told(record, number):
    evil = EVIL[number % len(EVIL)]
    names = ("label_raw", "country", "location", "date", "license", "source_url", "doi", "caption", "patient", "study")
    return replace(record, sample_id=f"{number}{evil}", flags=(evil,), **dict.fromkeys(names, evil),
                   quality_reasons=(evil,))
"""
NOTHING = """
LAST = 5
NOTICES = []


def told(record, number):
    return replace(record, masks={}, flags=(), symptoms=None, source_row={}, **dict.fromkeys(BARE))
"""
ONE = """
LAST = 0
NOTICES = []


def told(record, number):
    return record
"""
LICENCES = """
LAST = 3
NOTICES = []


def told(record, number):
    return replace(record, license=["CC BY 4.0", None, "CC BY-ND 4.0", "all rights reserved"][number])
"""
IMAGELESS = """
LAST = 5
NOTICES = []


def told(record, number):
    return replace(record, image=None, masks={})
"""


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    builders = {
        name: BUILDER + more
        for name, more in {
            "evil": EVIL, "silent": NOTHING, "one": ONE, "licences": LICENCES, "imageless": IMAGELESS
        }.items()
    }  # fmt: skip
    cards = dict.fromkeys(builders, PHANTOM) | {"licences": PER_IMAGE}
    cards["evil"] = PHANTOM.replace('title = "', 'title = "<script>alert(0)</script>\\u202e', 1)
    with installed(tmp_path / "package", monkeypatch, cards, builders):
        yield


def page_of(name: str, cache: Path, i_have_the_rights: bool = False) -> Page:
    build_dataset(name, "small", cache_dir=cache, num_proc=1, allow_missing=True)
    found = report(name, "small", i_have_the_rights=i_have_the_rights, cache_dir=cache)
    page = Page(found.html)
    assert is_harmless(page)
    assert is_readable(page)
    json.dumps(found.to_json())
    assert str(found).replace("\n", "").isprintable()
    return page


@pytest.mark.usefixtures("catalog")
def test_nothing_that_others_wrote_is_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = page_of("evil", tmp_path, i_have_the_rights=True)
    assert "<script>alert(1)</script>" in page.text, "shown as what it is"
    assert '"><img src=x onerror=alert(2)>' in page.text
    assert page.images
    for character in "\u202e\u200f\x1b\x00\r":
        assert character not in page.text
    assert "x" * 2000 not in page.text
    assert "(10,000 characters)" in page.text
    for table in report("evil", "small", cache_dir=tmp_path).save_tables(tmp_path / "tables"):
        own = find_build("evil", "small", cache_dir=tmp_path).path / table.name
        assert own.read_bytes() == table.read_bytes(), "what lies in the build is as harmless"
        rows = list(csv.DictReader(table.open(encoding="utf-8", newline="")))
        assert len(rows) == {"qc.csv": 30, "id_map.csv": 20}[table.name]
        cells = [cell for row in rows for cell in row.values()]
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in cells)
        assert all(cell.isprintable() for cell in cells)
    html = tmp_path / "report.html"
    assert main(["report", "evil", "--config", "small", "--cache-dir", str(tmp_path), "-o", str(html)]) == 0
    assert html.stat().st_size < 2_000_000
    capsys.readouterr()
    assert main(["report", "evil", "--config", "small", "--cache-dir", str(tmp_path)]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.usefixtures("catalog")
@pytest.mark.parametrize("name", ["silent", "one", "imageless"])
def test_rows_that_say_nothing_one_row_and_rows_without_pictures(name: str, tmp_path: Path) -> None:
    page = page_of(name, tmp_path)
    if name == "silent":
        assert "The source does not tell: " in page.text
        assert "unlabelled" not in page.captions
        assert all("no label" in image["alt"] for image in page.images)
    if name == "one":
        assert len(page.images) == 1
    if name == "imageless":
        assert not page.images


@pytest.mark.usefixtures("catalog")
def test_only_pictures_whose_own_licence_lets_it_are_shown(tmp_path: Path) -> None:
    page = page_of("licences", tmp_path)
    assert len(page.images) == 1
    assert "3 pictures are never shown here" in page.text
    assert "CC BY 4.0" in page.text
    assert len(page_of("licences", tmp_path, i_have_the_rights=True).images) == 4


@pytest.mark.parametrize(
    ("spdx", "allowed", "shown"),
    [
        ("CC-BY-4.0", "yes", True),
        ("CC-BY-NC-SA-4.0", "yes", True),
        ("CC-BY-NC-ND-4.0", "yes", False),
        ("CC-BY-4.0", "no", False),
        ("", "unknown", False),
        ("", "per-image", True),
    ],
)
def test_the_licence_of_a_source_decides(spdx: str, allowed: str, shown: bool) -> None:
    licence = Licence(spdx=spdx, terms="Terms.", redistribution=allowed, commercial="no")  # type: ignore[arg-type]
    assert (_forbidden(replace(info("phantom"), licence=licence)) == "") is shown


def test_text_of_all_kinds_is_text() -> None:
    assert text("\udcff") == "\\udcff"
    assert text("a\nb\tc") == "a\\nb\\tc"
    assert "<" not in text("<" * 5000)


def test_a_source_that_tells_essays_leaves_tables_of_counts() -> None:
    essays = {"x" * LONGEST_VALUE: {"train": 2}, "y" * 2_000: {"train": 1}, "y" * 2_000 + "z": {"test": 1}}
    shown = "".join(_counts("People", [Counted("severity", essays)], {"train": 3, "test": 1}))
    assert f'<th scope="row">{"x" * LONGEST_VALUE}</th>' in shown
    assert f"{'y' * LONGEST_VALUE}… (2,000 characters)" in shown
    assert f"{'y' * LONGEST_VALUE}… (2,001 characters)" in shown
    assert "y" * (LONGEST_VALUE + 1) not in shown
    assert shown.count('style="width:50.0%"') == 2, "bars belong to whole values"
