"""What torchvision and timm call the parameters of our networks, so that a file of theirs can be read.

Each function takes the name of one of our parameters and returns theirs; that of VGG's two hidden layers in timm
is also of another shape, which holds the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

Renaming = Callable[[str], str]


def same(name: str) -> str:
    """Keep a name."""
    return name


def densenet(name: str) -> str:
    """Rename a parameter of a DenseNet, which torchvision and timm call alike.

    >>> densenet("features.denseblock1.denselayer2.layers.conv1.weight"), densenet("class_layers.out.bias")
    ('features.denseblock1.denselayer2.conv1.weight', 'classifier.bias')
    """
    return name.replace(".layers.", ".").replace("class_layers.out.", "classifier.")


def vgg_timm(name: str) -> str:
    """Rename a parameter of a VGG to timm's.

    >>> vgg_timm("classifier.6.weight")
    'head.fc.weight'
    """
    heads = {"0": "pre_logits.fc1", "3": "pre_logits.fc2", "6": "head.fc"}
    return re.sub(r"^classifier\.(\d)", lambda found: heads[found[1]], name)


_MOBILE_STAGES = (1, 2, 3, 4, 3, 3, 1)
_EFFICIENT_STAGES = (1, 2, 2, 3, 3, 4, 1)


def _place(number: int, depths: tuple[int, ...]) -> tuple[int, int]:
    """Find stage and block of a block that is counted through."""
    for stage, depth in enumerate(depths):
        if number < depth:
            return stage, number
        number -= depth
    raise ValueError(f"block {number} is beyond the last stage")


def mobilenet_timm(name: str) -> str:
    """Rename a parameter of a MobileNetV2 to timm's ``mobilenetv2_100``.

    >>> mobilenet_timm("features.2.conv.1.0.weight"), mobilenet_timm("features.18.1.bias")
    ('blocks.1.0.conv_dw.weight', 'bn2.bias')
    """
    found = re.match(r"features\.(\d+)\.(?:conv\.)?([\d.]+)\.(\w+)$", name)
    if not found:
        return name.replace("classifier.1.", "classifier.")
    block, layer, what = int(found[1]), found[2], found[3]
    ends = {(0, "0"): "conv_stem", (0, "1"): "bn1", (18, "0"): "conv_head", (18, "1"): "bn2"}
    if (block, layer) in ends:
        return f"{ends[block, layer]}.{what}"
    stage, number = _place(block - 1, _MOBILE_STAGES)
    plain = {"0.0": "conv_dw", "0.1": "bn1", "1": "conv_pw", "2": "bn2"}
    wide = {"0.0": "conv_pw", "0.1": "bn1", "1.0": "conv_dw", "1.1": "bn2", "2": "conv_pwl", "3": "bn3"}
    return f"blocks.{stage}.{number}.{(plain if stage == 0 else wide)[layer]}.{what}"


_EFFICIENT_ENDS = {
    "torchvision": {
        "_conv_stem": "features.0.0",
        "_bn0": "features.0.1",
        "_conv_head": "features.8.0",
        "_bn1": "features.8.1",
        "_fc": "classifier.1",
    },
    "timm": {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"},
}
_EFFICIENT_PARTS = {
    "torchvision": {
        "_expand_conv": "block.0.0",
        "_bn0": "block.0.1",
        "_depthwise_conv": "block.1.0",
        "_bn1": "block.1.1",
        "_se_reduce": "block.2.fc1",
        "_se_expand": "block.2.fc2",
        "_project_conv": "block.3.0",
        "_bn2": "block.3.1",
    },
    "timm": {
        "_expand_conv": "conv_pw",
        "_bn0": "bn1",
        "_depthwise_conv": "conv_dw",
        "_bn1": "bn2",
        "_se_reduce": "se.conv_reduce",
        "_se_expand": "se.conv_expand",
        "_project_conv": "conv_pwl",
        "_bn2": "bn3",
    },
}
_FIRST_PARTS = {
    "torchvision": {
        "_depthwise_conv": "block.0.0",
        "_bn1": "block.0.1",
        "_se_reduce": "block.1.fc1",
        "_se_expand": "block.1.fc2",
        "_project_conv": "block.2.0",
        "_bn2": "block.2.1",
    },
    "timm": {
        "_depthwise_conv": "conv_dw",
        "_bn1": "bn1",
        "_se_reduce": "se.conv_reduce",
        "_se_expand": "se.conv_expand",
        "_project_conv": "conv_pw",
        "_bn2": "bn2",
    },
}
"""The first block of an EfficientNet does not expand, so that its layers have other numbers."""


def efficientnet(name: str, layout: str) -> str:
    """Rename a parameter of an EfficientNet-B0, whose blocks MONAI counts through.

    >>> efficientnet("_blocks.1.2._expand_conv.weight", "torchvision")
    'features.2.1.block.0.0.weight'
    """
    found = re.match(r"_blocks\.\d+\.(\d+)\.(\w+)\.(\w+)$", name)
    if not found:
        layer, _, what = name.partition(".")
        return f"{_EFFICIENT_ENDS[layout][layer]}.{what}"
    stage, number = _place(int(found[1]), _EFFICIENT_STAGES)
    part, what = found[2], found[3]
    parts = (_FIRST_PARTS if stage == 0 else _EFFICIENT_PARTS)[layout]
    start = "blocks" if layout == "timm" else "features"
    return f"{start}.{stage + (layout == 'torchvision')}.{number}.{parts[part]}.{what}"


LAYOUTS: Mapping[str, Mapping[str, Renaming]] = {
    "densenet": {"ours": same, "torchvision and timm": densenet},
    "resnet": {"ours, torchvision and timm": same},
    "vgg": {"ours and torchvision": same, "timm": vgg_timm},
    "mobilenet": {"ours and torchvision": same, "timm": mobilenet_timm},
    "xception": {"ours and timm": same},
    "unet": {"ours": same},
    "inception": {"ours, torchvision and timm": same},
    "efficientnet": {
        "ours": same,
        "torchvision": partial(efficientnet, layout="torchvision"),
        "timm": partial(efficientnet, layout="timm"),
    },
}
"""Family of networks -> what a layout is called -> how it names our parameters."""
