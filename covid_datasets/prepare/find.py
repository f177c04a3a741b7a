"""`find_build`: the finished build that fits, found without raw files, network or anything heavy to import."""

from __future__ import annotations

import os
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from covid_datasets.errors import NotBuiltError
from covid_datasets.prepare.noted import Said, read_note
from covid_datasets.prepare.result import Built, Verify
from covid_datasets.prepare.seal import MANIFEST_FILE, Folder, glance, read_manifest
from covid_datasets.prepare.target import finished_in
from covid_datasets.settings import PREPARED, Settings, given_data
from covid_datasets.store import Store

if TYPE_CHECKING:
    from covid_datasets.catalog.cards import Name
    from covid_datasets.prepare.derived.asked import ViewOptions


def find_build(
    name: Name,
    config: str | None = None,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    verify: Verify | None = None,
    allow_missing: bool = True,
    **view: Unpack[ViewOptions],
) -> Built:
    """Return the newest finished build that fits, without looking at raw files or the network.

    Where the cache is in an object store, its files are brought to this machine first, once.
    With ``derive``, ``window``, ``image_size``, ``to_spacing`` or ``to_orientation`` it is the view of it that these
    make.

    Raises:
        NotBuiltError: There is none; the message says why an older one does not fit.
        DamagedFileError: It is there, and a file of it is not as it was built.
    """
    options: dict[str, Any] = {"cache_dir": cache_dir, "data_dir": data_dir, "verify": verify}
    folder = find_folder(name, config, allow_missing=allow_missing, **options, **view)
    return at_hand(folder, Settings.resolve(cache_dir))


def find_folder(
    name: Name,
    config: str | None = None,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    verify: Verify | None = None,
    allow_missing: bool = True,
    **view: Unpack[ViewOptions],
) -> Folder:
    """Return the folder of the build that `find_build` reads, of which no more than the manifest was looked at."""
    options: dict[str, Any] = {"cache_dir": cache_dir, "data_dir": data_dir, "verify": verify}
    options["allow_missing"] = allow_missing
    if any(value is not None for value in view.values()):
        from covid_datasets.prepare.derived.find import find_view  # a view is rarely asked for

        return find_view(name, config, view, options)
    return fitting_folder(name, config, **options)


def fitting_folder(
    name: Name,
    config: str | None,
    *,
    cache_dir: str | os.PathLike[str] | None,
    data_dir: str | os.PathLike[str] | None,
    verify: Verify | None,
    allow_missing: bool,
    below: str = "*",
) -> Folder:
    """Return the folder of the best build that fits; ``below`` says where in the folder of a config it may lie."""
    settings = Settings.resolve(cache_dir)
    prepared = settings.prepared
    own: Path | None = None
    said = read_note(prepared, name, config) if isinstance(name, str) and data_dir is None else None
    if said is None:
        from covid_datasets.catalog.cards import choose
        from covid_datasets.prepare.inputs import declared_inputs

        choice = choose(name, config)
        said = Said((choice.card.id, choice.version, choice.config), declared_inputs(choice, ""))
        data_dir = choice.data_dir(data_dir)
        own = None if data_dir is None else given_data(data_dir)
    fitting: list[tuple[bool, bool, int, str, Folder]] = []
    reasons: list[str] = []
    folders = _folders(settings, said.place, below)
    raw: dict[str, Any] = {}
    if own is not None and folders:  # listed where something was made of it, and not to learn that nothing was
        from covid_datasets.prepare.inputs import folder_signature

        raw = {"raw": folder_signature(own)}
    for folder, when in folders:
        # What another release built has a manifest of its own form.
        stored = said.declared["format"]
        if (found := glance(folder).get("inputs", {})).get("format", stored) != stored:
            from covid_datasets.prepare.inputs import outdated

            reasons.append(f"{folder} was {outdated(found)}")
            continue
        manifest = read_manifest(folder)
        found = manifest["inputs"]
        declared = said.declared | {"verify": verify or found["verify"]} | raw
        changed = [key for key, value in declared.items() if found.get(key) != value]
        if not allow_missing and manifest["build"]["incomplete"]:
            changed.append("allow_missing (it is incomplete)")
        if changed:
            reasons.append(f"{folder} has other inputs: {', '.join(changed)}")
        else:
            fitting.append((not manifest["build"]["incomplete"], found["verify"] == "full", when, str(folder), folder))
    if not fitting:
        why = "; ".join(reasons) or f"nothing in {settings.given}/{PREPARED}/{'/'.join(said.place)}"
        command = f"covid-datasets build {name}" + (f" --config {config}" if config else "")
        raise NotBuiltError(f"{name} has no finished build that fits ({why}). Make one: {command}")
    return max(fitting, key=itemgetter(0, 1, 2, 3))[-1]


def _folders(settings: Settings, place: tuple[str, str, str], below: str) -> list[tuple[Folder, int]]:
    """List the finished builds of a source, with the time of each; views are on this machine alone."""
    if settings.store is not None and below == "*":
        return list(finished_in(settings.store / PREPARED / "/".join(place)))
    paths = sorted(settings.prepared.joinpath(*place).glob(f"{below}/{MANIFEST_FILE}"))
    return [(path.parent, path.stat().st_mtime_ns) for path in paths]


def parts_of(folder: Folder, settings: Settings) -> tuple[str, str, str, str]:
    """Return source, version, config and key of a finished build, as its place says them."""
    if isinstance(folder, Store):
        source, version, config, key, _ = folder.url.rsplit("/", 5)[1:]
    else:
        source, version, config, key = folder.relative_to(settings.prepared).parts
    return source, version, config, key


def at_hand(folder: Folder, settings: Settings) -> Built:
    """Read a finished build; one in a store is brought to this machine first, once."""
    if isinstance(folder, Store):
        from covid_datasets.prepare.brought import bring

        folder = bring(folder, settings.prepared, parts_of(folder, settings))
    return Built.read(folder)
