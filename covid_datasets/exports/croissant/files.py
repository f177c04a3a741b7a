"""The files of a description: those of an export, each with its hash, and those that a source's publisher serves."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from covid_datasets.catalog.card import Choice
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.catalog.resource import Resource
from covid_datasets.catalog.templates import is_template, summary
from covid_datasets.fetch.hosts import host_of, page_of

Node = dict[str, Any]

FORMATS: Mapping[str, str] = {
    ".parquet": "application/x-parquet",  # not registered, and the only name that mlcroissant reads
    ".arrow": "application/vnd.apache.arrow.stream",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
    ".tar": "application/x-tar",
    ".gz": "application/gzip",
    ".tgz": "application/gzip",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".mp4": "video/mp4",
    ".avi": "video/x-msvideo",
    ".mov": "video/quicktime",
    ".mpeg": "video/mpeg",
    ".mpg": "video/mpeg",
    ".dcm": "application/dicom",
    # What has no registered name is given by a page that describes it, as the specification wants.
    ".nii": "https://nifti.nimh.nih.gov/nifti-1",
    ".nii.gz": "https://nifti.nimh.nih.gov/nifti-1",
    ".tfrecord": "https://www.tensorflow.org/tutorials/load_data/tfrecord",
    ".array_record": "https://github.com/google/array_record",
}
UNKNOWN = "application/octet-stream"
MANY = 64
"""From so many files of one folder and one ending on, a file set stands for them."""
SHARDED = frozenset(FORMATS[ending] for ending in (".parquet", ".tfrecord", ".array_record", ".tar"))
"""Formats of shards: each is a file object with its hash, however many there are."""


def encoding(name: str) -> str:
    """Name the format of a file by its ending.

    >>> encoding("a/shard.parquet"), encoding("LICENSE")
    ('application/x-parquet', 'application/octet-stream')
    >>> encoding("v.nii.gz"), encoding("x-train.tfrecord-00000-of-00001")
    ('https://nifti.nimh.nih.gov/nifti-1', 'https://www.tensorflow.org/tutorials/load_data/tfrecord')
    """
    suffixes = re.sub(r"-\d{5}-of-\d{5}$", "", PurePosixPath(name).name.lower()).split(".")[1:]
    for start in range(max(0, len(suffixes) - 2), len(suffixes)):
        if known := FORMATS.get("." + ".".join(suffixes[start:])):
            return known
    return UNKNOWN


def files_of(files: Mapping[str, Mapping[str, Any]]) -> list[Node]:
    """Describe each file of an export by its size and SHA-256; where very many are alike, the set of them.

    >>> files_of({"metadata.csv": {"size": 3, "sha256": "ab" * 32}})[0]["contentSize"]
    '3 B'
    """
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in files:
        folder, _, file = name.rpartition("/")
        alike[folder.partition("/")[0], "".join(PurePosixPath(file).suffixes[-2:])].append(name)
    nodes: list[Node] = []
    for (top, ending), names in alike.items():
        if len(names) < MANY or encoding(names[0]) in SHARDED:
            nodes += [_file(name, files[name]) for name in names]
        else:
            pattern = f"{top}/*{ending}" if top else f"*{ending}"
            told = f"{len(names):,} files; manifest.json lists each of them with its size and SHA-256."
            nodes.append(file_set(pattern, [pattern], told))
    return nodes


def _file(name: str, known: Mapping[str, Any]) -> Node:
    return {
        "@type": "cr:FileObject",
        "@id": identifier(name),
        "name": PurePosixPath(name).name,
        "contentUrl": name,
        "contentSize": f"{known['size']} B",
        "encodingFormat": encoding(name),
        "sha256": known["sha256"],
    }


def file_set(name: str, includes: list[str], description: str, **more: Any) -> Node:
    """Describe files that globs name."""
    formats = list(dict.fromkeys(map(encoding, includes)))
    return {
        "@type": "cr:FileSet",
        "@id": identifier(name.replace("*", "all")),
        "name": name,
        "description": description,
        "encodingFormat": formats[0] if len(formats) == 1 else formats,
        "includes": includes[0] if len(includes) == 1 else includes,
        **more,
    }


def identifier(name: str) -> str:
    """Make an id of a name: a part of an IRI without anything that would need quoting.

    >>> identifier("CT COVID/a%1.png")
    'CT%20COVID/a%251.png'
    """
    return quote(name, safe="/._-+@*")


def raw_files(choice: Choice) -> list[Node]:
    """Describe what a source's publisher serves, as its card knows it.

    A download whose hash is published is a file object. One that is packed anew whenever it is asked for has none, and
    the card vouches for what is inside: that is a set of files, with the addresses that it is derived from.

    >>> from covid_datasets.catalog.cards import choose
    >>> [(node["@type"], node["name"]) for node in raw_files(choose("covid_ct"))][1:3]
    [('cr:FileSet', 'ct_noncovid'), ('cr:FileObject', 'metainfo')]
    """
    nodes = [node for resource in choice.resources for node in _raw(choice, resource)]
    if nodes:
        return nodes
    if choice.card.has_data:
        what = "Made by a program on the spot, the same on every machine; nothing is downloaded."
        return [file_set("made", ["*.png"], what)]
    what = " ".join((choice.card.access.why, *choice.card.access.steps))
    return [file_set("files", ["*"], what)]


def _raw(choice: Choice, resource: Resource) -> Iterator[Node]:
    addresses = [copy.url for copy in resource.copies]
    derived = {"prov:wasDerivedFrom": [{"@id": quote(url, safe=":/?#[]@!$&'()*+,;=%~")} for url in addresses]}
    first = addresses[0] if addresses else ""
    hashes = {key: value for key in ("sha256", "md5") if (value := getattr(resource, key))}
    if hashes and re.match(r"https?://", first) and host_of(first) is None:
        name = PurePosixPath(resource.path or first).name
        key = next(iter(hashes))
        yield {
            "@type": "cr:FileObject",
            "@id": identifier(resource.name),
            "name": resource.name,
            "description": _how(choice, resource),
            "contentUrl": first,
            **({"contentSize": f"{resource.size} B"} if resource.size else {}),
            "encodingFormat": encoding(name),
            key: hashes[key],
            **({"sameAs": addresses[1:]} if addresses[1:] else {}),
        }
        return
    more = derived if addresses and not is_template(resource) else {}
    yield file_set(resource.name, _includes(choice, resource), _how(choice, resource), **more)


def _how(choice: Choice, resource: Resource) -> str:
    """Say where the files come from, and what vouches for them."""
    pages = dict.fromkeys(page_of(copy.url) for copy in resource.copies)
    parts = [
        summary(resource),
        f"Served by {', '.join(pages)}." if pages else "Got by hand: " + " ".join(resource.steps),
        f"What is inside is identified file by file in catalogs/manifests/{resource.manifest}."
        * bool(resource.manifest),
        f"Its series are listed in catalogs/listings/{resource.listing}." * bool(resource.listing),
        " ".join(choice.card.access.steps) if choice.card.access.kind not in ("open", "web") else "",
        "No hash of the download is published; it is recorded when it is first made."
        if not (resource.sha256 or resource.md5 or resource.manifest or resource.members)
        else "",
    ]
    return " ".join(filter(None, parts))


def _includes(choice: Choice, resource: Resource) -> list[str]:
    """Name the files inside of a resource by globs that are as narrow as what is known allows."""
    if resource.files:
        return sorted({glob for pattern in resource.files for glob in _globs(resource.folder + pattern.glob)})
    if resource.manifest and not is_template(resource):
        return _endings(resource.folder, read_manifest(resource.manifest))
    if resource.path:
        return [resource.folder + resource.path]
    return [f"{resource.folder}*.dcm" if resource.kind == "series" else f"{resource.folder}*"]


def _globs(glob: str) -> list[str]:
    """Write a glob of the catalog in the form that everybody reads.

    >>> _globs("case-{case:number}/*.(jpg|png)")
    ['case-*/*.jpg', 'case-*/*.png']
    """
    plain = re.sub(r"\{[^{}]*\}", "*", glob)
    found = re.search(r"\(([^()]*)\)", plain)
    if not found:
        return [plain]
    head, tail = plain[: found.start()], plain[found.end() :]
    return [each for choice in found[1].split("|") for each in _globs(head + choice + tail)]


def _endings(folder: str, paths: Iterable[str]) -> list[str]:
    """Name files by their folders and endings.

    >>> _endings("", ["images/a.png", "images/b.png", "list.csv"])
    ['images/*.png', 'list.csv']
    """
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in map(PurePosixPath, paths):
        found["" if str(path.parent) == "." else f"{path.parent}/", path.suffix].append(path.name)
    return sorted(
        folder + parent + (f"*{suffix}" if len(names) > 1 else names[0]) for (parent, suffix), names in found.items()
    )
