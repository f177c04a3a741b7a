"""Options that say more about data of one's own, for every command that takes the path of some as its ID."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any, get_args

from covid_datasets.catalog.own import OwnData, is_path
from covid_datasets.cli.words import whole
from covid_datasets.errors import UsageError
from covid_datasets.vocabulary import Modality

_OPTIONS = ("name", "table", "patient", "patient_level", "modality", "group", "builder", "findings")


def add_own_data(command: ArgumentParser) -> None:
    """Add the options, in a group of their own; they are fields of `OwnData`."""
    group = command.add_argument_group("your own data, where ID is a path")
    group.add_argument(
        "--name", metavar="NAME", dest="own_name", help="its id is own.NAME (default: the folder's name)"
    )
    group.add_argument("--table", metavar="FILE", dest="own_table", help="the table inside that lists the files")
    group.add_argument("--patient", metavar="COLUMN", dest="own_patient", help="the column that tells the patient")
    group.add_argument(
        "--patient-level",
        metavar="N",
        type=whole,
        dest="own_patient_level",
        help="the folder named after the patient: 1 is the one that a file is in",
    )
    group.add_argument(
        "--finding", metavar="SAID=CLASS", action="append", dest="own_findings", help="what a folder or a cell means"
    )
    group.add_argument("--modality", choices=get_args(Modality), dest="own_modality", help="of all its files")
    group.add_argument(
        "--group",
        choices=("folder", "near-duplicates"),
        dest="own_group",
        help="what stays together where patients are unknown",
    )
    group.add_argument("--builder", metavar="FILE", dest="own_builder", help="a Python file that reads it, and is run")


def with_own_data(arguments: Namespace) -> Namespace:
    """Put `OwnData` in the place of a path with options."""
    given: dict[str, Any] = {name: getattr(arguments, f"own_{name}", None) for name in _OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return arguments
    ids = arguments.ids if "ids" in arguments else [arguments.id]
    if len(ids) != 1 or not is_path(ids[0]):
        shown = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"{shown}: expected with one path, of data of your own, found {', '.join(map(repr, ids))}")
    if "findings" in given:
        given["findings"] = dict(_pair(text) for text in given["findings"])
    own = OwnData(ids[0], **given)
    return Namespace(**vars(arguments) | ({"ids": [own]} if "ids" in arguments else {"id": own}))


def _pair(text: str) -> tuple[str, str]:
    said, equals, label = text.rpartition("=")
    if not equals or not said:
        raise UsageError(f"--finding: expected SAID=CLASS, as in pos=covid19, found {text!r}")
    return said, label
