"""What a recipe cannot say: values that do not work, alone or beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from covid_datasets.baselines.networks.named import SEGMENTERS, WIDTHS, network_of
from covid_datasets.baselines.target import check_target
from covid_datasets.errors import CatalogError, UsageError
from covid_datasets.load.fixed.options import MOST_SLICES as MOST_AROUND
from covid_datasets.vocabulary import MASKS

if TYPE_CHECKING:
    from covid_datasets.baselines.recipe import Pretraining, Recipe

MOST_SLICES = 1024
"""Of a unit in a step: all of them are in memory at once."""
Rule = tuple[str, bool, str]
"""A key, whether its value fits, and what was expected."""


def check_recipe(recipe: Recipe, where: str) -> None:
    """Refuse values that cannot work."""
    groups = (_images(recipe), _masks(recipe), _training(recipe), _units(recipe), _siamese(recipe), _target(recipe))
    _refuse(recipe, chain(*groups, _drawing(recipe)), where)
    if recipe.target:
        check_target(recipe.target, where)
    try:
        changes = recipe.changes
    except (UsageError, TypeError) as error:
        raise CatalogError(f"{where}: key 'augment': {error}") from error
    size = getattr(changes, "size", None)
    fits = size in (None, (recipe.image_size,) * 2)
    _refuse(recipe, [("augment", fits, f"the size {recipe.image_size}, that of images")], where)
    if recipe.pretraining:
        table = f"{where}: table 'pretraining'"
        check_recipe(recipe.stage_before, table)  # both stages have the same keys
        _refuse(recipe.pretraining, _pretraining(recipe.pretraining), table)


def _refuse(told: Recipe | Pretraining, rules: Iterator[Rule] | list[Rule], where: str) -> None:
    for key, fits, expected in rules:
        if not fits:
            raise CatalogError(f"{where}: key {key!r}: expected {expected}, found {getattr(told, key)!r}")


def _images(recipe: Recipe) -> Iterator[Rule]:
    kind = network_of(recipe.network)
    yield "width", WIDTHS[0] <= recipe.width <= WIDTHS[1], f"a number from {WIDTHS[0]:g} to {WIDTHS[1]:g}"
    yield "image_size", kind.smallest <= recipe.image_size <= 4096, f"{kind.smallest} (of {recipe.network}) to 4096"
    yield "channels", recipe.channels in (1, 3), "1 or 3"
    for key in ("mean", "std"):
        yield key, len(getattr(recipe, key)) in (1, recipe.channels), f"one number, or {recipe.channels}"
    yield "std", min(recipe.std) > 0, "numbers above 0"


def _masks(recipe: Recipe) -> Iterator[Rule]:
    for key in ("masks", "draws"):
        names = getattr(recipe, key)
        known = set(names) <= set(MASKS) and len(set(names)) == len(names)
        yield key, known, f"some of {', '.join(MASKS)}, each once"
    yield "draws", not set(recipe.draws) & set(recipe.masks), "other masks than those that are shown"
    yield "mask_weight", recipe.mask_weight > 0, "a number above 0"


def _training(recipe: Recipe) -> Iterator[Rule]:
    for key in ("batch_size", "epochs", "rounds", "features", "references"):
        yield key, getattr(recipe, key) >= 1, "1 or more"
    for key in ("patience", "period", "warmup", "weight_decay"):
        yield key, getattr(recipe, key) >= 0, "0 or more"
    yield "rate", recipe.rate > 0, "a number above 0"
    for key in ("momentum", "smoothing"):
        yield key, 0 <= getattr(recipe, key) < 1, "0 to below 1"
    yield "keep", all(count >= 1 for count in recipe.keep.values()), "1 row or more of a label"


def _units(recipe: Recipe) -> Iterator[Rule]:
    if network_of(recipe.network).dimensions == 3:
        yield "unit", recipe.unit == "series", f"'series', because {recipe.network} sees volumes"
        yield "pretraining", recipe.pretraining is None, f"none, because {recipe.network} sees no single pictures"
    yield "slices", 1 <= recipe.slices <= MOST_SLICES, f"1 to {MOST_SLICES}"
    for key in ("draws", "keep"):
        yield key, recipe.unit == "image" or not getattr(recipe, key), "none where unit is not 'image'"


def _siamese(recipe: Recipe) -> Iterator[Rule]:
    if not recipe.siamese:
        return
    yield "unit", recipe.unit == "image", "'image' beside siamese"
    yield "draws", not recipe.draws, "none beside siamese"
    yield "balance", recipe.balance, "true beside siamese, because a batch needs pairs of every class"
    yield "smoothing", recipe.smoothing == 0, "0 beside siamese"
    yield "margin", 0 < recipe.margin <= 2, "a number above 0, to 2"


def _target(recipe: Recipe) -> Iterator[Rule]:
    both = (recipe.task == "target") == (recipe.target is not None)
    yield "task", both, "'target' with a table [target], and else none"
    if recipe.target is None:
        return
    yield "unit", recipe.unit == "image", "'image' with a target"
    yield "siamese", not recipe.siamese, "no comparison of classes with a target"
    yield "keep", not recipe.keep, "no rows drawn by label with a target"
    yield "balance", not recipe.balance, "no balance, which is one of labels, with a target"
    yield "smoothing", not recipe.smoothing or recipe.target.kind == "ordinal", "0 with numbers and days"


def _drawing(recipe: Recipe) -> Iterator[Rule]:
    """Say what goes with a network that draws masks and tells no class."""
    fits, of = recipe.draws_alone == (recipe.network in SEGMENTERS), f"of {recipe.network}"
    yield "task", fits, f"'masks' {of}" if recipe.network in SEGMENTERS else f"classes {of}"
    odd = recipe.around % 2 == 1 and 0 < recipe.around <= MOST_AROUND
    yield "around", odd, f"an odd number, 1 to {MOST_AROUND}"
    lungs = recipe.draws_alone and "lung" in recipe.draws
    dense = lungs and "consolidation" in recipe.draws
    yield (
        "dense_counts",
        recipe.dense_counts == 0 or (recipe.dense_counts > 0 and dense),
        ("0, or more where lungs and consolidation are all that is drawn"),
    )
    yield "adds", lungs or not recipe.adds, "false where no lungs are drawn, or classes are told"
    if not recipe.draws_alone:
        yield "around", recipe.around == 1, "1 where classes are told, for only masks are drawn of more"
        return
    smallest = network_of(recipe.network).smallest
    yield "unit", recipe.unit == "image", "'image' where masks alone are drawn"
    yield "siamese", not recipe.siamese, "no comparison of classes where masks alone are drawn"
    yield "draws", bool(recipe.draws), f"at least one of {', '.join(MASKS)}"
    yield "image_size", recipe.image_size % smallest == 0, f"a multiple of {smallest}, which is halved"
    yield "channels", recipe.channels == 1, "1, for scans are grey"
    yield "mean", recipe.mean == (0.5,), "0.5 where masks alone are drawn, so that scans can be shown alike later"
    yield "std", recipe.std == (0.5,), "0.5 where masks alone are drawn"
    for key, none in (("masks", ()), ("keep", {}), ("pretraining", None), ("balance", False), ("smoothing", 0.0)):
        yield key, getattr(recipe, key) == none, f"{none!r} where masks alone are drawn"


def _pretraining(stage: Pretraining) -> Iterator[Rule]:
    yield "dictionary", stage.dictionary >= stage.batch_size, f"{stage.batch_size} or more, the images of a step"
    yield "features", stage.features >= 1, "1 or more"
    yield "follows", 0 <= stage.follows < 1, "0 to below 1"
    yield "temperature", stage.temperature > 0, "a number above 0"
