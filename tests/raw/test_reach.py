"""Sources that need an account: public copies are asked first, then those with a key; else the steps are told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from covid_datasets.catalog.cards import choose
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.errors import AccessRequired, MissingUpstreamError, OfflineError, RefusedError
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.raw.check import check
from covid_datasets.raw.mirror import SUMS
from covid_datasets.raw.obtain import Obtained, make_mirror, obtain
from covid_datasets.settings import Settings
from tests.hosts import KEY, TOKEN, answers, imitate, no_keys
from tests.raw.test_archives import zip_of
from tests.server import Behaviour, Server, serve
from tests.sources import chest
from tests.tiny import BUILDER, CARD, installed

LIST = b"file,patient,finding\n1.png,A,COVID-19\n2.png,B,No Finding\n"
FILES = {name: chest(number, modality="CXR") for number, name in enumerate(["1.png", "2.png"])} | {"list.csv": LIST}
ZIP = zip_of({f"root/{name}": data for name, data in FILES.items()})
ACCOUNT = 'kind = "account"\nsteps = ["Log in at https://www.kaggle.com/datasets/owner/set and press Download."]'
RESOURCES = """
[versions.1]
resources = ["films"]

[[resources]]
name = "films"
kind = "archive"
manifest = "tiny.tsv"
copies = [{ url = "kaggle:owner/set@2", root = "root/" }]
"""
KAGGLE = "/kaggle/datasets/download/owner/set?datasetVersionNumber=2"
HOW = (
    "tiny (Tiny): only you can fetch it. It needs an account of your own.\n"
    "\n"
    "With a key of your own it is downloaded for you:\n"
    "  Kaggle: make a token at https://www.kaggle.com/settings/api ('Generate New Token'), save it as\n"
    "  ~/.kaggle/access_token and run 'chmod 600 ~/.kaggle/access_token', or set KAGGLE_API_TOKEN. An\n"
    "  older key works too: ~/.kaggle/kaggle.json, or KAGGLE_USERNAME and KAGGLE_KEY. Then accept the\n"
    "  terms of the data, where it has any, on its page:\n"
    "  https://www.kaggle.com/datasets/owner/set/versions/2\n"
    "\n"
    "Steps without a key:\n"
    "  1. Log in at https://www.kaggle.com/datasets/owner/set and press Download.\n"
    "\n"
    "Your folder is then:\n"
    "  FOLDER/\n"
    "    set.zip   (untouched, or unpacked: 3 files)\n"
)


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    no_keys(monkeypatch, tmp_path / "home")
    card = CARD.replace('kind = "open"', ACCOUNT) + RESOURCES
    with installed(tmp_path / "package", monkeypatch, {"tiny": card}, {"tiny": BUILDER}, FILES):
        yield


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve as Kaggle, which has the zip for whoever has the key."""
    (tmp_path / "api").mkdir()
    with serve(tmp_path / "api", {KAGGLE: Behaviour(body=ZIP, authorization=KEY)}) as running:
        imitate(monkeypatch, running)
        yield running


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)


def rewrite_card(*changes: tuple[str, str]) -> None:
    path = catalog_folder() / "tiny.toml"
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def add_copy(url: str, extra: str = "") -> None:
    rewrite_card(('root = "root/" }]', f'root = "root/" }}, {{ url = "{url}", root = "root/"{extra} }}]'))


def get(*, allow_missing: bool = False, **settings: object) -> Obtained:
    return obtain(choose("tiny"), Settings.resolve(**settings), allow_missing=allow_missing)  # type: ignore[arg-type]


# --- a key or the steps ---------------------------------------------------------------------------------------------


def test_without_a_key_the_text_says_how_to_get_one_and_how_to_do_without(api: Server) -> None:
    with pytest.raises(AccessRequired) as error:
        build_dataset("tiny")
    assert str(error.value).startswith(HOW)
    assert api.requests == []


