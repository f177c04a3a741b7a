"""Folders that users fill by hand: which files belong there, which are missing, which are not expected.

A glob names files by their path: ``*`` is any text without a slash, ``(jpg|png)`` one of some texts, ``{case}`` a name
that must be the same wherever it is used, ``{case:number}`` one of digits. Nothing matches the hidden files that
systems leave behind, and upper and lower case are the same, because cameras and browsers do not agree on them.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from glob import escape

from covid_datasets.catalog.resource import Pattern

_TOKEN = re.compile(
    r"(?P<star>\*)|\{(?P<name>[a-z]\w*)(?P<number>:number)?\}|\((?P<any>[^(){}*/|]*\|[^(){}*/]*)\)", re.ASCII
)
LONGEST_PATH, LONGEST_NAME = 1024, 255  # file systems allow no longer names; globs would take their time with them
_LEFT_BEHIND = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini"}

Groups = Mapping[str, str]


def is_litter(path: str) -> bool:
    """Tell whether a file is one that systems put into folders without being asked.

    >>> is_litter("case-7/Thumbs.db"), is_litter("__MACOSX/case-7/._a.jpg"), is_litter("case-7/a.jpg")
    (True, True, False)
    """
    return any(part.startswith(".") or part.lower() in _LEFT_BEHIND for part in path.split("/"))


def problem_of(glob: str) -> str:
    """Say what is wrong with a glob; empty where nothing is."""
    parts = glob.split("/")
    if not glob or "" in parts or ".." in parts or "." in parts:
        return "a path inside the folder"
    if re.search(r"[{}|]", _TOKEN.sub("", glob)):
        return "nothing but *, {name}, {name:number} and (one|other) that is not meant literally"
    return ""


def matches(path: str, globs: Iterable[str]) -> bool:
    """Tell whether a path is one of those that a layout expects.

    >>> matches("case-12/Figure 1.JPG", ["case-{case:number}/*.(jpg|png)"]), matches("case-12/a/b.jpg", ["*/*.jpg"])
    (True, False)
    """
    return any(_matched(glob, path) for glob in globs)


def canonical(path: str, glob: str, spelled: str = "") -> str | None:
    """Spell a path as a glob of the card does, where it differs in case or by a copy's other names; else ``None``.

    What the glob leaves open stays as it is. ``spelled`` is the glob in the spelling of a copy.

    >>> canonical("Train/normal/IM-1.JPEG", "train/NORMAL/*.(jpeg|png)")
    'train/NORMAL/IM-1.jpeg'
    >>> canonical("COVID/1.png", "CT_COVID/*.png", "COVID/*.png")
    'CT_COVID/1.png'
    """
    match = _matched(spelled or glob, path)
    if match is None:
        return None
    here, open_parts = iter(_TOKEN.findall(spelled or glob)), iter(match.groups())
    seen: dict[str, str] = {}

    def filled(token: re.Match[str]) -> str:
        texts = next(here)[3].split("|")
        if token["name"] and token["name"] in seen:
            return seen[token["name"]]
        found = next(open_parts)
        if token["any"]:
            meant = (n for n, text in enumerate(texts) if re.fullmatch(re.escape(text), found, re.IGNORECASE))
            return token["any"].split("|")[next(meant)]
        return seen.setdefault(token["name"], found) if token["name"] else found

    return _TOKEN.sub(filled, glob)


def respelled(glob: str, rename: Iterable[tuple[str, str]]) -> str:
    """Spell a glob with the names of a copy; what the glob leaves open, and its names, stay.

    >>> respelled("(CT_COVID|CT_Normal)/{case}_*.png", [("CT_", ""), ("_", "-")])
    '(COVID|Normal)/{case}-*.png'
    """
    pairs = list(rename)
    if not pairs:
        return glob

    def renamed(text: str) -> str:
        for old, new in pairs:
            text = text.replace(old, new)
        return text

    pieces, end = [], 0
    for token in _TOKEN.finditer(glob):
        inside = f"({'|'.join(map(renamed, token['any'].split('|')))})" if token["any"] else token[0]
        pieces += [renamed(glob[end : token.start()]), inside]
        end = token.end()
    return "".join([*pieces, renamed(glob[end:])])


def absent(patterns: Sequence[Pattern], present: Iterable[str]) -> list[str]:
    """Name each required file that is not there, once for each folder that should have one.

    Of a pattern for several files, such as ``*.jpg``, one is enough, and of several patterns for the same ``what`` too,
    in a folder inside of it as well (``case-{case}/{stack}/*.jpg``). A folder counts as soon as anything is in it.

    >>> text = Pattern(glob="case-{case}/case.txt", what="the text of the page", required=True)
    >>> absent([text, Pattern(glob="case-{case}/*.jpg", what="a figure")], ["case-7/fig1.jpg", "case-9/notes.doc"])
    ['case-7/case.txt (the text of the page)', 'case-9/case.txt (the text of the page)']
    """
    paths = list(present)
    required = [pattern for pattern in patterns if pattern.required]
    named = any(_compiled(pattern.glob).groupindex for pattern in required)
    met = {groups for pattern in patterns for groups in _met(pattern.glob, paths)} if named else set()
    lacking: dict[str, None] = {}
    for pattern in required:
        names = set(_compiled(pattern.glob).groupindex)
        alike = [each.glob for each in patterns if each.what == pattern.what]
        if not names:
            if not any(matches(path, alike) for path in paths):
                lacking[f"{pattern.glob} ({pattern.what})"] = None
            continue
        found = (_sorted(match.groupdict()) for path in paths for glob in alike if (match := _matched(glob, path)))
        have, wanted = (
            {tuple(pair for pair in groups if pair[0] in names) for groups in each} for each in (found, met)
        )
        for groups in sorted(wanted - have):
            if len(groups) == len(names):
                lacking[f"{_filled(pattern.glob, dict(groups))} ({pattern.what})"] = None
    return list(lacking)


def readable(glob: str) -> str:
    """Spell a glob for people.

    >>> readable("case-{case:number}/*.(jpg|png)")
    'case-<number>/*.(jpg|png)'
    """

    def spelled(token: re.Match[str]) -> str:
        return f"<{(token['number'] or token['name']).lstrip(':')}>" if token["name"] else token[0]

    return _TOKEN.sub(spelled, glob)


def _met(glob: str, paths: Iterable[str]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield the names that files, and the folders that files are in, give to the placeholders of a glob."""
    depth = glob.count("/")
    folder = glob.rpartition("/")[0]
    for path in paths:
        parts = path.split("/")
        if match := _matched(glob, path):
            yield _sorted(match.groupdict())
        if depth and len(parts) > depth and (match := _matched(folder, "/".join(parts[:depth]))):
            yield _sorted(match.groupdict())


def _matched(glob: str, path: str) -> re.Match[str] | None:
    rough = _rough(glob)
    if path.count("/") + 1 != len(rough) or len(path) > LONGEST_PATH:
        return None
    names = path.split("/")
    if max(map(len, names)) > LONGEST_NAME:
        return None
    if not all(one.match(name) for one, name in zip(rough, names, strict=True)):
        return None  # a glob with many stars would try every way of cutting a name before it says no
    return _compiled(glob).fullmatch(path)


@lru_cache(maxsize=256)
def _rough(glob: str) -> tuple[re.Pattern[str], ...]:
    """Give a pattern for each name of a path, in which everything open is a star; none of these ever goes back."""
    pieces, end = list[str](), 0
    for token in _TOKEN.finditer(glob):
        pieces += [escape(glob[end : token.start()]), "*"]
        end = token.end()
    plain = "".join([*pieces, escape(glob[end:])])
    return tuple(re.compile(fnmatch.translate(name), re.IGNORECASE) for name in plain.split("/"))


def _sorted(groups: Groups) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(groups.items()))


@lru_cache(maxsize=256)
def _compiled(glob: str) -> re.Pattern[str]:
    text, end, named = "", 0, set[str]()
    for token in _TOKEN.finditer(glob):
        text += re.escape(glob[end : token.start()])
        visible = r"(?!\.)" if token.start() == 0 or glob[token.start() - 1] == "/" else ""
        if token["star"]:
            text += f"{visible}([^/]*)"
        elif token["any"]:
            text += f"({'|'.join(map(re.escape, token['any'].split('|')))})"
        elif token["name"] in named:
            text += f"(?P={token['name']})"
        else:
            named.add(token["name"])
            text += f"{visible}(?P<{token['name']}>{'[0-9]+' if token['number'] else '[^/]+'})"
        end = token.end()
    return re.compile(text + re.escape(glob[end:]), re.IGNORECASE | re.DOTALL)


def _filled(glob: str, names: Groups) -> str:
    return _TOKEN.sub(lambda token: names[token["name"]] if token["name"] else token[0], glob)
