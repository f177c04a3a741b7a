"""`covid-datasets new`: a skeleton that is valid, refuses to overwrite, and owns up to being unfinished."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.catalog.cards import read_card
from covid_datasets.cli import main
from covid_datasets.contribute.new import KINDS, PLACEHOLDER, placeholders, skeleton, write_skeleton
from covid_datasets.errors import UsageError


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


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_honest_about_being_unfinished(
    checkout: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """That a skeleton builds too is what ``test_skeletons`` holds."""
    assert main(["new", "my_source", "--kind", kind, "--checkout", str(checkout)]) == 0
    capsys.readouterr()
    card = read_card(checkout / "catalogs" / "my_source.toml")
    assert card.has_data == (kind != "card-only")
    assert {place.partition(":")[0] for place in placeholders("my_source", checkout)} == set(
        skeleton("my_source", kind=kind)
    )
    for path in checkout.rglob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"))


def test_an_unknown_kind_is_told() -> None:
    with pytest.raises(UsageError, match="expected one of pictures, table"):
        skeleton("my_source", kind="movies")


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
