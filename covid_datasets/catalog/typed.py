"""Tables of TOML or JSON into frozen data classes, strictly: the error names file, key, expected, found."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from covid_datasets.errors import CatalogError, did_you_mean

T = TypeVar("T")


class FrozenTable(dict[str, Any]):
    """A dictionary that cannot be changed, but pickled and copied, which ``MappingProxyType`` can not."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("this table is part of a card, and cards do not change")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = __ior__ = _refuse

    def __reduce__(self) -> tuple[type[FrozenTable], tuple[dict[str, Any]]]:
        """Pickle as a plain dictionary to build from."""
        return FrozenTable, (dict(self),)


def read_typed(kind: type[T], table: Mapping[str, Any], path: Path | str) -> T:
    """Build ``kind``, a data class, from a table whose keys are its fields.

    >>> from covid_datasets.catalog.card import Access
    >>> read_typed(Access, {"kind": "free"}, "x.toml")
    Traceback (most recent call last):
    covid_datasets.errors.CatalogError: x.toml: key 'kind': expected one of open, account, ..., found 'free'
    """
    value: T = _read(kind, table, str(path), "")
    return value


@lru_cache(maxsize=64)
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _fail(path: str, key: str, expected: str, found: object, hint: str = "") -> CatalogError:
    return CatalogError(f"{path}: key {key or 'top level'!r}: expected {expected}, found {found!r}{hint}")


def _read(kind: Any, value: Any, path: str, key: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _read_fields(kind, value, path, key)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        if value not in arguments:
            words = [str(each) for each in arguments]
            raise _fail(path, key, f"one of {', '.join(words)}", value, did_you_mean(value, words))
        return value
    if origin in (types.UnionType, Union):
        inner = [argument for argument in arguments if argument is not type(None)]
        if len(inner) == 1:
            return _read(inner[0], value, path, key)
        if not isinstance(value, tuple(inner)):
            raise _fail(path, key, " or ".join(argument.__name__ for argument in inner), value)
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise _fail(path, key, "a list", value)
        return tuple(_read(arguments[0], item, path, f"{key}[{index}]") for index, item in enumerate(value))
    if origin is Mapping:
        if not isinstance(value, dict):
            raise _fail(path, key, "a table", value)
        return FrozenTable({name: _read(arguments[1], item, path, f"{key}.{name}") for name, item in value.items()})
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _fail(path, key, {"str": "text", "int": "a whole number"}.get(kind.__name__, kind.__name__), value)
    return value


def _read_fields(kind: Any, value: Any, path: str, key: str) -> Any:
    if not isinstance(value, Mapping):
        raise _fail(path, key, "a table", value)
    prefix = f"{key}." if key else ""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := sorted(set(value) - set(fields)):
        hint = did_you_mean(unknown[0], fields)
        raise _fail(path, prefix + unknown[0], f"one of {', '.join(fields)}", value[unknown[0]], hint)
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in value:
            raise _fail(path, prefix + name, f"a value (it is required in {kind.__name__})", "nothing")
    hints = _hints(kind)
    return kind(**{name: _read(hints[name], item, path, prefix + name) for name, item in value.items()})
