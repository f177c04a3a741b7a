"""The tree of a source as its publisher lays it out, wherever the bytes are; and the manifests that identify them."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.manifest import Identity, read_manifest
from covid_datasets.errors import CatalogError, DamagedFileError, NotThereError
from covid_datasets.raw.kinds.archive import ManifestMount
from covid_datasets.raw.kinds.file import FileMount
from covid_datasets.raw.mounts import TreeMount
from covid_datasets.raw.tree import RawTree
from tests.raw.test_archives import zip_of
from tests.tiny import at_most_a_clear_error, write_manifest


def tree(folder: Path, **files: bytes) -> Path:
    for name, data in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def test_a_folder_as_it_is(tmp_path: Path) -> None:
    raw = RawTree.of_folder(tree(tmp_path, list=b"1", images__a=b"22", images__deep__b=b"333"), options={"seed": 1})
    assert raw.sizes() == {"list": 1, "images/a": 2, "images/deep/b": 3}
    assert raw.paths("images/*") == ["images/a", "images/deep/b"]
    assert (raw.has("list"), raw.has("images"), raw.has("../list")) == (True, False, False)
    assert (raw.read("images/a"), raw.size("images/a"), raw.options) == (b"22", 2, {"seed": 1})


def test_a_tree_lists_its_files_once_however_often_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    scan = os.scandir

    def look(path: str) -> Any:
        looks.append(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", look)
    raw = RawTree.of_folder(tree(tmp_path, a__x=b"1", b__y=b"22"))
    assert raw.paths("a/*") == ["a/x"]
    assert dict(raw.sizes()) == {"a/x": 1, "b/y": 2}
    assert len(looks) == 3
    tree(tmp_path, a__later=b"")
    assert raw.paths("a/*") == ["a/x"]
    assert raw.has("a/later"), "a file that is asked for by name is looked for on the disk"
    assert RawTree.of_folder(tmp_path).paths("a/*") == ["a/later", "a/x"]
    with pytest.raises(TypeError):
        raw.sizes()["a/x"] = 2  # type: ignore[index]


def test_what_is_absent_says_where_it_was_looked_for(tmp_path: Path) -> None:
    raw = RawTree((TreeMount((str(tree(tmp_path, a=b"")),)), TreeMount((str(tmp_path / "a"), "inner.zip"))))
    with pytest.raises(NotThereError, match=rf"gone: expected in the raw files, found nothing; looked in {tmp_path}"):
        RawTree.of_folder(tmp_path).read("gone")
    with pytest.raises(NotThereError, match="looked in nowhere"):
        RawTree(()).size("gone")
    with pytest.raises(DamagedFileError, match="a: expected a whole zip"):
        raw.sizes()


def test_a_mount_finds_files_under_a_root_and_other_names(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(zip_of({"set-0c1d/IMG/1_0.png": b"one", "set-0c1d/list.csv": b"a", "other": b"x"}))
    (tmp_path / "y.csv").write_bytes(b"yy")
    location = (str(tmp_path / "x.zip"),)
    raw = RawTree(
        (
            TreeMount(location, "set-0c1d/", rename=(("images/", "IMG/"), ("%", "_"))),
            FileMount((str(tmp_path),), "y.csv", "meta/table.csv"),
        )
    )
    assert raw.read("images/1%0.png") == b"one"
    assert raw.read("meta/table.csv") == b"yy"
    assert not raw.has("y.csv")
    assert not raw.has("other")
    assert pickle.loads(pickle.dumps(raw)).read("list.csv") == b"a"


def test_parts_have_folders_of_their_own(tmp_path: Path) -> None:
    one, two = tree(tmp_path / "one", table=b"1", images__a=b"11"), tree(tmp_path / "two", table=b"22")
    raw = RawTree(
        (
            TreeMount((str(one),), folder="one/"),
            TreeMount((str(two),), folder="two/"),
            FileMount((str(two),), "table", "x"),
        )
    )
    assert raw.sizes() == {"one/table": 1, "one/images/a": 2, "two/table": 2, "x": 2}
    assert (raw.read("one/table"), raw.read("two/table"), raw.has("table"), raw.has("one/one/table")) == (
        b"1",
        b"22",
        False,
        False,
    )
    assert raw.below("one/").sizes() == {"table": 1, "images/a": 2}
    assert raw.below("one/").read("images/a") == b"11"
    assert raw.below("three/").sizes() == {}
    assert RawTree.of_folder(tmp_path).below("one/").sizes() == {"table": 1, "images/a": 2}


def test_of_two_mounts_that_hold_a_path_the_first_counts(tmp_path: Path) -> None:
    one, two = tree(tmp_path / "one", a=b"1"), tree(tmp_path / "two", a=b"22", b=b"22")
    raw = RawTree((TreeMount((str(one),)), TreeMount((str(two),))))
    assert (raw.sizes(), raw.size("a"), raw.read("a"), raw.read("b")) == ({"a": 1, "b": 2}, 1, b"1", b"22")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_text_as_editors_of_windows_save_it(tmp_path: Path, encoding: str) -> None:
    mark = "" if encoding == "utf-16" else "\ufeff"
    raw = RawTree.of_folder(tree(tmp_path, note=f"{mark}età’".encode(encoding)))
    assert raw.text("note") == "età’"
    (tmp_path / "note").write_bytes(b"\xff\xfea")
    assert raw.text("note") == "\ufffd", "half a letter"


def test_text_of_both_encodings(tmp_path: Path) -> None:
    raw = RawTree.of_folder(tree(tmp_path, utf8="\ufeffé".encode(), windows="é’".encode("cp1252"), empty=b""))
    assert (raw.text("utf8"), raw.text("windows")) == ("é", "é’")
    with pytest.raises(DamagedFileError, match="empty: expected text, found an empty file"):
        raw.text("empty")


# --- content manifests --------------------------------------------------------------------------------------------

HEADER = "path\tsize\tsha256\tgit_sha1\n"
SHA256, SHA1 = "0" * 64, "0" * 40


def read(folder: Path, text: str | bytes) -> dict[str, Identity]:
    (folder / "x.tsv").write_bytes(text.encode() if isinstance(text, str) else text)
    read_manifest.cache_clear()
    return dict(read_manifest("x.tsv", folder))


def test_identities_are_checked_by_sha256_or_by_git(tmp_path: Path) -> None:
    git = hashlib.sha1(b"blob 4\0data").hexdigest()
    found = read(tmp_path, HEADER + f"a b'\"\t4\t\t{git}\nc\t\t{hashlib.sha256(b'data').hexdigest()}\t\n")
    for identity in found.values():
        assert identity.mismatch(b"data", hashlib.sha256(b"data").hexdigest()) is None
        wrong = identity.mismatch(b"date", hashlib.sha256(b"date").hexdigest())
        assert wrong is not None
        assert "expected" in wrong
        assert "found" in wrong
    assert [identity.size for identity in found.values()] == [4, None]


def test_a_manifest_may_give_plain_sha1(tmp_path: Path) -> None:
    text = f"{HEADER[:-1]}\tsha1\na\t4\t\t\t{hashlib.sha1(b'data').hexdigest()}\n"
    identity = read(tmp_path, text)["a"]
    assert identity.mismatch(b"data", "") is None
    assert str(identity.mismatch(b"date", "")).startswith("expected sha1 ")
    with pytest.raises(CatalogError, match="line 2: expected path, size, sha256, git_sha1, sha1"):
        read(tmp_path, f"{HEADER[:-1]}\tsha1\na\t4\t{SHA256}\t{SHA1}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: expected path, size, sha256, git_sha1"),
        ("path\tsha256\n", "line 1"),
        (HEADER + "a\t1\t\t\n", "line 2"),
        (HEADER + f"a\tmany\t{SHA256}\t\n", "line 2"),
        (HEADER + f"\t1\t{SHA256}\t\n", "line 2"),
        (HEADER + f"a\t1\t{SHA256[1:]}\t\n", "line 2"),
        (HEADER + f"a\t1\t{SHA256}\t{SHA1}0\n", "line 2"),
        (HEADER + f"a\t1\t{SHA256}\n", "line 2"),
        (HEADER + f"a\t1\t{SHA256}\t{SHA1}\t\n", "line 2"),
        (HEADER + f"a\t1\t{SHA256}\t\nb\t1\t{SHA256}\t\na\t1\t{SHA256}\t\n", "line 4.*each path once, found 'a' again"),
        (b"path\xff", "expected a content manifest in UTF-8"),
    ],
)
def test_a_wrong_manifest_names_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(CatalogError, match=rf"x\.tsv.*{said}"):
        read(tmp_path, text)


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"gone\.tsv: expected a content manifest"):
        read_manifest("gone.tsv", tmp_path)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.lists(st.text(max_size=3), max_size=5).map("\t".join), max_size=4))
def test_any_manifest_is_read_or_refused(tmp_path: Path, lines: list[str]) -> None:
    text = "\n".join(lines)
    if any("\ud800" <= char <= "\udfff" for char in text):
        return
    with at_most_a_clear_error("x.tsv line"):
        assert not read(tmp_path, HEADER + text)


def test_manifests_hide_and_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"1%0.png": b"one", "2.png": b"two", "gone.png": b"x"}
    write_manifest(tmp_path / "catalogs/manifests/m.tsv", files)
    monkeypatch.setattr("covid_datasets.catalog.manifest.catalog_folder", lambda: tmp_path / "catalogs")
    read_manifest.cache_clear()
    (tmp_path / "x.zip").write_bytes(zip_of({"1_0.png": b"one", "2.png": b"two", "README": b"x"}))
    raw = RawTree((ManifestMount(TreeMount((str(tmp_path / "x.zip"),), rename=(("%", "_"),)), "m.tsv"),))
    assert raw.sizes() == {"1%0.png": 3, "2.png": 3}
    assert (raw.has("README"), raw.has("gone.png"), raw.read("1%0.png")) == (False, False, b"one")
    identity = raw.identity("gone.png")
    assert identity is not None
    assert identity.size == 1
    assert raw.identity("README") is None
    read_manifest.cache_clear()


@pytest.mark.parametrize("path", sorted((catalog_folder() / "manifests").glob("*.tsv")), ids=lambda path: path.name)
def test_the_installed_manifests(path: Path) -> None:
    assert len(read_manifest(path.name)) > 0
