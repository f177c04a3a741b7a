"""The commands that train a reference model, and apply one to images of one's own."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from covid_datasets.baselines.recipe import read_recipe
from covid_datasets.baselines.train.predict import NO_DIAGNOSIS, predict
from covid_datasets.baselines.train.rounds import train_rounds
from covid_datasets.baselines.train.run import train
from covid_datasets.cli.show import print_found, print_json, print_text


def run_train(arguments: Namespace) -> int:
    """Train a model, or several rounds, or go on with that."""
    given = {key: getattr(arguments, key) for key in ("epochs", "task", "draws", "derive")}
    changes = {key: value for key, value in given.items() if value is not None}
    name = arguments.ids if len(arguments.ids) > 1 else arguments.ids[0]
    options: dict[str, Any] = {
        "scheme": arguments.scheme,
        "seed": arguments.seed,
        "device": arguments.device,
        "config": arguments.config,
        "cache_dir": arguments.cache_dir,
        "data_dir": arguments.data_dir,
        "weights": arguments.weights,
        "sha256": arguments.sha256 or "",
        "deterministic": arguments.deterministic,
        "compile": arguments.compile,
        "changes": changes,
        "filters": {"modality": arguments.modality} if arguments.modality else {},
    }
    rounds = arguments.rounds or read_recipe(arguments.recipe).rounds
    found: Any
    if rounds == 1:
        found = train(name, arguments.out, arguments.recipe, **options)
    else:
        found = train_rounds(name, arguments.out, arguments.recipe, rounds=rounds, **options)
    print_found(found, as_json=arguments.json)
    return 0


def run_predict(arguments: Namespace) -> int:
    """Score images of one's own."""
    found = predict(arguments.run_folder, arguments.folder, arguments.out, device=arguments.device)
    if arguments.json:
        print_json(found.to_json())
        return 0
    for row in found.rows if arguments.out is None else ():
        chances = ", ".join(f"{name} {value:.3f}" for name, value in row.probabilities.items())
        told = f"; right when as sure on validation: {row.sure.right}, {row.sure.rows} images" if row.sure else ""
        print_text(f"{row.file}: {chances}{told}")
    if found.rows and found.rows[0].likeliest and found.rows[0].sure is None:
        print_text("The run has no validation, so nobody knows how often it is right when it is so sure.")
    for what in found.left_out:
        print_text(f"left out: {what}")
    place = f" in {arguments.out}" if arguments.out else ""
    print_text(f"{len(found.rows):,} images scored{place}. {NO_DIAGNOSIS}")
    return 0
