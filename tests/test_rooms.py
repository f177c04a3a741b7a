"""The house: which room may import which, and that every module, docstring example and test is really collected."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOUSE = ROOT / "covid_datasets"
ROOMS = """
harmless markup errors store settings extras disk holder lock progress vocabulary columns schema
catalog features fetch raw read phantoms transforms own measure splits prepare cache load exports tfds audits
baselines view contribute cli
""".split()
"""From the ground up: a module imports only what stands before its own room, or in it."""
REACHING_BELOW: dict[tuple[str, str], str] = {
    ("covid_datasets.catalog.card", "covid_datasets.view.shown_card"): "Card._repr_html_",
}
"""(module, what it imports) -> the one function that does so, lazily: the exceptions."""
BUILDERS_IMPORT = {"read", "phantoms", "schema", "vocabulary", "errors", "catalog"}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each module of ours that a file imports, at whatever depth, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports say the whole name, so that all are seen here"
            if (node.module or "").split(".")[0] != "covid_datasets":
                continue
            module = node.module or ""
            for name in node.names:
                inner = HOUSE.parent.joinpath(*module.split("."), name.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").exists()
                yield (f"{module}.{name.name}" if is_module else module), node.lineno
        elif isinstance(node, ast.Import):
            yield from ((each.name, node.lineno) for each in node.names if each.name.split(".")[0] == "covid_datasets")


MODULES = sorted(
    path for path in HOUSE.rglob("*.py") if path.parent != HOUSE or path.stem not in ("__init__", "__main__")
)


@pytest.mark.parametrize("path", MODULES, ids=[module_of(path) for path in MODULES])
def test_rooms_import_only_rooms_above_them(path: Path) -> None:
    own = room_of(module_of(path))
    assert own in ROOMS, f"{path}: a new room belongs into ROOMS, at its place in the order"
    for module, line in imports(path):
        room = room_of(module)
        if room == "catalogs" or (module_of(path), module) in REACHING_BELOW:
            continue
        if not room:
            assert own == "cli", f"{path}:{line}: the public API has every room in it, and only cli/ stands below all"
            continue
        assert room in ROOMS, f"{path}:{line} imports {module}, which is in no room"
        assert ROOMS.index(room) <= ROOMS.index(own), f"{path}:{line}: {own}/ may not import {module}: it stands below"


def test_builders_import_what_is_made_for_them() -> None:
    for path in (ROOT / "builders").glob("*.py"):
        rooms = {room_of(module) for module, _ in imports(path)} - {"builders"}
        assert rooms <= BUILDERS_IMPORT, f"{path} imports {sorted(rooms - BUILDERS_IMPORT)}"


def test_functions_take_few_parameters() -> None:
    """Eight at most; what is handed on by more belongs into one value, as `Transfer` and `Choice` are."""
    many = {
        f"{module_of(path)}.{node.name}"
        for path in (*MODULES, *(ROOT / "builders").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if len([*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]) > 8
    }
    assert many == {"covid_datasets.load.dataset.load_dataset", "covid_datasets.prepare.engine.build_dataset"}


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """Collect as `make test` does, in a process of its own."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}


def examples(folder: str) -> set[str]:
    """List the files that hold a docstring with an example."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if ">>> " in (ast.get_docstring(node) or ""):
                found.add(path.relative_to(ROOT).as_posix())
    return found


def test_every_example_is_run(collected: set[str], pytestconfig: pytest.Config) -> None:
    """A folder called ``build`` or ``dist`` would be skipped by pytest and by many other tools, without a word."""
    top: Any = pytestconfig.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    without = {Path(path).relative_to(ROOT).as_posix() for path in top.collect_ignore}
    assert examples("covid_datasets") - collected == examples("covid_datasets") & without
    assert top.ABSENT or without == {"covid_datasets/tfds.py"}, "all libraries are here, so all examples run"
    assert len(examples("covid_datasets")) > 30


def test_every_test_is_run(collected: set[str]) -> None:
    files = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "tests").rglob("test_*.py")}
    lacking = {name for name, path in files.items() if not all(map(find_spec, needed(path)))}
    assert files.keys() - collected == lacking


def needed(test: Path) -> list[str]:
    """List what a whole file of tests is skipped without: ``pytest.importorskip("torch")`` outside of all functions."""
    calls = [getattr(node, "value", None) for node in ast.parse(test.read_text(encoding="utf-8")).body]
    return [
        ast.literal_eval(call.args[0])
        for call in calls
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.importorskip"
    ]


def test_no_folder_has_a_name_that_tools_hide() -> None:
    hidden = {"build", "dist", "vendor", "node_modules", "venv"}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    folders = {part for line in listed.splitlines() for part in Path(line).parts[:-1]}
    assert folders & hidden == set()


def test_tests_mirror_the_rooms() -> None:
    rooms = {path.name for path in HOUSE.iterdir() if (path / "__init__.py").exists()}
    mirrored = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("test_*.py"))}
    assert mirrored - {"builders", "conformance", "docs"} <= rooms
    assert rooms - mirrored - {"cli"} <= set(), "a room without tests"
