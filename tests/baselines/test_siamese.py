"""Networks that compare, and a few labels of a hospital that they have not seen."""

from __future__ import annotations

import json
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from covid_datasets import build_dataset, evaluate, explain, few_shot, load_dataset, predict, train
from covid_datasets.baselines.recipe import read_recipe
from covid_datasets.baselines.train.shots import shots_of
from covid_datasets.cli import main
from covid_datasets.errors import CatalogError, UsageError
from tests.baselines.quick import QUICK, SCHEME
from tests.baselines.test_resume import KILLED
from tests.processes import python

pytestmark = [
    pytest.mark.skipif(
        not all(map(find_spec, ("torch", "safetensors", "sklearn"))), reason="needs the extras baselines and audit"
    ),
    pytest.mark.usefixtures("one_thread"),
]
WAYS = ("contrastive", "triplet", "pairs", "prototypes")
SHORT = QUICK | {"references": 4, "features": 16}


@pytest.mark.parametrize("way", WAYS)
def test_a_class_is_what_its_references_are_like(way: str) -> None:
    """Two clouds of points come apart, and points that were not learned from are told by four references."""
    import torch

    from covid_datasets.baselines.networks.siamese import Siamese, likeness_loss

    torch.manual_seed(0)
    points = torch.randn(160, 6)
    labels = torch.arange(160) % 2
    points[:, 0] += 4 * labels
    inner = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
    network = Siamese(inner, way, classes=2, references=4, features=4)
    by = torch.optim.Adam(network.parameters(), 0.02)
    losses = []
    for step in range(60):
        rows = torch.arange(32) + 32 * (step % 3)
        loss = likeness_loss(network, network(points[rows]), labels[rows], 0.5)
        by.zero_grad()
        loss.backward()
        by.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    with torch.no_grad():
        network.eval()
        for number in range(2):
            network.references[number] = network.features(points[:96][labels[:96] == number][:4])
        right = network(points[96:]).argmax(1) == labels[96:]
    assert right.float().mean() > 0.9


def test_a_batch_without_pairs_teaches_nothing() -> None:
    import torch

    from covid_datasets.baselines.networks.siamese import Siamese, likeness_loss

    for way in WAYS:
        network = Siamese(torch.nn.Linear(3, 4), way, classes=2, references=1, features=4)
        for labels in ([0, 0, 0], [0, 1]):
            loss = likeness_loss(network, network(torch.rand(len(labels), 3)), torch.tensor(labels), 1.0)
            loss.backward()
            assert loss == 0


@pytest.mark.parametrize("way", WAYS)
def test_a_siamese_network_is_a_model_like_any_other(way: str, cohort: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"scheme": SCHEME, "device": "cpu", "filters": {"modality": "CT"}}
    run = train(
        "phantom", tmp_path / "run", f"siamese-{way}", cache_dir=cohort, changes=SHORT | {"epochs": 1}, **options
    )
    assert 0 <= evaluate(run.path, beside=False, cache_dir=cohort).auc.value <= 1
    (tmp_path / "mine").mkdir()
    assert predict(run.path, tmp_path / "mine", device="cpu").rows == ()
    if way == "pairs":
        assert explain(run.path, device="cpu", limit=4, cache_dir=cohort).images == 4


def test_a_killed_siamese_training_ends_with_the_same_bits(cohort: Path, tmp_path: Path) -> None:
    import torch

    from covid_datasets.baselines.train.state import read_tensors

    options: dict[str, Any] = {"scheme": SCHEME, "seed": 5, "device": "cpu", "checkpoint_steps": 2}
    options |= {"recipe": "siamese-triplet", "changes": SHORT}
    whole = train("phantom", tmp_path / "whole", cache_dir=cohort, **options)
    done = python(KILLED, tmp_path / "killed", cohort, "4", json.dumps(options))
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed = train("phantom", tmp_path / "killed", cache_dir=cohort, **options)
    for name in ("checkpoint.safetensors", "state.safetensors"):
        one, other = (read_tensors(run.path / name)[0] for run in (whole, resumed))
        assert all(torch.equal(one[key], other[key]) for key in one), name


