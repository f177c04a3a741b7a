"""BIMCV-COVID19 (Valencian Region): films and CT volumes laid out as MIDS, reports, and tests, which label nothing."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import NotThereError
from covid_datasets.read import sidecar
from covid_datasets.read.bids import Tree, lowest, participants, read_name, read_tree, words_of
from covid_datasets.read.cells import Cells
from covid_datasets.read.plists import outline_masks
from covid_datasets.read.rows import Row, contradictions, rows_by
from covid_datasets.read.tables import Table, read_matching, read_xlsx
from covid_datasets.read.typed import TableForm, typed_rows
from covid_datasets.schema import Beside, File, Notice, Parts, RawFiles, RawReader, Record, Rows
from covid_datasets.vocabulary import Sex, View

REVIEW, REVIEWED = "COVID19_POSI_v1.0.xlsx", ("Subject", "Session", "mod", "File", "Position_Manual", "Exclude Reason")
CELLS = 2_000_000  # of the table of reviewed films, whose hash is on the card: 5,525 rows of 261 columns
NOTED, _NOTE = "bimcv_negative_manualinfo.py", re.compile(r'"(sub-[\w.-]{1,200}\.png)": "([\w ]{1,40})"')
FILMS, VOLUMES = ("cr.png", "dx.png"), ("ct.nii.gz",)
PARTS = {"covid19_posi": "positive", "covid19_neg": "negative"}
TABLES = {
    "reports": ("derivatives/labels/*.tsv", ("PatientID", "ReportID", "Labels", "Localizations")),
    "tests": ("derivatives/EHR/*", ("participant", "date", "test", "result")),
}
"""Table -> where it lies, under another name in each iteration, and its columns by their last names."""
VIEWS: Mapping[str, View] = {
    "pa": "PA", "ap": "AP", "ll": "lateral", "rl": "lateral", "lat": "lateral", "lateral": "lateral",
}  # fmt: skip
SEXES: Mapping[str, Sex] = {"M": "M", "F": "F"}
RESULTS: Mapping[str, bool | None] = {"POSITIVO": True, "NEGATIVO": False, "INDETERMINADO": None}
ORDER = "covid19 viral_pneumonia pneumonia tuberculosis lung_opacity lung_nodule abnormal no_finding".split()
"""Of all that a report finds, the first of these is the label."""


By = Mapping[str, Sequence[Row]]
Tables = tuple[By, By, sidecar.Assays, By, Mapping[str, str]]
"""What is said of people, of sessions, of who was tested, of single films, and by others of films."""


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each film, or each volume, by its name; or one for the table of each part."""
    if kind := str(raw.options.get("table", "")):
        paths = [(part, path) for part in PARTS for path in raw.paths(f"{part}/{TABLES[kind][0]}")[-1:]]
        for part, path in paths:
            yield Record(sample_id=part, rows=Rows(path, table_rows, (path, raw.config, part), (path,)))
        if not paths:
            names = load_card("bimcv_covid19").facts["names"][kind]
            raise NotThereError(f"{TABLES[kind][0]}: expected a table of {kind} ({names}), found none")
        return
    review = read_xlsx(raw, REVIEW, required=REVIEWED, above=1, cells=CELLS) if raw.has(REVIEW) else Table([])
    reviewed, notices = rows_by(review.rows, lambda row: row["File"].strip(), REVIEW)
    if twice := sum(notice.count for notice in notices):
        yield Notice("row listed twice", REVIEW, f"{twice:,} rows, as those of corrected reports are", count=twice)
    if raw.has(REVIEW) and not reviewed:
        yield Notice("table without rows", REVIEW, "nobody is known to have looked at a film")
    ct, outlined = bool(raw.options["ct"]), bool(raw.options.get("outlined"))
    tree = read_tree(raw, *((VOLUMES, FILMS) if ct else (FILMS, VOLUMES)))
    yield from tree.notices
    if raw.version == "iteration-1" and not outlined:  # what the table of that one lists, and is not here, is missing
        for file, (row, *_) in reviewed.items():
            if file.endswith(VOLUMES if ct else FILMS):
                place = "/".join(("covid19_posi", *(row[column] for column in REVIEWED[:4])))
                tree.images.setdefault(file, place)
    noted = dict(_NOTE.findall(raw.text(NOTED))) if raw.has(NOTED) else {}
    parts: dict[str, Tables] = {}
    for part in sorted({path.partition("/")[0] for path in tree.images.values()}):
        parts[part] = (*(yield from _tables(raw, part)), reviewed, noted)
    for file, path in sorted(tree.images.items()):
        if file in tree.outlines or not outlined:
            yield from _sample(raw, file, path, tree, parts[path.partition("/")[0]])


