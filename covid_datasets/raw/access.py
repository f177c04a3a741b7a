"""What users read where a source, or a part of it, is theirs to fetch: the steps, the folder to make, what to type."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from covid_datasets.catalog.card import Choice
from covid_datasets.catalog.layout import readable
from covid_datasets.catalog.resource import Pattern, Resource
from covid_datasets.fetch.hosts import page_of
from covid_datasets.raw.kinds import kind_of
from covid_datasets.raw.local import Local
from covid_datasets.raw.reach import is_open, keys_besides, keys_for
from covid_datasets.raw.survey import Survey

SHOWN = 20
WIDTH = 96


def access_text(choice: Choice) -> str:
    """Say how to get a source that nothing can download for its user: why, the steps, the folder, what to type."""
    card, name = choice.card, choice.name
    keys = [_wrapped("  ", key) for key in keys_for(card, choice.resources)]
    why = "A part of it needs an account of your own." if keys and card.access.kind == "open" else card.access.why
    by_hand = [part for part in choice.resources if not is_open(card, part)]
    steps = card.access.steps or tuple(map(how_to_get, by_hand))
    option = config_option(choice)
    argument = f', "{choice.config}"' if option else ""
    numbered = [_wrapped(f"  {number}. ", step) for number, step in enumerate(steps, start=1)]
    return "\n".join(
        [
            f"{name} ({card.title}): only you can fetch it. {why}",
            *(["", "With a key of your own it is downloaded for you:", *keys] if keys else []),
            *(["", "Steps without a key:" if keys else "Steps:", *numbered] if numbered else []),
            "",
            "Your folder is then:",
            expected_tree(choice),
            *_examples(choice),
            "",
            "Then type:",
            f"  covid-datasets check {name} --data-dir FOLDER{option}   # lists what is missing; builds nothing",
            f"  covid-datasets build {name} --data-dir FOLDER{option}",
            f'or, in Python: load_dataset("{name}"{argument}, data_dir="FOLDER")',
            f"All that is known about it: covid-datasets info {card.id}",
        ]
    )


def config_option(choice: Choice) -> str:
    """Name a config as an option of a command; empty for the first, which is meant where none is named."""
    return "" if choice.config == next(iter(choice.card.configs)) else f" --config {choice.config}"


def other_copies_text(resource: Resource, reached: Resource) -> str:
    """Say which keys would open copies that were not asked; empty where all were."""
    keys = [_wrapped("  ", key) for key in keys_besides(resource, reached)]
    return "\n".join(["With a key of your own it is downloaded from another copy:", *keys]) if keys else ""


def how_to_get(resource: Resource) -> str:
    """Say in one line where a resource comes from."""
    places = [f"<{page_of(copy.url)}>" for copy in resource.copies]
    return "; ".join([*resource.steps, *(f"it is served at {place}" for place in places[:1])])


def expected_tree(choice: Choice) -> str:
    """Draw the folder that ``data_dir`` should be: each archive as served, or its unpacked files."""
    resources = choice.resources
    fetched = [resource for resource in resources if is_open(choice.card, resource)]
    by_hand = len(fetched) < len(resources)
    shown = resources[:SHOWN]
    lines = [line for part in shown for line in _drawn(part, fetched=by_hand and part in fetched)]
    lines += [f"… and {len(resources) - SHOWN:,} more"] if len(resources) > SHOWN else []
    return "\n".join(["  FOLDER/", *(f"    {line}" for line in lines)])


def listed(title: str, items: Sequence[str]) -> list[str]:
    """List some items under a title, the first ones of many; nothing where there are none."""
    more = [f"  … and {len(items) - SHOWN:,} more"] if len(items) > SHOWN else []
    return [f"{title}:", *(f"  {item}" for item in items[:SHOWN]), *more] if items else []


def incomplete_text(choice: Choice, found: Survey, damaged: Sequence[str], local: Local, place: str) -> str:
    """List what is missing, damaged and extra, and what to do."""
    return "\n".join(
        [
            f"{choice.card.id}@{choice.version}: {len(found.missing):,} of {found.expected:,} files are missing in "
            + (f"{place}, {len(damaged):,} are damaged." if damaged else f"{place}."),
            *listed("Missing", found.missing),
            *listed("Damaged", damaged),
            *listed("Not expected", local.extra),
            f"Expected:\n{expected_tree(choice)}",
            *([above_text(local.above)] if local.above else []),
            "To build what is there, marked incomplete: allow_missing=True, or --allow-missing.",
        ]
    )


def above_text(folder: str) -> str:
    """Say that somebody named a part of what belongs together."""
    return f"This looks like a part of it: name the folder above, {folder}"


def _drawn(resource: Resource, *, fetched: bool) -> Iterator[str]:
    """Draw one resource; of a source that is got by hand, the parts with an address are ``fetched`` all the same."""
    return kind_of(resource).draw(resource, "downloaded for you where it is not there" if fetched else "")


def examples(choice: Choice) -> list[Pattern]:
    """List the files that users write themselves and of which the card has an example."""
    return [pattern for part in choice.every_resource for pattern in part.files if pattern.example]


def _examples(choice: Choice) -> Iterator[str]:
    for pattern in examples(choice):
        yield from ("", f"{readable(pattern.glob)}, for example:")
        yield textwrap.indent(pattern.example.rstrip(), "  | ", lambda _: True)


def _wrapped(lead: str, text: str) -> str:
    return textwrap.fill(
        " ".join(text.split()),
        WIDTH,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )
