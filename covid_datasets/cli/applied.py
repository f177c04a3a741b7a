"""The command that runs a function over a source."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from covid_datasets.cli.commands import build_one, cluster, print_built
from covid_datasets.cli.show import print_json
from covid_datasets.errors import UsageError


def run_apply(arguments: Namespace) -> int:
    """Build what a function derives of a source."""
    arguments.derive = called(arguments.function, arguments.set)
    with cluster(arguments.dask) as executor:
        built = build_one(arguments, arguments.id, executor)
    if arguments.json:
        print_json(built.to_json())
    else:
        print_built(built)
    return 0


def called(function: str, parameters: Sequence[str]) -> str:
    """Write a call of a function with what was typed: what is no plain value of Python is a text.

    >>> called("mine:density", ["radius=3", "kind=rough"])
    "mine:density(radius=3, kind='rough')"
    """
    said = []
    for each in parameters:
        name, equals, value = each.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--set: expected NAME=VALUE, such as radius=3, found {each!r}")
        said.append(f"{name}={_plain(value)!r}")
    if said and "(" in function:
        raise UsageError(f"--set: expected beside a function without parameters, found {function!r}")
    return f"{function}({', '.join(said)})" if said else function


def _plain(value: str) -> object:
    import ast

    try:
        found: object = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    return found
