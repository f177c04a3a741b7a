"""Functions by what is typed: ``lungs``, ``infection(method='rag')``, ``package.module:function(radius=3)``."""

from __future__ import annotations

import ast
import hashlib
import inspect
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Literal, get_args, get_origin, get_type_hints
from weakref import WeakKeyDictionary

from covid_datasets.errors import UsageError, did_you_mean, words_of
from covid_datasets.transforms.derive.contract import Declared, Function, declared_by

OURS = {
    name: f"covid_datasets.transforms.derive.chest:{name}" for name in ("lungs", "infection", "segmented", "cropped")
} | {"reencoded": "covid_datasets.transforms.derive.encoded:reencoded"}
"""Names that come with this library -> where the function is."""
GROUP = "covid_datasets.derive"
"""The group of entry points by which a package names functions of its own."""
_CALL = re.compile(r"(?P<name>[A-Za-z_][\w.-]*)(:(?P<function>[A-Za-z_]\w*))?\s*(\((?P<given>.*)\))?", re.DOTALL)

_SEEN: WeakKeyDictionary[ModuleType, str] = WeakKeyDictionary()
"""Modules that were looked at -> the digest of their file then."""


@dataclass(frozen=True, slots=True)
class Deriver:
    """A function that was found, and what it is called with.

    Attributes:
        text: What asks for it, always written in the same way.
        function: Gets a `Sample`, and ``parameters`` by name.
        parameters: See ``function``.
        declared: What it says of itself.
        module: Where it is, with ``name``, the package and its version, and the SHA-256 of its source file.
        name: See ``module``.
        package: See ``module``; empty where the file is in no installed package.
        version: See ``module``.
        sha256: See ``module``.
    """

    text: str
    function: Function
    parameters: Mapping[str, Any]
    declared: Declared
    module: str
    name: str
    package: str
    version: str
    sha256: str

    @property
    def by(self) -> str:
        """What makes the dataset another one: a new source file or package, or where it counts them, a new version."""
        if self.declared.version:
            return f"version {self.declared.version}"
        return " ".join(filter(None, (self.sha256, self.package, self.version)))

    @property
    def label(self) -> str:
        """A short name, for folders."""
        return self.name[:32]

    @property
    def provenance(self) -> dict[str, Any]:
        """Say what ran, for the manifest."""
        names = ("module", "name", "package", "version", "sha256")
        return {**{name: getattr(self, name) for name in names}, "parameters": dict(self.parameters)}


def deriver(text: str) -> Deriver:
    """Find what is asked for. Only code is run that is installed, or that the text names.

    Raises:
        UsageError: There is no such name, module or function, or it has no such parameter.

    >>> deriver("infection( method = 'rag' )").text
    "infection(method='rag')"
    >>> deriver("lung")
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: derive: expected one of ..., found 'lung'. Did you mean 'lungs'?
    """
    if not isinstance(text, str) or not _CALL.fullmatch(text.strip()):
        raise UsageError(
            f"derive: expected a name such as 'lungs', or module:function, with parameters as in "
            f"\"infection(method='rag')\"; found {text!r}"
        )
    return _found(text.strip())


@lru_cache(maxsize=64)
def _found(text: str) -> Deriver:
    found = _CALL.fullmatch(text)
    assert found is not None, "it was looked at"
    name = found["name"] if found["function"] is None else f"{found['name']}:{found['function']}"
    given = _parameters(text, found["given"] or "")
    function = _function(name, found["function"] is None)
    _check_parameters(function, name, given)
    usual = {each.name: each.default for each in inspect.signature(function).parameters.values()}
    parameters = {key: value for key, value in given.items() if key not in usual or repr(value) != repr(usual[key])}
    said = ", ".join(f"{key}={value!r}" for key, value in sorted(parameters.items()))
    module = function.__module__
    declared = declared_by(function)
    known = {} if declared.version else packages_distributions()  # a look at all that is installed
    package = next(iter(known.get(module.partition(".")[0], ())), "")
    try:
        released = version(package) if package else ""
    except PackageNotFoundError:
        released = ""
    return Deriver(
        f"{name}({said})" if said else name, function, parameters, declared,
        module, function.__name__, package, released, _source_digest(function, name, counted=bool(declared.version)),
    )  # fmt: skip


def names() -> list[str]:
    """List the names that `derive=` has here: ours, and those of installed packages."""
    return [*OURS, *(point.name for point in _points() if point.name not in OURS)]


def _points() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=GROUP))


