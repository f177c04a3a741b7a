"""`train`: a dataset, a recipe and a folder -> a model with its predictions; the same call goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Unpack

from covid_datasets.baselines.recipe import Recipe, read_recipe, recipe_of
from covid_datasets.baselines.train.asked import Asked, Place, TrainOptions, names_of
from covid_datasets.baselines.train.names import (
    CHECKPOINT,
    CONFIG,
    CURVE,
    ENVIRONMENT,
    METRICS,
    PREDICTIONS,
    STATE,
    VALIDATION,
    decided,
)
from covid_datasets.disk import make_folder, read_json, write_file, write_json
from covid_datasets.errors import NotThereError, UsageError, not_one_of
from covid_datasets.extras import need
from covid_datasets.lock import Lock
from covid_datasets.progress import progress, tell


@dataclass(frozen=True, slots=True)
class Run:
    """A training that has come to its end.

    Attributes:
        path: Its folder.
        config: What was asked for, which data that was, and which weights it began with.
        history: What was measured after each epoch.
    """

    path: Path
    config: dict[str, Any]
    history: tuple[dict[str, Any], ...]

    @property
    def recipe(self) -> Recipe:
        """What was done."""
        return recipe_of(self.config["recipe"], self.path / CONFIG)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return tuple(self.config["classes"])

    @classmethod
    def read(cls, folder: Place) -> Run:
        """Open the folder of a run that is finished."""
        path = Path(folder)
        config = read_json(path / CONFIG)
        if not config:
            raise NotThereError(f"{path}: expected the folder of a run, as `covid-datasets train` makes it, found none")
        if not (path / PREDICTIONS).exists():
            raise NotThereError(
                f"{path}: expected a finished run, found one that was stopped; train it to its end first"
            )
        if not (path / CHECKPOINT).exists():
            raise NotThereError(f"{path}: expected a run, found the scores of one on other pixels; name the run itself")
        lines = (path / METRICS).read_text(encoding="utf-8").splitlines()
        return cls(path, config, tuple(map(json.loads, lines)))

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {"path": str(self.path), "config": self.config, "history": list(self.history)}

    def _repr_html_(self) -> str:
        """Show it in a notebook: what was asked for, and what each epoch reached."""
        from covid_datasets.markup import MOST, named, shown, table

        asked = ("dataset", "recipe_name", "scheme", "seed", "fingerprint", "split_hash")
        what = {name.replace("_", " "): str(self.config.get(name, "")) for name in asked}
        names = list(dict.fromkeys(name for row in self.history for name in row))
        rows = [
            [f"{cell:.4g}" if isinstance(cell, float) else cell for cell in map(row.get, names)]
            for row in self.history[-MOST:]
        ]
        epochs = f"The last {MOST} of {len(self.history):,} epochs" if len(self.history) > MOST else "Epochs"
        return shown(
            f"Run {self.path}",
            named(what | {"classes": ", ".join(map(str, self.classes))}, "What was trained"),
            table(epochs, [name.replace("_", " ") for name in names], rows) if names else (),
        )

    def __str__(self) -> str:
        """Say it for people."""
        found = [decided(row)[0] for row in self.history if decided(row)]
        judged = f", validation {found[0][0]} {max(value for _, value in found):.3f} in the best" if found else ""
        return f"{self.path}: {len(self.history)} epochs{judged}; {PREDICTIONS} has the scores of validation and test"


def train(
    name: str | Sequence[str],
    out: Place,
    recipe: str = "small",
    *,
    scheme: str | None = None,
    seed: int = 0,
    device: str = "auto",
    **options: Unpack[TrainOptions],
) -> Run:
    """Train a model on a dataset, of classes, of a target (`Target`) or of masks, and score validation and test.

    ``out`` gets ``config.json`` (what was asked, fingerprint, digest of the split), ``environment.json``,
    ``metrics.jsonl``, ``checkpoint.safetensors`` (the weights of the best epoch on validation), ``state.safetensors``
    (from which the same call goes on after a kill), ``predictions.csv`` and ``curve.svg``; of what draws masks also
    ``weights.safetensors`` with a card, which `learned_lungs` and `learned_infection` take, as they take the folder.

    Args:
        name: A dataset, or a list of them.
        out: A new or empty folder, or that of the same training.
        recipe: How: "small" trains on a processor, "segment-small" draws lungs and infection;
            `covid_datasets.baselines.recipe.recipe_names` lists all. Or a ``.toml`` file of your own.
        scheme: The split; that of the recipe by default. Validation alone decides when to stop.
        seed: Another one draws other weights, another order and other changes.
        device: "cpu", "cuda", "mps", or "auto", the fastest that is there.
        **options: ``config=``, ``cache_dir=``, ``data_dir=``; ``weights=`` (a local file) and ``sha256=``;
            ``deterministic=True``; ``compile=True``; ``checkpoint_steps=100``; ``changes={"epochs": 3}`` of the recipe;
            ``filters={"modality": "CT"}``, which rows are kept, as in `load_dataset`.

    Raises:
        UsageError: The folder is of another training, or the data cannot train a model: one class alone, no mask where
            the recipe shows one.
        LeakingSplitError: Patients are in two parts of the split.
        TrainingError: The loss is no number any more.
        NoSpaceError: The disk is full. What was kept before stays.
    """
    need("torch", "safetensors")
    given: dict[str, Any] = dict(options)
    unknown = sorted(set(given) - set(TrainOptions.__annotations__))
    if unknown:
        names = ("recipe", "scheme", "seed", "device", *TrainOptions.__annotations__)
        raise UsageError(f"arguments of train: {not_one_of(unknown[0], names)}")
    read = read_recipe(recipe, **given.pop("changes", {}))
    asked = Asked(
        names=names_of(name),
        recipe_name=Path(recipe).stem,
        recipe=read,
        scheme=scheme or read.scheme,
        seed=seed,
        device=device,
        **given,
    )
    path = Path(out)
    _check_folder(path)
    from covid_datasets.baselines.train.machine import machine_of

    with machine_of(device, deterministic=asked.deterministic) as machine:
        begun = _begun(asked, machine)
        make_folder(path)  # what is refused leaves none
        if not machine.is_first:
            return _trained(asked, begun, path, machine)
        with Lock(path / ".lock", on_wait=tell):
            return _trained(asked, begun, path, machine)


def _check_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: expected a new or empty folder, or that of the same training, found a file")
    strange = [each.name for each in path.iterdir()] if path.is_dir() else []
    if strange and CONFIG not in strange and set(strange) - {".lock"}:
        raise UsageError(
            f"{path}: expected a new or empty folder, or that of the same training, found {sorted(strange)[0]!r} in it"
        )


def _begun(asked: Asked, machine: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Load the data, make the network with its first weights, and say what both are; refuse what cannot be trained."""
    from covid_datasets.baselines.networks.heads import Head
    from covid_datasets.baselines.networks.of_recipe import classifier_of, network_of_recipe
    from covid_datasets.baselines.train.data import load_data

    data = load_data(asked)
    machine.seed(asked.seed)
    network = network_of_recipe(asked.recipe, len(data.classes))
    if isinstance(network, Head):
        network.begin(data.known("train"))
    config = asked.to_json() | {"classes": list(data.classes)} | dict(data.identity)
    config["weights"] = _begun_with(asked, classifier_of(network))
    return data, network, config


