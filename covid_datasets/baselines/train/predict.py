"""`predict`: pictures of one's own, scored with a model that was trained here."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from covid_datasets.baselines.recipe import Recipe
from covid_datasets.baselines.train.again import network_again
from covid_datasets.baselines.train.asked import Place
from covid_datasets.baselines.train.calibration import Sure, about_as, calibration
from covid_datasets.baselines.train.names import columns_of
from covid_datasets.baselines.train.run import Run
from covid_datasets.disk import refused, whole
from covid_datasets.errors import CovidDatasetsError, UsageError
from covid_datasets.extras import need
from covid_datasets.load.fixed.lot import scale_of, scaled
from covid_datasets.load.fixed.pixels import decoded_picture
from covid_datasets.load.fixed.view import make_view
from covid_datasets.own.files import Item, find_items
from covid_datasets.progress import progress
from covid_datasets.raw.tree import RawTree

NO_DIAGNOSIS = (
    "These numbers are no diagnosis: the model knows one public source, and nobody has tested it on patients."
)
BATCH = 64
_RIGHT = {"right": "value", "right_low": "low", "right_high": "high"}
"""Columns of the table -> what they hold of the share that was right on validation."""


class Scored(NamedTuple):
    """A picture, the probability that the model gives to each class, and how often it was right when it was as sure.

    Of a target that is no class, ``probabilities`` is the one ``value`` or ``risk``, and nothing is likeliest.
    """

    file: str
    probabilities: dict[str, float]
    sure: Sure | None = None

    @property
    def likeliest(self) -> str | None:
        """The class with the highest probability."""
        if len(self.probabilities) < 2:
            return None
        return max(self.probabilities, key=lambda name: self.probabilities[name])

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        told = {"file": self.file, "probabilities": self.probabilities, "likeliest": self.likeliest}
        if self.sure is None:
            return told | {"right": None}
        right = self.sure.right
        return told | {"right": {"value": right.value, "low": right.low, "high": right.high, "rows": self.sure.rows}}


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a model says of a folder: the pictures in order of their names, and what was left out, and why."""

    rows: tuple[Scored, ...]
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        rows = [row.to_json() for row in self.rows]
        return {"warning": NO_DIAGNOSIS, "rows": rows, "left_out": list(self.left_out)}


def predict(run: Place, folder: Place, out: Place | None = None, *, device: str = "auto") -> Predicted:
    """Score the pictures of a folder with the best weights of a run. It is no diagnosis.

    Pictures are PNG, JPEG, TIFF, GIF, BMP or WebP; volumes, DICOM and videos are left out, and what is damaged is too.
    A model of patients or series scores each volume (NIfTI, MetaImage), each folder of a DICOM series, and, unless it
    sees in three dimensions, the pictures of each folder together; the file is then the name of that folder.

    Args:
        run: The folder of a finished run.
        folder: Pictures, in folders or not.
        out: A CSV file to write: the file, a probability for each class, the likeliest class, and which share of
            validation was right when the model was about as sure, with its 95 % interval.
        device: As for `train`.
    """
    need("torch", "safetensors")
    trained = Run.read(run)
    recipe = trained.recipe
    if recipe.draws_alone:
        raise UsageError(
            f"{trained.path}: expected a model that tells classes, found one that draws masks. Next: covid-datasets "
            f"segment {folder} OUT --lungs learned --method learned --weights {trained.path}"
        )
    if recipe.masks:
        raise UsageError(
            f"{trained.path}: expected a model that sees images alone, found one that sees the masks "
            f"{', '.join(recipe.masks)} too, which pictures in a folder lack"
        )
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"{root}: expected a folder of pictures, found {'a file' if root.exists() else 'none'}")
    raw = RawTree.of_folder(root)
    items, notices = find_items(raw)
    left_out = [f"{notice.where}: {notice.what}" for notice in notices]
    score = _scored if recipe.unit == "image" else _scored_together
    sure = calibration(trained.path) if len(trained.classes) > 1 else ()
    scored = score(trained, recipe, raw, items, left_out, device)
    rows = [row._replace(sure=about_as(sure, max(row.probabilities.values()))) for row in scored]
    if out is not None:
        _write(Path(out), rows, trained.classes)
    return Predicted(tuple(rows), tuple(left_out))


