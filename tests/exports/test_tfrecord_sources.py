"""Every kind of source as TFRecord, and several as one: TensorFlow Datasets reads the values that NumPy rows have."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import covid_datasets
from covid_datasets import export
from tests.exports.outside import needs_outside, outside
from tests.exports.test_sources import KINDS
from tests.small import SmallSources

READ = """
import hashlib, json, sys
import numpy as np
import tensorflow_datasets as tfds
builder = tfds.builder_from_directory(sys.argv[1])
def seen(row):
    found = {}
    for name in ("sample_id", "patient_id", "modality", "date", "country"):
        if name in row:
            found[name] = row[name].decode()
    for name in ("volume", "video"):
        if name in row:
            found[name] = hashlib.sha256(row[name]).hexdigest() if row[name] else ""
    if "image" in row:
        images = list(row["image"]) if np.ndim(row["image"]) == 4 else [row["image"]]
        found["image"] = [[list(each.shape), float(each[..., 0].astype("float64").sum())] for each in images]
        found["scale"] = [None if np.isnan(row[name]) else float(row[name]) for name in ("hu_slope", "hu_intercept")]
        found["label"] = int(row["label"])
        masks = {name: list(each) for name, each in row["masks"].items()}
        found["masks"] = {name: int((each[0] > 0).sum()) if each else None for name, each in masks.items()}
    return found
print(json.dumps({split: [seen(row) for row in tfds.as_numpy(builder.as_dataset(split=split))]
                  for split, about in builder.info.splits.items() if about.num_examples}))
"""


def check(found: Any, rows: Any, stored: Any) -> None:
    """Hold what TensorFlow read against decoded rows, and against the files that are stored."""
    for theirs, ours, files in zip(found, rows, stored, strict=True):
        for name in set(theirs) & {"sample_id", "patient_id", "modality", "country"}:
            assert theirs[name] == (ours[name] or "")
        for name in ("volume", "video"):
            if name in theirs:
                content = files[name] and files[name]["bytes"]
                assert theirs[name] == (sha256(content).hexdigest() if content else "")
        if "image" not in theirs:
            continue
        assert theirs["label"] == (-1 if ours["label"] is None else ours["label"])
        if ours["image"] is None:
            assert theirs["image"] == []
            continue
        ((shape, total),) = theirs["image"]
        assert shape[:2] == list(ours["image"].shape[:2])
        plane = ours["image"] if ours["image"].ndim == 2 else ours["image"][..., 0]
        if theirs["scale"][0] is not None:
            slope, intercept = theirs["scale"]
            total = total * slope + intercept * plane.size
        is_jpeg = files["image"]["bytes"][:2] == b"\xff\xd8"  # decoders of JPEG differ by a little
        assert total == pytest.approx(plane.astype(np.float64).sum(), rel=0.01 if is_jpeg else 1e-6, abs=1)
        for name, mask in ours["masks"].items():
            assert theirs["masks"][name] == (None if mask is None else int((mask > 0).sum()))


def held(split: Any) -> Any:
    return split.table().to_pylist()


@needs_outside
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", KINDS, ids=["-".join(filter(None, kind)) for kind in KINDS])
def test_every_kind_of_source(kind: tuple[str, str | None], small: SmallSources, tmp_path: Path) -> None:
    name, config = kind
    built = small.build(name, config=config)
    rows = covid_datasets.load_dataset(
        name, built.config, framework="numpy", cache_dir=small.cache, data_dir=small.tree(name), allow_missing=True
    )
    export(rows, "tfrecord", tmp_path / "out", shard_bytes=100_000)
    found = outside(READ, tmp_path / "out")
    assert set(found) == {split for split, each in rows.items() if len(each)}
    for split, each in found.items():
        check(each, rows[split], held(rows[split]))


@needs_outside
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_several_sources_of_8_and_of_16_bits_as_one(small: SmallSources, tmp_path: Path) -> None:
    for name, config in (("covid_ct", None), ("midrc_ricord_1a", None)):
        small.build(name, config=config)
    rows = covid_datasets.load_dataset(
        ["covid_ct", "midrc_ricord_1a"], framework="numpy", cache_dir=small.cache, allow_missing=True
    )
    export(rows, "tfrecord", tmp_path / "out")
    found = outside(READ, tmp_path / "out")
    for split, each in found.items():
        check(each, rows[split], held(rows[split]))
