"""Rows without dates find their things by the days between them, or say that nobody can tell."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.read.moved import Event, places_of

events = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["film", "CT"])), min_size=1, max_size=12)


@given(events, st.integers(-1000, 1000), st.randoms(use_true_random=False))
def test_all_rows_find_their_things_whatever_the_offset(things: list[Event], offset: int, random: object) -> None:
    dated = {str(number): event for number, event in enumerate(things)}
    rows = [(day - offset, what) for day, what in things]
    random.shuffle(rows)  # type: ignore[attr-defined]
    found = places_of(rows, dated)
    assert found is not None, "of whole rows one offset alone keeps the first day first"
    for name, numbers in found.items():
        assert {(rows[number][0] + offset, rows[number][1]) for number in numbers} == {dated[name]}


@given(events, events)
def test_what_is_found_is_of_one_offset(rows: list[Event], things: list[Event]) -> None:
    found = places_of(rows, {str(number): event for number, event in enumerate(things)})
    if found is not None:
        pairs = [(things[int(name)], rows[number]) for name, numbers in found.items() for number in numbers]
        assert len({thing[0] - row[0] for thing, row in pairs}) == 1
        assert all(thing[1] == row[1] for thing, row in pairs)
        assert {number for numbers in found.values() for number in numbers} == set(range(len(rows)))


def test_nobody_can_tell_of_one_row_and_two_days() -> None:
    dated = {"a": (5, "film"), "b": (9, "film")}
    assert places_of([(0, "film")], dated) is None
    assert places_of([(0, "CT")], dated) is None, "no offset fits"
    assert places_of([], dated) is None
    assert places_of([(0, "film"), (4, "film")], dated) == {"a": [0], "b": [1]}
