"""`covid-datasets explain`: where a trained model looks."""

from __future__ import annotations

from argparse import Namespace

from covid_datasets.baselines.explain.run import explain
from covid_datasets.cli.show import print_found


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
    print_found(found, as_json=arguments.json)
    return 0
