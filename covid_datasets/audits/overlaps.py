"""`overlaps`: what finished builds of several sources have in common, and copies within one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

import pyarrow as pa

from covid_datasets.audits.shown import Shown
from covid_datasets.catalog.cards import Name, id_of, names_in
from covid_datasets.catalog.published import told_apart
from covid_datasets.errors import UsageError
from covid_datasets.prepare.find import find_build
from covid_datasets.progress import progress
from covid_datasets.splits.crops import crop_correlation
from covid_datasets.splits.index import Index
from covid_datasets.splits.overlaps import Overlap, find_overlaps, in_order

SCHEMA = pa.schema(
    [("first", pa.string()), ("second", pa.string()), ("kind", pa.string()), ("proven", pa.bool_())]
    + [(f"{which}_{what}", pa.string()) for what in ("patient", "label") for which in ("first", "second")]
    + [("together", pa.bool_()), ("evidence", pa.string())]
)


def overlaps(
    names: Sequence[Name], *, thorough: bool = False, cache_dir: str | os.PathLike[str] | None = None
) -> pa.Table:
    """List the pairs of rows of different datasets that show one picture or one person, with the evidence for it.

    The kinds are "same bytes", "same pixels", "near-duplicate" (whole or in the central squares), "same name" (a name
    that is hardly chosen twice, confirmed or contradicted by looks) and "tie" (proven before, in the catalog). A pair
    has a row for each kind; ``proven`` is false where only the name speaks for it, and where somebody looked at the
    pair and the catalog records that it shows two people. ``together`` says whether both are in one group anyway.

    ``thorough=True`` also looks for "registered" pairs, by local features (the extra ``audit``): one picture laid on
    the other, however it was cropped, turned, mirrored, inverted, lit or put into a figure. Those are listed within a
    dataset too, so one name is enough. Where they are not proven, both show nearly the same: look at them.

    >>> overlaps(["phantom"])
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: names: expected two or more different datasets, found ['phantom']; to compare one
    with itself, look thoroughly
    """
    names = names_in(names)
    least = 1 if thorough else 2
    if len({id_of(name) for name in names}) < max(len(names), least):
        how_many = "one or more" if thorough else "two or more"
        alone = "; to compare one with itself, look thoroughly" if len(names) == 1 else ""
        raise UsageError(f"names: expected {how_many} different datasets, found {names!r}{alone}")
    if thorough:
        from covid_datasets.audits.features import vision

        vision()  # says what is missing before anything is read
    builds = [find_build(name, cache_dir=cache_dir) for name in names]
    index = Index.join([built.path for built in builds])
    shown = Shown(builds)
    with progress("Comparing", unit="pairs") as display:
        count = sum(built.rows for built in builds)
        display.note(f"{count:,} rows of {', '.join(map(str, names))}, all with all; then the pictures of one name")
        display.add("pairs", None)

        def likeness(first: int, second: int) -> float | None:
            display.advance("pairs")
            one, other = shown.picture(first), shown.picture(second)
            return None if one is None or other is None else crop_correlation(one, other)

        found = find_overlaps(index, likeness)
    if thorough:
        found = in_order([*found, *_registered(shown, count)], index)
    return _table(found, index)


def _registered(shown: Shown, count: int) -> list[Overlap]:
    from covid_datasets.audits.finder import find_copies

    copies = find_copies([partial(shown.pictures, row) for row in range(count)], doubtful=True)
    return [Overlap("registered", copy.first, copy.second, copy.proof.holds, str(copy.proof)) for copy in copies]


def _table(found: Sequence[Overlap], index: Index) -> pa.Table:
    columns = {name: index.strings(name) for name in ("sample_id", "patient_id", "label")}
    samples = index.texts("sample_id")
    apart = told_apart()
    rows = []
    for each in found:
        why = apart.get(frozenset((samples[each.first], samples[each.second])))
        rows.append(
            {
                "first": columns["sample_id"][each.first],
                "second": columns["sample_id"][each.second],
                "kind": each.kind,
                "proven": each.proven and why is None,
                "first_patient": columns["patient_id"][each.first],
                "second_patient": columns["patient_id"][each.second],
                "first_label": columns["label"][each.first],
                "second_label": columns["label"][each.second],
                "together": index.groups[each.first] == index.groups[each.second],
                "evidence": each.evidence if why is None else f"{each.evidence}; told apart: {why}",
            }
        )
    return pa.Table.from_pylist(rows, schema=SCHEMA)
