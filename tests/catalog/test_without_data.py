"""Sources of which nothing can be loaded, second names of a source, and cards that cannot be read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from covid_datasets.catalog.cards import choose, info, load_card, names, readable_cards
from covid_datasets.catalog.overview import list_datasets
from covid_datasets.cli import main
from covid_datasets.contribute import pages
from covid_datasets.errors import AccessRequired, CatalogError, UnknownVersionError, UsageError
from covid_datasets.load.dataset import load_dataset
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.view.page import page
from tests.tiny import CARD, installed

HEAD = CARD[: CARD.index("[access]")].replace('default_version = "1"\n', "")
PRIVATE = (
    HEAD.replace('modalities = ["CXR"]', 'modalities = ["MR"]').replace('homepage = ""', 'homepage = "https://x.org"')
    + '[access]\nkind = "private"\nsteps = ["Write to its authors."]\n\n[patients]\nknown = "none"\nhow = "Unknown."\n'
)
ALIAS = (
    HEAD.replace("seed_names", 'same_as = "phantom"\nseed_names')
    + '[access]\nkind = "open"\n\n'
    + ('[patients]\nknown = "all"\nhow = "As there."\n')
)
PLANNED = 'status = "planned"\ndefault_version = "1"'
ROOT = Path(__file__).resolve().parents[2]
PHANTOM = (ROOT / "catalogs" / "phantom.toml").read_text(encoding="utf-8")


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A catalog of a source with data, one without, a second name and a broken card."""
    cards = {"phantom": PHANTOM, "closed": PRIVATE, "copy": ALIAS, "broken": 'title = "unfinished'}
    with installed(tmp_path / "installed", monkeypatch, cards) as folder:
        yield folder


@pytest.mark.usefixtures("catalog")
def test_what_has_no_data_is_listed_and_found_and_has_a_page() -> None:
    with pytest.warns(UserWarning, match=r"left out, because its card cannot be read: .*broken\.toml: not a TOML file"):
        rows = {row["id"]: row for row in list_datasets().to_pylist()}
    assert list(rows) == ["closed", "copy", "phantom"]
    assert [(row["data"], row["same_as"]) for row in rows.values()] == [(False, None), (False, "phantom"), (True, None)]
    assert (rows["closed"]["images"], rows["closed"]["patients"], rows["closed"]["versions"]) == (None, None, [])
    with pytest.warns(UserWarning, match="broken"):
        assert list_datasets(modality="MR").column("id").to_pylist() == ["closed"]
    text = page(info("closed"))
    assert "**Nothing of it can be loaded.** It was never published." in text
    assert "1. Write to its authors." in text
    assert "load_dataset" not in text
    assert "## Contents" not in text
    text = page(info("copy"))
    assert "The same samples as [`phantom`](phantom.md), which is loaded in its place." in text


def test_a_planned_source_shows_its_facts_and_cannot_be_loaded(catalog: Path) -> None:
    version = "[versions.1]\nresources = []\nimages = 7\n"
    (catalog / "closed.toml").write_text(ALIAS.replace('same_as = "phantom"', PLANNED) + version, encoding="utf-8")
    text = page(info("closed"))
    assert "**Nothing of it can be loaded.** It is planned: " in text
    assert "| Access | open: its publisher asks for no account |" in text
    assert "| `1` (default) | undated | 7 | unknown |" in text
    assert "load_dataset" not in text
    with pytest.raises(AccessRequired, match="closed .*nothing of it can be loaded. It is planned"):
        choose("closed@1")


def test_nobody_need_know_the_modality_of_what_nobody_can_load(
    catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (catalog / "broken.toml").write_text(PRIVATE.replace('["MR"]', "[]"), encoding="utf-8")
    assert "| Modalities | not said |" in page(info("broken"))
    assert main(["list"]) == 0
    assert "not said" in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("broken"))
    (catalog / "broken.toml").write_text(CARD.replace('["CXR"]', "[]"), encoding="utf-8")
    with pytest.raises(CatalogError, match="key 'modalities': expected at least one, found none"):
        load_card("broken")


