"""`train_rounds`: the same training with several seeds, or on several folds, and what they reach in the mean."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from covid_datasets.baselines.evaluate.predictions import ROUND, ROUNDS
from covid_datasets.baselines.recipe import read_recipe
from covid_datasets.baselines.train.asked import Place, TrainOptions
from covid_datasets.baselines.train.run import Run, train
from covid_datasets.disk import make_folder, write_json
from covid_datasets.errors import UsageError

if TYPE_CHECKING:
    from covid_datasets.baselines.evaluate.masks import MaskEvaluation
    from covid_datasets.baselines.evaluate.report import Evaluation

PLACE = "{round}"
"""Where the number of the round comes, in the scheme of folds."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Trainings of one kind that have come to their end.

    Attributes:
        path: The folder; each run is a folder in it.
        runs: One for each round.
        evaluation: Their test splits, scored together; ``None`` in a process that does not write.
    """

    path: Path
    runs: tuple[Run, ...]
    evaluation: Evaluation | MaskEvaluation | None

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        found = self.evaluation.to_json() if self.evaluation else None
        return {"path": str(self.path), "runs": [run.path.name for run in self.runs], "evaluation": found}

    def _repr_html_(self) -> str:
        """Show it in a notebook: the rounds, and what they reach together."""
        from covid_datasets.markup import bullets, shown

        runs = shown(f"{len(self.runs):,} rounds in {self.path}", bullets([str(run) for run in self.runs]))
        return runs + (self.evaluation._repr_html_() if self.evaluation else "")

    def __str__(self) -> str:
        """Say it for people."""
        reached = f"{self.evaluation.short} on test in the mean; " if self.evaluation else ""
        return f"{self.path}: {len(self.runs)} rounds, {reached}`covid-datasets evaluate {self.path}` says more"


def train_rounds(
    name: str | Sequence[str],
    out: Place,
    recipe: str = "small",
    *,
    rounds: int | None = None,
    scheme: str | None = None,
    seed: int = 0,
    device: str = "auto",
    **options: Unpack[TrainOptions],
) -> Rounds:
    """Train as `train` does, again and again, and score all rounds together.

    ``out`` gets a folder for each round, ``round-1`` and so on, and ``rounds.json`` with what they reach on test. The
    same call goes on where it was stopped. ``evaluate(out)`` scores them again.

    Args:
        name: A dataset, or a list of them.
        out: A new or empty folder, or that of the same rounds.
        recipe: How each is trained.
        rounds: How many; as many as the recipe says by default.
        scheme: The split, of which each round has another seed; or folds: ``"fold-{round}-of-5"``.
        seed: That of the first round; each further one has the next.
        device: As for `train`.
        **options: As for `train`.
    """
    read = read_recipe(recipe, **options.get("changes", {}))
    count = read.rounds if rounds is None else rounds
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise UsageError(f"rounds: expected a whole number, 1 or more, found {count!r}")
    path, numbers = Path(out), range(1, count + 1)
    _check_folder(path, {f"{ROUND}{number}" for number in numbers})
    runs = [
        train(
            name,
            path / f"{ROUND}{number}",
            recipe,
            scheme=(scheme or read.scheme).replace(PLACE, str(number)),
            seed=seed + number - 1,
            device=device,
            **options,
        )
        for number in numbers
    ]
    found = None
    if os.environ.get("RANK", "0") == "0":
        found = _scored(path, runs, options.get("cache_dir"))
    return Rounds(path, tuple(runs), found)


def _scored(path: Path, runs: Sequence[Run], cache_dir: Place | None) -> Evaluation | MaskEvaluation:
    from covid_datasets.baselines.evaluate.masks import evaluate_masks
    from covid_datasets.baselines.evaluate.score import evaluate

    score: Any = evaluate_masks if runs[0].recipe.draws_alone else evaluate
    found: Evaluation | MaskEvaluation = score([run.path for run in runs], beside=False, cache_dir=cache_dir)
    make_folder(path)
    write_json(path / ROUNDS, {"runs": [run.path.name for run in runs], "evaluation": found.to_json()})
    return found


def _check_folder(path: Path, rounds: set[str]) -> None:
    """Refuse what is not of these rounds: more of them would not be scored, and other files are somebody else's."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: expected a new or empty folder, or that of the same rounds, found a file")
    strange = sorted({each.name for each in path.iterdir()} - rounds - {ROUNDS}) if path.is_dir() else []
    if strange:
        raise UsageError(
            f"{path}: expected a new or empty folder, or that of {len(rounds)} rounds, found {strange[0]!r} in it"
        )
