"""Slices to a patient: attention finds the few that show a lesion, where a mean over all drowns it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from covid_datasets.audits.traits.auc import Pairs

pytestmark = [
    pytest.mark.skipif(not find_spec("torch"), reason="needs the extra baselines"),
    pytest.mark.usefixtures("one_thread"),
]
SLICES, SIDE, LEARNED, TESTED = 12, 16, 160, 80


def volumes(seed: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """Make volumes of noisy slices, each exposed in its own way; a slice of every second volume has a small lesion."""
    import torch

    random = np.random.default_rng(seed)
    count = LEARNED + TESTED
    found = random.normal(0, 0.4, (count, SLICES, 1, SIDE, SIDE)) + random.normal(0, 0.5, (count, SLICES, 1, 1, 1))
    ill = np.zeros((count, SLICES), bool)
    for volume in range(0, count, 2):
        at, row, column = random.integers((SLICES, SIDE - 4, SIDE - 4))
        found[volume, at, 0, row : row + 4, column : column + 4] += 1.2
        ill[volume, at] = True
    labels = np.asarray(ill.any(1), np.int64)
    return torch.from_numpy(found.astype(np.float32)), labels, ill


def learned(pooling: str, labels: np.ndarray, images: Any, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Train on the first volumes; return scores and shares of the others."""
    import torch

    from covid_datasets.baselines.networks.pooling import Pooled

    torch.manual_seed(seed)
    layers: list[Any] = [torch.nn.Conv2d(1, 8, 5, 2), torch.nn.ReLU(), torch.nn.AdaptiveMaxPool2d(1)]
    network = Pooled(torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(8, 2)), "4", pooling, 8)
    by = torch.optim.Adam(network.parameters(), 0.01)
    answers = torch.from_numpy(labels)
    for _ in range(200):
        rows = torch.randperm(LEARNED)[:16]
        scores = network(images[rows].flatten(0, 1), [SLICES] * len(rows))
        loss = torch.nn.functional.cross_entropy(scores, answers[rows])
        by.zero_grad()
        loss.backward()
        by.step()
    with torch.no_grad():
        found = [network.pooled(network.features(volume)) for volume in images[LEARNED:]]
    return (
        np.array([float(scores.softmax(0)[1]) for scores, _ in found]),
        np.stack([each.numpy() for _, each in found]),
    )


def auc_of(scores: np.ndarray, labels: np.ndarray) -> float:
    return Pairs.of(scores, labels == 1, np.zeros(len(labels))).auc(np.ones(len(labels)))


def test_attention_finds_the_slices_where_a_mean_does_not() -> None:
    images, labels, ill = volumes(0)
    tested = labels[LEARNED:]
    attention, shares = learned("attention", labels, images)
    mean, even = learned("mean", labels, images)
    assert auc_of(attention, tested) > 0.95
    assert auc_of(mean, tested) < auc_of(attention, tested) - 0.1
    assert (shares * ill[LEARNED:]).sum(1)[tested == 1].mean() > 0.7, "of 1, where chance is 1/12"
    assert np.allclose(even, 1 / SLICES)
    assert np.allclose(shares.sum(1), 1, atol=1e-5)


def test_labels_that_are_not_true_teach_nothing() -> None:
    images, labels, _ = volumes(0)
    found = []
    for seed in range(4):
        shuffled = np.random.default_rng(seed).permutation(labels)
        found.append(auc_of(learned("attention", shuffled, images, seed)[0], labels[LEARNED:]))
    assert abs(np.mean(found) - 0.5) < 0.1
