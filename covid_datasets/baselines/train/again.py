"""A run that is finished, opened again: the very data that it was trained on, and its network with the best weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from covid_datasets.baselines.recipe import Recipe
from covid_datasets.baselines.train.asked import Asked, Place, names_of
from covid_datasets.baselines.train.data import Data, load_data
from covid_datasets.baselines.train.names import CHECKPOINT, CONFIG
from covid_datasets.baselines.train.run import Run
from covid_datasets.errors import PredictionsError


def data_again(
    run: Run, *, recipe: Recipe | None = None, cache_dir: Place | None = None, data_dir: Place | None = None
) -> Data:
    """Load the rows that a run was trained and judged on; ``recipe`` may ask for other pixels or masks of them.

    Raises:
        PredictionsError: The run is of another build or split than what is built here.
    """
    told = {name: run.config[name] for name in ("recipe_name", "scheme", "seed", "config", "filters")}
    asked = Asked(
        names=names_of(run.config["dataset"]),
        recipe=recipe or run.recipe,
        cache_dir=cache_dir,
        data_dir=data_dir,
        **told,
    )
    data = load_data(asked)
    check_again(run, data.identity)
    return data


def check_again(run: Run, found: Mapping[str, Any]) -> None:
    """Refuse data whose fingerprint or digest of the split is not that of a run."""
    for key in ("fingerprint", "split_hash"):
        if run.config[key] != found[key]:
            raise PredictionsError(
                f"{run.path}: expected the {key} {found[key][:16]}… of what is built here, found "
                f"{run.config[key][:16]}… in {CONFIG}. Next: build the version that the run was made of, or train again"
            )


def network_again(run: Run) -> Any:
    """Make the network of a run, with the weights of its best epoch."""
    from covid_datasets.baselines.networks.of_recipe import network_of_recipe
    from covid_datasets.baselines.train.state import read_tensors

    network = network_of_recipe(run.recipe, len(run.classes))
    network.load_state_dict(read_tensors(run.path / CHECKPOINT)[0])
    return network
