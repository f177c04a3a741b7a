"""A network that looks where it should, and one that found a shortcut: the share in the lungs tells them apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from covid_datasets.baselines.explain.attention import grad_cam, occlusion, random_maps, saliency  # noqa: E402
from covid_datasets.baselines.explain.shares import attention_shares  # noqa: E402
from covid_datasets.errors import UsageError  # noqa: E402

SIDE = 32
COUNT = 64


def lungs() -> np.ndarray:
    """Return two lungs that fill a quarter of the picture."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[7:25, 5:14] = mask[7:25, 18:27] = True
    return mask


def cohort(shortcut: bool, seed: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """Draw pictures: the ill have a spot in a lung, or, as a shortcut, a mark in a corner; and where that is."""
    random = np.random.default_rng(seed)
    ill = np.arange(COUNT) % 2
    pictures = random.normal(0, 0.3, (COUNT, 1, SIDE, SIDE)).astype(np.float32)
    spots = np.zeros((COUNT, SIDE, SIDE), bool)
    for number in np.flatnonzero(ill).tolist():
        top, left = (0, 0) if shortcut else (random.integers(8, 20), random.choice([6, 7, 8, 19, 20, 21]))
        spots[number, top : top + 4, left : left + 4] = True
    pictures[:, 0] += 2.0 * spots
    return torch.from_numpy(pictures), ill, spots


def trained(shortcut: bool) -> Any:
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(inplace=True), torch.nn.MaxPool2d(2)]
    layers += [torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU(inplace=True)]
    model = torch.nn.Sequential(*layers, torch.nn.AdaptiveMaxPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 2))
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    pictures, ill, _ = cohort(shortcut, seed=1)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(pictures), torch.from_numpy(ill)).backward()
        optimiser.step()
    return model.eval()


