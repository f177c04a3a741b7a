"""Raw data, cache and output in an object store: the same builds as on a disk, whole or not there."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import build_dataset, load_dataset, verify
from covid_datasets.catalog.cards import load_card
from covid_datasets.cli import main
from covid_datasets.errors import DamagedFileError, NotBuiltError, NotThereError, StoreError, UsageError
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.prepare.sheets import ID_MAP_FILE, QC_FILE
from covid_datasets.prepare.target import MARK_FILE
from covid_datasets.settings import Settings
from covid_datasets.store import Store
from tests.processes import digest_of
from tests.server import serve
from tests.small import NO_PROXY, SmallSources, small_configs
from tests.small import environment as small_environment
from tests.stores import BUCKET, forget_connections, needs_store, proxy, s3_server, use

pytestmark = needs_store
FEW_ROWS, FEW_ROWS_PIECES = 400_000, 9
"""Shards of a few rows each, and how many there are."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def cache(server: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an empty cache in the store; this machine's own folder is empty too."""
    use(monkeypatch, server)
    use_machine(monkeypatch, tmp_path / "machine")
    return f"s3://{BUCKET}/{abs(hash(request.node.nodeid)):x}"


def use_machine(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Become a machine that has nothing yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return the same build on a disk."""
    return build_dataset("phantom", "small", cache_dir=tmp_path_factory.mktemp("local"), num_proc=1)


def build(cache: str, **how: Any) -> Built:
    return build_dataset("phantom", "small", cache_dir=cache, **{"num_proc": 1, **how})


SHEETS = (QC_FILE, ID_MAP_FILE)


def upload(folder: Path, store: Store) -> str:
    for path in (path for path in folder.rglob("*") if path.is_file()):
        store.put_file(path, path.relative_to(folder).as_posix())
    return store.url


def test_build_in_a_store_is_the_build_on_a_disk(
    cache: str, local: Built, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("COVID_DATASETS_CACHE", cache)
    built = build_dataset("phantom", "small", num_proc=2, shard_bytes=200_000)
    assert built.fingerprint == local.fingerprint
    assert built.url.startswith(cache)
    assert not built.path.exists(), "expected that nothing is fetched before somebody loads it"
    assert not (Store(cache) / "prepared" / ".work").sizes(), "expected that pieces are removed at the end"
    assert built.report().startswith("# Phantom")
    of_store, of_disk = (each.manifest()["files"] for each in (built, local))
    assert {name: of_store[name] for name in SHEETS} == {name: of_disk[name] for name in SHEETS}

    use_machine(monkeypatch, tmp_path / "other")
    assert main(["path", "phantom", "--config", "small"]) == 0
    url = capsys.readouterr().out.strip()
    assert url == built.url
    opened = datasets.load_from_disk(url)
    assert {name: len(rows) for name, rows in opened.items()} == dict(built.splits)
    assert [row["sample_id"] for row in load_dataset("phantom", "small", split="train", framework="numpy")] == list(
        opened["train"]["sample_id"]
    )
    assert digest_of(find_build("phantom", "small")) == digest_of(local)
    streamed = load_dataset("phantom", "small", split="train", streaming=True)
    assert [row["sample_id"] for row in streamed] == list(opened["train"]["sample_id"])


def test_finished_build_is_found_and_not_made_again(cache: str) -> None:
    with pytest.raises(NotBuiltError, match=f"nothing in {cache}"):
        find_build("phantom", "small", cache_dir=cache)
    first, second = build(cache), build(cache)
    assert first == second
    assert first.manifest()["build"]["seconds"] == second.seconds


@pytest.mark.parametrize(
    ("name", "form"),
    [("covid_ct", "unpacked"), ("covid_ct", "packed"), ("midrc_ricord_1a", "unpacked"), ("mosmed", "packed")],
)
def test_raw_data_in_a_store(name: str, form: str, cache: str, small_sources: SmallSources, tmp_path: Path) -> None:
    """Folders are listed, archives are read in place, by ranges; the build is that of the local copy."""
    tree = small_sources.tree(name, form)
    url = upload(tree, Store(cache) / "raw")
    with small_sources.in_use():
        config = small_configs(load_card(name))[0]
        how: dict[str, Any] = {"num_proc": 2, "allow_missing": True, "shard_bytes": 50_000}
        there = build_dataset(name, config, data_dir=url, cache_dir=cache, **how)
        here = build_dataset(name, config, data_dir=tree, cache_dir=tmp_path / "here", **how)
        assert there.fingerprint == here.fingerprint
        assert find_build(name, config, data_dir=url, cache_dir=cache).url == ""
        Store(url).put("changed.csv", b"a,b\n")
        with pytest.raises(NotBuiltError, match="other inputs: raw"):
            find_build(name, config, data_dir=url, cache_dir=cache)


@pytest.mark.parametrize("name", ["covid_ct", "midrc_ricord_1a"])
def test_downloads_are_put_once_and_serve_the_next_machine(
    name: str, cache: str, server: str, small_sources: SmallSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the store with its receipt is neither put again nor fetched from its host again."""
    puts: list[str] = []

    def count(method: str, path: str, number: int) -> str:
        if method == "PUT" and "/downloads/" in path and not path.endswith(".json"):
            puts.append(path)
        return ""

    with (
        serve(small_sources.tree(name, "served")) as host,
        small_sources.in_use(),
        small_environment(NO_PROXY),
        proxy(server, count) as address,
    ):
        use(monkeypatch, address)
        config = small_configs(load_card(name))[0]
        how: dict[str, Any] = {"mirror": host.url(""), "num_proc": 1, "allow_missing": True}
        whole = build_dataset(name, config, cache_dir=tmp_path / "here", **how)
        first = build_dataset(name, config, cache_dir=cache, **how)
        brought, asked = len(puts), len(host.requests)
        assert brought
        assert first.fingerprint == whole.fingerprint
        Store(first.url).parent.remove()
        use_machine(monkeypatch, tmp_path / "other")
        assert build_dataset(name, config, cache_dir=cache, **how).fingerprint == whole.fingerprint
        assert (len(puts), len(host.requests)) == (brought, asked)
        # Bytes that rotted in the store are not believed: they come from their host again.
        Store(first.url).parent.remove()
        downloads = Store(cache) / "downloads"
        rotten = max(downloads.sizes().items(), key=lambda item: item[1])[0]
        sound = downloads.digest(rotten)
        downloads.put(rotten, bytes(downloads.sizes()[rotten]))
        use_machine(monkeypatch, tmp_path / "third")
        assert build_dataset(name, config, cache_dir=cache, **how).fingerprint == whole.fingerprint
        assert len(host.requests) > asked
        assert downloads.digest(rotten) == sound, "expected that workers, who read it there, do not get what rotted"


@pytest.mark.parametrize("conditions", ["heeded", "refused", "unheeded"])
def test_whoever_is_second_takes_the_build_of_the_first(
    conditions: str, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two machines see no build and make it; whatever the store knows, one mark stands and what it names is whole."""
    if conditions != "heeded":
        monkeypatch.setattr("s3fs.S3FileSystem.pipe_file", _without_conditions(refused=conditions == "refused"))
    first = build(cache)
    home = Store(first.url).parent
    with monkeypatch.context() as patch:
        # The second does not find it, and looks three times: outside of the lock, inside, and right before its mark.
        patch.setattr("covid_datasets.prepare.engine._finished", lambda *_: None)
        unseen, real = iter(range(3)), Store.info
        patch.setattr(
            Store,
            "info",
            lambda self, name="": None if name == MARK_FILE and next(unseen, None) is not None else real(self, name),
        )
        second = build(cache)
        assert next(unseen, None) is None, "expected that the second came to put a mark of its own"
    tokens = [token for token in home.folders() if token != MARK_FILE]
    mark, ours = json.loads(home.read(MARK_FILE))["folder"], first.url.rpartition("/")[2]
    assert mark == second.url.rpartition("/")[2]
    others = {token for token in tokens if token != ours}
    assert mark == {"heeded": ours, "refused": min(tokens), "unheeded": next(iter(others), "")}[conditions]
    assert len(tokens) == (1 if conditions == "heeded" else 2)
    assert all(verify((home / token).url).ok for token in tokens)
    assert find_build("phantom", "small", cache_dir=cache).fingerprint == first.fingerprint


def _without_conditions(*, refused: bool) -> Any:
    from s3fs import S3FileSystem

    real = S3FileSystem.pipe_file

    def pipe_file(self: Any, path: str, data: bytes, mode: str = "overwrite", **how: Any) -> Any:
        if mode == "create" and refused:
            raise NotImplementedError("this store knows no conditions")
        return real(self, path, data, **how)

    return pipe_file


def claimed(store: Store, mark: bytes) -> bool:
    store.put_new("mark.json", mark)
    return store.read("mark.json") == mark


@pytest.mark.parametrize("numbers", [(1, 2), (2, 1)])
def test_lowest_of_two_has_the_mark_where_a_store_knows_no_conditions(
    numbers: tuple[int, int], cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever comes last, and though the first has read its own mark already."""
    monkeypatch.setattr("s3fs.S3FileSystem.pipe_file", _without_conditions(refused=True))
    tokens = iter(numbers)
    monkeypatch.setattr("covid_datasets.prepare.target.new_token", lambda: f"{next(tokens):012}")
    first = build(cache)
    home = Store(first.url).parent
    home.remove([MARK_FILE])
    second = build(cache)
    assert json.loads(home.read(MARK_FILE))["folder"] == f"{1:012}" == second.url.rpartition("/")[2]
    assert {f"{1:012}", f"{2:012}"} < set(home.folders())
    assert verify(second.url).ok


@pytest.mark.parametrize("condition", ["", "unheeded"])
def test_claims_that_race_agree_in_the_end(
    condition: str, cache: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each looked before another put; whose mark stands knows it, and where conditions are heeded nobody else does."""
    marks = [b"b", b"c", b"a"]
    together, look = threading.Barrier(len(marks)), Store.info

    def look_together(self: Store, name: str = "") -> tuple[int, str] | None:
        found = look(self, name)
        together.wait(60)
        return found

    monkeypatch.setattr(Store, "info", look_together)
    with (
        proxy(server, lambda method, *_: condition if method == "PUT" else "") as address,
        ThreadPoolExecutor() as pool,
    ):
        use(monkeypatch, address)
        won = dict(zip(marks, pool.map(lambda mark: claimed(Store(cache), mark), marks), strict=True))
        assert won[Store(cache).read("mark.json")]
    assert condition or sum(won.values()) == 1


def test_claim_whose_answer_is_lost_is_known_as_won(cache: str, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = iter([True])

    def fault(method: str, path: str, number: int) -> str:
        return "lost" if method == "PUT" and next(lost, False) else ""

    with proxy(server, fault) as address:
        use(monkeypatch, address)
        assert claimed(Store(cache) / "a", b"mine")
        assert not claimed(Store(cache) / "a", b"another")


def test_store_that_cuts_connections_answers_503_and_is_slow(
    cache: str, local: Built, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every seventh request fails in one way or another: nothing is lost, nothing is doubled."""
    kinds = ["503", "cut", "drop", "slow", "lost"]

    def fault(method: str, path: str, number: int) -> str:
        return kinds[number // 7 % len(kinds)] if number % 7 == 3 else ""

    with proxy(server, fault) as address:
        use(monkeypatch, address)
        built = build(cache, shard_bytes=400_000)
        assert built.fingerprint == local.fingerprint
        report = verify("phantom", config="small", cache_dir=cache)
        assert report.ok, report.problems
        assert digest_of(find_build("phantom", "small", cache_dir=cache)) == digest_of(local)


def test_store_that_is_away_is_said_and_finished_pieces_are_kept(
    cache: str, local: Built, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    pieces: set[str] = set()
    gone = [True]

    def fault(method: str, path: str, number: int) -> str:
        if method == "PUT" and path.partition("?")[0].endswith("seal.json"):
            if gone[0] and len(pieces) == 3:
                return "503"
            pieces.add(path)
        return ""

    with proxy(server, fault) as address:
        use(monkeypatch, address)
        with pytest.raises(StoreError, match="the store did not do it.*what is finished is kept"):
            build(cache, shard_bytes=FEW_ROWS)
        with pytest.raises(NotBuiltError):
            find_build("phantom", "small", cache_dir=cache)
        kept, gone[0] = set(pieces), False
        assert build(cache, shard_bytes=FEW_ROWS).fingerprint == local.fingerprint
    assert len(kept) == 3
    assert len(pieces) == FEW_ROWS_PIECES, "expected that each piece is sealed once, by the first run or by the second"


def test_damage_in_a_store_is_found(cache: str) -> None:
    built = build(cache)
    store = Store(built.url)
    assert verify("phantom", config="small", cache_dir=cache).ok
    name = next(name for name in store.sizes() if name.startswith("train/data"))
    data = bytearray(store.read(name))
    data[len(data) // 2] ^= 1
    store.put(name, bytes(data))
    report = verify(built.url)
    assert [problem.partition(":")[0] for problem in report.problems] == [name]
    with pytest.raises(DamagedFileError, match=f"{name}: expected the file as it was built"):
        load_dataset("phantom", "small", cache_dir=cache, framework="numpy")
    store.put(name, bytes(data[:-1]))
    with pytest.raises(DamagedFileError, match=f"{name}: expected {len(data):,} bytes"):
        build(cache)
    store.remove([name])
    with pytest.raises(DamagedFileError, match="as it was built"):
        build(cache)


def test_build_of_which_an_object_is_gone_is_said_and_made_again(cache: str) -> None:
    """What the message says to remove is all that stands in the way of another build."""
    pytest.importorskip("datasets")
    first = build(cache)
    store = Store(first.url)
    name = next(name for name in store.sizes() if name.startswith("train/data"))
    store.remove([name])
    with pytest.raises(DamagedFileError, match=f"{name}: expected the file as it was built") as told:
        load_dataset("phantom", "small", cache_dir=cache, framework="numpy")
    with pytest.raises(DamagedFileError, match=f"{name}: expected .* found no such file"):
        list(load_dataset("phantom", "small", split="train", cache_dir=cache, streaming=True))
    with pytest.raises(DamagedFileError, match=name):
        verify("phantom", config="small", cache_dir=cache, pixels=True)
    assert f"Remove {store}, and built.json beside it, and build again" in str(told.value)
    store.remove()
    store.parent.remove(["built.json"])
    assert build(cache).fingerprint == first.fingerprint
    assert verify("phantom", config="small", cache_dir=cache).ok


@pytest.mark.parametrize("mark", [b"", b"{}", b"[]", b"\xff"])
def test_mark_that_names_nothing_is_said(mark: bytes, cache: str) -> None:
    first = build(cache)
    home = Store(first.url).parent
    home.put(MARK_FILE, mark)
    for ask in (find_build, build_dataset):
        with pytest.raises(DamagedFileError, match="built.json: expected the name of the folder.*Remove it and build"):
            ask("phantom", "small", cache_dir=cache)
    home.remove([MARK_FILE])
    assert build(cache).fingerprint == first.fingerprint


def test_offline_asks_no_store(cache: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by the argument nor by the environment: cache, raw files and a build by its URL are refused unasked."""
    asked: list[str] = []

    def count(method: str, path: str, number: int) -> str:
        asked.append(path)
        return ""

    with proxy(server, count) as address:
        use(monkeypatch, address)
        own: dict[str, Any] = {"data_dir": f"{cache}/raw", "cache_dir": tmp_path}
        refused = pytest.raises(UsageError, match="OFFLINE forbids the network, found a URL")
        for ask in (build_dataset, load_dataset):
            with refused:
                ask("covid_ct", offline=True, **own)
            with refused:
                ask("phantom", "small", cache_dir=cache, offline=True)
        monkeypatch.setenv("COVID_DATASETS_OFFLINE", "1")
        for look in (build_dataset, load_dataset, find_build):
            with refused:
                look("covid_ct", **own)
        with refused:
            verify(f"{cache}/prepared/phantom")
        with refused:
            load_dataset(f"{cache}/prepared/phantom", streaming=True)
    assert not asked


def test_what_cannot_be_is_said(cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="fsspec knows.*covid_datasets.s3."):
        build("nowhere://bucket/cache")
    with pytest.raises(UsageError, match="OFFLINE forbids the network, found a URL"):
        build(cache, offline=True)
    with pytest.raises(NotThereError, match="data_dir s3://.*: expected a folder or an archive, found nothing"):
        build_dataset("covid_ct", data_dir=f"{cache}/nothing", cache_dir=tmp_path)
    with pytest.raises(StoreError, match="there is no such bucket"):
        build(f"s3://{BUCKET}-of-nobody/cache")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    forget_connections()
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    with pytest.raises(StoreError, match="check the address"):
        build(cache)
    assert Settings.resolve(cache).cache.is_relative_to(tmp_path / "machine")
