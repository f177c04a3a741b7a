"""The page of a source holds every fact of its card."""

from pathlib import Path

import pytest

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import read_card
from covid_datasets.view.page import page

CARD = """
title = "A | B"
summary = "A summary."
seed_names = ["seed_one"]
modalities = ["CT", "CXR"]
task = "classification"
homepage = "https://example.org/home"
default_version = "v2"

[licence]
spdx = ""
terms = "Ask first."
redistribution = "no"
commercial = "unknown"
per_image = true

[access]
kind = "request"
steps = ["Sign the form.", "Wait."]

[patients]
known = "some"
group = "article"
how = "Column patient."
warning = "Two columns disagree."

[official_split]
names = ["train", "test"]
summary = "By image."
warning = "Patients straddle."

[configs.small]
summary = "A few."
options = { rows = 3 }

[[citations]]
key = "someone2020"
title = "On things"
author = ["Some One", "Another"]
year = 2020
doi = "10.1/x"

[[defects]]
id = "twice"
what = "Rows appear twice."
evidence = "Counted."
flag = "repeated"

[versions.v1]
resources = ["a"]
[versions.v2]
resources = ["a", "b"]
date = "2020-06-22"
commit = "0123456789abcdef"
images = 1234
patients = 56
labels = { covid19 = 1000, no_finding = 234 }
tolerance = 0.015
note = "The good one."

[[resources]]
name = "a"
kind = "archive"
size = 1000000
sha256 = "SHA"
copies = [{ url = "https://example.org/a.zip" }, { url = "https://example.com/a.zip" }]
[[resources]]
name = "b"
path = "b.csv"
copies = [{ url = "https://example.org/b.csv" }]

[features]
age = "In years."
""".replace("SHA", "ab" * 32)


@pytest.fixture
def card(tmp_path: Path) -> Card:
    (tmp_path / "made_up.toml").write_text(CARD, encoding="utf-8")
    return read_card(tmp_path / "made_up.toml")


@pytest.mark.parametrize(
    "fact",
    [
        "# A | B",
        "`made_up`",
        "seed_one",
        "| `v2` (default) | 2020-06-22 | 1,234 | 56 | 1.5% | `0123456789ab` |",
        "| `v1` | undated | unknown | unknown | 0.0% |",
        "| covid19 | 1,000 |",
        "`v2`: The good one.",
        "**known for some rows**. Column patient.",
        "> **Warning.** Two columns disagree.",
        "Nobody knows which rows show one person, so all of one article are one group and in one split.",
        "**no standard licence**: Ask first.",
        "- redistribution: not allowed",
        "- commercial use: unknown",
        "each image has its own licence",
        "1. Sign the form.\n2. Wait.",
        "covid-datasets build made_up --data-dir FOLDER",
        f"sha256 `{'ab' * 32}`",
        "no hash published, recorded on first download",
        "1. <https://example.org/a.zip>\n2. <https://example.com/a.zip>",
        "**a**: zip archive, 1,000,000 bytes; sha256 `",
        '`scheme="official"`: train, test. By image.',
        "> **Warning.** Patients straddle.",
        "| twice | Rows appear twice. | Counted. | `repeated` |",
        "| `small` | A few. | rows = 3 |",
        "| `age` | In years. |",
        "@article{someone2020,",
        "10.1/x",
    ],
)
def test_page_holds_every_fact(card: Card, fact: str) -> None:
    assert fact in page(card)


def test_the_page_says_which_key_is_enough(tmp_path: Path) -> None:
    text = CARD.replace('"https://example.org/b.csv"', '"kaggle:owner/set@3/b.csv"')
    text = text.replace('{ url = "https://example.com/a.zip" }', '{ url = "zenodo:12/a.zip", public = true }')
    path = tmp_path / "made.toml"
    path.write_text(text.replace('kind = "request"', 'kind = "account"').replace("SHA", "0" * 64), encoding="utf-8")
    text = page(read_card(path))
    assert "With a key it is downloaded. Kaggle: make a token at https://www.kaggle.com/settings/api" in text
    assert "1. `kaggle:owner/set@3/b.csv`, <https://www.kaggle.com/datasets/owner/set/versions/3>\n" in text
    assert "2. `zenodo:12/a.zip`, <https://zenodo.org/records/12>, for anybody\n" in text
    assert 'load_dataset("made")' in text
