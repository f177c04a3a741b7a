"""Any number of archives: each is listed once, few are open at once, and a read leads straight to its archive."""

from __future__ import annotations

import gzip
import os
import pickle
import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from covid_datasets.catalog.resource import Copy, Pattern, Resource
from covid_datasets.errors import DamagedFileError
from covid_datasets.raw import archives, handles
from covid_datasets.raw.archive import Archive
from covid_datasets.raw.archives import open_archive
from covid_datasets.raw.folders import Folder
from covid_datasets.raw.local import mount_local
from covid_datasets.raw.mounts import TreeMount
from covid_datasets.raw.survey import survey
from covid_datasets.raw.tree import RawTree
from tests.raw.test_archives import tar_of, write, zip_of

ARCHIVES, MEMBERS = 100, 40


@pytest.fixture
def many(tmp_path: Path) -> RawTree:
    for number in range(ARCHIVES):
        files = {f"{number}/{member}.png": f"{number} {member}".encode() for member in range(MEMBERS)}
        (tmp_path / f"{number}.zip").write_bytes(zip_of(files))
    handles.handles.close()
    return RawTree(tuple(TreeMount((str(tmp_path / f"{number}.zip"),)) for number in range(ARCHIVES)))


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what is listed."""
    found: list[str] = []
    list_ = archives._list

    def counted(source: handles.Source, shown: str) -> Archive:
        found.append(shown)
        return list_(source, shown)

    monkeypatch.setattr(archives, "_list", counted)
    return found


def open_files(folder: Path) -> int:
    """Count the files of a folder that this process has open."""
    links = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            links.append(os.readlink(link))
        except FileNotFoundError:  # that of the listing itself
            continue
    return sum(link.startswith(str(folder)) for link in links)


def test_a_hundred_archives_are_listed_once_and_few_are_open(many: RawTree, listed: list[str], tmp_path: Path) -> None:
    paths = [(number, member) for number in range(ARCHIVES) for member in range(MEMBERS)]
    random.Random(1).shuffle(paths)
    most = 0
    for count, (number, member) in enumerate(paths):
        assert many.read(f"{number}/{member}.png") == f"{number} {member}".encode()
        if count % 50 == 0:
            most = max(most, open_files(tmp_path))
    assert len(listed) == ARCHIVES
    assert 0 < most <= handles.MAX_OPEN < ARCHIVES
    before = handles.handles.opened
    for member in range(MEMBERS):
        many.read(f"7/{member}.png")
    assert handles.handles.opened - before <= 1, "an archive that is read stays open"


def test_a_tree_that_was_read_is_as_small_as_before(many: RawTree) -> None:
    before = len(pickle.dumps(many))
    many.read("7/7.png")
    assert len(pickle.dumps(many)) == before < 20_000
    assert pickle.loads(pickle.dumps(many)).read("7/8.png") == b"7 8"


def _lists_after_reading(raw: RawTree) -> int:
    assert all(raw.read(f"{number}/3.png") == f"{number} 3".encode() for number in range(ARCHIVES))
    return archives._listed.cache_info().misses


def test_forked_workers_inherit_what_was_listed(many: RawTree) -> None:
    many.read("7/7.png")
    lists = archives._listed.cache_info().misses
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        assert set(pool.map(_lists_after_reading, [many] * 4)) == {lists}


def test_an_archive_that_was_replaced_is_listed_anew(many: RawTree, tmp_path: Path) -> None:
    assert many.read("7/7.png") == b"7 7"
    (tmp_path / "7.zip").write_bytes(zip_of({"7/7.png": b"another one"}))
    assert many.read("7/7.png") == b"another one"
    assert not many.has("7/8.png")


def test_an_archive_that_is_replaced_under_a_reader_is_refused(tmp_path: Path) -> None:
    location = write(tmp_path / "x.zip", zip_of({"a": b"1"}))
    archive = open_archive(location)
    handles.handles.close()
    write(tmp_path / "x.zip", zip_of({"b": b"22"}))
    with pytest.raises(DamagedFileError, match=r"x\.zip: it was changed while it was read"):
        archive.read("a")


def test_nested_archives_are_let_go_of_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "MAX_OPEN", 3)
    inner = {f"{number}.zip": zip_of({"a": str(number).encode()}) for number in range(8)}
    location = write(tmp_path / "outer.zip", zip_of(inner))
    for _ in range(2):
        assert [open_archive((*location, name)).read("a") for name in inner] == [str(n).encode() for n in range(8)]
    assert len(handles.handles._open) <= 3


def test_resources_that_were_unpacked_into_one_folder_are_not_walked_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def walks(count: int) -> int:
        data = tmp_path / str(count)
        for number in range(count):
            (data / str(number)).mkdir(parents=True)
            (data / str(number) / "a.png").write_bytes(b"a")
        wanted = tuple(
            Resource(name=f"r{n}", kind="archive", files=(Pattern(glob=f"{n}/*.png", what="a picture"),), steps=("x",))
            for n in range(count)
        )
        walked = 0
        sizes = Folder.sizes

        def counted(folder: Folder) -> object:
            nonlocal walked
            walked += 1
            return sizes(folder)

        with monkeypatch.context() as patch:
            patch.setattr(Folder, "sizes", counted)
            local = mount_local(data, wanted)
            assert survey(wanted, local.mounts, local.look).missing == ()
            raw = RawTree(tuple(local.mounts.values()))
            assert len(raw.sizes()) == count
            assert raw.read("1/a.png") == b"a"
        return walked

    assert walks(30) <= walks(3) + 1, "one more is the index"


@pytest.mark.parametrize("names", ["sorted", "shuffled"])
def test_a_compressed_tar_is_inflated_about_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    """Members that do not compress, so that bytes read are bytes inflated; in plan order, which is that of names."""
    chance = random.Random(3)
    order = [f"{number:03}.png" for number in range(60)]
    if names == "shuffled":
        chance.shuffle(order)
    files = {name: chance.randbytes(400_000) for name in order}
    location = write(tmp_path / "x.tar.gz", gzip.compress(tar_of(files), 1))
    read = 0
    pread = handles.Handles.pread

    def counted(self: handles.Handles, source: handles.Source, size: int, offset: int) -> bytes:
        nonlocal read
        data = pread(self, source, size, offset)
        read += len(data)
        return data

    monkeypatch.setattr(handles.Handles, "pread", counted)
    packed = os.path.getsize(location[0])
    archive = open_archive(location)
    assert read <= 1.05 * packed, "listing inflates it once"
    read = 0
    for name in sorted(files):
        assert archive.read(name) == files[name]
    assert read <= (1.2 if names == "sorted" else 2.0) * packed
    read = 0
    for name in RawTree((TreeMount(location),)).in_order(files):
        assert archive.read(name) == files[name]
    assert read <= 1.2 * packed


def test_the_checksum_of_a_compressed_tar_is_read(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(tar_of({"a": b"1" * 5000, "b": b"2" * 5000}), 0))
    data[data.index(b"2222") + 100] ^= 1
    with pytest.raises(DamagedFileError, match=r"x\.tar\.gz: expected a whole zip or tar archive"):
        open_archive(write(tmp_path / "x.tar.gz", bytes(data)))


# --- what is not read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "head", "what"),
    [
        ("CT.rar", b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        ("CT.7z", b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        ("CT.z01", b"PK\x07\x08", "a part of a split zip"),
    ],
)
def test_archives_that_are_not_read_say_what_to_do(tmp_path: Path, name: str, head: bytes, what: str) -> None:
    location = write(tmp_path / name, head + bytes(500))
    with pytest.raises(DamagedFileError, match=rf"{name}: expected a zip or tar archive, found {what}.*data_dir="):
        open_archive(location)
    wanted = Resource(name="ct", kind="archive", copies=(Copy(url="https://x.org/CT.zip"),))
    local = mount_local(tmp_path, (wanted,))
    assert list(local.damaged) == [location[0]]
    assert f"found {what}" in local.damaged[location[0]]
    assert local.extra == []


def test_the_last_part_of_a_split_zip_says_what_to_do(tmp_path: Path) -> None:
    data = bytearray(zip_of({"a.png": b"x"}))
    at = data.index(b"PK\x01\x02")
    data[at + 34 : at + 36] = (1).to_bytes(2, "little")
    with pytest.raises(DamagedFileError, match=r"x\.zip: expected a whole zip, found the last part of a split one"):
        open_archive(write(tmp_path / "x.zip", bytes(data)))


def test_deflate64_is_named(tmp_path: Path) -> None:
    data = bytearray(zip_of({"a.png": b"x"}))
    at = data.index(b"PK\x01\x02")
    data[at + 10 : at + 12] = (9).to_bytes(2, "little")
    with pytest.raises(DamagedFileError, match=r"'a\.png': .*compression method 9, Deflate64.*data_dir="):
        open_archive(write(tmp_path / "x.zip", bytes(data)))
