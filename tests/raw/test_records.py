"""Whole sources as people get them: out of records of Zenodo and Figshare, and behind terms and an account at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.errors import AccessRequired, ChangedUpstreamError, CovidDatasetsError, IncompleteSourceError
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.raw.obtain import make_mirror
from tests.hosts import KEY, TOKEN, answers, imitate, no_keys
from tests.raw.test_archives import zip_of
from tests.server import Behaviour, Server, serve
from tests.sources import chest
from tests.tiny import BUILDER, CARD, installed

LIST = b"file,patient,finding\n1.png,A,COVID-19\n2.png,B,No Finding\n"
FILMS = {name: chest(number, modality="CXR") for number, name in enumerate(["1.png", "2.png"])}
ZIP = zip_of({f"root/{name}": data for name, data in FILMS.items()})
RESOURCES = """
[versions.1]
resources = ["films", "list"]

[[resources]]
name = "films"
kind = "archive"
manifest = "tiny.tsv"
copies = [{ url = "zenodo:37/films.zip", root = "root/", public = true }]

[[resources]]
name = "list"
path = "list.csv"
copies = [{ url = "figshare:13@2/list.csv", public = true }]
"""
ZENODO, FIGSHARE = "/zenodo/records/37", "/figshare/articles/13/versions/2/files?page=1&page_size=100"
KAGGLE = "/kaggle/datasets/download/owner/set?datasetVersionNumber=2"
TERMS = "Use it for research only."


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    no_keys(monkeypatch, tmp_path / "home")
    with installed(tmp_path / "package", monkeypatch, {"tiny": CARD + RESOURCES}, {"tiny": BUILDER}, FILMS):
        yield


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Server]:
    """Serve the files that the lists lead to."""
    (tmp_path / "storage").mkdir()
    files = {"/films.zip": Behaviour(body=ZIP), "/list.csv": Behaviour(body=LIST)}
    with serve(tmp_path / "storage", {**files}) as running:
        yield running


@pytest.fixture
def api(tmp_path: Path, storage: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Answer as the APIs of Zenodo and Figshare do."""
    (tmp_path / "api").mkdir()
    with serve(tmp_path / "api") as running:
        imitate(monkeypatch, running)
        publish(running, storage)
        yield running


def publish(api: Server, storage: Server, **of_films: Any) -> None:
    """Put the two files into the lists; what is given replaces what Zenodo says of the films."""
    md5 = hashlib.md5(ZIP).hexdigest()
    films: dict[str, Any] = {"key": "films.zip", "size": len(ZIP), "checksum": f"md5:{md5}"} | of_films
    api.behaviours[ZENODO] = answers({"id": 37, "files": [films | {"links": {"self": storage.url("/films.zip")}}]})
    entry = {"name": "list.csv", "size": len(LIST), "computed_md5": hashlib.md5(LIST).hexdigest()}
    api.behaviours[FIGSHARE] = answers([entry | {"download_url": storage.url("/list.csv")}])


def rewrite_card(*changes: tuple[str, str]) -> None:
    path = catalog_folder() / "tiny.toml"
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def test_a_source_in_two_records_is_built_and_stays_here(api: Server, storage: Server, tmp_path: Path) -> None:
    built = build_dataset("tiny")
    assert (built.rows, built.incomplete, dict(built.labels)) == (2, False, {"covid19": 1, "no_finding": 1})
    assert sorted(request.path for request in api.requests) == [FIGSHARE, ZENODO], "each list is asked for once"
    assert sorted(request.path for request in storage.requests) == ["/films.zip", "/list.csv"]
    asked = len(api.requests) + len(storage.requests)
    made = make_mirror(["tiny"], tmp_path / "mirror")
    assert sorted(file.path.relative_to(tmp_path / "mirror").as_posix() for file in made) == [
        "figshare.com/13@2/list.csv",
        "zenodo.org/37/films.zip",
    ]
    again = build_dataset("tiny", cache_dir=tmp_path / "other", mirror=str(tmp_path / "mirror"), offline=True)
    assert again.fingerprint == built.fingerprint
    assert len(api.requests) + len(storage.requests) == asked, "what was downloaded is carried, not asked for again"


@pytest.mark.parametrize("lie", [{"size": len(ZIP) + 1}, {"size": 1}, {"checksum": f"md5:{'0' * 32}"}])
def test_a_list_that_lies_builds_nothing(api: Server, storage: Server, tmp_path: Path, lie: dict[str, Any]) -> None:
    publish(api, storage, **lie)
    with pytest.raises(CovidDatasetsError, match="zenodo:37/films.zip|films.zip"):
        build_dataset("tiny", cache_dir=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("prepared/tiny/**/manifest.json"))
    publish(api, storage)
    assert build_dataset("tiny", cache_dir=tmp_path / "cache").rows == 2, "a later try is not spoiled by it"


def test_a_record_that_was_replaced_by_its_next_version_is_told(api: Server, storage: Server) -> None:
    api.behaviours[ZENODO] = answers({"id": 38, "files": []})
    with pytest.raises((ChangedUpstreamError, IncompleteSourceError), match="expected record 37, found 38"):
        build_dataset("tiny")


def test_a_public_record_that_is_down_leaves_the_copy_behind_an_account(
    api: Server, storage: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = '"root/", public = true }'
    rewrite_card((public, f'{public}, {{ url = "kaggle:owner/set@2", root = "root/" }}'))
    api.behaviours[ZENODO] = answers({"message": "gone"}, status=410)
    api.behaviours[KAGGLE] = Behaviour(body=ZIP, authorization=KEY)
    with pytest.raises(CovidDatasetsError) as error:
        build_dataset("tiny")
    assert "zenodo:37/films.zip" in str(error.value)
    assert "~/.kaggle/access_token" in str(error.value)
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert build_dataset("tiny").rows == 2
    keys = {request.headers.get("authorization") for request in (*api.requests, *storage.requests)}
    assert keys == {None, KEY}
    assert all("authorization" not in request.headers for request in storage.requests)


def test_terms_come_before_the_account_and_the_account_before_any_byte(
    api: Server, storage: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite_card(
        ('terms = "Made for a test."', f'terms = "{TERMS}"\naccept = true'),
        ('kind = "open"', 'kind = "account"\nsteps = ["Log in and press Download."]'),
        ('zenodo:37/films.zip", root = "root/", public = true', 'kaggle:owner/set@2", root = "root/"'),
    )
    api.behaviours[KAGGLE] = Behaviour(body=ZIP, authorization=KEY)
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    with pytest.raises(AccessRequired, match=TERMS):
        build_dataset("tiny")
    assert (api.requests, storage.requests) == ([], [])
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    with pytest.raises(AccessRequired, match="Kaggle: make a token") as error:
        build_dataset("tiny", accept_licence=True)
    assert TERMS not in str(error.value), "they are accepted, so the account alone is missing"
    assert (api.requests, storage.requests) == ([], [])
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert build_dataset("tiny").rows == 2, "and nobody is asked for the terms again"
