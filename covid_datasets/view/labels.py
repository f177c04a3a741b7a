"""`label_table`: what each source says of its samples, and which class of the taxonomy that becomes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import Name, info, names_in, split_name
from covid_datasets.catalog.own import is_path
from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.errors import AccessRequired, NotBuiltError, UsageError
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.find import find_build

if TYPE_CHECKING:
    import pyarrow as pa


def label_table(
    name: Name | Sequence[Name], config: str | None = None, *, cache_dir: str | os.PathLike[str] | None = None
) -> pa.Table:
    """Return the mapping from what sources say to the classes of the taxonomy, one row for each pair, with its count.

    ``known_from`` says how it is known. "build": counted in a finished build, pair by pair; ``label_raw`` is null where
    the source says nothing, and ``label`` where nothing can be made of it. "card": there is no finished build; the card
    tells how many of each class there are, and of some sources by which words, which nobody has counted.

    >>> label_table("hannover", cache_dir=getfixture("tmp_path")).to_pylist()[0]
    {'dataset': 'hannover', 'label_raw': None, 'label': 'covid19', 'rows': 243, 'known_from': 'card'}
    """
    import pyarrow as pa

    asked = names_in(name)
    if not asked:
        raise UsageError("name: expected a dataset or a list of them, found an empty list")
    rows = [row for each in asked for row in _rows(each, config, cache_dir)]
    names = {"dataset": pa.string(), "label_raw": pa.string(), "label": pa.string(), "rows": pa.int64()}
    return pa.Table.from_pylist(rows, schema=pa.schema([*names.items(), ("known_from", pa.string())]))


def label_words(name: Name) -> str:
    """Return what the card says of the labels in its own words; empty where it says nothing, or has none."""
    return info(name).features.get("label", "")


def _rows(name: Name, config: str | None, cache_dir: str | os.PathLike[str] | None) -> Iterator[dict[str, Any]]:
    card = info(name)
    try:
        built = find_build(name, config, cache_dir=cache_dir)
    except (NotBuiltError, AccessRequired):  # nothing was built, or nothing can be
        yield from _of_card(card, None if is_path(name) else split_name(os.fspath(name))[1])
        return
    if built.columns:
        return
    classes, pairs = label_names(), open_table(built).select(["label_raw", "label"])
    counted = pairs.group_by(["label_raw", "label"]).aggregate([([], "count_all")])
    found = [
        (row["label_raw"], None if row["label"] is None else classes[row["label"]], row["count_all"])
        for row in counted.to_pylist()
    ]
    for raw, label, count in sorted(found, key=lambda row: (row[1] or "~", row[0] or "")):
        yield {"dataset": built.id, "label_raw": raw, "label": label, "rows": count, "known_from": "build"}


def _of_card(card: Card, version: str | None) -> Iterator[dict[str, Any]]:
    if card.same_as:
        same, its_version = split_name(card.same_as)
        return (yield from _of_card(info(same), version or its_version))
    row = {"dataset": card.id, "known_from": "card"}
    labels = card.version(version)[1].labels if card.versions else {}
    yield from ({**row, "label_raw": None, "label": label, "rows": count} for label, count in labels.items())
    for raw, label in card.facts.get("labels", {}).items():
        yield {**row, "label_raw": raw, "label": label, "rows": None}
