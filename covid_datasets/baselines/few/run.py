"""`few_shot`: a run that was trained elsewhere, and a few labelled images of each class of the tested hospital."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from covid_datasets.baselines.evaluate.bootstrap import Interval, Numbers, intervals, percentiles
from covid_datasets.baselines.evaluate.measures import RESAMPLES
from covid_datasets.baselines.evaluate.metrics import mean_auc, rankings
from covid_datasets.baselines.few.report import Few, FewShot
from covid_datasets.baselines.train.again import data_again, network_again
from covid_datasets.baselines.train.asked import Place
from covid_datasets.baselines.train.run import Run
from covid_datasets.baselines.train.shots import groups_with, shots_of
from covid_datasets.errors import UsageError
from covid_datasets.extras import need
from covid_datasets.progress import progress

SHOTS = (1, 5, 10)
DRAWS = 10
STEPS = 30


def few_shot(
    run: Place,
    *,
    shots: Sequence[int] = SHOTS,
    draws: int = DRAWS,
    steps: int = STEPS,
    seed: int = 0,
    device: str = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
) -> FewShot:
    """Say what a few labels of an unseen hospital are worth to a model that was trained elsewhere.

    Train with ``scheme="leave-<source>-out"``; the test split is then the other hospital, without people whom the
    others share with it. Of it, ``shots`` images of each class are drawn, each of another group of people; nobody of
    these groups is tested. All that stands side by side knows the same images: the model as it was trained (which
    knows none), compared with them, a linear probe of its features, all of it fine-tuned (no Siamese network),
    and beside it metadata and texture alone.

    Args:
        run: The folder of a finished run of images, Siamese or not.
        shots: How many labelled images of each class.
        draws: How often they are drawn.
        steps: How many steps a model is fine-tuned; 0 leaves that out.
        seed: Of the draws: another run of the same split gets the same images.
        device: As for `train`.
        cache_dir: Where the build is.

    Raises:
        UsageError: There are not so many people with each class, or nobody would be left to be tested.
        PredictionsError: The run is of another build or split than what is built here.
    """
    need("torch", "safetensors", "sklearn")
    for key, value in (("draws", draws), ("steps", steps), ("seed", seed), *(("shots", each) for each in shots)):
        if not isinstance(value, int) or isinstance(value, bool) or value < (key in ("draws", "shots")):
            raise UsageError(
                f"{key}: expected whole numbers, {int(key in ('draws', 'shots'))} or more, found {value!r}"
            )
    if not shots:
        raise UsageError("shots: expected how many labelled images of each class, found none")
    trained = Run.read(run)
    config, recipe = trained.config, trained.recipe
    if recipe.unit != "image":
        raise UsageError(f"{trained.path}: expected a model of images, found one of a {recipe.unit}")
    from covid_datasets.baselines.train.machine import machine_of

    data = data_again(trained, cache_dir=cache_dir)
    with machine_of(device, deterministic=False) as machine:
        batches = data.batches("test", recipe, 0, device=machine.device)
        labels, groups = batches.chosen.labels, batches.chosen.groups
        _check_shots(labels, groups, data.classes, max(shots))
        ways = _ways(trained, data, batches, machine, steps)
        found = list(_measured(ways, labels, groups, data.classes, shots, draws, seed))
    return FewShot(
        run=str(trained.path),
        recipe=config["recipe_name"],
        dataset=config["dataset"],
        scheme=config["scheme"],
        classes=data.classes,
        rows=len(labels),
        draws=draws,
        seed=seed,
        fingerprint=config["fingerprint"],
        split_hash=config["split_hash"],
        found=tuple(found),
        notes=tuple(_notes(config, data.rows["test"])),
    )


def _check_shots(labels: np.ndarray, groups: np.ndarray, classes: Sequence[str], most: int) -> None:
    """Refuse more labels than people are there, one of each class being left to be tested."""
    for name, count in groups_with(labels, groups, classes).items():
        if count <= most:
            raise UsageError(
                f"shots: expected fewer than there are groups of people with {name} in test, so that somebody is left "
                f"to be tested; found {most} of {count:,}"
            )


def _ways(trained: Run, data: Any, batches: Any, machine: Any, steps: int) -> Mapping[str, Any]:
    """Prepare everything that is the same for all draws."""
    from covid_datasets.baselines.few import beside, ways

    recipe = trained.recipe
    network = machine.placed(network_again(trained)).eval()
    seen = ways.seen_by(network, batches, recipe, machine)
    found: dict[str, Any] = {
        ways.AS_TRAINED: lambda shots: seen.probabilities,
        ways.COMPARED: ways.compared(network, seen),
        ways.PROBE: ways.regressed(seen.features.numpy()),
    }
    if steps and not recipe.siamese:
        found[ways.TUNED] = ways.tuned(network, batches, recipe, machine, steps)
    train = data.batches("train", recipe, 0).chosen
    metadata = beside.of_metadata(train, batches.chosen, len(data.classes))
    if metadata is not None:
        found[beside.METADATA] = metadata
    found[beside.TEXTURE] = beside.of_texture(batches.chosen)
    return found


def _measured(
    ways: Mapping[str, Any],
    labels: np.ndarray,
    groups: np.ndarray,
    classes: Sequence[str],
    shots: Sequence[int],
    draws: int,
    seed: int,
) -> Iterator[Few]:
    """Draw labelled images again and again, and measure each way on all people of whom none was labelled."""
    with progress("Drawing", unit="steps") as display:
        display.add("draws", draws * len(shots))
        for count in dict.fromkeys(shots):
            tested: list[np.ndarray] = []
            scores: dict[str, list[np.ndarray]] = {name: [] for name in ways}
            for draw in range(draws):
                drawn = shots_of(labels, groups, classes, count, seed * 1_000_003 + draw)
                rows = np.flatnonzero(~np.isin(groups, groups[np.concatenate(drawn)]))
                if len(np.unique(labels[rows])) < len(np.unique(labels)):
                    raise UsageError(
                        f"shots: expected people of every class to be left to be tested, after {count} of each were "
                        "drawn found none of one of them; ask for fewer"
                    )
                tested.append(rows)
                for name, way in ways.items():
                    scores[name].append(way(drawn)[rows])
                display.advance("draws")
            for name, found in scores.items():
                yield _few(name, count, found, [labels[rows] for rows in tested], [groups[rows] for rows in tested])


def _few(
    name: str, count: int, scores: Sequence[np.ndarray], truth: Sequence[np.ndarray], groups: Sequence[np.ndarray]
) -> Few:
    """Average over draws; the interval draws people who are tested and, as often, who was labelled."""
    ranked = [rankings(true, score) for true, score in zip(truth, scores, strict=True)]
    random = np.random.default_rng(0)
    stops = np.cumsum([len(each) for each in truth])[:-1]

    def mean(weights: Numbers) -> dict[str, float]:
        parts, chosen = np.split(weights, stops), np.arange(len(ranked))
        if (weights != 1).any():  # a draw of people, and not all of them
            chosen = random.integers(0, len(ranked), len(ranked))
        return {"auc": float(np.mean([mean_auc(ranked[number], parts[number]) for number in chosen]))}

    together, of = np.concatenate(truth), np.concatenate(groups)
    rarest = min(len(np.unique(of[together == number])) for number in np.unique(together))
    ends = percentiles(min(rarest, len(ranked)))  # whichever are fewer, people with a class or draws
    auc: Interval = intervals(mean, of.tolist(), ends, resamples=RESAMPLES, seed=0)["auc"]
    each = [mean_auc(one, np.ones(len(true))) for one, true in zip(ranked, truth, strict=True)]
    return Few(name, count, auc, float(np.std(each, ddof=1)) if len(each) > 1 else 0.0)


def _notes(config: Mapping[str, Any], rows: Any) -> Iterator[str]:
    if not str(config["scheme"]).startswith("leave-"):
        yield f"Test under {config['scheme']} is no unseen hospital: a model knows the source. Train with leave-…-out."
    unknown = len(rows) - sum(known is True for known in rows.column("patient_known").to_pylist())
    if unknown:
        yield f"Of {unknown:,} rows of test nobody knows the patient; groups of them are a careful guess."
    yield "Numbers of labels share people who are tested, and draws do, so their intervals are not independent."
