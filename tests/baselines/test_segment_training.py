"""A network learns to see consolidation, from a seed, through kills and with an error where numbers run away."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets.errors import DamagedFileError, UsageError
from covid_datasets.phantoms.volume import chest_volume
from covid_datasets.transforms.segment.lungs import lung_mask

pytestmark = pytest.mark.skipif(
    not (find_spec("torch") and find_spec("safetensors")), reason="needs the extra baselines"
)
TINY: Any = {"widths": (8, 16, 24), "side": 48}


@pytest.fixture(scope="module")
def chests() -> Any:
    from covid_datasets.baselines.segment.examples import phantom_examples
    from covid_datasets.baselines.segment.slices import pool

    return pool(phantom_examples(8, seed=7))


def learn(chests: Any, folder: Path | None = None, steps: int = 12, rate: float = 3e-3, **more: Any) -> Any:
    from covid_datasets.baselines.segment.training import Plan, train
    from covid_datasets.baselines.segment.unet import Architecture

    return train(chests, Plan(steps=steps, batch=8, rate=rate, seed=3), Architecture(**TINY), folder=folder, **more)


def bits(network: Any) -> bytes:
    return b"".join(value.contiguous().numpy().tobytes() for value in network.state_dict().values())


def test_a_tiny_network_keeps_consolidation_that_a_threshold_loses(chests: Any) -> None:
    from covid_datasets.baselines.segment.learned import lungs_by

    method = lungs_by(learn(chests, steps=110), "tiny")
    rows = []
    for seed in (1, 2):
        known = chest_volume(seed, shape=(16, 96, 96), load=0.3, kinds=("consolidation",))
        dense, lung = known.infection > 0, known.lung > 0
        learned = lung_mask(known.voxels, spacing=known.spacing, method=method).mask > 0
        rows.append([dense[learned].sum() / dense.sum(), dense[(known.voxels < -320) & lung].sum() / dense.sum()])
    kept, plain = np.mean(rows, axis=0)
    assert kept > plain + 0.3


def test_one_seed_gives_one_network_and_leaves_the_state_of_torch_alone(chests: Any) -> None:
    import torch

    before = torch.random.get_rng_state()
    assert bits(learn(chests)) == bits(learn(chests))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_training_that_was_stopped_goes_on_to_the_same_bits(
    chests: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from covid_datasets.baselines.segment import training

    monkeypatch.setattr(training, "KEEP", 5)
    seen: list[int] = []

    def stop(step: int, loss: float) -> None:
        seen.append(step)
        if step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(chests, tmp_path, on_step=stop)
    assert [path.name for path in tmp_path.iterdir()] == [training.STATE]
    resumed = learn(chests, tmp_path, on_step=lambda step, loss: seen.append(step))
    assert seen == [*range(8), *range(5, 12)]
    assert bits(resumed) == bits(learn(chests))


def test_the_state_of_another_training_is_refused_and_a_damaged_one_is_said(chests: Any, tmp_path: Path) -> None:
    from covid_datasets.baselines.segment.training import STATE

    learn(chests, tmp_path, steps=2)
    with pytest.raises(UsageError, match="that of another one"):
        learn(chests, tmp_path, steps=3)
    path = tmp_path / STATE
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DamagedFileError, match="expected the state of a training"):
        learn(chests, tmp_path, steps=2)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_state(
    chests: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from covid_datasets.baselines.segment import training

    monkeypatch.setattr(training, "KEEP", 4)
    real = training.loss_of
    calls: list[int] = []

    def lost(scores: Any, truth: Any) -> Any:
        calls.append(1)
        return real(scores, truth) * (torch.nan if len(calls) == 7 else 1)

    monkeypatch.setattr(training, "loss_of", lost)
    with pytest.raises(training.TrainingError, match=r"step 6.*holds step 4"):
        learn(chests, tmp_path)
    monkeypatch.setattr(training, "loss_of", real)
    seen: list[int] = []
    learn(chests, tmp_path, on_step=lambda step, loss: seen.append(step))
    assert seen[0] == 4


def test_a_rate_that_is_too_high_is_said(chests: Any) -> None:
    from covid_datasets.baselines.segment.training import TrainingError

    with pytest.raises(TrainingError, match="a lower rate than 1e"):
        learn(chests, rate=1e25)


def test_volumes_with_masks_are_examples_and_what_is_missing_is_named(tmp_path: Path) -> None:
    import nibabel

    from covid_datasets.baselines.segment.examples import examples_of

    with pytest.raises(UsageError, match="found none"):
        list(examples_of(tmp_path))
    known = chest_volume(1, shape=(4, 48, 48))
    for what, voxels in (("image", known.voxels), ("lung", known.lung)):
        nibabel.save(nibabel.Nifti1Image(voxels.transpose(2, 1, 0), np.eye(4)), tmp_path / f"a_{what}.nii.gz")
    with pytest.raises(UsageError, match=r"a_infection\.nii\.gz: expected a mask beside"):
        list(examples_of(tmp_path))
    nibabel.save(nibabel.Nifti1Image(known.infection.transpose(2, 1, 0), np.eye(4)), tmp_path / "a_infection.nii.gz")
    ((name, example),) = examples_of(tmp_path)
    assert (name, example.hounsfield) == ("a", True)
    assert np.array_equal(example.infection, known.infection)
