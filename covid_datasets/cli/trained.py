"""The commands that train a reference model, and apply one to images of one's own."""

from __future__ import annotations

from argparse import Namespace

from covid_datasets.baselines.train.predict import NO_DIAGNOSIS, predict
from covid_datasets.baselines.train.run import train
from covid_datasets.cli.show import print_json, print_text


def run_train(arguments: Namespace) -> int:
    """Train a model, or go on with a training."""
    changes = {key: getattr(arguments, key) for key in ("epochs", "task") if getattr(arguments, key) is not None}
    run = train(
        arguments.ids if len(arguments.ids) > 1 else arguments.ids[0],
        arguments.out,
        arguments.recipe,
        scheme=arguments.scheme,
        seed=arguments.seed,
        device=arguments.device,
        config=arguments.config,
        cache_dir=arguments.cache_dir,
        data_dir=arguments.data_dir,
        weights=arguments.weights,
        sha256=arguments.sha256 or "",
        deterministic=arguments.deterministic,
        compile=arguments.compile,
        changes=changes,
        filters={"modality": arguments.modality} if arguments.modality else {},
    )
    if arguments.json:
        print_json(run.to_json())
        return 0
    last = run.history[-1]
    best = max((row.get("validation_auc", float("nan")) for row in run.history), default=float("nan"))
    judged = f", validation AUC {best:.3f} in the best" if "validation_auc" in last else ""
    print_text(f"{run.path}: {len(run.history)} epochs{judged}; predictions.csv has the scores of validation and test")
    return 0


def run_predict(arguments: Namespace) -> int:
    """Score images of one's own."""
    found = predict(arguments.run_folder, arguments.folder, arguments.out, device=arguments.device)
    if arguments.json:
        print_json(found.to_json())
        return 0
    for row in found.rows if arguments.out is None else ():
        print_text(f"{row.file}: " + ", ".join(f"{name} {value:.3f}" for name, value in row.probabilities.items()))
    for what in found.left_out:
        print_text(f"left out: {what}")
    place = f" in {arguments.out}" if arguments.out else ""
    print_text(f"{len(found.rows):,} images scored{place}. {NO_DIAGNOSIS}")
    return 0
