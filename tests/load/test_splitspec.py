"""The split syntax is that of Hugging Face: whatever `datasets.ReadInstruction` makes of a text, we make of it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from covid_datasets.errors import UsageError
from covid_datasets.load.splitspec import parse_split

datasets = pytest.importorskip("datasets")

SIZES = st.fixed_dictionaries({"train": st.integers(0, 1200), "test": st.integers(0, 99), "fold.1": st.integers(0, 7)})
ENDS = st.one_of(st.just(""), st.integers(-130, 130).map(str), st.just("1_0"))
RANGES = st.builds("[{}{}:{}{}]".format, ENDS, st.sampled_from(["", "%"]), ENDS, st.sampled_from(["", "%"]))
ROUNDINGS = st.sampled_from(["", "", "", "(closest)", "(pct1_dropremainder)", "(up)", "()"])
NAMES = st.sampled_from(["train", "train", "test", "fold.1", "validation"])
PARTS = st.builds("{}{}{}".format, NAMES, st.one_of(st.just(""), RANGES), ROUNDINGS)
SPECS = st.lists(PARTS, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from(["+", " + ", "+ "]).map(lambda plus: plus.join(parts))
)
SCRIBBLES = st.lists(st.sampled_from(["train", "test", "[", "]", ":", "%", "-", "1", "20", "+", " ", "(", ")"])).map(
    "".join
)
Rows = list[tuple[str, int]]


def rows_of_hugging_face(spec: str, sizes: dict[str, int]) -> Rows | None:
    """List the rows that `datasets` picks; ``None`` where it refuses."""
    try:
        found = datasets.ReadInstruction.from_spec(spec).to_absolute(sizes)
    except ValueError:
        return None
    return [(part.splitname, row) for part in found for row in range(part.from_, part.to)]


def our_rows(spec: str, sizes: dict[str, int]) -> Rows | None:
    try:
        found = parse_split(spec, sizes)
    except UsageError:
        return None
    assert all(0 <= part.start <= part.stop <= sizes[part.split] for part in found)
    return [(part.split, row) for part in found for row in range(part.start, part.stop)]


@given(SPECS, SIZES)
def test_the_same_rows_as_hugging_face_or_both_refuse(spec: str, sizes: dict[str, int]) -> None:
    # Hugging Face forbids to mix roundings, but looks only where the very first part is in per cents.
    assume("pct1" not in spec or spec.count("%") == 0 or spec.count("+") == 0)
    assert our_rows(spec, sizes) == rows_of_hugging_face(spec, sizes)


@given(SCRIBBLES, SIZES)
def test_scribbles_are_understood_alike(spec: str, sizes: dict[str, int]) -> None:
    # Hugging Face forgives spaces around a plus, but not before and behind the whole.
    assert our_rows(spec, sizes) == rows_of_hugging_face(spec.strip(), sizes)


@given(st.integers(100, 5000), st.integers(1, 10))
def test_whole_hundredths_make_equal_shares(size: int, tens: int) -> None:
    spec = "train[{}%:{}%](pct1_dropremainder)"
    sizes = {len(our_rows(spec.format(k, k + tens), {"train": size}) or []) for k in range(0, 101 - tens, tens)}
    assert sizes == {tens * (size // 100)}


@given(SIZES)
def test_all_is_every_split_in_order(sizes: dict[str, int]) -> None:
    assert our_rows("all", sizes) == our_rows("+".join(sizes), sizes)


@given(st.integers(0, 500), st.lists(st.integers(0, 100), max_size=6))
def test_shares_cover_a_split_once(size: int, cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), 100]
    spec = "+".join(f"train[{start}%:{stop}%]" for start, stop in pairwise(ends))
    assert our_rows(spec, {"train": size}) == our_rows("train", {"train": size})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tain", "expected one of train, test, found 'tain'"),
        ("train[5]", "expected forms like 'train', 'train+test' or 'train[:20%]', found 'train[5]'"),
        ("train+", "found ''"),
        ("train[:120%]", "expected per cents from -100 to 100, found 120"),
        ("all[:5]", "found a range of 'all'"),
        ("train[:5](closest)", "expected (closest) or (pct1_dropremainder) after per cents"),
        ("test[:5%](pct1_dropremainder)", "expected 100 rows or more"),
        ("train[:5%]+train[:5%](pct1_dropremainder)", "expected one way of rounding"),
    ],
)
def test_refusals_say_what_is_expected(spec: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_split(spec, {"train": 200, "test": 50})
    assert message in str(error.value)
    assert repr(spec) in str(error.value)
