"""The pictures of some rows of builds as arrays of one size, for models that are small enough to learn at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from covid_datasets.audits.traits.rows import Rows
from covid_datasets.measure.image import UndecodableError, decode, grey_of
from covid_datasets.prepare.result import Built
from covid_datasets.progress import progress


def grey_pictures(builds: Sequence[Built], chosen: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
    """Decode pictures as 8-bit grey of one size, as `load_dataset` does; what is no picture, or damaged, is black.

    ``chosen`` are numbers of rows, counted through all builds.
    """
    rows = Rows(builds, chosen)
    slopes, intercepts = (rows.table.column(name).to_pylist() for name in ("hu_slope", "hu_intercept"))
    found = np.zeros((len(chosen), side, side), np.uint8)
    with progress("Decoding", unit="rows") as display:
        display.add("rows", len(chosen))
        for row in range(len(chosen)):
            display.advance("rows")
            picture = rows.picture(row)
            if picture is None:
                continue
            known = slopes[row] is not None and intercepts[row] is not None
            try:
                grey = grey_of(decode(bytes(picture.data)), (slopes[row], intercepts[row]) if known else None)
            except UndecodableError:  # a build that only hashed its bytes may hold such
                continue
            found[row] = np.asarray(grey.resize((side, side), Image.Resampling.BILINEAR))
    return found
