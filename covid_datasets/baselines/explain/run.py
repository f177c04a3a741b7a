"""`explain`: where a model that was trained here looks, on the images that it was judged on."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from covid_datasets.baselines.evaluate.rows import asked
from covid_datasets.baselines.explain.shares import LUNG, OUTSIDE, ZONES, Share, attention_shares
from covid_datasets.baselines.train.again import check_again, data_again, network_again
from covid_datasets.baselines.train.asked import Place, names_of
from covid_datasets.baselines.train.run import Run
from covid_datasets.errors import UsageError
from covid_datasets.extras import need

RANDOM = "random"
"""The map that knows nothing."""
LIMIT = 200
MADE = "infection"
"""What makes masks of CT of which nobody published any."""
NO_PROOF = "Where a network looks says what it uses, and not that it is right."


@dataclass(frozen=True, slots=True)
class Explained:
    """Where a model looks.

    Attributes:
        run: The folder of the run.
        split: Whose images were looked at.
        images: How many.
        fingerprint: Of the build.
        shares: For each kind of map, and for one that knows nothing, the share of each region.
        notes: What should be known of it.
    """

    run: str
    split: str
    images: int
    fingerprint: str
    shares: Mapping[str, Mapping[str, Share]]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        shares = {kind: {name: each.to_json() for name, each in of.items()} for kind, of in self.shares.items()}
        return {
            "run": self.run,
            "split": self.split,
            "images": self.images,
            "fingerprint": self.fingerprint,
            "shares": shares,
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import bullets, shown, table

        regions = list(next(iter(self.shares.values()), {}))
        rows = [(kind, *(str(of[name].attention) for name in regions)) for kind, of in self.shares.items()]
        return shown(
            f"Where {self.run} looks: {self.images:,} images of {self.split}",
            table("Share of attention, with 95 % intervals over groups", ("map", *regions), rows),
            bullets(self.notes, "Notes"),
        )

    def __str__(self) -> str:
        """Say it for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        what = "where it looks for the class that it predicts, or for its score"
        yield f"{self.run}, split {self.split}, {self.images:,} images: {what}"
        for name in next(iter(self.shares.values())):
            area = self.shares[RANDOM][name].area.value
            where = f"{name} third of the lungs" if name in ZONES else f"{name}{' of the lungs' * (name == OUTSIDE)}"
            yield f"{where}, {'nowhere' if math.isnan(area) else f'{area:.3f} of the image'}; share of attention:"
            yield from (f"  {kind:<10}{of[name].attention}" for kind, of in self.shares.items())
        yield f"{RANDOM}: maps that know nothing"
        yield from (f"note: {each}" for each in self.notes)


