"""Downloads from hosts of research data, against servers that imitate their APIs: lists, keys, signed addresses."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from covid_datasets.errors import (
    ChangedUpstreamError,
    CovidDatasetsError,
    DownloadError,
    HostUnreachableError,
    MissingUpstreamError,
    NotTheFileError,
    OfflineError,
    RefusedError,
)
from covid_datasets.fetch import lookup
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.cached import Download, fetch
from covid_datasets.fetch.hosts import HOSTS
from covid_datasets.fetch.places import place
from covid_datasets.fetch.transfer import Limits, Transfer
from covid_datasets.settings import Settings
from tests.hosts import KEY, TOKEN, answers, imitate, no_keys
from tests.server import Behaviour, Server, serve, then

BODY = random.Random(9).randbytes(300_000)
MD5, SHA256 = hashlib.md5(BODY).hexdigest(), hashlib.sha256(BODY).hexdigest()
QUICK = Limits(timeout=2.0, retries=2, backoff=0.01, longest_wait=0.3, redirects=3, margin=0)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    no_keys(monkeypatch, tmp_path / "home")
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve in place of every host's API, each below a folder of its name."""
    (tmp_path / "api").mkdir()
    with serve(tmp_path / "api") as running:
        imitate(monkeypatch, running)
        yield running


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Server]:
    """Serve in place of the storage that hosts lead to; reached by another name, so it is another host."""
    (tmp_path / "storage").mkdir()
    with serve(tmp_path / "storage") as running:
        yield running


def get(
    url: str, *, offline: bool = False, mirror: str | None = None, limits: Limits = QUICK, **published: Any
) -> Download:
    settings = Settings.resolve(offline=offline, mirror=mirror)
    return fetch(url, Asset(name="data", urls=(url,), **published), Transfer(settings, limits))


def stored(tmp_path: Path) -> str:
    """Read every small file in the cache, and every name."""
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    texts = [path.read_text(errors="replace") for path in files if path.suffix in (".json", ".lock")]
    return "\n".join([*map(str, files), *texts])


# --- kaggle: a key, and addresses that expire -----------------------------------------------------------------------

SET = "/kaggle/datasets/download/owner/set?datasetVersionNumber=2"


def signed(storage: Server, number: int) -> str:
    return storage.url(f"/bucket/archive{number}.zip?X-Goog-Signature=hunter2&GoogleAccessId=a%40b", "localhost")


def leads_to(url: str) -> Behaviour:
    return Behaviour(redirect=url, authorization=KEY)