def test_with_a_key_the_source_is_built(api: Server, key: None, tmp_path: Path) -> None:
    built = build_dataset("tiny")
    assert (built.rows, built.incomplete) == (2, False)
    assert [request.headers["authorization"] for request in api.requests] == [KEY]
    assert '"kaggle:owner/set@2"' in json.dumps(built.manifest())
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"hunter2" in text for text in texts), "the key is written nowhere"


def test_a_key_in_kaggle_s_own_file_is_enough(api: Server, tmp_path: Path) -> None:
    file = tmp_path / "home/.kaggle/kaggle.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"username": "me", "key": "s3cr3t"}')
    file.chmod(0o600)
    api.behaviours[KAGGLE] = Behaviour(body=ZIP, password="me:s3cr3t")
    assert get().missing == ()


def test_a_wrong_key_is_no_reason_to_ask_for_one(api: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "old")
    with pytest.raises(RefusedError, match="Kaggle does not know this key"):
        build_dataset("tiny")


def test_terms_that_are_not_accepted_are_told(api: Server, key: None) -> None:
    api.behaviours[KAGGLE] = answers({"code": 403, "message": "You must accept the terms"}, status=403)
    with pytest.raises(
        RefusedError, match=r"saying 'You must accept the terms'.* open https://www\.kaggle\.com/datasets/owner/set"
    ):
        build_dataset("tiny")


def test_what_is_here_already_needs_no_key(api: Server, key: None, monkeypatch: pytest.MonkeyPatch) -> None:
    get()
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    assert get(offline=True).missing == ()
    assert len(api.requests) == 1


def test_offline_with_a_key_says_what_to_carry(key: None) -> None:
    with pytest.raises(
        OfflineError, match=r"kaggle:owner/set@2: expected it in the cache \(.*kaggle\.com/owner/set@2\.zip"
    ):
        get(offline=True)


def test_a_key_opens_nothing_that_is_gone(key: None) -> None:
    rewrite_card(('kind = "account"', 'kind = "defunct"'))
    with pytest.raises(AccessRequired, match="It is no longer published"):
        get()


def test_a_login_in_netrc_is_a_key_too(api: Server, tmp_path: Path) -> None:
    rewrite_card(("kaggle:owner/set@2", api.url("/films.zip")))
    api.behaviours["/films.zip"] = Behaviour(body=ZIP, password="me:pw")
    with pytest.raises(AccessRequired):
        get()
    (tmp_path / "home").mkdir()
    (tmp_path / "home/netrc").write_text("machine 127.0.0.1 login me password pw\n")
    assert get().missing == ()


