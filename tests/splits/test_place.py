"""Where whole groups go: near the shares, alike in what is counted, and the same whatever the order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.splits.census import Trait, describe, traits
from covid_datasets.splits.place import _Balance, place

PUBLISHED = (8, 1, 1)
LABELS = ["covid19", "no_finding", "sars", "ards"]

Groups = dict[str, Counter[Trait]]


def groups_of(rows: list[tuple[str, str]], source: str = "s") -> Groups:
    """Describe groups of (group, label) rows."""
    keys = [key for key, _ in rows]
    return describe(keys, [source] * len(rows), [traits(source, label, "CXR", None) for _, label in rows])


@st.composite
def cohorts(draw: st.DrawFn, least: int = 1, most: int = 40) -> Groups:
    """Draw groups of one label each, of one to thirty rows."""
    sizes = draw(st.lists(st.tuples(st.integers(1, 30), st.sampled_from(LABELS)), min_size=least, max_size=most))
    return groups_of([(f"p{number}", label) for number, (size, label) in enumerate(sizes) for _ in range(size)])


def rows_in(groups: Mapping[str, Mapping[Trait, int]], parts: Mapping[str, int], count: int) -> list[int]:
    held = [0] * count
    for key, part in parts.items():
        held[part] += groups[key]["rows", "s"]
    return held


shares = st.sampled_from([PUBLISHED, (1, 1), (1, 1, 1), (1,) * 5, (1,) * 10])


@settings(deadline=None)
@given(cohorts(), shares)
def test_every_group_gets_one_part_that_there_is(groups: Groups, wanted: tuple[int, ...]) -> None:
    parts = place(groups, wanted, "salt")
    assert parts.keys() == groups.keys()
    assert set(parts.values()) <= set(range(len(wanted)))


@settings(deadline=None)
@given(cohorts(), shares, st.randoms(use_true_random=False))
def test_the_order_of_groups_does_not_matter(groups: Groups, wanted: tuple[int, ...], chance: random.Random) -> None:
    mixed = list(groups.items())
    chance.shuffle(mixed)
    turned = {key: Counter(dict(reversed(held.items()))) for key, held in mixed}
    assert place(turned, wanted, "salt") == place(groups, wanted, "salt")


@settings(deadline=None)
@given(cohorts(least=10), shares)
def test_shares_are_missed_by_less_than_the_largest_group(groups: Groups, wanted: tuple[int, ...]) -> None:
    parts = place(groups, wanted, "salt")
    total = sum(held["rows", "s"] for held in groups.values())
    largest = max(held["rows", "s"] for held in groups.values())
    for held, share in zip(rows_in(groups, parts, len(wanted)), wanted, strict=True):
        assert abs(held - total * share / sum(wanted)) <= 2 * largest


@settings(deadline=None)
@given(cohorts(), shares)
def test_every_label_of_enough_groups_is_in_every_part(groups: Groups, wanted: tuple[int, ...]) -> None:
    parts = place(groups, wanted, "salt")
    enough = max(len(wanted), sum(wanted) / (2 * min(wanted)))
    for label in LABELS:
        members = [key for key, held in groups.items() if held["label", "s", label, "CXR"]]
        if len(members) >= enough:
            assert {parts[key] for key in members} == set(range(len(wanted)))


@settings(deadline=None)
@given(cohorts(), cohorts(), st.randoms(use_true_random=False))
def test_what_is_fixed_never_moves(groups: Groups, more: Groups, chance: random.Random) -> None:
    fixed = {key: chance.randrange(3) for key in groups}
    joined = groups | {f"q{key}": held for key, held in more.items()}
    parts = place(joined, PUBLISHED, "salt", fixed)
    assert parts.keys() == joined.keys()
    assert {key: parts[key] for key in groups} == fixed


@settings(deadline=None)
@given(cohorts(most=12))
def test_no_move_and_no_exchange_that_is_left_would_help(groups: Groups) -> None:
    parts = place(groups, PUBLISHED, "salt")
    others = [parts | {key: part} for key in parts for part in range(3)]
    others += [parts | {one: parts[other], other: parts[one]} for one, other in combinations(parts, 2)]
    for changed in others:
        assert cost(groups, changed) >= cost(groups, parts) or missing(groups, changed) > missing(groups, parts)


def cost(groups: Groups, parts: Mapping[str, int]) -> int:
    """The cost as its definition says, in the plainest way."""
    total: Counter[tuple[str, Trait]] = Counter()
    held: list[Counter[tuple[str, Trait]]] = [Counter() for _ in PUBLISHED]
    for key, of_group in groups.items():
        for trait, rows in of_group.items():
            for name, amount in ((("in rows", trait), rows), (("in groups", trait), 1)):
                total[name] += amount
                held[parts[key]][name] += amount
    weight = {"rows": 16, "size": 1}
    return sum(
        ((1 << 20) * weight.get(str(name[1][0]), 4) // amount) * (10 * have[name] - share * amount) ** 2
        for name, amount in total.items()
        for have, share in zip(held, PUBLISHED, strict=True)
    )


def missing(groups: Groups, parts: Mapping[str, int]) -> int:
    """Count the parts that lack a trait of at least five groups, which is enough for three parts of 8, 1 and 1."""
    members = {label: [key for key in groups if groups[key]["label", "s", label, "CXR"]] for label in LABELS}
    return sum(3 - len({parts[key] for key in held}) for held in (*members.values(), list(groups)) if len(held) >= 5)


def test_the_large_groups_do_not_all_go_to_train() -> None:
    """Twenty patients with thirty films each, two hundred with one: the split of before put all twenty into train."""
    rows = [(f"large{number}", "covid19") for number in range(20) for _ in range(30)]
    rows += [(f"small{number}", "covid19") for number in range(200)]
    groups = groups_of(rows)
    parts = place(groups, PUBLISHED, "salt")
    assert [sum(key.startswith("large") and parts[key] == part for key in parts) for part in range(3)] == [16, 2, 2]
    assert rows_in(groups, parts, 3) == [640, 80, 80]


def test_an_outcome_is_in_every_split_and_sources_count_by_themselves() -> None:
    keys = [f"{source}{number}" for source in "ab" for number in range(50)]
    sources = [key[0] for key in keys]
    held = [traits(key[0], "covid19", "CXR", False if int(key[1:]) % 10 == 0 else None) for key in keys]
    groups = describe(keys, sources, held)
    parts = place(groups, PUBLISHED, "salt")
    for source in "ab":
        assert Counter(parts[key] for key in keys if key[0] == source) == {0: 40, 1: 5, 2: 5}
        dead = Counter(parts[key] for key in keys if ("survival", source, False) in groups[key])
        assert dead == {0: 3, 1: 1, 2: 1}


@pytest.mark.parametrize("folds", [5, 10])
def test_folds_are_alike_where_group_sizes_allow(folds: int) -> None:
    chance = random.Random(1)
    rows = [
        (f"p{number}", chance.choice(LABELS[:2])) for number in range(300) for _ in range(1 + number % 7 + number % 3)
    ]
    groups = groups_of(rows)
    held = rows_in(groups, place(groups, (1,) * folds, "salt"), folds)
    assert max(held) - min(held) <= 0.01 * len(rows)


def test_kinds_keep_the_search_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand groups of some kinds take as many steps as a hundred: quotas place nearly all of them."""
    puts = Counter[str]()
    plain = _Balance._put

    def counted(self: _Balance, kind: int, counts: np.ndarray) -> None:
        puts["puts"] += 1
        plain(self, kind, counts)

    monkeypatch.setattr(_Balance, "_put", counted)
    found = {}
    for size in (100, 100_000):
        puts.clear()
        groups: Groups = {f"p{number}": Counter({("rows", "s"): number % 5 + 1}) for number in range(size)}
        found[size] = Counter(place(groups, PUBLISHED, "salt").values())
        assert puts["puts"] < 100
    assert found[100_000] == {0: 80_000, 1: 10_000, 2: 10_000}


def test_sums_stay_whole_whatever_the_sizes() -> None:
    """Groups of millions of rows and as many parts as groups would overflow 64 bits, if weights did not shrink."""
    groups: Groups = {f"p{number}": Counter({("rows", "s"): 10**7 + number}) for number in range(300)}
    parts = place(groups, (1,) * 300, "salt")
    assert sorted(parts.values()) == list(range(300))
