"""Notes of users: nothing of a text is lost, whatever it begins with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.read.notes import Note, read_note

NAMES = ("url", "age")
LINES = st.sampled_from(
    ["url: https://a.org/x", "AGE : 7", "age:", "", "  ", "Storia: tosse", "no header", ": x", "età"]
)


@given(st.lists(LINES))
def test_every_line_is_a_header_or_text(lines: list[str]) -> None:
    note = read_note("\r\n".join(lines), NAMES)
    said = [line.strip() for line in lines if line.strip()]
    kept = [line.strip() for line in note.text.splitlines() if line.strip()]
    assert said[len(said) - len(kept) :] == kept
    assert all(line.partition(":")[0].strip().lower() in NAMES for line in said[: len(said) - len(kept)])
    assert set(note.headers) <= set(NAMES)
    assert all(note.headers.values())


@given(st.text())
def test_any_text_is_a_note(text: str) -> None:
    note = read_note(text, NAMES)
    assert read_note(note.text, ()).text == note.text


@pytest.mark.parametrize(
    ("text", "headers", "rest"),
    [
        ("", {}, ""),
        ("url: a:b\n\nAge: 7\n\n\nText\n\nmore\n", {"url": "a:b", "age": "7"}, "Text\n\nmore"),
        ("age: 7\nage: 8\nText", {"age": "7"}, "age: 8\nText"),
        ("Text\nage: 7", {}, "Text\nage: 7"),
        ("age:\nsex: F", {}, "sex: F"),
    ],
)
def test_headers_end_where_the_text_begins(text: str, headers: dict[str, str], rest: str) -> None:
    assert read_note(text, NAMES) == Note(headers, rest)
