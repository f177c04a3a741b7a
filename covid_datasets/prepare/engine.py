"""`build_dataset`: one straight way from a card to a finished dataset on disk."""

from __future__ import annotations

import os
import time
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from covid_datasets.catalog.card import Choice
from covid_datasets.catalog.cards import Name, choose
from covid_datasets.errors import DamagedFileError, NotBuiltError, UsageError
from covid_datasets.lock import Lock
from covid_datasets.prepare.find import find_folder, parts_of
from covid_datasets.prepare.inputs import PROVEN, key_of
from covid_datasets.prepare.noted import write_notes
from covid_datasets.prepare.once import once, proceed
from covid_datasets.prepare.result import Built, Verify
from covid_datasets.prepare.seal import read_manifest
from covid_datasets.prepare.target import Made, Target, target_of
from covid_datasets.settings import Settings, given_count, refuse_stores

if TYPE_CHECKING:
    from covid_datasets.prepare.derived.asked import ViewOptions
    from covid_datasets.prepare.place import Place
    from covid_datasets.prepare.plan import Plan
    from covid_datasets.prepare.source import Source

SPARE_BYTES = 64 << 20
"""Room that is left on a disk for everything else."""


def build_dataset(
    name: Name,
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
    **view: Unpack[ViewOptions],
) -> Built:
    """Build a dataset from its raw files, or return the finished build of the same inputs.

    Args:
        name: A dataset, with a version where not the default one is wanted: ``"cohen@2020-06-22"``; or the path of
            data of one's own, alone or as `OwnData`.
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
        **view: ``derive="lungs"``, ``window="lung"``, ``image_size=256``, ``to_spacing=(1, 1, 5)`` and
            ``to_orientation="LPS"``: build that view of the dataset, and first the dataset itself.

    >>> build_dataset("phantom", "small", cache_dir=getfixture("tmp_path")).rows > 0
    True
    """
    started = time.perf_counter()
    if verify not in ("full", "bytes"):
        raise UsageError(f"verify: expected 'full' or 'bytes', found {verify!r}")
    _check_workers(executor, num_proc)
    refuse_stores(offline, data_dir=data_dir)
    if any(value is not None for value in view.values()):
        from covid_datasets.prepare.derived.build import built_view  # a view is rarely asked for

        place: dict[str, Any] = {"data_dir": data_dir, "cache_dir": cache_dir, "verify": verify}
        how: dict[str, Any] = {"executor": executor, "num_proc": num_proc, "mirror": mirror, "offline": offline}
        how |= {"accept_licence": accept_licence}
        return built_view(name, config, view, place | {"allow_missing": allow_missing}, how, shard_bytes)
    choice = choose(name, config)
    if verify == "bytes" and choice.card.patients.group == "near-duplicates":
        raise UsageError(
            f"verify: expected 'full' for {choice.card.id}, found 'bytes': only how its pictures look keeps those of "
            "one person together"
        )
    settings = Settings.resolve(cache_dir, mirror, offline)
    if (finished := _finished(choice, name, settings, data_dir, verify, bool(allow_missing))) is not None:
        write_notes(settings.prepared, choice)
        return finished
    # Here, so that a finished build is found without all that makes one.
    from covid_datasets.prepare.finish import finish
    from covid_datasets.prepare.needs import before_download
    from covid_datasets.prepare.source import open_source
    from covid_datasets.prepare.workers import telling, worker_pool
    from covid_datasets.progress import tell

    how = {"verify": verify, "allow_missing": bool(allow_missing), "accept_licence": accept_licence}
    if settings.store:
        settings.store.try_out()
    if data_dir is None:
        tell(before_download(choice, settings))
    source = open_source(choice, settings, data_dir=data_dir, **how)
    inputs = source.inputs()
    target = target_of(settings, (choice.card.id, choice.version, choice.config, key_of(inputs)))
    job = _Job(source, inputs, target, given_count(shard_bytes, "shard_bytes"), started)

    def write(attempt: Path, lock: Lock) -> Made:
        place, plan = _write_pieces(job, attempt, lock, worker_pool(executor, num_proc))
        with telling(job.work):
            (assembled := attempt / "build").mkdir()
            linked = finish(job.source, job.inputs, plan, place, assembled, job.started)
        return Made(assembled, linked, place)

    once(target, write)
    write_notes(settings.prepared, choice)
    return target.read()


def _check_workers(executor: Executor | None, num_proc: int | None) -> None:
    """Refuse workers that there cannot be; said before a download, and not after it."""
    given_count(num_proc, "num_proc")
    if executor is not None and not hasattr(executor, "submit"):
        raise UsageError(f"executor: expected a concurrent.futures.Executor, found {executor!r}")


def _finished(
    choice: Choice, name: Name, settings: Settings, data_dir: Any, verify: Verify, allow_missing: bool
) -> Built | None:
    """Return the finished build of the same inputs, where these can be told without the raw files.

    That is so of a user's own copy, and where every download is proven by its content; else the files must be had.
    """
    found: dict[str, Any] = {"cache_dir": settings.given, "data_dir": data_dir, "verify": verify}
    try:
        folder = find_folder(name, choice.config, **found)
        inputs = read_manifest(folder)["inputs"]
    except (NotBuiltError, DamagedFileError):  # of another build, perhaps: what is asked for is looked at by its key
        return None
    own = choice.data_dir(data_dir) is not None
    same = inputs["allow_missing"] == allow_missing and (own or inputs["raw"] == PROVEN)
    target = target_of(settings, parts_of(folder, settings))
    return target.read() if same and not target.work.exists() else None


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be built, and where."""

    source: Source
    inputs: dict[str, Any]
    target: Target
    shard_bytes: int | None
    started: float

    @property
    def work(self) -> Path:
        return self.target.work


def _write_pieces(
    job: _Job, attempt: Path, lock: Lock, workers: AbstractContextManager[Executor | None]
) -> tuple[Place, Plan]:
    """Write every piece that is not there yet; return their place, and the plan without its records."""
    from covid_datasets.prepare.completeness import check_complete
    from covid_datasets.prepare.growth import Growth
    from covid_datasets.prepare.needs import before_build
    from covid_datasets.prepare.workers import run_tasks, telling, write
    from covid_datasets.progress import progress, tell

    source = job.source
    with workers as pool:
        plan = source.plan(job.shard_bytes)
        if plan.shares:  # whoever forgot a component is told before its pictures are missed, not after all are read
            check_complete(source.choice, plan.rows, plan.notices, plan.shares, source.allow_missing)
        place = job.target.place(plan.digest, attempt)
        # The output is as large as the bytes that go in: what cannot end is not begun.
        needed = plan.bytes + plan.bytes // 20 - place.prepare()
        tell(before_build(plan, max(needed, 0), job.target.room))
        job.target.check_room(needed, SPARE_BYTES)
        with progress(f"Building {source.choice.card.id}", total_bytes=plan.bytes) as display, telling(job.work):
            growth = Growth(plan.pieces, attempt, display)
            with growth.watched():
                run_tasks(source.tasks(plan, place), pool, growth, lambda: proceed(lock), write)
    return place, plan.without_records()  # before the index takes the place of the records in memory
