"""Archives are read in place: good ones like folders, hostile and damaged ones are refused by name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
import warnings
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.errors import DamagedFileError, NotThereError, UnsafeArchiveError
from covid_datasets.raw import guards, handles
from covid_datasets.raw.archive import Archive
from covid_datasets.raw.archives import Location, is_archive, open_archive
from tests.tiny import at_most_a_clear_error

FILES = {"a.txt": b"first", "folder/b.bin": bytes(range(256)) * 40, "folder/deep/c%20d.txt": b"", "ü.txt": b"umlaut"}


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, method)
    return out.getvalue()


def tar_of(files: dict[str, bytes], *, kind: bytes = tarfile.REGTYPE, prefix: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.type, member.linkname = kind, "/etc/passwd" if kind != tarfile.REGTYPE else ""
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


PACKED = {
    "x.zip": zip_of(FILES),
    "stored.zip": zip_of(FILES, zipfile.ZIP_STORED),
    "x.tar": tar_of(FILES),
    "dotted.tar": tar_of(FILES, prefix="./"),
    "x.tar.gz": gzip.compress(tar_of(FILES)),
    "x.tgz": gzip.compress(tar_of(FILES)),
    "x.tar.bz2": bz2.compress(tar_of(FILES)),
    "x.tar.xz": lzma.compress(tar_of(FILES)),
}


def write(path: Path, data: bytes) -> Location:
    path.write_bytes(data)
    return (str(path),)


def assert_holds_files(archive: Archive) -> None:
    assert dict(archive.sizes()) == {name: len(data) for name, data in FILES.items()}
    assert sorted(archive.names()) == sorted(FILES)
    assert {name: archive.read(name) for name in FILES} == FILES
    assert archive.size("a.txt") == 5
    assert archive.size("A.txt") is archive.size("folder") is None
    with archive.open("folder/b.bin") as stream:
        stream.seek(250)
        assert stream.read(8) == bytes([250, 251, 252, 253, 254, 255, 0, 1])


# --- good ones ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PACKED)
def test_archives_are_read_in_place(tmp_path: Path, name: str) -> None:
    assert is_archive(name)
    assert_holds_files(open_archive(write(tmp_path / name, PACKED[name])))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_is_read_like_an_archive(tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / ".DS_Store").write_bytes(b"hidden")
    assert_holds_files(open_archive((str(tmp_path),)))


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_archives_in_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    # Once held in memory, once read through the parent.
    monkeypatch.setattr(handles, "HOLD_BYTES", limit)
    location = write(
        tmp_path / "outer.zip", zip_of({"in/middle.tar.gz": gzip.compress(tar_of({"x.zip": zip_of(FILES)}))})
    )
    assert_holds_files(open_archive((*location, "in/middle.tar.gz", "x.zip")))
    with pytest.raises(NotThereError, match=r"outer\.zip -> other\.zip"):
        open_archive((*location, "other.zip"))


def test_a_replaced_archive_is_opened_anew(tmp_path: Path) -> None:
    location = write(tmp_path / "x.zip", zip_of({"a": b"1"}))
    assert list(open_archive(location).names()) == ["a"]
    write(tmp_path / "x.zip", zip_of({"b": b"1", "c": b"2"}))
    assert list(open_archive(location).names()) == ["b", "c"]


def _read_many(location: Location) -> bool:
    archive = open_archive(location)
    return all(archive.read(name) == data for _ in range(30) for name, data in FILES.items())


@pytest.mark.parametrize("name", ["stored.zip", "x.tar"])
def test_forked_workers_do_not_disturb_each_other(tmp_path: Path, name: str) -> None:
    location = write(tmp_path / name, PACKED[name])
    open_archive(location)  # before the fork: its read position would be shared
    with ProcessPoolExecutor(3, get_context("fork")) as pool:
        assert all(pool.map(_read_many, [location] * 6))


def test_nothing_there(tmp_path: Path) -> None:
    write(tmp_path / "file", b"")
    for path in (tmp_path / "none.zip", tmp_path / "file" / "inside"):
        with pytest.raises(NotThereError, match="expected a folder or an archive, found nothing"):
            open_archive((str(path),))


# --- folders and their names --------------------------------------------------------------------------------------


def test_a_folder_gives_nothing_from_outside(tmp_path: Path) -> None:
    write(tmp_path / "secret.txt", b"secret")
    (tmp_path / "data").mkdir()
    folder = open_archive((str(tmp_path / "data"),))
    odd = [
        "../secret.txt",
        "x/../../secret.txt",
        str(tmp_path / "secret.txt"),
        "..\\secret.txt",
        "nul\0",
        "x" * 5000,
        "\udce9",
    ]
    assert [folder.size(name) for name in odd] == [None] * len(odd)


def test_links_in_a_folder_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    write(tmp_path / "real" / "x.png", b"x")
    data = tmp_path / "data"
    data.mkdir()
    (data / "one").symlink_to(tmp_path / "real")
    (data / "two").symlink_to(tmp_path / "real")
    (data / "self").symlink_to(data)
    (data / "broken").symlink_to(tmp_path / "gone")
    assert dict(open_archive((str(data),)).sizes()) == {"one/x.png": 1, "two/x.png": 1}


# --- hostile ones -------------------------------------------------------------------------------------------------

EVIL_NAMES = [
    "../evil.png",
    "/etc/evil.png",
    "a/../../evil.png",
    "..\\evil.png",
    "\\\\host\\evil.png",
    "C:\\evil.png",
    "c:evil",
]


@pytest.mark.parametrize("name", EVIL_NAMES)
@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_paths_that_lead_out_are_refused(tmp_path: Path, pack: object, name: str) -> None:
    assert callable(pack)
    location = write(tmp_path / "evil.archive", pack({"good.png": b"x", name: b"evil"}))
    with pytest.raises(UnsafeArchiveError, match=r"evil\.archive: member .*evil.* points outside"):
        open_archive(location)
    assert [path.name for path in tmp_path.iterdir()] == ["evil.archive"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tars_are_refused(tmp_path: Path, kind: bytes) -> None:
    location = write(tmp_path / "x.tar", tar_of({"passwd": b""}, kind=kind))
    with pytest.raises(UnsafeArchiveError, match=r"x\.tar: member 'passwd' is a link or a device"):
        open_archive(location)


def test_links_in_zips_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("passwd")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UnsafeArchiveError, match=r"x\.zip: member 'passwd' is a link"):
        open_archive((str(tmp_path / "x.zip"),))


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.png", b"one")
        archive.writestr("a.png", b"other")
    tar = tar_of({"a.png": b"one", "./a.png": b"other"})
    for location in ((str(tmp_path / "x.zip"),), write(tmp_path / "x.tar", tar)):
        with pytest.raises(UnsafeArchiveError, match=r"two members are named 'a\.png'"):
            open_archive(location)


def test_bombs_are_refused_before_they_go_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "FREE_EXPANSION_BYTES", 1 << 20)
    zeros = bytes(4 << 20)
    locations = [
        write(tmp_path / "bomb.zip", zip_of({"zeros": zeros})),
        write(tmp_path / "bomb.tar.gz", gzip.compress(tar_of({"zeros": zeros}))),
        write(tmp_path / "many.tar.gz", gzip.compress(tar_of({str(n): zeros[: 1 << 17] for n in range(32)}))),
    ]
    for location in locations:
        with pytest.raises(UnsafeArchiveError, match="an archive bomb"):
            open_archive(location)
    # The same amount of zeros is welcome where it takes its room on the disk.
    assert open_archive(write(tmp_path / "large.tar", tar_of({"zeros": zeros}))).size("zeros") == len(zeros)


def test_oversized_members_are_refused_but_large_archives_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "MAX_MEMBER_BYTES", 10_000)
    small = {str(number): bytes(4_000) for number in range(5)}
    for name, pack in (("x.zip", zip_of), ("x.tar", tar_of)):
        assert len(open_archive(write(tmp_path / name, pack(small))).sizes()) == 5
        with pytest.raises(UnsafeArchiveError, match="'big' claims 10,001 bytes; the limit is 10,000"):
            open_archive(write(tmp_path / f"big-{name}", pack({"big": bytes(10_001)})))


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
@pytest.mark.parametrize("claimed", [4 << 30, -512])
def test_tar_headers_cannot_ask_for_endless_memory(tmp_path: Path, kind: bytes, claimed: int) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = kind, 0
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT)[:512])
    block[124:136] = tarfile.itn(claimed, 12, tarfile.GNU_FORMAT)  # type: ignore[attr-defined]
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    with pytest.raises(DamagedFileError, match=r"x\.tar: expected a whole zip or tar archive"):
        open_archive(write(tmp_path / "x.tar", bytes(block) + bytes(4096)))


def test_encrypted_and_rare_compression_say_what_to_do(tmp_path: Path) -> None:
    encrypted = bytearray(zip_of({"a.png": b"secret"}))
    at = encrypted.index(b"PK\x01\x02")
    encrypted[at + 8] |= 1
    with pytest.raises(DamagedFileError, match=r"'a\.png' is encrypted.*data_dir="):
        open_archive(write(tmp_path / "x.zip", bytes(encrypted)))
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        location = write(tmp_path / f"{method}.zip", zip_of({"a.png": b"x"}, method))
        with pytest.raises(DamagedFileError, match=f"found compression method {method}.*data_dir="):
            open_archive(location)


# --- damaged ones -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_truncated_archives_are_named(tmp_path: Path, name: str, share: float) -> None:
    data = PACKED[name]
    location = write(tmp_path / name, data[: int(len(data) * share)])
    with pytest.raises(DamagedFileError, match=rf"{name}: expected .*fetch it again"):
        open_archive(location)


def test_a_tar_that_stops_between_two_files_is_not_taken_for_whole(tmp_path: Path) -> None:
    data = tar_of({"a": b"1", "b": b"2"})
    assert sorted(open_archive(write(tmp_path / "x.tar", data)).names()) == ["a", "b"]
    with pytest.raises(DamagedFileError, match="after 1 files"):
        open_archive(write(tmp_path / "cut.tar", data[:1024]))
    with pytest.raises(DamagedFileError, match="after 1 files"):  # Python's tarfile would list one file and be content
        open_archive(write(tmp_path / "bad.tar", data[:1024] + b"\xff" * 512 + data[1536:]))


def test_a_damaged_member_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    data = bytearray(zip_of({"a.png": b"first", "b.png": b"second"}, zipfile.ZIP_STORED))
    data[data.index(b"second")] ^= 0xFF
    archive = open_archive(write(tmp_path / "x.zip", bytes(data)))
    assert archive.read("a.png") == b"first"
    with pytest.raises(DamagedFileError, match=r"x\.zip: member 'b\.png' is damaged"):
        archive.read("b.png")


def test_not_an_archive(tmp_path: Path) -> None:
    for data in (b"", b"PK", b"<html>please log in</html>" * 100, os.urandom(2000)):
        with pytest.raises(DamagedFileError, match="expected a whole zip or tar archive"):
            open_archive(write(tmp_path / "x.zip", data))


def test_names_in_other_encodings_become_text(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, encoding="cp1252") as archive:
        archive.addfile(tarfile.TarInfo("Débâcle.png"))
    assert list(open_archive(write(tmp_path / "x.tar", out.getvalue())).names()) == ["Débâcle.png"]


@pytest.mark.parametrize("name", ["x.zip", "stored.zip", "x.tar", "x.tar.gz", "x.tar.xz"])
@settings(max_examples=60, deadline=None)
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)), max_size=6),
    cut=st.floats(0, 1),
)
def test_any_damage_is_a_clear_error_or_the_right_bytes(
    tmp_path_factory: pytest.TempPathFactory, name: str, flips: list[tuple[float, bytes]], cut: float
) -> None:
    data = bytearray(PACKED[name])
    for place, new in flips:
        at = int(place * len(data))
        data[at : at + len(new)] = new
    del data[int(len(data) * max(cut, 0.5)) :]
    folder = tmp_path_factory.mktemp("fuzz")
    with at_most_a_clear_error(name):
        archive = open_archive(write(folder / name, bytes(data)))
        for member, size in archive.sizes().items():
            with at_most_a_clear_error(name):
                found = archive.read(member)
                assert len(found) == size
                assert not name.endswith(".zip") or found == FILES.get(member, found)  # a zip has checksums
    assert [path.name for path in folder.iterdir()] == [name]
    shutil.rmtree(folder)
