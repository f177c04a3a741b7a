"""Splits that took long to find, kept in the cache folder: joint ones of several builds, and folds.

A file begins with the digest of all that follows, then says in one line of JSON of which builds it is, then holds an
Arrow stream. One that is damaged, or of other rules, is not believed: what it held is found out anew.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from covid_datasets.disk import make_folder, whole
from covid_datasets.errors import CacheError

RULES = 3
"""Raised when the same builds would be given other splits or groups by this release than by the one before."""
_SCHEMA = pa.schema([("split", pa.string()), ("group", pa.string())])


class Splits(NamedTuple):
    """The split of each row (``None``: in none) and the name of its group."""

    splits: pa.Array
    groups: pa.Array


def kept(folder: Path, what: dict[str, Any], find: Callable[[], Splits], checked: Callable[[Splits], Splits]) -> Splits:
    """Return the splits that are kept under this description, else find them and keep them.

    ``what`` is everything on which they depend, by name. ``checked`` refuses splits that are wrong: what was found
    before it is kept, and what was kept whenever it is read.
    """
    heading = json.dumps({"rules": RULES, **what}, sort_keys=True).encode()
    path = folder / f"{hashlib.sha256(heading).hexdigest()[:24]}.arrow"
    if (body := _body(path)) is not None and body[0] == heading:
        return checked(Splits(*pa.ipc.open_stream(body[1]).read_next_batch().columns))
    found = checked(find())
    try:
        _keep(path, heading, found)
    except (OSError, CacheError) as error:  # a cache that may only be read
        warnings.warn(f"the joint split is found anew by each call, because it cannot be kept: {error}", stacklevel=2)
    return found


def heading_of(path: Path) -> dict[str, Any]:
    """Read of what a file is; empty where it is damaged."""
    body = _body(path)
    return {} if body is None else json.loads(body[0])


def _keep(path: Path, heading: bytes, found: Splits) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _SCHEMA) as writer:
        writer.write_batch(pa.record_batch(list(found), schema=_SCHEMA))
    content = heading + b"\n" + sink.getvalue().to_pybytes()
    make_folder(path.parent)
    with whole(path, durable=False) as private:  # after a power cut the digest tells
        private.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def _body(path: Path) -> tuple[bytes, bytes] | None:
    """Read the heading and the Arrow stream; ``None`` where there is no whole file."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    if hashlib.sha256(content).hexdigest().encode() != digest:
        return None
    heading, _, stream = content.partition(b"\n")
    return heading, stream
