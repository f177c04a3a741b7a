"""How many channels a layer of a narrower network has."""

from __future__ import annotations


def narrowed(channels: int, width: float, divisor: int = 8) -> int:
    """Scale a number of channels to a multiple of a divisor, never losing more than a tenth by rounding.

    This is the rule of MobileNet, which EfficientNet has taken over.

    >>> narrowed(64, 1), narrowed(64, 0.25), narrowed(24, 0.35), narrowed(3, 0.1)
    (64, 16, 8, 8)
    """
    if width == 1:
        return channels
    scaled = channels * width
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * scaled else rounded
