"""Hosts of research data: how cards write their files, how the APIs are read, and whose key goes where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from covid_datasets.errors import CatalogError, ChangedUpstreamError, DownloadError, MissingUpstreamError, RefusedError
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.host import Ask
from covid_datasets.fetch.hosts import HOSTS, behind, host_of, problem_of
from covid_datasets.fetch.places import local_path, mirrored, place, redacted
from tests.hosts import no_keys

MD5, SHA256 = "0a" * 16, "0b" * 32


def asset(name: str, url: str, **published: Any) -> Asset:
    return Asset(name=name, urls=(url,), **published)


def find(url: str, answers: Mapping[str, object]) -> Asset:
    """Find a file where the API answers from a table of paths below it."""
    found = host_of(url)
    assert found is not None
    host, name = found

    def ask(asked: str) -> object:
        assert asked.startswith(f"{host.api}/"), asked
        return json.loads(json.dumps(answers[asked.removeprefix(host.api)]))

    typed: Ask = ask
    return host.find(name, host.api, typed)


# --- names, places and pages ----------------------------------------------------------------------------------------


PLACES = {
    "kaggle:owner/set@3": ("kaggle.com/owner/set@3.zip", "https://www.kaggle.com/datasets/owner/set/versions/3"),
    "kaggle:owner/set/a b.csv": ("kaggle.com/owner/set/a b.csv", "https://www.kaggle.com/datasets/owner/set"),
    "kaggle:competitions/rsna": ("kaggle.com/competitions/rsna.zip", "https://www.kaggle.com/competitions/rsna"),
    "zenodo:3757476/lung%20mask.zip": ("zenodo.org/3757476/lung mask.zip", "https://zenodo.org/records/3757476"),
    "figshare:13521488@2/a.nii.gz": (
        "figshare.com/13521488@2/a.nii.gz",
        "https://doi.org/10.6084/m9.figshare.13521488.v2",
    ),
    "mendeley:2fxz4px6d8/4/x/a.rar": (
        "data.mendeley.com/2fxz4px6d8/4/x/a.rar",
        "https://data.mendeley.com/datasets/2fxz4px6d8/4",
    ),
    "osf:abc12/folder/a?b#c.zip": ("osf.io/abc12/folder/a%3Fb%23c.zip", "https://osf.io/abc12/"),
}


@pytest.mark.parametrize("url", PLACES)
def test_a_file_has_one_place_in_every_mirror_and_a_page_for_people(url: str) -> None:
    found = host_of(url)
    assert found is not None
    host, name = found
    assert (place(url), host.page(name)) == PLACES[url]
    assert mirrored(url, "/mnt/mirror") == f"/mnt/mirror/{place(url)}"
    assert local_path(url) is None
    assert redacted(url) == url


BAD_NAMES = [
    "kaggle:owner",
    "kaggle:owner/set@three",
    "kaggle:owner/set/../x",
    "kaggle:/owner/set",
    "zenodo:cases/a.zip",
    "zenodo:123",
    "figshare:1@2",
    "figshare:1/a/b",
    "mendeley:2fxz4px6d8/a.zip",
    "osf:abc12",
    "osf:ABC/../../x",
]


@pytest.mark.parametrize("url", BAD_NAMES)
def test_a_name_that_is_none_is_told_with_the_right_form(url: str) -> None:
    with pytest.raises(CatalogError, match="expected") as error:
        find(url, {})
    host = HOSTS[url.partition(":")[0]]
    assert str(error.value) == problem_of(url) == f"{url}: expected {host.form}"


def test_every_host_is_found_by_the_name_of_its_module() -> None:
    modules = {path.stem for path in (Path(__file__).parents[2] / "covid_datasets/fetch/hosts").glob("[a-z]*.py")}
    assert set(HOSTS) == modules
    assert all(host.form.startswith(f"{scheme}:") for scheme, host in HOSTS.items())
    assert all(host.api.startswith("https://") for scheme, host in HOSTS.items() if scheme != "drive")


def test_ordinary_urls_are_of_no_host() -> None:
    for url in (
        "https://zenodo.org/records/1/files/a.zip",
        "s3://bucket/a",
        "C:\\data",
        "/data/x",
        "http://[",
        "zenodo",
    ):
        assert host_of(url) is None
    assert behind("https://www.kaggle.com/datasets/a/b") is None
    assert behind("https://www.kaggle.com/api/v1evil/x") is None
    assert behind("http://www.kaggle.com/api/v1/x") is None


# --- what the lists say ---------------------------------------------------------------------------------------------


def test_kaggle_is_asked_for_the_zip_of_all_or_for_one_file() -> None:
    api = "https://www.kaggle.com/api/v1"
    urls = {
        "kaggle:a/b": f"{api}/datasets/download/a/b",
        "kaggle:a/b@12": f"{api}/datasets/download/a/b?datasetVersionNumber=12",
        "kaggle:a/b@12/x y/c.csv": f"{api}/datasets/download/a/b/x%20y%2Fc.csv?datasetVersionNumber=12",
        "kaggle:competitions/c": f"{api}/competitions/data/download-all/c",
        "kaggle:competitions/c/d.csv": f"{api}/competitions/data/download/c/d.csv",
    }
    assert {url: find(url, {}) for url in urls} == {
        url: asset(url.partition(":")[2], found) for url, found in urls.items()
    }


ZENODO = {
    "id": 37,
    "files": [
        {"key": "a.zip", "size": 12, "checksum": f"md5:{MD5}", "links": {"self": "https://zenodo.org/api/a/content"}},
        {"filename": "b c.zip", "checksum": f"sha3:{MD5}", "size": "12"},
    ],
}


def test_zenodo_gives_size_and_md5() -> None:
    found = find("zenodo:37/a.zip", {"/records/37": ZENODO})
    assert found == asset("a.zip", "https://zenodo.org/api/a/content", size=12, md5=MD5)
    # Another hash, a size that is a text and a link that is absent are unknown, not guessed at.
    found = find("zenodo:37/b c.zip", {"/records/37": ZENODO})
    assert found == asset("b c.zip", "https://zenodo.org/records/37/files/b%20c.zip?download=1")


def test_a_zenodo_number_that_means_the_newest_version_is_refused() -> None:
    with pytest.raises(ChangedUpstreamError, match="expected record 36, found 37"):
        find("zenodo:36/a.zip", {"/records/36": ZENODO})


def test_a_file_that_is_not_listed_is_told_with_those_that_are() -> None:
    with pytest.raises(MissingUpstreamError, match=r"expected a file 'c\.zip', found 'a\.zip', 'b c\.zip'"):
        find("zenodo:37/c.zip", {"/records/37": ZENODO})


def figshare_file(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "size": 5, "computed_md5": MD5, "download_url": f"https://ndownloader/{name}"} | more


def test_figshare_is_read_page_by_page() -> None:
    first = [figshare_file(f"{number}.png") for number in range(100)]
    pages = {
        "/articles/13/versions/2/files?page=1&page_size=100": first,
        "/articles/13/versions/2/files?page=2&page_size=100": [figshare_file("last.zip", computed_md5="")],
        "/articles/13/files?page=1&page_size=100": [figshare_file("a.zip"), figshare_file("b.zip", is_link_only=True)],
    }
    assert find("figshare:13@2/7.png", pages) == asset("7.png", "https://ndownloader/7.png", size=5, md5=MD5)
    assert find("figshare:13@2/last.zip", pages) == asset("last.zip", "https://ndownloader/last.zip", size=5)
    assert find("figshare:13/a.zip", pages).md5 == MD5
    with pytest.raises(DownloadError, match=r"'b\.zip' is a link to another site, found 'https://ndownloader/b\.zip'"):
        find("figshare:13/b.zip", pages)


def test_two_files_of_one_name_are_told() -> None:
    twice = [figshare_file("a.zip"), figshare_file("a.zip", size=6)]
    with pytest.raises(DownloadError, match=r"expected one file 'a\.zip', found 2 of this name"):
        find("figshare:13/a.zip", {"/articles/13/files?page=1&page_size=100": twice})


def mendeley_file(name: str) -> dict[str, object]:
    details = {"sha256_hash": SHA256, "download_url": f"https://data.mendeley.com/public-files/{name}"}
    return {"id": name, "filename": name, "size": 9, "content_details": details}


def test_mendeley_gives_size_and_sha256_also_in_folders() -> None:
    def files(folder: str, start: int = 0) -> str:
        return f"/datasets/2fx/files?folder_id={folder}&version=4&%24start={start}&%24limit=1000"

    tree = [
        {"id": "f1", "name": "train"},
        {"id": "f2", "name": "COVID", "parent_id": "f1"},
        {"id": "f3", "name": "COVID"},
    ]
    answers = {
        files("root"): [mendeley_file("a.zip")],
        files("root", 1000): [],
        "/datasets/2fx/folders/4": tree,
        files("f2"): [mendeley_file("b.zip")],
        files("f3"): [mendeley_file("c.zip")],
        files("f3", 1000): [mendeley_file("c.zip")],  # a host that does not page answers the same again
    }
    expected = asset("a.zip", "https://data.mendeley.com/public-files/a.zip", size=9, sha256=SHA256)
    assert find("mendeley:2fx/4/a.zip", answers) == expected
    assert find("mendeley:2fx/4/train/COVID/b.zip", answers).urls[0].endswith("b.zip")
    with pytest.raises(MissingUpstreamError, match=r"expected a file 'b\.zip', found 'c\.zip'"):
        find("mendeley:2fx/4/COVID/b.zip", answers)
    with pytest.raises(MissingUpstreamError, match=r"expected a folder 'test', found 'COVID', 'train'"):
        find("mendeley:2fx/4/test/b.zip", answers)
    with pytest.raises(MissingUpstreamError, match=r"expected a file 'z\.zip', found 'a\.zip'"):
        find("mendeley:2fx/4/z.zip", answers)


def osf_entry(name: str, kind: str = "file", related: str = "") -> dict[str, object]:
    hashes = {"md5": MD5, "sha256": SHA256}
    return {
        "attributes": {"name": name, "kind": kind, "size": 7 if kind == "file" else None, "extra": {"hashes": hashes}},
        "links": {"download": f"https://osf.io/download/{name}"},
        "relationships": {"files": {"links": {"related": {"href": related}}}},
    }


OSF_ROOT = "/nodes/abc12/files/osfstorage/?page%5Bsize%5D=100"


def test_osf_is_walked_folder_by_folder_and_page_by_page() -> None:
    api = "https://api.osf.io/v2"
    answers: dict[str, object] = {
        OSF_ROOT: {"data": [osf_entry("ct")], "links": {"next": f"{api}/page2"}},
        "/page2": {"data": [osf_entry("ct", "folder", f"{api}/inside")], "links": {"next": None}},
        "/inside": {"data": [osf_entry("a.zip")], "links": {}},
    }
    expected = asset("a.zip", "https://osf.io/download/a.zip", size=7, sha256=SHA256, md5=MD5)
    assert find("osf:abc12/ct/a.zip", answers) == expected
    assert find("osf:abc12/ct", answers).urls[0] == "https://osf.io/download/ct"
    with pytest.raises(MissingUpstreamError, match="expected a folder 'mr', found 'ct'"):
        find("osf:abc12/mr/a.zip", answers)


def test_osf_lists_lead_to_no_other_place_and_come_to_an_end() -> None:
    for link in ("https://evil.org/v2/page2", "http://api.osf.io/v2/page2", "https://api.osf.io.evil.org/v2/", 7):
        with pytest.raises(DownloadError, match=r"expected a link to more of the list below https://api\.osf\.io/v2/"):
            find("osf:abc12/a.zip", {OSF_ROOT: {"data": [], "links": {"next": link}}})
    endless = {"data": [], "links": {"next": f"https://api.osf.io/v2{OSF_ROOT}"}}
    with pytest.raises(DownloadError, match="expected a list of at most 200 pages, found no end"):
        find("osf:abc12/a.zip", {OSF_ROOT: endless})


@pytest.mark.parametrize(
    "answer", [None, [], "files", 3, {}, {"files": None}, {"files": {}}, {"files": [1]}, {"files": "a"}]
)
def test_an_answer_of_another_shape_is_quoted(answer: object) -> None:
    with pytest.raises(DownloadError, match="expected a list of files at 'files', found"):
        find("zenodo:37/a.zip", {"/records/37": answer})


@pytest.mark.parametrize(
    "entry", [{}, {"links": 3}, {"links": {"self": ["x"]}}, {"links": {"self": "file:///etc/passwd"}}]
)
def test_an_entry_of_another_shape_gives_no_address_of_its_own(entry: dict[str, object]) -> None:
    record = {"files": [{"key": "a.zip", "size": True, "checksum": None} | entry]}
    if inner := isinstance(entry.get("links"), dict):
        with pytest.raises(DownloadError, match="expected the address of the file, found"):
            find("zenodo:37/a.zip", {"/records/37": record})
    else:
        assert not inner
        assert (
            find("zenodo:37/a.zip", {"/records/37": record}).urls[0]
            == "https://zenodo.org/records/37/files/a.zip?download=1"
        )


def test_drive_is_refused_with_a_hint() -> None:
    for url in ("https://drive.google.com/uc?id=1xdk", "https://docs.google.com/uc?id=1xdk", "drive:1xdk"):
        with pytest.raises(RefusedError, match=r"download it by hand at https://d\S+ and pass its folder as data_dir="):
            find(url, {})
    assert place("drive:1xdk") == "drive.google.com/1xdk"


# --- keys -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    (home / ".kaggle").mkdir(parents=True)
    no_keys(monkeypatch, home)
    return home


def put(path: Path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


KAGGLE_JSON = '{"username": "me", "key": "s3cr3t"}'
BASIC = "Basic bWU6czNjcjN0"


def test_the_kaggle_key_is_found_where_kaggle_s_own_tools_find_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    login = HOSTS["kaggle"].login
    assert login() == ""
    put(home / ".kaggle/kaggle.json", KAGGLE_JSON)
    assert login() == BASIC
    put(home / "elsewhere/kaggle.json", KAGGLE_JSON.replace('"me"', '"you"'))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / "elsewhere"))
    assert login() == "Basic eW91OnMzY3IzdA=="
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    assert login() == "Basic eW91OnMzY3IzdA==", "half a key is none"
    monkeypatch.setenv("KAGGLE_KEY", "s3cr3t")
    assert login() == BASIC
    put(home / ".kaggle/access_token.txt", "T0\n")
    assert login() == "Bearer T0"
    put(home / ".kaggle/access_token", " T1\n")
    assert login() == "Bearer T1"
    put(home / "token", "T2")
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(home / "token"))
    assert login() == "Bearer T2"
    monkeypatch.setenv("KAGGLE_API_TOKEN", "T3\n")
    assert login() == "Bearer T3"


@pytest.mark.parametrize("text", ["{", "[]", '{"username": "me"}', '{"username": "me", "key": 3}', "[" * 100_000])
def test_a_key_file_that_holds_something_else_is_told_without_quoting_it(home: Path, text: str) -> None:
    put(home / ".kaggle/kaggle.json", text.replace("me", "s3cr3t"))
    with pytest.warns(UserWarning, match='kaggle.json: expected {"username": "...", "key": "..."}') as warned:
        assert HOSTS["kaggle"].login() == ""
    assert "s3cr3t" not in str([warning.message for warning in warned])


def test_a_key_file_that_cannot_be_read_is_told(home: Path) -> None:
    (home / ".kaggle/kaggle.json").mkdir()
    with pytest.warns(UserWarning, match=r"kaggle\.json: cannot be read"):
        assert HOSTS["kaggle"].login() == ""
    (home / ".kaggle/kaggle.json").rmdir()
    (home / ".kaggle/access_token").write_bytes(b"\xff\xfe\x00")
    (home / ".kaggle/access_token").chmod(0o600)
    with pytest.warns(UserWarning, match=r"access_token: cannot be read \(it is no text\)"):
        HOSTS["kaggle"].login()


@pytest.mark.parametrize("token", ["a\nb", "a b", "ä", "\x00", "a" * 5000 + "\r\nX: y"])
def test_a_token_that_fits_in_no_header_is_not_sent(home: Path, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / ".kaggle/access_token", token)
    with pytest.warns(UserWarning, match="access_token: expected a key of one word") as warned:
        assert HOSTS["kaggle"].login() == ""
    assert token not in str([warning.message for warning in warned])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_can_read_gets_a_warning(home: Path, mode: int) -> None:
    put(home / ".kaggle/kaggle.json", KAGGLE_JSON, mode)
    with pytest.warns(UserWarning, match=r"other users can read your key. Next: chmod 600 .*kaggle\.json") as warned:
        assert HOSTS["kaggle"].login() == BASIC
    assert "s3cr3t" not in str([warning.message for warning in warned])


SECRETS = [
    "pwd=hunter2",
    "sv=hunter2",
    "access_code=hunter2",
    "accessCode=hunter2",
    "jwt=hunter2",
    "token=hunter2",
    "%74oken=hunter2",
    "X-Goog-Signature=hunter2",
    "X-Amz-Security-Token=hunter2",
    "AWSAccessKeyId=hunter2",
    "code=hunter2",
    "sessionid=hunter2",
]


@pytest.mark.parametrize("pair", SECRETS)
def test_values_that_are_secrets_by_their_name_are_redacted(pair: str) -> None:
    name = pair.partition("=")[0]
    for mark in ("?", "?page=1&", "?a=b;", "#", "?a#"):
        assert redacted(f"https://h/x{mark}{pair}&page=2") == f"https://h/x{mark}{name}=...&page=2"
    assert redacted(f"kaggle:a/b?{pair}") == f"kaggle:a/b?{name}=..."


def test_innocent_values_stay() -> None:
    url = "https://h/x?csv=1&svg=2&page=3&version=4&id=5&download=1&datasetVersionNumber=6#part=2"
    assert redacted(url) == url
