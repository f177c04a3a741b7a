"""The sources as small raw trees, in every form in which a user may have them, and a catalog that expects these trees.

The real catalog pins what the real files hold, and phantoms hold something else. So tests read a copy of the catalog in
which manifests and hashes are those of the small trees, and all else, counts and published splits too, is as it is.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from covid_datasets import catalogs
from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.layout import matches
from covid_datasets.catalog.listing import read_listing
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.catalog.resource import Copy, Resource
from covid_datasets.catalog.templates import read_members
from covid_datasets.contribute.listing import write_listing
from covid_datasets.fetch.places import place
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.result import Built
from covid_datasets.raw.archives import open_archive
from covid_datasets.raw.places import archive_names
from tests.server import serve
from tests.sources import pack

FORMS = ("unpacked", "packed", "served")
"""A folder as the publisher lays it out; one with the untouched downloads; what the publisher's host serves."""
NO_PROXY = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}


@dataclass(frozen=True)
class SmallSources:
    """Small raw trees under ``root``, written and built when they are first asked for."""

    root: Path
    built: dict[tuple[str, str, str | None], Built] = field(default_factory=dict)

    @property
    def catalog(self) -> Path:
        """The folder of the catalog that expects the small trees."""
        return self.root / "catalog"

    @property
    def cache(self) -> Path:
        """Where `build` builds the unpacked form; the other forms have caches of their own."""
        return self.root / "cache"

    def tree(self, name: str, form: str = "unpacked") -> Path:
        """Return the raw tree of a source in one of `FORMS`."""
        folder = self.root / name
        if not folder.exists():
            with self.in_use():
                self._write(name, folder)
        return folder / form

    def build(self, name: str, form: str = "unpacked", config: str | None = None) -> Built:
        """Build a source from one of the forms of its tree, once."""
        if (name, form, config) not in self.built:
            cache = self.cache if form == "unpacked" else self.root / f"cache-{form}"
            self.built[name, form, config] = self.build_anew(name, form, cache, config=config)
        return self.built[name, form, config]

    def build_anew(
        self,
        name: str,
        form: str,
        cache: Path,
        *,
        config: str | None = None,
        num_proc: int = 1,
        allow_missing: bool = True,
    ) -> Built:
        """Build a source into another cache; shards are tiny, so that several workers have something to do."""
        with self.in_use():
            config = config or small_configs(load_card(name))[0]
            tree = self.tree(name, form)
            if form != "served":
                return build_dataset(
                    name, config, data_dir=tree, cache_dir=cache, num_proc=num_proc, allow_missing=allow_missing,
                    shard_bytes=50_000, accept_licence=True,
                )  # fmt: skip
            brought = self.tree(name, "by_hand")  # what nobody serves
            by_hand = any(not resource.copies for resource in load_card(name).choice(config=config).resources)
            with serve(tree) as server, environment(NO_PROXY):
                return build_dataset(
                    name, config, mirror=server.url(""), cache_dir=cache, num_proc=num_proc, offline=False,
                    allow_missing=allow_missing, data_dir=brought if by_hand and brought.exists() else None,
                    accept_licence=True,
                )  # fmt: skip

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let the library read the small catalog, in this process and in those that it forks."""
        if not self.catalog.exists():
            write_catalog(self.catalog)
        real = catalogs.__path__
        catalogs.__path__ = [str(self.catalog)]
        forget()
        try:
            yield
        finally:
            catalogs.__path__ = real
            forget()

    def _write(self, name: str, folder: Path) -> None:
        source = source_module(name)
        shrink(self.catalog / f"{name}.toml", getattr(source, "SMALL", {}))
        source.write_unpacked(folder / "unpacked")
        with self.in_use():
            card = load_card(name)
            if "served" in forms_of(card):
                source.write_archives(folder / "served")
            if hasattr(source, "write_packed"):  # whose untouched downloads are many files, or are fetched by hand
                (folder / "packed").mkdir(parents=True, exist_ok=True)
                source.write_packed(folder / "packed")
            wanted = {
                each.name: each for config in small_configs(card) for each in card.choice(config=config).resources
            }
            for resource in wanted.values():
                if resource.listing:
                    write_listing_of(self.catalog / "listings" / resource.listing, folder / "unpacked")
                if resource.kind == "folder" and "served" not in forms_of(card):
                    pack(folder / "unpacked", folder / "packed" / f"{resource.name}.zip", "my cases/")
                elif resource.kind == "archive" and "served" not in forms_of(card):
                    packed = folder / "packed" / f"{resource.name}.zip"
                    pack(folder / "unpacked", packed, "")
                    if resource.manifest:
                        write_manifest(self.catalog / "manifests" / resource.manifest, packed, Copy(url=""))
                elif not resource.copies:
                    for form in ("packed", "by_hand"):
                        copy_by_hand(resource, folder / "unpacked", folder / form)
                if resource.listing or not resource.copies:
                    continue
                if resource.optional and not any(
                    (folder / "served" / place(copy.url)).is_file() for copy in resource.copies
                ):
                    continue  # one of many that the host need not have
                copy, path = served_copy(resource, folder / "served")
                kept = folder / "packed" / (resource.path or archive_names(copy)[-1])
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, kept)
                if resource.manifest:
                    write_manifest(self.catalog / "manifests" / resource.manifest, path, copy)
            (folder / "packed").mkdir(exist_ok=True)
            forget()


def source_module(name: str) -> ModuleType:
    """Import the module that writes a source's raw tree."""
    return importlib.import_module(f"tests.sources.{name}")


