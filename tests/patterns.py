"""Every regular expression of this library with the method that it is used with, and text that is hostile to it.

Run as a program it feeds each a megabyte of such text; a pattern that goes back over what it has read is killed by an
alarm after a minute, and its name is the last line that was printed.
"""

from __future__ import annotations

import ast
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

ROOT = Path(__file__).parents[1]
MEGABYTE = 1_000_000
SECONDS = 60
METHODS = ("match", "fullmatch", "search", "sub", "split", "findall", "finditer")

Use = tuple[str, "re.Pattern[Any]", str]
"""Where a pattern stands, what it is, and what is done with it."""


def sources() -> list[Path]:
    return [path for folder in ("covid_datasets", "builders") for path in sorted((ROOT / folder).rglob("*.py"))]


def uses() -> tuple[list[Use], set[str]]:
    """List the patterns that are written out, and the functions that make patterns of something else."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sources()}
    named: dict[tuple[Path, str], tuple[str, re.Pattern[Any]]] = {}
    found: list[Use] = []
    made: set[str] = set()
    for path, tree in trees.items():
        for function, call in _calls(tree):
            where = f"{path.relative_to(ROOT).as_posix()}:{function}"
            if not (isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "re"):
                continue
            method = call.func.attr
            if method in ("escape", "purge"):
                continue
            if not isinstance(call.args[0], ast.Constant):
                made.add(where)
                continue
            flags = [word.value for word in call.keywords if word.arg == "flags"] or [
                argument for argument in call.args[1:] if isinstance(argument, ast.BinOp | ast.Attribute)
                and "re." in ast.unparse(argument)
            ]  # fmt: skip
            written: Any = call.args[0].value
            pattern = re.compile(written, eval(ast.unparse(flags[0]), {"re": re}) if flags else 0)
            if method == "compile":
                named[path, _name_of(tree, call)] = where, pattern
            else:
                found.append((where, pattern, method))
    for path, tree in trees.items():
        for _, call in _calls(tree):
            if isinstance(call.func, ast.Attribute) and call.func.attr in METHODS:
                owner = call.func.value
                name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
                alike = [key for key in named if key[1] == name]
                own = [key for key in alike if key[0] == path] or alike
                found += [(*named[key], call.func.attr) for key in own]
    # One that is handed on is used in a way that is not seen here.
    unseen = [one for one in named.values() if not any(pattern is one[1] for _, pattern, _ in found)]
    found += [(*one, method) for one in unseen for method in ("match", "fullmatch")]
    return found, made


def _calls(tree: ast.AST, function: str = "") -> Iterator[tuple[str, ast.Call]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield function, node
        yield from _calls(node, node.name if isinstance(node, ast.FunctionDef) else function)


def _name_of(tree: ast.Module, call: ast.Call) -> str:
    """Give the name that a compiled pattern gets, which no other one may have."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and node.value is call and isinstance(node.targets[0], ast.Name):
            return node.targets[0].id
    return f"unnamed at line {call.lineno}"


