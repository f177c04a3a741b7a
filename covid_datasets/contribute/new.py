"""What ``covid-datasets new ID`` writes: a builder, a card and a raw tree, honest about being unfinished.

The texts are files in ``templates/``. What a probe found goes into them; what only people can know is a placeholder.
The skeleton imports and builds, and the conformance suite fails for it only where a placeholder is.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from covid_datasets.contribute.manifest import content_manifest, manifest_text
from covid_datasets.contribute.probe import DICOM, GITHUB, PICTURES, VOLUMES, Column, Probe, TableFacts, report
from covid_datasets.errors import UsageError, not_one_of
from covid_datasets.fetch.places import place
from covid_datasets.raw.archives import is_archive

PLACEHOLDER = "FILL-IN"
"""Stands where a fact is missing; the conformance suite names every file and line that still holds it."""
KINDS = ("pictures", "table", "dicom", "volumes", "by-hand", "account", "card-only")
"""Skeletons: what the source has, or how its users get it."""
_MODALITY = {"dicom": "CT", "volumes": "CT"}
_NEEDS = {"dicom": '"pydicom", "gdcm"', "volumes": '"nibabel"'}
_ENDINGS = {"dicom": DICOM, "volumes": VOLUMES, "table": ()}
_LISTED = TableFacts(
    "metadata.csv",
    0,
    tuple(Column(name, 0, 0, (), None, name == "filename", 0) for name in ("filename", "patient", "finding")),
)
_INVENTED = {
    "dicom": [f"series-{series}/{number}.dcm" for series in (1, 2) for number in (0, 1)],
    "volumes": [f"volumes/{number}.nii.gz" for number in range(4)],
    "pictures": [f"images/{number}.png" for number in range(4)],
}
"""What the small tree holds where nobody looked at the source."""


def write_skeleton(
    name: str, checkout: str | Path = ".", *, kind: str | None = None, found: Probe | None = None
) -> list[Path]:
    """Write the files of a new source into a checkout; none of them may exist yet.

    Args:
        name: Id of the source: its module, its TOML file and its pages are called so.
        checkout: Folder that holds ``builders/``, ``catalogs/`` and ``tests/``.
        kind: One of `KINDS`; by default what the probe found most of, pictures without one.
        found: What a probe found.

    Returns:
        The files that were written.

    Raises:
        UsageError: The name cannot be an id, a file is there already, or this is no checkout.
    """
    texts = skeleton(name, kind=kind, found=found)
    root = Path(checkout)
    if lost := [folder for folder in ("builders", "catalogs", "tests") if not (root / folder).is_dir()]:
        raise UsageError(
            f"{root.absolute()}: expected a checkout of covid_datasets, found no {', '.join(lost)}/; "
            "run this in its top folder, or give --checkout DIR"
        )
    if taken := [path for path in texts if (root / path).exists()]:
        raise UsageError(f"{name}: refusing to overwrite {', '.join(taken)}; choose another id, or remove them first")
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        with (root / path).open(
            "x", encoding="utf-8", newline="\n"
        ) as out:  # "x": also a file of this very moment stays
            out.write(text)
    return [root / path for path in texts]


def skeleton(name: str, *, kind: str | None = None, found: Probe | None = None) -> dict[str, str]:
    """Return path and text of each file of a new source.

    >>> list(skeleton("my_source"))
    ['builders/my_source.py', 'catalogs/my_source.toml', 'tests/sources/my_source.py']
    >>> list(skeleton("my_source", kind="card-only"))
    ['catalogs/my_source.toml']
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UsageError(f"{name!r} cannot be an id: expected lower-case letters, digits and _, a letter first")
    kind = kind or (found.kind if found else "pictures")
    if kind not in KINDS:
        raise UsageError(f"kind: {not_one_of(kind, KINDS)}")
    shape = "pictures" if kind == "account" else kind
    if kind == "account" and found and found.kind != "table":
        shape = found.kind
    if shape == "pictures" and (found is None or _listing(found)):
        shape = "pictures-table"
    manifest = f"{name}-files.tsv" if found and is_tree(found) else ""
    values = _values(name, shape, found) | {"RESOURCE": "", "SERVED": "", "ROOT": '""'}
    if kind not in ("by-hand", "card-only"):
        values |= _resource(kind, shape, found, manifest)
    card = _filled("card.toml", values) + _filled(f"{kind}.toml", values) + values["RESOURCE"]
    card_file = {f"catalogs/{name}.toml": re.sub(r"\n{3,}", "\n\n", card).rstrip("\n") + "\n"}
    if kind == "card-only":
        return card_file
    tree = re.sub(r"\n{4,}", "\n\n\n", _filled(f"{shape}.tree.py.txt", values))
    if kind not in ("by-hand", "account"):
        plain = shape == "table" and not values["SERVED"].endswith((".zip'", '.zip"'))
        tree += _filled(f"served-{'file' if plain else 'archive'}.py.txt", values)
    texts = {f"builders/{name}.py": _filled(f"{shape}.py.txt", values), **card_file, f"tests/sources/{name}.py": tree}
    if found and manifest:
        texts[f"catalogs/manifests/{manifest}"] = manifest_text(content_manifest(found.place, found.root))
    if found:
        texts[f"{name}.probe.md"] = report(found)
    return texts