def small_configs(card: Card) -> list[str]:
    """Name the configs that tests build: the one that is there for tests, where a source has one, else all."""
    return ["small"] if "small" in card.configs else list(card.configs)


def forms_of(card: Card) -> tuple[str, ...]:
    """List the forms in which a user may have a source: one that is got by hand alone is served by nobody."""
    by_hand = card.choice().every_resource and not any(resource.copies for resource in card.choice().every_resource)
    return tuple(form for form in FORMS if form != "served") if by_hand else FORMS


def copy_by_hand(resource: Resource, tree: Path, folder: Path) -> None:
    """Copy the files of a resource that its user has to bring."""
    globs = [pattern.glob for pattern in resource.files]
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        name = path.relative_to(tree).as_posix()
        if name.startswith(resource.folder) and matches(name.removeprefix(resource.folder), globs or [resource.path]):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)


def served_copy(resource: Resource, served: Path) -> tuple[Copy, Path]:
    """Find the copy of a resource that ``write_archives`` wrote."""
    for copy in resource.copies:
        if (path := served / place(copy.url)).is_file():
            return copy, path
    raise AssertionError(f"write_archives wrote no copy of {resource.name!r}: expected {place(resource.copies[0].url)}")


def write_catalog(folder: Path) -> None:
    """Copy the catalog without the hashes and sizes of the downloads."""
    shutil.copytree(catalog_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.glob("listings/*.tsv"):  # of downloads, whose hashes are those of the real files
        header, *lines = path.read_text(encoding="utf-8").splitlines()
        if header.startswith("name\turl\t"):
            bare = ["\t".join([*line.split("\t")[:2], "", "", "", ""]) for line in lines]
            path.write_text("\n".join([header, *bare]) + "\n", encoding="utf-8")
    for path in folder.glob("*.toml"):
        text = re.sub(r"(?m)^(size|sha256|md5) = .*\n", "", path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")


def shrink(card: Path, changes: Mapping[str, str]) -> None:
    """Change texts of a card as its module's ``SMALL`` says: ten days, where the source has a thousand."""
    text = card.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, f"SMALL: expected once in {card.name}, found {text.count(old)} times: {old!r}"
        text = text.replace(old, new)
    if changes:
        card.write_text(text, encoding="utf-8")


def forget() -> None:
    """Drop what is remembered of a catalog by name only."""
    read_manifest.cache_clear()
    read_listing.cache_clear()
    read_members.cache_clear()


def write_listing_of(path: Path, tree: Path) -> None:
    """Write a listing that expects the series of a small tree and no others."""
    rows = []
    for series in read_listing(path.name).values():
        sizes = [file.stat().st_size for file in (tree / series.folder).glob("*.dcm")]
        if sizes:
            rows.append({**series.row, "instanceCount": str(len(sizes)), "series_size_MB": f"{sum(sizes) / 1e6:.6f}"})
    write_listing(rows, path)


def write_manifest(path: Path, archive: Path, copy: Copy) -> None:
    """Write the manifest of a small archive, under the canonical names of its members."""
    assert not copy.rename, "write_archives is to write the publisher's copy, whose names are the canonical ones"
    members = open_archive((str(archive),))
    with path.open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        table.writerow(("path", "size", "sha256", "git_sha1"))
        for name in sorted(members.names()):
            if name.startswith(copy.root):
                data = members.read(name)
                table.writerow((name.removeprefix(copy.root), len(data), hashlib.sha256(data).hexdigest(), ""))


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set some environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
