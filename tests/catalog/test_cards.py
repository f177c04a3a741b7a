"""Cards are read strictly: whatever is wrong names the file, the key, what was expected and what was found."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import load_card, names, read_card, readable_cards
from covid_datasets.catalog.overview import list_datasets
from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.errors import CatalogError, UnknownDatasetError, UnknownVersionError
from covid_datasets.raw.kinds import check_card
from tests.tiny import CARD, VERSION, at_most_a_clear_error, write_manifest

GOOD = CARD + VERSION


def read(folder: Path, text: str | bytes) -> Card:
    write_manifest(folder / "manifests" / "tiny.tsv", {})
    (folder / "listings").mkdir(exist_ok=True)
    (folder / "listings" / "there.tsv").touch()
    (folder / "tiny.toml").write_bytes(text.encode() if isinstance(text, str) else text)
    return check_card(read_card(folder / "tiny.toml"), folder / "tiny.toml")


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_a_good_card(tmp_path: Path) -> None:
    card = read(tmp_path, GOOD)
    assert (card.id, card.modalities, card.config()[0]) == ("tiny", ("CXR",), "default")
    assert card.choice("1").resources[0].copies[1].rename == {"%": "_"}
    assert len(card.digest) == 64
    with pytest.raises(AttributeError):
        card.title = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        card.versions["2"] = card.versions["1"]  # type: ignore[index]


ARCHIVE = 'kind = "archive"'
DAILY, DAYS = 'path = "%d.csv"\n', 'days = ["2020-01-22", "2020-01-23"]'
CONFIG = '[configs.a]\nsummary = ""\n'

# What is changed in the good card, and the key, what is expected and what is found as the error must say them.
WRONG = [
    ('title = "Tiny"\nsummary', "summary", "key 'title': expected a value (it is required in Card), found 'nothing'"),
    ('title = "Tiny"\nsummary', 'title = ""\nsummary', "key 'title': expected at least one, found none"),
    ('title = "Tiny"\nsummary', "title = 5\nsummary", "key 'title': expected text, found 5"),
    ("seed_names = []", 'seed_names = "COVID"', "key 'seed_names': expected a list, found 'COVID'"),
    ("seed_names = []", "seed_names = [1]", "key 'seed_names[0]': expected text, found 1"),
    ('modalities = ["CXR"]', 'modalities = ["MRI"]', "modalities[0]': expected one of CT, CXR, US, MR, EEG, PET"),
    ('modalities = ["CXR"]', "modalities = []", "key 'modalities': expected at least one, found none"),
    ('homepage = ""', 'homepage = ""\nhomepag = ""', "key 'homepag': expected one of id, title, "),
    ('homepage = ""', 'homepage = ""\nid = "x"', "key 'id': expected nothing (it is derived), found 'x'"),
    ('default_version = "1"', 'default_version = "2"', "key 'default_version': expected one of 1, found '2'"),
    ("year = 2020", 'year = "2020"', "key 'citations[0].year': expected a whole number, found '2020'"),
    ("year = 2020", "year = true", "key 'citations[0].year': expected a whole number, found True"),
    ("year = 2020", "", "key 'citations[0].year': expected a value (it is required in Citation), found 'nothing'"),
    ("[[citations]]", "[citations]", "key 'citations': expected a list, found {"),
    ("[licence]", "[license]", "key 'license': expected one of id, title, "),
    ('commercial = "yes"', 'commercial = "maybe"', "key 'licence.commercial': expected one of yes, no, per-image"),
    ('kind = "open"', 'kind = "free"', "key 'access.kind': expected one of open, account, request, web"),
    ('kind = "open"', 'kind = "request"', "key 'access.steps': expected the exact steps of 'request', found none"),
    ("[versions.1]", '[versions."../1"]\nresources = []\n[versions.1]', "key 'versions': expected names that can"),
    ("[versions.1]", "[configs]\n[versions.1]", "key 'configs': expected at least one, found none"),
    ('["files"]', '["file"]', "key 'versions.1.resources': expected names of ['files'], found ['file']"),
    ('["files"]', '["files"]\ndate = "May 2020"', "key 'versions.1.date': expected a day as 2020-12-31, found 'May"),
    ('["files"]', '["files"]\ndate = 2020-05-01', "key 'versions.1.date': expected text, found datetime.date(2020"),
    ('["files"]', '["files"]\ntolerance = 2', "key 'versions.1.tolerance': expected a share from 0 to 1, found 2.0"),
    ('["files"]', '["files"]\ntolerance = nan', "key 'versions.1.tolerance': expected a share from 0 to 1, found nan"),
    ('["files"]', '["files"]\nimages = 1.0', "key 'versions.1.images': expected a whole number, found 1.0"),
    ('["files"]', '["files"]\nimages = -1', "key 'versions.1.images': expected 0 or more, found -1"),
    ('["files"]', '["files"]\nlabels = { covid19 = -1 }', "versions.1.labels.covid19': expected 0 or more, found -1"),
    ('["files"]', '["files"]\nlabels = ["covid19"]', "key 'versions.1.labels': expected a table, found ['covid19']"),
    (ARCHIVE, 'kind = "rar"', "key 'kind': expected one of archive, archives, file, folder, series, tree, found 'rar'"),
    (ARCHIVE, 'kind = "series"', "key 'listing': expected in a resource of the kind 'series', found none"),
    (ARCHIVE, 'kind = "archive"\nlisting = "there.tsv"', "key 'listing': expected nothing in a resource of the"),
    (ARCHIVE, 'kind = "series"\nlisting = "x.tsv"', "key 'listing': expected a file in listings/, found"),
    (ARCHIVE, 'kind = "archive"\npath = "a"', "'files': key 'path': expected nothing in a resource of the kind"),
    (ARCHIVE, "", "resource 'files': key 'path': expected in a resource of the kind 'file', found none"),
    (ARCHIVE, 'path = "../a"', "key 'path': expected a path inside the source, found '../a'"),
    (ARCHIVE, 'kind = "archive"\nsize = 0', "resource 'files': key 'size': expected 1 byte or more, found 0"),
    (ARCHIVE, 'kind = "archive"\nsha256 = "abc"', "key 'sha256': expected 64 hexadecimal digits, found 'abc'"),
    (ARCHIVE, f'kind = "archive"\nmd5 = "{"G" * 32}"', "key 'md5': expected 32 hexadecimal digits, found 'G"),
    ('"tiny.tsv"', '"gone.tsv"', "resource 'files': key 'manifest': expected a file in manifests/, found 'gone.tsv'"),
    ('url = "https://first.org/files.zip"', "", "key 'resources[0].copies[0].url': expected a value"),
    (
        "https://first.org/files.zip",
        "zenodo:files.zip",
        "resource 'files': key 'copies.url': zenodo:files.zip: expected zenodo:RECORD/FILE",
    ),
    ('{ "%" = "_" }', '{ "%" = 1 }', "key 'resources[0].copies[1].rename.%': expected text, found 1"),
    (ARCHIVE, f'{DAILY}days = ["2020-01-22"]', "key 'days': expected a first and a last day as 2020-12-31"),
    (ARCHIVE, f'{DAILY}days = ["2020-03-02", "2020-03-01"]', "key 'days': expected a first and a last day"),
    (ARCHIVE, f'{DAILY}days = ["2020-01-22", "2020-02-30"]', "key 'days': expected a first and a last day"),
    (ARCHIVE, f'{DAILY}{DAYS}\nsize = 3', "key 'days': expected no size and no hash"),
    (ARCHIVE, f'{DAILY}{DAYS}', "a path, URLs and a manifest of its own for each"),
    ('kind = "archive"\nmanifest = "tiny.tsv"', f'{DAILY}{DAYS}', "by fields like %Y-%m-%d for days, {number} for"),
    ("[versions.1]", f'{CONFIG}resources = ["b"]\n[versions.1]', "'configs.a.resources': expected names of"),
    ("[versions.1]", f'{CONFIG}columns = {{ b = "bool" }}\n[versions.1]', "'configs.a.columns': expected in a table"),
    ("[versions.1]", '[columns]\nday = "date"\n[versions.1]', "key 'columns.day': expected one of string, bool, int32"),
    ('known = "all"', 'known = "none"', "key 'patients.group': expected what is kept together of unknown patients"),
    ('known = "all"', 'known = "all"\ngroup = "all"', "'patients.group': expected none where every patient is known"),
    ('known = "all"', 'known = "none"\ngroup = "each"', "key 'patients.group': expected one of , all, folder, article"),
    ('commercial = "yes"', 'commercial = "yes"\naccept = 1', "key 'licence.accept': expected bool, found 1"),
    ('homepage = ""', 'homepage = ""\nsame_as = "tiny"', "key 'resources': expected none where same_as names the"),
    ('kind = "open"', 'kind = "private"\nsteps = ["-"]', "key 'resources': expected none where access is private"),
    ("[patients]", "[[patients]]", "key 'patients': expected a table, found [{"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), WRONG, ids=[said[:50] for _, _, said in WRONG])
def test_each_error_names_file_key_expected_and_found(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(CatalogError) as error:
        read(tmp_path, changed(old, new))
    assert str(error.value).startswith(f"{tmp_path / 'tiny.toml'}: ")
    assert said in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ("[]", "key 'files': expected in a resource of the kind 'folder', found none"),
        ('[{ glob = "/a", what = "a" }]', "key 'files.glob': expected a path inside the folder, found '/a'"),
        ('[{ glob = "{a", what = "a" }]', "key 'files.glob': expected nothing but *, {name}"),
        ('[{ glob = "a", what = "a" }]', "key 'files': expected one that is required"),
        ('[{ glob = "a" }]', "key 'resources[0].files[0].what': expected a value"),
    ],
)
def test_a_folder_by_hand_says_what_belongs_in_it(tmp_path: Path, files: str, said: str) -> None:
    by_hand = f'[[resources]]\nname = "files"\nkind = "folder"\nsteps = ["Save it."]\nfiles = {files}\n'
    text = GOOD[: GOOD.index("[[resources]]")] + by_hand
    with pytest.raises(CatalogError) as error:
        read(tmp_path, text)
    assert said in str(error.value)
    assert (
        read(
            tmp_path,
            text.replace(f"files = {files}", 'files = [{ glob = "{a}/*.(b|c)", what = "a", required = true }]'),
        )
        .resources[0]
        .steps
    )


def test_two_resources_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"key 'resources': expected unique names, found \['files', 'files'\]"):
        read(tmp_path, GOOD + VERSION[VERSION.index("[[resources]]") :])


@pytest.mark.parametrize(
    "text", [b"title = ", b"\xff\xfe", b"a = " + b"[" * 5000, b"date = 2020-13-45", b"a = 1\na = 2"]
)
def test_files_that_are_no_toml(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(CatalogError, match=r"tiny\.toml: not a TOML file: "):
        read(tmp_path, text)


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.just([]), st.just({})
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """List every place in a parsed card."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