def test_shots_are_of_different_people_and_follow_the_seed() -> None:
    labels = np.repeat([0, 1], 50)
    groups = np.concatenate([np.arange(50) // 5, np.arange(50) // 2])  # the first ten groups hold both classes
    drawn = [shots_of(labels, groups, ("rest", "covid19"), 8, seed) for seed in (0, 0, 1)]
    for shots in drawn:
        rows = np.concatenate(shots)
        assert len(set(groups[rows].tolist())) == 16
        assert [labels[each].tolist() for each in shots] == [[0] * 8, [1] * 8]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    with pytest.raises(UsageError, match="expected 11 images of rest, each of another group of people, found 10"):
        shots_of(labels, groups, ("rest", "covid19"), 11, 0)


@pytest.fixture(scope="module")
def hospitals(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, Path]:
    """Train on the phantom, and leave out a hospital whose pictures of other patients are exposed in another way."""
    folder = tmp_path_factory.mktemp("hospitals")
    build_dataset("phantom", config="series", cache_dir=cohort, num_proc=1)
    rows = load_dataset("phantom", "series", split="all", framework="numpy", cache_dir=cohort)
    told = zip(rows.column("label_raw").to_pylist(), rows.column("source_row").to_pylist(), strict=True)
    ill = [number for number, (label, row) in enumerate(told) if json.loads(row)["ill"] or label == "No Finding"]
    taken: dict[str, int] = {}
    table = ["path,patient,label,modality"]
    (folder / "other").mkdir()
    for row in map(rows.__getitem__, ill):
        patient = row["patient_id"].rpartition("/")[2]
        taken[patient] = taken.get(patient, 0) + 1
        if taken[patient] <= 2:
            name = f"{patient}-{taken[patient]}.png"
            exposed = np.clip(row["image"].astype(np.int32) // 2 + 110, 0, 255).astype(np.uint8)
            Image.fromarray(exposed).save(folder / "other" / name)
            table.append(f"{name},{patient},{row['label_raw']},CT")
    (folder / "other" / "table.csv").write_text("\n".join(table))
    build_dataset(folder / "other", cache_dir=cohort, num_proc=1)
    return folder / "other", cohort, folder


def test_a_few_labels_of_another_hospital(hospitals: tuple[Any, Path, Path], capsys: Any) -> None:
    other, cache, folder = hospitals
    options: dict[str, Any] = {"scheme": "leave-own.other-out", "device": "cpu", "filters": {"modality": "CT"}}
    found = []
    for recipe, changes in (("siamese-contrastive", SHORT), ("small", QUICK)):
        run = train(["phantom", other], folder / recipe, recipe, cache_dir=cache, changes=changes, **options)
        told = few_shot(run.path, shots=(1, 4), draws=2, steps=2, device="cpu", cache_dir=cache)
        found.append(told)
        assert {each.shots for each in told.found} == {1, 4}
        for each in told.found:
            assert 0 <= each.auc.value <= 1
            low, high = each.auc.low, each.auc.high
            assert low is not None
            assert high is not None
            assert low <= each.auc.value <= high
        assert told.auc("LBP and logistic regression", 4).value > 0.5
    ways = [{each.way for each in told.found} for told in found]
    assert ways[1] - ways[0] == {"fine-tuned with them"}
    assert "linear probe of its features" in ways[0] & ways[1]
    texture = [told.auc("LBP and logistic regression", 1) for told in found]
    assert texture[0] == texture[1], "two runs get the same draws"
    command = [
        "few",
        str(folder / "small"),
        "--shots",
        "2",
        "--draws",
        "1",
        "--steps",
        "0",
        "--json",
        "--device",
        "cpu",
    ]
    assert main([*command, "--cache-dir", str(cache)]) == 0
    assert json.loads(capsys.readouterr().out)["scheme"] == "leave-own.other-out"
    with pytest.raises(
        UsageError, match="expected fewer than there are groups of people with .* in test.* found 99 of"
    ):
        few_shot(folder / "small", shots=[99], device="cpu", cache_dir=cache)
    with pytest.raises(UsageError, match="shots: expected whole numbers, 1 or more, found 0"):
        few_shot(folder / "small", shots=[0], device="cpu", cache_dir=cache)


def test_what_cannot_be_compared_is_told_before() -> None:
    for changes, says in (
        ({"siamese": "twins"}, "key 'siamese': expected one of , contrastive"),
        ({"balance": False}, "key 'balance': expected true beside siamese"),
        ({"margin": 3.0}, "key 'margin': expected a number above 0, to 2"),
        ({"draws": ["infection"]}, "key 'draws': expected none beside siamese"),
        ({"unit": "patient"}, "key 'unit': expected 'image' beside siamese"),
        ({"references": 0}, "key 'references': expected 1 or more"),
    ):
        with pytest.raises(CatalogError, match=says):
            read_recipe("siamese-contrastive", **changes)
