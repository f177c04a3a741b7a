"""`build_dataset`: one straight way from a card to a finished dataset on disk."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import sys
import time
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from covid_datasets.catalog.card import Choice
from covid_datasets.catalog.cards import choose
from covid_datasets.errors import CacheError, NoSpaceError, UsageError
from covid_datasets.extras import need
from covid_datasets.lock import Lock
from covid_datasets.prepare.completeness import check_complete
from covid_datasets.prepare.finish import finish
from covid_datasets.prepare.inputs import declared_inputs, folder_signature, key_of
from covid_datasets.prepare.pieces import Task
from covid_datasets.prepare.plan import Plan, make_plan
from covid_datasets.prepare.quoted import addresses_of
from covid_datasets.prepare.result import MANIFEST_FILE, Built, Verify
from covid_datasets.prepare.workers import run_tasks, telling, worker_pool
from covid_datasets.progress import progress
from covid_datasets.raw.obtain import Obtained, obtain
from covid_datasets.raw.terms import require_terms
from covid_datasets.settings import Settings

SPARE_BYTES = 64 << 20
"""Room that is left on a disk for everything else."""
LOCK_BYTES = 64 << 10
"""Room without which not even a lock is taken; half written, it would hold up everybody until it expires."""


def build_dataset(
    name: str,
    config: str | None = None,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    num_proc: int | None = None,
    verify: Verify = "full",
    allow_missing: bool = False,
    shard_bytes: int | None = None,
    mirror: str | None = None,
    offline: bool | None = None,
    accept_licence: bool = False,
) -> Built:
    """Build a dataset from its raw files, or return the finished build of the same inputs.

    Args:
        name: A dataset, with a version where not the default one is wanted: ``"cohen@2020-06-22"``.
        config: One of the dataset's configs.
        data_dir: Your own copy of the source: a folder, unpacked or with the untouched archives, or one archive.
        cache_dir: Where downloads and builds live.
        executor: Any ``concurrent.futures.Executor``; processes on this machine without one.
        num_proc: Number of workers where ``executor`` is not given; one a core by default.
        verify: ``"full"`` decodes and judges every image; ``"bytes"`` only hashes it, so quality, size and
            duplicates that only pixels show stay unknown.
        allow_missing: Build from less than the whole source; the result is marked incomplete.
        shard_bytes: Size of a shard; by default it follows from the size of the source.
        mirror: A folder or URL that answers for every source.
        offline: Never open a socket.
        accept_licence: Accept the terms of a source that wants that before anything is downloaded.

    >>> build_dataset("phantom", "small", cache_dir=getfixture("tmp_path")).rows > 0
    True
    """
    started = time.perf_counter()
    if verify not in ("full", "bytes"):
        raise UsageError(f"verify: expected 'full' or 'bytes', found {verify!r}")
    choice = choose(name, config)
    if verify == "bytes" and choice.card.patients.group == "near-duplicates":
        raise UsageError(
            f"verify: expected 'full' for {choice.card.id}, found 'bytes': only how its pictures look keeps those of "
            "one person together"
        )
    need(*choice.form.needs)  # before hours of downloading
    settings = Settings.resolve(cache_dir, mirror, offline)
    require_terms(choice.card, settings, accept_licence)
    obtained = obtain(choice, settings, data_dir=data_dir, allow_missing=allow_missing)
    inputs = declared_inputs(choice, verify)
    inputs |= {"allow_missing": allow_missing, "raw": _raw_signature(obtained, data_dir)}
    key = key_of(inputs)
    final = settings.prepared / choice.card.id / choice.version / choice.config / key
    work = settings.prepared / ".work" / f"{choice.card.id}-{choice.version}-{choice.config}-{key}"
    if (final / MANIFEST_FILE).exists() and not work.exists():
        return Built.read(final)
    _make_folder(work.parent)
    with Lock(work.with_name(f"{work.name}.lock"), on_wait=lambda text: print(text, file=sys.stderr)):
        if not (final / MANIFEST_FILE).exists():
            _build(choice, inputs, obtained, work, final, worker_pool(executor, num_proc), shard_bytes, started)
        shutil.rmtree(work, ignore_errors=True)  # also where a build was killed right after its last step
    return Built.read(final)


def _build(
    choice: Choice,
    inputs: dict[str, Any],
    obtained: Obtained,
    work: Path,
    final: Path,
    workers: AbstractContextManager[Executor | None],
    shard_bytes: int | None,
    started: float,
) -> None:
    card, columns = choice.card, choice.columns
    builder = importlib.import_module(f"covid_datasets.builders.{card.id}")
    with workers as pool:
        records, addresses = builder.records(obtained.raw), addresses_of(card)
        plan = make_plan(
            card.id, records, obtained.raw, shard_bytes, choice.resources, addresses,
            table=bool(columns), group=card.patients.group,
        )  # fmt: skip
        if plan.parts:  # whoever forgot a part is told before its pictures are missed, not after all others are read
            check_complete(choice, plan.rows, plan.notices, plan.parts, inputs["allow_missing"])
        with telling(work):
            pieces = _work_folder(work, plan)
        _check_room(work, plan)
        tasks = [Task(card.id, piece, obtained.raw, str(pieces), inputs["verify"], columns) for piece in plan.pieces]
        with progress(f"Building {card.id}", total_bytes=plan.bytes) as display:
            display.add("build", plan.bytes)
            run_tasks(tasks, pool, display)
    plan = plan.without_records()
    del tasks  # with the records in them, before the index takes their place in memory
    assembled = work / "final"
    shutil.rmtree(assembled, ignore_errors=True)
    with telling(work):
        assembled.mkdir()
        finish(choice, inputs, plan, obtained, pieces, assembled, started)
        final.parent.mkdir(parents=True, exist_ok=True)
        assembled.replace(final)
        _sync_folder(final.parent)


def _raw_signature(obtained: Obtained, data_dir: str | os.PathLike[str] | None) -> str:
    """Tell raw files apart: the user's by name, size and time, downloads by hash, incomplete ones by what they lack."""
    if data_dir is not None:
        return folder_signature(Path(data_dir))
    found = [(origin.resource, origin.sha256) for origin in obtained.origins if origin.verified != "content manifest"]
    return key_of({"resources": found, "missing": list(obtained.missing)})


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpaceError(f"{folder}: the disk is full; make room and run the same command again") from error
        raise CacheError(
            f"{folder}: expected a folder that can be written, found: {error.strerror}. "
            "Choose another with cache_dir=, --cache-dir or COVID_DATASETS_CACHE."
        ) from error
    if shutil.disk_usage(folder).free < LOCK_BYTES:
        raise NoSpaceError(f"{folder}: the disk is full; make room and run the same command again")


def _work_folder(work: Path, plan: Plan) -> Path:
    """Return the folder of the pieces, emptied where they belong to another plan."""
    pieces, mark = work / "pieces", work / "plan.digest"
    if not mark.exists() or mark.read_text() != plan.digest:
        shutil.rmtree(work, ignore_errors=True)
        pieces.mkdir(parents=True)
        mark.write_text(plan.digest)
    for part in pieces.glob(".*.part"):  # of a worker that was killed
        part.unlink()
    return pieces


def _check_room(work: Path, plan: Plan) -> None:
    """Refuse to start what cannot end: the output is as large as the bytes that go in."""
    have = sum(path.stat().st_size for path in (work / "pieces").glob("*.arrow"))
    free, needed = shutil.disk_usage(work).free, plan.bytes + plan.bytes // 20 + SPARE_BYTES - have
    if needed > free:
        raise NoSpaceError(
            f"{work}: the build needs {needed:,} bytes, the disk has {free:,} free ({needed - free:,} too few). "
            "Make room (covid-datasets cache shows what could go) or choose another cache with --cache-dir."
        )


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
