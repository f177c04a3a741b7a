"""`covid-datasets new`: a skeleton that is valid, refuses to overwrite, and owns up to being unfinished."""

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.catalog.cards import read_card
from covid_datasets.cli import main
from covid_datasets.contribute.new import PLACEHOLDER, placeholders, skeleton, write_skeleton
from covid_datasets.errors import UsageError
from covid_datasets.raw.local import mount_local
from covid_datasets.raw.survey import survey
from covid_datasets.raw.tree import RawTree


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for folder in ("builders", "catalogs", "tests"):
        (tmp_path / folder).mkdir()
    return tmp_path


def test_writes_three_files(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "my_source", "--checkout", str(checkout)]) == 0
    written = {path.relative_to(checkout).as_posix() for path in checkout.rglob("*") if path.is_file()}
    assert written == {"builders/my_source.py", "catalogs/my_source.toml", "tests/sources/my_source.py"}
    output = capsys.readouterr().out
    assert all(name in output for name in written)
    assert PLACEHOLDER in output


def test_card_is_valid_and_code_parses(checkout: Path) -> None:
    write_skeleton("my_source", checkout)
    card = read_card(checkout / "catalogs" / "my_source.toml")
    assert card.id == "my_source"
    assert card.title == PLACEHOLDER
    for path in checkout.rglob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"))


def test_every_file_names_what_is_missing(checkout: Path) -> None:
    write_skeleton("my_source", checkout)
    found = placeholders("my_source", checkout)
    assert {place.partition(":")[0] for place in found} == set(skeleton("my_source"))
    assert placeholders("another", checkout) == []


def test_skeleton_builder_reads_skeleton_tree(checkout: Path) -> None:
    """The two skeletons fit each other, so that a contributor starts from something that runs."""
    write_skeleton("my_source", checkout)
    tree: dict[str, Any] = {}
    exec((checkout / "tests" / "sources" / "my_source.py").read_text(encoding="utf-8"), tree)
    write = tree["write_unpacked"]
    assert callable(write)
    write(checkout / "raw")
    assert (checkout / "raw" / "metadata.csv").read_text(encoding="utf-8").startswith("filename,patient,finding\n")
    builder: dict[str, Any] = {}
    exec((checkout / "builders" / "my_source.py").read_text(encoding="utf-8"), builder)
    raw = RawTree.of_folder(checkout / "raw")
    records = list(builder["records"](raw))
    assert [record.patient for record in records] == ["p0", "p0", "p1", "p1"]
    assert all(raw.has(record.image.path) for record in records)


def test_a_source_by_hand_starts_from_something_that_runs_too(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "by_hand", "--by-hand", "--checkout", str(checkout)]) == 0
    capsys.readouterr()
    card = read_card(checkout / "catalogs" / "by_hand.toml")
    assert [resource.kind for resource in card.resources] == ["folder"]
    assert not card.resources[0].copies
    assert {place.partition(":")[0] for place in placeholders("by_hand", checkout)} == set(skeleton("by_hand"))
    modules: dict[str, dict[str, Any]] = {"builders": {}, "tests/sources": {}}
    for folder, names in modules.items():
        exec((checkout / folder / "by_hand.py").read_text(encoding="utf-8"), names)
    modules["tests/sources"]["write_unpacked"](checkout / "raw")
    mounts = mount_local(checkout / "raw", card.resources).mounts
    assert survey(card.resources, mounts).missing == ()
    records = list(modules["builders"]["records"](RawTree(tuple(mounts.values()))))
    assert [record.patient for record in records] == ["1", "2", "3", "4"]
    assert {record.caption for record in records} == {"A text."}


@pytest.mark.parametrize("path", ["builders/x.py", "catalogs/x.toml", "tests/sources/x.py"])
def test_refuses_to_overwrite(checkout: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / path).parent.mkdir(exist_ok=True)
    (checkout / path).write_text("mine")
    assert main(["new", "x", "--checkout", str(checkout)]) == 2
    assert path in capsys.readouterr().err
    files = [file for file in checkout.rglob("*") if file.is_file()]
    assert files == [checkout / path]
    assert files[0].read_text() == "mine"


def test_refuses_what_is_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="builders, catalogs, tests"):
        write_skeleton("x", tmp_path)


@pytest.mark.parametrize("name", ["", "X", "9a", "_a", "a-b", "a/b", "../a", "a.b", "ä", "a\n", "a@1"])
def test_refuses_names_that_cannot_be_ids(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be an id"):
        skeleton(name)


@given(st.text(max_size=20))
def test_any_name_is_refused_or_stays_in_its_folders(name: str) -> None:
    try:
        paths = list(skeleton(name))
    except UsageError:
        return
    assert [Path(path).parent.as_posix() for path in paths] == ["builders", "catalogs", "tests/sources"]
    assert name.isidentifier()
