"""One URL to a verified file on disk: from the cache, the mirror or the network, with a record of its first hash."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from covid_datasets.disk import make_folder, read_json, write_json
from covid_datasets.errors import (
    ChangedUpstreamError,
    MissingUpstreamError,
    NotTheFileError,
    OfflineError,
    TruncatedError,
    UsageError,
)
from covid_datasets.fetch.asset import HASHES, Asset
from covid_datasets.fetch.http import download_http
from covid_datasets.fetch.lookup import look_up
from covid_datasets.fetch.partial import Fetched, discard, hash_file
from covid_datasets.fetch.places import local_path, mirrored, place, redacted
from covid_datasets.fetch.remote import download_remote
from covid_datasets.fetch.shared import share, take, withdraw
from covid_datasets.fetch.transfer import CancelToken, Transfer
from covid_datasets.lock import Lock
from covid_datasets.settings import Settings

Verified = Literal[
    "published hash",
    "hash listed by the host",
    "recorded on first download",
    "matches first download",
    "content manifest",
]


@dataclass(frozen=True, slots=True)
class Download:
    """A raw file on disk, and how sure it is that these are the right bytes.

    Attributes:
        url: Where the bytes came from, without secrets.
        path: Where they are.
        size: Their number.
        sha256: Their hash; empty for a mirror's file that only its content manifest vouches for.
        verified: What the hash was compared with; "content manifest" says that the files inside are checked instead.
        etag: The validator that the host gave with them, if any.
        when: Time of the download, ISO 8601 in UTC.
        in_place: Whether the path is a file of the user's mirror, which nothing may move or change.
    """

    url: str
    path: Path
    size: int
    sha256: str
    verified: Verified
    etag: str = ""
    when: str = ""
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What ``<file>.json`` in the cache remembers of a download, also when the file itself is deleted."""

    url: str
    size: int
    sha256: str
    verified: Verified
    md5: str = ""
    sha1: str = ""
    etag: str = ""
    when: str = ""


def receipt_path(file: Path) -> Path:
    """Give the place of the receipt of a cached file."""
    return file.with_name(file.name + ".json")


def read_receipt(file: Path) -> Receipt | None:
    """Read what was noted when a file was downloaded first; ``None`` where nothing was."""
    try:
        return Receipt(**read_json(receipt_path(file)))
    except TypeError:  # not one of ours, or of another release: the file is then verified or fetched anew
        return None


READINGS = 3
"""How often a file is read whose bytes nobody vouches for and which never comes in one piece."""

_turns: dict[tuple[int, Path], threading.Lock] = {}

_hashed: dict[tuple[Path, int, int], Fetched] = {}
"""Hashes of files that this process has read, by path, size and time of change: each is read once, not trusted."""


def fetch(url: str, asset: Asset, transfer: Transfer) -> Download:
    """Get a file from one of its URLs, from the cache, the mirror or the network, and verify it.

    Args:
        url: One of the asset's.
        asset: What is published about the file: size, hashes, whether what is inside is checked.
        transfer: How to bring it; nothing is shown where the cache has the file.
    """
    address = mirrored(url, transfer.settings.mirror) if transfer.settings.mirror else url
    found = _fetch(address, url, asset, transfer)
    if transfer.settings.store is not None:
        kept = place(url) if found.in_place else place(address)
        noted = {key: value for key, value in asdict(found).items() if key not in ("path", "in_place")}
        receipt = {} if found.in_place else read_json(receipt_path(found.path))
        share(found.path, kept, noted | receipt, transfer.settings)
    return found


def _fetch(address: str, url: str, asset: Asset, transfer: Transfer) -> Download:
    settings, local = transfer.settings, local_path(address)
    if local is not None:
        return _in_place(local, url, asset, transfer)
    target = settings.downloads / place(address)
    if found := _cached(target, address, asset):
        return found
    if settings.offline:
        found_there = "a file with other bytes than were downloaded" if target.is_file() else "nothing usable"
        raise OfflineError(
            f"{redacted(address)}: expected it in the cache ({target}), found {found_there} there, and "
            f"COVID_DATASETS_OFFLINE forbids the network. Next: on a connected machine "
            f"{mirror_advice(transfer, 'covid-mirror')}, carry that folder here and set COVID_DATASETS_MIRROR to it"
        )
    make_folder(target.parent)
    with (
        _turn(target, transfer.cancel),
        Lock(target.with_name(target.name + ".lock"), on_wait=transfer.display.note, cancel=transfer.cancel),
    ):
        taken = take(place(address), target, receipt_path(target), settings)
        # Another process may have brought it while we waited.
        if found := _cached(target, address, asset):
            return found
        if taken:  # workers would read it there as it is, and `share` would take it for what its receipt says
            withdraw(target, settings)
        return _bring(address, target, asset, transfer)


