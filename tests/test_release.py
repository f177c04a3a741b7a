"""What a release is made of fits what the code knows; `.ci/release.py` builds one and uses it where nothing else is."""

import importlib.util
import re
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any, get_args

import pytest

from covid_datasets import __version__
from covid_datasets.catalog.card import AccessKind
from covid_datasets.contribute.new import KINDS
from covid_datasets.vocabulary import Modality

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def yaml(path: Path) -> Any:
    """Read YAML by the parser that comes with Hugging Face datasets."""
    return pytest.importorskip("yaml").safe_load(path.read_text(encoding="utf-8"))


def form(name: str) -> dict[str, dict[str, Any]]:
    """Give the questions of an issue form by their id."""
    body = yaml(ROOT / ".github/ISSUE_TEMPLATE" / f"{name}.yml")["body"]
    return {part["id"]: part["attributes"] for part in body if part["type"] != "markdown"}


def test_a_citation_names_this_version_and_licence() -> None:
    cited = yaml(ROOT / "CITATION.cff")
    assert (cited["version"], cited["license"]) == (__version__, PROJECT["license"])


def test_the_form_for_a_source_asks_in_the_words_of_the_card() -> None:
    asked = form("new_source")
    assert tuple(asked["access"]["options"]) == get_args(AccessKind)
    assert tuple(asked["modality"]["options"]) == (*get_args(Modality), "none")
    assert tuple(asked["kind"]["options"]) == KINDS


def test_the_form_for_a_leak_takes_lines_of_identities() -> None:
    header = (ROOT / "catalogs/identities/cohen.tsv").read_text(encoding="utf-8").partition("\n")[0]
    assert form("leak")["lines"]["placeholder"] == header


@pytest.mark.parametrize("name", ["defect", "leak", "new_source"])
def test_a_form_is_one_that_the_host_shows(name: str) -> None:
    whole = yaml(ROOT / ".github/ISSUE_TEMPLATE" / f"{name}.yml")
    assert {"name", "description", "body"} <= set(whole)
    kinds = {"markdown", "input", "dropdown", "textarea", "checkboxes"}
    assert {part["type"] for part in whole["body"]} <= kinds
    ids = [part["id"] for part in whole["body"] if part["type"] != "markdown"]
    assert len(ids) == len(set(ids))
    assert any(part.get("validations", {}).get("required") for part in whole["body"])


def test_the_page_of_versions_names_every_python_that_is_declared() -> None:
    declared = {text.rpartition(" ")[2] for text in PROJECT["classifiers"] if re.search(r":: 3\.\d", text)}
    page = (ROOT / "docs/versions.md").read_text(encoding="utf-8")
    assert declared == set(re.findall(r"^\| (3\.\d+) \|", page, re.MULTILINE))


@pytest.fixture
def compare() -> Any:
    """Give the comparison of `.ci/release.py`."""
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci/release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.compare


@pytest.mark.parametrize("lost", ["catalogs/phantom.toml", "covid_datasets/py.typed"])
def test_a_wheel_that_lacks_a_file_is_told(lost: str, compare: Any, tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("what belongs into a release is what git tracks; this is no checkout")
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for top in ("covid_datasets", "builders", "catalogs"):
            for path in (ROOT / top).rglob("*"):
                name = path.relative_to(ROOT).as_posix()
                if path.is_file() and name != lost:
                    archive.writestr(name if top == "covid_datasets" else f"covid_datasets/{name}", "")
    with tarfile.open(tmp_path / "a.tar.gz", "w"):
        pass
    with pytest.raises(SystemExit, match=rf"a\.whl.*Missing: \['[\w/]*{lost.rpartition('/')[2]}'\]"):
        compare(wheel, tmp_path / "a.tar.gz")
