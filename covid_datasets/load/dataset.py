"""`load_dataset`: a finished build, found or made, in the form that the caller's framework knows."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from covid_datasets.errors import NotBuiltError, UsageError, not_one_of
from covid_datasets.extras import is_installed, need
from covid_datasets.load.arguments import OF_IMAGES, check_names, check_splits, check_tables, conditions_of
from covid_datasets.load.confounded import warning_of
from covid_datasets.load.form import Form, Labels, check_columns, check_task, classes_of, columns_of
from covid_datasets.load.frameworks import FRAMEWORKS, as_dict, stored_dataset
from covid_datasets.load.selection import narrow, select
from covid_datasets.load.splitspec import split_text
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.find import at_hand, find_build, find_folder
from covid_datasets.prepare.noted import read_note
from covid_datasets.prepare.result import REPORT_FILE, Built, Verify
from covid_datasets.prepare.seal import Folder
from covid_datasets.settings import Settings, cache_of, refuse_stores
from covid_datasets.store import Store

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from covid_datasets.catalog.cards import Name
    from covid_datasets.prepare.derived.asked import ViewOptions

_NEEDS = {
    "hf": ("datasets",),
    "numpy": (),
    "torch": ("torch",),
    "tf": ("tensorflow",),
    "pandas": ("pandas",),
    "monai": ("monai", "torch"),
    "torchio": ("torchio", "torch"),
}
"""Framework -> the modules that it needs."""
UNKNOWN = "width, height, pixel_mode, pixel_hash, phash, quality and quality_reasons"
"""What only decoding tells."""
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
    verify: Verify | None = None,
    license: str | Sequence[str] | None = None,
    allow_missing: bool = False,
    mirror: str | None = None,
    offline: bool | None = None,
    accept_licence: bool = False,
    derive: str | None = None,
    window: str | Sequence[float] | Mapping[str, float] | None = None,
    image_size: int | Sequence[int] | None = None,
    to_spacing: float | Sequence[float] | None = None,
    to_orientation: str | None = None,
    **filters: Any,
) -> Any:
    """Load one dataset, or several as one, building what is not built yet.

    Args:
        name: A dataset ("covid_ct", "cohen@2020-06-22"), or a list of them for one harmonised dataset whose
            splits are disjoint in people and pictures across all of them. A path ("/data/ward", "./labels.csv") is
            data of your own; `OwnData` says more about it, such as who the patients are. The URL of the folder of a
            finished build ("https://…", "s3://…") is streamed from there.
        config: One of the dataset's configs.
        split: In the syntax of Hugging Face: "train", "train+test", "train[:20%]", "all"; a list of these gives a list.
            A share in per cents tears no patient apart. Without it, all splits.
        framework: "hf" (``datasets.Dataset``), "numpy", "torch", "tf" (``tf.data.Dataset``), "pandas", "monai"
            (dictionaries of ``MetaTensor``) or "torchio" (``Subject``).
        columns: The columns that you want, such as ``["image", "label"]``; nothing else is read.
        labels: "all" classes of the taxonomy, numbered alike in every source, or those that are "present" here.
        task: Two classes in place of all: "covid19_vs_rest", or "covid19_vs_no_finding", which keeps no other rows.
            The first is number 1.
        scheme: "patient" (default), "patient(70/15/15, seed=3)" or "patient(80/20)" (shares of one's own),
            "leave-cohen-out" (of a list, tested on that source), "temporal(2020-04-01)" (tested on what is later),
            "mine.csv" (a split that is kept in a file, as `covid-datasets splits --csv` prints it),
            "official" (the publisher's split, with a warning where it leaks),
            "official-fold_2" (one of several folds that the publisher ships, as its card names them), "fold-k-of-n" for
            cross-validation, or "patient@1", an older version of the published splits.
        data_dir: Your own copy of the source: a folder, unpacked or with the untouched archives, or one archive.
        cache_dir: Where downloads and builds live.
        streaming: Return iterable datasets; where nothing is built, straight from the raw files.
        executor: Any ``concurrent.futures.Executor`` to build on.
        num_proc: Number of workers where ``executor`` is not given.
        verify: "full" decodes and judges every image while building, "bytes" only hashes it. Without it a finished
            build of either kind is loaded, with a warning that says what is not known of "bytes"; else it is "full".
        license: Keep images whose licence permits "redistribution", "derivatives" or "commercial" use, is
            "stated", or is one of these exact texts.
        allow_missing: Accept less than the whole source; what comes back is marked incomplete.
        mirror: A folder or URL that answers for every source.
        offline: Never open a socket.
        accept_licence: Accept the terms of a source that wants that before anything is downloaded.
        derive: A function of the rows that adds masks, columns or other pixels: "lungs", "segmented", "infection",
            "cropped", with parameters as in "infection(method='rag')", or your own, "module:function". It makes a view
            as the next ones do, and sees the pixels before these; docs/derived.md says how.
        window: The Hounsfield units that become black and white: "lung", "mediastinum", "bone", ..., two numbers such
            as ``(-1000, 400)``, or ``{"centre": -600, "width": 1500}``. Images are then 8-bit PNG, else 16-bit TIFF.
            This and the next three, too, make a view: it is built once, beside the dataset, and has its splits.
        image_size: Rows and columns of every image and slice, or a side. With framework "numpy" or "torch" and
            ``batch_size=64`` or another option of `to_numpy` and `to_torch`, or where it stands without another of
            these four, it makes batches of this size, of the dataset or of its view; ``batch_size=None`` gives rows.
        to_spacing: Millimetres between columns, rows and slices, such as ``(1, 1, 5)``.
        to_orientation: Where columns, rows and slices lead, such as "LPS".
        **filters: Keep rows by column: ``modality="CXR"``, ``quality=["good", "questionable"]``, ``label="covid19"``,
            ``age=(20, 40)`` from 20 to 40, ``age=(65, None)`` from 65 on; of a table by its own: ``country="Italy"``,
            ``date=["2020-03-01", "2020-04-01"]`` on these two days, ``date=("2020-03-01", "2020-04-01")`` between them.

    >>> rows = load_dataset("phantom", "small", split="train", framework="numpy", cache_dir=getfixture("tmp_path"))
    >>> rows[0]["image"].dtype
    dtype('uint8')
    """
    if "name" in filters and not name:
        name = filters.pop("name")
    view: ViewOptions = {}
    batching = None
    derived: Mapping[str, Any] = {}
    if any(each is not None for each in (derive, window, image_size, to_spacing, to_orientation)):
        from covid_datasets.load.viewed import asked_view, derived_columns

        view = {"derive": derive, "window": window, "image_size": image_size}
        view |= {"to_spacing": to_spacing, "to_orientation": to_orientation}
        view, batching = asked_view(view, filters, framework, columns)
        derived = derived_columns(view)
    if filters:
        from covid_datasets.load.filters import ELSEWHERE

        if elsewhere := sorted(set(filters) & set(ELSEWHERE)):
            raise UsageError(f"{elsewhere[0]}: expected no such argument, because {ELSEWHERE[elsewhere[0]]}")
    if framework not in tuple(_NEEDS):
        raise UsageError(f"framework: {not_one_of(framework, _NEEDS)}")
    refuse_stores(offline, name=name, cache_dir=cache_of(cache_dir), data_dir=data_dir)
    if isinstance(name, str) and "://" in name:
        usual = (config, labels, task, scheme, data_dir, license) == (None, "all", None, "patient", None, None)
        if not (streaming and framework == "hf" and usual) or filters or view:
            raise UsageError(
                f"{name}: expected streaming=True, and nothing else but split= and columns=, with the URL of a build"
            )
        from covid_datasets.load.remote import stream_build

        return _of_streams(stream_build(name.rstrip("/"), columns), split)
    options: dict[str, Any] = {"data_dir": data_dir, "verify": verify, "allow_missing": allow_missing}
    stored = None
    if not filters and (license, labels, task, scheme) == (None, "all", None, "patient"):
        stored = _find_noted(name, config, cache_dir, options, view)
        stored = None if stored and stored.columns and framework in OF_IMAGES else stored
    names: list[Name] = [str(name)] if stored else check_names(name, data_dir)
    if streaming and framework != "hf":
        raise UsageError(f"streaming: expected with framework='hf', found framework={framework!r}")
    # What can be wrong with the call is said now, and not after a build that may take hours.
    classes = task or labels != "all"
    of_table = stored.columns if stored else check_tables(names, config, framework, scheme, license, classes)
    need(*_NEEDS[framework])
    if (batching is not None or view) and of_table:
        asked = next(iter(view), "image_size")
        raise UsageError(f"{asked}: expected images, found {names[0]}, a table without any")
    wanted = [split_text(each) for each in (split if isinstance(split, list | tuple) else [split]) if each is not None]
    if isinstance(split, list | tuple) and not split:
        raise UsageError("split: expected at least one, found an empty list")
    if not stored:
        check_splits(names, wanted, scheme)
    two_classes = check_task(labels, task)
    known = load_dataset.__annotations__
    conditions = [] if stored else conditions_of(filters, of_table, two_classes, license, known, derived)
    form = Form(check_columns(columns, columns_of(of_table, derived)))
    plain = not conditions and scheme == "patient" and len(names) == 1
    whole = plain and columns is None and not classes
    if streaming and whole and not stored and not view:
        folder = _find_whole(names[0], config, cache_dir, options)
        if isinstance(folder, Store):
            from covid_datasets.load.remote import stream_build

            return _of_streams(stream_build(folder.url), split)
        if folder is None:
            from covid_datasets.load.streaming import stream_raw

            how = {**options, "accept_licence": accept_licence, "verify": verify or "full"}
            settings = Settings.resolve(cache_dir, mirror, offline)
            return _of_streams(stream_raw(names[0], config, settings, **how), split)
    builds = [stored] if stored else []
    for source in () if stored else names:
        try:
            builds.append(find_build(source, config, cache_dir=cache_dir, **options, **view))
        except NotBuiltError:
            how = {"executor": executor, "num_proc": num_proc, "mirror": mirror, "offline": offline}
            how |= {"accept_licence": accept_licence, "verify": verify or "full"}
            if view:
                from covid_datasets.prepare.derived.build import built_view

                builds.append(built_view(source, config, view, options | {"cache_dir": cache_dir}, how))
                continue
            from covid_datasets.prepare.engine import build_dataset  # heavy, and not needed by who only loads

            built = build_dataset(source, config, cache_dir=cache_dir, **options | how)
            builds.append(at_hand(built.folder, Settings.resolve(cache_dir)))
    as_labelled = "label" in form.columns and all(each.name != "label" for each in conditions)
    _warn(builds, names, scheme, as_labelled=as_labelled)
    if framework != "pandas" and not is_installed("nibabel") and any(_holds_volumes(built, form) for built in builds):
        need("nibabel")  # now, and not when the first row is asked for
    form = replace(form, classes=classes_of(builds, labels, two_classes))
    if framework == "hf" and plain and split is None and not streaming:
        return stored_dataset(builds[0], form)
    selection = narrow(select(builds, scheme, Settings.resolve(cache_dir).splits), conditions)
    make = FRAMEWORKS["stream" if streaming else framework]
    if batching is not None:
        from covid_datasets.load.fixed.asked import batched

        make = batched(make, batching, framework)
    if split is None:
        by_name = {name: make(selection.whole(name), form) for name in selection.splits}
        return as_dict(framework, streaming, by_name)
    picked = list(map(selection.range, wanted))  # no comprehension, so that its warnings name the caller's line
    ranges = [make(parts, form) for parts in picked]
    return ranges if isinstance(split, list | tuple) else ranges[0]


def _holds_volumes(built: Built, form: Form) -> bool:
    """Tell whether a row has a volume among its columns."""
    table = open_table(built)
    names = {"volume", "volume_masks"} & set(form.columns) & set(table.column_names)
    flat = [column for name in names for column in (table.select([name]).flatten().columns)]
    return any(column.null_count < len(column) for column in flat)


def _find_noted(
    name: Name | Sequence[Name], config: str | None, cache_dir: Any, options: dict[str, Any], view: ViewOptions
) -> Built | None:
    """Find the build of a dataset of which a note says all that the catalog would, which takes longer to read."""
    if not isinstance(name, str) or options["data_dir"] is not None:
        return None
    try:
        settings = Settings.resolve(cache_dir)
        if settings.store or read_note(settings.prepared, name, config) is None:
            return None  # of what has to be brought from a store, all arguments are checked first
        return find_build(name, config, cache_dir=cache_dir, **options, **view)
    except NotBuiltError:
        return None


def _find_whole(
    name: Name, config: str | None, cache_dir: str | os.PathLike[str] | None, options: dict[str, Any]
) -> Folder | None:
    try:
        return find_folder(name, config, cache_dir=cache_dir, **options)
    except NotBuiltError:
        return None


def _of_streams(streams: Any, split: Any) -> Any:
    """Return all streams, that of a split, or a list of them where a list was asked for."""
    if split is None:
        return streams
    several = isinstance(split, list | tuple)
    parts = [_streamed_split(streams, split_text(each)) for each in (split if several else [split])]
    return parts if several else parts[0]


def _streamed_split(streams: Any, split: str) -> Any:
    if split not in streams:
        raise UsageError(
            f"split {split!r}: expected one of {', '.join(streams)} while nothing is built, because rows can not be "
            "counted before they are read; build first for ranges and sums"
        )
    return streams[split]


def _warn(builds: Sequence[Built], names: Sequence[Name], scheme: str, *, as_labelled: bool) -> None:
    """Say what a user of this data must know: what it lacks, and whether a split that is given as published leaks."""
    given = False
    if scheme != "patient":
        from covid_datasets.splits.schemes import is_given

        given = is_given(scheme)
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
        if built.view:
            from covid_datasets.load.viewed import tell_of_view

            tell_of_view(built)
        if built.verify == "bytes" and not built.columns:
            lacks = (
                "no image was judged: quality and quality_reasons are unknown (None)"
                if built.view  # to make it, all were decoded
                else f"no image was decoded: {UNKNOWN} are unknown (None), an image may be damaged"
            )
            warnings.warn(
                f"{built.id}@{built.version} was built with verify='bytes', and {lacks}, and pictures that look the "
                f"same may be in two splits. verify='full' builds it anew",
                stacklevel=3,
            )
        if as_labelled and (without := built.labels.get("unlabelled")):
            labelled = [label for label in built.labels if label != "unlabelled"]
            only = f"; label={labelled} keeps the others" if labelled else ""
            warnings.warn(f"{built.id}: {without:,} of {built.rows:,} rows have no label (None){only}", stacklevel=3)
        if as_labelled and not built.columns and (text := warning_of(built)):
            warnings.warn(f"{built.id}: {text}", stacklevel=3)
        if built.patients is None or built.unknown:
            from covid_datasets.catalog.cards import choose

            card = choose(name).card
            how = f" {card.patients.warning}" if card.own_copy and built.patients is None else ""
            some = (
                "" if built.patients is None else f"{built.unknown:,} of {built.rows:,} rows are of unknown patients. "
            )
            warnings.warn(f"{built.id}: {some}{card.patients.consequence}{how}", stacklevel=3)
        if given:
            from covid_datasets.load.splits import audit_when_built

            report = audit_when_built(built, scheme)
            if report.leaks:
                warnings.warn(f"this split does not keep patients apart. {report}", stacklevel=3)
