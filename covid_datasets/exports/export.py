"""`export`: a loaded dataset as files of a format that its users know, whole or not there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from covid_datasets import disk
from covid_datasets.errors import UsageError, did_you_mean
from covid_datasets.exports.croissant.describe import save
from covid_datasets.exports.croissant.exported import describe_export
from covid_datasets.exports.exportable import Exportable
from covid_datasets.exports.formats import FORMATS as FORMATS
from covid_datasets.exports.place import Place, place_of
from covid_datasets.exports.readme import readme
from covid_datasets.exports.rights import check_redistribution
from covid_datasets.prepare.seal import file_digest

CROISSANT_FILE = "croissant.json"
"""Describes every export for machines, as `covid_datasets.exports.croissant` has it."""
SHARD_BYTES = 400 << 20
_HASHERS = 4
_MANY_FILES = 1000


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished export: what is where, and the SHA-256 of every file."""

    format: str
    url: str
    rows: int
    files: Mapping[str, Mapping[str, Any]]

    @property
    def bytes(self) -> int:
        """Count the bytes of all files."""
        return sum(file["size"] for file in self.files.values())

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import MOST, named, shown, table

        files = [(name, told["size"], told["sha256"]) for name, told in self.files.items()]
        return shown(
            f"Exported as {self.format}",
            named({"Place": self.url, "Rows": self.rows, "Files": len(files), "Bytes": self.bytes}, "What was written"),
            table("Files", ("file", "bytes", "SHA-256"), files[:MOST], count=len(files)),
        )


def export(
    data: Any,
    format: str,
    url: str | os.PathLike[str],
    *,
    i_have_the_rights: bool = False,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
    cache_dir: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Exported:
    """Write a dataset as files that open without this library.

    Args:
        data: What `load_dataset` returned, whatever was filtered, selected or mapped since; or the name of a dataset.
        format: One of ``FORMATS``.
        url: A folder that is empty or not there; or a URL of fsspec, such as ``s3://bucket/folder``.
        i_have_the_rights: Carry to a URL also what no licence is known to let one redistribute.
        overwrite: Replace an older export. Never replaces anything else.
        shard_bytes: The size of a file after which the next one begins.
        cache_dir: Where downloads and builds live.
        data_dir: Your own copy of the source, where ``data`` is a name, or its files are wanted as they came.

    Raises:
        UsageError: The format is unknown, the place holds something else, or the licence forbids to carry it there.

    >>> from covid_datasets import load_dataset
    >>> folder = getfixture("tmp_path")
    >>> rows = load_dataset("phantom", "small", framework="numpy", cache_dir=folder / "cache")
    >>> done = export(rows, "parquet", folder / "out")
    >>> done.rows, sorted(done.files)[:2]
    (42, ['README.md', 'croissant.json'])
    """
    if not isinstance(shard_bytes, int) or shard_bytes < 1:
        raise UsageError(f"shard_bytes: expected a number of bytes, found {shard_bytes!r}")
    module, place, old = check_place(format, url, cache_dir)
    taken = replace(_exportable(data, cache_dir, data_dir), cache_dir=cache_dir, data_dir=data_dir)
    if place.remote and not i_have_the_rights:
        check_redistribution(taken, str(url))
    header = _header(taken, format, shard_bytes)
    _refuse_other(old, header, overwrite, url)
    with place.workspace(taken.bytes) as private:
        old = place.held()  # somebody else may have finished one while this call waited for the place
        _refuse_other(old, header, overwrite, url)
        module.write(taken, private, shard_bytes=shard_bytes)
        (private / "README.md").write_text(readme(taken, format, module, private), encoding="utf-8", newline="\n")
        files = _files(private)
        save(describe_export(taken, format, private, files), private / CROISSANT_FILE)
        manifest = {"export": header, "files": {**files, CROISSANT_FILE: _sealed(private / CROISSANT_FILE)}}
        if old is not None and old != manifest and not overwrite:
            raise UsageError(
                f"{url}: found an export of this data whose files differ from those that were written now. Next: name "
                "another place, or replace it with overwrite=True (--overwrite)"
            )
        if old != manifest:
            place.publish(private, manifest, old)
    return Exported(format, str(url), taken.rows, manifest["files"])


def _refuse_other(
    old: Mapping[str, Any] | None, header: Mapping[str, Any], overwrite: bool, url: str | os.PathLike[str]
) -> None:
    if old is not None and old["export"] != header and not overwrite:
        raise UsageError(
            f"{url}: expected a place that is free, found an export of other data or in another form "
            f"({_told(old['export'])}). Next: name another one, or replace it with overwrite=True (--overwrite)"
        )


def check_place(
    format: str, url: str | os.PathLike[str], cache_dir: str | os.PathLike[str] | None = None
) -> tuple[Any, Place, dict[str, Any] | None]:
    """Refuse a format that is not known and a place that is not free, before anything is loaded.

    Returns:
        The module of the format, the place, and the manifest of an older export that is there.
    """
    module, place = _module(format), place_of(url, cache_dir)
    return module, place, place.held()


def _module(format: str) -> Any:
    if format not in tuple(FORMATS):
        raise UsageError(
            f"format: expected one of {', '.join(FORMATS)}, found {format!r}{did_you_mean(format, FORMATS)}"
        )
    return import_module(FORMATS[format])


def _exportable(
    data: Any,
    cache_dir: str | os.PathLike[str] | None,
    data_dir: str | os.PathLike[str] | None,
) -> Exportable:
    if isinstance(data, Exportable):
        return data
    if isinstance(data, str | os.PathLike):
        from covid_datasets.load.dataset import load_dataset

        data = load_dataset(data, framework="numpy", cache_dir=cache_dir, data_dir=data_dir)
    return Exportable.of(data)


def _header(data: Exportable, format: str, shard_bytes: int) -> dict[str, Any]:
    """Say what was exported; nothing in it depends on when or where."""
    return {
        "format": format,
        "name": data.name,
        "version": data.version,
        "fingerprint": data.fingerprint,
        "sources": [
            {"id": source.id, "version": source.version, "config": source.config, "fingerprint": source.fingerprint}
            for source in data.sources
        ],
        "splits": {name: split.rows for name, split in data.splits.items()},
        "columns": data.features.names,
        "shard_bytes": shard_bytes,
    }


def _told(header: Any) -> str:
    return f"{header.get('name')} as {header.get('format')}, {header.get('splits')}" if isinstance(header, dict) else ""


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    """Force all files to the disk and hash them; of very many small ones each would wait for the disk alone."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    together = len(paths) > _MANY_FILES and hasattr(os, "sync")
    if together:
        os.sync()

    def sealed(path: Path) -> dict[str, Any]:
        return _sealed(path, synced=together)

    with ThreadPoolExecutor(_HASHERS) as pool:
        return dict(zip((path.relative_to(folder).as_posix() for path in paths), pool.map(sealed, paths), strict=True))


def _sealed(path: Path, *, synced: bool = False) -> dict[str, Any]:
    if not synced:
        disk.sync(path)
    return {"size": path.stat().st_size, "sha256": file_digest(path)}
