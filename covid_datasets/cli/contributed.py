"""The commands of those who add sources: skeletons, manifests, pictures of articles."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from covid_datasets.cli.show import (
    print_file,
    print_json,
    print_table,
    print_text,
)
from covid_datasets.disk import whole
from covid_datasets.progress import amount
from covid_datasets.settings import Settings


def run_new(arguments: Namespace) -> int:
    """Write the skeleton of a source."""
    from covid_datasets.contribute.new import write_skeleton
    from covid_datasets.contribute.probe import probe

    found = probe(arguments.probe, arguments.root, Settings.resolve(arguments.cache_dir)) if arguments.probe else None
    written = write_skeleton(arguments.id, arguments.checkout, kind=arguments.kind, found=found)
    if arguments.json:
        print_json({"id": arguments.id, "written": written})
        return 0
    for path in written:
        print(path)
    suite = f"pytest tests/test_conformance.py tests/conformance -k {arguments.id}"
    print(f"\nNext: fill in every FILL-IN, then: make docs && {suite}")
    return 0


def run_manifest(arguments: Namespace) -> int:
    """Write the content manifest of a folder or an archive."""
    from covid_datasets.contribute.manifest import content_manifest, manifest_text

    files = content_manifest(arguments.place, arguments.root)
    if arguments.out:
        with whole(Path(arguments.out)) as part:
            part.write_text(manifest_text(files), encoding="utf-8", newline="\n")
    if arguments.json:
        print_json({"files": len(files), "bytes": sum(file.size or 0 for file in files), "out": arguments.out})
    elif arguments.out:
        print(f"{arguments.out}: {len(files):,} files, {amount(sum(file.size or 0 for file in files))}")
    else:
        print_file(manifest_text(files))
    return 0


def run_figures(arguments: Namespace) -> int:
    """Take the pictures out of a PDF."""
    from covid_datasets.contribute.figures.command import figures

    found = figures(arguments.pdf, arguments.out, seconds=arguments.seconds)
    if arguments.json:
        print_json({"out": arguments.out, **found.to_json()})
        return 0
    rows = [
        {
            "file": each.file,
            "pages": each.pages,
            "width": each.width,
            "height": each.height,
            "panels": len(each.panels) or 1,
            "caption": each.caption,
        }
        for each in found.pictures
    ]
    if rows:
        print_table(rows, ("file", "pages", "width", "height", "panels", "caption"), cut="caption")
    for left in found.left_out:
        print_text(f"left out: page {left.page}{f', object {left.object}' if left.object else ''}: {left.why}")
    print_text(f"{len(rows):,} pictures of {found.pages:,} pages in {arguments.out}")
    return 0
