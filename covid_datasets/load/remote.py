"""Stream a finished build from where it lies, a folder at any URL that ``fsspec`` opens; nothing is written."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from covid_datasets.errors import DamagedFileError, NotThereError, UsageError
from covid_datasets.extras import need
from covid_datasets.features import features_dict
from covid_datasets.load.form import check_columns
from covid_datasets.prepare.seal import MANIFEST_FILE, SEAL_FILE, seal_of

if TYPE_CHECKING:
    from datasets import IterableDatasetDict


def stream_build(url: str, columns: Sequence[str] | None = None) -> IterableDatasetDict:
    """Stream the splits of the build in a folder at a URL; its files are the shards that workers and ranks share.

    The manifest has to be the one that was sealed, and every file has to have its size. Bytes are read as they are
    needed, so `verify` of a copy is what compares all of them.
    """
    need("datasets")
    from datasets import Features, IterableDataset, IterableDatasetDict

    text = _read(url, MANIFEST_FILE)
    if _read(url, SEAL_FILE) != seal_of(text):
        raise DamagedFileError(f"{url}/{MANIFEST_FILE}: expected the SHA-256 that {SEAL_FILE} names, found another")
    manifest = json.loads(text)
    build, files = manifest["build"], manifest["files"]
    if build["incomplete"]:
        warnings.warn(f"{build['id']}@{build['version']} is INCOMPLETE: {build['rows']:,} rows", stacklevel=3)
    features = Features.from_dict(features_dict(build["columns"]))
    chosen = check_columns(columns, tuple(features))
    features = Features({name: features[name] for name in chosen})
    return IterableDatasetDict(
        {
            split: IterableDataset.from_generator(
                _rows,
                features=features,
                gen_kwargs={
                    "files": [
                        (f"{url}/{name}", files[name]["size"])
                        for name in sorted(files)
                        if name.startswith(f"{split}/") and name.endswith(".arrow")
                    ],
                    "columns": chosen,
                },
            )
            for split in build["splits"]
        }
    )


def _rows(files: list[tuple[str, int]], columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    import fsspec

    for url, size in files:
        system, path = fsspec.core.url_to_fs(url)
        try:
            with system.open(path, "rb") as file:
                found = system.info(path).get("size")
                if found not in (None, size):  # a web server may not say
                    raise DamagedFileError(f"{url}: expected {size:,} bytes, found {found:,}")
                for batch in pa.ipc.open_stream(file):
                    yield from batch.select(list(columns)).to_pylist()
        except FileNotFoundError as error:
            raise DamagedFileError(f"{url}: expected {size:,} bytes, found no such file") from error
        except pa.ArrowInvalid as error:
            raise DamagedFileError(f"{url}: expected the Arrow file of the build, found: {error}") from error


def _read(url: str, name: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(f"{url}/{name}", "rb") as file:
            found: bytes = file.read()
    except FileNotFoundError as error:
        raise NotThereError(f"{url}: expected the folder of a finished build, found no {name} in it") from error
    except (ImportError, ValueError) as error:  # a protocol that fsspec lacks, or whose library is not installed
        raise UsageError(f"{url}: expected a URL that fsspec opens: {error}") from error
    return found
