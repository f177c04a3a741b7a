"""Make a mirror: a folder that answers for every URL of some sources, for machines without a network."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from covid_datasets.disk import check_space, make_folder, refused, whole
from covid_datasets.errors import ChangedUpstreamError, UsageError
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.cached import Download
from covid_datasets.fetch.partial import hash_file
from covid_datasets.fetch.places import local_path, place, redacted

SUMS = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A file of a mirror: which resource it is of, where it lies, and whether it was there already."""

    dataset: str
    resource: str
    url: str
    path: Path
    size: int
    sha256: str
    action: Literal["stored", "kept"]


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror that is being made: its folder, the hashes of what it holds, and the source whose files come next."""

    folder: Path
    sums: dict[str, str]
    dataset: str

    def present(self, asset: Asset) -> Mirrored | None:
        """Find a file that an earlier run stored, if its bytes are still what they were and what is published."""
        for url in asset.urls:
            path = self.folder / place(url)
            known = self.sums.get(place(url), "")
            if not path.is_file() or not (known or asset.published):
                continue
            found = hash_file(path, asset.published)
            same = all(getattr(found, name) == value for name, value in asset.published.items())
            if same and known in ("", found.sha256) and asset.size in (None, found.size):
                return Mirrored(self.dataset, asset.name, redacted(url), path, found.size, found.sha256, "kept")
        return None

    def keep(self, name: str, download: Download, url: str) -> Mirrored:
        """Store a file, unless it is there."""
        there = self.present(Asset(name=name, urls=(url,), size=download.size, sha256=download.sha256))
        return there or self.store(name, download, url)

    def store(self, name: str, download: Download, url: str) -> Mirrored:
        """Copy a file beside its place, check it there, and only then give it its name."""
        target = self.folder / place(url)
        make_folder(target.parent)
        check_space(target.parent, download.size)
        try:
            with whole(target) as private:
                shutil.copyfile(download.path, private)
                found = hash_file(private)
                if found.size != download.size or download.sha256 not in ("", found.sha256):
                    raise ChangedUpstreamError(
                        f"{download.path}: expected {download.size:,} bytes with sha256 {download.sha256}, found "
                        f"{found.size:,} with {found.sha256} while copying. Next: delete that file and run again"
                    )
        except OSError as error:
            raise refused(target, error) from error
        self.sums[place(url)] = found.sha256
        return Mirrored(self.dataset, name, redacted(url), target, found.size, found.sha256, "stored")


def open_folder(destination: Path | str) -> Path:
    """Make the folder of a mirror, or find it."""
    folder = _local_folder(destination)
    make_folder(folder)
    return folder


def read_sums(folder: Path) -> dict[str, str]:
    """Read the SHA256SUMS of a mirror: name -> hash; files that are gone are left out."""
    path = folder / SUMS
    if not path.exists():
        return {}
    pairs = [line.split("  ", 1) for line in path.read_text(encoding="utf-8").splitlines() if line]
    if any(len(pair) != 2 for pair in pairs):
        raise UsageError(f"{path}: expected lines of '<sha256>  <name>', found others. Next: delete it and run again")
    return {name: digest for digest, name in pairs if (folder / name).is_file()}


def _local_folder(destination: Path | str) -> Path:
    path = local_path(str(destination))
    if path is None:
        raise UsageError(
            f"{redacted(str(destination))}: expected a local folder to make a mirror in, found a URL. Next: make it in "
            f"a folder, then copy that with the tool of the store (aws s3 sync, gsutil rsync, rclone)"
        )
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: expected a folder, found a file. Next: name another folder")
    return path


def write_sums(folder: Path, sums: dict[str, str]) -> None:
    """Write the SHA256SUMS of a mirror."""
    with whole(folder / SUMS) as private:
        private.write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)), encoding="utf-8")
