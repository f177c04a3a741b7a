"""`load_dataset`: a finished build, found or made, in the form that the caller's framework knows."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

from covid_datasets.build.engine import build_dataset, find_build
from covid_datasets.build.pieces import Verify
from covid_datasets.build.result import Built
from covid_datasets.errors import NotBuiltError, UsageError
from covid_datasets.load.frameworks import FRAMEWORKS, as_huggingface
from covid_datasets.load.selection import Selection, narrow, select
from covid_datasets.settings import Settings


def load_dataset(
    name: str | Sequence[str],
    config: str | None = None,
    split: str | None = None,
    *,
    framework: str = "hf",
    scheme: str = "patient",
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    streaming: bool = False,
    executor: Executor | None = None,
    num_proc: int | None = None,
    verify: Verify = "full",
    license: str | Sequence[str] | None = None,
    allow_missing: bool = False,
    mirror: str | None = None,
    offline: bool | None = None,
    **view: Any,
) -> Any:
    """Load one dataset, or several as one, building what is not built yet.

    Args:
        name: A dataset ("covid_ct", "cohen@2020-06-22"), or a list of them for one harmonised dataset whose
            splits are disjoint in people and pictures across all of them.
        config: One of the dataset's configs.
        split: In the syntax of Hugging Face: "train", "train+test", "train[:20%]", "all". Without it, all splits.
        framework: "hf" (``datasets.Dataset``), "numpy", "torch" or "pandas".
        scheme: "patient" (default), "official" (the publisher's split, with a warning where it leaks) or
            "fold-k-of-n" for cross-validation.
        data_dir: Your own copy of the source: a folder, unpacked or with the untouched archives, or one archive.
        cache_dir: Where downloads and builds live.
        streaming: Return iterable datasets; where nothing is built, straight from the raw files.
        executor: Any ``concurrent.futures.Executor`` to build on.
        num_proc: Number of workers where ``executor`` is not given.
        verify: "full" decodes and judges every image while building, "bytes" only hashes it.
        license: Keep images whose licence permits "redistribution", "derivatives" or "commercial" use, is
            "stated", or is one of these exact texts.
        allow_missing: Accept less than the whole source; what comes back is marked incomplete.
        mirror: A folder or URL that answers for every source.
        offline: Never open a socket.
        **view: Keep rows by column: ``modality="CXR"``, ``quality=["good", "questionable"]``, ``label="covid19"``.

    >>> rows = load_dataset("phantom", "small", split="train", framework="numpy", cache_dir=getfixture("tmp_path"))
    >>> rows[0]["image"].dtype
    dtype('uint8')
    """
    if framework not in FRAMEWORKS:
        raise UsageError(f"framework: expected one of {', '.join(FRAMEWORKS)}, found {framework!r}")
    names = [name] if isinstance(name, str) else list(name)
    if not names:
        raise UsageError("name: expected a dataset or a list of them, found an empty list")
    if len(names) > 1 and data_dir is not None:
        raise UsageError("data_dir: expected with one dataset; build each from its own folder first, then load the list")
    if streaming and framework != "hf":
        raise UsageError(f"streaming: expected with framework='hf', found framework={framework!r}")
    builds = []
    for each in names:
        try:
            found = find_build(
                each, config, cache_dir=cache_dir, data_dir=data_dir, verify=verify, allow_missing=allow_missing
            )
        except NotBuiltError:
            if streaming and scheme == "patient" and len(names) == 1 and not view and license is None:
                from covid_datasets.load.streaming import stream_raw

                settings = Settings.resolve(cache_dir, mirror, offline)
                streams = stream_raw(
                    each, config, settings, data_dir=data_dir, verify=verify, allow_missing=allow_missing
                )
                return streams if split is None else streams[split]
            found = build_dataset(
                each, config, data_dir=data_dir, cache_dir=cache_dir, executor=executor, num_proc=num_proc,
                verify=verify, allow_missing=allow_missing, mirror=mirror, offline=offline,
            )  # fmt: skip
        builds.append(found)
    _warn(builds, scheme)
    if framework == "hf" and not streaming and split is None and scheme == "patient" and len(builds) == 1:
        if not view and license is None:
            return _stored(builds[0])
    selection = narrow(select(builds, scheme), view, license)
    if streaming:
        return _stream(selection, split)
    make = FRAMEWORKS[framework]
    if split is not None:
        return make(selection, selection.part(split))
    whole = {name: make(selection, rows) for name, rows in selection.splits.items()}
    return _dataset_dict(whole) if framework == "hf" else whole


def _stored(built: Built) -> Any:
    from covid_datasets.extras import need

    need("datasets")
    from datasets import load_from_disk

    return load_from_disk(str(built.path))


def _dataset_dict(parts: dict[str, Any]) -> Any:
    from datasets import DatasetDict

    return DatasetDict(parts)


def _stream(selection: Selection, split: str | None) -> Any:
    from datasets import IterableDatasetDict

    if split is not None:
        return as_huggingface(selection, selection.part(split)).to_iterable_dataset()
    parts = {name: as_huggingface(selection, rows) for name, rows in selection.splits.items()}
    return IterableDatasetDict({name: part.to_iterable_dataset() for name, part in parts.items()})


def _warn(builds: Sequence[Built], scheme: str) -> None:
    """Say what a user of this data must know: it is incomplete, or its official split leaks."""
    for built in builds:
        if built.incomplete:
            text = f"{built.id}@{built.version} is INCOMPLETE: {built.rows:,} rows; {built.path / 'report.md'} lists the rest"
            warnings.warn(text, stacklevel=3)
        if scheme == "official":
            from covid_datasets.splits.public import audit_build

            report = audit_build(built, scheme)
            if report.leaks:
                warnings.warn(f"this split does not keep patients apart. {report}", stacklevel=3)
