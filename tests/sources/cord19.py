"""A small CORD-19: rows of its table as the real ones are, and parses as its schema has them; the texts are made up."""

import json
from pathlib import Path
from typing import Any

HOST = "ai2-semanticscholar-cord-19.s3-us-west-2.amazonaws.com"
HEADER = (
    "cord_uid,sha,source_x,title,doi,pmcid,pubmed_id,license,abstract,publish_time,authors,journal,mag_id,"
    "who_covidence_id,arxiv_id,pdf_json_files,pmc_json_files,url,s2_id"
)
FIRST, SECOND = "3a0c01afa8722a6f19429c7891f323e1f34b03e5", "9c32a16c77c0b206b4a1f4db4a1ba5c5ef9d3a4c"
PDF, PMC = "document_parses/pdf_json", "document_parses/pmc_json"
URL = "https://doi.org/10.1/"
METADATA = f"""\
{HEADER}
aaaa1111,{FIRST}; {SECOND},Medline; PMC,"One, two",10.1/a,PMC7357256,32661911.0,cc-by,"In
two lines",2020-07-14,"Doe, A; Roe, B",J One,,,,{PDF}/{FIRST}.json; {PDF}/{SECOND}.json,{PMC}/PMC7357256.xml.json,{URL}a,221308562.0
aaaa1111,,WHO,Again,10.1/a,,,unk,,2020,,,,#727756,,,,,
bbbb2222,{SECOND},PMC,Of the same PDF,10.1/b,,32274425,no-cc,,2022-12-31,"Anonymous,",,,,,{PDF}/{SECOND}.json,,{URL}b,5
cccc3333,,ArXiv,"A ""quoted"" title",,,,arxiv,Short,2022-11-05,,,,,2009.03851,,,https://arxiv.org/abs/2009.03851,
"""


def parse(identity: str, title: str, **parts: list[tuple[str, str]]) -> dict[str, Any]:
    """Make the parse of a paper."""
    paper: dict[str, Any] = {"paper_id": identity, "metadata": {"title": title, "authors": []}}
    for part, paragraphs in parts.items():
        paper[part] = [
            {"text": text, "section": section, "cite_spans": [], "ref_spans": []} for section, text in paragraphs
        ]
    return paper | {"bib_entries": {}, "ref_entries": {}}


PARSES = {
    f"{PDF}/{FIRST}.json": parse(
        FIRST, "One, two", abstract=[("Abstract", "In two lines")], body_text=[("Methods", "We é."), ("", "So.")],
        back_matter=[],
    ),
    f"{PDF}/{SECOND}.json": parse(SECOND, "", abstract=[], body_text=[("Results", "None.")], back_matter=[]),
    f"{PMC}/PMC7357256.xml.json": parse(
        "PMC7357256", "One, two", body_text=[("Methods", "We é.")], back_matter=[("Funding", "Nobody.")]
    ),
}  # fmt: skip


def write_parses(folder: Path) -> None:
    """Write the parses."""
    for path, paper in PARSES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(paper), encoding="utf-8")


def write_unpacked(folder: Path) -> None:
    """Write the folder of a release, its inner archive unpacked."""
    write_parses(folder)
    (folder / "metadata.csv").write_text(METADATA, encoding="utf-8", newline="")


def write_archives(folder: Path) -> None:
    """Write what the bucket serves: the table; the parses are in the archive of the whole release."""
    path = folder / HOST / "2022-06-02" / "metadata.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(METADATA, encoding="utf-8", newline="")


EXPECTED = (
    {
        "cord_uid": "aaaa1111",
        "title": "One, two",
        "pubmed_id": "32661911",
        "abstract": "In\ntwo lines",
        "publish_time": "2020-07-14",
        "s2_id": "221308562",
    },
    {"cord_uid": "bbbb2222", "pubmed_id": "32274425", "publish_time": "2022", "abstract": None},
    {"cord_uid": "cccc3333", "title": 'A "quoted" title', "publish_time": None},
)
write = write_unpacked
