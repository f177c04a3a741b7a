"""`audit`: whatever somebody has, and however its split is written down."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from covid_datasets.audits import given, hugging, webdataset
from covid_datasets.audits.bonds import bonds_of
from covid_datasets.audits.builds import of_builds
from covid_datasets.audits.files import form_of
from covid_datasets.audits.looks import look_at_all
from covid_datasets.audits.report import Audit, Level
from covid_datasets.audits.sample import Gathered
from covid_datasets.audits.tables import ENDINGS as TABLES
from covid_datasets.audits.weighed import weighed
from covid_datasets.catalog.cards import house_names
from covid_datasets.catalog.outside import outside_sources
from covid_datasets.catalog.own import OwnData, is_path
from covid_datasets.errors import NotThereError, UsageError, did_you_mean
from covid_datasets.extras import need


def audit(
    what: Any,
    scheme: str | None = None,
    *,
    split: Any = None,
    level: Level | None = None,
    columns: Mapping[str, str] | None = None,
    config: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Audit:
    """Check whether a split keeps people and pictures apart: one of ours, or anybody's.

    Args:
        what: The name of a dataset that is built, or a list of names; a folder of pictures, NIfTI or DICOM files; a
            list of such files; a table of them; a Hugging Face ``Dataset`` or ``DatasetDict``, or the folder of a
            saved one; the tar files of a WebDataset; a folder for each part, as in ``{"train": "a", "test": "b"}``.
        scheme: Of a dataset that is built: "patient" (the default), "official", "fold-1-of-5", ….
        split: A split of one's own: a CSV, TSV, Excel or Parquet file, a data frame, a list of dictionaries, or a
            dictionary of parts and file names.
        level: "thorough" also finds copies that were cropped, turned, mirrored, inverted or put into figures. It is
            done for up to 2,000 pictures where nothing is said, and "quick" for more. Without OpenCV it is "quick".
        columns: Which column of the table tells what, where its name does not say it: ``{"split": "fold_a"}``; the
            keys are file, sha256, split, label and patient.
        config: The config of a dataset that is built.
        cache_dir: The cache folder of datasets that are built.

    >>> rows = [{"file": "a.png", "split": "train", "patient": "7"}, {"file": "b.png", "split": "test", "patient": "7"}]
    >>> report = audit(rows)
    >>> report.leaks, [(pair.first, pair.second, pair.kind) for pair in report.pairs]
    (1, [('a.png', 'b.png', 'patient')])
    >>> print(report.no_leaks)
    file,split,label,patient,removed_from,why
    a.png,,,7,train,"patient: 7, as b.png in test"
    b.png,test,,7,,
    <BLANKLINE>
    """
    if level is not None and level not in get_args(Level):
        raise UsageError(f"level: expected quick or thorough, found {level!r}{did_you_mean(level, get_args(Level))}")
    if level == "thorough":
        need("cv2")
    if scheme is not None and split is not None:
        raise UsageError("scheme, split: expected a scheme of ours or a table of your own, found both")
    columns = columns or {}
    near = None
    if is_ours(what, scheme):
        found = of_builds(what, scheme or "patient", split, columns, {"config": config, "cache_dir": cache_dir})
        gathered, looks, near = found.gathered, list(found.looks), found.near
        if not any(look and look.measured.pixel_hash for look in looks):  # a build that only hashed its bytes
            looks, near = look_at_all(gathered.samples), None
        scheme = None if split is not None else scheme or "patient"
    else:
        if scheme is not None or config is not None:
            raise UsageError(f"scheme, config: expected with a dataset that is built, found {_shown(what)}")
        gathered = gather(what, split, columns)
        looks = look_at_all(gathered.samples)
    return weighed(gathered, looks, bonds_of(gathered.samples, looks, near), scheme, level)


def is_ours(what: Any, scheme: str | None) -> bool:
    """Tell whether something names datasets that are built; a path does so together with a scheme of its build.

    >>> is_ours("cohen", None), is_ours(["cohen", "hannover"], None), is_ours("./ward", None)
    (True, True, False)
    >>> is_ours("./ward", "patient")
    True
    """
    if isinstance(what, OwnData):
        return True
    if isinstance(what, str | os.PathLike):
        if scheme is not None:
            return True
        return _is_name(what)
    is_list = isinstance(what, Sequence) and len(what) > 0
    return is_list and all(isinstance(each, OwnData) or _is_name(each) for each in what)


def _is_name(what: object) -> bool:
    """Tell whether something can only be the name of a source: neither a path nor a file or folder that is here."""
    if not isinstance(what, str) or is_path(what) or what.lower().endswith((*TABLES, *webdataset.ENDINGS)):
        return False
    name = what.partition("@")[0]
    here = form_of(what) is not None or os.path.exists(what)
    return not here or name in house_names() or name in outside_sources(frozenset(house_names()))


def gather(what: Any, split: Any, columns: Mapping[str, str]) -> Gathered:
    """Take whatever somebody gives that is no dataset of ours."""
    if hugging.is_dataset(what):
        return hugging.of_dataset(what, split, columns)
    if isinstance(what, str | os.PathLike):
        return _of_path(what, split, columns)
    if split is None and (folders := _folders(what)):
        return given.of_folders(folders)
    if isinstance(what, Sequence) and what and all(isinstance(each, str | os.PathLike) for each in what):
        if shards := webdataset.shards_of(what):
            return webdataset.of_shards(f"{len(shards):,} tar files", shards, split, columns)
        return given.of_files(what, split, columns)
    if split is not None:
        raise UsageError(f"what: expected pictures with split=, found {_shown(what)}")
    return given.of_table(what, columns)


def _folders(what: Any) -> Mapping[str, str | os.PathLike[str]]:
    """Take a folder for each part: a dictionary of them, or a list whose names are the parts; else nothing."""
    folders = list(what.values()) if isinstance(what, Mapping) else list(what) if isinstance(what, Sequence) else []
    if not all(isinstance(each, str | os.PathLike) and os.path.isdir(os.path.expanduser(each)) for each in folders):
        return {}
    if isinstance(what, Mapping):
        return {str(part): folder for part, folder in what.items()}
    names = [Path(folder).absolute().name for folder in folders]
    different = len(set(names)) == len(names)
    return dict(zip(names if different else map(os.fspath, folders), folders, strict=True))


def _of_path(what: str | os.PathLike[str], split: Any, columns: Mapping[str, str]) -> Gathered:
    path = Path(what).expanduser()
    shown = os.fspath(what)
    if path.is_dir():
        if hugging.is_saved(path):
            return hugging.of_saved(path, split, columns)
        if shards := webdataset.shards_of(path):
            return webdataset.of_shards(shown, shards, split, columns)
        return given.of_folder(path, split, columns)
    if shown.lower().endswith(TABLES):
        if split is not None:
            raise UsageError(
                f"{shown}: expected pictures with split=, found a table; give the folder of its files instead"
            )
        return given.of_table(path, columns)
    if shards := webdataset.shards_of(shown):
        return webdataset.of_shards(shown, shards, split, columns)
    if path.exists():
        raise UsageError(f"{shown}: expected a folder, a table ({', '.join(TABLES)}) or tar files, found another file")
    beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    raise NotThereError(
        f"{shown}: expected a folder, a table or tar files, found nothing{did_you_mean(path.name, beside)}"
    )


def _shown(what: object) -> str:
    return repr(what) if isinstance(what, str | os.PathLike) else type(what).__name__