def below(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def test_kaggle_gets_the_key_and_the_storage_does_not(api: Server, storage: Server, tmp_path: Path) -> None:
    api.behaviours[SET] = leads_to(signed(storage, 1))
    storage.behaviours[below(signed(storage, 1))] = Behaviour(body=BODY)
    found = get("kaggle:owner/set@2")
    assert found.path == tmp_path / "cache/downloads/kaggle.com/owner/set@2.zip"
    assert found.path.read_bytes() == BODY
    assert (found.url, found.sha256, found.verified) == ("kaggle:owner/set@2", SHA256, "recorded on first download")
    assert [request.headers["authorization"] for request in api.requests] == [KEY]
    assert ["authorization" in request.headers for request in storage.requests] == [False]
    assert "hunter2" not in stored(tmp_path)
    # Once it is here, nobody is asked, and no key is needed.
    assert get("kaggle:owner/set@2", offline=True).sha256 == SHA256
    assert len(api.requests) == 1


def test_every_attempt_asks_kaggle_for_a_new_address_and_goes_on(api: Server, storage: Server) -> None:
    api.behaviours[SET] = [leads_to(signed(storage, number)) for number in (1, 2, 3)]
    for number, cut in ((1, 100_000), (2, 120_000), (3, None)):
        storage.behaviours[below(signed(storage, number))] = Behaviour(body=BODY, cut_after=cut)
    assert get("kaggle:owner/set@2").sha256 == SHA256
    assert len(api.requests) == 3 + 1  # what came in pieces, and has no published hash, is read once more as a whole
    assert [request.headers.get("range") for request in storage.requests] == [
        None,
        "bytes=100000-",
        "bytes=220000-",
        None,
    ]


def test_another_file_behind_the_new_address_is_begun_anew(api: Server, storage: Server) -> None:
    api.behaviours[SET] = [leads_to(signed(storage, number)) for number in (1, 2)]
    storage.behaviours[below(signed(storage, 1))] = Behaviour(body=BODY[::-1], cut_after=100_000)
    storage.behaviours[below(signed(storage, 2))] = Behaviour(body=BODY)
    assert get("kaggle:owner/set@2").sha256 == SHA256


def test_an_address_that_expired_is_told_without_its_signature(api: Server, storage: Server, tmp_path: Path) -> None:
    api.behaviours[SET] = leads_to(signed(storage, 1))
    storage.behaviours[below(signed(storage, 1))] = Behaviour(status=403)
    with pytest.raises(RefusedError) as error:
        get("kaggle:owner/set@2")
    assert "X-Goog-Signature=...&GoogleAccessId" in str(error.value)
    assert "hunter2" not in str(error.value) + stored(tmp_path)


def test_a_wrong_key_is_told_without_it(api: Server, tmp_path: Path) -> None:
    api.behaviours[SET] = Behaviour(authorization="Bearer another")
    with pytest.raises(RefusedError) as error:
        get("kaggle:owner/set@2")
    assert "answers 401 Unauthorized saying 'Unauthenticated': Kaggle does not know this key" in str(error.value)
    assert "https://www.kaggle.com/settings" in str(error.value)
    assert "hunter2" not in str(error.value) + stored(tmp_path)


FORBIDDEN = {
    "code": 403,
    "message": "You must accept this competition's rules before you'll be able to download files.",
}


@pytest.mark.parametrize(
    ("url", "path", "where"),
    [
        ("kaggle:owner/set@2", SET, "https://www.kaggle.com/datasets/owner/set with"),
        ("kaggle:competitions/rsna", "/kaggle/competitions/data/download-all/rsna", "/competitions/rsna/rules with"),
        ("kaggle:competitions/rsna/a.csv", "/kaggle/competitions/data/download/rsna/a.csv", "/competitions/rsna/rules"),
    ],
)
def test_terms_that_are_not_accepted_are_told_as_such(api: Server, url: str, path: str, where: str) -> None:
    api.behaviours[path] = answers(FORBIDDEN, status=403)
    with pytest.raises(RefusedError) as error:
        get(url)
    assert "answers 403 Forbidden saying \"You must accept this competition's rules before" in str(error.value)
    assert "most often the terms are not accepted yet" in str(error.value)
    assert where in str(error.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_a_key_says_how_to_get_one(api: Server, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    api.behaviours[SET] = Behaviour(status=status)
    with pytest.raises(
        RefusedError, match=r"it was asked without a key\. Next: Kaggle: make a token at .*/datasets/owner/set"
    ):
        get("kaggle:owner/set@2")


def test_an_unknown_dataset_is_told(api: Server) -> None:
    with pytest.raises(MissingUpstreamError, match="answers 404"):
        get("kaggle:owner/unknown")


def test_kaggle_s_haste_limit_is_waited_for(api: Server) -> None:
    api.behaviours[SET] = [Behaviour(status=429, retry_after="0"), Behaviour(body=BODY)]
    assert get("kaggle:owner/set@2").sha256 == SHA256
    api.behaviours["/kaggle/datasets/download/owner/busy"] = Behaviour(status=429, retry_after="1")
    with pytest.raises(HostUnreachableError, match="answers 429 Too Many Requests, again and again"):
        get("kaggle:owner/busy")


@pytest.mark.parametrize("way", ["another host", "another port", "a name that begins alike"])
def test_a_redirect_takes_the_key_nowhere(api: Server, storage: Server, way: str) -> None:
    place = {
        "another host": api.url("/evil/x.zip", "localhost"),
        "another port": storage.url("/evil/x.zip"),
        "a name that begins alike": f"http://me@localhost:{storage.port}/evil/x.zip",
    }[way]
    api.behaviours[SET] = leads_to(place)
    for server in (api, storage):
        server.behaviours["/evil/x.zip"] = Behaviour(body=BODY)
    get("kaggle:owner/set@2")
    reached = [*api.of("/evil/x.zip"), *storage.requests]
    assert [KEY in request.headers.values() for request in reached] == [False]


def test_the_key_goes_to_kaggle_s_api_only(api: Server, storage: Server, tmp_path: Path) -> None:
    api.behaviours["/zenodo/records/37"] = answers(zenodo(storage))
    storage.behaviours["/a.zip"] = Behaviour(body=BODY)
    get("zenodo:37/a.zip")
    api.behaviours["/kagglepages/x"] = Behaviour(body=BODY)
    get(api.url("/kagglepages/x"))
    mirror = storage.url("/mirror")
    storage.behaviours["/mirror/kaggle.com/owner/set%402.zip"] = Behaviour(body=BODY)
    assert get("kaggle:owner/set@2", mirror=mirror).sha256 == SHA256
    assert not any("authorization" in request.headers for request in (*api.requests, *storage.requests))


# --- lists: what they confirm, and how they lie ---------------------------------------------------------------------


def zenodo(storage: Server, **more: object) -> dict[str, object]:
    file = {"key": "a.zip", "size": len(BODY), "checksum": f"md5:{MD5}", "links": {"self": storage.url("/a.zip")}}
    return {"id": 37, "files": [file | more]}


def test_a_list_over_https_leads_to_no_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Asset(name="a.zip", urls=("http://127.0.0.1:1/a.zip?token=hunter2",))
    monkeypatch.setitem(HOSTS, "zenodo", replace(HOSTS["zenodo"], find=lambda *_: plain))
    with pytest.raises(
        NotTheFileError, match=r"over https as its list is, found http://127\.0\.0\.1:1/a\.zip\?token=\.\.\."
    ):
        get("zenodo:37/a.zip")


@pytest.fixture
def record(api: Server, storage: Server) -> Callable[..., None]:
    """Publish a record of one file; what is given replaces what its list says."""

    def publish(**more: object) -> None:
        api.behaviours["/zenodo/records/37"] = answers(zenodo(storage, **more))
        storage.behaviours["/a.zip"] = Behaviour(body=BODY)

    publish()
    return publish


def test_what_the_list_says_stands_in_for_a_hash_of_the_card(record: Callable[..., None], tmp_path: Path) -> None:
    found = get("zenodo:37/a.zip")
    assert (found.path.read_bytes(), found.verified) == (BODY, "hash listed by the host")
    assert found.path == tmp_path / "cache/downloads/zenodo.org/37/a.zip"
    assert get("zenodo:37/a.zip", offline=True).verified == "hash listed by the host"
    assert list((tmp_path / "cache").rglob("*.part")) == []


def test_what_the_card_says_is_confirmed(record: Callable[..., None]) -> None:
    assert get("zenodo:37/a.zip", size=len(BODY), sha256=SHA256).verified == "published hash"


CONTRADICTIONS: dict[str, Any] = {"size": 5, "md5": "0" * 32}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_list_and_a_card_that_contradict_each_other_are_told_before_any_byte(
    record: Callable[..., None], storage: Server, name: str
) -> None:
    with pytest.raises(ChangedUpstreamError, match=rf"expected the {name} \d+ \(published in the catalog\), the host"):
        get("zenodo:37/a.zip", **{name: CONTRADICTIONS[name]})
    assert storage.requests == []


def test_a_list_that_lies_about_the_hash_is_found_out(record: Callable[..., None], tmp_path: Path) -> None:
    record(checksum=f"md5:{'0' * 32}")
    with pytest.raises(ChangedUpstreamError, match=rf"expected md5 0+ \(listed by the host\), found {MD5}"):
        get("zenodo:37/a.zip")
    assert not (tmp_path / "cache/downloads/zenodo.org/37/a.zip").exists()


@pytest.mark.parametrize("size", [0, 1, len(BODY) - 1, len(BODY) + 1, 10**30])
def test_a_list_that_lies_about_the_size_is_found_out(record: Callable[..., None], storage: Server, size: int) -> None:
    record(size=size)
    with pytest.raises(ChangedUpstreamError, match=rf"expected {size:,} bytes \(listed by the host\)"):
        get("zenodo:37/a.zip")
    storage.behaviours["/a.zip"] = Behaviour(body=BODY, chunked=True)
    with pytest.raises(ChangedUpstreamError, match=rf"expected {size:,} bytes \(listed by the host\)"):
        get("zenodo:37/a.zip")


def test_a_file_that_changed_since_it_was_first_downloaded_is_told_though_the_list_agrees(
    record: Callable[..., None], storage: Server, tmp_path: Path
) -> None:
    (found := get("zenodo:37/a.zip")).path.unlink()
    other = BODY[::-1]
    record(checksum=f"md5:{hashlib.md5(other).hexdigest()}")
    storage.behaviours["/a.zip"] = Behaviour(body=other)
    with pytest.raises(ChangedUpstreamError, match=f"expected sha256 {SHA256} \\(recorded on"):
        get("zenodo:37/a.zip")
    assert not found.path.exists()


NOT_LISTS = {
    "nothing": b"",
    "half": b'{"files": [{"key": "a.zip"',
    "text": b"Service is down for maintenance",
    "deep": b"[" * 200_000,
    "a long number": b'{"files": ' + b"9" * 5000 + b"}",
    "not text": b"\xff\xfe\x00\x01" * 10,
}


@pytest.mark.parametrize("body", NOT_LISTS.values(), ids=NOT_LISTS)
def test_what_is_no_json_is_quoted(api: Server, body: bytes) -> None:
    api.behaviours["/zenodo/records/37"] = Behaviour(body=body, content_type="application/json")
    with pytest.raises(NotTheFileError) as error:
        get("zenodo:37/a.zip")
    assert f"zenodo:37/a.zip: {api.url('/zenodo/records/37')}: expected JSON, found {len(body):,} bytes" in str(
        error.value
    )
    assert "Next: look at https://zenodo.org/records/37, or use a copy with data_dir=" in str(error.value)
    assert len(str(error.value)) < 900


def test_a_web_page_in_place_of_a_list_is_told(api: Server) -> None:
    page = "<!DOCTYPE html><html><head><title>Checking your browser</title></head></html>"
    api.behaviours["/zenodo/records/37"] = Behaviour(html=page, content_type="text/html")
    with pytest.raises(NotTheFileError, match=r"zenodo:37/a\.zip: .*found a web page titled 'Checking your browser'"):
        get("zenodo:37/a.zip")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_list_without_end_is_left(api: Server, chunked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "LONGEST", 100_000)
    body = b'{"files": [' + b" " * 3_000_000 + b"]}"
    api.behaviours["/zenodo/records/37"] = Behaviour(body=body, chunked=chunked)
    with pytest.raises(NotTheFileError, match="expected a list of at most 100,000 bytes, found"):
        get("zenodo:37/a.zip")


def test_lists_without_end_are_left(api: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "MOST", 7)
    start = "/osf/nodes/abc12/files/osfstorage/?page%5Bsize%5D=100"
    pages = [start, *(f"{start}&page={number}" for number in range(2, 30))]
    for here, following in itertools.pairwise(pages):
        api.behaviours[here] = answers({"data": [], "links": {"next": api.url(following)}})
    with pytest.raises(NotTheFileError, match="expected to find it on 7 pages of a list, found more"):
        get("osf:abc12/a.zip")
    assert len(api.requests) == 7


def test_an_unknown_record_is_told_by_its_name(api: Server) -> None:
    with pytest.raises(
        MissingUpstreamError, match=r"^zenodo:38/a\.zip: http://\S+/zenodo/records/38: the host answers 404"
    ):
        get("zenodo:38/a.zip")


def test_a_busy_list_is_asked_again_after_the_time_it_names(record: Callable[..., None], api: Server) -> None:
    good = api.behaviours["/zenodo/records/37"]
    assert isinstance(good, Behaviour)
    api.behaviours["/zenodo/records/37"] = then(
        Behaviour(status=429, retry_after="0"), Behaviour(cut_after=9), good, body=good.body or b""
    )
    assert get("zenodo:37/a.zip").verified == "hash listed by the host"
    assert len(api.requests) == 3
    api.behaviours["/zenodo/records/39"] = Behaviour(status=429, retry_after="1")
    with pytest.raises(HostUnreachableError, match="answers 429 Too Many Requests, again and again"):
        get("zenodo:39/a.zip")


def test_many_files_of_a_record_ask_for_its_list_once(record: Callable[..., None], api: Server) -> None:
    names = ["a.zip", "b.zip", "c.zip"]
    good = zenodo_files(api, names)
    api.behaviours["/zenodo/records/37"] = answers(good)
    transfer = Transfer(Settings.resolve(), QUICK)
    for name in names:
        api.behaviours[f"/files/{name}"] = Behaviour(body=BODY)
        assert fetch(f"zenodo:37/{name}", Asset(name=name, urls=()), transfer).verified == "hash listed by the host"
    assert len(api.of("/zenodo/records/37")) == 1


def zenodo_files(api: Server, names: list[str]) -> dict[str, object]:
    def file(name: str) -> dict[str, object]:
        return {"key": name, "size": len(BODY), "checksum": f"md5:{MD5}", "links": {"self": api.url(f"/files/{name}")}}

    return {"id": 37, "files": [file(name) for name in names]}


def test_pages_of_a_list_are_read_until_the_file_is_found(api: Server, storage: Server) -> None:
    def file(number: int) -> dict[str, object]:
        return {"name": f"{number}.zip", "size": len(BODY), "computed_md5": MD5, "download_url": storage.url("/a.zip")}

    place = "/figshare/articles/13/versions/2/files?page={}&page_size=100"
    api.behaviours[place.format(1)] = answers([file(number) for number in range(100)])
    api.behaviours[place.format(2)] = answers([file(100)])
    storage.behaviours["/a.zip"] = Behaviour(body=BODY)
    assert get("figshare:13@2/100.zip").verified == "hash listed by the host"
    assert [request.path for request in api.requests] == [place.format(1), place.format(2)]
    with pytest.raises(MissingUpstreamError, match=r"expected a file '101\.zip', found '0\.zip', .* and 93 more"):
        get("figshare:13@2/101.zip")


def test_mendeley_and_osf_give_sha256(api: Server, storage: Server) -> None:
    details = {"sha256_hash": SHA256, "download_url": storage.url("/a.zip")}
    start = "/mendeley/datasets/2fx/files?folder_id=root&version=4&%24start=0&%24limit=1000"
    api.behaviours[start] = answers([{"filename": "a.zip", "size": len(BODY), "content_details": details}])
    attributes = {
        "name": "a.zip",
        "kind": "file",
        "size": len(BODY),
        "extra": {"hashes": {"sha256": "0" * 64, "md5": MD5}},
    }
    data = {"data": [{"attributes": attributes, "links": {"download": storage.url("/a.zip")}}], "links": {"next": None}}
    api.behaviours["/osf/nodes/abc12/files/osfstorage/?page%5Bsize%5D=100"] = answers(data)
    storage.behaviours["/a.zip"] = Behaviour(body=BODY)
    assert get("mendeley:2fx/4/a.zip").verified == "hash listed by the host"
    with pytest.raises(ChangedUpstreamError, match=r"expected sha256 0+ \(listed by the host\)"):
        get("osf:abc12/a.zip")


# --- mirrors, offline -----------------------------------------------------------------------------------------------

URLS = ["kaggle:owner/set@2", "zenodo:37/a.zip", "figshare:13@2/a.zip", "mendeley:2fx/4/a.zip", "osf:abc12/x/a.zip"]


@pytest.mark.parametrize("url", URLS)
def test_a_mirror_answers_for_every_host(api: Server, tmp_path: Path, url: str) -> None:
    file = tmp_path / "mirror" / place(url)
    file.parent.mkdir(parents=True)
    file.write_bytes(BODY)
    found = get(url, mirror=str(tmp_path / "mirror"), offline=True, sha256=SHA256)
    assert (found.path, found.in_place) == (file, True)
    with pytest.raises(ChangedUpstreamError):
        get(url, mirror=str(tmp_path / "mirror"), sha256="0" * 64)
    file.unlink()
    with pytest.raises(MissingUpstreamError, match="expected it at"):
        get(url, mirror=str(tmp_path / "mirror"))
    assert api.requests == []


@pytest.mark.parametrize("url", URLS)
def test_offline_opens_no_connection(api: Server, url: str) -> None:
    with pytest.raises(OfflineError, match="COVID_DATASETS_OFFLINE forbids the network"):
        get(url, offline=True)
    assert api.requests == []


def test_drive_is_refused_before_anything_is_asked(api: Server) -> None:
    with pytest.raises(RefusedError, match="Google Drive is not downloaded from"):
        get("https://drive.google.com/uc?export=download&id=1SJ")


def test_no_error_shows_the_key(api: Server, storage: Server, tmp_path: Path) -> None:
    """Whatever an API answers: no error, at no depth of its causes, and nothing on disk holds the key."""
    texts = []
    for status in (301, 400, 401, 403, 404, 410, 416, 418, 429, 500, 503):
        api.behaviours[SET] = Behaviour(status=status, body=b'{"message": "no"}', content_type="application/json")
        with pytest.raises(DownloadError) as error:
            get("kaggle:owner/set@2", limits=replace(QUICK, retries=0))
        cause: BaseException | None = error.value
        assert isinstance(cause, CovidDatasetsError)
        while cause is not None:
            texts.append(f"{cause!r}")
            cause = cause.__cause__ or cause.__context__
    assert TOKEN not in "\n".join(texts) + stored(tmp_path)