# --- public copies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_key", [False, True])
def test_a_public_copy_is_asked_first(api: Server, has_key: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if has_key:
        monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    add_copy(api.url("/public.zip"), ", public = true")
    api.behaviours["/public.zip"] = Behaviour(body=ZIP)
    assert get().missing == ()
    assert [request.path for request in api.requests] == ["/public.zip"]


def test_the_key_steps_in_where_the_public_copy_fails(api: Server, key: None) -> None:
    add_copy(api.url("/public.zip"), ", public = true")
    assert get().missing == ()
    assert [request.path for request in api.requests] == ["/public.zip", KAGGLE]


def test_a_copy_that_is_not_said_to_be_public_is_not_asked(api: Server) -> None:
    add_copy(api.url("/public.zip"))
    with pytest.raises(AccessRequired):
        get()
    assert api.requests == []


def test_a_dataset_that_kaggle_gives_to_anybody_needs_no_key(api: Server) -> None:
    rewrite_card(('root = "root/" }', 'root = "root/", public = true }'))
    api.behaviours[KAGGLE] = Behaviour(body=ZIP)
    assert get().missing == ()
    assert "authorization" not in api.requests[0].headers


# --- one resource needs an account, another does not ----------------------------------------------------------------

SCORES = """
[[resources]]
name = "scores"
path = "scores.csv"
copies = [{ url = "URL" }]
"""


@pytest.fixture
def mixed(api: Server) -> None:
    """An open source: one of its resources is on Kaggle, another one is open."""
    rewrite_card(('["films"]', '["films", "scores"]'), (ACCOUNT, 'kind = "open"'))
    path = catalog_folder() / "tiny.toml"
    path.write_text(path.read_text(encoding="utf-8") + SCORES.replace("URL", api.url("/scores.csv")), encoding="utf-8")
    api.behaviours["/scores.csv"] = Behaviour(body=b"a,b\n1,2\n")


def test_access_is_asked_for_the_resource_that_needs_it(mixed: None, api: Server) -> None:
    with pytest.raises(AccessRequired) as error:
        get()
    assert str(error.value).startswith(
        "tiny (Tiny): only you can fetch it. A part of it needs an account of your own.\n"
    )
    assert "With a key of your own it is downloaded for you:\n  Kaggle: make a token" in str(error.value)
    assert "1. it is served at <https://www.kaggle.com/datasets/owner/set/versions/2>" in str(error.value)
    assert "scores.csv   (downloaded for you where it is not there)" in str(error.value)
    assert api.requests == []


def test_with_a_key_both_are_downloaded_and_the_key_goes_to_kaggle_only(mixed: None, api: Server, key: None) -> None:
    found = get()
    assert found.raw.read("scores.csv") == b"a,b\n1,2\n"
    keys = {request.path: request.headers.get("authorization") for request in api.requests}
    assert keys == {KAGGLE: KEY, "/scores.csv": None}


def test_what_is_open_completes_what_was_got_by_hand(mixed: None, api: Server, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/archive.zip").write_bytes(ZIP)
    found = check("tiny", tmp_path / "mine")
    assert (found.ok, found.downloads) == (True, ("scores",))
    obtained = obtain(choose("tiny"), Settings.resolve(), data_dir=tmp_path / "mine")
    assert obtained.raw.read("scores.csv") == b"a,b\n1,2\n"
    assert [request.path for request in api.requests] == ["/scores.csv"]


def test_what_a_key_reaches_completes_a_folder_too(mixed: None, api: Server, key: None, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/scores.csv").write_bytes(b"a,b\n")
    obtained = obtain(choose("tiny"), Settings.resolve(), data_dir=tmp_path / "mine")
    assert (obtained.missing, obtained.raw.read("scores.csv")) == ((), b"a,b\n")
    assert [request.path for request in api.requests] == [KAGGLE]


def test_an_optional_resource_without_a_key_is_left_out_and_told(mixed: None, api: Server) -> None:
    rewrite_card(('name = "films"', 'name = "films"\noptional = true'))
    found = get()
    assert found.absent == {"films": "it is served at <https://www.kaggle.com/datasets/owner/set/versions/2>"}
    assert [request.path for request in api.requests] == ["/scores.csv"]


# --- mirrors --------------------------------------------------------------------------------------------------------


def test_a_mirror_holds_what_the_key_allows_and_serves_those_without(
    mixed: None, api: Server, key: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_mirror(["tiny"], tmp_path / "made")
    assert [(one.url, one.path.relative_to(tmp_path / "made").as_posix()) for one in made] == [
        ("kaggle:owner/set@2", "kaggle.com/owner/set@2.zip"),
        (api.url("/scores.csv"), f"127.0.0.1_{api.port}/scores.csv"),
    ]
    sums = (tmp_path / "made" / SUMS).read_text()
    assert f"{hashlib.sha256(ZIP).hexdigest()}  kaggle.com/owner/set@2.zip\n" in sums
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    before = len(api.requests)
    found = get(mirror=str(tmp_path / "made"), offline=True)
    assert (found.missing, len(api.requests)) == ((), before)
    assert [one.action for one in make_mirror(["tiny"], tmp_path / "made", mirror=str(tmp_path / "made"))] == [
        "kept"
    ] * 2


def test_a_mirror_without_the_key_is_refused_with_the_steps(mixed: None, tmp_path: Path) -> None:
    with pytest.raises(AccessRequired, match="Kaggle: make a token at"):
        make_mirror(["tiny"], tmp_path / "made")


def test_a_mirror_that_lacks_it_says_where_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(MissingUpstreamError, match=r"expected it at .*kaggle\.com/owner/set@2\.zip"):
        get(mirror=str(tmp_path))
