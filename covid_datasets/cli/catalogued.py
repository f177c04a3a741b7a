"""What is known of sources: the commands that read cards, and what is built of them."""

from __future__ import annotations

import sys
from argparse import Namespace

import covid_datasets as api
from covid_datasets.cli.papers import info_papers
from covid_datasets.cli.show import (
    print_file,
    print_json,
    print_markdown,
    print_table,
    print_text,
)
from covid_datasets.errors import IntegrityError, UsageError

SEED_TEXTS = ("note", "metadata", "organisation")
"""Columns of a published table that are sentences, which only ``--json`` shows."""
SEARCHED = 50
"""Rows of a search that are shown."""
LISTED = ("id", "title", "modalities", "images", "patients", "access", "versions")


def run_list(arguments: Namespace) -> int:
    """List sources, or a published table of them."""
    from covid_datasets.catalog.overview import list_rows

    if arguments.seed:
        return _list_seed(arguments)
    rows = list_rows(modality=arguments.modality, access=arguments.access)
    if arguments.json:
        print_json(rows)
        return 0
    for row in rows:
        row["access"] = "alias" if row["same_as"] else row["status"] or row["access"]
        row["versions"] = len(row["versions"])  # their names are on the page of a source
        row["modalities"] = row["modalities"] or ("table" if row["data"] else "not said")
    print_table(rows, LISTED, cut="title", wide=("versions",))
    if not rows:
        wanted = " and ".join(filter(None, (arguments.modality, arguments.access)))
        print(f"no source: none is known with {wanted}", file=sys.stderr)
    return 0


def _list_seed(arguments: Namespace) -> int:
    table = api.list_datasets(arguments.modality, arguments.access, seed=arguments.seed)
    rows = table.to_pylist()
    if arguments.json:
        print_json(rows)
        return 0
    shown = [
        {name: " | ".join(str(value).splitlines()) if isinstance(value, str) else value for name, value in row.items()}
        for row in rows
    ]
    columns = [name for name in table.column_names if any(row[name] for row in rows) and name not in SEED_TEXTS]
    print_table(shown, columns, cut="name", wide=("url", "location", "our_access", "format", "our_patients"))
    for line in table.schema.metadata[b"totals"].decode().splitlines():
        print_text(line)
    return 0


def run_info(arguments: Namespace) -> int:
    """Show cards, or what follows from them: the credit that is due, the mapping of labels, the figures of papers."""
    if arguments.output and not arguments.attribution:
        raise UsageError(f"--output: expected with --attribution, found {arguments.output}")
    if arguments.attribution:
        return _info_attribution(arguments)
    if arguments.labels:
        return _info_labels(arguments)
    if arguments.config:
        raise UsageError(f"--config: expected with --attribution or --labels, found {arguments.config}")
    if arguments.paper:
        return info_papers(arguments.ids, arguments.cache_dir, as_json=arguments.json)
    if arguments.cache_dir:
        raise UsageError("--cache-dir: expected with --paper, --labels or --attribution; a card is in no cache")
    from covid_datasets.view.page import page

    cards = [api.info(name) for name in arguments.ids]
    if arguments.json:
        print_json(cards[0] if len(cards) == 1 else cards)
    else:
        for card in cards:
            print_markdown(page(card))
    return 0


def _info_attribution(arguments: Namespace) -> int:
    found = api.attribution(arguments.ids, arguments.config, cache_dir=arguments.cache_dir)
    written = found.save(arguments.output) if arguments.output else ()
    if arguments.json:
        print_json({"files": written} if written else found)
    elif written:
        print_text("\n".join(map(str, written)))
    else:
        print_file(str(found))
    return 0


def _info_labels(arguments: Namespace) -> int:
    from covid_datasets.view.labels import label_words

    rows = api.label_table(arguments.ids, arguments.config, cache_dir=arguments.cache_dir).to_pylist()
    said = {str(name): label_words(name) for name in arguments.ids}
    if arguments.json:
        print_json({"labels": rows, "said": said})
        return 0
    if not rows:
        print_text("no labels are known: these are tables, or there is no finished build")
    else:
        print_table(rows, ("dataset", "label_raw", "label", "rows", "known_from"))
    for name, words in said.items():
        if words:
            print_text(f"\n{name}: {words}")
    for name in dict.fromkeys(row["dataset"] for row in rows if row["known_from"] == "card"):
        print_text(f"\n{name}: by its card alone; a finished build tells how often each word is said")
    return 0


def run_croissant(arguments: Namespace) -> int:
    """Describe a source as Croissant; or say what is wrong with a description."""
    if arguments.check is not None:
        return _check_croissant(arguments)
    from covid_datasets.exports.croissant.describe import as_text, save

    description = api.croissant(arguments.id, arguments.config, cache_dir=arguments.cache_dir)
    if arguments.output:
        save(description, arguments.output)
    if arguments.json:
        print_json({"output": arguments.output} if arguments.output else description)
    elif arguments.output:
        print_text(arguments.output)
    else:
        print_file(as_text(description))
    return 0


def _check_croissant(arguments: Namespace) -> int:
    if arguments.output:
        raise UsageError(f"--output: expected with the ID of a source, found --check {arguments.check}")
    problems = api.check_croissant(arguments.check)
    if arguments.json:
        print_json({"file": arguments.check, "ok": not problems, "problems": problems})
    else:
        for problem in problems:
            print_text(problem)
        print_text(f"{arguments.check}: {f'{len(problems):,} problem(s)' if problems else 'valid Croissant'}")
    return IntegrityError.exit_code if problems else 0


def run_search(arguments: Namespace) -> int:
    """Search the metadata of what is built; show the first rows, or write all of them."""
    found = api.search(arguments.query, cards=arguments.cards, cache_dir=arguments.cache_dir)
    rows = f"{len(found):,} row{'' if len(found) == 1 else 's'}"
    file = arguments.csv or arguments.parquet
    if arguments.csv == "-":
        found.print_csv(sys.stdout)
    elif file:
        (found.to_csv if arguments.csv else found.to_parquet)(file)
    if arguments.json:
        print_json({"rows": len(found), "file": file} if file and file != "-" else list(found))
    elif file and file != "-":
        print_text(f"{file}: {rows}")
    elif not file:
        print_table(found[:SEARCHED], found.shown_columns)
        more = f", of which {SEARCHED:,} are shown; --csv FILE writes all" if len(found) > SEARCHED else ""
        print(f"\n{rows}{more}")
    return 0
