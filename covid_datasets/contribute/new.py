"""What ``covid-datasets new ID`` writes: a builder, a card and a raw tree, honest about being unfinished.

The skeleton imports and validates, and the conformance suite fails for it at every value that is still a placeholder.
"""

from __future__ import annotations

import re
from pathlib import Path

from covid_datasets.errors import UsageError

PLACEHOLDER = "FILL-IN"
"""Stands where a fact is missing; the conformance suite names every file and line that still holds it."""

BUILDER = '''\
"""FILL-IN: the source, and what its tree looks like, in one or two sentences."""

from __future__ import annotations

from collections.abc import Iterator

from covid_datasets.schema import RawFiles
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Notice, Record


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield one record per image. FILL-IN: match the publisher's real tree and columns."""
    table = read_csv(raw, "metadata.csv", required=["filename", "patient", "finding"])
    yield from table.notices
    for row in table.rows:
        yield Record(
            sample_id=row["filename"],
            image=File(f"images/{row['filename']}"),
            modality="CXR",
            patient=row["patient"] or None,
            label_raw=row["finding"] or None,
            source_row=row,
        )
'''

CARD = """\
# Every field is explained in README.md of this folder. Write what is known; say "unknown" where it is not.
title = "FILL-IN"
summary = "FILL-IN: what it is, in one sentence."
seed_names = []
modalities = ["CXR"]
task = "FILL-IN"
homepage = "FILL-IN"
default_version = "FILL-IN"
# A table without images has modalities = [] and its own columns, say date = "date32", under [columns]; see Rows.

[licence]
spdx = ""
terms = "FILL-IN: the publisher's exact words."
redistribution = "unknown"
commercial = "unknown"

[access]
kind = "open"

[patients]
known = "none"
group = "all"  # what is kept together where nobody knows the patient; leave it out where all are known
how = "FILL-IN: which column or file name tells the person."

[[citations]]
key = "FILL-IN"
title = "FILL-IN"
author = ["FILL-IN"]
year = 2020

[versions."FILL-IN"]
resources = ["images"]

[[resources]]
name = "images"
kind = "archive"
copies = [{ url = "https://example.org/FILL-IN.zip" }]
"""

TREE = '''\
"""Raw tree of @ID@ in its true layout. FILL-IN: names, columns and dirty values as the publisher has them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.sources import chest, pack


def write_unpacked(folder: Path) -> None:
    """Write a small look-alike of the tree."""
    (folder / "images").mkdir(parents=True)
    rows = ["filename,patient,finding"]
    for number in range(4):
        (folder / "images" / f"{number}.png").write_bytes(chest(number, modality="CXR"))
        rows.append(f"{number}.png,p{number // 2},COVID-19")
    (folder / "metadata.csv").write_text("\\n".join(rows) + "\\n", encoding="utf-8")


def write_archives(folder: Path) -> None:
    """Write what the publisher serves, as a mirror."""
    with tempfile.TemporaryDirectory() as place:
        write_unpacked(Path(place) / "tree")
        pack(Path(place) / "tree", folder / "example.org" / "FILL-IN.zip", root="")


write = write_unpacked
'''

BUILDER_BY_HAND = '''\
"""FILL-IN: the source, of which users save case by case, in one or two sentences."""

from __future__ import annotations

from collections.abc import Iterator

from covid_datasets.schema import RawFiles
from covid_datasets.read.cases import read_cases
from covid_datasets.schema import File, Notice, Record


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield one record per figure. FILL-IN: what names and notes of this source say."""
    for case in read_cases(raw, r"case-([0-9]+)", headers=["url"]):
        if isinstance(case, Notice):
            yield case
            continue
        for path in case.figures:
            yield Record(
                sample_id=path,
                image=File(path),
                modality="CXR",
                patient=case.id,
                caption=case.note.text or None,
                source_url=case.note.headers.get("url"),
                source_row={"folder": case.folder, **case.note.headers},
            )
'''

