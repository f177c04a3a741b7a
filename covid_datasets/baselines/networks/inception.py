"""Inception-v3 (Szegedy and others, 2015): branches of different reach side by side. The auxiliary head is left out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from covid_datasets.baselines.networks.width import narrowed

Size = int | tuple[int, int]
Wide = Callable[[int], int]
"""Channels of the full network to those of this one."""


class Convolution(nn.Module):
    """A convolution with its normalisation and ReLU."""

    def __init__(self, before: int, after: int, kernel: Size, stride: int = 1, padding: Size = 0) -> None:
        """Make the layers."""
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=0.001)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Transform features."""
        return functional.relu(self.bn(self.conv(images)), inplace=True)


class Grid35(nn.Module):
    """The module of figure 5 of the paper: 1 by 1, 5 by 5, twice 3 by 3, and pooling."""

    def __init__(self, before: int, pooled: int, wide: Wide) -> None:
        """Make the branches."""
        super().__init__()
        self.branch1x1 = Convolution(before, wide(64), 1)
        self.branch5x5_1 = Convolution(before, wide(48), 1)
        self.branch5x5_2 = Convolution(wide(48), wide(64), 5, padding=2)
        self.branch3x3dbl_1 = Convolution(before, wide(64), 1)
        self.branch3x3dbl_2 = Convolution(wide(64), wide(96), 3, padding=1)
        self.branch3x3dbl_3 = Convolution(wide(96), wide(96), 3, padding=1)
        self.branch_pool = Convolution(before, wide(pooled), 1)
        self.channels = wide(64) * 2 + wide(96) + wide(pooled)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Put the branches side by side."""
        five = self.branch5x5_2(self.branch5x5_1(images))
        twice = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(images)))
        pool = self.branch_pool(functional.avg_pool2d(images, 3, 1, 1))
        return torch.cat([self.branch1x1(images), five, twice, pool], 1)


class To17(nn.Module):
    """Half the grid, with more channels."""

    def __init__(self, before: int, wide: Wide) -> None:
        """Make the branches."""
        super().__init__()
        self.branch3x3 = Convolution(before, wide(384), 3, stride=2)
        self.branch3x3dbl_1 = Convolution(before, wide(64), 1)
        self.branch3x3dbl_2 = Convolution(wide(64), wide(96), 3, padding=1)
        self.branch3x3dbl_3 = Convolution(wide(96), wide(96), 3, stride=2)
        self.channels = wide(384) + wide(96) + before

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Put the branches side by side."""
        twice = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(images)))
        return torch.cat([self.branch3x3(images), twice, functional.max_pool2d(images, 3, 2)], 1)


class Grid17(nn.Module):
    """The module of figure 6: 7 by 7 as 1 by 7 and 7 by 1, once and twice."""

    def __init__(self, before: int, inner: int, wide: Wide) -> None:
        """Make the branches."""
        super().__init__()
        after, row, column = wide(192), ((1, 7), (0, 3)), ((7, 1), (3, 0))

        def long(one: int, other: int, shape: tuple[Size, Size]) -> Convolution:
            return Convolution(one, other, shape[0], padding=shape[1])

        inner = wide(inner)
        self.branch1x1 = Convolution(before, after, 1)
        self.branch7x7_1 = Convolution(before, inner, 1)
        self.branch7x7_2 = long(inner, inner, row)
        self.branch7x7_3 = long(inner, after, column)
        self.branch7x7dbl_1 = Convolution(before, inner, 1)
        self.branch7x7dbl_2 = long(inner, inner, column)
        self.branch7x7dbl_3 = long(inner, inner, row)
        self.branch7x7dbl_4 = long(inner, inner, column)
        self.branch7x7dbl_5 = long(inner, after, row)
        self.branch_pool = Convolution(before, after, 1)
        self.channels = 4 * after

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Put the branches side by side."""
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(images)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(images)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        pool = self.branch_pool(functional.avg_pool2d(images, 3, 1, 1))
        return torch.cat([self.branch1x1(images), once, twice, pool], 1)


class To8(nn.Module):
    """A quarter of the grid, with more channels."""

    def __init__(self, before: int, wide: Wide) -> None:
        """Make the branches."""
        super().__init__()
        self.branch3x3_1 = Convolution(before, wide(192), 1)
        self.branch3x3_2 = Convolution(wide(192), wide(320), 3, stride=2)
        self.branch7x7x3_1 = Convolution(before, wide(192), 1)
        self.branch7x7x3_2 = Convolution(wide(192), wide(192), (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = Convolution(wide(192), wide(192), (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = Convolution(wide(192), wide(192), 3, stride=2)
        self.channels = wide(320) + wide(192) + before

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Put the branches side by side."""
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(images))))
        three = self.branch3x3_2(self.branch3x3_1(images))
        return torch.cat([three, seven, functional.max_pool2d(images, 3, 2)], 1)


