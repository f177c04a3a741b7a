"""WebDatasets: tar files whose members of one sample share a key, read in place, as rows of a split."""

from __future__ import annotations

import glob
import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from covid_datasets.audits.files import MAX_BYTES, Found
from covid_datasets.audits.given import joined
from covid_datasets.audits.sample import Gathered, Sample, is_part
from covid_datasets.audits.tables import NAMES, read_listing
from covid_datasets.errors import DamagedFileError, NotThereError, UsageError
from covid_datasets.own.files import kind_by_name
from covid_datasets.raw.archives import open_archive
from covid_datasets.schema import Notice

ENDINGS = (".tar", ".tar.gz", ".tgz")
_MAX_JSON = 1 << 22
_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")


def shards_of(what: object) -> list[str]:
    """List the tar files that are meant by a path, a pattern such as ``train-{000..009}.tar``, a folder, or a list.

    >>> shards_of("a-{08..10}.tar")
    ['a-08.tar', 'a-09.tar', 'a-10.tar']
    """
    if isinstance(what, Sequence) and not isinstance(what, str):
        return [shard for each in what for shard in shards_of(each)]
    text = os.fspath(what) if isinstance(what, str | os.PathLike) else ""
    if not text.lower().endswith(ENDINGS):
        if not os.path.isdir(text):
            return []
        found = [str(path) for path in sorted(Path(text).rglob("*")) if path.name.lower().endswith(ENDINGS)]
        return [path for path in found if not Path(path).name.startswith(".")]
    if (braces := _BRACES.search(text)) is not None:
        first, last = braces[1], braces[2]
        numbers = (str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))
        return [text[: braces.start()] + number + text[braces.end() :] for number in numbers]
    return sorted(glob.glob(text)) if any(char in text for char in "*?[") and not os.path.exists(text) else [text]


def of_shards(what: str, shards: Sequence[str], split: Any, columns: Mapping[str, str]) -> Gathered:
    """Take tar files; the part is that of a folder or the name of the file (``train-000.tar``), or a table says it."""
    found: list[Found] = []
    samples: list[Sample] = []
    notices: list[Notice] = []
    roots = [os.path.abspath(os.path.dirname(shard)) for shard in shards]
    common = os.path.commonpath(roots) if roots else ""
    for shard in shards:
        path = os.path.abspath(os.path.expanduser(shard))
        if not os.path.isfile(path):
            raise NotThereError(f"{shard}: expected a tar file, found nothing")
        within = os.path.relpath(path, common).replace(os.sep, "/")
        part = _part_of(within)
        for key, members in _keys(path).items():
            shown = next((name for name in members if kind_by_name(name) == "picture"), None)
            if shown is None:
                notices.append(
                    Notice("sample without a picture", f"{within}/{key}", ", ".join(members)[:200], dropped=True)
                )
                continue
            read = partial(_read, path, shown)
            found.append(Found(f"{within}/{shown}", "picture", read))
            samples.append(_sample(found[-1].name, part, path, key, members, read))
    if not found:
        raise UsageError(f"{what}: expected tar files with pictures, found none in {len(shards):,} files")
    if split is not None:
        return joined(what, found, read_listing(split, columns), notices)
    without = [sample.name for sample in samples if not sample.split]
    if without:
        raise UsageError(
            f"{without[0]}: expected the part of the split in the name of the tar file (train-000.tar) or of its "
            "folder, found none. Next: give a table of names and their parts: split='my.csv', or --split my.csv"
        )
    return Gathered(what, samples, notices)


def _part_of(within: str) -> str:
    """Read the part off the path of a tar file.

    >>> _part_of("train/000.tar"), _part_of("covid-val-000.tar"), _part_of("000.tar")
    ('train', 'val', '')
    """
    words = [*within.split("/")[:-1], *re.split(r"[-.]|_(?!\d)", within.rpartition("/")[2])]
    return next((word for word in words if is_part(word)), "")


def _keys(path: str) -> dict[str, list[str]]:
    """Put the members of each sample together: they share all up to the first point of the name."""
    members: dict[str, list[str]] = defaultdict(list)
    for name in open_archive((path,)).names():
        folder, slash, last = name.rpartition("/")
        if not last.startswith("."):
            members[folder + slash + last.partition(".")[0]].append(name)
    return members


def _read(path: str, member: str) -> bytes:
    archive = open_archive((path,))
    size = archive.size(member)
    if size is None or size > MAX_BYTES:
        raise DamagedFileError(f"{path}: {member}: expected at most {MAX_BYTES:,} bytes, found {size}")
    return archive.read(member)


def _sample(name: str, part: str, path: str, key: str, members: Sequence[str], read: Any) -> Sample:
    """Read what lies beside the picture: a class, and a JSON that may name label and patient."""
    archive = open_archive((path,))
    texts = {
        ending: archive.read(member).decode("utf-8", errors="replace")
        for ending in ("json", "cls")
        if (member := f"{key}.{ending}") in members and (archive.size(member) or 0) <= _MAX_JSON
    }
    try:
        said = json.loads(texts.get("json", "{}"))
    except (ValueError, RecursionError):
        said = {}
    said = said if isinstance(said, dict) else {}
    told = {
        role: next((str(said[column]) for column in NAMES[role] if said.get(column) not in (None, "")), None)
        for role in ("label", "patient")
    }
    if said.get("patient_known") is False:
        told["patient"] = None
    return Sample(name, part, told["label"] or texts.get("cls", "").strip() or None, told["patient"], read=read)