def is_tree(found: Probe) -> bool:
    """Tell whether a probe looked at a folder or an archive, and not at a plain file."""
    return found.place.is_dir() or is_archive(found.place.name)


def placeholders(name: str, checkout: str | Path = ".") -> list[str]:
    """List ``file:line`` of every placeholder that is left in a source's files."""
    return [
        f"{path}:{number}"
        for path in skeleton(name)
        if (Path(checkout) / path).exists()
        for number, line in enumerate((Path(checkout) / path).read_text(encoding="utf-8").splitlines(), start=1)
        if PLACEHOLDER in line
    ]


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Read a template and put values in the places of their names."""
    text = (files("covid_datasets.contribute") / "templates" / template).read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], text)


def _values(name: str, shape: str, found: Probe | None) -> dict[str, str]:
    """Give what goes into the templates, as Python or TOML spells it."""
    table = (_listing(found) if shape == "pictures-table" else _first_table(found)) or _LISTED
    named = [column.name for column in table.columns if not _nameless(column.name)]
    key = max(table.columns, key=lambda column: max(column.files, column.stems))
    endings = _ENDINGS.get(shape, PICTURES)
    paths = _examples(found.ending(endings) if found else [], shape)
    modality = _MODALITY.get(shape, "CXR")
    spelled = {column: re.sub(r"\W+", "_", column.lower()).strip("_") or "column" for column in named}
    return {
        "ID": name,
        "DEFAULT": "" if shape == "card-only" else f'default_version = "{PLACEHOLDER}"\n',
        "MODALITIES": "" if shape == "table" else json.dumps(modality),
        "MODALITY": json.dumps(modality),
        "UNTOLD": ""
        if found
        else f'UNTOLD = {{"missing file": "{PLACEHOLDER}: a manifest or a list says what there is"}}\n',
        "NEEDS": _NEEDS.get(shape, ""),
        "IMAGES": _count(shape, found, table),
        "ENDINGS": json.dumps(list(endings)).replace("[", "(").replace("]", ")"),
        "PATHS": _lines(paths),
        "FOLDERS": _lines(dict.fromkeys(path.rpartition("/")[0] for path in paths)),
        "TABLE": json.dumps(table.path),
        "READ": "read_xlsx" if table.path.lower().endswith(".xlsx") else "read_csv",
        "OPTIONS": ', delimiter="\\t"' if table.path.lower().endswith(".tsv") else "",
        "FILE": json.dumps(key.name),
        "KEY": "name" if key.files >= key.stems else "stem",
        "HEADER": _lines("" if _nameless(column.name) else column.name for column in table.columns),
        "NAMES": "\n".join(f"    {json.dumps(column)}: {json.dumps(new)}," for column, new in spelled.items()),
        "COLUMNS": "\n".join(f'{new} = "string"' for new in spelled.values()) + f"  # {PLACEHOLDER}: their types",
        "FEATURE": next(iter(spelled.values())),
        "FEATURE_NAME": json.dumps(next(iter(spelled.values()))),
    }


def _resource(kind: str, shape: str, found: Probe | None, manifest: str) -> dict[str, str]:
    """Write the download as the card has it, and say where a mirror serves it."""
    plain = shape == "table" and not (found and is_tree(found))
    table = _first_table(found) or _LISTED
    url = found.url if found and found.url else f"https://{PLACEHOLDER}/{table.path if plain else 'files.zip'}"
    root, github = found.root if found else "", GITHUB.fullmatch(url)
    lines = ["[[resources]]", 'name = "files"']
    if kind == "account":
        lines += ['kind = "archive"', f'steps = ["{PLACEHOLDER}: which file to save, and where."]']
    elif github:
        lines.append(f'github = "{github[1]}/{github[2]}@{github[3]}"')
        inside = root.removeprefix(f"{github[2]}-{github[3]}/")
        lines += [f"root = {json.dumps(inside)}"] if inside else []
    else:
        inside = f", root = {json.dumps(root)}" if root else ""
        if plain:
            lines.append(f"path = {json.dumps(PurePosixPath(urlsplit(url).path).name)}")
        else:
            lines.append('kind = "archive"')
        lines += [f"size = {found.size}"] if found and found.size is not None else []
        lines += [f'sha256 = "{found.sha256}"'] if found and found.sha256 else []
        lines.append(f"copies = [{{ url = {json.dumps(url)}{inside} }}]")
    lines += [f'manifest = "{manifest}"'] if manifest else []
    return {"RESOURCE": "\n" + "\n".join(lines) + "\n", "SERVED": json.dumps(place(url)), "ROOT": json.dumps(root)}


def _listing(found: Probe | None) -> TableFacts | None:
    """Choose the table that names most files."""
    if found is None:
        return None
    named = {
        table: max((max(column.files, column.stems) for column in table.columns), default=0) for table in found.tables
    }
    best = max(named, key=lambda table: named[table], default=None)
    return best if best is not None and named[best] else None


def _first_table(found: Probe | None) -> TableFacts | None:
    return next((table for table in found.tables if table.columns), None) if found else None


def _count(shape: str, found: Probe | None, table: TableFacts) -> str:
    """Count samples, where a file or a row is one."""
    if found is None or shape == "dicom":
        return ""
    count = table.rows if shape == "table" else len(found.ending(_ENDINGS.get(shape, PICTURES)))
    return f"images = {count}  # {PLACEHOLDER}: so many were found"


def _examples(paths: Sequence[str], shape: str) -> list[str]:
    """Choose two files of some folders, four where there is but one folder, so that each group has more than one."""
    folders: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folders[path.rpartition("/")[0]].append(path)
    if not folders or (shape == "dicom" and set(folders) == {""}):
        return _INVENTED.get(shape.partition("-")[0], [])
    largest = sorted(folders.values(), key=lambda members: -len(members))[:3]
    chosen = [path for members in largest for path in members[: 2 if len(largest) > 1 else 4]]
    for members in largest:
        if len(members) == 1:  # what is alone in its folder here gets somebody beside it
            name = PurePosixPath(members[0])
            chosen.append(str(name.with_name(f"{PLACEHOLDER}-{name.name}")))
    return sorted(chosen)


def _nameless(column: str) -> bool:
    return re.fullmatch(r"unnamed \d+", column) is not None


def _lines(values: Iterable[str]) -> str:
    return "\n".join(f"    {json.dumps(value, ensure_ascii=False)}," for value in values)
