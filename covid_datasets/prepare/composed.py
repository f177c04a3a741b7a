"""Builders that use others: declared on the card (``composed_of``), which the key of a build depends on."""

from __future__ import annotations

import ast
import hashlib
import json
from functools import lru_cache
from importlib import util
from pathlib import Path

from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import CatalogError

_BUILDERS = "covid_datasets.builders"
ANY = "*"
"""Stands for a name that is only known when the builder runs."""


@lru_cache(maxsize=128)
def builder_path(dataset: str) -> Path:
    """Find the file of a builder without importing it."""
    spec = util.find_spec(f"{_BUILDERS}.{dataset}")
    if spec is None or spec.origin is None:
        raise CatalogError(f"{dataset}: expected the builder builders/{dataset}.py, found nothing")
    return Path(spec.origin)


def components_of(dataset: str) -> list[str]:
    """List a source and all that it is composed of, whatever they are composed of in turn.

    >>> components_of("covidx")
    ['actualmed', 'cohen', 'covidx', 'figure1']
    """
    found: set[str] = set()
    waiting = [dataset]
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += load_card(name).composed_of
    return sorted(found)


def builder_digest(dataset: str) -> str:
    """Digest a builder and the facts on its card, together with those of the sources that it is composed of."""
    digest = hashlib.sha256()
    for name in components_of(dataset):
        facts = load_card(name).facts
        digest.update(builder_path(name).read_bytes() + (json.dumps(facts, sort_keys=True).encode() if facts else b""))
    return digest.hexdigest()


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
            found.update(_named(name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            found |= _imported_from(node)
        elif isinstance(node, ast.Attribute):
            found.add(_named(ast.unparse(node)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(_named(node.value))
        elif isinstance(node, ast.Name) and node.id == "__import__":
            found.add(ANY)
    return found - {""}


def _imported_from(node: ast.ImportFrom) -> set[str]:
    module, names = node.module or "", {name.name for name in node.names}
    if node.level == 1:  # from . import x; from .x import y
        module = f"{_BUILDERS}.{module}".rstrip(".")
    elif node.level == 2:  # from .. import builders; from ..builders.x import y
        module = f"covid_datasets.{module}".rstrip(".")
    if module == _BUILDERS:
        return names
    if module.split(".")[0] in ("importlib", "pkgutil", "runpy") or (
        module == "covid_datasets" and "builders" in names
    ):
        return {ANY}  # what it imports is seen only when it runs
    return {_named(module)}


def _named(dotted: str) -> str:
    """Name the builder of a dotted name; none where it is of another module."""
    if dotted in ("importlib", "importlib.util", "pkgutil", "runpy", _BUILDERS):
        return ANY
    return dotted.removeprefix(f"{_BUILDERS}.").partition(".")[0] if dotted.startswith(f"{_BUILDERS}.") else ""
