"""Folders that users fill by hand: which files belong there, which are missing, which are not expected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from covid_datasets.card import Pattern


@lru_cache(maxsize=256)
def _compiled(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\}|\*)", glob)
    inner = "[^/]*"
    text = "".join(
        inner if part == "*" else f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part)
        for part in parts
    )
    return re.compile(text, re.IGNORECASE)


def matches(path: str, globs: Iterable[str]) -> bool:
    """Tell whether a path is one of those that a layout expects; upper and lower case are the same.

    >>> matches("case-12/Figure 1.JPG", ["case-{case}/*.jpg"]), matches("case-12/a/b.jpg", ["case-{case}/*.jpg"])
    (True, False)
    """
    return any(_compiled(glob).fullmatch(path) for glob in globs)


def absent(patterns: Sequence[Pattern], present: Iterable[str]) -> list[str]:
    """Name each required file that is not there, once for each folder that should have one.

    >>> text = Pattern(glob="case-{case}/case.txt", what="the text of the page", required=True)
    >>> absent([text, Pattern(glob="case-{case}/*.jpg", what="a figure")], ["case-7/fig1.jpg"])
    ['case-7/case.txt (the text of the page)']
    """
    found = [
        (pattern, match.groupdict())
        for path in present
        for pattern in patterns
        if (match := _compiled(pattern.glob).fullmatch(path))
    ]
    lacking: dict[str, None] = {}
    for pattern in patterns:
        if not pattern.required:
            continue
        names = _compiled(pattern.glob).groupindex
        have = [groups for other, groups in found if other is pattern]
        wanted = [groups for _, groups in found] if names else [{}]
        for groups in wanted:
            asked = {name: groups[name] for name in names if name in groups}
            if len(asked) == len(names) and asked not in have:
                lacking[f"{_filled(pattern.glob, asked)} ({pattern.what})"] = None
    return sorted(lacking)


def _filled(glob: str, names: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: names[match.group(1)], glob)
