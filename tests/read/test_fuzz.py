"""Whatever is in a file, a reader reads it or says what is wrong with it: never anything else.

``python -m benchmarks.fuzz`` goes on where this ends.
"""

from __future__ import annotations

import pytest

for module in ("pydicom", "nibabel", "av", "imagecodecs", "gdcm"):
    pytest.importorskip(module)

from tests.read.fuzz import raw_errors  # noqa: E402

KINDS = ("dicom", "nifti", "metaimage", "mdai", "darwin", "coco", "video", "image")


@pytest.mark.parametrize("kind", KINDS)
def test_five_hundred_changed_files(kind: str) -> None:
    assert raw_errors(kind, 500, seed=0) == []
