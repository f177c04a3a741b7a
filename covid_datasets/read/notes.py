"""Notes that users write themselves beside files which they saved: some lines ``name: value``, then free text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Note:
    """What a note says: headers by their lower-case name, each with a value, and the text."""

    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


def read_note(text: str, names: Sequence[str]) -> Note:
    r"""Read the headers at the top of a text; the first line that is none of them begins the text.

    Blank lines between them do not matter, nor does upper or lower case. A name that comes twice begins the text, so
    that nothing is lost.

    >>> read_note("Age: 78\nsex:\n\nAnamnesi: tosse.\nage: no header", ["age", "sex"])
    Note(headers={'age': '78'}, text='Anamnesi: tosse.\nage: no header')
    """
    lines = text.splitlines()
    headers: dict[str, str] = {}
    start = 0
    for number, line in enumerate(lines):
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if line.strip():
            if not colon or name not in names or name in headers:
                break
            headers[name] = value.strip()
        start = number + 1
    return Note({name: value for name, value in headers.items() if value}, "\n".join(lines[start:]).strip())
