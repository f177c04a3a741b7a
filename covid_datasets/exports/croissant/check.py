"""`check_croissant`: hold a Croissant file against the specification, more strictly than `mlcroissant` does.

That one passes files without a name, a description or a creator, and files whose keys are misspelt: JSON-LD takes any
key for a word of schema.org. Here all that is wrong is listed at once, each with its place.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from covid_datasets.errors import DamagedFileError, NotThereError, UnreadableError
from covid_datasets.exports.croissant.checker import Checker
from covid_datasets.exports.croissant.nodes import Node
from covid_datasets.exports.croissant.nodes import Problem as Problem

MAX_BYTES = 256 << 20


def check_croissant(source: str | os.PathLike[str] | Node) -> list[Problem]:
    """List all that is wrong with a Croissant description, or with a file of one; an empty list says that it is right.

    Of a file, the files that it names by a path beside it are compared with their sizes and hashes, too.

    >>> from covid_datasets.exports.croissant.describe import croissant
    >>> description = croissant("phantom")
    >>> check_croissant(description)
    []
    >>> description["licence"] = description.pop("license")
    >>> for problem in check_croissant(description):
    ...     print(problem)
    $.license: expected a value, found nothing
    $.licence: expected a known key (did you mean 'license'?), found 'licence'

    Raises:
        NotThereError: There is no such file.
        DamagedFileError: It is no JSON, or is larger than any description.
    """
    if isinstance(source, Mapping):
        checker = Checker(source)
    else:
        path = Path(source)
        document, repeated = _read(path)
        checker = Checker(document, path.absolute().parent)
        for key in repeated:
            checker.say("$", "each key once in its object", f"{key!r} again")
    try:
        checker.check()
    except RecursionError as error:
        raise DamagedFileError("Croissant: expected a description, found endless nesting") from error
    return checker.problems


def _read(path: Path) -> tuple[Any, list[str]]:
    repeated: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            repeated.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        return table

    def never(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON")

    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise DamagedFileError(f"{path}: expected a description of at most {MAX_BYTES:,} bytes, found {size:,}")
        text = path.read_text(encoding="utf-8")
        return json.loads(text, object_pairs_hook=once, parse_constant=never), repeated
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotThereError(f"{path}: expected a Croissant file, found {error.strerror or 'nothing'}") from error
    except OSError as error:
        raise UnreadableError.of(path, error) from error
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path}: expected JSON in UTF-8, found: {error}") from error
