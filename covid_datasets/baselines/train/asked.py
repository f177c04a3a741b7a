"""What a training was asked for: all that its result depends on, and where it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict

from covid_datasets.baselines.recipe import Recipe
from covid_datasets.errors import UsageError

Place = str | os.PathLike[str]


class TrainOptions(TypedDict, total=False):
    """More keyword arguments of `train`; `Asked` says what each does, and its default."""

    config: str | None
    cache_dir: Place | None
    data_dir: Place | None
    weights: Place | None
    sha256: str
    deterministic: bool
    compile: bool
    checkpoint_steps: int
    changes: Mapping[str, Any]
    filters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One training.

    Attributes:
        names: The datasets.
        config: One of their configs.
        scheme: The split.
        filters: Which rows are kept, as `load_dataset` takes them.
        recipe: What it is called, and what it says.
        seed: Draws the weights, the order of images, and how they are changed.
        weights: A local file of weights to begin with.
        sha256: What the digest of that file is, or begins with.
        device: "cpu", "cuda", "mps", or "auto", the fastest that is there.
        deterministic: Refuse what gives another result each time; a GPU becomes slower.
        compile: Let torch compile the network, which takes a minute; on a GPU.
        checkpoint_steps: After how many steps within an epoch the state is kept.
        cache_dir: Where downloads and builds live.
        data_dir: Your own copy of the source.
    """

    names: tuple[str, ...]
    recipe_name: str
    recipe: Recipe
    scheme: str
    seed: int = 0
    config: str | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)
    weights: Place | None = None
    sha256: str = ""
    device: str = "auto"
    deterministic: bool = False
    compile: bool = False
    checkpoint_steps: int = 100
    cache_dir: Place | None = None
    data_dir: Place | None = None

    def __post_init__(self) -> None:
        """Refuse what no training can use."""
        if not self.names:
            raise UsageError("name: expected a dataset, or a list of them, found an empty list")
        for key, lowest in (("seed", 0), ("checkpoint_steps", 1)):
            value = getattr(self, key)
            if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value < 1 << 31:
                raise UsageError(f"{key}: expected a whole number, {lowest} or more, found {value!r}")
        if self.sha256 and not self.weights:
            raise UsageError("sha256: expected with weights=, the file that it is of")

    @property
    def dataset(self) -> str | list[str]:
        """The dataset, or all of them, as `load_dataset` takes them."""
        return list(self.names) if len(self.names) > 1 else self.names[0]

    def to_json(self) -> dict[str, Any]:
        """Return all that the result depends on, as plain data."""
        told = {name: asdict(self)[name] for name in ("config", "scheme", "seed", "recipe_name")}
        filters = {name: list(value) if isinstance(value, tuple) else value for name, value in self.filters.items()}
        return told | {"dataset": self.dataset, "filters": filters, "recipe": self.recipe.to_json()}


def names_of(name: Any) -> tuple[str, ...]:
    """Take one name, or several.

    >>> names_of("covid_ct"), names_of(["cohen", "covid_ct"])
    (('covid_ct',), ('cohen', 'covid_ct'))
    """
    if isinstance(name, Sequence) and not isinstance(name, str):
        return tuple(map(str, name))
    return (os.fspath(name),)
