"""TFRecord, as TensorFlow Datasets lays it out: ``<name>-<split>.tfrecord-00000-of-0000N`` and what describes them.

Neither TensorFlow nor TensorFlow Datasets is imported. ``tfds.builder_from_directory(folder)`` opens the folder, and
``tf.data.TFRecordDataset`` its files.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from covid_datasets.errors import DamagedFileError, UsageError
from covid_datasets.exports.example import LIMIT, example
from covid_datasets.exports.exportable import Exportable, Split
from covid_datasets.exports.framing import checksums, record_lengths, write_record
from covid_datasets.exports.pictures import OFFSET
from covid_datasets.exports.semver import UNKNOWN, semver, semvers
from covid_datasets.exports.survey import Pictures, row_name, survey
from covid_datasets.exports.tfds_features import UNKNOWN_LISTS, Feature, features_json, plan

HOW = """With TensorFlow Datasets:

```python
import tensorflow_datasets as tfds

rows = tfds.builder_from_directory("this/folder").as_dataset(split="{split}")
```

Or with TensorFlow alone: `tf.data.TFRecordDataset` reads the files, and `features.json` names what each record holds.
"""
_CONVENTIONS = (
    "Unknown is -1 in labels and in truth values (which are 0 or 1), NaN in numbers with a point, the least value of "
    "its type in whole numbers, and empty in texts and files. "
    f"{UNKNOWN_LISTS} names the lists of which nobody told anything; one that is empty and not named there has nothing "
    "in it. Numbers with a point have 32 bits. A mask, and an image that not every row has, is a list of none or one."
)
_RESERVED = frozenset({"all"})
"""What tfds takes for a request and not for the name of a split."""


class RecordFile(Protocol):
    """An open file of records."""

    def write(self, payload: bytes) -> None:
        """Append a record."""
        ...

    def close(self) -> None:
        """Finish the file, and hold what is in it against what was written."""
        ...


class TFRecordFile:
    """An open file of the format TFRecord."""

    def __init__(self, path: Path) -> None:
        """Open a new file."""
        self._path, self._lengths = path, list[int]()
        self._file = path.open("wb", buffering=1 << 20)

    def write(self, payload: bytes) -> None:
        """Append a record."""
        write_record(self._file, payload)
        self._lengths.append(len(payload))

    def close(self) -> None:
        """Finish the file, and hold the lengths of what is in it against what was written."""
        self._file.close()
        if list(record_lengths(self._path)) != self._lengths:
            raise DamagedFileError(f"{self._path}: expected {len(self._lengths):,} records as they were written")


def write(data: Exportable, folder: Path, *, shard_bytes: int) -> None:
    """Write the splits as files of records, and what TensorFlow Datasets needs to read them."""
    checksums()  # now, and not when half is written
    write_records(data, folder, "tfrecord", TFRecordFile, shard_bytes)


def write_records(
    data: Exportable, folder: Path, form: str, open_file: Callable[[Path], RecordFile], shard_bytes: int
) -> None:
    """Write the splits in one of the file formats of TensorFlow Datasets."""
    splits, pictures = _checked(data.splits), survey(data)
    features = plan(data.features, pictures)
    written = []
    for name, split in splits.items():
        stem = f"{tfds_name(data.name)}-{name}.{form}"
        lengths = _write_shards(records(data, split, features), folder / stem, open_file, shard_bytes)
        written.append(
            {
                "name": name,
                "shardLengths": [str(len(shard)) for shard in lengths],
                "numBytes": str(sum(map(sum, lengths))),
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            }
        )
    describe(data, folder, features, pictures, {"fileFormat": form, "splits": written})


def _write_shards(
    payloads: Iterator[bytes], stem: Path, open_file: Callable[[Path], RecordFile], shard_bytes: int
) -> list[list[int]]:
    """Write records to numbered files, and return the lengths of each; no record makes one file without any.

    A file has its size when its records say so: what of it is on the disk already may differ from run to run.
    """
    lengths, size = [list[int]()], 0
    parts = [stem.with_name(f"{stem.name}.part")]
    file = open_file(parts[0])
    for payload in payloads:
        if size >= shard_bytes:
            file.close()
            lengths.append([])
            size = 0
            parts.append(stem.with_name(f"{stem.name}.{len(parts)}.part"))
            file = open_file(parts[-1])
        file.write(payload)
        lengths[-1].append(len(payload))
        size += len(payload)
    file.close()
    for number, part in enumerate(parts):
        os.rename(part, stem.with_name(f"{stem.name}-{number:05}-of-{len(parts):05}"))
    return lengths


def records(data: Exportable, split: Split, features: Mapping[str, Feature]) -> Iterator[bytes]:
    """Encode the rows of a split, one after the other.

    Raises:
        UsageError: A row has a value that no Example holds; the message names its sample and its column.
    """
    encoders = [entry for feature in features.values() for entry in feature.entries]
    for batch in split.batches():
        for row, entries in enumerate(zip(*(encode(batch) for encode in encoders), strict=True)):
            payload = example(entries)
            if len(payload) > LIMIT:
                sizes = _sizes(entries, features)
                largest = max(sizes, key=lambda name: sizes[name])
                raise UsageError(
                    f"{data.name}: {row_name(batch, row)}, column {largest!r}: expected a record of at most {LIMIT:,} "
                    f"bytes, which is all that TensorFlow parses, found {len(payload):,}. Next: leave the row or the "
                    "column out, or export as parquet"
                )
            yield payload


def _sizes(entries: Sequence[bytes], features: Mapping[str, Feature]) -> dict[str, int]:
    owners = [name for name, feature in features.items() for _ in feature.entries]
    sizes = dict.fromkeys(features, 0)
    for owner, entry in zip(owners, entries, strict=True):
        sizes[owner] += len(entry)
    return sizes


def describe(
    data: Exportable,
    folder: Path,
    features: Mapping[str, Feature],
    pictures: Mapping[str, Pictures],
    files: Mapping[str, Any],
) -> None:
    """Write ``dataset_info.json``, ``features.json`` and the names of classes; tfds accepts no key of ours in them."""
    for column, feature in features.items():
        for inner, names in feature.classes.items():
            _write_text(folder / f"{f'{column}-{inner}' if inner else column}.labels.txt", "\n".join(names) + "\n")
    _write_text(folder / "features.json", json.dumps(features_json(features), indent=2))
    info: dict[str, Any] = {
        "name": tfds_name(data.name),
        "version": version_of(data),
        "description": "\n\n".join(_description(data, pictures)),
        "citation": "\n\n".join(citation.bibtex() for card in data.cards for citation in card.citations),
        "redistributionInfo": {"license": "; ".join(card.licence.spdx or card.licence.terms for card in data.cards)},
        "disableShuffling": True,  # the rows are in their order, and tfds keeps it
        **files,
    }
    if (config := _config(data)) is not None:
        info["configName"] = config
    if {"image", "label"} <= set(features) and pictures["image"].everywhere:
        info["supervisedKeys"] = {"tuple": {"items": [{"featureKey": "image"}, {"featureKey": "label"}]}}
    _write_text(folder / "dataset_info.json", json.dumps(info, indent=2, ensure_ascii=False))


def _config(data: Exportable) -> str | None:
    return (data.sources[0].config or None) if len(data.sources) == 1 else None


def version_of(data: Exportable) -> str:
    """Return the version as three numbers; zeros where there are several sources."""
    if len(data.sources) != 1:
        return UNKNOWN
    card = data.sources[0].card
    numbers = {ours: number for number, ours in semvers(card).items()} if card else {}
    return numbers.get(data.version) or semver(data.version)


def _description(data: Exportable, pictures: Mapping[str, Pictures]) -> Iterator[str]:
    yield from (card.summary for card in data.cards)
    if data.fingerprint:
        yield f"Fingerprint {data.fingerprint} of version {data.version or 'unknown'}."
    yield _CONVENTIONS
    for column, found in pictures.items():
        if found.signed:
            yield (
                f"{column}: values with a sign are stored as value + {OFFSET}, and hu_slope and hu_intercept give back "
                "Hounsfield units: stored * hu_slope + hu_intercept."
            )
        if found.rewritten:
            count = ", ".join(f"{number:,} {form}" for form, number in sorted(found.rewritten.items()))
            bits = "16" if found.deep else "8"
            yield f"{column}: {count} became PNG of {bits} bits, with the same values, because tfds does not read them."


def tfds_name(name: str) -> str:
    """Write a name as tfds wants it: letters, digits and underscores, with a letter first.

    >>> tfds_name("cohen-covid_ct"), tfds_name("own.ward"), tfds_name("2020")
    ('cohen_covid_ct', 'own_ward', 'dataset_2020')
    """
    found = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return found if found[:1].isalpha() else f"dataset_{found}"


def _checked(splits: Mapping[str, Split]) -> Mapping[str, Split]:
    for name in splits:
        if name in _RESERVED or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise UsageError(
                f"tfrecord: expected splits named like 'train' or 'fold-1', found {name!r}, which tfds does not read "
                "as a name. Next: export({'another': rows}, ...)"
            )
    return splits


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