PARSED = tomllib.loads(GOOD)
PLACES = list(places(PARSED))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), value=VALUES)
def test_any_wrong_value_is_an_error_that_names_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, ...], value: Any
) -> None:
    table = copy.deepcopy(PARSED)
    inner = table
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    monkeypatch.setattr("covid_datasets.catalog.cards.tomllib.loads", lambda _: copy.deepcopy(table))
    with at_most_a_clear_error(f"{tmp_path / 'tiny.toml'}: ", str(place[0]).rstrip("s")):
        assert isinstance(read(tmp_path, GOOD), Card)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(GOOD)), length=st.integers(0, 20), new=st.binary(max_size=8))
def test_any_text_is_a_card_or_a_catalog_error(tmp_path: Path, at: int, length: int, new: bytes) -> None:
    data = GOOD.encode()
    with at_most_a_clear_error(f"{tmp_path / 'tiny.toml'}: "):
        read(tmp_path, data[:at] + new + data[at + length :])


# --- the installed cards ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("card", readable_cards()[0], ids=lambda card: card.id)
def test_installed_cards(card: Card) -> None:
    for version in card.versions.values():
        assert set(version.labels) <= set(label_names())
        assert sum(version.labels.values()) <= (version.images or 0)
    used = {name for version in card.versions.values() for name in version.resources}
    used |= {name for config in card.configs.values() for name in config.resources}
    assert used == {resource.name for resource in card.resources}
    for citation in card.citations:
        assert citation.bibtex().startswith(
            f"@{'misc' if citation.kind == 'dataset' else citation.kind}{{{citation.key},"
        )
        assert citation.bibtex().count("{") == citation.bibtex().count("}")


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(
        UnknownDatasetError, match=r"there is no dataset 'covidct'\. Did you mean 'covid_ct'( or '\w+')*\? Known: "
    ):
        load_card("covidct")
    for name in ("", "_taxonomy", "../catalogs/cohen", "COHEN", "a\0b"):
        with pytest.raises(UnknownDatasetError, match="Known: .*phantom"):
            load_card(name)
    with pytest.raises(UnknownVersionError, match="cohen has no version '1999'; it has: 2020-06-22"):
        load_card("cohen").version("1999")
    with pytest.raises(UnknownVersionError, match="phantom has no config 'huge'; it has: default, small, large"):
        load_card("phantom").config("huge")


def test_an_edited_card_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    read(tmp_path, GOOD)
    monkeypatch.setattr("covid_datasets.catalogs.__path__", [str(tmp_path)])
    assert load_card("tiny").title == "Tiny"
    (tmp_path / "tiny.toml").write_text(changed('title = "Tiny"\nsummary', 'title = "Edited"\nsummary'))
    os.utime(tmp_path / "tiny.toml", ns=(1, 1))
    assert load_card("tiny").title == "Edited"
    assert names() == ["tiny"]
    assert list_datasets(modality="CT").num_rows == 0
    assert list_datasets(modality="CXR", access="open").column("id").to_pylist() == ["tiny"]
