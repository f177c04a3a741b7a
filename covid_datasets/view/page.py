"""The page of one source, section by section, made from its card alone."""

from __future__ import annotations

import hashlib
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from covid_datasets.catalog.card import AccessKind, Card, Permission, Version
from covid_datasets.catalog.cards import names, split_name
from covid_datasets.catalog.layout import readable
from covid_datasets.catalog.published import SPLITS, SPLITS_VERSION, published_file, published_splits
from covid_datasets.catalog.resource import Copy, Resource
from covid_datasets.catalog.templates import is_template, summary
from covid_datasets.extras import EXTRAS
from covid_datasets.fetch.asset import HASHES
from covid_datasets.fetch.hosts import host_of, page_of
from covid_datasets.harmless import visible
from covid_datasets.raw.access import config_option, examples, expected_tree
from covid_datasets.raw.kinds import kind_of
from covid_datasets.raw.reach import is_open, keys_for
from covid_datasets.view.asked import asked
from covid_datasets.view.audited import audited
from covid_datasets.view.confounded import measured
from covid_datasets.view.papers import stated
from covid_datasets.view.seeds import listed

KNOWN = {
    "all": "known for every row",
    "some": "known for some rows",
    "none": "not known",
}
ACCESS: Mapping[AccessKind, str] = {
    "open": "open: downloaded for you",
    "account": "needs an account",
    "request": "needs a request to its owners",
    "web": "from web pages: downloaded for you, file by file",
    "defunct": "no longer published",
    "view-only": "only shown to readers: no copies may be taken",
    "private": "never published",
}
ALLOWED: Mapping[Permission, str] = {
    "yes": "allowed",
    "no": "not allowed",
    "per-image": "differs per image",
    "unknown": "unknown",
}


def page(card: Card) -> str:
    """Write the page of one source as Markdown."""
    sections = (
        _head(card),
        _contents(card),
        _patients(card),
        _licence(card),
        _access(card),
        _resources(card),
        _configs(card),
        _official_split(card),
        audited(card),
        _defects(card),
        measured(card),
        _overlaps(card),
        listed(card),
        stated(card),
        _responsible(card),
        _columns(card),
        _features(card),
        asked(card),
        _citations(card),
    )
    return visible("\n\n".join("\n".join(section) for section in map(list, sections) if section) + "\n")


def _head(card: Card) -> Iterator[str]:
    yield from (f"# {card.title}", "", card.summary, "")
    yield from table(("", ""), [("Id", f"`{card.id}`"), *about(card).items()])
    if card.same_as:
        same = split_name(card.same_as)[0]
        yield from ("", f"The same samples as [`{card.same_as}`]({same}.md), which is loaded in its place.")
    elif not card.has_data:
        yield from (
            "",
            f"**Nothing of it can be loaded.** {card.why_unavailable} This page says all that is known about it.",
        )
        return
    yield from (
        "",
        "```python",
        "from covid_datasets import load_dataset",
        "",
        f'ds = load_dataset("{card.own_copy or card.id}"{_data_dir(card)})',
        "```",
    )


def about(card: Card) -> dict[str, str]:
    """Say in a few words what a source is, and what it asks for."""
    return {
        "Modalities": modalities(card),
        "Task": card.task,
        "Homepage": card.homepage or "none",
        "Also known as": ", ".join(card.seed_names) or "nothing else",
        "Access": _access_text(card),
        "Licence": spdx(card),
        "Patients": "none: rows are no people" if card.columns else KNOWN[card.patients.known],
    }


def _data_dir(card: Card) -> str:
    if card.own_copy:
        return ""
    by_hand = card.resources and not any(resource.copies for resource in card.resources)
    key_is_enough = all(is_open(card, resource) or keys_for(card, [resource]) for resource in card.resources)
    asked_for = card.access.kind in ("account", "request") and not key_is_enough
    return ', data_dir="FOLDER"' if by_hand or asked_for else ""


def _contents(card: Card) -> Iterator[str]:
    if not card.versions:
        return
    yield from ("## Contents", "")
    rows = [
        (
            f"`{name}`{' (default)' if name == card.default_version else ''}",
            version.date or "undated",
            _number(version.images),
            _patient_count(card, version),
            f"{version.tolerance:.1%}",
            f"`{version.commit[:12]}`" if version.commit else "",
        )
        for name, version in card.versions.items()
    ]
    columns = ("version", "date", "rows" if card.columns else "images", "patients", "may be missing", "commit")
    yield from table(columns, rows)
    for name, version in card.versions.items():
        yield from _version_notes(name, version)


def _version_notes(name: str, version: Version) -> Iterator[str]:
    if version.note:
        yield from ("", f"`{name}`: {version.note}")
    if version.labels:
        yield from ("", f"Labels of `{name}`:", "")
        yield from table(("label", "images"), [(label, f"{count:,}") for label, count in version.labels.items()])


