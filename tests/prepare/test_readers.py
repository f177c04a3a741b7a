"""What readers make of bytes is in no key of a build, so a change of it has to move FORMAT: this test makes sure."""

from __future__ import annotations

import pytest

from covid_datasets.prepare.inputs import FORMAT
from tests import readers

ADVICE = (
    "raise FORMAT in covid_datasets/prepare/inputs.py, so that older builds are made anew, say in CHANGELOG.md what "
    "changed, and store the new values: python -m tests.readers"
)


@pytest.fixture(scope="module")
def stored() -> tuple[int, dict[str, str]]:
    return readers.stored()


def test_the_digests_are_those_of_this_format(stored: tuple[int, dict[str, str]]) -> None:
    assert stored[0] == FORMAT, "FORMAT moved: python -m tests.readers"
    assert list(stored[1]) == list(readers.CASES), "a reader came or went: python -m tests.readers"


@pytest.mark.parametrize("name", readers.CASES)
def test_readers_make_of_bytes_what_they_made(name: str, stored: tuple[int, dict[str, str]]) -> None:
    found = readers.digest_of(name)
    assert found == stored[1][name], f"what the readers of {name} make of bytes has changed: {ADVICE}"


def test_changed_values_are_not_stored_under_the_same_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(readers.CASES, "notes", lambda: "another value")
    before = readers.STORED.read_bytes()
    with pytest.raises(SystemExit, match="notes: the values changed; raise FORMAT"):
        readers.store(unreleased=False)
    assert readers.STORED.read_bytes() == before
