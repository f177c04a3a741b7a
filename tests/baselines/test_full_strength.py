"""A segmenter at full strength: within a minute it draws lesions of patients that it has not seen as well as promised.

A recipe's own numbers are in benchmarks/segmenters.py; this is what holds on every change. Images are small, batches
are too, nothing but their tone is changed, and only patients with a lesion are in it: so a minute is enough.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import build_dataset, evaluate_masks, train
from covid_datasets.baselines.train import data

pytestmark = [
    pytest.mark.skipif(not all(map(find_spec, ("torch", "safetensors"))), reason="needs the extra baselines"),
    pytest.mark.usefixtures("one_thread"),
]
AIM = 0.95
"""Dice of lesions, the mean over held-out images, and of lungs."""
STRONG: dict[str, Any] = {
    "image_size": 80, "batch_size": 4, "epochs": 6, "warmup": 0, "augment": {"contrast": 0.15, "brightness": 0.05}
}  # fmt: skip
ILL = {"label": ["covid19", "bacterial_pneumonia"]}


@pytest.fixture(scope="module")
def faint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the phantom whose lesions no fixed threshold finds."""
    cache = tmp_path_factory.mktemp("faint")
    build_dataset("phantom", "training", cache_dir=cache, num_proc=2)
    return cache


def reached(cache: Path, out: Path, scheme: str, **changes: Any) -> Any:
    run = train(
        "phantom", out, "segment-small", config="training", scheme=scheme, seed=0, device="cpu", cache_dir=cache,
        filters=ILL, changes=STRONG | changes,
    )  # fmt: skip
    return evaluate_masks(run.path, cache_dir=cache, beside=False)


def test_lesions_of_held_out_patients_are_drawn(faint: Path, tmp_path: Path) -> None:
    found = reached(faint, tmp_path / "run", "patient(60/3/37)")
    assert found.patients > 80
    for mask in ("lung", "infection"):
        assert found.network.by_image[f"dice {mask}"].value >= AIM
        assert found.network.by_patient[f"dice {mask}"].value >= AIM


def test_masks_of_other_images_teach_nothing(faint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, for as many steps as the right masks take to get far: masks change places among images of train."""
    right = reached(faint, tmp_path / "right", "patient(40/3/57)", epochs=2, image_size=64)
    batches = data.Data.batches

    def shuffled(self: Any, part: str, *given: Any, **more: Any) -> Any:
        found = batches(self, part, *given, **more)
        return Moved(found) if part == "train" else found

    monkeypatch.setattr(data.Data, "batches", shuffled)
    wrong = reached(faint, tmp_path / "wrong", "patient(40/3/57)", epochs=2, image_size=64)
    of_right, of_wrong = (each.network.by_image["dice infection"].value for each in (right, wrong))
    assert of_wrong < AIM / 2 < of_right


class Moved:
    """Batches in which each image has the masks of the one before it."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Any:
        return (batch | {"masks": batch["masks"].roll(1, 0)} for batch in self._batches)
