"""`covid-datasets confounding`: how far the label follows where a picture is from."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import covid_datasets as api
from covid_datasets.cli.show import print_csv, print_json, print_text
from covid_datasets.errors import UsageError


def run_confounding(arguments: Namespace) -> int:
    """Measure it, show it, and on request publish it."""
    if arguments.publish is not None:
        _check_whole(arguments)
    found = api.confounding(
        arguments.ids,
        arguments.config,
        scheme=arguments.scheme,
        label=arguments.label,
        traits=arguments.traits,
        pixels=not arguments.no_pixels,
        cache_dir=arguments.cache_dir,
        **({"limit": arguments.limit} if arguments.limit else {}),
        **filters_of(arguments.where),
    )
    published = None
    if arguments.publish is not None:
        from covid_datasets.contribute.confounded import publish_confounding

        published = publish_confounding(found, arguments.publish)
    if arguments.json:
        print_json(found.to_json() | ({"published": published} if published else {}))
    elif arguments.csv:
        maps = ("classes", "known_of")
        print_csv([row | {name: dict(row[name]) for name in maps} for row in found.table.to_pylist()])
    else:
        print_text(found)
        if published:
            print_text(f"\n{published}: written")
    return 0


def _check_whole(arguments: Namespace) -> None:
    """Refuse to publish what only a part of the rows, of the traits or of the schemes says."""
    usual: dict[str, object] = {"label": "label", "where": [], "no_pixels": False}
    for name in ("scheme", "label", "where", "traits", "no_pixels", "limit"):
        if getattr(arguments, name) != usual.get(name):
            raise UsageError(f"--publish: expected all rows and traits of a source, found --{name.replace('_', '-')}")


def filters_of(given: Sequence[str]) -> dict[str, Any]:
    """Turn ``view=PA`` and ``view=AP`` into filters; a column that comes twice may have either value.

    >>> filters_of(["modality=CXR", "view=PA", "view=AP"])
    {'modality': ['CXR'], 'view': ['PA', 'AP']}
    """
    found: dict[str, list[str]] = {}
    for text in given:
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise UsageError(f"--where: expected COLUMN=VALUE, as in modality=CXR, found {text!r}")
        found.setdefault(column, []).append(value)
    return found
