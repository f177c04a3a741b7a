"""`rescore`: a model that is trained, on the same rows with other pixels, such as segmented or re-encoded ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from covid_datasets.baselines.train.again import data_again, network_again
from covid_datasets.baselines.train.asked import Place
from covid_datasets.baselines.train.names import CONFIG, ENVIRONMENT, PREDICTIONS
from covid_datasets.baselines.train.run import Run
from covid_datasets.disk import make_folder, read_json, write_json
from covid_datasets.errors import UsageError
from covid_datasets.extras import need

SCORED_ON = "scored_on"
"""The key of ``config.json`` that says which pixels were scored, where they are others than those of training."""


def rescore(
    run: Place,
    derive: str,
    out: Place | None = None,
    *,
    device: str = "auto",
    cache_dir: Place | None = None,
    data_dir: Place | None = None,
) -> Path:
    """Score validation and test again with the weights of a run, after something was done to their pixels.

    What is written can be evaluated, and compared with the run, as any other predictions. Nothing is trained.

    Args:
        run: The folder of a finished run.
        derive: What is done to the pixels, as in `load_dataset`: "reencoded", "segmented", or a function of your own.
        out: The folder for ``predictions.csv`` and ``config.json``; one within the run by default.
        device: As for `train`.
        cache_dir: Where downloads and builds live.
        data_dir: Your own copy of the source.

    Returns:
        The folder.

    Raises:
        UsageError: The run sees other masks than such pixels have.
        PredictionsError: What is built is not what it was trained on.
    """
    need("torch", "safetensors")
    from covid_datasets.baselines.train.machine import environment, machine_of
    from covid_datasets.baselines.train.predictions import write_predictions
    from covid_datasets.transforms.derive.named import deriver

    trained = Run.read(run)
    if trained.recipe.draws_alone:
        raise UsageError(f"{trained.path}: expected a model that tells classes, found one that draws masks")
    wanted = deriver(derive)
    path = Path(out) if out is not None else trained.path / f"on-{wanted.label}"
    config = trained.config | {SCORED_ON: wanted.text}
    found = read_json(path / CONFIG)
    if found and found != config:
        raise UsageError(f"{path}: expected a new or empty folder, or that of the same scores, found other ones")
    if (path / PREDICTIONS).exists():
        return path
    recipe = replace(trained.recipe, derive=wanted.text)
    data = data_again(trained, recipe=recipe, cache_dir=cache_dir, data_dir=data_dir)
    with machine_of(device, deterministic=False) as machine:
        network = network_again(trained)
        make_folder(path)
        write_json(path / CONFIG, config)
        write_json(path / ENVIRONMENT, {"ran_on": [environment(machine)]})
        write_predictions(path / PREDICTIONS, machine.placed(network), data, trained.recipe, machine)
    return path
