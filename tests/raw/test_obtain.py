"""From a card to raw files: mirrors, copies in order, less than all, sources that nobody can download for you."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from covid_datasets.catalog.cards import choose
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.errors import (
    AccessRequired,
    ChangedUpstreamError,
    DamagedFileError,
    IncompleteSourceError,
    MissingUpstreamError,
    OfflineError,
    UnsafeArchiveError,
)
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.raw.access import expected_tree
from covid_datasets.raw.obtain import Obtained, make_mirror, obtain
from covid_datasets.settings import Settings
from tests.raw.test_archives import zip_of
from tests.sources import chest
from tests.tiny import BUILDER, CARD, VERSION, installed

NAMES = ["images/1%0.png", "images/1%1.png", "images/2.png"]
FILES = {name: chest(number, modality="CXR") for number, name in enumerate(NAMES)}
FILES["list.csv"] = "file,patient,finding\n{},A,COVID-19\n{},A,COVID-19\n{},B,No Finding\n".format(*NAMES).encode()
FIRST, SECOND = "first.org/files.zip", "second.org/archive/0c1d.zip"


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with installed(tmp_path / "package", monkeypatch, {"tiny": CARD + VERSION}, {"tiny": BUILDER}, FILES):
        yield


def serve(folder: Path, where: str, data: bytes) -> Path:
    (folder / where).parent.mkdir(parents=True, exist_ok=True)
    (folder / where).write_bytes(data)
    return folder


def renamed(files: dict[str, bytes]) -> bytes:
    return zip_of({f"tiny-0c1d/{name.replace('%', '_')}": data for name, data in files.items()})


def without(*names: str) -> dict[str, bytes]:
    return {name: data for name, data in FILES.items() if name not in names}


def get(mirror: Path, *, allow_missing: bool = False) -> Obtained:
    settings = Settings.resolve(mirror=str(mirror))
    return obtain(choose("tiny"), settings, allow_missing=allow_missing)


def rewrite_card(old: str, new: str) -> None:
    path = catalog_folder() / "tiny.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# --- copies in order ----------------------------------------------------------------------------------------------


def test_the_first_copy_that_holds_all_is_taken_and_read_in_place(tmp_path: Path) -> None:
    mirror = serve(serve(tmp_path / "mirror", FIRST, zip_of(FILES)), SECOND, renamed(FILES))
    found = get(mirror)
    assert {path: found.raw.read(path) for path in found.raw.sizes()} == FILES
    assert [(origin.place, origin.verified) for origin in found.origins] == [
        ((mirror / FIRST).as_uri(), "content manifest")
    ]
    assert not list((tmp_path / "cache").glob("**/*.zip"))


BAD_FIRST = {
    "absent": None,
    "not whole": zip_of(without("images/2.png")),
    "truncated": zip_of(FILES)[:-50],
    "a web page": b"<html><title>Sign in</title></html>",
    "evil": zip_of(FILES | {"../evil": b""}),
    "of other files": zip_of({"readme.txt": b"moved"}),
}


@pytest.mark.parametrize("bad", BAD_FIRST.values(), ids=BAD_FIRST.keys())
def test_the_next_copy_steps_in(tmp_path: Path, bad: bytes | None) -> None:
    mirror = serve(tmp_path / "mirror", SECOND, renamed(FILES))
    if bad is not None:
        serve(mirror, FIRST, bad)
    found = get(mirror)
    assert {path: found.raw.read(path) for path in found.raw.sizes()} == FILES
    assert found.origins[0].place == (mirror / SECOND).as_uri()


def test_all_copies_are_named_when_none_can_be_had(tmp_path: Path) -> None:
    mirror = serve(tmp_path / "mirror", SECOND, b"no archive")
    with pytest.raises(MissingUpstreamError) as error:
        get(mirror)
    assert "none of its 2 copies can be had" in str(error.value)
    assert "1. MissingUpstreamError: https://first.org/files.zip: expected it at" in str(error.value)
    assert "2. https://second.org/archive/0c1d.zip: DamagedFileError" in str(error.value)
    with pytest.raises(MissingUpstreamError):
        get(mirror, allow_missing=True)


def test_copies_that_are_all_in_part_are_listed_or_used_when_asked(tmp_path: Path) -> None:
    mirror = serve(tmp_path / "mirror", FIRST, zip_of(without("images/2.png", "images/1%0.png")))
    serve(mirror, SECOND, renamed(without("images/1%1.png", "images/2.png")))
    with pytest.raises(IncompleteSourceError) as error:
        get(mirror)
    assert "tiny@1: 2 of 4 files are missing in the copies that could be reached" in str(error.value)
    assert "images/1%0.png\n  images/2.png" in str(error.value)
    assert expected_tree(choose("tiny")) in str(error.value)
    found = get(mirror, allow_missing=True)
    assert (found.missing, found.raw.has("images/1%1.png")) == (("images/1%0.png", "images/2.png"), True)


def test_what_the_catalog_tolerates_may_be_missing(tmp_path: Path) -> None:
    mirror = serve(tmp_path / "mirror", FIRST, zip_of(without("images/2.png")))
    rewrite_card("[versions.1]\n", "[versions.1]\ntolerance = 0.25\n")
    assert get(mirror).missing == ("images/2.png",)
    serve(mirror, FIRST, zip_of(without("images/2.png", "list.csv")))
    with pytest.raises(IncompleteSourceError, match="2 of 4 files are missing"):
        get(mirror)


def test_a_resource_that_cannot_be_had_is_told_with_its_reason(tmp_path: Path) -> None:
    rewrite_card('["files"]', '["files", "scores", "masks"]')
    for name in ("scores", "masks"):
        more = f'\n[[resources]]\nname = "{name}"\npath = "{name}.csv"\ncopies = [{{ url = "https://x.org/{name}" }}]\n'
        (catalog_folder() / "tiny.toml").write_text((catalog_folder() / "tiny.toml").read_text() + more)
    mirror = serve(serve(tmp_path / "mirror", FIRST, zip_of(FILES)), "x.org/scores", b"a,b\n")
    with pytest.raises(MissingUpstreamError, match=r"https://x\.org/masks: expected it at"):
        get(mirror)
    found = get(mirror, allow_missing=True)
    assert found.missing == ("masks.csv",)
    assert found.raw.read("scores.csv") == b"a,b\n"
    assert list(found.unusable) == ["masks"]
    built = build_dataset("tiny", mirror=str(mirror), allow_missing=True)
    notices = {notice["kind"]: notice for notice in built.manifest()["notices"]}
    assert notices["resource not usable"]["where"] == "masks"
    assert "x.org/masks" in notices["resource not usable"]["what"]
    assert notices["file not served"]["where"] == "masks.csv"


def test_a_published_hash_is_checked(tmp_path: Path) -> None:
    rewrite_card('manifest = "tiny.tsv"', f'sha256 = "{"0" * 64}"')
    mirror = serve(tmp_path / "mirror", FIRST, zip_of(FILES))
    with pytest.raises(ChangedUpstreamError, match="expected sha256 0000"):
        get(mirror)


@pytest.mark.parametrize(
    ("data", "error"), [(zip_of({"../evil": b""}), UnsafeArchiveError), (b"<html></html>", DamagedFileError)]
)
def test_what_is_wrong_with_the_only_copy_is_what_is_said(tmp_path: Path, data: bytes, error: type[Exception]) -> None:
    text = (catalog_folder() / "tiny.toml").read_text()
    (catalog_folder() / "tiny.toml").write_text(text[: text.rindex("[[resources.copies]]")])
    with pytest.raises(error, match=r"first\.org/files\.zip: "):
        get(serve(tmp_path / "mirror", FIRST, data))


# --- from end to end ----------------------------------------------------------------------------------------------


def test_mirror_folder_and_archive_give_the_same_dataset(tmp_path: Path) -> None:
    mirror = serve(tmp_path / "mirror", SECOND, renamed(FILES))
    for name, data in FILES.items():
        serve(tmp_path / "folder", name, data)
    serve(tmp_path / "packed", "whatever.zip", zip_of(FILES))
    built = [
        build_dataset("tiny", mirror=str(mirror)),
        build_dataset("tiny", data_dir=tmp_path / "folder"),
        build_dataset("tiny", data_dir=tmp_path / "packed" / "whatever.zip"),
    ]
    assert len({one.path for one in built}) == 3
    assert {(one.fingerprint, one.rows, one.patients, one.incomplete) for one in built} == {
        (built[0].fingerprint, 3, 2, False)
    }


def test_a_mirror_that_was_made_is_whole(tmp_path: Path) -> None:
    upstream = serve(tmp_path / "upstream", SECOND, renamed(FILES))
    make_mirror(["tiny"], tmp_path / "made", mirror=str(upstream))
    assert get(tmp_path / "made").missing == ()


def test_offline_without_files_says_how_to_carry_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVID_DATASETS_OFFLINE", "1")
    with pytest.raises(OfflineError, match="none of its 2 copies can be had"):
        build_dataset("tiny")


# --- access -------------------------------------------------------------------------------------------------------


WHY = {
    "account": "It needs an account of your own.",
    "request": "Its owners give it on request.",
    "defunct": "It is no longer published.",
}


@pytest.mark.parametrize(("kind", "why"), WHY.items(), ids=WHY)
def test_access_is_asked_for_with_exact_steps(tmp_path: Path, kind: str, why: str) -> None:
    steps = '["Register at https://first.org.", "Sign the form, wait a day."]'
    rewrite_card('kind = "open"', f'kind = "{kind}"\nsteps = {steps}')
    with pytest.raises(AccessRequired) as error:
        build_dataset("tiny")
    assert error.value.exit_code == 3
    assert str(error.value) == (
        f"tiny (Tiny): only you can fetch it. {why}\n"
        "\n"
        "Steps:\n"
        "  1. Register at https://first.org.\n"
        "  2. Sign the form, wait a day.\n"
        "\n"
        "Your folder is then:\n"
        "  FOLDER/\n"
        "    files.zip   (untouched, or unpacked: 4 files)\n"
        "\n"
        "Then type:\n"
        "  covid-datasets check tiny --data-dir FOLDER   # lists what is missing; builds nothing\n"
        "  covid-datasets build tiny --data-dir FOLDER\n"
        'or, in Python: load_dataset("tiny", data_dir="FOLDER")\n'
        "All that is known about it: covid-datasets info tiny"
    )
    with pytest.raises(AccessRequired, match="carry the folder over"):
        make_mirror(["tiny"], tmp_path / "made")
    serve(tmp_path / "mine", "files.zip", zip_of(FILES))
    assert build_dataset("tiny", data_dir=tmp_path / "mine").rows == 3
    # An institute's own mirror needs no account.
    assert build_dataset("tiny", mirror=str(serve(tmp_path / "mirror", FIRST, zip_of(FILES)))).rows == 3
