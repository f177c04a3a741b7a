"""Grey-level normalisation: real slices shown in five ways, and how far their greys differ before and after.

``python -m benchmarks.grey_levels FOLDER``: it holds ``*_image.nii.gz`` in grey, ``*_lung.nii.gz`` and
``*_infection.nii.gz``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel
import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.transforms.greys import normalised

SHOWN = ((1.0, 0), (0.7, 40), (1.3, -60), (0.85, -20), (0.6, 0))
"""Gain and offset, as other windows would have."""


def main() -> None:
    """Print the deviation of the median greys of lungs, soft tissue and lesions."""
    every: list[list[list[float]]] = [[], []]
    refused = 0
    for file in sorted(Path(sys.argv[1]).glob("*_image.nii.gz")):
        image, lung, lesion = (
            np.asarray(nibabel.load(str(file).replace("_image", f"_{part}")).dataobj)
            for part in ("image", "lung", "infection")
        )
        case: list[list[list[float]]] = [[], []]
        for number in range(image.shape[2]):
            values, inside, ill = (each[..., number].T for each in (image.astype(np.uint8), lung > 0, lesion > 0))
            if inside.sum() < 2000:
                continue
            for gain, offset in SHOWN:
                shown = np.clip(values * gain + offset, 0, 255).astype(np.uint8)
                try:
                    done, _ = normalised(shown)
                except UsageError:
                    refused += 1
                    continue
                soft = (values > 180) & (values < 230) & ~inside
                for which, picture in enumerate((shown, done)):
                    parts = [picture[inside & ~ill], picture[soft], picture[ill] if ill.sum() > 200 else []]
                    case[which].append([float(np.median(part)) if len(part) else np.nan for part in parts])
        for which in (0, 1):
            every[which] += case[which]
        before, after = (np.nanstd(each, axis=0).round(1) for each in case)
        print(f"{file.name}: deviation of lung, soft tissue, lesion {before} before, {after} after ({len(case[0])})")
    before, after = (np.nanstd(each, axis=0).round(1) for each in every)
    print(f"all: {before} before, {after} after, of {len(every[0])}; {refused} refused")
    print(f"means after: {np.nanmean(every[1], axis=0).round(1)}")


if __name__ == "__main__":
    main()
