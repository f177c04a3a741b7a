"""Train a network for lungs and infection: ``python -m covid_datasets.baselines.segment OUT``.

Without more it learns from calculated chests alone, as the weights that ship did; with ``--examples`` it learns from
volumes with masks too, for use where these are. The same call goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from covid_datasets.errors import CovidDatasetsError
from covid_datasets.extras import need
from covid_datasets.progress import progress


def main(arguments: list[str] | None = None) -> int:
    """Train, measure on chests that were not learned from, and write weights with their card."""
    parser = argparse.ArgumentParser(prog="python -m covid_datasets.baselines.segment", description=__doc__)
    parser.add_argument(
        "out", type=Path, help="the weights to write, such as lungs.safetensors; the state is beside it"
    )
    parser.add_argument("--chests", type=int, default=260, help="calculated chests to learn from")
    parser.add_argument("--steps", type=int, default=2000, help="batches of 12 slices")
    parser.add_argument("--rate", type=float, default=3e-3, help="the highest rate of learning")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--examples", type=Path, help="a folder of X_image.nii.gz with X_lung.nii.gz and X_infection.nii.gz"
    )
    parser.add_argument("--licence", default="", help="what the card says of weights that learned from --examples")
    given = parser.parse_args(arguments)
    try:
        need("torch", "safetensors", "scipy", *(("nibabel",) if given.examples else ()))
        return _train(given)
    except CovidDatasetsError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _train(given: argparse.Namespace) -> int:
    from covid_datasets.baselines.segment.examples import examples_of, phantom_examples
    from covid_datasets.baselines.segment.figures import figures
    from covid_datasets.baselines.segment.slices import pool
    from covid_datasets.baselines.segment.training import STATE, Plan, train
    from covid_datasets.baselines.segment.weights import save_weights

    plan = Plan(steps=given.steps, rate=given.rate, seed=given.seed)
    real = list(examples_of(given.examples)) if given.examples else []
    learned = pool([*(example for _, example in real), *phantom_examples(given.chests, given.seed)])
    folder = given.out.with_suffix(".training")
    with progress("train", total_bytes=plan.steps, unit="steps") as display:
        display.add("steps", plan.steps)

        def on_step(step: int, loss: float) -> None:
            display.advance("steps")

        network = train(learned, plan, folder=folder, on_step=on_step)
    calculated = f"{given.chests} calculated chests (seed {given.seed}; varied_chest and chest_volume), no person"
    card = {
        "name": given.out.stem,
        "task": "lungs, infection and dense parts in axial CT, 2.5-D",
        "trained_on": [calculated, *(name for name, _ in real)],
        "intended_use": "research on chest CT; extends classical lung masks by dense consolidation. Not for diagnosis",
        "license": "Apache-2.0"
        if not real
        else given.licence or "that of the volumes it learned from: ask their publisher",
        "plan": {"steps": plan.steps, "batch": plan.batch, "rate": plan.rate, "seed": plan.seed},
        "figures": figures(network),
    }
    path = save_weights(network, given.out, card)
    (folder / STATE).unlink(missing_ok=True)
    folder.rmdir()
    print(f"{path}: {card['figures']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
