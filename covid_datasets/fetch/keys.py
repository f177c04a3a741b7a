"""Keys that users keep in files: read without ever being quoted, with a warning where others can read them too."""

from __future__ import annotations

import json
import os
import re
import stat
import warnings
from pathlib import Path

LONGEST = 1 << 16


def read_key(path: Path) -> str:
    """Read a file that holds a key and nothing else; empty where there is none."""
    return one_word(_read(path), str(path))


def one_word(text: str, where: str) -> str:
    r"""Take a key that fits into a header; what would not is said, and is no key.

    >>> one_word(" abc\n", "a file")
    'abc'
    """
    key = text.strip()
    if key and not re.fullmatch(r"[\x21-\x7e]+", key):
        warnings.warn(f"{where}: expected a key of one word, found something else; going on without it", stacklevel=3)
        return ""
    return key


def read_json_key(path: Path, *names: str) -> tuple[str, ...]:
    """Read values of a JSON file; empty texts where it is absent or holds something else, which is said."""
    text = _read(path)
    if not text:
        return ("",) * len(names)
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        table = None
    values = tuple(table.get(name) for name in names) if isinstance(table, dict) else ()
    if not values or not all(isinstance(value, str) and value for value in values):
        # Without what was found: it may be a key.
        wanted = ", ".join(f'"{name}": "..."' for name in names)
        warnings.warn(f"{path}: expected {{{wanted}}}, found something else; going on without it", stacklevel=3)
        return ("",) * len(names)
    return tuple(str(value) for value in values)


def _read(path: Path) -> str:
    """Read a small text file; say so where it is there and cannot be read, or where others can read it."""
    try:
        with path.open(encoding="utf-8") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                warnings.warn(f"{path}: other users can read your key. Next: chmod 600 {path}", stacklevel=4)
            return file.read(LONGEST)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        warnings.warn(f"{path}: cannot be read ({why}); going on without it", stacklevel=4)
        return ""