def _tables(raw: RawFiles, part: str) -> Generator[Notice, None, tuple[By, By, sidecar.Assays]]:
    people, notices = participants(raw, f"{part}/participants.tsv", ("age", "gender"), ("body_parts",))
    yield from notices
    renamed, read = load_card("bimcv_covid19").facts["renamed"], {}
    for kind, (pattern, required) in TABLES.items():
        read[kind] = read_matching(raw, f"{part}/{pattern}", required=required, rename=renamed, delimiter="\t")
        yield from read[kind][1].notices
    (path, reports), (of_tests, tests) = read["reports"], read["tests"]
    by_session, notices = rows_by(reports.rows, lambda row: row["ReportID"].strip(), path)
    yield from (*notices, *contradictions(reports.rows, "ReportID", "PatientID", "report of several people"))
    assays, notices = sidecar.assays_by_person(tests.rows, of_tests, RESULTS)
    yield from notices
    return people, by_session, assays


def _sample(raw: RawFiles, file: str, path: str, tree: Tree, tables: Tables) -> Iterator[Record | Notice]:
    part, folder, session, *_ = path.split("/")
    name, ct, facts = read_name(file), bool(raw.options["ct"]), load_card("bimcv_covid19").facts
    entities = name.entities if name else {}
    who, study = f"sub-{entities.get('sub')}", f"ses-{entities.get('ses')}"
    people, reports, tests, reviewed, noted = tables
    by_key, note = ((people, who), (reports, study), (reviewed, file)), noted.get(file, "")
    person, report, seen = (Cells(found.get(key, [{}])[0], path, ("None", "nan")) for found, key in by_key)
    if (folder, session) != (who, study):
        person.doubt("name contradicts its folder", f"{who}, {study} in the name; it is kept with both")
    words = words_of(report.row.get("Labels", ""))
    if strange := [word for word in words if word not in facts["findings"]]:
        report.flags.append("unknown_finding")
        report.doubt("unknown finding", f"expected words of the card's facts, found {', '.join(strange)}")
    classes = {facts["findings"].get(word) for word in words}
    stated, looked = VIEWS.get(entities.get("vp", "").lower()), seen.one_of("Position_Manual", {"PA": "PA", "L": "L"})
    lateral, view = looked == "L" or note == "lateral", stated
    if lateral != (stated == "lateral") and (lateral or looked):  # whoever looked at it knows better than its name
        view = "lateral" if lateral else None
        report.flags += ["view_misnamed"] if stated else []
    assays, sex = tests.get(who, ()), person.one_of("gender", SEXES)
    reason = seen.text("Exclude Reason") or (note if note != "lateral" else "")
    columns = (person, ("age", "gender", "body_parts")), (report, ("Labels", "Localizations")), (seen, REVIEWED[4:])
    row: dict[str, Any] = {"part": PARTS.get(part, part), "tests": "; ".join(map(str, assays))}
    row |= {column: cells.row[column] for cells, own in columns for column in own if column in cells.row}
    header, own = tree.sidecar(path)
    masks: Mapping[str, Any] = {}
    if (drawn := tree.outlines.get(file)) and not raw.options.get("shown"):
        masks, notices = outline_masks(raw, drawn, path, facts["outlines"])
        row["outlines"] = raw.text(drawn)
        yield from notices
    side = sidecar.Side(header, own, sex, view=not entities.get("vp") and not looked, assays=assays, row=row)
    what: dict[str, Any] = {"beside": Beside(path, sidecar.ct_beside if ct else sidecar.film_beside, (side, path))}
    what |= {"volume": File(path)} if ct else {"image": File(path), "masks": masks}
    if raw.options.get("slices"):
        what = {"image": Parts(path, sidecar.scan_slices, (path, side), (path,), expansion=4.0)}
    elif raw.options.get("shown"):
        what = {"image": Parts(path, sidecar.shown_film, (path, side, reason == "burned in information"), (path,))}
    record = Record(
        sample_id=file,
        **what,
        modality="CT" if ct else "CXR",
        patient=who,
        study=study,
        ties=(f"session:{session}", f"subject:{folder}"),
        view=view,
        label=next((label for label in ORDER if label in classes), None),
        label_raw="; ".join(words) or None,
        sex=sex,
        age=person.value("age", lowest),
        country="Spain",
        quality_reasons=(reason,) if reason else (),
        flags=tuple(dict.fromkeys(report.flags)),
        source_row=row,
    )
    yield from (*person.notices, *report.notices, *seen.notices)
    yield record


def table_rows(raw: RawReader, path: str, config: str, part: str) -> Iterator[Mapping[str, Any] | Notice]:
    """Read the tests, or the reports, of a part."""
    card = load_card("bimcv_covid19")
    columns = {name: kind for name, kind in card.choice(config=config).columns.items() if name != "part"}
    form = TableForm(columns=columns, rename=card.facts["renamed"], convert={"date": sidecar.day_first}, key=[*columns],
                     left_out=["unnamed 0"], delimiter="\t")  # fmt: skip
    for rows in typed_rows(raw, path, form):
        yield rows if isinstance(rows, Notice) else {"part": PARTS[part], **rows}
