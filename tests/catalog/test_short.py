"""Short forms of a card mean what they stand for, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import read_card
from covid_datasets.errors import CatalogError
from tests.tiny import CARD

COMMIT = "0c1d" * 10
HEAD = CARD + '\n[versions.1]\nresources = ["files"]\n\n[[resources]]\nname = "files"\n'
LONG = f"""kind = "archive"

[[resources.copies]]
url = "https://github.com/some-one/data.set/archive/{COMMIT}.zip"
root = "data.set-{COMMIT}/images/"

[[resources.copies]]
url = "https://github.com/other/fork/archive/{COMMIT}.zip"
root = "fork-{COMMIT}/"
rename = {{ "%" = "_" }}
"""
SHORT = f"""github = "some-one/data.set@{COMMIT}"
root = "images/"

[[resources.copies]]
github = "other/fork@{COMMIT}"
rename = {{ "%" = "_" }}
"""


def read(folder: Path, text: str) -> Card:
    (folder / "tiny.toml").write_text(HEAD + text, encoding="utf-8")
    return read_card(folder / "tiny.toml")


def test_a_short_card_is_the_long_one(tmp_path: Path) -> None:
    assert read(tmp_path, SHORT).resources == read(tmp_path, LONG).resources


def test_one_copy_needs_one_line(tmp_path: Path) -> None:
    (copy,) = read(tmp_path, f'github = "a/b@{COMMIT}"').resources[0].copies
    assert (copy.url, copy.root) == (f"https://github.com/a/b/archive/{COMMIT}.zip", f"b-{COMMIT}/")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('github = "a/b@main"', "key 'resources[0].github': expected owner/name@ and the 40 digits of a commit, found"),
        ("github = 5", "key 'resources[0].github': expected owner/name@ and the 40 digits of a commit, found 5"),
        (
            f'github = "a/b@{COMMIT}"\nurl = "https://x.org/y.zip"',
            "key 'resources[0].url': expected one of name, ",
        ),
        (
            f'kind = "archive"\ncopies = [{{ github = "a/b@{COMMIT}", url = "https://x.org/y.zip" }}]',
            "key 'resources[0].url': expected none beside github, found 'https://x.org/y.zip'",
        ),
        (f'github = "a/b@{COMMIT}"\nroot = 5', "key 'resources[0].root': expected text, found 5"),
        (f'github = "a/b@{COMMIT}"\ncopies = 5', "key 'resources[0].copies': expected a list, found 5"),
    ],
)
def test_a_slip_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CatalogError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 'tiny.toml'}: ")
    assert said in str(error.value)