def explain(
    run: Place,
    *,
    split: str = "test",
    limit: int = LIMIT,
    seed: int = 0,
    device: str = "auto",
    derive: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Explained:
    """Measure how much of what a trained model looks at lies in the masks of its data, by three kinds of maps.

    Grad-CAM of its last layer of maps, saliency and occlusion, of the class that it predicts, each beside maps that
    know nothing. Where nobody published masks of CT, such as ``lung``, they are made, and the notes say so.

    Args:
        run: The folder of a finished run.
        split: "test" or "validation".
        limit: So many images, the first ones of the split.
        seed: Of the draws for the intervals, and of the maps that know nothing.
        device: As for `train`.
        derive: How masks are made that nobody published, as `load_dataset` takes it, such as "learned_infection"; by
            default "infection" where the data have none at all.
        cache_dir: Where the build is.

    Raises:
        PredictionsError: The run is of another build or split than what is built here.
        UsageError: The data have no masks, and are no CT, of which some could be made.
    """
    need("torch", "safetensors")
    trained = Run.read(run)
    config = trained.config
    if trained.recipe.draws_alone:
        raise UsageError(f"{trained.path}: expected a model that tells classes, found one that draws masks")
    if trained.recipe.unit != "image":
        raise UsageError(
            f"{trained.path}: expected a model of images, found one of a {trained.recipe.unit}. Where the latter looks "
            "is the column 'share' of its predictions, of slices"
        )
    wanted = asked(names_of(config["dataset"]), config["config"], config["scheme"], split, cache_dir)
    check_again(trained, {"fingerprint": wanted.fingerprint, "split_hash": wanted.split_hash})
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise UsageError(f"limit: expected a number of images above 0, found {limit!r}")
    import torch

    from covid_datasets.baselines.explain.attention import grad_cam, occlusion, random_maps, saliency
    from covid_datasets.baselines.networks.of_recipe import classifier_of
    from covid_datasets.baselines.train.machine import machine_of

    recipe = trained.recipe
    images, masks, samples, made = _images(trained, split, limit, derive, cache_dir)
    network = network_again(trained)
    with machine_of(device, deterministic=False) as machine:
        network, images = (
            (network if recipe.siamese else classifier_of(network)).to(machine.device).eval(),
            images.to(machine.device),
        )
        with torch.no_grad():
            classes = torch.cat([network(part).argmax(1) for part in images.split(recipe.batch_size)]).tolist()
        maps = {
            "grad-cam": grad_cam(network, images, classes),
            "saliency": saliency(network, images, classes),
            "occlusion": occlusion(network, images, classes, cells=min(8, *images.shape[2:])),
            RANDOM: random_maps(len(images), *images.shape[2:], seed=seed),
        }
    group_of = {row["sample_id"]: row["group"] for row in wanted.rows}
    groups = [group_of[sample] for sample in samples]
    shares = {kind: attention_shares(each, masks, groups, seed=seed) for kind, each in maps.items()}
    silent = {kind: int((each.sum((1, 2)) == 0).sum()) for kind, each in maps.items()}
    notes = [f"{count:,} maps of {kind} are empty, and are left out." for kind, count in silent.items() if count]
    if made:
        empty = sum(int((~mask.any((1, 2))).sum()) for name, mask in masks.items() if name == LUNG)
        notes.append(
            f"Masks that nobody published were made by derive={made!r}: shares are of what a program takes for "
            f"lungs and lesions. In {empty:,} of {len(samples):,} images it found no lung; these are left out."
        )
    if LUNG not in masks:
        notes.append(f"The data have no mask of lungs, only {', '.join(masks)}: what lies outside is not known.")
    return Explained(
        run=str(trained.path),
        split=split,
        images=len(images),
        fingerprint=wanted.fingerprint,
        shares=shares,
        notes=(*notes, NO_PROOF),
    )


def _batches(run: Run, split: str, derive: str, cache_dir: Any) -> Any:
    """Load a split with all of its masks."""
    recipe = replace(run.recipe, derive=derive)
    data = data_again(run, recipe=recipe, cache_dir=cache_dir)
    return data.batches(split, recipe, 0, masks=True, device="cpu")


def _images(
    run: Run, split: str, limit: int, derive: str | None, cache_dir: Any
) -> tuple[Any, dict[str, np.ndarray], list[str], str]:
    """Load what the network takes, each mask as True where it is, the ids, and by what masks were made."""
    import torch

    recipe = run.recipe
    made = derive or recipe.derive
    if derive and recipe.derive and derive != recipe.derive:
        raise UsageError(f"derive: expected {recipe.derive!r}, by which masks of the run were made, found {derive!r}")
    batches = _batches(run, split, made, cache_dir)
    if not batches.pixels.masks and not made:
        made = MADE
        try:
            batches = _batches(run, split, made, cache_dir)
        except UsageError as error:
            raise UsageError(
                f"{', '.join(names_of(run.config['dataset']))}: expected masks, such as {LUNG!r}, found none, and they "
                f"cannot be made: {error}. Next: give masks of your own to "
                "covid_datasets.baselines.explain.shares.attention_shares"
            ) from error
    names = list(batches.pixels.masks)
    if not names:
        raise UsageError(f"derive: expected what makes masks, such as {MADE!r}, found {made!r}, which made none")
    images, masks, samples = [], [], []
    for batch in batches:
        known = (batch["masks"] == 1).to(batch["image"].dtype)
        shown = known[:, [names.index(name) for name in recipe.masks]]
        images.append(torch.cat([batch["image"], shown], 1))
        masks.append(known.bool())
        samples += list(batch["sample_id"])
        if len(samples) >= limit:
            break
    of = torch.cat(masks)[:limit].numpy()
    found = {name: of[:, number] for number, name in enumerate(names)}
    return torch.cat(images)[:limit], found, samples[:limit], made
