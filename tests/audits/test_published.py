"""What was measured goes into the catalog, and from there to who reads the card and who loads the data."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from covid_datasets import OwnData, build_dataset, catalogs, confounding, info, load_dataset
from covid_datasets.audits.traits.report import ALL, Confounding
from covid_datasets.catalog.confounded import confounded as measured_of
from covid_datasets.catalog.confounded import confounding_warning
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.cli import main
from covid_datasets.contribute.confounded import publish_confounding
from covid_datasets.errors import CatalogError, NotThereError, UsageError
from covid_datasets.view.page import page

pytest.importorskip("sklearn")
PUBLISHED = sorted((catalog_folder() / "confounding").glob("*.toml"))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a copy of the catalog that may be written to."""
    shutil.copytree(catalog_folder(), tmp_path / "checkout" / "catalogs", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(catalogs, "__path__", [str(tmp_path / "checkout" / "catalogs")])
    return tmp_path / "checkout"


@pytest.fixture(scope="session")
def found(confounded: tuple[OwnData, Path]) -> Confounding:
    """Return what is measured of a ward, said of the phantom."""
    own, cache = confounded
    measured = confounding(own, cache_dir=cache, traits=["container", "detail"])
    return replace(measured, datasets=(f"phantom@{info('phantom').default_version}",), configs=("small",))


def test_what_is_published_is_what_was_measured(checkout: Path, found: Confounding) -> None:
    path = publish_confounding(found, checkout)
    assert path == checkout / "catalogs" / "confounding" / "phantom.toml"
    stored = measured_of("phantom")
    assert stored is not None
    assert (stored.rows, stored.groups, stored.fingerprint) == (80, 40, found.fingerprints[0])
    assert [(each.trait, each.auc) for each in stored.together] == [(ALL, 1.0)]
    assert [(each.trait, each.auc) for each in stored.alone] == [("container", 1.0)]
    assert [each.scheme for each in stored.remaining] == ["5 folds"]
    text = path.read_text(encoding="utf-8")
    assert publish_confounding(found, checkout).read_text(encoding="utf-8") == text
    assert f"# Measured, and never edited: {stored.command} --publish ." in text


def test_users_are_warned_where_it_was_measured_and_nowhere_else(
    checkout: Path, found: Confounding, tmp_path: Path
) -> None:
    publish_confounding(found, checkout)
    for config in ("small", "default"):
        build_dataset("phantom", config, cache_dir=tmp_path, num_proc=1)
    with pytest.warns(UserWarning, match=r"^phantom: the label follows where a picture is from. .* AUC 1.000"):
        load_dataset("phantom", "small", framework="numpy", cache_dir=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_dataset("phantom", "small", framework="numpy", cache_dir=tmp_path, columns=["image", "masks"])
        load_dataset("phantom", framework="numpy", cache_dir=tmp_path)


def test_who_streams_is_warned_too(checkout: Path, found: Confounding, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    publish_confounding(found, checkout)
    with pytest.warns(UserWarning, match="the label follows where a picture is from"):
        load_dataset("phantom", "small", streaming=True, cache_dir=tmp_path)


def test_the_card_shows_the_numbers_and_the_command(
    checkout: Path, found: Confounding, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_confounding(found, checkout)
    text = page(info("phantom"))
    section = text[text.index("## Confounding") :]
    assert "> **Warning.** The label follows where a picture is from." in section
    assert f"| {ALL} | 1.000 (1.000 to 1.000) |" in section
    assert "`covid-datasets confounding phantom@" in section
    assert main(["info", "phantom"]) == 0
    assert "## Confounding" in capsys.readouterr().out


def test_a_build_that_lacks_samples_is_told(checkout: Path, found: Confounding) -> None:
    publish_confounding(replace(found, lacking=4), checkout)
    assert ", which lacks 4 samples of the source." in page(info("phantom"))


def test_who_finds_little_warns_nobody(checkout: Path, found: Confounding) -> None:
    weak = tuple(replace(each, auc=0.71, low=0.45, high=0.9) if each.auc else each for each in found.found)
    publish_confounding(replace(found, found=weak), checkout)
    assert confounding_warning("phantom", info("phantom").default_version, "small") == ""
    assert "Warning" not in page(info("phantom")).partition("## Confounding")[2].partition("##")[0]


def test_only_numbers_of_one_source_are_published(checkout: Path, found: Confounding, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected one source, found 2"):
        publish_confounding(replace(found, datasets=("a@1", "b@1")), checkout)
    with pytest.raises(UsageError, match="expected a source of the catalog, found own"):
        publish_confounding(replace(found, datasets=("own.ward@own",)), checkout)
    with pytest.raises(UsageError, match="found a build that lacks 5 samples"):
        publish_confounding(replace(found, lacking=5), checkout)
    with pytest.raises(UsageError, match="expected numbers"):
        publish_confounding(replace(found, found=()), checkout)
    with pytest.raises(NotThereError, match="expected a checkout"):
        publish_confounding(found, tmp_path / "elsewhere")


@pytest.mark.parametrize(
    "part", [["--where", "view=PA"], ["--traits", "mode"], ["--no-pixels"], ["--label", "sex"], ["--limit", "9"]]
)
def test_a_part_is_not_published(checkout: Path, part: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["confounding", "phantom", "--publish", str(checkout), *part]) == 2
    assert f"--publish: expected all rows and traits of a source, found {part[0]}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new"),
    [("auc = 1.000", "auc = 1.500"), ("rows = 80", 'rows = "many"'), ("together = [", "gather = ["), ("= [", "= [[")],
)
def test_a_file_that_was_edited_is_refused_by_name(checkout: Path, found: Confounding, old: str, new: str) -> None:
    path = publish_confounding(found, checkout)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(CatalogError, match="phantom.toml"):
        measured_of("phantom")


@pytest.mark.parametrize("path", PUBLISHED, ids=[path.stem for path in PUBLISHED])
def test_what_is_published_is_of_a_version_that_the_card_has(path: Path) -> None:
    card, found = info(path.stem), measured_of(path.stem)
    assert found is not None
    assert found.version in card.versions
    assert found.config in card.configs
    assert found.command.startswith(f"covid-datasets confounding {path.stem}")
    stated = card.versions[found.version]
    assert stated.images is None or found.rows <= stated.images