class Grid8(nn.Module):
    """The module of figure 7: 3 by 3 as 1 by 3 beside 3 by 1."""

    def __init__(self, before: int, wide: Wide) -> None:
        """Make the branches."""
        super().__init__()
        self.branch1x1 = Convolution(before, wide(320), 1)
        self.branch3x3_1 = Convolution(before, wide(384), 1)
        self.branch3x3_2a = Convolution(wide(384), wide(384), (1, 3), padding=(0, 1))
        self.branch3x3_2b = Convolution(wide(384), wide(384), (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = Convolution(before, wide(448), 1)
        self.branch3x3dbl_2 = Convolution(wide(448), wide(384), 3, padding=1)
        self.branch3x3dbl_3a = Convolution(wide(384), wide(384), (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Convolution(wide(384), wide(384), (3, 1), padding=(1, 0))
        self.branch_pool = Convolution(before, wide(192), 1)
        self.channels = wide(320) + 4 * wide(384) + wide(192)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Put the branches side by side."""
        once = self.branch3x3_1(images)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(images))
        branches = [
            self.branch1x1(images),
            self.branch3x3_2a(once),
            self.branch3x3_2b(once),
            self.branch3x3dbl_3a(twice),
            self.branch3x3dbl_3b(twice),
            self.branch_pool(functional.avg_pool2d(images, 3, 1, 1)),
        ]
        return torch.cat(branches, 1)


class InceptionV3(nn.Module):
    """Stem, three grids and a linear layer; parameters have the names of torchvision."""

    def __init__(self, classes: int, channels: int, width: float) -> None:
        """Make the layers."""
        super().__init__()

        def wide(full: int) -> int:
            return narrowed(full, width)

        self.Conv2d_1a_3x3 = Convolution(channels, wide(32), 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(wide(32), wide(32), 3)
        self.Conv2d_2b_3x3 = Convolution(wide(32), wide(64), 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(wide(64), wide(80), 1)
        self.Conv2d_4a_3x3 = Convolution(wide(80), wide(192), 3)
        self.Mixed_5b = Grid35(wide(192), 32, wide)
        self.Mixed_5c = Grid35(self.Mixed_5b.channels, 64, wide)
        self.Mixed_5d = Grid35(self.Mixed_5c.channels, 64, wide)
        self.Mixed_6a = To17(self.Mixed_5d.channels, wide)
        self.Mixed_6b = Grid17(self.Mixed_6a.channels, 128, wide)
        self.Mixed_6c = Grid17(self.Mixed_6b.channels, 160, wide)
        self.Mixed_6d = Grid17(self.Mixed_6c.channels, 160, wide)
        self.Mixed_6e = Grid17(self.Mixed_6d.channels, 192, wide)
        self.Mixed_7a = To8(self.Mixed_6e.channels, wide)
        self.Mixed_7b = Grid8(self.Mixed_7a.channels, wide)
        self.Mixed_7c = Grid8(self.Mixed_7b.channels, wide)
        self.dropout = nn.Dropout()
        self.fc = nn.Linear(self.Mixed_7c.channels, classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.1, a=-0.2, b=0.2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return one score for each class."""
        found = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(images)))
        found = self.Conv2d_3b_1x1(functional.max_pool2d(found, 3, 2))
        found = functional.max_pool2d(self.Conv2d_4a_3x3(found), 3, 2)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            found = self.get_submodule(f"Mixed_{name}")(found)
        return self.fc(self.dropout(found.mean((2, 3))))
