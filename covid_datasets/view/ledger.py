"""The page of the ledger: what the audits of published splits found, made from the published results alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from covid_datasets.audits.ledger.pictures import Pictures
from covid_datasets.audits.ledger.run import Input, Result
from covid_datasets.audits.ledger.weigh import NAME, PATIENT, PROVEN, Torn, Variant
from covid_datasets.catalog.ledger import Entry, Whose
from covid_datasets.harmless import markdown, visible
from covid_datasets.view.page import table

Row = tuple[Entry, Result]
LOOKS = ("same bytes", "same pixels", "near-duplicate")

_WHOSE: Mapping[Whose, str] = {"the source's own": "The source's own split", "others'": "A split that others made"}

INTRODUCTION = """\
Many results of this field were measured on splits that somebody published as lists of files. This page audits each of
them that could be had, from its publisher's own files, and says what lies in more than one part: people, files, and
pictures under two names.

An entry is here only with the result that its command made: `catalogs/ledger/<entry>.toml` says which files, at which
commit, were read and how; `catalogs/ledger/<entry>.json` is what came out. `covid-datasets ledger ENTRY --check`
brings the same files (each is refused unless its git blob is the one that the entry names), audits them again, and
fails where one number differs. To cite a number, cite this page with the version of this library, and the commit that
the entry names.

How to read the numbers:

- **by name** means that the lists alone were read, and what our catalog has proven of the files that they name.
  **by picture** means that the lists were also laid over a build of the source, so that equal bytes, equal pixels and
  pictures that look the same were searched for.
- **People** are those that the publisher's ids, or tables that came with the pictures, tell. Where these do not tell,
  rows are counted as of unknown people, and whether such people lie in two parts, nobody can say.
