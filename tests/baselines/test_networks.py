"""Networks by name: as large as published, narrower on request, and with weights of a file where that is theirs."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from covid_datasets.baselines.networks.layouts import LAYOUTS
from covid_datasets.baselines.networks.named import NETWORKS, make_network
from covid_datasets.errors import ChangedUpstreamError, DamagedFileError, UsageError

torch: Any = import_module("torch") if find_spec("torch") else None
needs_all = pytest.mark.skipif(
    not all(map(find_spec, ("torch", "monai", "safetensors"))), reason="needs the extra baselines"
)

FLAT = [name for name, kind in NETWORKS.items() if kind.dimensions == 2]
PUBLISHED = {
    "densenet121": 7_978_856,
    "densenet169": 14_149_480,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "vgg16": 138_357_544,
    "mobilenet_v2": 3_504_872,
    "xception": 22_855_952,
    "inception_v3": 27_161_264 - 3_326_696,  # without the auxiliary head
    "efficientnet_b0": 5_288_548,
}
"""Parameters for 1,000 classes, as the pages of torchvision's models state them; Xception's as Keras trains."""
OTHERS = {
    ("densenet121", "torchvision and timm"): "89bb95a6c06030d4",
    ("densenet169", "torchvision and timm"): "fabed33fa5c7a7df",
    ("resnet18", "ours, torchvision and timm"): "6cb439dd8789c9fe",
    ("resnet50", "ours, torchvision and timm"): "98fcefba1b06f509",
    ("vgg16", "ours and torchvision"): "63f9f2f4402fbe84",
    ("mobilenet_v2", "ours and torchvision"): "901b1733fa105c1c",
    ("mobilenet_v2", "timm"): "c702f0afb8e10d61",
    ("xception", "ours and timm"): "f4d2f95e9a86abcb",
    ("inception_v3", "ours, torchvision and timm"): "9c90b967c7ed91f7",
    ("efficientnet_b0", "torchvision"): "533e07ad1a0211b1",
    ("efficientnet_b0", "timm"): "781afcdc8034070e",
}
"""Digests of names and shapes as torchvision 0.29.1 and timm 1.0.31 have them, taken from these two."""


def full(name: str) -> Any:
    """Make a network of full size that takes no memory."""
    with torch.device("meta"):
        return make_network(name, 1000, channels=3)


def narrow(name: str, classes: int = 3, channels: int = 3, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return make_network(name, classes, channels=channels, width=0.05)


def names_of(network: Any) -> list[str]:
    return [name for name in network.state_dict() if not name.endswith("num_batches_tracked")]


@needs_all
@pytest.mark.parametrize("name", FLAT)
def test_full_networks_are_those_of_their_papers(name: str) -> None:
    assert sum(values.numel() for values in full(name).parameters()) == PUBLISHED[name]


@needs_all
@pytest.mark.parametrize("name", FLAT)
def test_networks_take_their_smallest_image_and_any_channels(name: str) -> None:
    network = narrow(name, classes=2, channels=2).eval()
    side = NETWORKS[name].smallest
    assert network(torch.zeros(1, 2, side, side)).shape == (1, 2)
    assert network(torch.zeros(2, 2, side + 13, side)).isfinite().all()
    assert sum(values.numel() for values in network.parameters()) < PUBLISHED[name] / 10


@needs_all
def test_a_network_in_three_dimensions_takes_few_and_many_slices() -> None:
    network = narrow("resnet10_3d", classes=2, channels=1).eval()
    assert network(torch.zeros(1, 1, 2, 32, 32)).shape == (1, 2)
    assert network(torch.zeros(2, 1, 20, 45, 32)).isfinite().all()


@needs_all
@pytest.mark.parametrize(("name", "layout"), OTHERS)
def test_names_are_those_of_the_others(name: str, layout: str) -> None:
    rename = LAYOUTS[NETWORKS[name].family][layout]
    lines = sorted(f"{rename(ours)} {list(value.shape)}\n" for ours, value in full(name).state_dict().items())
    assert hashlib.sha256("".join(lines).encode()).hexdigest()[:16] == OTHERS[name, layout]


@needs_all
@pytest.mark.parametrize(
    ("name", "layout"),
    [
        each for each in OTHERS if each[0] not in ("densenet121", "densenet169", "resnet50", "inception_v3")
    ],  # the largest
)
def test_weights_of_each_layout_are_taken(name: str, layout: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from covid_datasets.baselines.networks.weights import load_weights

    theirs = narrow(name, seed=1)
    rename = LAYOUTS[NETWORKS[name].family][layout]
    save_file({rename(ours): value for ours, value in theirs.state_dict().items()}, tmp_path / "given.safetensors")
    network = narrow(name)
    loaded = load_weights(network, name, tmp_path / "given.safetensors")
    assert (loaded.layout, loaded.left_out) == (layout, ())
    assert loaded.sha256 == hashlib.sha256((tmp_path / "given.safetensors").read_bytes()).hexdigest()
    assert all(torch.equal(value, theirs.state_dict()[ours]) for ours, value in network.state_dict().items())


@needs_all
def test_other_classes_and_channels(tmp_path: Path) -> None:
    """A grey network with a mask sees in a grey picture what the one for colours saw in three equal channels."""
    from covid_datasets.baselines.networks.weights import load_weights

    theirs, path = narrow("mobilenet_v2", classes=5, seed=1).eval(), tmp_path / "given.pth"
    torch.save({"state_dict": {f"module.{name}": value for name, value in theirs.state_dict().items()}}, path)
    ours = narrow("mobilenet_v2", classes=2, channels=2).eval()
    loaded = load_weights(ours, "mobilenet_v2", path, image_channels=1)
    assert loaded.left_out == ("classifier.1.weight", "classifier.1.bias")
    grey = torch.randn(2, 1, 64, 64)
    with_mask = torch.cat([grey, torch.rand(2, 1, 64, 64)], 1)
    assert torch.allclose(ours.features(with_mask), theirs.features(grey.expand(-1, 3, -1, -1)), atol=1e-5)


@needs_all
def test_other_files_are_refused(tmp_path: Path) -> None:
    from covid_datasets.baselines.networks.weights import load_weights

    network, path = narrow("mobilenet_v2"), tmp_path / "given.pth"
    before = {name: value.clone() for name, value in network.state_dict().items()}

    def refused(kind: type[Exception], says: str, **options: Any) -> None:
        with pytest.raises(kind, match=says):
            load_weights(network, "mobilenet_v2", path, **options)

    refused(UsageError, "Nothing is downloaded")
    torch.save(narrow("xception").state_dict(), path)
    refused(UsageError, "expected weights of mobilenet_v2, found those of another network")
    torch.save(make_network("mobilenet_v2", 3, channels=3, width=0.5).state_dict(), path)
    refused(UsageError, "features.0.0.weight has the shape")
    torch.save(network.state_dict(), path)
    refused(ChangedUpstreamError, "expected the SHA-256 00112233", sha256="00112233")
    path.rename(tmp_path / "given-00112233.pth")
    path = tmp_path / "given-00112233.pth"
    refused(ChangedUpstreamError, "the end of its name")
    path = tmp_path / "cut.pth"
    path.write_bytes((tmp_path / "given-00112233.pth").read_bytes()[:-1000])
    refused(DamagedFileError, "expected weights as safetensors")
    torch.save(list(network.state_dict().values()), path)
    refused(DamagedFileError, "found list")
    path = tmp_path / "code.pth"
    torch.save(network, path)  # a pickled module: reading it would run code
    refused(DamagedFileError, "without code")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "resnet"}, "Did you mean 'resnet50'|'resnet18'"),
        ({"classes": 0}, "classes: expected a whole number"),
        ({"channels": True}, "channels: expected a whole number"),
        ({"width": 0}, "width: expected a number from 0.05"),
    ],
)
def test_misspelt_arguments(options: dict[str, Any], says: str) -> None:
    given: dict[str, Any] = {"name": "resnet18", "classes": 2}
    with pytest.raises(UsageError, match=says):
        make_network(**given | options)


@needs_all
def test_no_torchvision_timm_or_lightning(tmp_path: Path) -> None:
    """They are blocked, so that whoever imports one fails; MONAI takes torchvision where it is there."""
    code = """
import sys
for name in ("torchvision", "timm", "lightning", "pytorch_lightning"):
    sys.modules[name] = None
from pkgutil import walk_packages
from importlib import import_module
import covid_datasets.baselines as room
for each in walk_packages(room.__path__, room.__name__ + "."):
    import_module(each.name)
from covid_datasets.baselines.networks.named import make_network
make_network("resnet18", 2, width=0.05)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
