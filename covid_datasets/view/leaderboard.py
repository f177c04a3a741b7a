"""The leaderboard: what models reach on builds and splits that are known, made from the published results alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from covid_datasets.harmless import markdown, visible
from covid_datasets.view.page import table

Result = Mapping[str, Any]

INTRODUCTION = """\
What models reach here, on builds whose fingerprint and on splits whose hash are known, with 95 % intervals over groups
of patients. A row is on this page only with the file that its command wrote, in `results/`; a number that was not
measured is not in a table. How numbers are made, and how to add yours, is in [evaluation.md](evaluation.md).

Read each result against the two that stand beside it on the same rows: **metadata alone**, which sees no pixel, and
**LBP and logistic regression**, which sees only texture. A model whose interval reaches down to theirs has not shown
that it reads a scan. No number here says anything about use in a hospital."""

LEAKS = """\
The same two small models, which see the stored thumbnail of 48 × 48 pixels, learned and asked in five folds that were
dealt in three ways: no group in two folds (a group is what any evidence joins: a patient, an article, copies), no
patient in two folds, and every row by itself, as many published splits are. What is gained from one to the next is no
skill: it is people and copies that were seen before. Intervals of a difference are over the same groups on both sides.
As folds learn from each other's rows, they are made wider than those of one test, as [confounding.md](confounding.md)
explains."""

SIDES = """\
The first of two less the second: what one way of making pictures, of splitting or of learning gains over another. Each
draw takes the same people on both sides. Over pairs of runs, the interval says how far seeds agree, and is wider for
the rows that they share. An interval that holds 0 says that these data do not tell the two apart."""

PAPERS = """\
As printed, beside what stands above. These are other experiments: what differs is said of each, and no number of ours
is a repetition of theirs."""


def leaderboard_page(results: Sequence[Result], papers: Sequence[Mapping[str, Any]]) -> str:
    """Write the page of all results, and of what papers state."""
    lines = ["# Leaderboard", "", INTRODUCTION]
    rows = [row for result in results for row in _ROWS.get(result["kind"], _none)(result)]
    columns = ("data and test", "model", "AUC by image", "by patient", "accuracy", "F1", "rows (groups)", "made by")
    lines += ["", "## Results", ""]
    lines += table(columns, sorted(rows, key=lambda row: row[0])) if rows else ["There is no result yet."]
    if lost := [_lost(result) for result in results if result["kind"] == "run" and _loses(result["result"])]:
        lines += ["", "Networks that lose against local binary patterns with a logistic regression:", "", *lost]
    sides = [_sides(result) for result in results if result["kind"] == "compare"]
    if sides:
        which = ("data", "first", "AUC", "second", "AUC", "difference", "over pairs", "rows of both", "made by")
        lines += ["", "## Side by side", "", SIDES, "", *table(which, sides)]
    found = [result for result in results if result["kind"] == "leaks"]
    lines += ["", "## What a leak is worth", "", LEAKS]
    for result in found:
        lines += ["", *_leaks(result)]
    if not found:
        lines += ["", "There is no result yet."]
    if papers:
        lines += ["", "## What papers state", "", PAPERS, "", *_papers(papers)]
    lines += ["", "## Each result", ""]
    lines += table(("file", "fingerprint", "split", "code", "device", "command"), map(_made, results))
    return visible("\n".join(lines) + "\n")


def _none(result: Result) -> Iterator[tuple[str, ...]]:
    yield from ()


def _of_beside(result: Result) -> Iterator[tuple[str, ...]]:
    found = result["result"]
    for model in found["models"]:
        if model["auc"] is not None:
            yield (
                _test(found["dataset"], found["config"], found["scheme"]),
                markdown(model["model"]),
                _interval(model["auc"], model["low"], model["high"]),
                *("not measured",) * 3,
                f"{found['rows']:,} ({found['groups']:,})",
                _file(result),
            )


def _of_run(result: Result) -> Iterator[tuple[str, ...]]:
    found = result["result"]
    image, patient = found["by_image"], found["by_patient"]
    yield (
        _test(", ".join(found["datasets"]), found["config"], ", ".join(dict.fromkeys(found["schemes"]))),
        _trained(found["runs"]),
        *(_of(each) for each in (image["auc"], patient["auc"], image["accuracy"], image["f1"])),
        f"{found['rows']:,} ({found['groups']:,})",
        _file(result),
    )


_ROWS = {"beside": _of_beside, "run": _of_run}


def _loses(found: Mapping[str, Any]) -> bool:
    """Tell whether a network reaches less than texture alone; where that was not measured, nobody knows."""
    auc, texture = found["auc"], found["texture_auc"]
    return auc is not None and texture is not None and auc < texture


def _lost(result: Result) -> str:
    found = result["result"]
    test = _test(", ".join(found["datasets"]), found["config"], ", ".join(dict.fromkeys(found["schemes"])))
    return f"- {test}: {_trained(found['runs'])}, AUC {found['auc']:.3f} against {found['texture_auc']:.3f}."


def _trained(runs: Sequence[Mapping[str, Any]]) -> str:
    """Say what was trained, on which pixels, and with which seeds."""
    seeds = ", ".join(str(run.get("seed", "not said")) for run in runs)
    return f"{markdown(', '.join(dict.fromkeys(map(_recipe, runs))))}, seed{'s' * (len(runs) > 1)} {seeds}"


def _recipe(run: Mapping[str, Any]) -> str:
    on = f" on {run['derive']}" if run.get("derive") else ""
    then = f", scored on {run['scored_on']}" if run.get("scored_on") else ""
    return f"{run.get('recipe_name', 'not said')}{on}{then}"


def _sides(result: Result) -> tuple[str, ...]:
    found = result["result"]
    sides = (found["first"], found["second"])
    schemes = [", ".join(dict.fromkeys(f"`{run['scheme']}`" for run in side)) for side in sides]
    said = [f"{_trained(side)}, {scheme}" for side, scheme in zip(sides, schemes, strict=True)]
    aucs = [_interval(auc, None, None) for auc in found["aucs"]]
    over = found["over_runs"]
    return (
        ", ".join(f"[`{name}`](sources/{name}.md)" for name in found["datasets"]),
        *(said[0], aucs[0], said[1], aucs[1]),
        _of(found["differences"]["auc"]),
        _of(over) if over else "one pair alone",
        f"{found['rows']:,}",
        _file(result),
    )


def _leaks(result: Result) -> Iterator[str]:
    found = result["result"]
    torn, seeds = found["torn"], len(found["seeds"])
    yield f"### `{found['dataset']}`"
    yield ""
    yield (
        f"{found['rows']:,} rows of {found['patients']:,} known patients, {found['unknown']:,} rows of unknown ones, "
        f"in {found['groups']:,} groups; {seeds} seeds; "
        f"{found['positive']} against all other labels. Groups with rows in several folds: "
        + ", ".join(f"{way} {count:.0f}" for way, count in torn.items())
        + f". Made by {_file(result)}."
    )
    yield ""
    ways = list(torn)
    yield from table(
        ("model", *(f"AUC, folds {way}" for way in ways)),
        ((markdown(model), *(_of(aucs[way]) for way in ways)) for model, aucs in found["aucs"].items()),
    )
    yield ""
    whats = list(next(iter(found["differences"].values())))
    yield from table(
        ("model", *whats),
        ((markdown(model), *(_of(of[what]) for what in whats)) for model, of in found["differences"].items()),
    )


def _papers(papers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = ("auc", "accuracy", "f1")
    rows = (
        (
            f"[`{paper['dataset']}`](sources/{paper['dataset']}.md)",
            markdown(paper["model"]),
            *(f"{paper['stated'][name]:g}" if name in paper["stated"] else "not stated there" for name in names),
            markdown(f"{paper['citation']}, {paper['where']}"),
            markdown(" ".join(paper["differs"])),
        )
        for paper in papers
    )
    yield from table(("data", "model", "AUC", "accuracy", "F1", "where", "what differs"), rows)


def _made(result: Result) -> tuple[str, ...]:
    found = result["result"]
    hashes = found.get("split_hash", "folds of its own")
    shown = hashes if isinstance(hashes, str) else ", ".join(each[:12] for each in hashes)
    return (
        _file(result),
        f"`{found['fingerprint'][:12]}`",
        f"`{shown[:12]}`" if isinstance(hashes, str) and " " not in hashes else shown,
        f"covid_datasets {result['version']}",
        markdown(result["device"]),
        f"`{result['command']}`",
    )


def _test(dataset: str, config: str | None, scheme: str) -> str:
    return f"[`{dataset}`](sources/{dataset}.md){f' {config}' if config else ''}, test of `{scheme}`"


def _file(result: Result) -> str:
    return f"[{markdown(result['name'])}](../results/{result['name']}.json)"


def _of(found: Mapping[str, Any]) -> str:
    return _interval(found["value"], found["low"], found["high"])


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "nothing can be said"
    told = [f"{round(each, 3) + 0.0:.3f}" for each in (value, low, high) if each is not None]  # 0.0: never "-0.000"
    return f"{told[0]} ({told[1]} to {told[2]})" if len(told) == 3 else told[0]
