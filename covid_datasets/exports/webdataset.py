"""WebDataset: tar files whose members of one sample share a key, with the original bytes and a .json of the rest."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from covid_datasets.exports.exportable import Exportable
from covid_datasets.exports.sample import Held, held_files, key, plain_values
from covid_datasets.exports.shards import Shards

HOW = """```python
import glob
import webdataset

rows = webdataset.WebDataset(sorted(glob.glob("{split}-*.tar")), shardshuffle=False).decode("pil")
row = next(iter(rows))
row["json"]["sample_id"]
```

A sample has its image with the extension that its bytes have (`png`, `jpg`, `tif`), masks as `mask-lung.png`, a volume
as `nii` or `nii.gz`, everything else in `json`, and in `cls` the number of its class. A sample whose class nobody knows
has no `cls`: leave those out with `.select(lambda row: "cls" in row)`."""


def write(data: Exportable, folder: Path, *, shard_bytes: int) -> None:
    """Write each split as tar files; a sample is never torn apart."""
    types = data.feature_types
    for name, split in data.splits.items():
        shards = Shards(folder, name, ".tar", _open, shard_bytes)
        number = 0
        for batch in split.batches():
            for row in batch.to_pylist():
                tar, sample = shards.writer(), key(number, row)
                for held in held_files(row, types):
                    _add(tar, f"{sample}.{_extension(held)}", held.content)
                if row.get("label") is not None and data.label_names:
                    _add(tar, f"{sample}.cls", str(row["label"]).encode())
                text = json.dumps(plain_values(row, types), ensure_ascii=False, allow_nan=False)
                _add(tar, f"{sample}.json", text.encode())
                number += 1
        shards.finish()


def _open(path: Path) -> tarfile.TarFile:
    return tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)


def _extension(held: Held) -> str:
    """Name a file within its sample: what a row shows needs no more than its kind, and so do other columns not."""
    column, *inner = held.name
    if column in ("image", "volume", "video") and not inner:
        return held.extension
    words = [{"masks": "mask", "volume_masks": "volume-mask"}.get(column, column), *inner]
    return f"{'-'.join(words).replace('_', '-').replace('.', '-').lower()}.{held.extension}"


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a member that says nothing of when and by whom it was written."""
    member: Any = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
