"""Chest X-Ray Images (Pneumonia): films of children from Guangzhou, whose names and folders are all that is known."""

from __future__ import annotations

import re
from collections.abc import Iterator

from covid_datasets.schema import File, Notice, RawFiles, Record

_PATH = re.compile(r"(?P<split>train|val|test)/(?P<folder>NORMAL|PNEUMONIA)/(?P<name>[^/]+)\.jpe?g")
# Version 3 says only NORMAL-1049278-0001 for certain; its other prefixes are those of the agents.
_NAME = re.compile(
    r"(?P<person>person\d+)_(?P<agent>bacteria|virus)_\d+(_\d+)?"
    r"|(?P<film>(NORMAL2-)?IM-\d+)(-\d{4}){1,2}"
    r"|(?P<prefix>NORMAL|BACTERIA|VIRUS)-(?P<number>\d+)-\d+"
)
_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_LABELS = {"": "no_finding", "bacteria": "bacterial_pneumonia", "virus": "viral_pneumonia"}
_DOI = {"3": "10.17632/rscbjbr9sj.3"}


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each film, sorted by its path."""
    for path in raw.paths():
        if not (found := _PATH.fullmatch(path)):
            yield Notice("extra file", path, "no film of train, val or test", dropped=True)
            continue
        named = _NAME.fullmatch(found["name"])
        patient, agent = _who_and_what(named) if named else (None, None)
        if agent is None or (agent == "") != (found["folder"] == "NORMAL"):
            what = (
                f"expected such as IM-0115-0001 in NORMAL, person1_virus_6 in PNEUMONIA; kept as {found['folder']} says"
            )
            yield Notice("unexpected name", path, what)
            agent = None
        label = "no_finding" if found["folder"] == "NORMAL" else "pneumonia" if agent is None else _LABELS[agent]
        yield Record(
            sample_id=path,
            image=File(path),
            modality="CXR",
            patient=patient,
            ties=() if patient else ("name:unread",),
            view="AP",
            label=label,
            label_raw=f"{found['folder']}/{agent}" if agent else found["folder"],
            location="Guangzhou Women and Children's Medical Center, Guangzhou, China",
            country="China",
            license="CC BY 4.0",
            doi=_DOI.get(raw.version, "10.17632/rscbjbr9sj.2"),
            flags=() if patient else ("name_unread",),
            official_split=_SPLITS[found["split"]],
        )


def _who_and_what(named: re.Match[str]) -> tuple[str, str]:
    """Return the person and the agent that a name tells; no agent is normal.

    >>> _who_and_what(_NAME.fullmatch("person1_virus_6")), _who_and_what(_NAME.fullmatch("NORMAL2-IM-0374-0001-0002"))
    (('person1', 'virus'), ('NORMAL2-IM-0374', ''))
    >>> _who_and_what(_NAME.fullmatch("VIRUS-1049278-0001"))
    ('1049278', 'virus')
    """
    agent = named["agent"] or (named["prefix"] or "").lower()
    return named["person"] or named["film"] or named["number"], "" if agent == "normal" else agent
