"""`reencoded`: every picture as if it had been saved in one way, so that no model can learn how it was saved."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from covid_datasets.errors import UsageError
from covid_datasets.transforms.derive.contract import Derived, Sample, derives


@derives(version=1)
def reencoded(sample: Sample, quality: int = 75) -> Derived:
    """Give a picture in grey, as a JPEG of one quality shows it: colours are gone, and all have the same artefacts."""
    if not isinstance(quality, int) or not 1 <= quality <= 95:
        raise UsageError(f"quality: expected a whole number from 1 to 95, found {quality!r}")
    if sample.volume or sample.pixels.dtype != np.uint8:
        what = "a volume" if sample.volume else f"values of {sample.pixels.dtype}"
        raise UsageError(f"expected a picture of 8 bits, which a JPEG can hold, found {what}")
    file = io.BytesIO()
    Image.fromarray(sample.pixels).convert("L").save(file, "JPEG", quality=quality)
    grey = np.asarray(Image.open(file))
    return Derived(pixels=grey if sample.pixels.ndim == 2 else np.repeat(grey[..., None], sample.pixels.shape[2], 2))
