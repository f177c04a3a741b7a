"""`confounding`: how well the label can be told without looking at what a picture shows."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from covid_datasets.audits.traits.look import OF_PIXELS, STAGES, look_traits
from covid_datasets.audits.traits.predict import LEAST_GROUPS, Question, predict
from covid_datasets.audits.traits.report import ALL, PIXELS, TOGETHER, Confounding, Predicted
from covid_datasets.audits.traits.rows import Rows
from covid_datasets.audits.traits.sample import Sample, sample_of
from covid_datasets.audits.traits.told import COLUMN_OF, KINDS, TOLD, Trait, told_traits
from covid_datasets.audits.traits.values import told_of
from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import Name, info
from covid_datasets.columns import COLUMNS
from covid_datasets.errors import UsageError, did_you_mean
from covid_datasets.extras import need
from covid_datasets.load.arguments import check_names, conditions_of
from covid_datasets.load.form import check_task
from covid_datasets.load.splits import with_patients
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.progress import progress
from covid_datasets.settings import Settings
from covid_datasets.splits.index import Index

TRAITS = (*TOLD, *OF_PIXELS)
"""Traits that can be asked for."""
LIMIT = 10_000
"""Rows that are looked at, where a dataset has more."""
MAX_CLASSES = 40
"""Different values of a column that can be predicted as classes."""


def confounding(
    name: Name | Sequence[Name],
    config: str | None = None,
    *,
    scheme: str | None = None,
    label: str = "label",
    traits: Sequence[str] | None = None,
    pixels: bool = True,
    limit: int = LIMIT,
    cache_dir: str | os.PathLike[str] | None = None,
    **filters: Any,
) -> Confounding:
    """Measure how well the label of finished builds can be told without looking at what a picture shows.

    Each trait alone, and all together: container, header, mode, size, shape and compression of the file; view, source,
    host, country, licence and year; equipment; and of the pixels brightness, contrast, border, sharpness and colour, as
    they are stored, as they are loaded at one size, and normalised. The number is the area under the ROC curve, of
    groups that the model has not seen; 0.5 is guessing. A label that is told by these is told by where a picture is
    from, and a model that is good at it may have learned nothing else.

    Args:
        name: A dataset, or a list of them, as in `load_dataset`; nothing is built.
        config: One of the dataset's configs.
        scheme: Learn on train and predict on test of this scheme. Without it five folds of whole groups, those of
            ``fold-k-of-5``, and beside them the publisher's own split where there is one.
        label: What is predicted: a column of few values, or two classes in place of all, "covid19_vs_rest", as the task
            of `load_dataset`.
        traits: Only these, such as ``["container", "mode"]``.
        pixels: Decode every picture once and measure it. Without it only what is stored is looked at.
        limit: So many rows at the most, chosen by a hash of their ids.
        cache_dir: Where the builds are.
        **filters: Only rows with these values, as in `load_dataset`: ``modality="CXR"``.

    Returns:
        A report: ``str()`` for people, ``table`` and ``label_table`` for programs, ``summary`` as one row to stand
        beside the results of models, and ``to_json()``.

    Raises:
        NotBuiltError: One of them is not built; the message has the command.
        MissingExtraError: scikit-learn is not installed.

    >>> confounding("phantom", label="lable")
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: label: expected a column of few values, found 'lable'. Did you mean 'label'?
    """
    wanted = _wanted(traits)
    column, task = ("label", label) if "_vs_" in str(label) else (label, None)
    two_classes = _check(column, task, limit)
    names = check_names(name, None)
    conditions = conditions_of(filters, {}, two_classes, None, confounding.__annotations__)
    need("sklearn")
    builds = [with_patients(find_build(each, config, cache_dir=cache_dir)) for each in names]
    cards = {built.id: info(each) for built, each in zip(builds, names, strict=True)}
    sample = sample_of(builds, Settings.resolve(cache_dir).splits, conditions, column, task, limit)
    rows = Rows(builds, sample.rows)
    told = [each for each in told_traits(rows) if each.name in wanted and COLUMN_OF.get(each.name) != column]
    known = [each for each in told if each.known.any()]
    looked = _looked(sample, rows, wanted) if pixels else {}
    found: list[Predicted] = []
    lacking = {f"{built.id}@{built.version}": _lacking(built, cards[built.id]) for built in builds}
    notes = [f"{each} lacks {count:,} samples of its source." for each, count in lacking.items() if count]
    notes += [*sample.notes, *_unknown_people(rows, cards)]
    if unknown := [each.name for each in told if not each.known.any()]:
        notes.append(f"Unknown in all rows: {', '.join(unknown)}.")
    if same := [each.name for each in known if not each.varies]:
        notes.append(f"The same in all rows: {', '.join(same)}.")
    for said, question in sample.questions(scheme):
        notes += [f"{said}: {text}" for text in _limits(question)]
        found += _answers(question, said, known, looked)
    counts = Counter(sample.labels)
    return Confounding(
        datasets=tuple(f"{built.id}@{built.version}" for built in builds),
        configs=tuple(built.config for built in builds),
        fingerprints=tuple(built.fingerprint for built in builds),
        label=label,
        rows=len(sample.rows),
        groups=len(set(sample.groups.tolist())),
        classes={each: counts[each] for each in sorted(counts, key=lambda each: (-counts[each], each))},
        found=tuple(found),
        told=tuple(told_of(known, sample.labels)),
        lacking=sum(lacking.values()),
        notes=tuple(notes),
        version=version("scikit-learn"),
    )


def _wanted(traits: Sequence[str] | None) -> set[str]:
    """Return the traits that are wanted, where there are such."""
    if traits is None:
        return set(TRAITS)
    if isinstance(traits, str) or not traits:
        raise UsageError(f"traits: expected a list such as ['container', 'mode'], found {traits!r}")
    for each in traits:
        if each not in TRAITS:
            hint = did_you_mean(str(each), TRAITS)
            raise UsageError(f"traits: expected some of {', '.join(TRAITS)}, found {each!r}{hint}")
    return set(traits)


def _check(label: str, task: str | None, limit: int) -> tuple[str, str] | None:
    """Refuse what no dataset can answer, and return the two classes of a task."""
    few = [name for name, kind in COLUMNS.items() if kind in ("string", "bool", "label")]
    if label not in few:
        raise UsageError(f"label: expected a column of few values, found {label!r}{did_you_mean(str(label), few)}")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise UsageError(f"limit: expected a number of rows above 0, found {limit!r}")
    return check_task("all", task)


def _lacking(built: Built, card: Card) -> int:
    """Count the samples that a build should have and lacks, those among them that its card alone knows of."""
    stated = card.versions[built.version].images if built.incomplete and built.version in card.versions else None
    return max(built.lost, (stated or 0) - built.rows)


def _unknown_people(rows: Rows, cards: Mapping[str, Card]) -> Iterator[str]:
    """Say of how many rows nobody knows whom they show, and what keeps these together."""
    datasets, known = (rows.table.column(name).to_pylist() for name in ("dataset", "patient_known"))
    unknown = Counter(name for name, told in zip(datasets, known, strict=True) if not told)
    for name, count in sorted(unknown.items()):
        yield f"{name}: of {count:,} rows nobody knows the patient. {cards[name].patients.consequence}".strip()


def _looked(sample: Sample, rows: Rows, wanted: set[str]) -> dict[str, list[Trait]]:
    if not wanted & set(OF_PIXELS) or not len(sample.rows):
        return {}
    index = Index.join([built.path for built in sample.builds])
    looked = look_traits(rows, lambda row: index.thumb(int(sample.rows[row])))
    return {stage: [each for each in of if each.name in wanted and each.known.any()] for stage, of in looked.items()}


def _lacks(question: Question) -> str:
    """Say why nothing can be said; empty where something can."""
    if len(question.names) < 2:
        return "there is one class" if question.names else "no row has a label"
    if len(question.names) > MAX_CLASSES:
        return f"{len(question.names):,} different values are no classes"
    if not question.answerable:
        return f"nothing can be said, because no class has {LEAST_GROUPS} groups with it and {LEAST_GROUPS} without it"
    return ""


def _limits(question: Question) -> Iterator[str]:
    """Say which classes are too few to be said anything of, and what a published split tears apart."""
    if lacks := _lacks(question):
        yield f"{lacks}."
        return
    few = [name for number, name in enumerate(question.names) if number not in question.answerable]
    if few and len(question.names) > 2:
        yield f"fewer than {LEAST_GROUPS} groups have {', '.join(few)}: no number of their own, only among the rest."
    if torn := question.torn:
        yield f"{torn:,} group{'' if torn == 1 else 's'} in train and in test: this split does not keep people apart."


def _answers(
    question: Question, scheme: str, told: Sequence[Trait], looked: Mapping[str, Sequence[Trait]]
) -> Iterator[Predicted]:
    """Predict from each trait alone, from several without a pixel, and from all pixels of each stage."""
    impersonal = [each for each in told if each.kind != "person"]
    of_kinds = {kind: [each for each in impersonal if each.kind == kind] for kind in KINDS}
    sets: list[tuple[str, str, Sequence[Trait]]] = [
        (f"all of the {kind}", TOGETHER, of) for kind, of in of_kinds.items() if 0 < len(of) < len(impersonal)
    ]
    sets.append((ALL, TOGETHER, impersonal))
    sets += [(each.name, each.kind, [each]) for each in told]
    for stage in STAGES if looked else ():
        sets += [(each.name, each.kind, [each]) for each in looked[stage]]
        sets.append((PIXELS, f"pixels {stage}", looked[stage]))
    lacks = _lacks(question)
    with progress("Predicting", unit="traits") as display:
        display.add(scheme, len(sets))
        for name, kind, used in sets:
            yield _answer(question, scheme, name, kind, used, lacks)
            display.advance(scheme)


def _answer(question: Question, scheme: str, name: str, kind: str, used: Sequence[Trait], lacks: str) -> Predicted:
    varying = [each for each in used if each.varies]
    why = lacks or ("" if varying else "the same in all rows" if used else "no such trait is known")
    answer = None if why else predict(question, varying)
    known = np.any([each.known for each in used], axis=0) if used else np.zeros(len(question.classes), bool)
    return Predicted(
        trait=name,
        kind=kind,
        scheme=scheme,
        auc=answer.average.auc if answer else None,
        low=answer.average.low if answer else None,
        high=answer.average.high if answer else None,
        classes=answer.classes if answer else {},
        known=float(known.mean()) if len(known) else 0.0,
        known_of={each: float(known[question.classes == number].mean()) for number, each in enumerate(question.names)},
        values=len(set(used[0].values) - {None}) if len(used) == 1 else None,
        vanishes=kind == "file",
        why=why or ("" if answer else "nothing can be said, because no part to predict has two classes"),
    )