def _parameters(text: str, given: str) -> dict[str, Any]:
    """Read parameters as they are written in Python: names and plain values, of which nothing is run."""
    try:
        call = ast.parse(f"f({given})", mode="eval").body
        assert isinstance(call, ast.Call)
        if call.args or any(each.arg is None for each in call.keywords):
            raise ValueError("each has a name")
        return {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
    except (SyntaxError, ValueError, AssertionError, TypeError) as error:
        raise UsageError(
            f"derive: expected parameters by name with plain values, such as infection(method='rag'), found {text!r}"
        ) from error


def _function(name: str, named: bool) -> Function:
    if not named:
        return _of_module(*name.split(":"))
    if name in OURS:
        return _of_module(*OURS[name].split(":"))
    points = [point for point in _points() if point.name == name]
    if not points:
        known = names()
        raise UsageError(
            f"derive: expected one of {', '.join(known)}, or module:function, found {name!r}{did_you_mean(name, known)}"
        )
    try:
        return _callable(points[0].load(), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"derive: {name}: expected {points[0].value} of an installed package: {error}") from error


def _of_module(module: str, function: str) -> Function:
    """Import a module: an installed one, or a file in the working folder, as ``python -m`` does."""
    try:
        first = Path(module.partition(".")[0])
        if _missing(module) and (first.with_suffix(".py").is_file() or first.is_dir()):
            sys.path.append(os.getcwd())
        found = import_module(module)
    except ImportError as error:
        raise UsageError(
            f"derive: {module}:{function}: expected a module that can be imported, found {words_of(error)}. Next: "
            "install its package, or start in the folder of the file"
        ) from error
    known = [each for each, value in vars(found).items() if callable(value) and not each.startswith("_")]
    if not hasattr(found, function):
        raise UsageError(
            f"derive: {module}: expected a function {function!r}, found none{did_you_mean(function, known)}"
        )
    return _callable(getattr(found, function), f"{module}:{function}")


def _missing(module: str) -> bool:
    try:
        return find_spec(module) is None
    except ModuleNotFoundError:  # of the package that it is in
        return True


def _callable(found: Any, name: str) -> Function:
    if not inspect.isfunction(found):
        raise UsageError(f"derive: {name}: expected a function, found {type(found).__name__}")
    return found


def _check_parameters(function: Function, name: str, given: Mapping[str, Any]) -> None:
    every = list(inspect.signature(function).parameters.values())
    hints = get_type_hints(function) if given else {}
    for parameter, value in given.items():
        if get_origin(hints.get(parameter)) is Literal and value not in (words := get_args(hints[parameter])):
            hint = did_you_mean(value, map(str, words))
            raise UsageError(
                f"derive: {name}: {parameter}: expected one of {', '.join(map(str, words))}, found {value!r}{hint}"
            )
    open_ended = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in every)
    known = [each.name for each in every[1:]]
    for parameter in () if open_ended else given:
        if parameter not in known:
            has = f"one of {', '.join(known)}" if known else "no parameter"
            raise UsageError(f"derive: {name}: expected {has}, found {parameter!r}{did_you_mean(parameter, known)}")
    lacking = [
        each.name for each in every[1:]
        if each.default is inspect.Parameter.empty
        and each.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        and each.name not in given
    ]  # fmt: skip
    if lacking or not every:
        wanted = ", ".join(lacking) or "a sample as its first argument"
        raise UsageError(f"derive: {name}: expected {wanted}, as in {name}({'=..., '.join(lacking)}=...)")


def _source_digest(function: Function, name: str, *, counted: bool) -> str:
    """Digest the file of a function; where that is what names it, it has to be the file that was imported."""
    plain = inspect.unwrap(function)
    file, module = inspect.getsourcefile(plain), sys.modules.get(plain.__module__)
    if file is None or module is None or not Path(file).is_file():
        raise UsageError(f"derive: {name}: expected a function in a file, which says what ran, found it in none")
    source = Path(file).read_bytes()
    digest = hashlib.sha256(source).hexdigest()
    if not counted and (_SEEN.setdefault(module, digest) != digest or not _holds(source, plain.__code__)):
        raise UsageError(
            f"derive: {name}: {file} was changed since it was imported, so it does not say what would run. "
            "Next: start Python anew"
        )
    return digest


def _holds(source: bytes, code: CodeType) -> bool:
    """Tell whether a file compiles to some code: the one that runs may be of an older state of it."""
    waiting = [compile(source, code.co_filename, "exec", dont_inherit=True)]
    while waiting:
        found = waiting.pop()
        if found == code:
            return True
        waiting += [each for each in found.co_consts if isinstance(each, CodeType)]
    return False
