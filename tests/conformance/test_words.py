"""A cell may be dirty; where no cell of a column is understood, it is the builder that is wrong.

A word in another case (``F`` where the builder knows ``f``) ends as a notice and a null, as a cell of dirt does. Of a
whole column that is a column lost, and all else of the source passes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from covid_datasets.schema import Notice, Record
from tests.demands import every_build

FEWEST = 2
"""Cells of which none is understood; one alone may be the dirt that a small tree is to have."""


def misunderstood(found: Iterable[Record | Notice]) -> Iterator[str]:
    """List columns of which every filled cell was left unknown, with what was said of the first."""
    filled, lost, first = Counter[str](), Counter[str](), dict[str, str]()
    for item in found:
        if isinstance(item, Record):
            filled.update(column for column, cell in (item.source_row or {}).items() if str(cell or "").strip())
        elif item.kind in ("unknown value", "impossible value", "unknown finding"):
            column = item.what.partition(" is ")[0]
            lost[column] += item.count
            first.setdefault(column, f"{item.where}: {item.what}")
    for column, count in lost.items():
        if count >= FEWEST and count == filled[column]:
            yield f"no cell of {column} is understood, of {count}; the first: {first[column]}"


@every_build
def test_no_column_is_misunderstood_as_a_whole(found: list[Record | Notice]) -> None:
    assert not list(misunderstood(found))


def test_a_column_in_another_case_is_found() -> None:
    rows = [{"Sex": "M", "Age": "45"}, {"Sex": "F", "Age": "45Y"}, {"Sex": "", "Age": ""}]
    found: list[Record | Notice] = [
        Record(sample_id=f"{at}", modality="CXR", source_row=row) for at, row in enumerate(rows)
    ]
    found += [
        Notice("unknown value", f"{at}", f"Sex is {rows[at]['Sex']!r}, expected f or m; left unknown") for at in (0, 1)
    ]
    found.append(Notice("impossible value", "1", "Age is '45Y', no number; left unknown"))
    assert list(misunderstood(found)) == [
        "no cell of Sex is understood, of 2; the first: 0: Sex is 'M', expected f or m; left unknown"
    ]