def hostile(pattern: str | bytes, length: int = MEGABYTE) -> Iterator[str]:
    """Write texts that begin as the pattern wants it, repeat what it repeats, and end as it does not want it."""
    written: dict[str, None] = {}
    _, pumps = _sample(parser.parse(pattern))
    for prefix, pump in [*pumps, *(("", character) for character in " 0a-/")]:
        if pump:
            for begin, repeated in ((prefix, pump), ("", pump), ("", prefix), ("", prefix + pump)):
                written[begin + repeated * (length // max(len(repeated), 1))] = None
    for text in written:
        yield text
        yield text + "\0"


def _sample(tokens: Any) -> tuple[str, list[tuple[str, str]]]:
    """Give a text that the tokens match, and for everything that may repeat, what stands before it and what repeats."""
    text, pumps = "", list[tuple[str, str]]()
    for op, value in tokens:
        inner = None
        if op is code.LITERAL:
            text += chr(value)
        elif op in (code.NOT_LITERAL, code.ANY):
            text += "x"
        elif op is code.IN:
            pumps += [("", character) for character in _members(value)]
            text += next(iter(_members(value)), "x")
        elif op is code.BRANCH:
            for branch in value[1]:
                more, inside = _sample(branch)
                pumps += [(text, more), *((text + before, pump) for before, pump in inside)]
            text += _sample(value[1][0])[0]
        elif op is code.SUBPATTERN:
            inner = value[3]
        elif op is code.ATOMIC_GROUP:
            inner = value
        elif op in (code.ASSERT, code.ASSERT_NOT):
            more, inside = _sample(value[1])
            pumps += [(text, more), *((text + before, pump) for before, pump in inside)]
        elif op in (code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT):
            _least, most, inner = value
            more, _ = _sample(inner)
            pumps += [(text, more)] if most > 1 else []
        if inner is not None:
            more, inside = _sample(inner)
            pumps += [(text + before, pump) for before, pump in inside]
            text += more
    return text, [*pumps, ("", text)]


def _members(items: Any) -> list[str]:
    found = list[str]()
    for op, value in items:
        if op is code.NEGATE:
            return ["x", " ", "<", "0"]
        if op is code.LITERAL:
            found.append(chr(value))
        elif op is code.RANGE:
            found.append(chr(value[0]))
        elif op is code.CATEGORY:
            found.append({code.CATEGORY_DIGIT: "0", code.CATEGORY_SPACE: " ", code.CATEGORY_WORD: "a"}.get(value, "-"))
    return found


def apply(pattern: re.Pattern[Any], method: str, text: str) -> None:
    given: Any = text.encode() if isinstance(pattern.pattern, bytes) else text
    if method == "sub":
        pattern.sub(given[:0], given)
    elif method == "finditer":
        for _ in pattern.finditer(given):
            pass
    else:
        getattr(pattern, method)(given)


def bounded() -> Iterator[tuple[str, str, Callable[[str], object]]]:
    """List what meets foreign text with a pattern that a card or a caller gives: a name, the pattern, the function."""
    from covid_datasets.builders.covidx import _FACTS, LONGEST_NAME

    from covid_datasets.catalog import layout
    from covid_datasets.catalog.cards import load_card, names
    from covid_datasets.catalog.ledger import LONGEST, compiled, entry_names, load_entry
    from covid_datasets.fetch import hosts
    from covid_datasets.prepare.quoted import patient_of
    from covid_datasets.read.cases import read_cases

    for name in names():
        card = load_card(name)
        if address := card.patients.address:
            yield f"{name}: patients.address", address, partial(patient_of, address=address)
        globs = {pattern.glob for resource in card.resources for pattern in resource.files}
        for glob in sorted(globs):
            plain = layout._compiled(glob).pattern
            yield f"{name}: {glob}", plain, partial(layout.matches, globs=[glob])
            yield f"{name}: {glob}", plain, partial(layout.canonical, glob=glob)
    for glob in ("*-*-*-*-*-*-*-*.png", "{case}_{case}_*_*_*/*_(a|b)_*.jpg"):
        yield f"glob {glob}", layout._compiled(glob).pattern, partial(layout.matches, globs=[glob])
    for fact in ("unsaid", "names", "flagged", "respelt"):
        for form in [*_FACTS[fact]] if fact == "respelt" else _FACTS[fact].values():
            # No longer name comes out of a list: see `read_list`.
            yield f"covidx: {form}", form, lambda text, form=form: re.fullmatch(form, text[:LONGEST_NAME])  # type: ignore[misc]
    for name in entry_names():
        entry = load_entry(name)
        for form in {entry.reading.row, *(rule.form for rule in entry.rules)} - {""}:
            # No longer text meets one: see `Rule.apply` and `read_list`.
            yield f"ledger {name}: {form}", form, lambda text, form=form: compiled(form).fullmatch(text[:LONGEST])  # type: ignore[misc]
    for scheme in hosts.HOSTS:
        module = sys.modules[f"covid_datasets.fetch.hosts.{scheme}"]
        if pattern := getattr(module, "_PATTERN", ""):
            yield f"host {scheme}", pattern, partial(_parsed, pattern)

    class Raw:
        def __init__(self, folder: str) -> None:
            self.folder = folder

        def sizes(self) -> dict[str, int]:
            return {f"{self.folder}/a.png": 1}

    form = r"(?:.*/)?case-0*(\d+)"
    yield "read_cases", form, lambda text: list(read_cases(Raw(text), form, ()))  # type: ignore[arg-type]


def _parsed(pattern: str, text: str) -> None:
    from covid_datasets.errors import CatalogError
    from covid_datasets.fetch.host import parsed

    with suppress(CatalogError):  # a hostile name is refused; how long that takes is the question
        parsed(pattern, text, "scheme:NAME")


def main() -> None:
    for where, pattern, method in dict.fromkeys(uses()[0]):
        print(where, method, repr(pattern.pattern), flush=True)
        signal.alarm(SECONDS)
        for text in hostile(pattern.pattern):
            apply(pattern, method, text)
    for where, pattern_text, function in bounded():
        print(where, repr(pattern_text), flush=True)
        signal.alarm(SECONDS)
        for length in (250, 1000, 2000, MEGABYTE):
            for text in hostile(pattern_text, length):
                function(text)
    print("done", flush=True)


if __name__ == "__main__":
    main()
