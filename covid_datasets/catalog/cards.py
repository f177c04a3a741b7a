"""Find and read the catalog files (``catalogs/*.toml``), strictly.

Everything that is known about a source lives in its TOML file; ``catalogs/README.md`` explains every field.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covid_datasets.catalog.card import Card, Choice, Resource, Version
from covid_datasets.catalog.layout import problem_of
from covid_datasets.catalog.typed import read_typed
from covid_datasets.errors import CatalogError, UnknownDatasetError
from covid_datasets.schema import Modality

if TYPE_CHECKING:
    import pyarrow as pa


def catalog_folder() -> Path:
    """Return the folder of the installed catalog files."""
    import covid_datasets.catalogs

    return Path(covid_datasets.catalogs.__path__[0])


def names() -> list[str]:
    """List the ids of all sources, sorted."""
    return sorted(path.stem for path in catalog_folder().glob("*.toml") if not path.stem.startswith("_"))


def load_card(name: str) -> Card:
    """Read one source's card.

    >>> load_card("phantom").modalities
    ('CT', 'CXR')
    """
    path = catalog_folder() / f"{name}.toml"
    if not re.fullmatch(r"[a-z0-9_]+", name) or name.startswith("_") or not path.exists():
        raise UnknownDatasetError(_unknown(name))
    return _read_card(path, path.stat().st_mtime_ns)


def info(name: str) -> Card:
    """Return everything known about a source.

    >>> info("cohen").licence.per_image
    True
    """
    return load_card(split_name(name)[0])


def list_datasets(modality: Modality | None = None, access: str | None = None) -> pa.Table:
    """List all sources as an Arrow table, one row each; ``.to_pandas()`` makes a data frame of it.

    >>> "covid_ct" in list_datasets(modality="CT").column("id").to_pylist()
    True
    """
    import pyarrow as pa

    cards = [load_card(name) for name in names()]
    rows = [
        {
            "id": card.id,
            "title": card.title,
            "modalities": list(card.modalities),
            "task": card.task,
            "images": card.version()[1].images,
            "patients": card.version()[1].patients,
            "patient_known": card.patients.known,
            "access": card.access.kind,
            "licence": card.licence.spdx or card.licence.terms,
            "redistribution": card.licence.redistribution,
            "versions": list(card.versions),
            "homepage": card.homepage,
        }
        for card in cards
        if modality in (None, *card.modalities) and access in (None, card.access.kind)
    ]
    text, count, texts = pa.string(), pa.int64(), pa.list_(pa.string())
    kinds = [text, text, texts, text, count, count, text, text, text, text, texts, text]
    names_ = ["id", "title", "modalities", "task", "images", "patients", "patient_known", "access", "licence"]
    names_ += ["redistribution", "versions", "homepage"]
    schema = pa.schema(list(zip(names_, kinds, strict=True)))
    return pa.Table.from_pylist(rows, schema=schema)


def choose(name: str, config: str | None = None) -> Choice:
    """Choose what to load: ``"cohen"``, ``"cohen@2020-06-22"``, in one of its configs.

    >>> choose("phantom", "small").config, choose("cohen@6a42423").version
    ('small', '6a42423')
    """
    identifier, version = split_name(name)
    return load_card(identifier).choice(version, config)


def split_name(spec: str) -> tuple[str, str | None]:
    """Split ``"cohen@2020-06-22"`` into a name and a version.

    >>> split_name("cohen@2020-06-22"), split_name("cohen")
    (('cohen', '2020-06-22'), ('cohen', None))
    """
    name, _, version = spec.partition("@")
    return name, version or None


@lru_cache(maxsize=128)
def _read_card(path: Path, _mtime: int) -> Card:
    return read_card(path)


def read_card(path: Path) -> Card:
    """Read and validate a catalog file at any path."""
    data = path.read_bytes()
    try:
        table: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, an impossible date, endless nesting
        raise CatalogError(f"{path}: not a TOML file: {error}") from error
    for given in ("id", "digest"):
        if given in table:
            raise CatalogError(f"{path}: key {given!r}: expected nothing (it is derived), found {table[given]!r}")
    table |= {"id": path.stem, "digest": hashlib.sha256(data).hexdigest()}
    card = read_typed(Card, table, path)
    _check_references(card, path)
    return card


def _check_references(card: Card, path: Path) -> None:
    """Check what types cannot say: names that point at each other, ranges, hashes, archive shapes."""
    for key in ("title", "modalities", "citations", "versions", "configs"):
        if not getattr(card, key) and not (key == "modalities" and card.columns):
            raise CatalogError(f"{path}: key {key!r}: expected at least one, found none")
    known = [resource.name for resource in card.resources]
    if len(set(known)) != len(known):
        raise CatalogError(f"{path}: key 'resources': expected unique names, found {known}")
    if card.default_version not in card.versions:
        found = ", ".join(card.versions)
        raise CatalogError(f"{path}: key 'default_version': expected one of {found}, found {card.default_version!r}")
    for key, names_ in (("versions", card.versions), ("configs", card.configs)):
        if wrong := [name for name in names_ if not re.fullmatch(r"[A-Za-z0-9_][\w.+-]*", name, re.ASCII)]:
            raise CatalogError(f"{path}: key {key!r}: expected names that can be folders, found {wrong}")
    _check_components(card, path)
    _check_address(card.patients.address, f"{path}: key 'patients.address'")
    for name, version in card.versions.items():
        _check_version(version, known, f"{path}: key 'versions.{name}")
    for name, config in card.configs.items():
        if lost := sorted(set(config.resources) - set(known)):
            raise CatalogError(f"{path}: key 'configs.{name}.resources': expected names of {known}, found {lost}")
        if config.columns and not card.columns:
            raise CatalogError(
                f"{path}: key 'configs.{name}.columns': expected in a table, whose card has [columns], found "
                f"{', '.join(config.columns)}"
            )
    if card.access.kind != "open" and not card.access.steps:
        raise CatalogError(f"{path}: key 'access.steps': expected the exact steps of {card.access.kind!r}, found none")
    for resource in card.resources:
        _check_resource(resource, path)


def _check_components(card: Card, path: Path) -> None:
    """Check that the sources that a source is composed of have cards, and that it is no part of itself."""
    waiting, seen = list(card.composed_of), set[str]()
    while waiting:
        name = waiting.pop()
        if name == card.id:
            raise CatalogError(f"{path}: key 'composed_of': expected no circle, found that it is composed of itself")
        other = path.parent / f"{name}.toml"
        if not re.fullmatch(r"[a-z0-9_]+", name) or not other.is_file():
            raise CatalogError(f"{path}: key 'composed_of': expected names of sources with a card, found {name!r}")
        if name not in seen:
            seen.add(name)
            try:
                waiting += tomllib.loads(other.read_text(encoding="utf-8")).get("composed_of", [])
            except ValueError:
                continue  # that card says by itself what is wrong with it


def _check_version(version: Version, known: list[str], where: str) -> None:
    if lost := sorted(set(version.resources) - set(known)):
        raise CatalogError(f"{where}.resources': expected names of {known}, found {lost}")
    if version.date and not _is_date(version.date):
        raise CatalogError(f"{where}.date': expected a day as 2020-12-31, found {version.date!r}")
    if not 0.0 <= version.tolerance <= 1.0:
        raise CatalogError(f"{where}.tolerance': expected a share from 0 to 1, found {version.tolerance!r}")
    counts = {"images": version.images, "patients": version.patients}
    counts |= {f"labels.{label}": count for label, count in version.labels.items()}
    for key, count in counts.items():
        if count is not None and count < 0:
            raise CatalogError(f"{where}.{key}': expected 0 or more, found {count}")


def _check_address(address: str, where: str) -> None:
    try:
        groups = re.compile(address).groups if address else 1
    except (re.error, RecursionError) as error:
        raise CatalogError(f"{where}: expected a regular expression, found {address!r}: {error}") from error
    if groups != 1:
        raise CatalogError(f"{where}: expected one group, the patient, found {groups} in {address!r}")


def _is_date(text: str) -> bool:
    from datetime import date

    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _check_resource(resource: Resource, path: Path) -> None:
    where = f"{path}: resource {resource.name!r}"
    if not (resource.copies or resource.steps):
        raise CatalogError(f"{where}: key 'copies': expected at least one, or the steps to get it by hand, found none")
    if (resource.archive == "folder") != bool(resource.files):
        raise CatalogError(
            f"{where}: key 'files': expected for folders and only there, found {len(resource.files)} "
            f"with archive = {resource.archive!r}"
        )
    for pattern in resource.files:
        if problem := problem_of(pattern.glob):
            raise CatalogError(f"{where}: key 'files.glob': expected {problem}, found {pattern.glob!r}")
    if resource.archive == "folder" and resource.copies:
        raise CatalogError(f"{where}: key 'copies': expected none for a folder that is filled by hand")
    if (resource.archive == "bucket") != bool(resource.listing):
        raise CatalogError(
            f"{where}: key 'listing': expected for buckets and only there, found {resource.listing!r} "
            f"with archive = {resource.archive!r}"
        )
    if resource.listing and not (path.parent / "listings" / resource.listing).is_file():
        raise CatalogError(f"{where}: key 'listing': expected a file in listings/, found {resource.listing!r}")
    if resource.archive == "bucket" and [copy.url.endswith("/") for copy in resource.copies] != [True]:
        raise CatalogError(f"{where}: key 'copies': expected one, the root of a bucket, with a slash at its end")
    if (resource.archive == "none") != bool(resource.path):
        raise CatalogError(
            f"{where}: key 'path': expected for plain files and only there, found {resource.path!r} "
            f"with archive = {resource.archive!r}"
        )
    if resource.folder and not re.fullmatch(r"\w[\w.-]*/", resource.folder, re.ASCII):
        raise CatalogError(f"{where}: key 'folder': expected one folder such as 'parts/', found {resource.folder!r}")
    if resource.folder and resource.archive == "none":
        raise CatalogError(f"{where}: key 'folder': expected for archives and folders; a plain file has its path")
    if resource.path.startswith("/") or ".." in resource.path.split("/"):
        raise CatalogError(f"{where}: key 'path': expected a path inside the source, found {resource.path!r}")
    if resource.size is not None and resource.size < 1:
        raise CatalogError(f"{where}: key 'size': expected 1 byte or more, found {resource.size}")
    for key, digits in (("sha256", 64), ("md5", 32)):
        value = getattr(resource, key)
        if value and not re.fullmatch(rf"[0-9a-f]{{{digits}}}", value):
            raise CatalogError(f"{where}: key {key!r}: expected {digits} hexadecimal digits, found {value!r}")
    if resource.days:
        _check_days(resource, where)
    if resource.manifest and not (path.parent / "manifests" / resource.manifest).is_file():
        raise CatalogError(f"{where}: key 'manifest': expected a file in manifests/, found {resource.manifest!r}")


def _check_days(resource: Resource, where: str) -> None:
    """Check a template of one file a day."""
    days = resource.days
    if len(days) != 2 or not all(map(_is_date, days)) or days[0] > days[1]:
        raise CatalogError(f"{where}: key 'days': expected a first and a last day as 2020-12-31, found {list(days)}")
    if resource.size or resource.sha256 or resource.md5 or resource.manifest or resource.archive != "none":
        raise CatalogError(f"{where}: key 'days': expected plain files without size and hash, found one of these")
    plain = resource.expanded()
    for spelled in (
        [each.path for each in plain],
        *zip(*([copy.url for copy in each.copies] for each in plain), strict=True),
    ):
        if len(set(spelled)) < len(plain):
            raise CatalogError(
                f"{where}: expected a path and URLs of its own for each day, by fields like %Y-%m-%d, found "
                f"{spelled[0]!r} for several"
            )


def _unknown(name: str) -> str:
    import difflib

    known = names()
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"there is no dataset {name!r}.{hint} Known: {', '.join(known)}"
