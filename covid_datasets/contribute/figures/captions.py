"""Text of a page that begins as a caption does, and which picture it is near to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from covid_datasets.contribute.figures.found import Box

BEGINS = re.compile(
    r"\s{0,8}(?:(?:Supplementary|Extended Data|Supp\.) )?(?:Figure|FIGURE|Fig\.?|FIG\.?)\s?[A-Z]?\d{1,3}"
)
"""Nothing in it can be matched in two ways, so that no text takes long."""
ENDS_NUMBER = (".", ":", "|", "-", "–", "—")
MAX_LINES = 60
MAX_CHARACTERS = 4_000
GAP = 2.0
"""Heights of a line between two of one caption."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, with the place where it begins and its height, in points as the page is shown."""

    text: str
    x: float
    y: float
    size: float


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption, and the place of its first line."""

    text: str
    x: float
    y: float
    certain: bool


def captions(lines: Sequence[Line]) -> list[Caption]:
    """Find the captions of a page, in the order of its text.

    >>> [found.text for found in captions([Line("Figure 1. A film", 50, 90, 9), Line("of a chest.", 50, 79, 9)])]
    ['Figure 1. A film of a chest.']
    """
    found: list[Caption] = []
    for at, line in enumerate(lines):
        begins = BEGINS.match(line.text)
        if begins is None:
            continue
        words, below = [line.text], line
        for other in lines[at + 1 : at + MAX_LINES]:
            if BEGINS.match(other.text) or not 0 <= below.y - other.y <= GAP * max(below.size, other.size, 4.0):
                break
            words.append(other.text)
            below = other
        text = " ".join(" ".join(words).split())[:MAX_CHARACTERS]
        certain = line.text[begins.end() :].lstrip().startswith(ENDS_NUMBER)
        found.append(Caption(text, line.x, line.y, certain))
    return found


def nearest(box: Box, found: Sequence[Caption]) -> str | None:
    """Choose the caption of a picture: one that surely is one before text about a figure, below before above."""
    left, bottom, right, top = box

    def distance(caption: Caption) -> tuple[bool, float]:
        down, up = bottom - caption.y, caption.y - top
        vertical = down if down >= 0 else 20 + 1.5 * up if up >= 0 else 40
        return not caption.certain, vertical + 2 * max(0.0, caption.x - right) + 0.25 * max(0.0, left - caption.x)

    return min(found, key=distance).text if found else None
