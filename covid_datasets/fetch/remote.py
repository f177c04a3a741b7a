"""Download from object stores and the like (s3, gs, hf, ...), anything that fsspec opens; resumes by seeking."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from covid_datasets.errors import (
    ChangedUpstreamError,
    CovidDatasetsError,
    DownloadError,
    HostUnreachableError,
    MissingExtraError,
    MissingUpstreamError,
    OfflineError,
    RefusedError,
    TruncatedError,
    UsageError,
    words_of,
)
from covid_datasets.fetch.partial import Fetched, Partial, Stamp
from covid_datasets.fetch.places import redacted
from covid_datasets.fetch.retries import Retry, with_retries
from covid_datasets.fetch.transfer import Transfer

_CHUNK = 1 << 20
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hf": "huggingface_hub", "az": "adlfs", "abfs": "adlfs"}
_VALIDATORS = ("ETag", "etag", "md5Hash", "generation", "sha256", "blob_id", "oid", "mtime", "LastModified", "created")


def download_remote(
    url: str,
    part: Path,
    transfer: Transfer,
    *,
    size: int | None = None,
    also: Collection[str] = (),
    on_bytes: Callable[[int], object] | None = None,
    on_total: Callable[[int], object] | None = None,
) -> Fetched:
    """Bring the bytes of an fsspec URL into ``part``; arguments as in ``download_http``."""
    if transfer.settings.offline:
        raise OfflineError(f"{redacted(url)}: COVID_DATASETS_OFFLINE forbids the network")
    limits = transfer.limits
    system, path = _open_system(url)
    with Partial(part, also=also, margin=limits.margin, on_bytes=on_bytes) as partial:
        with_retries(lambda: _attempt(system, path, url, partial, size, on_total), url, partial, limits)
        return partial.finish()


def _attempt(
    system: Any, path: str, url: str, part: Partial, size: int | None, on_total: Callable[[int], object] | None
) -> None:
    try:
        stamp = _describe(system.info(path))
        if size is not None and stamp.total is not None and stamp.total != size:
            raise ChangedUpstreamError(
                f"{redacted(url)}: expected {size:,} bytes (published in the catalog), the store offers "
                f"{stamp.total:,}. Next: update covid-datasets, or use another copy of the source with data_dir="
            )
        if stamp != part.stamp or not stamp.validator or (stamp.total is not None and part.size > stamp.total):
            part.start_over(stamp)
        if on_total and stamp.total is not None:
            on_total(stamp.total)
        part.check_space()
        part.go_on(stamp.total)
        with system.open(path, "rb") as file:
            file.seek(part.size)
            while chunk := file.read(_CHUNK):
                part.write(chunk)
        if _describe(system.info(path)) != stamp:
            part.start_over(Stamp())
            raise Retry(
                DownloadError(
                    f"{redacted(url)}: expected one version, found that it changed meanwhile. Next: try again"
                )
            )
    except FileNotFoundError:
        raise MissingUpstreamError(
            f"{redacted(url)}: the store has no such file. Next: use a copy with data_dir= or a mirror"
        ) from None
    except PermissionError as error:
        raise _refused(url, error) from None
    except (CovidDatasetsError, Retry):
        raise
    except Exception as error:  # stores raise errors of their own kinds, which only their packages know
        if "Credential" in type(error).__name__:
            raise _refused(url, error) from None
        raise Retry(
            HostUnreachableError(
                f"{redacted(url)}: the transfer broke after {part.size:,} bytes ({words_of(error)}). "
                f"Next: check the network and try again; what arrived is kept and resumed"
            )
        ) from None
    if stamp.total is not None and part.size != stamp.total:
        found = part.size
        if found > stamp.total:
            part.start_over(Stamp())
        raise Retry(
            TruncatedError(f"{redacted(url)}: expected {stamp.total:,} bytes, found {found:,}. Next: try again")
        )


def _refused(url: str, error: Exception) -> RefusedError:
    return RefusedError(
        f"{redacted(url)}: the store refuses these credentials, or asks for some ({words_of(error)}). Next: set up the "
        f"credentials of {urlsplit(url).scheme}:// with its own tools, or pass the files as data_dir="
    )


def _describe(info: dict[str, Any]) -> Stamp:
    found = next((f"{key}={info[key]}" for key in _VALIDATORS if info.get(key)), "")
    size = info.get("size")
    return Stamp(found, size if isinstance(size, int) else None)


def _open_system(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    protocol = urlsplit(url).scheme
    try:
        system, path = url_to_fs(url)
    except ImportError as error:
        package = _PACKAGES.get(protocol, protocol)
        raise MissingExtraError(
            f"{redacted(url)}: {protocol}:// needs the package {package}. Next: pip install {package}"
        ) from error
    except ValueError as error:
        raise UsageError(f"{redacted(url)}: expected a protocol that fsspec knows, found {protocol!r}") from error
    return system, path
