"""A note beside finished builds of what the catalog says about them, so that finding one need not read the catalog.

The note has what `declared_inputs` found when the build was made, and the state of every file that this came from: of
the catalog, of builders and of this package. It counts only while all of them are the same. Which build fits, and
whether it is whole, is found from the builds themselves, as ever.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covid_datasets.disk import read_json
from covid_datasets.settings import STARTED

if TYPE_CHECKING:
    from covid_datasets.catalog.card import Choice

FOLDER = ".noted"
SETTLED = 2.0
"""Seconds that a file must have been left alone: within them two changes may have one time, as some systems tell it."""
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Said:
    """What the catalog says of a dataset that somebody names: where its builds lie, and the inputs that are declared.

    ``declared`` lacks ``verify``, which is the caller's.
    """

    place: tuple[str, str, str]
    declared: dict[str, Any]


def read_note(prepared: Path, name: str, config: object) -> Said | None:
    """Return what the catalog says of a name; ``None`` where that is not noted, or may be something else by now."""
    if not isinstance(config, str | None):
        return None  # whoever reads the catalog says what is wrong with it
    asked = _asked(name, config)
    found = read_json(_file(prepared, asked))
    note = found.get("note")
    if not isinstance(note, dict) or found.get("sha256") != _digest(note) or note["asked"] != asked:
        return None
    if any(_state(path) != state for path, state in note["watched"].items()):
        return None
    source, version, chosen = note["place"]
    return Said((source, version, chosen), note["declared"])


def write_notes(prepared: Path, choice: Choice) -> None:
    """Note what the catalog says of a choice, for all names that it has, where all that this came from can be watched.

    A file that was changed since this process began may not be the one that was read, so nothing is noted then. A cache
    that cannot be written stays without notes.
    """
    from covid_datasets.prepare.inputs import declared_inputs

    card = choice.card
    if read_note(prepared, f"{card.id}@{choice.version}", choice.config) is not None:
        return
    watched = {str(path): _state(str(path)) for path in _depends_on(choice)}
    times = [time_ for state in watched.values() if state is not None for time_ in state[1:3]]
    if not times or max(times) >= (STARTED - SETTLED) * 1e9:
        return
    declared = declared_inputs(choice, "")
    said = {
        "place": [card.id, choice.version, choice.config],
        "declared": {key: value for key, value in declared.items() if key != "verify"},
        "watched": watched,
    }
    names = [f"{card.id}@{choice.version}", *([card.id] if choice.version == card.default_version else [])]
    configs = [choice.config, *([None] if choice.config == next(iter(card.configs)) else [])]
    for asked in (_asked(name, config) for name in names for config in configs):
        note = said | {"asked": asked}
        try:
            (prepared / FOLDER).mkdir(exist_ok=True)
            # In place: a note that is torn is not the one that it says its digest of, and is none.
            text = json.dumps({"note": note, "sha256": _digest(note)})
            _file(prepared, asked).write_text(text, encoding="utf-8")
        except OSError:  # a full disk, or one that may only be read: a note saves time, and nothing needs it
            return


def _asked(name: str, config: str | None) -> dict[str, Any]:
    """Write a question out, with the places of the package and of the catalog that it is put to."""
    import covid_datasets.catalogs as catalog

    where = {"package": str(_PACKAGE), "catalog": str(next(iter(catalog.__path__)))}
    return {"name": name, "config": config} | where


def _file(prepared: Path, asked: dict[str, Any]) -> Path:
    return prepared / FOLDER / f"{_digest(asked)[:16]}.json"


def _digest(table: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def _state(path: str) -> list[int] | None:
    """Tell a state of a file from any other: size, times and number; ``None`` of no file.

    No program can set the time at which a file was last changed in any way, so this also tells of one that was put in
    the place of another with the same size and time.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _depends_on(choice: Choice) -> Iterable[Path]:
    """List the files that `declared_inputs` reads; nothing where one of them is not of this package."""
    from covid_datasets.catalog.cards import house_names
    from covid_datasets.catalog.folder import catalog_folder
    from covid_datasets.prepare.composed import builder_path, components_of

    catalog, cards = catalog_folder(), components_of(choice.card)
    sources = {card.id for card in cards} | set(choice.card.quotes)
    if any(card.builder or card.own_copy for card in cards) or sources - set(house_names()):
        return []
    builders = [builder_path(card.id) for card in cards]
    if any(path.name == "__init__.py" for path in builders):
        return []
    # A folder of the name of a builder would be imported in its place.
    packages = [path.with_suffix("") / "__init__.py" for path in builders]
    published = [catalog / "identities" / f"{choice.card.id}.tsv", catalog / "splits" / f"{choice.card.id}.csv"]
    tables = [catalog / f"{source}.toml" for source in sorted(sources)]
    code = sorted([*_PACKAGE.glob("*.py"), *_PACKAGE.glob("catalog/*.py"), *_PACKAGE.glob("prepare/*.py")])
    return [*tables, catalog / "_taxonomy.toml", *published, *builders, *packages, *code]