RESOURCE_BY_HAND = """\
[[resources]]
name = "cases"
kind = "folder"
steps = ["FILL-IN: how one case is saved."]

[[resources.files]]
glob = "case-{case:number}/case.txt"
what = "the text of the page"
required = true
example = "url: FILL-IN\\n\\nFILL-IN: the text."

[[resources.files]]
glob = "case-{case:number}/*.(jpg|jpeg|png|webp|gif|tif|tiff)"
what = "its figures, as saved; one at least"
required = true
"""

TREE_BY_HAND = '''\
"""Cases of @ID@ as users save them. FILL-IN: names and dirty values as the publisher has them."""

from __future__ import annotations

from pathlib import Path

from tests.sources import chest


def write_unpacked(folder: Path) -> None:
    """Write a small look-alike of the folder."""
    for number in range(1, 5):
        case = folder / f"case-{number}"
        case.mkdir(parents=True)
        (case / "case.txt").write_text("url: https://example.org/FILL-IN\\n\\nA text.\\n", encoding="utf-8")
        (case / "figure-1.png").write_bytes(chest(number, modality="CXR"))


write = write_unpacked
'''


def write_skeleton(name: str, checkout: str | Path = ".", *, by_hand: bool = False) -> list[Path]:
    """Write the files of a new source into a checkout; none of them may exist yet.

    Args:
        name: Id of the source: its module, its TOML file and its pages are called so.
        checkout: Folder that holds ``builders/``, ``catalogs/`` and ``tests/``.
        by_hand: Whether its users save it case by case, because nothing may download it.

    Returns:
        The files that were written.

    Raises:
        UsageError: The name cannot be an id, a file is there already, or this is no checkout.
    """
    files = skeleton(name, by_hand=by_hand)
    root = Path(checkout)
    if lost := [folder for folder in ("builders", "catalogs", "tests") if not (root / folder).is_dir()]:
        raise UsageError(
            f"{root.absolute()}: expected a checkout of covid_datasets, found no {', '.join(lost)}/; "
            "run this in its top folder, or give --checkout DIR"
        )
    if taken := [path for path in files if (root / path).exists()]:
        raise UsageError(f"{name}: refusing to overwrite {', '.join(taken)}; choose another id, or remove them first")
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        with (root / path).open("x", encoding="utf-8") as out:  # "x": also a file of this very moment stays
            out.write(text)
    return [root / path for path in files]


def skeleton(name: str, *, by_hand: bool = False) -> dict[str, str]:
    """Return path and text of each file of a new source.

    >>> list(skeleton("my_source"))
    ['builders/my_source.py', 'catalogs/my_source.toml', 'tests/sources/my_source.py']
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UsageError(f"{name!r} cannot be an id: expected lower-case letters, digits and _, a letter first")
    card, resource = CARD.split("[[resources]]")[0], "[[resources]]" + CARD.split("[[resources]]")[1]
    if by_hand:
        card = card.replace('kind = "open"', 'kind = "web"\nsteps = ["FILL-IN: what to do, one step each."]')
        card, resource = card.replace('resources = ["images"]', 'resources = ["cases"]'), RESOURCE_BY_HAND
    return {
        f"builders/{name}.py": BUILDER_BY_HAND if by_hand else BUILDER,
        f"catalogs/{name}.toml": card + resource,
        f"tests/sources/{name}.py": (TREE_BY_HAND if by_hand else TREE).replace("@ID@", name),
    }


def placeholders(name: str, checkout: str | Path = ".") -> list[str]:
    """List ``file:line`` of every placeholder that is left in a source's files."""
    return [
        f"{path}:{number}"
        for path in skeleton(name)
        if (Path(checkout) / path).exists()
        for number, line in enumerate((Path(checkout) / path).read_text(encoding="utf-8").splitlines(), start=1)
        if PLACEHOLDER in line
    ]
