"""Archives and folders in a store, read in place: how often it is asked, and for how much."""

from __future__ import annotations

import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from covid_datasets.errors import DamagedFileError
from covid_datasets.raw.archives import open_archive
from covid_datasets.raw.handles import handles
from covid_datasets.raw.stored import FIRST_BYTES, GAP_BYTES, SLACK_BYTES
from covid_datasets.store import Store, stands_for

MEMBERS, SIZE = 200, 50_000


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the bytes of every range that a store is asked for."""
    found: list[int] = []
    real = Store.read

    def read(self: Store, name: str = "", start: int | None = None, stop: int | None = None) -> bytes:
        data = real(self, name, start, stop)
        if start is not None:
            found.append(len(data))
        return data

    monkeypatch.setattr(Store, "read", read)
    return found


@pytest.fixture
def contents() -> dict[str, bytes]:
    chance = random.Random(1)
    return {f"scan/{number:04}.png": chance.randbytes(SIZE) for number in range(MEMBERS)}


def put(path: Path, token: str = "1") -> str:
    """Put an archive where only a store has it; return the path that it stands for."""
    url = f"memory://{path.as_posix().strip('/')}"
    Store(url).parent.put(path.name, path.read_bytes())
    stands_for(str(path), url, token)
    path.unlink()
    return str(path)


@pytest.fixture(params=["zip", "tar"])
def archive(request: pytest.FixtureRequest, tmp_path: Path, contents: dict[str, bytes]) -> str:
    path = tmp_path / f"a.{request.param}"
    if request.param == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            for name, data in contents.items():
                packed.writestr(name, data)
    else:
        source = tmp_path / "one"
        with tarfile.open(path, "w") as tar:
            for name, data in contents.items():
                source.write_bytes(data)
                tar.add(source, name)
    return put(path)


def test_members_in_order_come_with_few_requests(archive: str, asked: list[int], contents: dict[str, bytes]) -> None:
    found = open_archive((archive,))
    assert dict(found.sizes()) == dict.fromkeys(contents, SIZE)
    asked.clear()
    assert {name: found.read(name) for name in contents} == contents
    assert len(asked) <= 12, f"expected windows that grow, found {asked}"
    assert sum(asked) < 1.1 * MEMBERS * SIZE


def test_member_far_away_comes_alone(archive: str, asked: list[int], contents: dict[str, bytes]) -> None:
    found, names = open_archive((archive,)), list(contents)
    found.read(names[100])
    asked.clear()
    for name in (names[10], names[150], names[40]):
        assert found.read(name) == contents[name]
    assert len(asked) <= 3, "expected one request for each, or none for what was seen while the archive was listed"
    assert max(asked) < SIZE + 2 * SLACK_BYTES + FIRST_BYTES
    assert GAP_BYTES < 30 * SIZE, "expected members that lie far apart"


def test_object_that_is_replaced_while_it_is_read_is_refused(archive: str, contents: dict[str, bytes]) -> None:
    found, url = open_archive((archive,)), Store(f"memory://{archive.strip('/')}")
    url.parent.put(url.name, b"another")
    handles.close()
    with pytest.raises(DamagedFileError, match="it was changed while it was read"):
        found.read(next(iter(contents)))
    stands_for(archive, url.url, "2")
    with pytest.raises(DamagedFileError, match="expected a whole zip or tar archive, found 7 bytes"):
        open_archive((archive,))


def test_folder_of_a_store_has_no_names_that_lead_out_or_are_hidden(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    store = Store(f"memory://{folder.as_posix().strip('/')}")
    for name in ("a/b.png", ".hidden/c.png", "a/.d.png"):
        store.put(name, b"x")
    stands_for(str(folder), store.url, "1")
    found = open_archive((str(folder),))
    assert list(found.names()) == ["a/b.png"]
    assert found.size("../raw/a/b.png") is None
    assert found.size("a/b.png") == 1
    assert found.read("a/b.png") == b"x"
