"""Run an entry of the ledger: bring its lists, read them, audit them, and hold the result against the published one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from covid_datasets.audits.ledger.lists import Row, complete, read_list, read_lookup
from covid_datasets.audits.ledger.pictures import Pictures, by_pictures
from covid_datasets.audits.ledger.weigh import SHOWN, Variant, weigh
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.ledger import Entry, ListFile, ledger_folder
from covid_datasets.catalog.manifest import Identity, git_blob
from covid_datasets.catalog.published import Identities, read_identities
from covid_datasets.catalog.typed import read_typed
from covid_datasets.disk import refused, whole
from covid_datasets.errors import CatalogError, ChangedUpstreamError, IntegrityError, NotBuiltError, UnreadableError
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.cached import fetch
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.settings import Settings


@dataclass(frozen=True, slots=True)
class Input:
    """A file that was read, and what came out of it: rows, and lines that could not be read."""

    path: str
    repository: str
    commit: str
    git_sha1: str
    sha256: str
    bytes: int
    rows: int
    unread: int
    unread_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """The audit of one entry; ``facts`` is the digest of the file that says how it was made."""

    entry: str
    facts: str
    inputs: tuple[Input, ...]
    variants: tuple[Variant, ...]
    pictures: tuple[Pictures, ...]

    @property
    def leaks(self) -> bool:
        """Tell whether anything lies in two parts of any variant."""
        by_name = any(torn.straddling for variant in self.variants for torn in variant.torn)
        return by_name or any(over.audit["leaks"] for over in self.pictures)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    def to_text(self) -> str:
        """Write what ``catalogs/ledger/<id>.json`` holds."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n"


def run_entry(
    entry: Entry,
    *,
    files: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    pictures: bool = True,
) -> Result:
    """Audit a published split from its own lists.

    Args:
        entry: What is known of the split.
        files: A folder that has the lists, as a checkout of their repository has them; else they are downloaded.
        cache_dir: Where downloads and builds are.
        pictures: Whether to look at pictures too, where the entry says of which build.

    Raises:
        ChangedUpstreamError: A list is not the one that the entry names, by its git blob.
        NotBuiltError: The source of the pictures is not built here.
    """
    settings = Settings.resolve(cache_dir)
    tables = [read_lookup(_bring(lookup.file, entry, files, settings), lookup) for lookup in entry.lookups]
    rows: list[Row] = []
    inputs = []
    for file in entry.lists:
        data = _bring(file, entry, files, settings)
        read = read_list(data, file.path, entry.reading)
        rows += ({**row, **file.fields} for row in read.rows)
        inputs.append(_input(file, entry, data, len(read.rows), read.unread))
    inputs += [
        _input(lookup.file, entry, _bring(lookup.file, entry, files, settings), len(table), [])
        for lookup, table in zip(entry.lookups, tables, strict=True)
    ]
    identities = {sample.source: read_identities(sample.source) for sample in entry.samples}
    inputs += [
        _input(file, entry, _bring(file, entry, files, settings), count, []) for file, count in _proofs(identities)
    ]
    complete(rows, entry, tables)
    for row in rows:
        if not row.get("split") or not row.get("name"):
            raise CatalogError(f"ledger {entry.id}: expected a split and a name of every row, found {row}")
    variants = weigh(entry, rows, identities)
    over = by_pictures(entry, rows, cache_dir) if pictures else ()
    return Result(entry.id, entry.digest, tuple(inputs), variants, over)


def _proofs(identities: Mapping[str, Identities]) -> Iterator[tuple[ListFile, int]]:
    """Name the files of our catalog that say what is proven of pictures, as they are now, with their samples."""
    for source, samples in identities.items():
        path = catalog_folder() / "identities" / f"{source}.tsv"
        if samples:
            yield (
                ListFile(path=f"identities/{path.name}", git_sha1=git_blob(path.read_bytes()), catalog=True),
                len(samples),
            )


def published_result(name: str, folder: Path | None = None) -> Result | None:
    """Read what is published of an entry; ``None`` where nothing is."""
    path = (folder or ledger_folder()) / f"{name}.json"
    if not path.exists():
        return None
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: expected JSON, found: {error}") from error
    return read_typed(Result, table, path)


def write_result(result: Result, folder: Path) -> Path:
    """Write what an entry's audit found beside the entry."""
    path = folder / f"{result.entry}.json"
    try:
        with whole(path) as part:
            part.write_text(result.to_text(), encoding="utf-8", newline="\n")
    except OSError as error:
        raise refused(path, error) from error
    return path


def check_result(found: Result, published: Result | None) -> None:
    """Compare an audit with the published one; one made without pictures is compared without them.

    Raises:
        IntegrityError: They differ; the message names each value that does.
    """
    if published is None:
        raise IntegrityError(f"ledger {found.entry}: expected a published result, found none. Next: write one with -o")
    if not found.pictures:
        published = replace(published, pictures=())
    ours, theirs = json.loads(found.to_text()), json.loads(published.to_text())
    if differences := list(_differences(ours, theirs, "")):
        told = "\n".join(f"  {where}: published {there!r}, found {here!r}" for where, here, there in differences[:20])
        raise IntegrityError(
            f"ledger {found.entry}: {len(differences):,} values differ from the published ones\n{told}"
        )


def picture_builds(entry: Entry, cache_dir: str | os.PathLike[str] | None = None) -> str:
    """Say why the pictures of an entry cannot be looked at here; empty where they can, or where none are asked for."""
    from covid_datasets.prepare.find import find_folder

    if entry.built is None:
        return ""
    try:
        find_folder(entry.built.build, entry.built.config or None, cache_dir=cache_dir)
    except NotBuiltError:
        return f"{entry.built.build} is not built here: only the lists were audited"
    return ""


def _differences(ours: Any, theirs: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in {**ours, **theirs}:
            yield from _differences(ours.get(key), theirs.get(key), f"{where}.{key}".lstrip("."))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(*pair, f"{where}[{number}]")
    elif ours != theirs:
        yield where, ours, theirs


def _bring(file: ListFile, entry: Entry, files: str | os.PathLike[str] | None, settings: Settings) -> bytes:
    """Return the bytes of a list, which are those that the entry names or none."""
    repository = file.repository or entry.repository
    if file.catalog:
        path = catalog_folder() / file.path
    elif files is not None:
        places = [Path(files) / file.path, Path(files) / repository.rpartition("/")[2] / file.path]
        path = next((place for place in places if place.is_file()), places[0])
    else:
        url = f"https://github.com/{repository}/raw/{file.commit or entry.commit}/{quote(file.path)}"
        asset = Asset(name=file.path, urls=(url,), checked_inside=True)  # by its blob, below
        path = fetch(url, asset, Transfer(settings)).path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableError.of(path, error) from error
    identity = Identity(file.path, None, "", file.git_sha1)
    if problem := identity.mismatch(data, ""):
        raise ChangedUpstreamError(
            f"{path}: {problem}. Next: use the file of {repository or 'this catalog'} that the entry names"
        )
    return data


def _input(file: ListFile, entry: Entry, data: bytes, rows: int, unread: list[str]) -> Input:
    return Input(
        path=file.path,
        repository="" if file.catalog else file.repository or entry.repository,
        commit="" if file.catalog else file.commit or entry.commit,
        git_sha1=file.git_sha1,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        rows=rows,
        unread=len(unread),
        unread_lines=tuple(unread[:SHOWN]),
    )
