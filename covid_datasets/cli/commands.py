"""One function per command: call the public API, show the answer, return the exit code."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import covid_datasets as api
from covid_datasets.cli.show import (
    counts_text,
    error_json,
    print_csv,
    print_error,
    print_file,
    print_found,
    print_json,
    print_table,
    print_text,
)
from covid_datasets.cli.viewed import view_of
from covid_datasets.errors import CovidDatasetsError, IntegrityError, UsageError, words_of
from covid_datasets.extras import need
from covid_datasets.harmless import visible
from covid_datasets.prepare.find import find_folder
from covid_datasets.prepare.result import REPORT_FILE, Built
from covid_datasets.progress import amount
from covid_datasets.settings import Settings

OVERLAP = ("first", "second", "kind", "proven", "first_label", "second_label", "evidence")


def run_check(arguments: Namespace) -> int:
    """Hold a folder against what a source should hold."""
    found = api.check(arguments.id, arguments.data_dir, arguments.config)
    print_found(found, as_json=arguments.json)
    return 0 if found.ok else IntegrityError.exit_code


def run_build(arguments: Namespace) -> int:
    """Build sources one after the other and sum up what came out; one that fails does not hold up the rest."""
    with cluster(arguments.dask) as executor:
        return _run_build(arguments, executor)


@contextmanager
def cluster(address: str | None) -> Iterator[Executor | None]:
    """Connect to a Dask cluster; ``None`` where none is named."""
    if address is None:
        yield None
        return
    need("distributed")
    from distributed import Client

    try:
        client = Client(address, timeout=30)
    except (OSError, ValueError) as error:
        raise UsageError(f"--dask {address}: expected the scheduler of a Dask cluster: {words_of(error)}") from error
    with client:
        yield client.get_executor()


def _run_build(arguments: Namespace, executor: Executor | None) -> int:
    if len(arguments.ids) == 1:
        built = build_one(arguments, arguments.ids[0], executor)
        if arguments.json:
            print_json(built.to_json())
        else:
            print_built(built)
        return 0
    if arguments.data_dir is not None:
        raise UsageError(f"--data-dir: expected with one source, found {len(arguments.ids)}; build them one by one")
    answers: list[dict[str, Any]] = []
    codes: list[int] = []
    for name in arguments.ids:
        try:
            built = build_one(arguments, name, executor)
        except CovidDatasetsError as error:
            print(f"{visible(str(name))}: ", end="", file=sys.stderr)
            print_error(error)
            answers.append({"id": str(name)} | error_json(error))
            codes.append(error.exit_code)
            continue
        answers.append(built.to_json())
        if not arguments.json:
            print_built(built)
            print()
    if arguments.json:
        print_json(answers)
    if codes:
        print(f"{len(codes):,} of {len(arguments.ids):,} sources were not built", file=sys.stderr)
    return codes[0] if codes else 0


def build_one(arguments: Namespace, name: str, executor: Executor | None) -> Built:
    """Build a source, or a view of it, as the options say."""
    return api.build_dataset(
        name,
        arguments.config,
        data_dir=arguments.data_dir,
        cache_dir=arguments.cache_dir,
        executor=executor,
        num_proc=arguments.num_proc,
        verify=arguments.verify,
        allow_missing=arguments.allow_missing,
        mirror=arguments.mirror,
        offline=arguments.offline,
        accept_licence=accepts(arguments, name),
        **view_of(arguments),
    )


def print_built(built: Built) -> None:
    """Sum up a build."""
    incomplete = "  INCOMPLETE: files of the source are missing" if built.incomplete else ""
    people = f" of {built.people}" if built.people else ""
    print_facts(
        {
            "dataset": f"{built.id}@{built.version} ({built.config}){incomplete}",
            **({"view": built.view["name"]} if built.view else {}),
            **({"derived": _derived_text(built.view)} if "derived_by" in built.view else {}),
            "rows": f"{built.rows:,}{people}; {built.dropped:,} dropped",
            "splits": counts_text(built.splits),
            **({"columns": ", ".join(built.columns)} if built.columns else {"labels": counts_text(built.labels)}),
            "fingerprint": built.fingerprint,
            "path": built.folder,
            "report": built.folder / REPORT_FILE,
            "took": f"{built.seconds:.1f} s",
        }
    )


def _derived_text(view: Mapping[str, Any]) -> str:
    by, columns = view["derived_by"], ", ".join(view["columns"]) or "no new columns"
    file = f" of the file with the SHA-256 {by['sha256'][:16]}…"
    return (
        f"{columns}; nothing found in {view['not_found']:,} rows, failed for {view['failed']:,}; "
        f"by {by['module']}:{by['name']}{file}"
    )


def accepts(arguments: Namespace, name: str) -> bool:
    """Tell whether the terms of a source are accepted: by the option, or by whoever is asked at a terminal."""
    asked = sys.stdin.isatty() and sys.stderr.isatty() and not arguments.json
    if arguments.accept_licence or not asked:
        return bool(arguments.accept_licence)
    from covid_datasets.catalog.cards import choose
    from covid_datasets.raw.terms import terms_to_accept

    if not (terms := terms_to_accept(choose(name).card, Settings.resolve(arguments.cache_dir))):
        return True
    print(f"{visible(terms)}\n\nDo you accept them? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def run_path(arguments: Namespace) -> int:
    """Print the folder of a finished build, or its URL, and nothing else."""
    place = {"cache_dir": arguments.cache_dir, "data_dir": arguments.data_dir}
    built = Built.read(find_folder(arguments.id, arguments.config, **place, **view_of(arguments)))
    if arguments.json:
        print_json({"path": str(built.folder), "fingerprint": built.fingerprint})
    else:
        print(built.folder)
    return 0


def run_splits(arguments: Namespace) -> int:
    """Show the splits of a scheme and what the audit says of them."""
    from covid_datasets.load.splits import audit as audit_scheme  # NumPy, which no other command here needs

    place = {"config": arguments.config, "cache_dir": arguments.cache_dir}
    if arguments.propose or arguments.publish is not None:
        return _publish_splits(arguments, place)
    if len(arguments.ids) > 1 and arguments.config is not None:
        raise UsageError(f"--config: expected with one source, found {len(arguments.ids)}")
    name = arguments.ids[0] if len(arguments.ids) == 1 else arguments.ids
    if arguments.nnunet is not None:
        from covid_datasets.cli.nnunet import write_nnunet

        return write_nnunet(arguments, name, place)
    table = api.load_splits(name, arguments.scheme, **place)
    rows, about = table.to_pylist(), api.about_splits(table)
    audit = audit_scheme(name, arguments.scheme, **place)
    code = IntegrityError.exit_code if arguments.fail_on_leak and audit.leaks else 0
    if arguments.csv:
        print_csv(rows)
        print(visible(str(audit)), file=sys.stderr)
        return code
    counts = count_splits(rows)
    if arguments.json:
        said = {"scheme": arguments.scheme, "digest": about["digest"], "builds": about["builds"]}
        ids = ", ".join(map(str, arguments.ids))
        print_json({"id": ids, **said, "splits": counts, "audit": audit.to_json()})
        return code
    print_table(
        [{"split": name, **split, "labels": counts_text(split["labels"])} for name, split in counts.items()],
        ("split", "rows", "patients", "unknown", "groups", "labels"),
    )
    print_text(f"\n{audit}\ndigest of this split: {about['digest']}")
    return code


def _publish_splits(arguments: Namespace, place: Mapping[str, Any]) -> int:
    """Print the file to publish for one source, or write those of several into a checkout."""
    if arguments.fail_on_leak:
        asked = "--propose" if arguments.propose else "--publish"
        raise UsageError(f"--fail-on-leak: expected with a scheme to audit, found {asked}, which places groups whole")
    if arguments.propose:
        if len(arguments.ids) > 1:
            raise UsageError(
                f"--propose: expected one source, found {len(arguments.ids)}; name the others with --beside, or write "
                "the files of all with --publish ."
            )
        print_file(api.propose_splits(arguments.ids[0], beside=arguments.beside, **place))
        return 0
    from covid_datasets.contribute.publish import publish_splits

    gained = publish_splits(
        [*arguments.ids, *arguments.beside], arguments.publish, cache_dir=arguments.cache_dir, config=arguments.config
    )
    if arguments.json:
        print_json({"published": {path: found._asdict() for path, found in gained.items()}})
        return 0
    for path, found in gained.items():
        print(f"{path}: {found.added:,} added, {found.moved:,} moved by evidence that was found since")
    return 0


def run_overlaps(arguments: Namespace) -> int:
    """List, and on request publish, what sources have in common."""
    rows = api.overlaps(arguments.ids, thorough=arguments.thorough, cache_dir=arguments.cache_dir).to_pylist()
    gained: Mapping[Path, int] = {}
    if arguments.publish is not None:
        from covid_datasets.contribute.publish import publish_ties

        gained = publish_ties(rows, arguments.publish)
    if arguments.json:
        print_json({"overlaps": rows, "published": gained})
        return 0
    if rows:
        print_table(rows, OVERLAP)
        print()
    print(overlap_text(rows))
    for path, count in gained.items():
        print(f"{path}: {count:,} lines added")
    return 0


def run_verify(arguments: Namespace) -> int:
    """Check a finished build, and whether it is the one that somebody else had."""
    place = {"config": arguments.config, "cache_dir": arguments.cache_dir}
    report = api.verify(arguments.id, pixels=arguments.pixels, **place, **view_of(arguments))
    found = Built.read(report.path).fingerprint if report.ok else None  # of a damaged build it would prove nothing
    differs = found is not None and not found.startswith(arguments.fingerprint or "")
    other = [f"fingerprint: expected {arguments.fingerprint}, found {found}: other data"] if differs else []
    if arguments.json:
        problems = [*report.problems, *other]
        print_json(report.to_json() | {"fingerprint": found, "ok": not problems, "problems": problems})
    else:
        what = "bytes and pixels" if arguments.pixels else "bytes"
        state = f"{what} are as built" if report.ok else f"{len(report.problems):,} problem(s)"
        print(f"{arguments.id}: {state} ({report.rows:,} rows, {amount(report.bytes)}, {report.seconds:.1f} s)")
        for problem in report.problems:
            print_text(f"  {problem}")
        if found:
            print(f"fingerprint {found}")
        if found and arguments.fingerprint and not differs:
            print("the same data as the fingerprint that was given")
    for problem in other:
        print(problem, file=sys.stderr)
    return 0 if report.ok and not differs else IntegrityError.exit_code


def run_export(arguments: Namespace) -> int:
    """Write a source as files that open without this library."""
    from covid_datasets.exports.export import check_place

    check_place(arguments.format, arguments.destination, arguments.cache_dir)
    view: dict[str, Any] = dict(view_of(arguments))
    if "image_size" in view:
        view["batch_size"] = None  # rows
    rows = api.load_dataset(
        arguments.id,
        arguments.config,
        arguments.split,
        framework="numpy",
        scheme=arguments.scheme,
        columns=arguments.columns,
        license=arguments.license,
        allow_missing=arguments.allow_missing,
        data_dir=arguments.data_dir,
        cache_dir=arguments.cache_dir,
        accept_licence=accepts(arguments, arguments.id),
        **view,
    )
    done = api.export(
        rows,
        arguments.format,
        arguments.destination,
        i_have_the_rights=arguments.i_have_the_rights,
        overwrite=arguments.overwrite,
        cache_dir=arguments.cache_dir,
        data_dir=arguments.data_dir,
        **({"shard_bytes": arguments.shard_bytes} if arguments.shard_bytes else {}),
    )
    if arguments.json:
        print_json({"format": done.format, "url": done.url, "rows": done.rows, "files": done.files})
    else:
        files = f"{len(done.files):,} files, {amount(done.bytes)}"
        print_text(f"{done.url}: {done.rows:,} rows as {done.format}, {files}; README.md says how to open them")
    return 0


def run_mirror(arguments: Namespace) -> int:
    """Copy the raw files of sources into a mirror."""
    accepted = all(accepts(arguments, each) for each in arguments.ids)
    files = api.make_mirror(
        arguments.ids, arguments.destination, cache_dir=arguments.cache_dir, accept_licence=accepted
    )
    if arguments.json:
        print_json(files)
        return 0
    rows = [
        {"source": f.dataset, "file": f.resource, "size": amount(f.size), "": f.action, "path": f.path} for f in files
    ]
    print_table(rows, ("source", "file", "size", "", "path"))
    print(f"\nThere: COVID_DATASETS_MIRROR={arguments.destination} covid-datasets build {arguments.ids[0]}")
    return 0


def run_cache(arguments: Namespace) -> int:
    """Show or clean the cache."""
    if arguments.clean:
        freed = api.clean_cache(arguments.cache_dir, name=arguments.id, what=arguments.clean, dry_run=arguments.dry_run)
        if arguments.json:
            print_json({"bytes": freed, "removed": not arguments.dry_run})
        else:
            print(f"{amount(freed)} {'would be freed' if arguments.dry_run else 'freed'}")
        return 0
    entries = api.cache_contents(arguments.cache_dir, name=arguments.id)
    if arguments.json:
        print_json(entries)
        return 0
    rows = [{"kind": e.kind, "name": e.name, "size": amount(e.bytes), "note": e.note, "path": e.path} for e in entries]
    print_table(rows, ("kind", "name", "size", "note", "path"), wide=("path",))
    place = Settings.resolve(arguments.cache_dir).cache
    print_text(f"\n{amount(sum(entry.bytes for entry in entries))} in all, in {place}")
    return 0


def overlap_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Sum up overlaps: how many pairs, of how many people, with how many contradictory labels."""
    pairs = {(row["first"], row["second"]): row for row in rows if row["proven"]}.values()
    people = {row[side] for row in pairs for side in ("first_patient", "second_patient")} - {None}
    labels = [(row["first_label"], row["second_label"]) for row in pairs]
    differ = sum(None not in both and both[0] != both[1] for both in labels)
    alone = len({(row["first"], row["second"]) for row in rows}) - len(pairs)
    return (
        f"{len(pairs):,} proven pairs of {len(people):,} patient ids, {differ:,} with different labels; "
        f"{alone:,} pairs of which only the name says so"
    )


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values, aligned."""
    width = max(map(len, facts))
    for name, value in facts.items():
        print_text(f"{name.ljust(width)}  {value}")


def count_splits(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Count rows, patients, rows of whom nobody knows, groups and labels of each split."""
    splits: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        splits.setdefault(row["split"] or "(none)", []).append(row)
    return {
        name: {
            "rows": len(members),
            "patients": len({row["patient_id"] for row in members if row["patient_known"]}) or None,
            "unknown": sum(not row["patient_known"] for row in members),
            "groups": len({row["group"] for row in members}),
            "labels": dict(sorted(Counter(row["label"] or "unlabelled" for row in members).items())),
        }
        for name, members in splits.items()
    }
