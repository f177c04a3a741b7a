"""Any number of archives got by hand, and the lists beside them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from covid_datasets.catalog.resource import Pattern, Resource
from covid_datasets.errors import DamagedFileError, UnsafeArchiveError
from covid_datasets.raw import archives
from covid_datasets.raw.archives import open_archive
from covid_datasets.raw.lists import ENDING, Listed, read_list
from covid_datasets.raw.local import Local, mount_local
from covid_datasets.raw.mounts import flat
from covid_datasets.raw.survey import survey
from covid_datasets.raw.tars import Tar
from covid_datasets.raw.tree import RawTree
from tests.sources.bimcv_covid19 import tgz


def resource(word: str) -> Resource:
    files = Pattern(glob="*/*.png", what="a file", required=True), Pattern(glob=f"*{word}*{ENDING}", what="a list")
    return Resource(name=word, kind="archives", folder=f"{word}/", files=files, steps=("Get them.",))


RESOURCE, OTHER = resource("good"), resource("bad")
COUNT = 90


def write(folder: Path, *, listed: bool, word: str = "good") -> None:
    for number in range(COUNT):
        members = {f"{word}/p{number}/{each}.png": b"x" * each for each in (1, 2, 3)}
        tgz(folder / f"{word}_part{number:03}.tar.gz", members, listed=listed)


def tree_of(local: Local) -> RawTree:
    return RawTree(tuple(flat(local.mounts.values())))


@pytest.fixture
def inflated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note which archives are inflated to be listed."""
    seen: list[str] = []
    before = Tar.__init__

    def init(self: Tar, stream: object, shown: str, size: int) -> None:
        seen.append(Path(shown).name)
        before(self, stream, shown, size)  # type: ignore[arg-type]

    monkeypatch.setattr(Tar, "__init__", init)
    archives._listed.cache_clear()
    return seen


@pytest.mark.parametrize("listed", [True, False])
def test_all_are_found_and_nothing_listed_is_inflated(tmp_path: Path, listed: bool, inflated: list[str]) -> None:
    write(tmp_path, listed=listed)
    local = mount_local(tmp_path, (RESOURCE,))
    found = survey((RESOURCE,), local.mounts, local.look)
    assert (found.missing, local.extra) == ((), [])
    raw = tree_of(local)
    assert len(inflated) == (0 if listed else COUNT)
    assert len([path for path in raw.sizes() if path.endswith(".png")]) == 3 * COUNT
    assert raw.read("good/p77/2.png") == b"xx"
    assert raw.in_order(["good/p77/3.png", "good/p77/1.png"]) == ["good/p77/1.png", "good/p77/3.png"]
    assert len(inflated) == (1 if listed else COUNT), "one archive is inflated for what is in it"


def test_a_missing_archive_is_told_file_by_file_and_an_unpacked_one_is_not(tmp_path: Path) -> None:
    write(tmp_path, listed=True)
    (tmp_path / "good_part007.tar.gz").unlink()
    (tmp_path / "good_part008.tar.gz").unlink()
    for each in (1, 2, 3):
        (tmp_path / "good/p8").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"good/p8/{each}.png").write_bytes(b"x" * each)
    local = mount_local(tmp_path, (RESOURCE,))
    found = survey((RESOURCE,), local.mounts, local.look)
    assert found.missing == ("good/p7/1.png", "good/p7/2.png", "good/p7/3.png")
    assert tree_of(local).read("good/p8/3.png") == b"xxx"


def test_parts_of_two_resources_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, listed=False)
    write(tmp_path, listed=False, word="bad")
    local = mount_local(tmp_path, (RESOURCE, OTHER))
    assert local.extra == []
    counts = {name: len(local.look.sizes(mount)) for name, mount in local.mounts.items()}
    assert counts == {"good": 3 * COUNT, "bad": 3 * COUNT}


