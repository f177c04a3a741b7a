"""Changes of an image and its masks together: drawn at random, recorded, done again, undone.

`Augment` says how large changes may be, `Drawn` is what was drawn, `Image` and `Mask` are what is changed. A mask is
never blurred or interpolated, and its brightness never changes, because it is a type of its own.
"""

from covid_datasets.transforms.joint.augment import Augment, Changed, Turns
from covid_datasets.transforms.joint.drawn import Drawn
from covid_datasets.transforms.joint.presets import PRESETS, preset
from covid_datasets.transforms.joint.typed import Image, Mask

__all__ = ["PRESETS", "Augment", "Changed", "Drawn", "Image", "Mask", "Turns", "preset"]