@pytest.mark.usefixtures("catalog")
@pytest.mark.parametrize("ask", [load_dataset, build_dataset, choose])
def test_loading_what_has_no_data_says_what_is_known(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(AccessRequired) as error:
        ask("closed")
    assert "closed (Tiny): nothing of it can be loaded. It was never published." in str(error.value)
    assert all(each in str(error.value) for each in ("1. Write to its authors.", "https://x.org", "info closed"))


@pytest.mark.usefixtures("catalog")
def test_a_second_name_leads_to_the_source(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="copy holds the same samples as phantom: loading phantom") as told:
        rows = load_dataset("copy", "small", split="train", framework="numpy")
    assert len(told) == 1
    assert {row["dataset"] for row in rows} == {"phantom"}
    with (
        pytest.warns(UserWarning, match="copy"),
        pytest.raises(UsageError, match="expected each dataset once, found copy"),
    ):
        load_dataset(["copy", "phantom"])
    with pytest.warns(UserWarning, match="copy"):
        assert choose("copy@1", "small").name == "phantom"


def test_a_second_name_of_a_second_name_is_told(catalog: Path) -> None:
    (catalog / "third.toml").write_text(ALIAS.replace('same_as = "phantom"', 'same_as = "copy"'), encoding="utf-8")
    with pytest.raises(CatalogError, match="third: key 'same_as': expected a source with data, found the alias 'copy'"):
        choose("third")
    (catalog / "third.toml").write_text(ALIAS.replace('"phantom"', '"phantom@1"'), encoding="utf-8")
    with pytest.warns(UserWarning, match="loading phantom@1"):
        assert choose("third").version == "1"
    with pytest.raises(UnknownVersionError, match="third@2: third is the one version phantom@1"):
        choose("third@2")
    (catalog / "third.toml").write_text(ALIAS.replace('same_as = "phantom"', 'same_as = "gone"'), encoding="utf-8")
    with pytest.raises(CatalogError, match=r"key 'same_as': expected the id of another source, found 'gone'"):
        load_card("third")


@pytest.mark.usefixtures("catalog")
def test_a_broken_card_stops_nobody_but_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert names() == ["broken", "closed", "copy", "phantom"]
    cards, problems = readable_cards()
    assert ([card.id for card in cards], list(problems)) == (["closed", "copy", "phantom"], ["broken"])
    for command in (["list"], ["info", "phantom"], ["cache"], ["build", "phantom", "--config", "small"]):
        assert main(command) == 0
    captured = capsys.readouterr()
    assert "warning: left out, because its card cannot be read: " in captured.err
    assert "broken.toml" in captured.err
    assert pages.main([str(tmp_path / "pages")]) == 0
    assert {path.name for path in (tmp_path / "pages").iterdir()} == {"README.md", "closed.md", "copy.md", "phantom.md"}
    assert "no page: " in capsys.readouterr().err
    assert main(["info", "broken"]) == CatalogError.exit_code


def test_a_broken_card_fails_no_test_of_others(catalog: Path) -> None:
    code = "import covid_datasets.catalogs as c, pytest, sys; c.__path__ = [sys.argv.pop()]; "
    code += "sys.exit(pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', 'tests/test_conformance.py']))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(catalog)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    tests = [line for line in done.stdout.splitlines() if "::" in line]
    its_own = {line.partition("::")[2] for line in tests if "[broken" in line}
    assert its_own == {"test_its_card_can_be_read[broken]", "test_no_placeholder_is_left[broken]"}
    assert any("test_it_builds_from[phantom" in line for line in tests)
    assert not any("builds" in line for line in tests if "[closed" in line or "[copy" in line)
    assert any("test_the_licence_is_stated_or_said_to_be_unknown[closed]" in line for line in tests)


def test_what_is_wrong_is_one_line_on_a_terminal(catalog: Path) -> None:
    code = (
        "import covid_datasets.catalogs as c, sys; from covid_datasets.cli import main; c.__path__ = [sys.argv.pop()]"
    )
    code += "; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "build", "copy", "--config", "small", str(catalog)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = [line for line in done.stderr.splitlines() if "copy" in line]
    assert told == ["warning: copy holds the same samples as phantom: loading phantom"]


def test_nobody_has_it_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--modality", "EEG"]) == 0
    assert "no source: none is known with EEG" in capsys.readouterr().err
    with pytest.raises(UsageError, match="modality: expected one of CT, CXR, US, MR, EEG, PET, found 'MRI'"):
        list_datasets(modality="MRI")  # type: ignore[arg-type]