def _patients(card: Card) -> Iterator[str]:
    known = "" if card.columns else f"Who the patient is: **{KNOWN[card.patients.known]}**. "
    yield from ("## Patients", "", f"{known}{card.patients.how}")
    if card.patients.consequence:
        yield from ("", card.patients.consequence)
    yield from _warning(card.patients.warning)
    yield from _published(card)
    if card.patients.ids:
        yield from ("", f"One id is one person in every source whose ids are `{card.patients.ids}`.")
    if card.quotes:
        pages = ", ".join(f"`{name}`" for name in card.quotes)
        yield from ("", f"Rows that quote a page of {pages} are kept together with that page's patient there.")


def _published(card: Card) -> Iterator[str]:
    """Say who is in which published split, and by which digest the file is known."""
    if published := published_splits(card.id):
        counts = Counter(published.values())
        parts = ", ".join(f"{counts[split]:,} in {split}" for split in SPLITS)
        name = published_file(card.id).name
        digest = hashlib.sha256(published_file(card.id).read_bytes()).hexdigest()
        yield from (
            "",
            f"Published split, version {SPLITS_VERSION}: {parts}, counted in patients, or in groups where these are "
            f"unknown (`catalogs/splits/{name}`, SHA-256 `{digest}`).",
        )


def _licence(card: Card) -> Iterator[str]:
    licence = card.licence
    yield from ("## Licence", "", f"**{spdx(card)}**: {licence.terms}", "")
    yield from (
        f"- redistribution: {ALLOWED[licence.redistribution]}",
        f"- commercial use: {ALLOWED[licence.commercial]}",
    )
    if licence.credit:
        yield f"- to be named in these words: {licence.credit}"
    if licence.per_image:
        yield "- each image has its own licence, in the column `license`"
    if licence.accept:
        yield "- its terms must be accepted before anything is downloaded: `accept_licence=True`, or `--accept-licence`"


def _access(card: Card) -> Iterator[str]:
    yield from ("## Access", "", f"{_access_text(card)[0].upper()}{_access_text(card)[1:]}.")
    if card.access.steps:
        yield ""
        yield from (f"{number}. {step}" for number, step in enumerate(card.access.steps, start=1))
    if not card.resources or card.own_copy:
        return
    resources = card.choice().every_resource
    by_hand = [resource for resource in resources if not is_open(card, resource)]
    if card.access.kind == "open" and not by_hand:
        return
    yield from (line for key in keys_for(card, resources) for line in ("", f"With a key it is downloaded. {key}"))
    choices = [card.choice(config=config) for config in card.configs]
    wanted = next((each for each in choices if any(part in by_hand for part in each.resources)), choices[0])
    option = config_option(wanted)
    if by_hand:
        which = f"For the config `{wanted.config}` your" if option else "Your"
        yield from ("", f"{which} folder is then:", "", "```text", textwrap.dedent(expected_tree(wanted)), "```")
    for pattern in examples(card.choice()):
        yield from ("", f"`{readable(pattern.glob)}`, for example:", "", "```text", pattern.example.rstrip(), "```")
    yield from ("", f"To see what it lacks: `covid-datasets check {card.id} --data-dir FOLDER{option}`")
    yield from ("", f"Then: `covid-datasets build {card.id} --data-dir FOLDER{option}`")


def _access_text(card: Card) -> str:
    if card.same_as:
        return f"that of `{split_name(card.same_as)[0]}`, which holds the same samples"
    if card.own_copy:
        return "your own: read where it is"
    if card.status and card.access.kind == "open":
        return "open: its publisher asks for no account"
    if not card.resources and card.access.kind == "open":
        return "open: made on the spot, nothing is downloaded"
    if card.resources and not any(resource.copies for resource in card.resources) and card.access.kind == "web":
        return "from web pages: you save them by hand"
    if card.access.kind == "open" and not any(resource.copies for resource in card.resources):
        return "open: no account is asked for, and you fetch it by hand"
    return ACCESS[card.access.kind]


def _resources(card: Card) -> Iterator[str]:
    if not card.resources:
        return
    yield "## Files"
    if any(resource.copies for resource in card.resources):
        yield from ("", "Copies are tried in order; every one must have the same content.")
    for resource in card.resources:
        size = "" if resource.size is None else f", {resource.size:,} bytes"
        place = f", its files in `{resource.folder}`" if resource.folder else ""
        less = "; without it there are fewer rows" if resource.optional else ""
        yield from ("", f"**{resource.name}**: {_kind(resource)}{size}{place}; {_identity(resource)}{less}", "")
        yield from (f"{number}. {_shown(copy)}" for number, copy in enumerate(resource.copies, start=1))
        yield from (f"- {step}" for step in resource.steps)
        yield from (f"- `{resource.folder}{readable(pattern.glob)}`: {pattern.what}" for pattern in resource.files)


