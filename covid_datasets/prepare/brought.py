"""A finished build in a store, brought to this machine: the folder that a build here would have made."""

from __future__ import annotations

import shutil
from pathlib import Path

from covid_datasets.disk import check_space, make_folder, publish_folder
from covid_datasets.lock import Lock
from covid_datasets.prepare.seal import MANIFEST_FILE, SEAL_FILE, damaged, difference, read_manifest
from covid_datasets.progress import progress
from covid_datasets.store import Store, together


def bring(build: Store, prepared: Path, parts: tuple[str, str, str, str]) -> Path:
    """Copy a build to its folder, where it is not there yet; every file is compared with the manifest."""
    final = prepared.joinpath(*parts)
    private = prepared / ".work" / f"{'-'.join(parts)}-copy"
    if (final / MANIFEST_FILE).exists():
        return final
    make_folder(private.parent)
    with Lock(private.with_name(f"{private.name}.lock")):
        if (final / MANIFEST_FILE).exists():
            return final
        sealed = read_manifest(build)["files"]
        total = sum(told["size"] for told in sealed.values())
        check_space(private.parent, total)
        shutil.rmtree(private, ignore_errors=True)  # of a process that was killed
        with progress(f"Fetching {build}", total_bytes=total) as display:
            display.add("files", total)

            def fetch(name: str) -> None:
                make_folder((private / name).parent)
                try:
                    build.get_file(name, private / name)
                except FileNotFoundError as error:
                    raise damaged(build, name, "the file as it was built", "there is no such object") from error
                if name in sealed:
                    if what := difference(private, name, sealed[name]):
                        raise damaged(build, name, "the file as it was built", what)
                    display.advance("files", sealed[name]["size"])

            try:
                together(fetch, [*sealed, SEAL_FILE, MANIFEST_FILE])
                publish_folder(private, final)
            finally:
                shutil.rmtree(private, ignore_errors=True)
    return final
