"""What a licence text permits: every spelling that the sources have, and never more than is stated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.load.licences import PERMISSIONS, permissions, permitted

ALL = set(PERMISSIONS)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        (None, set()),
        ("", set()),
        (" ", set()),
        ("CC0-1.0", ALL),
        ("CC BY", ALL),
        ("CC BY 3.0", ALL),
        ("CC-BY-4.0", ALL),
        ("CC BY-SA", ALL),
        ("Apache 2.0", ALL),
        ("CC BY-NC-SA", ALL - {"commercial"}),
        ("CC BY-NC-SA 4.0", ALL - {"commercial"}),
        ("cc by-nc 4.0", ALL - {"commercial"}),
        ("CC BY (non-commercial)", ALL - {"commercial"}),
        ("CC BY_NC", {"stated"}),
        ("CC BY-NC-ND", {"stated", "redistribution"}),
        ("CC-BY-NC-ND-4.0", {"stated", "redistribution"}),
        ("CC BY-ND 4.0", {"stated", "redistribution", "commercial"}),
        ("CC BY NoDerivatives", {"stated", "redistribution", "commercial"}),
        ("listed as authorized for everyone", {"stated"}),
        ("Mitochondria only", {"stated"}),
        ("All rights reserved; see CC BY for the text", {"stated"}),
    ],
)
def test_permissions(text: str | None, allowed: set[str]) -> None:
    assert permissions(text) == allowed


@given(st.text())
def test_what_nobody_knows_permits_nothing(text: str) -> None:
    """A text permits more than to know it only where it begins with a licence that we know."""
    known = ("cc0", "cc by", "cc-by", "apache", "mit", "pddl", "odc-by")
    if not text.strip().lower().startswith(known):
        assert permissions(text) <= {"stated"}


@given(st.sampled_from(["CC BY", "CC-BY", "cc by"]), st.permutations(["NC", "ND", "SA"]), st.integers(0, 3))
def test_every_restriction_counts(base: str, parts: list[str], count: int) -> None:
    found = permissions("-".join([base, *parts[:count]]) + " 4.0")
    assert ("commercial" in found) == ("NC" not in parts[:count])
    assert ("derivatives" in found) == ("ND" not in parts[:count])


def test_filters_are_permissions_or_exact_texts() -> None:
    assert permitted("CC BY-NC", "redistribution")
    assert not permitted("CC BY-NC", "commercial")
    assert permitted("CC BY-NC", ["commercial", "CC BY-NC"])
    assert not permitted("CC BY-NC 4.0", "CC BY-NC")
    assert not permitted(None, ["stated", "CC BY"])
