"""The globs of folders that users fill by hand, and what such folders lack, however they are filled."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.catalog.layout import absent, is_litter, matches, problem_of, readable
from covid_datasets.catalog.resource import Pattern, Resource
from covid_datasets.errors import DamagedFileError
from covid_datasets.raw.local import Local, mount_local
from covid_datasets.raw.survey import Survey, survey
from tests.raw.test_archives import tar_of, zip_of

TEXT = Pattern(glob="case-{case:number}/case.txt", what="its text", required=True)
FIGURE = Pattern(glob="case-{case:number}/*.(jpg|png)", what="a figure", required=True)
NOTES = Pattern(glob="notes.csv", what="notes")
CASES = Resource(name="cases", kind="folder", files=(TEXT, FIGURE, NOTES), steps=("Save them.",))
FILES = {"case-7/case.txt": b"text", "case-7/a.jpg": b"a", "case-12/case.txt": b"text", "case-12/b.PNG": b"b"}

PLAIN = st.text(alphabet="ab1 -.'é[]+?^$\\", min_size=1, max_size=6).filter(lambda text: text.strip(".") != "")
NAMES = st.text(alphabet="ab1 -é[]\n", min_size=1, max_size=4)
NUMBERS = st.text(alphabet="0123456789", min_size=1, max_size=4)


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def look(folder: Path) -> tuple[Local, Survey]:
    local = mount_local(folder, (CASES,))
    return local, survey((CASES,), local.mounts)


# --- globs --------------------------------------------------------------------------------------------------------


@given(PLAIN, PLAIN)
def test_what_is_no_token_is_meant_literally(glob: str, other: str) -> None:
    assert matches(glob, [glob])
    assert matches(other, [glob]) == (other.lower() == glob.lower())


@given(NAMES, NUMBERS, st.sampled_from(["jpg", "PNG"]))
def test_tokens_stand_for_what_they_say(name: str, number: str, ending: str) -> None:
    path = f"case-{number}/{name}.{ending}"
    assert matches(path, ["case-{case:number}/*.(jpg|png)"])
    assert matches(path, ["case-{case}/{name}.(jpg|png)"])
    assert matches(f"{number}/{number}.txt", ["{case}/{case}.txt"])
    assert matches(f"{name}/{number}.txt", ["{case}/{case}.txt"]) == (name.lower() == number)
    assert not matches(path, ["case-{case:number}/*.(gif|webp)"])
    assert not matches(f"a/{path}", ["case-{case:number}/*.(jpg|png)"])
    assert not matches(f"case-{name}x/a.jpg", ["case-{case:number}/*.jpg"])


@given(st.text(alphabet="ab/.*", max_size=8), st.text(alphabet="ab/.", max_size=8))
def test_a_star_is_that_of_shells(glob: str, path: str) -> None:
    parts = zip(glob.split("/"), path.split("/"), strict=False)
    each = all(
        fnmatch.fnmatchcase(name, part) and not (name.startswith(".") and part.startswith("*")) for part, name in parts
    )
    assert matches(path, [glob]) == (each and glob.count("/") == path.count("/"))


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_a_glob_or_has_a_problem(glob: str, path: str) -> None:
    if not problem_of(glob):
        matches(path, [glob])
        absent([Pattern(glob=glob, what="it", required=True)], [path])
        assert isinstance(readable(glob), str)


@pytest.mark.parametrize(
    "glob",
    ["", "/a", "a//b", "../a", "a/./b", "a/", "{", "a}", "{1a}", "{A}", "{a:digits}", "a|b", "(a|b", "(a|b/c)"],
)
def test_a_glob_that_cannot_be_meant_has_a_problem(glob: str) -> None:
    assert problem_of(glob)


def test_case_of_letters_does_not_matter() -> None:
    assert matches("CASE-7/Figure 1.JPG", ["case-{case:number}/*.(jpg|png)"])
    assert not matches("case-\u0667/a.jpg", ["case-{case:number}/*.jpg"]), "digits are those of ASCII"


@pytest.mark.parametrize(
    "path",
    [".DS_Store", "case-7/._a.jpg", "__MACOSX/case-7/a.jpg", "case-7/THUMBS.DB", "a/desktop.ini", ".git/x/a.jpg"],
)
def test_what_systems_leave_behind_is_not_seen(path: str) -> None:
    assert is_litter(path)
    assert not is_litter(path.replace(".", "x").replace("__MACOSX", "x"))


# --- what is absent -----------------------------------------------------------------------------------------------


@given(st.dictionaries(NUMBERS, st.sets(st.sampled_from(["case.txt", "a.jpg", "b.png", "c.doc"]), min_size=1)))
def test_each_case_needs_each_required_file(cases: dict[str, set[str]]) -> None:
    present = [f"case-{case}/{name}" for case, names in cases.items() for name in names]
    lacking = absent(CASES.files, present)
    no_text = {f"case-{case}/case.txt (its text)" for case, names in cases.items() if "case.txt" not in names}
    no_figure = {
        f"case-{case}/*.(jpg|png) (a figure)" for case, names in cases.items() if not names & {"a.jpg", "b.png"}
    }
    assert len(lacking) == len(set(lacking))
    assert set(lacking) == no_text | no_figure


@given(st.lists(st.sampled_from([*FILES, "notes.csv", "x/y", "case-3/sub/a.jpg"]), unique=True), st.randoms())
def test_the_order_of_files_does_not_matter(paths: list[str], chance: object) -> None:
    shuffled = sorted(paths, key=lambda _: chance.random())  # type: ignore[attr-defined]
    assert absent(CASES.files, shuffled) == absent(CASES.files, paths)


def test_a_required_file_without_a_name_is_needed_once() -> None:
    wanted = [Pattern(glob="index.csv", what="the list", required=True), FIGURE]
    assert absent(wanted, []) == ["index.csv (the list)"]
    assert absent(wanted, ["index.csv", "case-1/a.jpg"]) == []


def test_a_folder_with_nothing_but_other_things_is_a_case_all_the_same() -> None:
    assert absent([TEXT], ["case-3/sub/deep/a.bin"]) == ["case-3/case.txt (its text)"]


# --- where the folder is ------------------------------------------------------------------------------------------


def nested(folder: Path) -> Path:
    return put(folder, {f"my files/covid 19/SIRM/{name}": data for name, data in FILES.items()})


def zipped(folder: Path) -> Path:
    return put(folder, {"cases.zip": zip_of({f"SIRM/{name}": data for name, data in FILES.items()})})


def zipped_by_a_mac(folder: Path) -> Path:
    litter = {f"__MACOSX/SIRM/case-7/._{number}.jpg": b"" for number in range(9)}
    files = {f"SIRM/{name}": data for name, data in FILES.items()} | {"SIRM/.DS_Store": b"", "SIRM/case-7/._a.jpg": b""}
    put(folder, {"cases.zip": zip_of(litter | files)})
    return folder / "cases.zip"


def in_an_archive_of_archives(folder: Path) -> Path:
    return put(folder, {"all.tar": tar_of({"x/cases.zip": zip_of(FILES)})})


def with_litter(folder: Path) -> Path:
    litter = dict.fromkeys(["Thumbs.db", "case-7/desktop.ini", "case-7/.DS_Store", "case-7/._a.jpg", ".git/HEAD"], b"")
    return put(folder, FILES | litter)


@pytest.mark.parametrize(
    "layout",
    [put, nested, zipped, zipped_by_a_mac, in_an_archive_of_archives, with_litter],
    ids=lambda layout: layout.__name__,
)
def test_however_it_lies_there_it_is_the_same(tmp_path: Path, layout: object) -> None:
    folder = put(tmp_path / "data", FILES) if layout is put else layout(tmp_path / "data")  # type: ignore[operator]
    local, found = look(folder)
    mount = local.mounts["cases"]
    assert {path: mount.read(path) for path in mount.sizes()} == FILES
    assert (found.missing, found.wrong, local.extra) == ((), (), [])
    assert not found.is_short(0.0)


def place_of(local: Local) -> tuple[str, str]:
    mount = local.mounts["cases"]
    place = mount.place_of("case-7/case.txt")
    assert place is not None
    (folder,), name = place
    return folder, name


def test_of_several_folders_the_fullest_is_taken_and_the_rest_is_told(tmp_path: Path) -> None:
    files = {f"a/{name}": data for name, data in list(FILES.items())[:2]} | {f"b/{k}": v for k, v in FILES.items()}
    local, _ = look(put(tmp_path, files))
    assert place_of(local) == (str(tmp_path), "b/case-7/case.txt")
    assert local.extra == [f"{tmp_path}/a/case-7/a.jpg", f"{tmp_path}/a/case-7/case.txt"]


def test_of_equal_folders_the_shallowest_is_taken(tmp_path: Path) -> None:
    files = {f"a/b/c/{name}": data for name, data in FILES.items()} | {f"z/{k}": v for k, v in FILES.items()}
    assert place_of(look(put(tmp_path, files))[0]) == (str(tmp_path), "z/case-7/case.txt")
    put(tmp_path, {"a.zip": zip_of(FILES)})
    assert look(tmp_path)[0].mounts["cases"].location == (str(tmp_path),), "what is not packed is shallower"


def test_everything_that_is_not_as_it_should_be_is_told(tmp_path: Path) -> None:
    wrong = {"case-7/case.txt": b"", "case-7/report.docx": b"x", "read me.txt": b"x", "case-x/a.jpg": b"x"}
    wrong |= {"case-8/a.jpg": b"x", "case-9/case.txt": b"x", "case-12/deep/a.jpg": b"x"}
    local, found = look(put(tmp_path, FILES | wrong))
    assert found.missing == ("case-8/case.txt (its text)", "case-9/*.(jpg|png) (a figure)")
    assert found.wrong == ("case-7/case.txt: expected content, found 0 bytes",)
    names = ["case-12/deep/a.jpg", "case-7/report.docx", "case-x/a.jpg", "read me.txt"]
    assert local.extra == [f"{tmp_path}/{name}" for name in names]
    assert found.expected == len(FILES) + 2 + 2
    assert found.is_short(0.0)
    assert not found.is_short(0.5)


@pytest.mark.parametrize("files", [{}, {"photo.jpg": b"x", "x/y/z.txt": b"y"}], ids=["empty", "of something else"])
def test_a_folder_of_nothing_of_the_kind_says_what_was_expected(tmp_path: Path, files: dict[str, bytes]) -> None:
    local, found = look(put(tmp_path, files))
    assert local.mounts == {}
    assert found.missing == ("case-<number>/case.txt (its text)", "case-<number>/*.(jpg|png) (a figure)")
    assert local.extra == [f"{tmp_path}/{name}" for name in files]
    assert local.above == ""


def test_whoever_names_one_of_the_folders_inside_is_led_to_the_one_above(tmp_path: Path) -> None:
    local, found = look(put(tmp_path, FILES) / "case-7")
    assert local.above == str(tmp_path)
    assert found.missing


def test_a_damaged_archive_is_told_and_the_rest_is_used(tmp_path: Path) -> None:
    local, found = look(put(tmp_path, FILES | {"more.zip": zip_of(FILES)[:-30]}))
    assert [re.sub(".*/", "", where) for where in local.damaged] == ["more.zip"]
    assert found.missing == ()
    with pytest.raises(DamagedFileError, match=r"more\.zip: expected a whole zip"):
        look(tmp_path / "more.zip")


def test_readable_globs() -> None:
    assert readable("{slug}/study-{n:number}/*.(dcm|nii)") == "<slug>/study-<number>/*.(dcm|nii)"


def test_pictures_in_a_stack_are_pictures_of_the_case() -> None:
    page = Pattern(glob="case-{case}/case.txt", what="its text", required=True)
    figure = Pattern(glob="case-{case}/*.jpg", what="a figure", required=True)
    stacked = Pattern(glob="case-{case}/{stack}/*.jpg", what="a figure", required=True)
    wanted = [page, figure, stacked]
    assert absent(wanted, ["case-1/case.txt", "case-1/CT/1.jpg"]) == []
    assert absent(wanted, ["case-1/case.txt", "case-1/a.jpg"]) == []
    assert absent(wanted, ["case-1/case.txt", "case-2/case.txt", "case-2/CT/1.jpg"]) == ["case-1/*.jpg (a figure)"]
    assert absent(wanted, ["case-1/case.txt", "case-1/a.jpg", "case-1/CT/notes.doc"]) == ["case-1/CT/*.jpg (a figure)"]
