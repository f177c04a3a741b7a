"""`covid-datasets evaluate`: what predictions are worth."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from covid_datasets.baselines.evaluate.compare import compare
from covid_datasets.baselines.evaluate.masks import evaluate_masks
from covid_datasets.baselines.evaluate.predictions import draws_masks, runs_in
from covid_datasets.baselines.evaluate.score import evaluate
from covid_datasets.cli.confounded import filters_of
from covid_datasets.cli.show import print_found, print_json, print_text
from covid_datasets.errors import UsageError


def run_evaluate(arguments: Namespace) -> int:
    """Score predictions, and on request compare them with other ones."""
    if any(map(draws_masks, arguments.predictions)):
        return _run_masks(arguments)
    options: dict[str, Any] = {
        "dataset": (arguments.ids[0] if len(arguments.ids) == 1 else arguments.ids) or None,
        "config": arguments.config,
        "scheme": arguments.scheme,
        "split": arguments.split,
        "seed": arguments.seed,
        "recipe": arguments.recipe,
        "cache_dir": arguments.cache_dir,
        **filters_of(arguments.where),
    }
    predictions, other = arguments.predictions, arguments.against
    if arguments.on:
        from covid_datasets.baselines.train.rescore import rescore

        runs = [run for place in predictions for run in runs_in(place)]
        predictions = [rescore(run, arguments.on, cache_dir=arguments.cache_dir) for run in runs]
        other = other or runs
    found = evaluate(predictions, beside=not arguments.alone, **options)
    against = compare(predictions, other, **options) if other else None
    if arguments.json:
        print_json(found.to_json() | ({"against": against.to_json()} if against else {}))
        return 0
    print_text(found)
    if against:
        print_text(f"\n{against}")
    return 0


def _run_masks(arguments: Namespace) -> int:
    """Score the masks of runs that draw some."""
    for name in ("ids", "config", "scheme", "where", "against", "on"):
        if getattr(arguments, name):
            raise UsageError(
                f"--{name.replace('ids', 'dataset')}: expected nothing, for a run that draws masks says it"
            )
    found = evaluate_masks(
        arguments.predictions,
        split=arguments.split,
        beside=not arguments.alone,
        seed=arguments.seed,
        cache_dir=arguments.cache_dir,
    )
    print_found(found, as_json=arguments.json)
    return 0
