"""`load_dataset`: a finished build, found or made, in the form that the caller's framework knows."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from covid_datasets.catalog.cards import Name, canonical, choose, id_of, names_in
from covid_datasets.catalog.own import is_path
from covid_datasets.errors import NotBuiltError, UsageError
from covid_datasets.extras import is_installed, need
from covid_datasets.load.filters import ELSEWHERE, Condition, check_filters
from covid_datasets.load.form import REST, Form, Labels, check_columns, check_task, classes_of, columns_of
from covid_datasets.load.frameworks import FRAMEWORKS, as_dict, stored_dataset
from covid_datasets.load.licences import check_licence
from covid_datasets.load.selection import narrow, select
from covid_datasets.load.splitspec import parse_split, split_text
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import REPORT_FILE, Built, Verify
from covid_datasets.settings import Settings
from covid_datasets.splits.schemes import check_scheme, is_given, split_names

_NEEDS = {
    "hf": ("datasets",),
    "numpy": (),
    "torch": ("torch",),
    "pandas": ("pandas",),
    "monai": ("monai", "torch"),
    "torchio": ("torchio", "torch"),
}
"""Framework -> the modules that it needs."""
DERIVED = ("derive", "window", "image_size", "to_spacing", "to_orientation", "lungs_only")
"""Arguments that choose and shape a derived form. A name is one of these or a filter, so no column may have it."""


def load_dataset(
    name: Name | Sequence[Name] = "",
    /,
    config: str | None = None,
    split: Any = None,
    *,
    framework: str = "hf",
    columns: Sequence[str] | None = None,
    labels: Labels = "all",
    task: str | None = None,
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
    accept_licence: bool = False,
    **filters: Any,
) -> Any:
    """Load one dataset, or several as one, building what is not built yet.

    Args:
        name: A dataset ("covid_ct", "cohen@2020-06-22"), or a list of them for one harmonised dataset whose
            splits are disjoint in people and pictures across all of them. A path ("/data/ward", "./labels.csv") is
            data of your own; `OwnData` says more about it, such as who the patients are.
        config: One of the dataset's configs.
        split: In the syntax of Hugging Face: "train", "train+test", "train[:20%]", "all"; a list of these gives a list.
            A share in per cents tears no patient apart. Without it, all splits.
        framework: "hf" (``datasets.Dataset``), "numpy", "torch", "pandas", "monai" (dictionaries of
            ``MetaTensor``) or "torchio" (``Subject``).
        columns: The columns that you want, such as ``["image", "label"]``; nothing else is read.
        labels: "all" classes of the taxonomy, numbered alike in every source, or those that are "present" here.
        task: Two classes in place of all: "covid19_vs_rest", or "covid19_vs_no_finding", which keeps no other rows.
            The first is number 1.
        scheme: "patient" (default), "official" (the publisher's split, with a warning where it leaks),
            "fold-k-of-n" for cross-validation, or "patient@1", an older version of the published splits.
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
        accept_licence: Accept the terms of a source that wants that before anything is downloaded.
        **filters: Keep rows by column: ``modality="CXR"``, ``quality=["good", "questionable"]``, ``label="covid19"``,
            ``age=(20, 40)`` from 20 to 40, ``age=(65, None)`` from 65 on; of a table by its own: ``country="Italy"``,
            ``date=["2020-03-01", "2020-04-01"]`` on these two days, ``date=("2020-03-01", "2020-04-01")`` between them.

    >>> rows = load_dataset("phantom", "small", split="train", framework="numpy", cache_dir=getfixture("tmp_path"))
    >>> rows[0]["image"].dtype
    dtype('uint8')
    """
    if "name" in filters and not name:
        name = filters.pop("name")
    if elsewhere := sorted(set(filters) & set(ELSEWHERE)):
        raise UsageError(f"{elsewhere[0]}: expected no such argument, because {ELSEWHERE[elsewhere[0]]}")
    if framework not in tuple(_NEEDS):
        raise UsageError(f"framework: expected one of {', '.join(_NEEDS)}, found {framework!r}")
    names = [canonical(each) for each in names_in(name)]
    if not names:
        raise UsageError("name: expected a dataset or a list of them, found an empty list")
    if len({id_of(each) for each in names}) < len(names):
        ids = ", ".join(id_of(each) if is_path(each) else str(each) for each in names)
        given = ", ".join(map(str, names_in(name)))
        raise UsageError(f"name: expected each dataset once, found {given}, which is {ids}")
    if len(names) > 1 and data_dir is not None:
        raise UsageError(
            "data_dir: expected with one dataset; build each from its own folder first, then load the list"
        )
    if streaming and framework != "hf":
        raise UsageError(f"streaming: expected with framework='hf', found framework={framework!r}")
    # What can be wrong with the call is said now, and not after a build that may take hours.
    need(*_NEEDS[framework])
    _check_tables(names, config, framework=framework, scheme=scheme, license=license, classes=task or labels != "all")
    known = split_names(scheme)
    wanted = [split_text(each) for each in (split if isinstance(split, list | tuple) else [split]) if each is not None]
    if isinstance(split, list | tuple) and not split:
        raise UsageError("split: expected at least one, found an empty list")
    check_scheme(scheme, [choose(each).card for each in names])
    for each in wanted if known else ():
        parse_split(each, dict.fromkeys(known, 0))
    two_classes = check_task(labels, task)
    of_table = choose(names[0], config).columns if len(names) == 1 else {}
    conditions: list[Condition] = []
    conditions += check_filters(filters, of_table, inspect.signature(load_dataset).parameters)
    if two_classes and REST not in two_classes:
        conditions += check_filters({"label": list(two_classes)}, of_table)
    if license is not None:
        conditions.append(check_licence(license))
    form = Form(check_columns(columns, columns_of(of_table)))
    plain = not conditions and scheme == "patient" and len(names) == 1
    whole = plain and columns is None and labels == "all" and task is None
    options: dict[str, Any] = {"data_dir": data_dir, "verify": verify, "allow_missing": allow_missing}
    if streaming and whole and not _is_built(names[0], config, cache_dir, options):
        from covid_datasets.load.streaming import stream_raw

        streams = stream_raw(
            names[0], config, Settings.resolve(cache_dir, mirror, offline), accept_licence=accept_licence, **options
        )
        parts = [_streamed_split(streams, each) for each in wanted]
        return streams if split is None else parts if isinstance(split, list | tuple) else parts[0]
    builds = []
    for source in names:
        try:
            builds.append(find_build(source, config, cache_dir=cache_dir, **options))
        except NotBuiltError:
            from covid_datasets.prepare.engine import build_dataset  # heavy, and not needed by who only loads

            how: dict[str, Any] = {"executor": executor, "num_proc": num_proc, "mirror": mirror, "offline": offline}
            how["accept_licence"] = accept_licence
            builds.append(build_dataset(source, config, cache_dir=cache_dir, **options, **how))
    _warn(
        builds, names, scheme, unlabelled="label" in form.columns and all(each.name != "label" for each in conditions)
    )
    if framework != "pandas" and not is_installed("nibabel") and any(_holds_volumes(built, form) for built in builds):
        need("nibabel")  # now, and not when the first row is asked for
    form = replace(form, classes=classes_of(builds, labels, two_classes))
    if framework == "hf" and plain and split is None and not streaming:
        return stored_dataset(builds[0], form)
    selection = narrow(select(builds, scheme), conditions)
    make = FRAMEWORKS["stream" if streaming else framework]
    if split is None:
        by_name = {name: make(selection.whole(name), form) for name in selection.splits}
        return as_dict(framework, streaming, by_name)
    picked = list(map(selection.range, wanted))  # no comprehension, so that its warnings name the caller's line
    ranges = [make(parts, form) for parts in picked]
    return ranges if isinstance(split, list | tuple) else ranges[0]


def _check_tables(
    names: Sequence[Name], config: str | None, *, framework: str, scheme: str, license: Any, classes: Any
) -> None:
    """Refuse what only images can do, or only they can not, before anything is built."""
    choices = [choose(name, config if len(names) == 1 else None) for name in names]
    tables = [choice for choice in choices if choice.columns]
    if not tables:
        return
    card = tables[0].card
    table = f"{card.id}{'' if card.columns else f', config {tables[0].config!r},'} is a table without images"
    if len(choices) > 1:
        raise UsageError(
            f"{table}, with columns of its own: expected it alone, found a list: {', '.join(map(str, names))}"
        )
    if framework in ("torch", "monai", "torchio"):
        raise UsageError(
            f"{table}: its texts and dates make no tensors. Use framework='hf', 'numpy' or 'pandas', and take from "
            "that the columns of numbers"
        )
    if classes:
        raise UsageError(f"{table} and labels: expected neither labels= nor task=")
    if scheme != "patient":
        raise UsageError(f"{table} and patients: expected no scheme, found {scheme!r}; split it by date or place")
    if license is not None:
        raise UsageError(
            f"{table}: one licence is for all its rows ({card.licence.spdx or 'see its card'}); expected none to "
            f"filter by, found {license!r}"
        )


def _holds_volumes(built: Built, form: Form) -> bool:
    """Tell whether a row has a volume among its columns."""
    table = open_table(built)
    names = {"volume", "volume_masks"} & set(form.columns) & set(table.column_names)
    flat = [column for name in names for column in (table.select([name]).flatten().columns)]
    return any(column.null_count < len(column) for column in flat)


def _is_built(
    name: Name, config: str | None, cache_dir: str | os.PathLike[str] | None, options: dict[str, Any]
) -> bool:
    try:
        find_build(name, config, cache_dir=cache_dir, **options)
    except NotBuiltError:
        return False
    return True


def _streamed_split(streams: Any, split: str) -> Any:
    if split not in streams:
        raise UsageError(
            f"split {split!r}: expected one of {', '.join(streams)} while nothing is built, because rows can not be "
            "counted before they are read; build first for ranges and sums"
        )
    return streams[split]


def _warn(builds: Sequence[Built], names: Sequence[Name], scheme: str, *, unlabelled: bool) -> None:
    """Say what a user of this data must know: what it lacks, and whether a split that is given as published leaks."""
    for built, name in zip(builds, names, strict=True):
        if built.incomplete:
            report_file = built.path / REPORT_FILE
            warnings.warn(
                f"{built.id}@{built.version} is INCOMPLETE: {built.rows:,} rows; {report_file} lists the rest",
                stacklevel=3,
            )
        elif built.lost:
            warnings.warn(
                f"{built.id}@{built.version}: {built.lost:,} damaged or missing samples are left out, which is within "
                f"the tolerance of its card; {built.path / REPORT_FILE} names them",
                stacklevel=3,
            )
        if unlabelled and (without := built.labels.get("unlabelled")):
            labelled = [label for label in built.labels if label != "unlabelled"]
            only = f"; label={labelled} keeps the others" if labelled else ""
            warnings.warn(f"{built.id}: {without:,} of {built.rows:,} rows have no label (None){only}", stacklevel=3)
        if built.patients is None:
            card = choose(name).card
            how = f" {card.patients.warning}" if card.own_copy else ""
            warnings.warn(f"{built.id}: {card.patients.consequence}{how}", stacklevel=3)
        if is_given(scheme):
            from covid_datasets.load.splits import audit_build

            report = audit_build(built, scheme)
            if report.leaks:
                warnings.warn(f"this split does not keep patients apart. {report}", stacklevel=3)
