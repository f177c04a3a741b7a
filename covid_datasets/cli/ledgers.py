"""The command of the ledger: list published splits, audit them anew, hold the audit against the published one."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from covid_datasets.cli.show import print_json, print_table, print_text
from covid_datasets.errors import UsageError


def run_ledger(arguments: Namespace) -> int:
    """Audit published splits from their own lists; without a name, list them."""
    from covid_datasets.audits.ledger.run import check_result, picture_builds, published_result, run_entry, write_result
    from covid_datasets.catalog.ledger import entry_names, load_entry
    from covid_datasets.view.ledger import result_text

    if not arguments.entries:
        if arguments.check or arguments.out or arguments.files:
            raise UsageError("ledger: expected an entry, found none. Next: `covid-datasets ledger` lists them")
        entries = [load_entry(name) for name in entry_names()]
        rows = [{"entry": each.id, "title": each.title, "by": each.by, "of": each.pictures} for each in entries]
        if arguments.json:
            print_json(rows)
        else:
            print_table(rows, ("entry", "title", "by", "of"), cut="title", wide=("by",))
        return 0
    found = []
    for name in arguments.entries:
        entry = load_entry(name)
        lacking = "" if arguments.lists_only else picture_builds(entry, arguments.cache_dir)
        if lacking and arguments.out:
            raise UsageError(
                f"ledger {name}: {lacking}, and nothing is written that lacks the pictures. Next: build the source, or "
                f"give --lists-only"
            )
        pictures = not (lacking or arguments.lists_only)
        result = run_entry(entry, files=arguments.files, cache_dir=arguments.cache_dir, pictures=pictures)
        found.append(result)
        if not arguments.json:
            print_text(result_text(entry, result))
            if lacking:
                print_text(f"note: {lacking}")
        if arguments.check:
            check_result(result, published_result(name))
        if arguments.out:
            write_result(result, Path(arguments.out))
    if arguments.json:
        print_json(found[0].to_json() if len(found) == 1 else [result.to_json() for result in found])
    return 0
