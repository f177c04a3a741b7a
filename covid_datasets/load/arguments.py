"""What `load_dataset` is asked for, checked before anything is built: a slip must not cost a download.

The catalog and all that hangs on it are imported inside, because a finished build loads without them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from covid_datasets.errors import UsageError
from covid_datasets.load.form import REST
from covid_datasets.load.splitspec import parse_split

if TYPE_CHECKING:
    from covid_datasets.catalog.cards import Name
    from covid_datasets.load.filters import Condition

OF_IMAGES = ("torch", "monai", "torchio")
"""Frameworks that have no place for texts and dates, and so none for a table."""


def check_names(name: Name | Sequence[Name], data_dir: Any) -> list[Name]:
    """Return the datasets that are wanted, each once, under the names that they are loaded by."""
    from covid_datasets.catalog.cards import canonical, id_of, names_in
    from covid_datasets.catalog.own import is_path

    names = [canonical(each) for each in names_in(name)]
    if not names:
        raise UsageError("name: expected a dataset or a list of them, found an empty list")
    if len({id_of(each) for each in names}) < len(names):
        ids = ", ".join(id_of(each) if is_path(each) else str(each) for each in names)
        given = ", ".join(map(str, names_in(name)))
        raise UsageError(f"name: expected each dataset once, found {given}, which is {ids}")
    if len(names) > 1 and data_dir is not None:
        raise UsageError(
            "data_dir: expected with one dataset; build each from its own folder first, then load the list"
        )
    return names


def check_tables(
    names: Sequence[Name], config: str | None, framework: str, scheme: str, license: Any, classes: Any
) -> Mapping[str, str]:
    """Refuse what only images can do, or only they can not, before anything is built; return the columns of a table."""
    from covid_datasets.catalog.cards import choose

    choices = [choose(name, config if len(names) == 1 else None) for name in names]
    tables = [choice for choice in choices if choice.columns]
    if not tables:
        return {}
    card = tables[0].card
    table = f"{card.id}{'' if card.columns else f', config {tables[0].config!r},'} is a table without images"
    if len(choices) > 1:
        raise UsageError(
            f"{table}, with columns of its own: expected it alone, found a list: {', '.join(map(str, names))}"
        )
    if framework in OF_IMAGES:
        raise UsageError(
            f"{table}: its texts and dates make no tensors. Use framework='hf', 'numpy' or 'pandas', and take from "
            "that the columns of numbers"
        )
    if classes:
        raise UsageError(f"{table} and labels: expected neither labels= nor task=")
    if scheme != "patient":
        raise UsageError(f"{table} and patients: expected no scheme, found {scheme!r}; split it by date or place")
    if license is not None:
        raise UsageError(
            f"{table}: one licence is for all its rows ({card.licence.spdx or 'see its card'}); expected none to "
            f"filter by, found {license!r}"
        )
    return tables[0].columns


def check_splits(names: Sequence[Name], wanted: Sequence[str], scheme: str) -> None:
    """Refuse a scheme that no source has, and splits that a scheme has not."""
    from covid_datasets.catalog.cards import choose
    from covid_datasets.splits.schemes import check_scheme, split_names

    known = split_names(scheme)
    check_scheme(scheme, [choose(each).card for each in names])
    for each in wanted if known else ():
        parse_split(each, dict.fromkeys(known, 0))


def conditions_of(
    filters: Mapping[str, Any],
    of_table: Mapping[str, Any],
    two_classes: tuple[str, str] | None,
    license: Any,
    arguments: Collection[str],
    derived: Mapping[str, Any] | None = None,
) -> list[Condition]:
    """Turn what narrows the rows into checked conditions; ``arguments`` are other names that a slip may have meant.

    ``derived`` are the columns that a function adds.
    """
    conditions: list[Condition] = []
    if filters or (two_classes and REST not in two_classes):
        from covid_datasets.load.filters import check_filters

        conditions += check_filters(filters, of_table, arguments, derived or {})
        if two_classes and REST not in two_classes:
            conditions += check_filters({"label": list(two_classes)}, of_table)
    if license is not None:
        from covid_datasets.load.licences import check_licence

        conditions.append(check_licence(license))
    return conditions