def _shown(copy: Copy) -> str:
    """Show where a copy is: its address, or its name at a host of research data with the page there."""
    named = f"`{copy.url}`, " if host_of(copy.url) else ""
    return f"{named}<{page_of(copy.url)}>{', for anybody' if copy.public else ''}"


def _kind(resource: Resource) -> str:
    if many := summary(resource):
        of_what = resource.path or (resource.copies[0].url if resource.copies else resource.name)
        return f"{resource.kind}s, `{of_what}`, {many}"
    return kind_of(resource).describe(resource)


def _identity(resource: Resource) -> str:
    hashes = [f"{key} `{value}`" for key in HASHES if (value := getattr(resource, key))]
    inside = "" if is_template(resource) else kind_of(resource).checked_by(resource)
    parts = [*hashes, inside, "sizes and hashes as listed" if resource.members else ""]
    if not (hashes or resource.manifest or resource.members):
        parts.append("no hash published" + (", recorded on first download" if resource.copies else ""))
    return ", ".join(filter(None, parts))


def _configs(card: Card) -> Iterator[str]:
    if not card.has_data:
        return
    yield from ("## Configs", "")
    rows = [
        (
            f"`{name}`",
            config.summary,
            ", ".join(f"{key} = {value}" for key, value in config.options.items()),
            ", ".join(sorted({f"`{EXTRAS.get(module, module)}`" for module in config.needs})),
        )
        for name, config in card.configs.items()
    ]
    yield from table(("config", "what it is", "options", "extra to install"), rows)


def _official_split(card: Card) -> Iterator[str]:
    split = card.official_split
    if split is None:
        return
    yield from ("## Official split", "", f'`scheme="official"`: {", ".join(split.names)}. {split.summary}')
    if split.folds:
        schemes = ", ".join(f'`scheme="official-{fold}"`' for fold in split.folds)
        yield from ("", f"Each published fold is a scheme: {schemes}.")
    yield from _warning(split.warning)


def _defects(card: Card) -> Iterator[str]:
    if not card.defects:
        return
    yield from ("## Known defects", "")
    rows = [(d.id, d.what, d.evidence, f"`{d.flag}`" if d.flag else "") for d in card.defects]
    yield from table(("defect", "what", "evidence", "flag on its rows"), rows)


def _overlaps(card: Card) -> Iterator[str]:
    if not card.overlaps:
        return
    known = names()
    yield from ("## Overlaps", "")
    rows = [
        (f"[`{o.source}`]({o.source}.md)" if o.source in known else o.source, o.what, o.evidence) for o in card.overlaps
    ]
    yield from table(("with", "what", "evidence"), rows)


def _responsible(card: Card) -> Iterator[str]:
    stated = card.responsible
    lines = [
        *(["Its samples were made by a program and show nobody."] if stated.synthetic else []),
        *(text.strip() for text in (stated.collection, *stated.biases, *stated.sensitive, stated.impact) if text),
    ]
    if lines:
        yield from ("## Responsible use", "", *(f"- {line}" for line in lines))


def _columns(card: Card) -> Iterator[str]:
    tables = {name: of for name, config in card.configs.items() if (of := config.columns or card.columns)}
    if not tables:
        return
    what = "A table without images" if card.columns else "Tables beside the images"
    yield from ("## Columns", "", f"{what}: these columns are all that is stored, in one split, `train`.")
    for name, columns in tables.items():
        yield from ("", f"Config `{name}`:", "")
        yield from table(("column", "type"), [(f"`{column}`", kind) for column, kind in columns.items()])


def modalities(card: Card) -> str:
    """Name the modalities of a source for people."""
    return ", ".join(card.modalities) or ("none, a table" if card.columns else "not said")


def _features(card: Card) -> Iterator[str]:
    if not card.features:
        return
    yield from ("## Features", "")
    yield from table(
        ("column", "what this source puts there"), [(f"`{name}`", text) for name, text in card.features.items()]
    )


def _citations(card: Card) -> Iterator[str]:
    if not card.citations:
        return
    yield from ("## Cite", "", "```bibtex", *(citation.bibtex() for citation in card.citations), "```")


def _warning(text: str) -> Iterator[str]:
    if text:
        yield from ("", f"> **Warning.** {text}")


def counts(card: Card) -> tuple[str, str]:
    """Count images and patients for people."""
    if card.default_version not in card.versions:
        return "unknown", "unknown"
    _, version = card.version()
    return _number(version.images), _patient_count(card, version)


def spdx(card: Card) -> str:
    """Name the licence of a source for people."""
    return card.licence.spdx or "no standard licence"


def _patient_count(card: Card, version: Version) -> str:
    return "none" if card.columns else _number(version.patients)


def _number(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write a table as Markdown."""
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in row)} |"
