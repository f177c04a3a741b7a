"""`find_build`: the finished build that fits, found without raw files, network or anything heavy to import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from covid_datasets.disk import read_json
from covid_datasets.errors import NotBuiltError
from covid_datasets.prepare.noted import Said, read_note
from covid_datasets.prepare.result import Built, Verify
from covid_datasets.prepare.seal import MANIFEST_FILE, read_manifest
from covid_datasets.settings import Settings, given_data

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

    With ``window``, ``image_size``, ``to_spacing`` or ``to_orientation`` it is the view of it that these make.

    Raises:
        NotBuiltError: There is none; the message says why an older one does not fit.
        DamagedFileError: It is there, and a file of it is not as it was built.
    """
    options: dict[str, Any] = {"cache_dir": cache_dir, "data_dir": data_dir, "verify": verify}
    return Built.read(find_folder(name, config, allow_missing=allow_missing, **options, **view))


def find_folder(
    name: Name,
    config: str | None = None,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    verify: Verify | None = None,
    allow_missing: bool = True,
    **view: Unpack[ViewOptions],
) -> Path:
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
) -> Path:
    """Return the folder of the best build that fits; ``below`` says where in the folder of a config it may lie."""
    prepared = Settings.resolve(cache_dir).prepared
    own: Path | None = None
    said = read_note(prepared, name, config) if isinstance(name, str) and data_dir is None else None
    if said is None:
        from covid_datasets.catalog.cards import choose
        from covid_datasets.prepare.inputs import declared_inputs

        choice = choose(name, config)
        said = Said((choice.card.id, choice.version, choice.config), declared_inputs(choice, ""))
        data_dir = choice.data_dir(data_dir)
        own = None if data_dir is None else given_data(data_dir)
    folder = prepared.joinpath(*said.place)
    fitting, reasons, paths = [], [], sorted(folder.glob(f"{below}/{MANIFEST_FILE}"))
    raw: dict[str, Any] = {}
    if own is not None and paths:  # listed where something was made of it, and not to learn that nothing was
        from covid_datasets.prepare.inputs import folder_signature

        raw = {"raw": folder_signature(own)}
    for path in paths:
        # What another release built has a manifest of its own form.
        stored = said.declared["format"]
        if (found := read_json(path).get("inputs", {})).get("format", stored) != stored:
            from covid_datasets.prepare.inputs import outdated

            reasons.append(f"{path.parent} was {outdated(found)}")
            continue
        manifest = read_manifest(path.parent)
        found = manifest["inputs"]
        declared = said.declared | {"verify": verify or found["verify"]} | raw
        changed = [key for key, value in declared.items() if found.get(key) != value]
        if not allow_missing and manifest["build"]["incomplete"]:
            changed.append("allow_missing (it is incomplete)")
        if changed:
            reasons.append(f"{path.parent} has other inputs: {', '.join(changed)}")
        else:
            fitting.append(
                (not manifest["build"]["incomplete"], found["verify"] == "full", path.stat().st_mtime_ns, path)
            )
    if not fitting:
        why = "; ".join(reasons) or f"nothing in {folder}"
        command = f"covid-datasets build {name}" + (f" --config {config}" if config else "")
        raise NotBuiltError(f"{name} has no finished build that fits ({why}). Make one: {command}")
    return max(fitting)[-1].parent