@pytest.fixture(scope="module", params=[False, True], ids=["honest", "shortcut"])
def case(request: pytest.FixtureRequest) -> Iterator[tuple[bool, Any, Any, np.ndarray]]:
    """Train on one cohort, and give pictures of ill people of another one, with where the spots are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = trained(request.param)
    pictures, ill, spots = cohort(request.param, seed=2)
    right = model(pictures).argmax(1).numpy() == ill
    assert right.mean() > 0.95, "both are as good by their score"
    yield request.param, model, pictures[ill == 1], spots[ill == 1]
    torch.set_num_threads(threads)


@pytest.mark.parametrize("kind", ["grad_cam", "saliency", "occlusion"])
def test_the_share_in_the_lungs_tells_a_shortcut(case: tuple[bool, Any, Any, np.ndarray], kind: str) -> None:
    shortcut, model, pictures, spots = case
    explain = {"grad_cam": grad_cam, "saliency": saliency, "occlusion": occlusion}[kind]
    pictures, spots = pictures[:16], spots[:16]
    maps = explain(model, pictures, [1] * len(pictures))
    lung = np.broadcast_to(lungs(), maps.shape)
    found = attention_shares(maps, {"lung": lung, "spot": spots})
    at_random = attention_shares(random_maps(*maps.shape, seed=0), {"lung": lung, "spot": spots})
    assert found["spot"].enrichment.value > 3 * at_random["spot"].enrichment.value, "it looks at the spot"
    if shortcut:
        assert found["lung"].attention.value < 0.5 * at_random["lung"].attention.value
        assert found["outside"].attention.value > 0.8
    else:
        assert found["lung"].attention.low is not None
        assert found["lung"].attention.low > at_random["lung"].attention.value
        assert found["lung"].enrichment.value > 1.5
    assert at_random["lung"].enrichment.value == pytest.approx(1, abs=0.15)


def test_a_model_is_left_as_it_was(case: tuple[bool, Any, Any, np.ndarray]) -> None:
    _, model, pictures, _ = case
    model.train()
    model[4].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.zero_grad(set_to_none=True)
    grad_cam(model, pictures[:3], [1, 1, 1])
    saliency(model, pictures[:3], [1, 1, 1])
    occlusion(model, pictures[:3], [1, 1, 1])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items()), "also batch statistics"
    assert model.training
    assert not model[4].training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
    model.eval()


def test_grad_cam_is_what_its_paper_says() -> None:
    """Of a layer, global averages and one linear layer, weights are those of the linear layer: class activation."""
    torch.manual_seed(0)
    first, last = torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.Linear(3, 2)
    model = torch.nn.Sequential(first, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), last)
    pictures = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        expected = torch.relu((first(pictures) * last.weight[1][None, :, None, None]).sum(1))
    expected /= expected.sum((1, 2), keepdim=True)
    assert np.allclose(grad_cam(model, pictures, [1] * 4, layer="0"), expected.numpy(), atol=1e-5)


def test_each_image_is_explained_by_itself(case: tuple[bool, Any, Any, np.ndarray]) -> None:
    _, model, pictures, _ = case
    together = grad_cam(model, pictures[:5], [1, 0, 1, 0, 1])
    alone = np.concatenate([grad_cam(model, pictures[k : k + 1], [1 - k % 2]) for k in range(5)])
    assert np.allclose(together, alone, atol=1e-6)


def test_a_frozen_network_can_be_explained(case: tuple[bool, Any, Any, np.ndarray]) -> None:
    _, model, pictures, _ = case
    wanted = grad_cam(model, pictures[:2], [1, 1])
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with torch.no_grad():
        assert np.allclose(grad_cam(model, pictures[:2], [1, 1]), wanted)
    for parameter in model.parameters():
        parameter.requires_grad_(True)


def test_what_is_asked_wrongly_is_said(case: tuple[bool, Any, Any, np.ndarray]) -> None:
    _, model, pictures, _ = case
    with pytest.raises(UsageError, match="classes: expected one for each of 2 images, found 1"):
        grad_cam(model, pictures[:2], [1])
    with pytest.raises(UsageError, match="layer: expected the name of a layer, found 'conv'"):
        grad_cam(model, pictures[:2], [1, 1], layer="conv")
    with pytest.raises(UsageError, match="layer: expected one that gives maps"):
        grad_cam(model, pictures[:2], [1, 1], layer="8")
    with pytest.raises(UsageError, match="classes: expected numbers of the scores"):
        saliency(model, pictures[:2], [1, 2])
    with pytest.raises(UsageError, match="cells: expected a number from 1 to 32"):
        occlusion(model, pictures[:2], [1, 1], cells=33)
    with pytest.raises(UsageError, match="images: expected N×C×H×W"):
        saliency(model, pictures[0], [1])
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIDE * SIDE, 2))
    with pytest.raises(UsageError, match="use saliency or occlusion"):
        grad_cam(flat, pictures[:2], [1, 1])


def test_shares_leave_out_what_says_nothing() -> None:
    maps = np.zeros((3, 6, 6))
    maps[0, 2, 2] = maps[1, 0, 0] = 1
    lung = np.zeros((3, 6, 6), bool)
    lung[:2, 2:5, 2:5] = True
    found = attention_shares(maps, {"lung": lung}, groups=["a", "a", "b"])
    assert (found["lung"].attention.value, found["lung"].images) == (0.5, 2)
    assert found["lung"].attention.low is None, "one patient has no interval"
    assert found["upper"].attention.value == 0.5
    empty = attention_shares(maps, {"lung": np.zeros_like(lung)})
    assert np.isnan(empty["lung"].attention.value)
    assert empty["lung"].to_json()["attention"]["value"] is None
    with pytest.raises(UsageError, match="masks: expected lung of the shape of the maps"):
        attention_shares(maps, {"lung": lung[:, :3]})
    with pytest.raises(UsageError, match="maps: expected numbers from 0 on"):
        attention_shares(-maps, {"lung": lung})
