"""`covid-datasets few`: what a few labels of an unseen hospital are worth."""

from __future__ import annotations

from argparse import Namespace

from covid_datasets.baselines.few.run import few_shot
from covid_datasets.cli.show import print_found


def run_few(arguments: Namespace) -> int:
    """Measure it and show it."""
    found = few_shot(
        arguments.run_folder,
        shots=arguments.shots,
        draws=arguments.draws,
        steps=arguments.steps,
        seed=arguments.seed,
        device=arguments.device,
        cache_dir=arguments.cache_dir,
    )
    print_found(found, as_json=arguments.json)
    return 0
