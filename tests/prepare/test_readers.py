"""What readers make of bytes is in no key of a build, so a change of it has to move FORMAT: this test makes sure."""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Iterator
from importlib import import_module
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

from covid_datasets import phantoms, read
from covid_datasets.prepare.inputs import FORMAT
from tests import readers

ADVICE = (
    "raise FORMAT in covid_datasets/prepare/inputs.py, so that older builds are made anew, say in CHANGELOG.md what "
    "changed, and store the new values: python -m tests.readers"
)


@pytest.fixture(scope="module")
def stored() -> tuple[int, dict[str, str]]:
    return readers.stored()


def test_the_digests_are_those_of_this_format(stored: tuple[int, dict[str, str]]) -> None:
    assert stored[0] == FORMAT, "FORMAT moved: python -m tests.readers"
    assert list(stored[1]) == list(readers.CASES), "a reader came or went: python -m tests.readers"


@pytest.mark.parametrize("name", readers.CASES)
def test_readers_make_of_bytes_what_they_made(name: str, stored: tuple[int, dict[str, str]]) -> None:
    found = readers.text_of(name)
    assert readers.digest_of(found) == stored[1][name], (
        f"what the readers of {name} make of bytes has changed: {ADVICE}. Now it is\n{found}"
    )


def test_no_reader_is_left_out() -> None:
    """A function of `read/` that no case calls could change what builds store, and nothing would move FORMAT."""
    called: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            called.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for case in readers.CASES.values():
            case()
    finally:
        sys.setprofile(before)
    public = {f"{each.__module__}.{each.__qualname__}": each.__code__ for each in public_functions()}
    left_out = {name for name, code in public.items() if code not in called}
    assert left_out == {"covid_datasets.read.pixels.damaged"}, "what these make of bytes belongs into tests/readers.py"


NEVER_STORED = tuple(f"covid_datasets.phantoms.{name}" for name in ("volume", "varied", "folder"))
"""Chests as arrays, to measure and to learn from: no builder has them."""


def public_functions() -> Iterator[FunctionType]:
    for room in (read, phantoms):
        for found in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
            if found.name in NEVER_STORED:
                continue
            for owner in (module := import_module(found.name), *vars(module).values()):
                if owner is module or (inspect.isclass(owner) and owner.__module__ == module.__name__):
                    for name, value in vars(owner).items():
                        function = inspect.unwrap(getattr(value, "__func__", value))
                        if inspect.isfunction(function) and function.__module__ == module.__name__ and name[0] != "_":
                            yield function


def test_changed_values_are_not_stored_under_the_same_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(readers.CASES, "notes", lambda: "another value")
    before = readers.STORED.read_bytes()
    with pytest.raises(SystemExit, match="notes: the values changed; raise FORMAT"):
        readers.store(unreleased=False)
    assert readers.STORED.read_bytes() == before
