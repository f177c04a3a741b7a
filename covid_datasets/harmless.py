"""Text that others wrote, made harmless for where it is shown: a terminal, a CSV, Markdown.

File names, cells and headers of a source may hold escape sequences that move a cursor or rename a window, formulas
that a spreadsheet runs, and markup. All of it is shown as what it is. Stored columns keep the text as it was.
"""

from __future__ import annotations

import re
import unicodedata

_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@")
_MARKUP = re.compile(r"[\\`*\[\]<>|~]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
_BACKTICKS = re.compile("`+")


def visible(text: str, keep: str = "\n") -> str:
    r"""Show control characters, and those that turn the direction of writing around, as their escapes.

    Args:
        text: Any text.
        keep: Characters that are no danger where it goes; ``""`` for what has to stay on one line.

    >>> print(visible("\x1b]0;owned\x07 a\r\nb \u202egnp.exe"))
    \x1b]0;owned\x07 a\r
    b \u202egnp.exe
    >>> visible("größe 胸部") == "größe 胸部"
    True
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep or unicodedata.category(char) == "Zs" else _escape(char)
        for char in text
    )


def csv_cell(value: object) -> object:
    """Keep a spreadsheet from running a cell: text that begins as a formula does gets an apostrophe before it.

    >>> csv_cell("=HYPERLINK(1)"), csv_cell("-3"), csv_cell(-3), csv_cell("cohen/1.png")
    ("'=HYPERLINK(1)", "'-3", -3, 'cohen/1.png')
    """
    if not isinstance(value, str):
        return value
    shown = visible(value, keep="")
    return f"'{shown}" if shown.lstrip().startswith(_RUN_BY_SPREADSHEETS) else shown


def markdown(text: str) -> str:
    r"""Show text in Markdown as it is: on one line, without markup of its own.

    >>> print(markdown("<img src=x> [a](b) snake_case _em_ a|b"))
    \<img src=x\> \[a\](b) snake_case \_em\_ a\|b
    """
    return _MARKUP.sub(lambda found: f"\\{found[0]}", visible(text, keep=""))


def code(text: str) -> str:
    """Show text in Markdown as code, on one line, whatever backticks are in it.

    >>> print(code("a.png"), code("a`b"), code("`a"))
    `a.png` ``a`b`` `` `a ``
    """
    shown = visible(text, keep="")
    fence = "`" * (_longest_run(shown) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") or not shown else ""
    return f"{fence}{space}{shown}{space}{fence}"


def block(text: str) -> str:
    r"""Show lines of text in Markdown as they are.

    >>> print(block("two\nlines"))
    ```text
    two
    lines
    ```
    """
    shown = visible(text)
    fence = "`" * max(_longest_run(shown) + 1, 3)
    return f"{fence}text\n{shown}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
