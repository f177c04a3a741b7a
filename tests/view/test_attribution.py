"""The credit that licences ask for, and what is to be cited: whole, once, and the same each time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from covid_datasets import attribution, build_dataset, info
from covid_datasets.catalog.card import Citation
from covid_datasets.cli import main
from covid_datasets.errors import CacheError, UnknownDatasetError, UnknownVersionError, UsageError
from tests.tiny import CARD, installed

ROOT = Path(__file__).resolve().parents[2]
PHANTOM = (ROOT / "catalogs" / "phantom.toml").read_text(encoding="utf-8")
PER_IMAGE = PHANTOM.replace("[licence]", "[licence]\nper_image = true")
BUILDER = '''
"""Three phantoms, each with a licence of its own."""

from covid_datasets.schema import Record
from covid_datasets.builders import phantom


def records(raw):
    licences = ["CC BY 4.0", None, "CC BY-NC\\n4.0"]
    for number, record in enumerate(phantom.records(raw)):
        if number < 3:
            record = dict((key, getattr(record, key)) for key in record.__dataclass_fields__)
            record |= {"license": licences[number], "source_url": f"https://x.org/{number}" if number else None}
            yield Record(**record)
'''


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    cards = {
        "phantom": PHANTOM,
        "three": PER_IMAGE + '\n[facts.labels]\nill = "covid19"\n',
        "tiny": CARD + "[versions.1]\nresources = []\n",
        "other": CARD.replace('title = "Tiny"\nauthor', 'title = "Another"\nauthor') + "[versions.1]\nresources = []\n",
        "twin": CARD.replace("seed_names", 'same_as = "phantom"\nseed_names').replace('default_version = "1"\n', ""),
    }
    with installed(tmp_path / "package", monkeypatch, cards, {"three": BUILDER}) as folder:
        yield folder


@pytest.mark.usefixtures("catalog")
def test_each_source_is_credited_with_its_licence_and_what_was_made_of_it() -> None:
    text = attribution("phantom").text
    assert text.startswith("Attribution of data that was loaded with covid_datasets\n")
    for line in ("Licence: ", "Terms: ", "Redistribution: ", "Changes: config "):
        assert f"\n{line}" in text
    assert "Licence: CC0-1.0, https://spdx.org/licenses/CC0-1.0.html" in attribution("tiny").text


@pytest.mark.usefixtures("catalog")
def test_every_citation_is_in_both_and_once() -> None:
    both = attribution(["tiny", "phantom", "tiny"])
    keys = re.findall(r"^@\w+\{(.*),$", both.bibtex, re.MULTILINE)
    assert len(set(keys)) == len(keys) == both.text.count("Cite [")
    assert all(f"Cite [{key}]: " in both.text for key in keys)
    assert both == attribution(["tiny", "phantom"])
    assert both.bibtex.count("{") == both.bibtex.count("}")


def test_latex_reads_no_command_in_a_title() -> None:
    entry = Citation(key="a_b", title="X_1 & 5 % \\& more", author=("{R&D}",), year=2020, url="https://x.org/a_b%20c")
    assert entry.bibtex().splitlines()[1:3] == [
        r"  title = {{X\_1 \& 5 \% \& more}},",
        r"  author = {{R\&D}},",
    ]
    assert "url = {https://x.org/a_b%20c}" in entry.bibtex()


@pytest.mark.usefixtures("catalog")
def test_two_papers_under_one_key_stay_two() -> None:
    both = attribution(["tiny", "other"])
    assert re.findall(r"@\w+\{(.*),", both.bibtex) == ["tiny2020", "tiny2020-other"]
    assert "Cite [tiny2020]: Nobody (2020). Tiny" in both.text
    assert "Cite [tiny2020-other]: Nobody (2020). Another" in both.text


@pytest.mark.usefixtures("catalog")
def test_a_second_name_credits_what_is_loaded_too() -> None:
    text = attribution("twin").text
    assert "Loaded in its place: phantom" in text
    assert text.index("(twin)") < text.index("(phantom, version 1)")


def test_prescribed_words_are_given_as_they_are() -> None:
    words = info("jhu_csse").licence.credit
    assert words
    assert f"\nCredit, in the words that its publisher prescribes: {words}\n" in attribution("jhu_csse").text
    assert "Credit, in the words" not in attribution("covid_ct").text


def test_components_are_credited_with_the_source_that_is_made_of_them() -> None:
    text = attribution("covidx").text
    assert all(f"({name}, version " in text for name in ("covidx", "cohen", "figure1", "actualmed"))


@pytest.mark.usefixtures("catalog")
def test_images_with_licences_of_their_own_are_credited_one_by_one(tmp_path: Path) -> None:
    text = attribution("three", cache_dir=tmp_path).text
    assert "no finished build: make one with `covid-datasets build three`" in text
    built = build_dataset("three", "small", cache_dir=tmp_path, num_proc=1, allow_missing=True)
    text = attribution("three", "small", cache_dir=tmp_path).text
    credits = text[text.index("Each of the 3 images") :].splitlines()
    assert built.fingerprint in credits[0]
    assert credits[1] == "sample_id\tlicense\tsource_url\tdoi"
    assert [line.split("\t")[1:] for line in credits[2:]] == [
        ["CC BY 4.0", "not stated", "not stated"],
        ["not stated", "https://x.org/1", "not stated"],
        ["CC BY-NC 4.0", "https://x.org/2", "not stated"],
    ]
    assert attribution("three", "small", cache_dir=tmp_path).text == text


@pytest.mark.parametrize(
    ("name", "error"),
    [("phantm", UnknownDatasetError), ("phantom@9", UnknownVersionError), ([], UsageError), (7, UsageError)],
)
def test_what_is_asked_for_wrongly_is_told(name: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        attribution(name)  # type: ignore[arg-type]


@pytest.mark.usefixtures("catalog")
def test_the_command_prints_or_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = attribution(["phantom", "tiny"])
    assert main(["info", "phantom", "tiny", "--attribution"]) == 0
    assert capsys.readouterr().out == str(found)
    place = tmp_path / "CREDITS.txt"
    assert main(["info", "phantom", "tiny", "--attribution", "-o", str(place), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"files": [str(place), str(tmp_path / "CREDITS.bib")]}
    assert place.read_text(encoding="utf-8") == found.text
    assert (tmp_path / "CREDITS.bib").read_text(encoding="utf-8") == found.bibtex
    assert not list(tmp_path.glob(".CREDITS*"))


def test_slips_on_the_command_line_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for slip in (
        ["--attribution", "-o", str(tmp_path / "x.bib")],
        ["-o", str(tmp_path / "x.txt")],
        ["--config", "small"],
    ):
        assert main(["info", "phantom", *slip]) == UsageError.exit_code, slip
    assert main(["info", "phantom", "--attribution", "--config", "smal"]) == UnknownVersionError.exit_code
    assert main(["info", "phantom", "--attribution", "-o", str(tmp_path / "none" / "x.txt")]) == CacheError.exit_code
    capsys.readouterr()
    assert list(tmp_path.iterdir()) == []
