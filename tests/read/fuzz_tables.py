"""Texts, tables, catalog files and archives with bytes changed at random: read, or refused with an error of ours."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tempfile
from collections.abc import Callable
from pathlib import Path

import openpyxl

from covid_datasets.catalog import layout
from covid_datasets.catalog.cards import read_card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.listing import read_listing
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.catalog.published import published_splits, read_identities
from covid_datasets.catalog.resource import Pattern
from covid_datasets.raw.archives import open_archive
from covid_datasets.raw.bucket import parse_page
from covid_datasets.raw.kinds import check_card
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.cases import read_cases
from covid_datasets.read.cells import Cells
from covid_datasets.read.notes import read_note
from covid_datasets.read.rows import read_splits, rows_by
from covid_datasets.read.tables import read_csv, read_xlsx
from covid_datasets.vocabulary import CLINICAL
from tests.mutate import Way, raw_errors_of
from tests.raw.test_archives import tar_of, zip_of
from tests.raws import Files

CSV = (
    "path,patient,age,sex,date,doi,t\n"
    'images/a.png,A,45,F,"February 6, 2020",10.1000/x,37.5\nimages/b.png,B,?,M,03/09/20,,95\n'
    '"images/ü ""c"".png",C,1e3,x,2020,x,nan\n'
)
PAGE = (
    b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
    b"<Contents><Key>a/b.dcm</Key><Size>3</Size></Contents></ListBucketResult>"
)
GLOBS = b"case-{case:number}/*.(jpg|png)\nstudies/CT-*/study_*.(nii.gz|nii)\n{case}/{case}.txt\nimages/*"
PATHS = ["case-7/a.jpg", "studies/CT-0/study_0001.nii.gz", "x/x.txt", "images/ü.png", "__MACOSX/a", ".a/b"]
FILES = {"a.png": b"first" * 30, "d/ü.png": b"second" * 30, "t.csv": CSV.encode()}


KINDS = (
    "csv", "workbook", "card", "manifest", "listing", "identities", "published splits", "split lists", "note", "globs",
    "bucket page", "archive",
)  # fmt: skip


def _workbook() -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for line in CSV.splitlines():
        book.active.append(line.split(","))
    book.save(out)
    return out.getvalue()


def _cells(data: bytes) -> None:
    table = read_csv(Files({"t.csv": data}), "t.csv", required=("path", "age"))
    rows_by(table.rows, lambda row: row["path"].strip(), "t.csv")
    for row in table.rows:
        cells = Cells(row, row["path"], ("?",))
        cells.age("age"), cells.days("age"), cells.one_of("sex", {"F": "F"}), cells.doi("doi"), cells.country("path")
        cells.date("date", month_first=True, latest="2020-06-22"), cells.finding("patient")
        cells.clinical(dict.fromkeys(row, "temperature_c") if "temperature_c" in CLINICAL else {})


def _globs(data: bytes) -> None:
    globs = [glob for glob in data.decode("utf-8", "replace").split("\n") if not layout.problem_of(glob)]
    for glob in globs:
        layout.readable(glob)
        for path in PATHS:
            layout.canonical(path, glob)
    layout.matches("case-7/a.jpg", globs)
    layout.absent([Pattern(glob=glob, what="a file", required=True) for glob in globs], PATHS)


def _archive(folder: Path) -> Way:
    path = folder / "x.archive"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        archive = open_archive((str(path),))
        for name in archive.names():
            archive.size(name)
            try:
                archive.read(name)
            finally:
                with archive.open(name) as stream:
                    del stream

    return read


def _in_file(folder: Path, name: str, read: Callable[[], object]) -> Way:
    """Write changed bytes under a name, and read it anew."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)

    def way(data: bytes) -> None:
        path.write_bytes(data)
        read()

    return way


def _lines(path: str, count: int) -> bytes:
    return b"\n".join((catalog_folder() / path).read_bytes().splitlines()[:count]) + b"\n"


def readers(folder: Path) -> dict[str, tuple[list[bytes], list[Way]]]:
    """Return for each kind of file whole ones, and what reads them; files are written into a folder."""
    cases = folder / "cases"
    tree = RawTree.of_folder(cases)
    names = ("age", "sex", "url")
    cards = [path.read_bytes() for path in sorted(catalog_folder().glob("[a-z]*.toml"))]
    archives = [zip_of(FILES), gzip.compress(tar_of(FILES)), bz2.compress(tar_of(FILES)), lzma.compress(tar_of(FILES))]
    return {
        "csv": ([CSV.encode(), CSV.encode("utf-16"), CSV.replace(",", ";").encode("cp1252")], [_cells]),
        "workbook": ([_workbook()], [lambda data: read_xlsx(Files({"t.xlsx": data}), "t.xlsx", required=("path",))]),
        "card": (
            cards,
            [_in_file(folder, "x.toml", lambda: check_card(read_card(folder / "x.toml"), folder / "x.toml"))],
        ),
        "manifest": (
            [_lines("manifests/cohen-584034aa.tsv", 6), _lines("manifests/mosmed-8c802774.tsv", 6)],
            [_in_file(folder, "m.tsv", lambda: read_manifest.__wrapped__("m.tsv", folder))],
        ),
        "listing": (
            [_lines("listings/midrc_ricord_1a.tsv", 6)],
            [_in_file(folder, "l.tsv", lambda: read_listing.__wrapped__("l.tsv", folder))],
        ),
        "identities": (
            [_lines("identities/cohen.tsv", 8)],
            [_in_file(folder, "i.tsv", lambda: read_identities("i", folder))],
        ),
        "published splits": (
            [_lines("splits/cohen.csv", 8)],
            [_in_file(folder, "s.csv", lambda: published_splits("s", folder))],
        ),
        "split lists": (
            [b"a.png\nb.png\n\xc3\xbc.png\n"],
            [_in_file(cases, "1/train.txt", lambda: read_splits(tree, {"1/train.txt": "train"}, lambda _, name: name))],
        ),
        "note": (
            [b"Age: 78\nsex:\n\nurl: https://x.org/caso-7\nAnamnesi: tosse.\nage: no header"],
            [
                lambda data: read_note(data.decode("utf-8", "replace"), names),
                _in_file(cases, "7/case.txt", lambda: list(read_cases(tree, "([0-9]+)", names))),
            ],
        ),
        "globs": ([GLOBS], [_globs]),
        "bucket page": ([PAGE], [lambda data: parse_page(data, "https://bucket.example.org/")]),
        "archive": (archives, [_archive(folder)]),
    }


def raw_errors(kind: str, count: int, seed: int) -> list[tuple[int, str]]:
    """Read so many changed files of a kind; return the seeds of those that raised what is not ours, with what."""
    with tempfile.TemporaryDirectory() as folder:
        wholes, ways = readers(Path(folder))[kind]
        return raw_errors_of(wholes, ways, count, seed)
