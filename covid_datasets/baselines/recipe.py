"""`Recipe`: everything that a training does with its data; each is a file in ``recipes/``, and none is in code."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from covid_datasets.baselines.networks.named import network_of
from covid_datasets.baselines.recipe_checks import check_recipe
from covid_datasets.baselines.target import Target
from covid_datasets.catalog.typed import read_typed
from covid_datasets.errors import CatalogError, NotThereError, did_you_mean
from covid_datasets.transforms.joint.augment import Augment, Turns
from covid_datasets.transforms.joint.presets import preset

RECIPES = Path(__file__).with_name("recipes")
ALL = "all"
"""The task that keeps every class that occurs."""
TARGET = "target"
"""The task that predicts something else than a label: what the table ``[target]`` says."""
DRAW = "masks"
"""The task that has no classes: masks are drawn, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """What comes before a training: momentum contrast, on the pictures of train and without their labels.

    Attributes:
        epochs: How many there are. The rate falls to zero within them.
        dictionary: How many keys of pictures are remembered, among which a picture has to be found again.
        batch_size: Images of a step.
        rate: Of "sgd", at the highest.
        weight_decay: How weights are pulled to zero.
        momentum: Of "sgd".
        augment: How the two changes of a picture are drawn, as in `Recipe`.
        features: How many numbers a key has.
        follows: How much of their weights keys keep in a step, instead of those of the network that is trained.
        temperature: What similarities are divided by.
    """

    epochs: int
    dictionary: int = 512
    batch_size: int = 128
    rate: float = 0.015
    weight_decay: float = 1e-4
    momentum: float = 0.9
    augment: Mapping[str, str | int | float] = field(default_factory=lambda: {"preset": "moco"})
    features: int = 128
    follows: float = 0.999
    temperature: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a classifier, or a network that draws masks, is trained.

    Attributes:
        summary: What it is for, in one sentence.
        source: Which numbers are whose: those of a paper, and those that it does not say.
        network: One of `NETWORKS`; one of `SEGMENTERS` draws masks alone.
        width: Which share of its channels each layer has.
        image_size: Rows and columns that images are stretched to.
        channels: 1 for grey, 3 for colours.
        around: How many slices of a series are seen at once, the one in question in the middle: 1 is 2-D, 3 is 2.5-D.
        masks: Which masks are shown to the network beside the image, each as one more channel.
        draws: Which masks the network draws, beside the class: a second task that it learns with the first; or alone.
        mask_weight: What the loss of these masks counts, beside that of the classes.
        dense_counts: How much more a pixel of lung counts in the loss where it is consolidated, and as bright as the
            chest wall; 0 for all alike.
        adds: Whether lungs that are drawn are added to the classical ones, as far as the network is sure, and do not
            replace them: for what has learned from calculated chests, and has seen nobody's.
        derive: What is done to the rows before, as `load_dataset` takes it: "lungs" makes masks where nobody published
            some, "segmented" and "reencoded" make other pixels.
        mean: What is taken away from values from 0 to 1, for each channel.
        std: What they are then divided by.
        unit: What is learned and judged: each "image", or each "patient" or "series" by all of its slices together.
        slices: How many slices of a unit a step shows at most; a network in three dimensions sees exactly so many.
        pooling: How slices become one: learned weights ("attention"), or all alike ("mean"), or the strongest ("max").
        siamese: Learn to compare, and by what: "contrastive", "triplet", "pairs" or "prototypes"; empty for classes.
        margin: How far apart "contrastive" and "triplet" want pictures of two classes, which have 2 at most.
        features: How many numbers pictures are compared by.
        references: Images of each class, out of train, with which others are compared.
        task: "covid19_vs_rest", "covid19_vs_no_finding", or "all" classes that occur; "target" for what is no label;
            "masks" for no class, but ``draws``.
        target: What that is: how ill somebody is, a number, or days until death.
        keep: How many rows of a label train keeps, drawn anew by each seed; all other rows stay the same.
        augment: The name of a preset, or numbers of `Augment`, or a ``preset`` and other numbers; empty for none.
        optimizer: How a step is made.
        rate: Its rate, at the highest.
        weight_decay: How weights are pulled to zero.
        momentum: Of "sgd".
        schedule: "cosine" lets the rate fall to zero within ``period`` epochs, and rise again within as many.
        period: Epochs; 0 stands for all epochs.
        warmup: Epochs in which the rate rises from zero before.
        smoothing: How much of each label is given to the other classes.
        batch_size: Images of a step, of each process.
        epochs: How many there are at most.
        patience: After how many epochs without a better AUC, or Dice, on validation it ends; 0 never does.
        balance: Whether every class is drawn equally often.
        weights: Which weights the paper began with. They are never fetched: bring the file, or begin at random.
        pretraining: What is learned before, without labels.
        scheme: The split that the paper used; the default of ``train``.
        rounds: With how many seeds or folds the paper repeated it.
    """

    summary: str
    source: str
    network: str
    image_size: int
    width: float = 1.0
    channels: int = 1
    around: int = 1
    masks: tuple[str, ...] = ()
    draws: tuple[str, ...] = ()
    mask_weight: float = 1.0
    dense_counts: float = 0.0
    adds: bool = False
    derive: str = ""
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)
    unit: Literal["image", "patient", "series"] = "image"
    slices: int = 32
    pooling: Literal["attention", "mean", "max"] = "attention"
    siamese: Literal["", "contrastive", "triplet", "pairs", "prototypes"] = ""
    margin: float = 1.0
    features: int = 64
    references: int = 32
    task: Literal["covid19_vs_rest", "covid19_vs_no_finding", "all", "target", "masks"] = "covid19_vs_rest"
    target: Target | None = None
    keep: Mapping[str, int] = field(default_factory=dict)
    augment: Mapping[str, str | int | float] = field(default_factory=dict)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    rate: float
    weight_decay: float = 0.0
    momentum: float = 0.9
    schedule: Literal["constant", "cosine"] = "constant"
    period: int = 0
    warmup: int = 0
    smoothing: float = 0.0
    batch_size: int
    epochs: int
    patience: int = 0
    balance: bool = False
    weights: str = ""
    pretraining: Pretraining | None = None
    scheme: str = "patient"
    rounds: int = 1

    @property
    def changes(self) -> Augment | Turns | None:
        """What is done to images and masks of the training set."""
        if not self.augment:
            return None
        numbers: dict[str, Any] = dict(self.augment)
        name = numbers.pop("preset", None)
        return preset(name, **({"size": None} | numbers)) if name else Augment(**numbers)  # the size is that of images

    @property
    def in_channels(self) -> int:
        """How many channels the network sees."""
        return self.channels * self.around + len(self.masks)

    @property
    def draws_alone(self) -> bool:
        """Whether masks are all that the network gives."""
        return self.task == DRAW

    @property
    def in_depth(self) -> bool:
        """Whether the network sees volumes, and not slices one by one."""
        return network_of(self.network).dimensions == 3

    @property
    def stage_before(self) -> Recipe:
        """The recipe of the pretraining: the same network and images, and the numbers of that stage."""
        assert self.pretraining is not None
        shared = ("epochs", "batch_size", "rate", "weight_decay", "momentum", "augment")
        numbers: dict[str, Any] = {name: getattr(self.pretraining, name) for name in shared}
        none: dict[str, Any] = {"period": 0, "warmup": 0, "patience": 0, "balance": False, "draws": ()}
        none |= {"unit": "image", "siamese": ""}
        return replace(self, optimizer="sgd", schedule="cosine", pretraining=None, **numbers, **none)

    def rate_at(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0.

        >>> [round(read_recipe("study1-resnet50").rate_at(epoch), 7) for epoch in (0, 5, 10, 20)]
        [0.0001, 5e-05, 0.0, 0.0001]
        """
        if epoch < self.warmup:
            return self.rate * (epoch + 1) / (self.warmup + 1)
        if self.schedule == "constant":
            return self.rate
        period = self.period or max(self.epochs - self.warmup, 1)
        return self.rate * (1 + math.cos(math.pi * (epoch - self.warmup) / period)) / 2

    def to_json(self) -> dict[str, Any]:
        """Return plain data, from which `recipe_of` makes the same recipe again."""
        return {name: _plain(value) for name, value in asdict(self).items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return list(value) if isinstance(value, tuple) else value


def recipe_names() -> tuple[str, ...]:
    """List all recipes.

    >>> "small" in recipe_names()
    True
    """
    return tuple(sorted(path.stem for path in RECIPES.glob("*.toml")))


def read_recipe(name: str, **changes: Any) -> Recipe:
    """Read a recipe by its name, or the file of one of your own; some of its values may be others.

    >>> read_recipe("small", epochs=1).epochs
    1
    >>> read_recipe("smal")
    Traceback (most recent call last):
        ...
    covid_datasets.errors.NotThereError: recipe: expected one of ... or a file, found 'smal'. Did you mean 'small'?
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    changed = {key: list(value) if isinstance(value, tuple) else value for key, value in changes.items()}
    return recipe_of(_table(path, name) | changed, f"recipe {name} as it was asked for" if changed else path)


def recipe_of(table: Mapping[str, Any], where: Path | str) -> Recipe:
    """Make a recipe of a table, and say what is wrong with it."""
    recipe = read_typed(Recipe, table, where)
    check_recipe(recipe, str(where))
    return recipe


def _table(path: Path, name: str) -> dict[str, Any]:
    """Read the table of a recipe; what it ``extends`` is beneath it."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = recipe_names()
        raise NotThereError(
            f"recipe: expected one of {', '.join(known)}, or a file, found {name!r}{did_you_mean(name, known)}"
        ) from error
    except ValueError as error:  # of TOML, or of UTF-8
        raise CatalogError(f"{path}: expected TOML, found {error}") from error
    parent = table.pop("extends", None)
    if parent is None:
        return table
    if not isinstance(parent, str) or parent == path.stem:
        raise CatalogError(f"{path}: key 'extends': expected the name of another recipe, found {parent!r}")
    return _table(RECIPES / f"{parent}.toml", parent) | table