def _trained(asked: Asked, begun: tuple[Any, Any, dict[str, Any]], path: Path, machine: Any) -> Run:
    """Train from where it was, judge with the best weights, and write down all of it."""
    from covid_datasets.baselines.networks.of_recipe import classifier_of
    from covid_datasets.baselines.train.loop import Loop
    from covid_datasets.baselines.train.machine import environment
    from covid_datasets.baselines.train.state import read_tensors
    from covid_datasets.baselines.train.task import task_of

    recipe = asked.recipe
    data, network, config = begun
    _check_same(path, config)
    if (path / PREDICTIONS).exists():
        return Run.read(path)
    if machine.is_first:
        write_json(path / CONFIG, config)
        _note_environment(path, environment(machine), resumed=(path / STATE).exists())
    what = f"Training {recipe.network} on {', '.join(asked.names)}"
    with progress(what, unit="steps", enabled=None if machine.is_first else False) as display:
        if recipe.pretraining and not (path / STATE).exists():
            _pretrain(asked, data, classifier_of(network), machine, path, display)
        loop = Loop(asked, task_of(data, recipe, network, machine, asked.seed), machine, path)
        found = loop.run(display, lambda at: _write_metrics(path, at.history) if machine.is_first else None)
    if machine.is_first:
        tensors, _ = read_tensors(path / CHECKPOINT)
        loop.network.load_state_dict(tensors)
        _write_metrics(path, found.history)
        _write_text(path / CURVE, _curve(config, found.history))
        _write_predictions(path, loop.network, data, recipe, machine, config | {"figures": _best(found.history)})
    machine.told_by_first([None])  # nobody opens what is not yet written
    return Run.read(path)