@contextmanager
def _turn(target: Path, cancel: CancelToken) -> Iterator[None]:
    """Let one thread of this process at a time bring a file: behind the lock file it would wait for its own process.

    Several files of a source may be in one archive, and then several threads want that at once.
    """
    turn = _turns.setdefault((os.getpid(), target), threading.Lock())  # a forked child has locks of its own
    while not turn.acquire(timeout=0.1):
        cancel()
    try:
        yield
    finally:
        turn.release()


def _bring(address: str, target: Path, asset: Asset, transfer: Transfer) -> Download:
    part, task, display = target.with_name(target.name + ".part"), target.name, transfer.display

    def on_bytes(count: int) -> None:
        transfer.cancel()
        display.advance(task, count)

    listed = look_up(address, transfer)
    if problem := _contradiction(listed, asset):
        raise ChangedUpstreamError(f"{redacted(address)}: {problem}. Next: update covid-datasets, or report the change")

    def on_total(total: int) -> None:
        if listed.size not in (None, total):
            raise ChangedUpstreamError(
                f"{redacted(address)}: expected {listed.size:,} bytes (listed by the host), it offers {total:,}. "
                f"Next: try again later, or use a copy with data_dir="
            )
        display.add(task, total)

    bring = download_http if listed.urls[0].startswith(("http://", "https://")) else download_remote
    receipt = read_receipt(target)
    vouched_for = bool(asset.published or listed.published or receipt or asset.checked_inside)
    if not vouched_for:  # only what comes in one piece, over one connection, is believed at once
        transfer = replace(transfer, limits=replace(transfer.limits, connections=1))
    readings: list[str] = []
    while True:
        display.add(task, asset.size)
        fetched = bring(
            listed.urls[0],
            part,
            transfer,
            size=asset.size,
            also={*asset.published, *listed.published},
            on_bytes=on_bytes,
            on_total=on_total,
        )
        problem = _difference(fetched, asset, receipt) or _difference(fetched, listed, None, "listed by the host")
        in_one_piece = fetched.delimited and not fetched.resumed
        if not problem and (in_one_piece or vouched_for or fetched.sha256 in readings):
            break
        readings.append(fetched.sha256)
        if not in_one_piece and len(readings) < READINGS:  # pieces of two versions, a crash, a connection that broke?
            display.note(f"{task}: did not come in one piece; reading it again to be sure of its bytes")
            display.advance(task, -fetched.size)
            discard(part)
            continue
        if not problem:
            raise TruncatedError(
                f"{redacted(address)}: expected the same bytes twice, found {len(readings)} different readings; none "
                f"came in one piece, and no hash is published. Next: try again on a steadier connection, or use a copy "
                f"with data_dir="
            )
        rejected = target.with_name(target.name + ".rejected")
        os.replace(part, rejected)
        discard(part)
        raise ChangedUpstreamError(_changed_text(address, problem, asset, target, rejected))
    if fetched.size == 0 and not vouched_for and asset.size is None and listed.size is None:
        discard(part)
        raise NotTheFileError(
            f"{redacted(address)}: expected a file, found an empty answer. Next: try again later, or use another copy "
            f"with data_dir="
        )
    return _keep(fetched, address, target, part, _how_sure(asset, receipt, listed))


def _how_sure(asset: Asset, receipt: Receipt | None, listed: Asset | None = None) -> Verified:
    if asset.published:
        return "published hash"
    if listed and listed.published:
        return "hash listed by the host"
    return "matches first download" if receipt else "recorded on first download"


def _contradiction(listed: Asset, asset: Asset) -> str:
    """Say how the host's list and the catalog contradict each other, before any byte comes; empty where they do not."""
    for name in ("size", *HASHES):
        ours, theirs = getattr(asset, name), getattr(listed, name)
        if ours not in (None, "") and theirs not in (None, "", ours):
            return f"changed upstream: expected the {name} {ours} (published in the catalog), the host lists {theirs}"
    return ""


