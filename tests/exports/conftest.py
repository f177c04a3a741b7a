"""A place of fsspec that others could read, empty before and after each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fsspec
import pytest


@pytest.fixture(autouse=True)
def bucket() -> Iterator[Any]:
    """Return the file system behind ``memory://``, of which there is one in a process."""
    fs = fsspec.filesystem("memory")
    empty(fs)
    yield fs
    empty(fs)


def empty(fs: Any) -> None:
    for path in fs.find("/"):
        fs.rm_file(path)
