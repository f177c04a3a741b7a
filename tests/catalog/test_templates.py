"""Resources that stand for many: days, numbers and tables of downloads, from the card to the files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from covid_datasets.catalog.cards import choose, read_card
from covid_datasets.catalog.resource import Copy, Resource
from covid_datasets.catalog.templates import read_members, summary
from covid_datasets.errors import CatalogError, ChangedUpstreamError
from covid_datasets.raw.kinds import check_card
from covid_datasets.raw.obtain import make_mirror, obtain
from covid_datasets.settings import Settings
from tests.raw.test_archives import zip_of
from tests.raw.test_local import put
from tests.tiny import BUILDER, CARD, installed

NUMBERED = """
[versions.1]
resources = ["slices", "notes"]

[[resources]]
name = "slices"
kind = "archive"
numbers = [9, 11]
folder = "part-{number:02}/"
members = "parts.tsv"
files = [{ glob = "*.png", what = "a slice", required = true }]
copies = [{ url = "https://first.org/CT-{number}.zip", root = "CT-{number}/" }]

[[resources]]
name = "notes"
members = "notes.tsv"
path = "notes/{name}"
"""
ZIPS = {f"CT-{n}.zip": zip_of({f"CT-{n}/{m}.png": f"{n} {m}".encode() for m in range(2)}) for n in (9, 10, 11)}
NOTES = {"a.txt": b"first note", "b c.txt": b"second note"}
FILES = {f"part-{n:02}/{m}.png": f"{n} {m}".encode() for n in (9, 10, 11) for m in range(2)}
FILES |= {f"notes/{name}": data for name, data in NOTES.items()}
HEADER = "name\turl\tsize\tsha256\tmd5\tsha1\n"


def parts() -> str:
    lines = [f"{name[3:-4]}\t\t{len(d)}\t\t\t{hashlib.sha1(d).hexdigest()}\n" for name, d in ZIPS.items()]
    return HEADER + "".join(lines)


def notes() -> str:
    rows = [
        f"{name}\thttps://notes.org/{number}\t{len(data)}\t{hashlib.sha256(data).hexdigest()}\t\t\n"
        for number, (name, data) in enumerate(NOTES.items())
    ]
    return HEADER + "".join(rows)


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with installed(tmp_path / "package", monkeypatch, {"tiny": CARD + NUMBERED}, {"tiny": BUILDER}) as catalogs:
        put(catalogs, {"listings/parts.tsv": parts().encode(), "listings/notes.tsv": notes().encode()})
        read_members.cache_clear()
        yield catalogs
        read_members.cache_clear()


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    served = {f"first.org/{name}": data for name, data in ZIPS.items()}
    return put(tmp_path / "mirror", served | {f"notes.org/{n}": data for n, data in enumerate(NOTES.values())})


def test_numbers_and_tables_of_downloads_from_a_mirror(mirror: Path, tmp_path: Path) -> None:
    choice = choose("tiny")
    assert [each.name for each in choice.resources] == [
        "slices-9", "slices-10", "slices-11", "notes-a.txt", "notes-b c.txt",
    ]  # fmt: skip
    found = obtain(choice, Settings.resolve(mirror=str(mirror)))
    assert {path: found.raw.read(path) for path in found.raw.sizes()} == FILES
    assert {origin.verified for origin in found.origins} == {"published hash"}
    made = make_mirror(["tiny"], tmp_path / "made", mirror=str(mirror))
    assert len(made) == 5
    again = obtain(choice, Settings.resolve(mirror=str(tmp_path / "made"), offline=True))
    assert again.raw.sizes() == found.raw.sizes()


@pytest.mark.parametrize("packed", [True, False])
def test_a_user_s_own_copy(tmp_path: Path, packed: bool) -> None:
    unpacked = {f"CT-{n}/{m}.png": f"{n} {m}".encode() for n in (9, 10, 11) for m in range(2)}
    data = put(tmp_path / "data", (ZIPS if packed else unpacked) | NOTES)
    found = obtain(choose("tiny"), Settings.resolve(), data_dir=data)
    assert {path: found.raw.read(path) for path in found.raw.sizes()} == FILES
    assert (found.missing, found.extra) == ((), ())


@pytest.mark.parametrize("url", ["first.org/CT-10.zip", "notes.org/1"])
def test_each_has_a_hash_of_its_own(mirror: Path, url: str) -> None:
    data = (mirror / url).read_bytes()
    (mirror / url).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ChangedUpstreamError, match=f"expected sha{1 if 'CT' in url else 256} "):
        obtain(choose("tiny"), Settings.resolve(mirror=str(mirror)))


WRONG = [
    ("numbers = [9, 11]", "numbers = [11, 9]", "key 'numbers': expected a first and a last one"),
    ("numbers = [9, 11]", "numbers = [9]", "key 'numbers': expected a first and a last one"),
    ("numbers = [9, 11]", "numbers = [9, 10000000]", "key 'numbers': expected a first and a last one"),
    ("numbers = [9, 11]", 'numbers = [9, 11]\ndays = ["2020-01-01", "2020-01-03"]', "expected days or numbers"),
    ("numbers = [9, 11]", "numbers = [9, 12]", "expected a line for each of the 4 downloads of 'slices'"),
    ("CT-{number}.zip", "CT.zip", "found 'https://first.org/CT.zip' for several"),
    ("notes/{name}", "notes", "found 'notes' for several"),
    ('members = "notes.tsv"', 'members = "gone.tsv"', "key 'members': expected a file in listings/, found 'gone.tsv'"),
    ('members = "notes.tsv"', 'members = "parts.tsv"', "key 'members': expected a URL for each, found none"),
    ("numbers = [9, 11]", "numbers = [9, 11]\nsize = 3", "key 'numbers': expected no size and no hash"),
]


@pytest.mark.parametrize(("old", "new", "said"), WRONG, ids=[said[:60] for _, _, said in WRONG])
def test_a_wrong_template_is_told(tiny: Path, old: str, new: str, said: str) -> None:
    assert old in NUMBERED
    (tiny / "tiny.toml").write_text((CARD + NUMBERED).replace(old, new))
    with pytest.raises(CatalogError) as error:
        check_card(read_card(tiny / "tiny.toml"), tiny / "tiny.toml")
    assert said in str(error.value)


@pytest.mark.parametrize(
    "line",
    ["a\n", "\thttps://x\t\t\t\t\n", "a\t\t0\t\t\t\n", "a\t\t\tabc\t\t\n", "../b\t\t\t\t\t\n", "a\t\t\t\t\t\n" * 2],
)
def test_a_wrong_table_names_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "x.tsv").write_text(HEADER + line)
    with pytest.raises(CatalogError, match=r"x\.tsv line [23]: expected name, url, size"):
        read_members("x.tsv", tmp_path)


def test_what_a_template_stands_for() -> None:
    copies = (Copy(url="https://x.org/{number}"),)
    assert summary(Resource(name="a", copies=copies, numbers=(1, 31))) == "one for each number from 1 to 31"
    assert summary(Resource(name="a", members="notes.tsv")) == "2 of them, listed in `catalogs/listings/notes.tsv`"
    assert summary(Resource(name="a")) == ""
