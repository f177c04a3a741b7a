"""`find_build`: the finished build that fits, found without raw files, network or anything heavy to import."""

from __future__ import annotations

import json
import os
from pathlib import Path

from covid_datasets.catalog.cards import Name, choose
from covid_datasets.errors import NotBuiltError
from covid_datasets.prepare.inputs import FORMAT, declared_inputs, folder_signature, outdated
from covid_datasets.prepare.result import MANIFEST_FILE, Built, Verify
from covid_datasets.settings import Settings


def find_build(
    name: Name,
    config: str | None = None,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    verify: Verify | None = None,
    allow_missing: bool = True,
) -> Built:
    """Return the newest finished build that fits, without looking at raw files or the network.

    Raises:
        NotBuiltError: There is none; the message says why an older one does not fit.
    """
    choice = choose(name, config)
    data_dir = choice.data_dir(data_dir)
    folder = Settings.resolve(cache_dir).prepared / choice.card.id / choice.version / choice.config
    raw = {} if data_dir is None else {"raw": folder_signature(Path(data_dir))}
    fitting, reasons = [], []
    for path in sorted(folder.glob(f"*/{MANIFEST_FILE}")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        found = manifest["inputs"]
        declared = declared_inputs(choice, verify or found["verify"]) | raw
        if found.get("format") != FORMAT:
            reasons.append(f"{path.parent} was {outdated(found)}")
            continue
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
        raise NotBuiltError(f"{name} has no finished build that fits ({why}). Make one: covid-datasets build {name}")
    return Built.read(max(fitting)[-1].parent)
