"""Where a view lies, and the one that is there: also where the build that it was made of was removed since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from covid_datasets.errors import NotBuiltError
from covid_datasets.prepare.derived.asked import Derivation, ViewOptions, derivation
from covid_datasets.prepare.find import fitting_folder
from covid_datasets.prepare.result import Built
from covid_datasets.prepare.seal import MANIFEST_FILE
from covid_datasets.settings import VIEWS

if TYPE_CHECKING:
    from covid_datasets.catalog.cards import Name


def folder_of(source: Built, wanted: Derivation) -> Path:
    """Name the folder of a view of a build, beside that build."""
    return _beside(source.path, wanted)


def find_view(name: Name, config: str | None, view: ViewOptions, options: dict[str, Any]) -> Path:
    """Return the folder of a finished view of the build that fits; of any that fits, where none is there itself.

    Raises:
        NotBuiltError: There is none.
    """
    wanted = derivation(**view)
    if wanted is None:
        return fitting_folder(name, config, **options)
    try:
        source = fitting_folder(name, config, **options)
    except NotBuiltError:
        return fitting_folder(name, config, **options, below=f"*{VIEWS}/{wanted.name}")
    if not ((folder := _beside(source, wanted)) / MANIFEST_FILE).exists():
        command = f"covid-datasets build {name}" + (f" --config {config}" if config else "")
        raise NotBuiltError(f"{name} is built, and {wanted.name} is not made of it. Make it: {command} {wanted.typed}")
    return folder


def _beside(source: Path, wanted: Derivation) -> Path:
    return source.with_name(f"{source.name}{VIEWS}") / wanted.name
