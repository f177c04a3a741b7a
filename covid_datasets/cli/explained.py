"""`covid-datasets explain`: where a trained model looks."""

from __future__ import annotations

from argparse import Namespace

from covid_datasets.baselines.explain.run import explain
from covid_datasets.cli.show import print_json, print_text


def run_explain(arguments: Namespace) -> int:
    """Measure it and show it."""
    found = explain(
        arguments.run_folder,
        split=arguments.split,
        limit=arguments.limit,
        seed=arguments.seed,
        device=arguments.device,
        derive=arguments.derive,
        cache_dir=arguments.cache_dir,
    )
    if arguments.json:
        print_json(found.to_json())
    else:
        print_text(found)
    return 0