def _write_predictions(
    path: Path, network: Any, data: Any, recipe: Recipe, machine: Any, config: dict[str, Any]
) -> None:
    from covid_datasets.baselines.train.predictions import write_predictions
    from covid_datasets.baselines.train.segmenting import write_drawn

    if recipe.draws_alone:
        write_drawn(path, network, data, recipe, config, machine)
    else:
        write_predictions(path / PREDICTIONS, network, data, recipe, machine)


def _best(history: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Give the figures of the best epoch, for a card."""
    best = max(history, key=lambda row: decided(row)[0][1] if decided(row) else 0.0)
    return {name: value for name, value in best.items() if name.startswith(VALIDATION)}


def _pretrain(asked: Asked, data: Any, classifier: Any, machine: Any, out: Path, display: Any) -> None:
    """Let a classifier begin with what it learned without labels; its own state, in a folder, goes on after a kill."""
    from covid_datasets.baselines.train.contrasting import FOLDER, Contrasting
    from covid_datasets.baselines.train.loop import Loop

    path = out / FOLDER
    make_folder(path)
    task = Contrasting.of(data, asked.recipe, classifier, machine, asked.seed)
    Loop(asked, task, machine, path).run(display, lambda at: _write_metrics(path, at.history))
    classifier.load_state_dict(task.weights(), strict=False)  # all but the last layer


def _begun_with(asked: Asked, network: Any) -> dict[str, Any] | None:
    if asked.weights is None:
        return None
    from covid_datasets.baselines.networks.weights import load_weights

    name, path = asked.recipe.network, Path(asked.weights)
    return asdict(load_weights(network, name, path, sha256=asked.sha256, image_channels=asked.recipe.channels))


def _check_same(path: Path, config: dict[str, Any]) -> None:
    """Refuse the folder of another training: other data or another recipe does not go on from its weights."""
    found = read_json(path / CONFIG)
    wanted = json.loads(json.dumps(config))
    differ = [key for key in wanted if found and found.get(key) != wanted[key]]
    if differ:
        key = differ[0]
        raise UsageError(
            f"{path}: expected the folder of the same training, found one of another {key} ({found.get(key)!r}; now "
            f"{wanted[key]!r} was asked for). Next: choose another folder"
        )


def _note_environment(path: Path, found: dict[str, Any], *, resumed: bool) -> None:
    """Write where a training runs, after all places in which it ran before."""
    before = read_json(path / ENVIRONMENT).get("ran_on", []) if resumed else []
    if not before or before[-1] != found:
        write_json(path / ENVIRONMENT, {"ran_on": [*before, found]})


def _write_metrics(path: Path, history: Sequence[dict[str, Any]]) -> None:
    _write_text(path / METRICS, "".join(f"{json.dumps(row)}\n" for row in history))


def _write_text(path: Path, text: str) -> None:
    write_file(
        path, text.encode(), durable=False, keeps="The checkpoint is kept, and the same command goes on from it."
    )


def _curve(config: dict[str, Any], history: Sequence[dict[str, Any]]) -> str:
    from covid_datasets.baselines.train.curve import curve

    names = ", ".join(names_of(config["dataset"]))
    return curve(history, f"{config['recipe_name']} on {names}, {config['scheme']}, seed {config['seed']}")
