"""The networks that MONAI has: DenseNet, ResNet and EfficientNet, for pictures, in the form that their papers trained.

MONAI is imported when one of them is made: that takes seconds, and the other networks do without.
"""

from __future__ import annotations

from typing import Any

from covid_datasets.baselines.networks.width import narrowed

DENSE_BLOCKS = {"densenet121": (6, 12, 24, 16), "densenet169": (6, 12, 32, 32)}
RESIDUAL_BLOCKS = {"resnet18": ("basic", [2, 2, 2, 2]), "resnet50": ("bottleneck", [3, 4, 6, 3])}
VOLUME_BLOCKS = {"resnet10_3d": ("basic", [1, 1, 1, 1])}
EFFICIENT_BLOCKS = [
    "r1_k3_s11_e1_i32_o16_se0.25",
    "r2_k3_s22_e6_i16_o24_se0.25",
    "r2_k5_s22_e6_i24_o40_se0.25",
    "r3_k3_s22_e6_i40_o80_se0.25",
    "r3_k5_s11_e6_i80_o112_se0.25",
    "r4_k5_s22_e6_i112_o192_se0.25",
    "r1_k3_s11_e6_i192_o320_se0.25",
]
"""Those of EfficientNet-B0, in the words of its authors, which MONAI reads."""


def densenet(name: str, classes: int, channels: int, width: float) -> Any:
    """Make a DenseNet; its width is that of the first layer, and how many channels each layer adds."""
    from monai.networks.nets.densenet import DenseNet

    return DenseNet(
        2,
        channels,
        classes,
        init_features=narrowed(64, width),
        growth_rate=narrowed(32, width, 4),
        block_config=DENSE_BLOCKS[name],
    )


def resnet(name: str, classes: int, channels: int, width: float) -> Any:
    """Make a ResNet; MONAI's defaults are those of MedicalNet, so the stride of the first layer is said.

    In three dimensions the first layer leaves slices as they are, which are few and thick, and halves rows and columns.
    """
    from monai.networks.nets.resnet import ResNet

    block, layers = (RESIDUAL_BLOCKS | VOLUME_BLOCKS)[name]
    in_depth = name in VOLUME_BLOCKS
    return ResNet(
        block,
        layers,
        [narrowed(full, width) for full in (64, 128, 256, 512)],
        spatial_dims=3 if in_depth else 2,
        n_input_channels=channels,
        conv1_t_stride=(1, 2, 2) if in_depth else 2,
        bias_downsample=False,
        num_classes=classes,
    )


def efficientnet(name: str, classes: int, channels: int, width: float) -> Any:
    """Make an EfficientNet-B0; it pads as TensorFlow does, one pixel more below and to the right."""
    from monai.networks.nets.efficientnet import EfficientNet

    return EfficientNet(EFFICIENT_BLOCKS, 2, channels, classes, width_coefficient=width)
