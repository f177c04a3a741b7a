"""Builders: where they are, and those that use others, declared on the card; the key of a build depends on all."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from functools import lru_cache
from importlib import import_module, util
from pathlib import Path
from types import ModuleType

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import BuildError, CatalogError, CovidDatasetsError

_BUILDERS = "covid_datasets.builders"
ANY = "*"
"""Stands for a name that is only known when the builder runs."""
_BY_NAME = ("importlib", "importlib.util", "pkgutil", "runpy", "sys", "__import__", "exec", "eval")
"""What reaches a module by a name that is made when it runs."""


@lru_cache(maxsize=128)
def builder_path(builder: str) -> Path:
    """Find the file of a builder without importing it: one of this package by its id, another by module or path."""
    if builder.endswith(".py"):
        return Path(builder)
    module = builder if "." in builder else f"{_BUILDERS}.{builder}"
    spec = util.find_spec(module)
    if spec is None or spec.origin is None:
        raise CatalogError(f"{builder}: expected the builder {module.replace('.', '/')}.py, found nothing")
    return Path(spec.origin)


def import_builder(card: Card) -> ModuleType:
    """Import the builder of a source; only here is one of its owner's run, and only where somebody named it."""
    try:
        if not card.builder.endswith(".py"):
            module = import_module(card.builder or f"{_BUILDERS}.{card.id}")
        else:
            module = _run_file(Path(card.builder))
    except CovidDatasetsError:
        raise
    except Exception as error:
        raise BuildError(f"builder {card.builder or card.id}: expected one that can be imported: {error!r}") from error
    if not callable(getattr(module, "records", None)):
        raise BuildError(f"builder {card.builder or card.id}: expected a function records(raw), found none")
    return module


def _run_file(path: Path) -> ModuleType:
    """Run a file as a module with a name of its own, by which processes that are forked from here find it again."""
    name = f"covid_datasets_builder_{hashlib.sha256(str(path).encode() + path.read_bytes()).hexdigest()[:16]}"
    if name not in sys.modules:
        spec = util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise BuildError(f"builder {path}: expected a Python file, found another kind")
        module = sys.modules[name] = util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def components_of(card: Card) -> list[Card]:
    """List a source and all that it is composed of, whatever they are composed of in turn.

    >>> [card.id for card in components_of(load_card("covidx"))]
    ['actualmed', 'cohen', 'covidx', 'figure1']
    """
    found: dict[str, Card] = {}
    waiting = [card]
    while waiting:
        if (each := waiting.pop()).id not in found:
            found[each.id] = each
            waiting += map(load_card, each.composed_of)
    return [found[name] for name in sorted(found)]


def builder_digest(card: Card) -> str:
    """Digest a builder and the facts on its card, together with those of the sources that it is composed of."""
    digest = hashlib.sha256()
    for each in components_of(card):
        facts = json.dumps(each.facts, sort_keys=True).encode() if each.facts else b""
        digest.update(b"".join(file.read_bytes() for file in _files_of(each.builder or each.id)) + facts)
    return digest.hexdigest()


def _files_of(builder: str) -> list[Path]:
    """List the files of a builder: one, or where it is a package all of its modules."""
    path = builder_path(builder)
    return sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]


def imported_builders(text: str) -> set[str]:
    r"""List the other builders that the text of a builder imports, in whatever spelling; `ANY` where it cannot be told.

    >>> sorted(imported_builders("from covid_datasets.builders import cohen as c, sirm"))
    ['cohen', 'sirm']
    >>> imported_builders("def f():\n    import importlib\n    return importlib.import_module(name)")
    {'*'}
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(_named(_whole(name.name)) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            found |= _imported_from(node)
        elif isinstance(node, ast.Attribute):
            found.add(ANY if node.attr == "builders" else _named(ast.unparse(node)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(_named(node.value))
        elif isinstance(node, ast.Name) and node.id in _BY_NAME:
            found.add(ANY)
    return found - {""}


def _imported_from(node: ast.ImportFrom) -> set[str]:
    module, names = node.module or "", {name.name for name in node.names}
    if node.level == 1:  # from . import x; from .x import y
        module = f"{_BUILDERS}.{module}".rstrip(".")
    elif node.level == 2:  # from .. import builders; from ..builders.x import y
        module = f"covid_datasets.{module}".rstrip(".")
    if (module := _whole(module)) == _BUILDERS:
        return names
    if module.split(".")[0] in _BY_NAME or (module == "covid_datasets" and "builders" in names):
        return {ANY}  # what it imports is seen only when it runs
    return {_named(module)}


def _named(dotted: str) -> str:
    """Name the builder of a dotted name; none where it is of another module."""
    if dotted in (*_BY_NAME, _BUILDERS):
        return ANY
    return dotted.removeprefix(f"{_BUILDERS}.").partition(".")[0] if dotted.startswith(f"{_BUILDERS}.") else ""


def _whole(module: str) -> str:
    """Say what a module is called where this is installed; in a checkout `builders` can be imported on its own."""
    return f"covid_datasets.{module}" if module.partition(".")[0] == "builders" else module