def _keep(fetched: Fetched, address: str, target: Path, part: Path, verified: Verified) -> Download:
    """Give verified bytes their name; the receipt comes first, so that a kill in between leaves no unknown file."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    hashes = {name: getattr(fetched, name) for name in HASHES}
    new = Receipt(redacted(address), fetched.size, verified=verified, etag=fetched.validator, when=when, **hashes)
    target.unlink(missing_ok=True)
    write_json(receipt_path(target), asdict(new))
    os.replace(part, target)
    discard(part)
    _hashed[_identity(target)] = fetched
    return _of_receipt(new, target)


def _of_receipt(receipt: Receipt, path: Path) -> Download:
    return Download(receipt.url, path, receipt.size, receipt.sha256, receipt.verified, receipt.etag, receipt.when)


def _cached(target: Path, address: str, asset: Asset) -> Download | None:
    """Give the file in the cache if its bytes are right: read once in every process, since disks rot in silence."""
    try:
        size = target.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
    receipt = read_receipt(target)
    if asset.size not in (None, size) or not (asset.published or (receipt and receipt.size == size)):
        return None
    # Where the receipt's other hashes, of the same bytes, are the published ones, SHA-256 alone tells, thrice as fast.
    noted = receipt is not None and all(getattr(receipt, name) == value for name, value in asset.published.items())
    found = _hash_once(target, () if noted else asset.published)
    if not noted and _difference(found, asset, None):
        return None
    if receipt and receipt.sha256 == found.sha256:
        return replace(_of_receipt(receipt, target), verified="published hash" if asset.published else receipt.verified)
    unknown = noted or not asset.published
    return None if unknown else Download(redacted(address), target, size, found.sha256, "published hash")


def _hash_once(path: Path, also: Collection[str]) -> Fetched:
    """Hash a file, unless this process did so and nothing says that it was written since."""
    identity = _identity(path)
    known = _hashed.get(identity)
    if known is None or not all(getattr(known, name) for name in also):
        known = _hashed[identity] = hash_file(path, also)
    return known


def _identity(path: Path) -> tuple[Path, int, int]:
    state = path.stat()
    return path, state.st_size, state.st_mtime_ns


def mirror_advice(transfer: Transfer, folder: str) -> str:
    """Write the command that makes a mirror of what is wanted."""
    if not transfer.dataset:
        return "make a mirror ('covid-datasets mirror --help' says how)"
    return f"run 'covid-datasets mirror {transfer.dataset} {shlex.quote(folder)}'"


def require_mirror(settings: Settings) -> None:
    """Raise where the mirror is a folder that is not there: an unmounted disk, a typo."""
    folder = local_path(settings.mirror) if settings.mirror else None
    if folder is not None and not folder.is_dir():
        raise UsageError(
            f"{folder}: expected the folder of a mirror (COVID_DATASETS_MIRROR, or mirror=), found "
            f"{'a file' if folder.exists() else 'nothing'} there. Next: mount the disk or correct the name; without "
            f"COVID_DATASETS_MIRROR the network is asked"
        )


def _in_place(path: Path, url: str, asset: Asset, transfer: Transfer) -> Download:
    """Use a file of a local mirror where it lies; it is hashed only where somebody needs the hash."""
    address = path.as_uri()
    if not path.is_file():
        raise MissingUpstreamError(
            f"{redacted(url)}: expected it at {path}, found nothing there. Next: put the file there, or "
            f"{mirror_advice(transfer, transfer.settings.mirror or '')} on a connected machine to make it whole; "
            f"without COVID_DATASETS_MIRROR the network is asked"
        )
    fetched = Fetched(path.stat().st_size, "")
    hashed = (bool(asset.published) and asset.size in (None, fetched.size)) or not asset.checked_inside
    if hashed:
        fetched = hash_file(path, asset.published)
    if problem := _difference(fetched, asset, None):
        raise ChangedUpstreamError(
            f"{path}: {problem}; it stands for {redacted(url)}. Next: copy that file to the mirror again, or "
            f"{mirror_advice(transfer, transfer.settings.mirror or '')} on a connected machine to make it anew"
        )
    verified = _how_sure(asset, None) if hashed else "content manifest"
    return Download(address, path, fetched.size, fetched.sha256, verified, in_place=True)


def _difference(
    fetched: Fetched, asset: Asset, receipt: Receipt | None, where: str = "published in the catalog"
) -> str:
    """Say how bytes differ from what is published, else from what was recorded; empty where they do not."""
    if asset.size is not None and fetched.size != asset.size:
        return f"expected {asset.size:,} bytes ({where}), found {fetched.size:,}"
    for name, value in asset.published.items():
        if getattr(fetched, name) != value:
            return f"expected {name} {value} ({where}), found {getattr(fetched, name)}"
    if not asset.published and receipt and fetched.sha256 != receipt.sha256:
        return f"expected sha256 {receipt.sha256} (recorded on {receipt.when}), found {fetched.sha256}"
    return ""


def _changed_text(address: str, problem: str, asset: Asset, target: Path, rejected: Path) -> str:
    if asset.published or asset.size is not None:
        step = "update covid-datasets, whose newer catalog may know the new content, or report the change"
    else:
        step = f"look at both; if the new content is right, delete {receipt_path(target)} and call again"
    return f"{redacted(address)}: changed upstream: {problem}. The new bytes are kept in {rejected}. Next: {step}"