- **Proven** are pictures or people under two names that `catalogs/identities/` has evidence for.
- A nought says that nothing was found in this way. It is no proof that there is nothing.
- A split is judged here as a list of files. What a study did with it, only the study says."""

COLUMNS = (
    "split",
    "parts (rows)",
    "people in several parts",
    "files in several parts",
    "proven, and other, in several parts",
    "rows of unknown people",
    "audited",
)


def ledger_page(rows: Sequence[Row]) -> str:
    """Write the page of all entries that have a result."""
    lines = ["# The ledger of published splits", "", INTRODUCTION, ""]
    lines += table(COLUMNS, (line for entry, result in rows for line in _lines(entry, result)))
    for entry, result in rows:
        lines += ["", *_section(entry, result)]
    return visible("\n".join(lines) + "\n")


def result_text(entry: Entry, result: Result) -> str:
    """Say for a terminal what an audit found."""
    lines = [f"{entry.title}, {_level(result)}: {'something' if result.leaks else 'nothing'} lies in several parts"]
    for variant in result.variants:
        lines.append(f"{variant.variant or 'the split'}: {_sizes(variant)}")
        for torn in variant.torn:
            lines.append(f"  {torn.kind:<15}{torn.straddling:>5} of {torn.groups:,} in several parts{_between(torn)}")
            lines += [f"      {example}" for example in torn.examples]
        lines += [f"  two labels: {text}" for text in variant.contradicting]
    for over in result.pictures:
        said = f"{over.matched:,} of {over.matched + over.absent:,} listed names"
        lines.append(f"{over.variant or 'the split'}, over {over.build} ({over.fingerprint[:12]}, {said}):")
        for finding in over.audit["findings"]:
            lines.append(f"  {finding['kind']:<15}{finding['straddling']:>5} of {finding['groups']:,} in several parts")
            lines += [f"      {example}" for example in finding["examples"]]
        lines += [f"  contradictory labels: {text}" for text in over.audit["contradictions"]]
    return "\n".join(lines)


def _lines(entry: Entry, result: Result) -> Iterator[tuple[str, ...]]:
    """Write the lines of an entry in the table of all: one for each version, one for all folds."""
    if entry.variants == "versions":
        for variant in result.variants:
            yield _cells(entry, result, [variant])
    else:
        yield _cells(entry, result, result.variants)


def _cells(entry: Entry, result: Result, variants: Sequence[Variant]) -> tuple[str, ...]:
    def said(kind: str) -> str:
        found = [torn for variant in variants for torn in variant.torn if torn.kind == kind]
        return _in_several(found) if found else "not looked for"

    known = any(part.patients for variant in variants for part in variant.parts)
    unknown = [sum(part.unknown for part in variant.parts) for variant in variants]
    rows = [sum(part.rows for part in variant.parts) for variant in variants]
    name = f" {variants[0].variant}" if entry.variants == "versions" else ""
    return (
        f"[{markdown(entry.title)}](#{entry.id}){markdown(name)}",
        _parts(variants),
        said(PATIENT) if known else "nobody is known",
        said(NAME),
        "; ".join([said(PROVEN), *(f"{kind}: {said(kind)}" for kind in entry.groups)]),
        f"{_range(unknown)} of {_range(rows)}",
        _level(result),
    )


def _in_several(found: Sequence[Torn]) -> str:
    """Say how many groups lie in several parts, and in which; of several folds how many have such, and the worst.

    >>> none, two = Torn("name", 9, 0, 0, {}, ()), Torn("name", 8, 2, 4, {"train and test": 2}, ())
    >>> _in_several([two]), _in_several([none, two, none]), _in_several([none, none])
    ('2 of 8 (train and test)', 'in 1 of 3 folds, at most 2 of 8 (train and test)', '0 in each of 2 folds')
    """
    worst = max(found, key=lambda torn: torn.straddling)
    between = ", ".join(sorted({pair for torn in found for pair in torn.between}))
    where = f" ({between})" if between else ""
    if len(found) == 1:
        return f"{worst.straddling:,} of {worst.groups:,}{where}"
    if not worst.straddling:
        return f"0 in each of {len(found)} folds"
    count = sum(torn.straddling > 0 for torn in found)
    return f"in {count} of {len(found)} folds, at most {worst.straddling:,} of {worst.groups:,}{where}"


def _parts(variants: Sequence[Variant]) -> str:
    """Say the sizes of the parts, of several folds the smallest and the largest."""
    if len(variants) == 1:
        return _sizes(variants[0])
    sizes: dict[str, list[int]] = {}
    for variant in variants:
        for part in variant.parts:
            sizes.setdefault(part.split, []).append(part.rows)
    return f"{len(variants)} folds: " + ", ".join(f"{split} {_range(rows)}" for split, rows in sizes.items())


def _range(numbers: Sequence[int]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _section(entry: Entry, result: Result) -> Iterator[str]:
    yield from (f'<a id="{entry.id}"></a>', "", f"## {markdown(entry.title)}", "")
    of = ", ".join(f"[`{source}`](sources/{source}.md)" for source in entry.pictures)
    yield f"{_WHOSE[entry.whose]} of {of or 'pictures that no source here has'}, published by {markdown(entry.by)}."
    if entry.paper:
        yield from ("", f"Paper: {markdown(entry.paper)}.")
    facts = [*entry.facts, *(f"Not at hand, and no part of these numbers: {file}" for file in entry.left_out)]
    yield from ("", *(f"- {fact}" for fact in facts), "") if facts else ("",)
    yield from _numbers(result)
    yield from _evidence(result)
    for over in result.pictures:
        yield from _looks(over)
    yield from ("", "Repeat it:", "", "```bash", f"covid-datasets ledger {entry.id} --check", "```", "")
    yield from _inputs(result.inputs)


def _numbers(result: Result) -> Iterator[str]:
    rows = (
        (
            variant.variant or "the split",
            part.split,
            f"{part.rows:,}",
            f"{part.names:,}",
            f"{part.patients:,}",
            f"{part.unknown:,}",
            ", ".join(f"{markdown(label)} {count:,}" for label, count in part.labels.items()) or "not said",
        )
        for variant in result.variants
        for part in variant.parts
    )
    columns = ("variant", "part", "rows", "different names", "known people", "rows of unknown people", "labels")
    yield from table(columns, rows)


def _evidence(result: Result) -> Iterator[str]:
    yield from ("", "What lies in several parts:", "")
    kinds = {PATIENT: "people", NAME: "files", PROVEN: "proven pictures or people"}
    found = [
        (variant.variant or "the split", kinds.get(torn.kind, torn.kind), torn)
        for variant in result.variants
        for torn in variant.torn
    ]
    yield from table(
        ("variant", "what", "in several parts", "of", "their rows", "between"),
        (
            (name, what, f"{t.straddling:,}", f"{t.groups:,}", f"{t.rows:,}", _pairs(t.between))
            for name, what, t in found
        ),
    )
    examples = [f"- {name}, {what}: `{text}`" for name, what, torn in found for text in torn.examples[:2]]
    examples += [
        f"- {variant.variant or 'the split'}, two labels: `{text}`"
        for variant in result.variants
        for text in variant.contradicting[:2]
    ]
    if examples:
        yield from ("", "Examples:", "", *examples)


def _looks(over: Pictures) -> Iterator[str]:
    audit = over.audit
    yield from (
        "",
        f"Over the build `{over.build}` (fingerprint `{over.fingerprint}`){', ' * bool(over.variant)}{over.variant}: "
        f"{over.matched:,} of {over.matched + over.absent:,} listed names are in it, {over.unlisted:,} of its rows are "
        f"in no list.",
        "",
    )
    yield from table(
        ("evidence", "groups of two rows or more", "in several parts", "their rows"),
        (
            (each["kind"], f"{each['groups']:,}", f"{each['straddling']:,}", f"{each['leaking_rows']:,}")
            for each in audit["findings"]
        ),
    )
    shown = [f"- {each['kind']}: `{text}`" for each in audit["findings"] for text in each["examples"][:3]]
    shown += [f"- contradictory labels: `{text}`" for text in audit["contradictions"][:3]]
    if shown:
        yield from ("", *shown)


def _inputs(inputs: Iterable[Input]) -> Iterator[str]:
    yield from table(
        ("file", "of", "git blob", "rows", "lines not read"),
        (
            (
                f"`{each.path}`",
                f"`{each.repository}` at `{each.commit[:12]}`" if each.repository else "this catalog",
                f"`{each.git_sha1[:12]}`",
                f"{each.rows:,}",
                f"{each.unread:,}",
            )
            for each in inputs
        ),
    )


def _level(result: Result) -> str:
    return "by picture" if result.pictures else "by name"


def _sizes(variant: Variant) -> str:
    return ", ".join(f"{part.split} {part.rows:,}" for part in variant.parts)


def _between(torn: Torn) -> str:
    return f" ({_pairs(torn.between)}; {torn.rows:,} rows)" if torn.between else ""


def _pairs(between: Mapping[str, int]) -> str:
    return ", ".join(f"{pair} {count:,}" for pair, count in between.items())
