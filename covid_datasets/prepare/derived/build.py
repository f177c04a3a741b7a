"""`build_view`: from a finished build to a derived one, in pieces, by as many workers as there are."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Collection
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covid_datasets.errors import NotBuiltError, UsageError
from covid_datasets.lock import Lock
from covid_datasets.prepare.derived.asked import Derivation, ViewOptions, derivation
from covid_datasets.prepare.derived.find import folder_of
from covid_datasets.prepare.derived.finish import finish_view
from covid_datasets.prepare.derived.source import StoredRows
from covid_datasets.prepare.derived.stacks import Stack, stacks_of
from covid_datasets.prepare.derived.work import ViewTask, write_view_piece
from covid_datasets.prepare.engine import SPARE_BYTES, build_dataset
from covid_datasets.prepare.find import at_hand, find_build
from covid_datasets.prepare.growth import Growth
from covid_datasets.prepare.needs import before_build
from covid_datasets.prepare.once import once, proceed
from covid_datasets.prepare.pieces import PARTS
from covid_datasets.prepare.plan import MAX_PIECE_BYTES, MIN_PIECE_BYTES, PIECES, Piece, Plan
from covid_datasets.prepare.result import Built
from covid_datasets.prepare.target import LocalTarget, Made
from covid_datasets.prepare.workers import run_tasks, telling, worker_pool
from covid_datasets.progress import amount, progress, tell
from covid_datasets.schema import Notice
from covid_datasets.settings import Settings, given_count, usable_cores

if TYPE_CHECKING:
    from covid_datasets.catalog.cards import Name


def built_view(
    name: Name,
    config: str | None,
    view: ViewOptions,
    place: dict[str, Any],
    how: dict[str, Any],
    shard_bytes: int | None = None,
) -> Built:
    """Return the view that is there, also where its source is gone; make it first where it is not, and the source.

    ``place`` are the arguments by which `find_build` finds what fits, ``how`` those of `build_dataset` for what does
    not.
    """
    wanted = derivation(**view)
    _check_source(name, wanted)
    for asked in (view, ViewOptions()):
        try:
            source = find_build(name, config, **place, **asked)
            break
        except NotBuiltError:
            continue
    else:
        built = build_dataset(name, config, **place | how)
        source = at_hand(built.folder, Settings.resolve(place["cache_dir"]))
    if wanted is None or source.view:
        return source
    workers = {key: how[key] for key in ("executor", "num_proc")}
    return build_view(source, wanted, Settings.resolve(place["cache_dir"]).prepared, **workers, shard_bytes=shard_bytes)


def build_view(
    source: Built,
    wanted: Derivation,
    prepared: Path,
    *,
    executor: Executor | None = None,
    num_proc: int | None = None,
    shard_bytes: int | None = None,
) -> Built:
    """Make a view of a finished build, or return the one that is there.

    It is a build of its own: its pieces are written in private by any executor, a killed one resumes at its last
    finished piece, and whoever asks for the same one meanwhile waits and shares it.

    Raises:
        UsageError: No row can be brought to what is wanted, or it would be too large.

    >>> from covid_datasets.prepare.engine import build_dataset
    >>> cache = getfixture("tmp_path")
    >>> source = build_dataset("phantom", "small", cache_dir=cache)
    >>> build_view(source, Derivation(image_size=(64, 64)), cache / "prepared").rows == source.rows
    True
    """
    started = time.perf_counter()
    given_count(num_proc, "num_proc")
    final = folder_of(source, wanted)
    work = prepared / ".work" / "-".join(final.relative_to(prepared).parts)
    if source.columns:
        raise UsageError(f"{source.id}: expected images or volumes, of which a view is made, found a table without any")
    target = LocalTarget(final, work, prepared)
    if target.is_built() and not work.exists():
        return target.read()
    if wanted.derive:
        held = set(StoredRows.of(source).index.column("modality").to_pylist())
        _check_modalities(f"{source.id}, config {source.config}", set() if None in held else held, wanted)
    stacks, left_out = stacks_of(source, wanted)
    _check_memory(stacks, executor, num_proc)
    plan, members = _plan(source, wanted, stacks, left_out, given_count(shard_bytes, "shard_bytes"))

    def write(attempt: Path, lock: Lock) -> Made:
        with worker_pool(executor, num_proc) as pool:
            place = target.place(plan.digest, attempt)
            needed = plan.bytes + plan.bytes // 20 - place.prepare()
            tell(before_build(plan, max(needed, 0), target.room))
            target.check_room(needed, SPARE_BYTES)
            tasks = [
                ViewTask(StoredRows.of(source), wanted, piece, tuple(of_piece), place, plan.batch_bytes)
                for piece, of_piece in zip(plan.pieces, members, strict=True)
            ]
            title = f"Making {wanted.name} of {source.id}"
            with progress(title, total_bytes=plan.bytes) as display, telling(work):
                growth = Growth(plan.pieces, attempt, display)
                with growth.watched():
                    run_tasks(tasks, pool, growth, lambda: proceed(lock), write_view_piece)
        with telling(work):
            (assembled := attempt / "build").mkdir()
            finish_view(source, wanted, plan, place, assembled, started)
        return Made(assembled)

    once(target, write)
    return target.read()


def _check_source(name: Name, wanted: Derivation | None) -> None:
    """Refuse a source that holds nothing that a function can look at, before anything is fetched."""
    if wanted is not None and wanted.derive:
        from covid_datasets.catalog.cards import choose

        _check_modalities(str(name), choose(name).card.modalities, wanted)


def _check_modalities(name: str, held: Collection[str], wanted: Derivation) -> None:
    """Refuse what a function was not made for; where nobody says what pictures are, it is asked."""
    meant = () if wanted.made is None else wanted.made.declared.modalities
    if meant and held and not set(held) & set(meant):
        raise UsageError(
            f"derive: {wanted.derive}: expected a source of {' or '.join(meant)}, found {name}, which holds "
            f"{' and '.join(sorted(held))} alone"
        )


def _plan(
    source: Built, wanted: Derivation, stacks: list[Stack], left_out: list[Notice], shard_bytes: int | None
) -> tuple[Plan, list[list[tuple[int, Stack]]]]:
    """Cut stacks into pieces of one split each; the plan follows from them alone."""
    total = sum(stack.bytes for stack in stacks)
    limit = shard_bytes or min(max(total // PIECES, MIN_PIECE_BYTES), MAX_PIECE_BYTES)
    pieces: list[Piece] = []
    members: list[list[tuple[int, Stack]]] = []
    held = 0
    for number, stack in enumerate(stacks):
        if not members or pieces[-1].split != stack.split or held + stack.bytes > limit:
            pieces.append(Piece(len(pieces), stack.split, ()))
            members.append([])
            held = 0
        held += stack.bytes
        members[-1].append((number * PARTS, stack))
        pieces[-1] = Piece(pieces[-1].number, stack.split, (), held)
    said = [source.content, wanted.parameters, [[stack.rows for _, stack in of_piece] for of_piece in members]]
    digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    rows = sum(len(stack.rows) for stack in stacks)
    return Plan(source.id, tuple(pieces), tuple(left_out), rows, total, digest), members


def _check_memory(stacks: list[Stack], executor: Executor | None, num_proc: int | None) -> None:
    """Refuse, before any work, volumes that so many workers cannot hold."""
    largest = max((stack.held for stack in stacks), default=0)
    workers = 1 if executor is not None else num_proc or usable_cores()
    free = _free_memory()
    if free is not None and largest * workers > free:
        fewer = max(1, free // largest)
        more = f"num_proc={fewer}" if largest <= free else "a coarser to_spacing, a smaller image_size, or more memory"
        raise UsageError(
            f"the largest volume of this view takes {amount(largest)} in each of {workers} workers, {amount(free)} "
            f"of memory are free. Next: {more}"
        )


def _free_memory() -> int | None:
    """Ask the system how much memory can be had; ``None`` where it does not say."""
    try:
        told = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:  # not Linux
        return None
    found = re.search(r"MemAvailable:\s+(\d+) kB", told)
    return int(found[1]) * 1024 if found else None
