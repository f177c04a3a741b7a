"""The notebooks: as they are committed, as they install the library, and as `.ci/notebooks.py` executes them."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OF_A_MACHINE = re.compile(r"/(?:home|root|tmp|work|Users|mnt)/|[A-Z]:\\\\|127\.0\.0\.1")
QUOTED = {
    "0.5": "guessing",
    "3.0": "CC BY 3.0",
    "1.5": "GB",
    "0.97": "docs/confounding.md",
    "0.98": "docs/confounding.md",
    "1.00": "catalogs/confounding/covid_ct.toml",
    "0.70": "docs/segmentation.md",
    "0.0454": "abstract of doi 10.1093/pubmed/fdab325",
    "0.100": "abstract of doi 10.1093/pubmed/fdab325",
}
"""All numbers with a point that prose may have, and where they are from: what is measured is computed, not written."""


def cells(path: Path, kind: str = "") -> list[dict[str, Any]]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if not kind or cell["cell_type"] == kind]


def text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ci_notebooks", ROOT / ".ci" / "notebooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_seven_and_the_page_lists_them_in_order() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number}_" for number in range(1, 8)]
    page = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    assert re.findall(r"\(\.\./notebooks/([\w.]+)\)", page) == [path.name for path in NOTEBOOKS]
    for path, following in pairwise(NOTEBOOKS):
        assert following.name in text(cells(path)[-1]), f"{path.name} does not lead on"


@each
def test_they_are_committed_without_outputs_and_machines(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert [cell for cell in cells(path, "code") if cell["outputs"] or cell["execution_count"]] == []
    assert OF_A_MACHINE.findall(path.read_text(encoding="utf-8")) == []


@each
def test_they_say_first_what_they_need(path: Path) -> None:
    first = text(cells(path)[0])
    assert first.startswith(f"# {path.name[0]}. ")
    for word in ("**Data**", "**Time**", "**Memory**"):
        assert re.search(rf"\| {re.escape(word)} \| \S", first), f"{path.name} does not say {word}"


@each
def test_links_lead_somewhere(path: Path) -> None:
    links = [link for cell in cells(path, "markdown") for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text(cell))]
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


@each
def test_what_follows_from_numbers_is_computed(path: Path) -> None:
    prose = re.sub(r"doi \S+|\]\([^)]*\)", "", "\n".join(text(cell) for cell in cells(path, "markdown")))
    assert set(re.findall(r"(?<![\d,.])\d+\.\d+", prose)) - QUOTED.keys() == set()
    checked = [cell for cell in cells(path, "code") if "assert " in text(cell)]
    assert checked, f"{path.name} holds nothing that it says against the data"
    assert all(cell["metadata"]["tags"] for cell in checked), "the site folds these cells by their tags"


def test_quoted_numbers_are_those_of_the_pages() -> None:
    confounding = " ".join((ROOT / "docs" / "confounding.md").read_text(encoding="utf-8").split())
    assert "size and compression besides to reach 0.97" in confounding
    assert "the header of the file alone gives 0.98" in confounding
    measured = tomllib.loads((ROOT / "catalogs" / "confounding" / "covid_ct.toml").read_text(encoding="utf-8"))
    assert {(line["trait"], line["scheme"]): line["auc"] for line in measured["together"]}[
        "all without a pixel", "5 folds"
    ] == 1.0
    segmentation = (ROOT / "docs" / "segmentation.md").read_text(encoding="utf-8")
    assert "0.70 ± 0.08" in segmentation
    four = re.search(r"\| threshold, classical lungs \|[^|]*\| ([\d.]+) \| [\d.]+ \| ([\d.]+) \|", segmentation)
    assert four
    said = "".join(text(cell) for cell in cells(NOTEBOOKS[3], "code"))
    assert f"off by {float(four[1]):.1f} points on average and by {float(four[2]):.1f} at the most" in said


@each
def test_a_badge_invents_no_address(path: Path) -> None:
    badges = re.findall(r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)", path.read_text(encoding="utf-8"))
    repository = next((url for name, url in PROJECT.get("urls", {}).items() if "github.com" in url), None)
    assert all(repository and repository.rstrip("/").endswith(badge) for badge in badges)


def install_cell(path: Path) -> str:
    return text(cells(path, "code")[0])


def test_all_install_in_one_way() -> None:
    plain = {re.sub(r"\[[\w,]+\]\"$", "[...]", install_cell(path)) for path in NOTEBOOKS}
    assert len(plain) == 1
    named = {extra for path in NOTEBOOKS for extra in re.search(r"\[([\w,]+)\]\"$", install_cell(path))[1].split(",")}  # type: ignore[index]
    assert named <= PROJECT["optional-dependencies"].keys()


@pytest.mark.parametrize(
    ("there", "beside", "expected"),
    [
        (True, ["covid_datasets-0.1.0-py3-none-any.whl"], None),
        (False, [], "covid_datasets"),
        (False, ["covid_datasets-0.1.0-py3-none-any.whl"], "covid_datasets-0.1.0-py3-none-any.whl"),
        (False, ["pyproject.toml"], ""),
        (False, ["../pyproject.toml"], ".."),
        (False, ["pyproject.toml", "covid_datasets-0.2.0-py3-none-any.whl"], "covid_datasets-0.2.0-py3-none-any.whl"),
    ],
    ids=["installed", "released", "wheel uploaded", "in a checkout", "in its notebooks", "both"],
)
def test_the_first_cell_installs_before_and_after_a_release(
    there: bool, beside: list[str], expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in beside:
        (folder / name).touch()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if there else None)
    code, magic = re.subn(r"%pip install --quiet (\".*\")", r"asked.append(f\1)", install_cell(NOTEBOOKS[0]))
    assert magic == 1
    asked: list[str] = []
    exec(compile(code, "cell", "exec"), {"asked": asked})
    if expected is None:
        assert asked == []
    elif expected == "covid_datasets":
        assert asked == ["covid_datasets[notebooks]"]
    else:
        assert asked == [f"{(folder / expected).resolve()}[notebooks]"]


def shown(path: Path) -> str:
    executed = json.loads(path.read_text(encoding="utf-8"))
    return json.dumps([cell["outputs"] for cell in executed["cells"] if cell["cell_type"] == "code"])


@pytest.fixture
def without_a_mirror(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("nbclient")
    pytest.importorskip("matplotlib")
    monkeypatch.delenv("COVID_DATASETS_TEST_MIRROR", raising=False)
    return runner()


def test_executed_offline_in_an_empty_cache(tmp_path: Path, without_a_mirror: ModuleType) -> None:
    assert without_a_mirror.main([str(tmp_path), "7"]) == 0
    outputs = shown(tmp_path / NOTEBOOKS[6].name)
    assert "hannover cannot be had here" in outputs
    assert '"image/png"' in outputs
    assert OF_A_MACHINE.findall(outputs) == []


def test_executed_twice_in_one_folder(tmp_path: Path, without_a_mirror: ModuleType) -> None:
    (tmp_path / "out").mkdir()
    written = []
    for _ in range(2):
        assert without_a_mirror.execute(NOTEBOOKS[5], tmp_path / "out", tmp_path)
        written.append(shown(tmp_path / "out" / NOTEBOOKS[5].name))
    assert "fingerprint before" in written[0]
    assert re.findall(r"fingerprint before [^\\]+", written[0]) == re.findall(r"fingerprint before [^\\]+", written[1])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ValueError('a mistake')", "ValueError: a mistake"),
        ("import warnings\nwarnings.warn('mind this')", "mind this"),
        ("from pathlib import Path\nprint(Path.cwd())", "names a folder of this machine"),
    ],
)
def test_what_no_reader_should_see_fails(
    code: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("nbclient")
    module = runner()
    monkeypatch.setattr(module, "NOTEBOOKS", tmp_path / "in")
    (tmp_path / "in").mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(notebook, tmp_path / "in" / "1_bad.ipynb")
    assert module.main([str(tmp_path / "out")]) == 1
    assert said in capfd.readouterr().out
    assert (tmp_path / "out" / "1_bad.ipynb").exists(), "what was executed is there to look at"


def test_a_name_that_is_no_notebook_fails(tmp_path: Path) -> None:
    pytest.importorskip("nbclient")
    assert runner().main([str(tmp_path), "8"]) == 1
    assert runner().main([]) == 2