def test_a_truncated_archive_is_told_by_name_and_with_a_list_by_its_files(tmp_path: Path) -> None:
    tgz(tmp_path / "good_1.tar.gz", {f"good/p1/{each}.png": bytes(range(256)) * 50 for each in range(9)}, listed=True)
    tgz(tmp_path / "good_2.tar.gz", {"good/p2/1.png": b"x"})
    data = (tmp_path / "good_1.tar.gz").read_bytes()
    (tmp_path / "good_1.tar.gz").write_bytes(data[: len(data) // 2])
    raw = tree_of(mount_local(tmp_path, (RESOURCE,)))
    with pytest.raises(DamagedFileError, match=r"good_1\.tar\.gz"):
        raw.read("good/p1/8.png")
    (tmp_path / f"good_1.tar.gz{ENDING}").unlink()
    archives._listed.cache_clear()
    local = mount_local(tmp_path, (RESOURCE,))
    assert [Path(name).name for name in local.damaged] == ["good_1.tar.gz"]
    found = survey((RESOURCE,), local.mounts, local.look)
    assert found.missing == ("good/all that is in good_1.tar.gz, which is damaged",), "nobody knows how much is lost"
    assert list(tree_of(local).sizes()) == ["good/p2/1.png"]


def test_a_file_in_two_archives_counts_once_and_the_other_is_extra(tmp_path: Path) -> None:
    tgz(tmp_path / "good_1.tar.gz", {"good/p1/1.png": b"first"})
    tgz(tmp_path / "good_2.tar.gz", {"good/p1/1.png": b"other", "good/p2/1.png": b"x"})
    local = mount_local(tmp_path, (RESOURCE,))
    assert tree_of(local).read("good/p1/1.png") == b"first"
    assert [Path(name).name for name in local.extra] == ["1.png"]


def test_list_and_archive_have_to_agree(tmp_path: Path) -> None:
    tgz(tmp_path / "good_1.tar.gz", {"good/p1/1.png": b"first"}, listed=True)
    place = tmp_path / f"good_1.tar.gz{ENDING}"
    place.write_text(place.read_text("utf-8").replace("       5 2020", "       6 2020"), "utf-8")
    archive = open_archive((str(tmp_path / "good_1.tar.gz"),))
    assert isinstance(archive, Listed)
    with pytest.raises(DamagedFileError, match="1 files that differ, such as good/p1/1.png"):
        archive.read("good/p1/1.png")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>404</html>\n",
        "-rw-r--r-- a/b 5 2020-06-05 10:11 x.png\nlrwxrwxrwx a/b 0 2020-06-05 10:11 y.png -> x.png\n",
        "-rw-r--r-- a/b 5 2020-06-05 10:11 x.png\n-rw-r--r-- a/b 5 2020-06-05 10:11 x.png\n",
        "-rw-r--r-- a/b 5 2020-06-05 10:11 x\\303\\241.png\n",
        "-rw-r--r-- a/b five 2020-06-05 10:11 x.png\n",
    ],
)
def test_a_list_that_says_anything_else_is_not_used(tmp_path: Path, text: str) -> None:
    assert read_list(text) is None
    tgz(tmp_path / "good_1.tar.gz", {"good/p1/1.png": b"first"})
    (tmp_path / f"good_1.tar.gz{ENDING}").write_text(text, "utf-8")
    assert open_archive((str(tmp_path / "good_1.tar.gz"),)).read("good/p1/1.png") == b"first"


def test_a_list_leads_nowhere_else(tmp_path: Path) -> None:
    tgz(tmp_path / "good_1.tar.gz", {"good/p1/1.png": b"first"})
    place = tmp_path / f"good_1.tar.gz{ENDING}"
    place.write_text("-rw-r--r-- a/b 5 2020-06-05 10:11 ../../etc/passwd\n", "utf-8")
    with pytest.raises(UnsafeArchiveError, match="points outside"):
        open_archive((str(tmp_path / "good_1.tar.gz"),))


def test_a_bomb_with_a_list_is_met_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "good_1.tar.gz").write_bytes(gzip.compress(b"\0" * (1 << 20)))
    (tmp_path / f"good_1.tar.gz{ENDING}").write_text("-rw-r--r-- a/b 5 2020-06-05 10:11 good/p1/1.png\n", "utf-8")
    with pytest.raises(DamagedFileError):
        open_archive((str(tmp_path / "good_1.tar.gz"),)).read("good/p1/1.png")
