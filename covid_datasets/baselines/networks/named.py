"""Which networks there are, and how each is made. Importing this imports no torch, so that a command can list them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from covid_datasets.errors import UsageError, did_you_mean
from covid_datasets.extras import need

Make = Callable[[str, int, int, float], Any]


@dataclass(frozen=True, slots=True)
class Network:
    """One kind of network.

    Attributes:
        family: Networks of one family name their parameters alike.
        smallest: The smallest side of an image that leaves something to the last layer; of what draws masks, what a
            side is a multiple of.
        first: The first convolution, which sees the channels of an image.
        last: The last layer, which has a row for each class.
        maps: The layer that gives the last maps, before they are averaged.
        needs: The modules that it takes.
        dimensions: 2 of pictures, N×C×H×W, or 3 of volumes, N×C×D×H×W.
    """

    family: str
    smallest: int
    first: str
    last: str
    maps: str
    needs: tuple[str, ...] = ("torch",)
    dimensions: int = 2


_MONAI = ("torch", "monai")
_DENSE = Network("densenet", 32, "features.conv0", "class_layers.out", "features", _MONAI)
_RESIDUAL = Network("resnet", 32, "conv1", "fc", "layer4", _MONAI)
NETWORKS: dict[str, Network] = {
    "densenet121": _DENSE,
    "densenet169": _DENSE,
    "resnet18": _RESIDUAL,
    "resnet50": _RESIDUAL,
    "resnet10_3d": replace(_RESIDUAL, dimensions=3),
    "vgg16": Network("vgg", 32, "features.0", "classifier.6", "features"),
    "mobilenet_v2": Network("mobilenet", 32, "features.0.0", "classifier.1", "features"),
    "xception": Network("xception", 32, "conv1", "fc", "bn4"),
    "inception_v3": Network("inception", 75, "Conv2d_1a_3x3.conv", "fc", "Mixed_7c"),
    "efficientnet_b0": Network("efficientnet", 32, "_conv_stem", "_fc", "_bn1", _MONAI),
}
SEGMENTERS: dict[str, Network] = {
    "unet": Network("unet", 16, "down.0.first", "score", "down.4"),
}
"""Networks that draw masks, and tell no class: those of `covid_datasets.baselines.segment`."""
WIDTHS = (0.05, 2.0)


def network_of(name: str) -> Network:
    """Find a kind of network by its name.

    >>> network_of("densenet161")
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: network: expected one of densenet121, ..., found 'densenet161'. Did you mean ...
    """
    known = NETWORKS | SEGMENTERS
    if name not in known:
        raise UsageError(f"network: expected one of {', '.join(known)}, found {name!r}{did_you_mean(name, known)}")
    return known[name]


def make_network(name: str, classes: int, *, channels: int = 1, width: float = 1.0) -> Any:
    """Make a network for classification, with random weights drawn from torch's generator.

    Args:
        name: One of `NETWORKS`.
        classes: How many there are; the result has a score for each.
        channels: Of an image: 1 for grey, 3 for colours, and one more for each mask that is shown beside it.
        width: Which share of its channels each layer has; 1 is the network of the paper.

    Returns:
        A ``torch.nn.Module`` that takes N×C×H×W, or of volumes N×C×D×H×W, and returns N×classes.
    """
    kind = network_of(name)
    if name in SEGMENTERS:
        raise UsageError(f"network: expected one that tells classes, {', '.join(NETWORKS)}; {name} draws masks")
    for key, value in (("classes", classes), ("channels", channels)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UsageError(f"{key}: expected a whole number, 1 or more, found {value!r}")
    low, high = WIDTHS
    if not isinstance(width, int | float) or isinstance(width, bool) or not low <= width <= high:
        raise UsageError(f"width: expected a number from {low:g} to {high:g}, found {width!r}")
    need(*kind.needs)
    return _maker(kind.family)(name, classes, channels, width)


def _maker(family: str) -> Make:
    if family in ("densenet", "resnet", "efficientnet"):
        from covid_datasets.baselines.networks import of_monai

        makers: dict[str, Make] = {
            "densenet": of_monai.densenet,
            "resnet": of_monai.resnet,
            "efficientnet": of_monai.efficientnet,
        }
        return makers[family]
    from covid_datasets.baselines.networks.inception import InceptionV3
    from covid_datasets.baselines.networks.mobilenet import MobileNetV2
    from covid_datasets.baselines.networks.vgg import VGG
    from covid_datasets.baselines.networks.xception import Xception

    kinds = {"inception": InceptionV3, "mobilenet": MobileNetV2, "vgg": VGG, "xception": Xception}
    return lambda _, classes, channels, width: kinds[family](classes, channels, width)
