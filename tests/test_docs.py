"""The README shows what happens: its example is the demo, and its output is what the demo prints."""

import dataclasses
import re
import runpy
import shlex
from itertools import takewhile
from pathlib import Path
from typing import get_args

import pytest

from covid_datasets import __version__
from covid_datasets.catalog.card import (
    Access,
    AccessKind,
    Card,
    Citation,
    Config,
    Defect,
    Group,
    KnownOverlap,
    Licence,
    OfficialSplit,
    Patients,
    Permission,
    Responsible,
    Seed,
    Version,
)
from covid_datasets.catalog.cards import house_names, load_card
from covid_datasets.catalog.papers import Count, Figure, Paper
from covid_datasets.catalog.questions import Question
from covid_datasets.schema import COLUMNS
from covid_datasets.vocabulary import MASKS, Modality

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


def test_readme_example_is_the_demo() -> None:
    assert (ROOT / "docs" / "demo.py").read_text(encoding="utf-8").endswith(block("python"))


def test_readme_output_is_true(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("datasets")
    runpy.run_path(str(ROOT / "docs" / "demo.py"))
    assert capsys.readouterr().out == block("text")


@pytest.mark.parametrize("name", house_names())
def test_the_readme_names_what_loads_and_nothing_else(name: str) -> None:
    part = README[README.index("## Sources") : README.index("## What you can rely on")]
    if load_card(name).has_data:
        assert f"`{name}`" in part, "README.md, under Sources: expected its name, found none"
    else:
        assert f"`{name}`" not in part, "README.md, under Sources: expected what loads, and nothing of this does"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["choosing", "colab", "comparison"])
def test_every_example_of_a_guide_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == len(re.findall(r"^```py", text, re.MULTILINE)) > 0
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, f"docs/{name}.md", "exec"), names)


def test_citation_has_the_version() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def commands_of(page: Path) -> list[list[str]]:
    """List what is to be typed, in blocks and in the middle of sentences: its words, as far as the next pipe."""
    text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
    lines = re.findall(r"^(?:[^\n`]*&& )?covid-datasets ([^\n`]*)$", text, re.MULTILINE)
    lines += re.findall(r"`covid-datasets ([^`\n]*)`", text)
    shell = {"|", "\\|", ">", ">>", ">&2", "||", "&&", ";", "})"}
    return [list(takewhile(lambda word: word not in shell, shlex.split(line, comments=True))) for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_one(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from covid_datasets.cli.parser import make_parser

    stands_for = {"HEX": "1a2b3c4d", "[--fingerprint": "--fingerprint", "HEX]": "1a2b3c4d", "$SLURM_CPUS_PER_TASK": "4"}
    parser = make_parser()
    for words in commands_of(page):
        try:
            parser.parse_args([stands_for.get(word, word) for word in words])
        except SystemExit:
            said = capsys.readouterr().err
            # A sentence may name a command or an option without its arguments, and one shows a slip.
            shortened = not said or "arguments are required" in said or "expected one argument" in said
            assert shortened or {"COMMAND", "--recpie"} & set(words), f"{page.name}: {' '.join(words)}: {said}"


def test_every_command_is_documented() -> None:
    from covid_datasets.cli.parser import make_parser

    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    commands = re.search(r"\{(.*?)\}", make_parser().format_usage())
    names = (
        commands[1].split(",") if commands else re.findall(r"^    (\w+) ", make_parser().format_help(), re.MULTILINE)
    )
    assert names
    for name in names:
        assert f"`covid-datasets {name}" in text, name


def test_the_guide_explains_every_column_once() -> None:
    text = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    table = text[text.index("## What a sample holds") : text.index("## Tables without images")]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(COLUMNS)
    assert all(f"`{mask}`" in table for mask in MASKS)


def test_the_catalogs_readme_explains_every_key() -> None:
    text = (ROOT / "catalogs" / "README.md").read_text(encoding="utf-8")
    kinds = (
        Card,
        Licence,
        Access,
        Patients,
        Version,
        Config,
        OfficialSplit,
        Defect,
        KnownOverlap,
        Responsible,
        Seed,
        Citation,
        Paper,
        Figure,
        Count,
        Question,
    )
    for kind in kinds:
        for field in dataclasses.fields(kind):
            assert re.search(rf"\b{field.name}\b", text) or field.name in ("id", "digest"), (
                f"{kind.__name__}.{field.name}"
            )
    for choices in (Modality, AccessKind, Group, Permission):
        assert all(re.search(rf"\b{re.escape(word)}\b", text) for word in get_args(choices) if word)
