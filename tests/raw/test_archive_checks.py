"""No flipped bit, and no archive that contradicts itself, gives wrong bytes or loses a member without a word."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from covid_datasets.errors import CovidDatasetsError, DamagedFileError, UnsafeArchiveError
from covid_datasets.raw import guards, handles
from covid_datasets.raw.archives import open_archive
from tests.raw.test_archives import tar_of, write, zip_of

NOISE = random.Random(0)
FILES = {f"d/{number}.png": NOISE.randbytes(700) for number in range(3)} | {"t.csv": b"a,b\n" * 200, "x/ü.txt": b"u"}


def streamed_zip(files: dict[str, bytes]) -> bytes:
    """Pack as into a pipe: sizes and checksums stand behind each member."""

    class Pipe(io.RawIOBase):
        data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, piece: object) -> int:
            self.data += bytes(piece)  # type: ignore[call-overload]
            return len(piece)  # type: ignore[arg-type]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return bytes(pipe.data)


def in_streams(pack: Callable[[bytes], bytes], data: bytes) -> bytes:
    """Compress as several streams one behind the other, as parallel tools do."""
    return b"".join(pack(data[at : at + 3000]) for at in range(0, len(data), 3000))


TAR, ZIP = tar_of(FILES), zip_of(FILES)
KINDS: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "x.zip": (ZIP, ()),
    "stored.zip": (zip_of(FILES, zipfile.ZIP_STORED), ()),
    "streamed.zip": (streamed_zip(FILES), ()),
    "x.tar.gz": (gzip.compress(TAR), ()),
    "x.tar.bz2": (bz2.compress(TAR), ()),
    "x.tar.xz": (lzma.compress(TAR), ()),
    "streams.tar.gz": (in_streams(gzip.compress, TAR), ()),
    "streams.tar.bz2": (in_streams(bz2.compress, TAR), ()),
    "zip-in.zip": (zip_of({"i.zip": ZIP}, zipfile.ZIP_STORED), ("i.zip",)),
    "tar-in.zip": (zip_of({"i.tar": TAR}, zipfile.ZIP_STORED), ("i.tar",)),
    "zip-in.tar.gz": (gzip.compress(tar_of({"i.zip": zip_of(FILES, zipfile.ZIP_STORED)})), ("i.zip",)),
    "tgz-in.tar": (tar_of({"i.tgz": gzip.compress(TAR)}), ("i.tgz",)),
}
CASES = [(name, held) for name, (_, inner) in KINDS.items() for held in ((1 << 20, 0) if inner else (1 << 20,))]
"""Archives inside archives are once held in memory, once read through the outer one."""


def outcome(folder: Path, name: str, data: bytes, inner: tuple[str, ...]) -> tuple[int, int]:
    """Return how many files are right and how many are named as damaged; all is lost where it cannot be listed."""
    right = damaged = 0
    try:
        archive = open_archive((*write(folder / name, data), *inner))
        members = list(archive.names())
    except CovidDatasetsError:
        return 0, len(FILES)
    for member in members:
        try:
            found = archive.read(member)
        except CovidDatasetsError:
            damaged += 1
        else:
            assert FILES.get(member) == found, f"{name}: wrong bytes as {member!r}"
            right += 1
    return right, damaged


@pytest.mark.parametrize(("name", "held"), CASES)
def test_a_flipped_bit_never_gives_wrong_bytes_and_no_member_is_lost_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, held: int
) -> None:
    data, inner = KINDS[name]
    monkeypatch.setattr(handles, "HOLD_BYTES", held)
    assert outcome(tmp_path, f"whole-{name}", data, inner) == (len(FILES), 0)
    places = random.Random(name)
    for number in range(120):
        changed = bytearray(data)
        changed[places.randrange(len(data))] ^= 1 << places.randrange(8)
        right, damaged = outcome(tmp_path, f"{number}-{name}", bytes(changed), inner)
        assert right + damaged == len(FILES)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_no_bit_of_the_directory_of_a_zip_loses_a_member(tmp_path: Path, method: int) -> None:
    data = zip_of(FILES, method)
    for at in range(data.index(b"PK\1\2"), len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        assert sum(outcome(tmp_path, f"{at}.zip", bytes(changed), ())) == len(FILES)


def test_a_plain_tar_has_no_checksums_of_content_but_none_of_its_members_is_lost(tmp_path: Path) -> None:
    # Only a manifest, or the hash of the whole download, says that the bytes are right; names and sizes have a sum.
    for at in range(0, TAR.rindex(b"u"), 97):
        changed = bytearray(TAR)
        changed[at] ^= 1 << at % 8
        try:
            sizes = open_archive(write(tmp_path / f"{at}.tar", bytes(changed))).sizes()
        except DamagedFileError:
            continue
        assert sizes == {name: len(data) for name, data in FILES.items()}


def end_of(data: bytes, *, count: int | None = None, size: int | None = None) -> bytes:
    """Write the end of a zip anew, with another number of members, or another size of the directory."""
    at = data.index(b"PK\5\6")
    fields = list(struct.unpack("<4s4H2LH", data[at : at + 22]))
    fields[3] = fields[4] = fields[4] if count is None else count
    fields[5] = fields[5] if size is None else size
    return struct.pack("<4s4H2LH", *fields)


def wide(data: bytes, count: int) -> bytes:
    """Give a zip the end of a large one, which states ``count`` members."""
    at, directory = data.index(b"PK\5\6"), data.index(b"PK\1\2")
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, at - directory, directory)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    return (
        data[:at] + record + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    )


def test_a_zip_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    data = zip_of({"a.png": b"one" * 9, "b.png": b"two" * 9})
    first, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    second = data.index(b"PK\1\2", first + 4)
    overlapping = bytearray(data)
    struct.pack_into("<L", overlapping, second + 42, 0)
    lies = {
        "expected 1 members, as its end states, found 2": data[:end] + end_of(data, count=1),
        "expected 3 members, as its end states, found 2": data[:end] + end_of(data, count=3),
        "expected 5 members, as its end states, found 2": wide(data, 5),
        "found 'a.png' and 'b.png' in one place": bytes(overlapping),
        "in one place": data[:end] + data[first:second] + end_of(data, count=3, size=end - first + second - first),
        "bytes before it": data + zip_of({"b.png": b"another"}),
        "found 4 bytes before it": b"PK.." + data,
        "expected names without a NUL": data.replace(b"a.png", b"a\0png"),
        "expected a folder without content, found 27 bytes in 'b.pn/'": data.replace(b"b.png", b"b.pn/"),
    }
    for number, (what, lie) in enumerate(lies.items()):
        with pytest.raises(DamagedFileError) as error:
            open_archive(write(tmp_path / f"{number}.zip", lie))
        assert what in str(error.value)


def test_what_zips_may_have_is_not_taken_for_a_lie(tmp_path: Path) -> None:
    data = zip_of(FILES)
    end = data.index(b"PK\5\6")
    commented = io.BytesIO(data)
    with zipfile.ZipFile(commented, "a") as archive:
        archive.comment = b"0c1d" * 10
    with_folders = io.BytesIO()
    with zipfile.ZipFile(with_folders, "w") as archive:
        archive.mkdir("d")
        for name, content in FILES.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    allowed = [
        commented.getvalue(),
        with_folders.getvalue(),
        wide(data, len(FILES)),
        data + b"\n",
        data[:end] + data[end:],
    ]
    for number, whole in enumerate(allowed):
        assert outcome(tmp_path, f"{number}.zip", whole, ()) == (len(FILES), 0)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_members_behind_the_end_of_a_tar_are_not_lost_without_a_word(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    hole = TAR[:512] + TAR[512 : TAR.index(b"d/1.png")] + bytes(512) + TAR[TAR.index(b"d/1.png") :]
    for number, data in enumerate([pack(TAR) + pack(tar_of({"late.png": b"x"})), pack(hole)]):
        with pytest.raises(DamagedFileError, match="expected nothing but zeros after the end of the archive"):
            open_archive(write(tmp_path / f"{number}.tar", data))


def test_endless_zeros_behind_a_tar_are_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "FREE_EXPANSION_BYTES", 1 << 20)
    with pytest.raises(UnsafeArchiveError, match="what follows its files would expand .* an archive bomb"):
        open_archive(write(tmp_path / "x.tar.gz", gzip.compress(TAR + bytes(8 << 20))))


def test_sparse_members_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("a.png")
        member.type, member.size = tarfile.GNUTYPE_SPARSE, 3
        archive.addfile(member, io.BytesIO(b"abc"))
    with pytest.raises(DamagedFileError, match="member 'a.png' is stored without its zeros"):
        open_archive(write(tmp_path / "x.tar", out.getvalue()))


def test_a_header_that_is_another_one_than_the_directory_says_is_told_when_a_member_is_opened(tmp_path: Path) -> None:
    data = zip_of({"a.png": b"one"})
    archive = open_archive(write(tmp_path / "x.zip", data.replace(b"a.png", b"q.png", 1)))
    with pytest.raises(DamagedFileError, match="member 'a.png' is damaged"):
        archive.open("a.png")
