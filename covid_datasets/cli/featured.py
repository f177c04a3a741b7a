"""`covid-datasets features`: what a model on features with a name rests on."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pyarrow.csv

from covid_datasets.baselines.features.importance import feature_importance
from covid_datasets.baselines.features.table import image_features
from covid_datasets.cli.confounded import filters_of
from covid_datasets.cli.show import print_found
from covid_datasets.disk import whole


def run_features(arguments: Namespace) -> int:
    """Describe the pictures, measure what matters, and show it; on request write the table."""
    name: Any = arguments.ids[0] if len(arguments.ids) == 1 else arguments.ids
    options: dict[str, Any] = {"config": arguments.config, "scheme": arguments.scheme, "cache_dir": arguments.cache_dir}
    table = image_features(name, **options, **filters_of(arguments.where))
    if arguments.table:
        with whole(arguments.table, durable=False) as private:
            pyarrow.csv.write_csv(table, private)
    found = feature_importance(table, task=arguments.task, split=arguments.split, seed=arguments.seed)
    print_found(found, as_json=arguments.json)
    return 0
