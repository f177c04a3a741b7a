"""Masks that are made are packed, and one mask has one digest whatever packed it."""

from __future__ import annotations

import gzip
import hashlib
import zlib

import nibabel
import numpy as np
import pytest

from covid_datasets.read.encode import digest
from covid_datasets.read.inflate import engine
from covid_datasets.read.made import nifti_bytes, volume_mask
from covid_datasets.read.nifti import read_volume
from covid_datasets.read.packed import MARK, inner_digest, pack
from tests.nifti import nifti
from tests.raws import Files

LABELS = np.zeros((40, 64, 64), np.uint8)
LABELS[10:20, 20:40, 20:40], LABELS[15:18, 25:30, 25:30] = 1, 2


def test_a_made_mask_is_small_and_any_reader_opens_it() -> None:
    made = volume_mask("m.nii.gz", (1,), (1, 2))
    data = made.read(Files({"m.nii.gz": nifti(LABELS)}))
    assert made.path.endswith(".nii.gz")
    assert len(data) < LABELS.size / 50
    assert np.array_equal(read_volume(data, made.path).voxels, LABELS == 1)
    opened = nibabel.Nifti1Image.from_bytes(gzip.decompress(data))
    assert np.array_equal(np.asarray(opened.dataobj).T, LABELS == 1)


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_one_mask_has_one_digest_whatever_packed_it(level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = nifti_bytes(LABELS, np.eye(4), (1, 1, 1))
    first = digest(pack(data))
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    other = MARK + packer.compress(data) + packer.flush() + pack(data)[-8:]
    assert digest(other) == digest(memoryview(other)) == first
    monkeypatch.setattr("covid_datasets.read.packed.engine", lambda: zlib)
    assert digest(pack(data)) == first
    assert engine() is not None


def test_files_of_a_publisher_and_torn_ones_are_hashed_as_they_are() -> None:
    data = nifti(LABELS)
    torn = pack(data)[:-9]
    for each in (data, gzip.compress(b"x"), torn, MARK, b""):
        assert inner_digest(each) is None
        assert digest(each) == hashlib.sha256(each).hexdigest()
    assert digest(pack(b"x")) != digest(pack(b"y"))
