"""What types cannot say of a card: names that point at each other, ranges, hashes, templates."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

from covid_datasets.catalog.card import Card, Version
from covid_datasets.catalog.layout import problem_of
from covid_datasets.catalog.resource import Resource
from covid_datasets.catalog.seed_tables import check_seeds
from covid_datasets.catalog.templates import expand, is_template
from covid_datasets.errors import CatalogError

MAX_NUMBER = 100_000
"""The last one of numbered resources: more are a mistake."""


def check_card(card: Card, path: Path) -> None:
    """Hold a card that was read from ``path`` against itself and the files beside it.

    Raises:
        CatalogError: Names the file, the key, what was expected and what was found.
    """
    for key in ("title", "modalities", "citations", "versions", "configs"):
        needless = (key == "modalities" and card.columns) or (key in ("modalities", "versions") and not card.has_data)
        if not getattr(card, key) and not needless:
            raise CatalogError(f"{path}: key {key!r}: expected at least one, found none")
    known = [resource.name for resource in card.resources]
    if len(set(known)) != len(known):
        raise CatalogError(f"{path}: key 'resources': expected unique names, found {known}")
    if card.default_version not in card.versions and (card.versions or card.default_version):
        found = ", ".join(card.versions)
        raise CatalogError(f"{path}: key 'default_version': expected one of {found}, found {card.default_version!r}")
    for key, names_ in (("versions", card.versions), ("configs", card.configs)):
        if wrong := [name for name in names_ if not re.fullmatch(r"[A-Za-z0-9_][\w.+-]*", name, re.ASCII)]:
            raise CatalogError(f"{path}: key {key!r}: expected names that can be folders, found {wrong}")
    check_seeds(card, path)
    _check_components(card, path)
    _check_without_data(card, path)
    _check_patients(card, path)
    _check_address(card.patients.address, f"{path}: key 'patients.address'")
    if not re.fullmatch(r"([\w.+-]+)?", card.patients.ids, re.ASCII):
        raise CatalogError(
            f"{path}: key 'patients.ids': expected a name of letters, digits and - . + _, found {card.patients.ids!r}"
        )
    for name, version in card.versions.items():
        _check_version(version, known, f"{path}: key 'versions.{name}")
    for name, config in card.configs.items():
        if lost := sorted(set(config.resources) - set(known)):
            raise CatalogError(f"{path}: key 'configs.{name}.resources': expected names of {known}, found {lost}")
        if config.max_voxels < 0:
            raise CatalogError(
                f"{path}: key 'configs.{name}.max_voxels': expected a number of voxels, found {config.max_voxels}"
            )
        if config.columns and not card.columns and name == next(iter(card.configs)):
            raise CatalogError(
                f"{path}: key 'configs.{name}.columns': expected in a table, whose card has [columns], or beside a "
                f"first config of images, which counts are of, found {', '.join(config.columns)}"
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


def _check_without_data(card: Card, path: Path) -> None:
    """Check what an alias and a source without data may say."""
    if card.licence.accept and not card.licence.terms.strip():
        raise CatalogError(f"{path}: key 'licence.terms': expected the terms to accept, found none")
    if card.resources and card.access.kind in ("view-only", "private"):
        raise CatalogError(
            f"{path}: key 'resources': expected none where access is {card.access.kind}, found {len(card.resources)}"
        )
    if not card.same_as:
        return
    if card.resources:
        raise CatalogError(
            f"{path}: key 'resources': expected none where same_as names the source that is loaded, found "
            f"{len(card.resources)}"
        )
    identifier = card.same_as.partition("@")[0]
    if identifier == card.id or not (path.parent / f"{identifier}.toml").is_file():
        raise CatalogError(f"{path}: key 'same_as': expected the id of another source, found {card.same_as!r}")


def _check_patients(card: Card, path: Path) -> None:
    """Check that it is said what is kept together where nobody knows who the patient is."""
    patients = card.patients
    if not card.has_data or card.columns:
        return
    if (patients.known == "all") == bool(patients.group):
        wanted = "none where every patient is known" if patients.group else "what is kept together of unknown patients"
        raise CatalogError(f"{path}: key 'patients.group': expected {wanted}, found {patients.group!r}")
    counted = [name for name, version in card.versions.items() if version.patients is not None]
    if patients.known == "none" and counted:
        raise CatalogError(
            f"{path}: key 'versions.{counted[0]}.patients': expected none where nobody knows the patients, found "
            f"{card.versions[counted[0]].patients}"
        )


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
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _check_resource(resource: Resource, path: Path) -> None:
    """Check what resources of every kind say; `covid_datasets.raw.kinds.check_card` checks what is of one kind."""
    where = f"{path}: resource {resource.name!r}"
    if not (resource.copies or resource.members or resource.steps):
        raise CatalogError(f"{where}: key 'copies': expected at least one, or the steps to get it by hand, found none")
    for pattern in resource.files:
        if problem := problem_of(pattern.glob):
            raise CatalogError(f"{where}: key 'files.glob': expected {problem}, found {pattern.glob!r}")
    if resource.path.startswith("/") or ".." in resource.path.split("/"):
        raise CatalogError(f"{where}: key 'path': expected a path inside the source, found {resource.path!r}")
    if resource.size is not None and resource.size < 1:
        raise CatalogError(f"{where}: key 'size': expected 1 byte or more, found {resource.size}")
    for key, digits in (("sha256", 64), ("md5", 32), ("sha1", 40)):
        value = getattr(resource, key)
        if value and not re.fullmatch(rf"[0-9a-f]{{{digits}}}", value):
            raise CatalogError(f"{where}: key {key!r}: expected {digits} hexadecimal digits, found {value!r}")
    if is_template(resource):
        _check_template(resource, where, path.parent / "listings")
    for plain in expand(resource, path.parent / "listings"):
        _check_plain(plain, where, path.parent)


def _check_plain(resource: Resource, where: str, catalog: Path) -> None:
    if resource.folder and not re.fullmatch(r"\w([\w. -]*\w)?/", resource.folder, re.ASCII):
        raise CatalogError(f"{where}: key 'folder': expected one folder such as 'parts/', found {resource.folder!r}")
    for key, inside in (("manifest", "manifests"), ("listing", "listings")):
        name = getattr(resource, key)
        if name and not (catalog / inside / name).is_file():
            raise CatalogError(f"{where}: key {key!r}: expected a file in {inside}/, found {name!r}")


def _check_template(resource: Resource, where: str, listings: Path) -> None:
    """Check a resource that stands for many."""
    days, numbers = resource.days, resource.numbers
    if days and (len(days) != 2 or not all(map(_is_date, days)) or days[0] > days[1]):
        raise CatalogError(f"{where}: key 'days': expected a first and a last day as 2020-12-31, found {list(days)}")
    if numbers and (len(numbers) != 2 or not 0 <= numbers[0] <= numbers[1] <= MAX_NUMBER):
        raise CatalogError(f"{where}: key 'numbers': expected a first and a last one from 0, found {list(numbers)}")
    if days and numbers:
        raise CatalogError(f"{where}: key 'numbers': expected days or numbers, found both")
    if resource.members and not (listings / resource.members).is_file():
        raise CatalogError(f"{where}: key 'members': expected a file in listings/, found {resource.members!r}")
    key = "days" if days else "numbers" if numbers else "members"
    plain = expand(resource, listings)
    if resource.size or resource.sha256 or resource.md5 or resource.sha1:
        raise CatalogError(
            f"{where}: key {key!r}: expected no size and no hash, which each has for itself in a table of members, "
            f"found one of these"
        )
    if lost := [each.name for each in plain if not (each.copies or each.steps)]:
        raise CatalogError(f"{where}: key 'members': expected a URL for each, found none for {lost[0]!r}")
    own = [[each.path for each in plain], [each.manifest for each in plain]]
    own += map(list, zip(*([copy.url for copy in each.copies] for each in plain), strict=True))
    for spelled in own:
        if len(set(spelled)) < len(plain) and any(spelled):
            raise CatalogError(
                f"{where}: expected a path, URLs and a manifest of its own for each, by fields like %Y-%m-%d for days, "
                f"{{number}} for numbers and {{name}} for members, found {spelled[0]!r} for several"
            )