def _scored_together(
    run: Run, recipe: Recipe, raw: Any, items: Sequence[Item], left_out: list[str], device: str
) -> Iterator[Scored]:
    """Score what belongs together, pile after pile."""
    from covid_datasets.baselines.train.machine import machine_of
    from covid_datasets.baselines.train.piles import pile_scored, piles_of

    piles, others = piles_of(items, recipe)
    left_out += others
    with machine_of(device, deterministic=False) as machine, progress("Scoring", unit="files") as display:
        network = machine.placed(network_again(run)).eval()
        display.add("scans", len(piles))
        for pile in piles:
            chances = pile_scored(raw, pile, network, recipe, machine, left_out)
            display.advance("scans")
            if chances is not None:
                yield Scored(pile.name, dict(zip(run.classes, chances, strict=True)))


def _scored(
    run: Run, recipe: Recipe, raw: Any, items: Sequence[Item], left_out: list[str], device: str
) -> Iterator[Scored]:
    """Score batch after batch; threads decode the next one meanwhile."""
    import torch

    from covid_datasets.baselines.train.machine import machine_of
    from covid_datasets.baselines.train.score import told

    files = [item.path for item in items if item.kind == "picture"]
    left_out += [f"{item.path}: expected a picture, found a {item.kind}" for item in items if item.kind != "picture"]
    view = make_view(recipe.image_size, channels=recipe.channels)
    mean, std = (each if len(each) > 1 else each[0] for each in (recipe.mean, recipe.std))
    scale = scale_of(view, mean, std)
    with (
        machine_of(device, deterministic=False) as machine,
        ThreadPoolExecutor() as threads,
        progress("Scoring", unit="pictures") as display,
        torch.no_grad(),
    ):
        network = machine.placed(network_again(run)).eval()
        display.add("pictures", len(files))
        batches = [files[first : first + BATCH] for first in range(0, len(files), BATCH)]
        ahead = [[threads.submit(decoded_picture, raw, view, file) for file in batch] for batch in batches[:1]]
        for number, batch in enumerate(batches):
            futures = ahead.pop()
            if number + 1 < len(batches):
                ahead.append([threads.submit(decoded_picture, raw, view, file) for file in batches[number + 1]])
            found = {file: future.result() for file, future in zip(batch, futures, strict=True)}
            left_out += [str(value) for value in found.values() if isinstance(value, CovidDatasetsError)]
            good = {file: value for file, value in found.items() if isinstance(value, np.ndarray)}
            display.advance("pictures", len(batch))
            if not good:
                continue
            pixels = np.stack(list(good.values())).astype(np.float32)
            for each in pixels:
                scaled(each, scale)
            with machine.numbers():
                logits = network(machine.images(torch.from_numpy(pixels).to(machine.device)))
            chances = told(logits.float()).cpu().tolist()
            yield from (
                Scored(file, dict(zip(run.classes, line, strict=True)))
                for file, line in zip(good, chances, strict=True)
            )


def _write(path: Path, rows: Sequence[Scored], classes: Sequence[str]) -> None:
    try:
        with whole(path, durable=False) as private, private.open("w", encoding="utf-8", newline="") as file:
            written = csv.writer(file, lineterminator="\n")
            of_classes = len(classes) > 1
            written.writerow(["file", *columns_of(classes), *(["likeliest", *_RIGHT] if of_classes else [])])
            for row in rows:
                said = [row.file, *(f"{value:.6f}" for value in row.probabilities.values())]
                right = row.to_json()["right"] or dict.fromkeys(_RIGHT.values())
                shares = ("" if right[name] is None else f"{right[name]:.3f}" for name in _RIGHT.values())
                written.writerow([*said, *([row.likeliest, *shares] if of_classes else [])])
    except OSError as error:
        raise refused(path, error) from error
