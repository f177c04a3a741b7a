"""What a user of a split must know: who is unknown, which classes are not in every part and why, what is uneven."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from covid_datasets.catalog.published import published_splits
from covid_datasets.splits.census import Trait, traits
from covid_datasets.splits.divide import Division
from covid_datasets.splits.index import Index
from covid_datasets.splits.place import enough
from covid_datasets.splits.scheme import DEFAULT, Fold, LeaveOut, Published, Scheme, Shares, parse_scheme, part_names

POINTS = 2
"""A label whose share of a part differs by more per cents than this from its share of the source is told."""
_SHOWN = 5


def tell(index: Index, division: Division, scheme: str) -> tuple[str, ...]:
    """Say what is known of a split, each in a sentence: how it was made, and what it could not do."""
    parsed = parse_scheme(scheme)
    parts = [split or "" for split in division.splits]
    told = [*division.notes, *_unknown(index, parts)]
    if isinstance(parsed, LeaveOut):  # of which no part is like another one, and is not meant to be
        return tuple(told)
    names = part_names(parsed) or tuple(sorted({part for part in parts if part}))
    return (*told, *_absent(index, parts, names, parsed), *_uneven(index, parts, names))


def _unknown(index: Index, parts: Sequence[str]) -> Iterator[str]:
    """Count those of whom nobody knows who they are."""
    rows = [row for row, patient in enumerate(index.known_patients) if patient is None]
    if rows:
        groups = len({index.groups[row] for row in rows})
        yield (
            f"unknown patients: {len(rows):,} of {len(parts):,} rows, which are in {groups:,} group"
            f"{'s' * (groups > 1)} ({_counted(Counter(parts[row] or 'no split' for row in rows))})"
        )


def _absent(index: Index, parts: Sequence[str], names: Sequence[str], scheme: Scheme) -> Iterator[str]:
    """List the classes and outcomes that are not in every part, by the reason."""
    groups: dict[Trait, set[int]] = defaultdict(set)
    units: dict[Trait, set[str]] = defaultdict(set)
    found: dict[Trait, set[str]] = defaultdict(set)
    columns = map(index.column, ("label", "modality", "survival"))
    for row, (source, *values) in enumerate(zip(index.sources, *columns, strict=True)):
        for trait in traits(source, *values):
            if trait[2] is not None:
                groups[trait].add(index.groups[row])
                units[trait].add(index.units[row])
                found[trait].add(parts[row])
    why = _reason(index, scheme)
    several = len(set(index.sources)) > 1
    told: dict[str, list[str]] = defaultdict(list)
    for trait in sorted(groups, key=repr):
        if lacks := [name for name in names if name not in found[trait]]:
            count = len(groups[trait])
            of = f"{_class(trait, several=several)}: not in {', '.join(lacks)} ({count:,} group{'s' * (count > 1)})"
            told[why(count, units[trait])].append(of)
    for reason, classes in told.items():
        yield f"classes that are not in every split, because {reason}: {'; '.join(classes)}"


def _reason(index: Index, scheme: Scheme) -> Callable[[int, set[str]], str]:
    """Say how a class comes to be missing, given how many groups have it and who they are."""
    published: Mapping[str, str] = {}
    match scheme:
        case Published():
            least = enough(DEFAULT)
            published = {key: split for name in set(index.sources) for key, split in published_splits(name).items()}
            else_ = "a hash places who is not published"
        case Shares(leaky=True) | Fold(leaky=True):
            return lambda count, units: "they have too few rows"
        case Shares(shares):
            least, else_ = enough(shares), "of what else their groups hold"
        case Fold(folds=folds):
            least, else_ = enough([1] * folds), "of what else their groups hold"
        case _:
            return lambda count, units: "the scheme does not look at them"

    def why(count: int, units: set[str]) -> str:
        if count < least:
            return f"they have too few groups (fewer than {least})"
        if published.keys() >= units:
            return "all their groups are published where they are, and nobody who is published moves"
        return else_

    return why


def _uneven(index: Index, parts: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """List the labels whose share of a part differs from that of their source by more than `POINTS`."""
    rows: Counter[tuple[str, str]] = Counter()
    labelled: Counter[tuple[str, str, str]] = Counter()
    for source, part, label in zip(index.sources, parts, index.strings("label"), strict=True):
        if label is not None:
            for each in {"", part}:
                rows[source, each] += 1
                labelled[source, each, label] += 1
    several = len(set(index.sources)) > 1
    told: list[tuple[float, str]] = []
    for source, _, label in [key for key in labelled if not key[1]]:
        whole = labelled[source, "", label] / rows[source, ""]
        for name in names:
            if of_part := rows[source, name]:
                share = labelled[source, name, label] / of_part
                if abs(share - whole) * 100 > POINTS:
                    of = f"{source} {label}" if several else label
                    told.append((-abs(share - whole), f"{of} {share:.1%} of {name}, {whole:.1%} of all"))
    if told:
        shown = "; ".join(text for _, text in sorted(told)[:_SHOWN])
        more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        yield f"labels whose share is more than {POINTS} points off: {shown}{more}"


def _class(trait: Trait, *, several: bool) -> str:
    _, source, *values = trait
    said = "survived" if values == [True] else "died" if values == [False] else " ".join(map(str, filter(None, values)))
    return f"{source} {said}" if several else said


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
