"""Some pictures of a build with the outlines of their masks, where the licences let them be passed on."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
from PIL import Image

from covid_datasets.audits.shown import Shown
from covid_datasets.catalog.card import Card
from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.load.licences import permitted
from covid_datasets.load.stored import open_table
from covid_datasets.markup import SIDE
from covid_datasets.measure.image import UndecodableError, decode
from covid_datasets.prepare.result import Built
from covid_datasets.transforms.segment.pictures import outlined

MOST = 24
"""So many pictures are shown of a build."""
_COLOURS = ((60, 200, 90), (255, 170, 0), (230, 30, 60), (90, 170, 255), (220, 120, 255), (255, 255, 90))
COLOUR_NAMES = ("green", "orange", "red", "blue", "violet", "yellow")


@dataclass(frozen=True, slots=True)
class Picture:
    """A row of which there may be a picture in the page.

    Attributes:
        row: Its number in the build.
        sample_id: Its id.
        label: Its label; empty where nobody told.
        licence: Its own licence, where it has one.
        source_url: Where it is from.
        outlines: Mask -> the colour of its outline.
    """

    row: int
    sample_id: str
    label: str
    licence: str
    source_url: str
    outlines: Mapping[str, str]


def chosen(built: Built, card: Card, *, i_have_the_rights: bool = False) -> tuple[tuple[Picture, ...], str]:
    """Choose some rows whose pictures may be shown, some of each label, and say why there are no others.

    The same build gives the same ones: they are chosen by a digest of their ids.
    """
    rows, why = may_be_shown(built, card, i_have_the_rights=i_have_the_rights)
    if not rows:
        return (), why
    table = open_table(built)
    columns = {name: table[name].to_pylist() for name in ("sample_id", "label", "license", "source_url")}
    masks = _masks(table["masks"])
    by_label: dict[Any, list[int]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (not masks.get(row), _place(columns["sample_id"][row]))):
        by_label[columns["label"][row]].append(row)
    names = label_names()
    found = [
        Picture(
            row,
            columns["sample_id"][row],
            "" if columns["label"][row] is None else names[columns["label"][row]],
            columns["license"][row] or "",
            columns["source_url"][row] or "",
            dict(zip(masks.get(row, ()), COLOUR_NAMES, strict=False)),
        )
        for row in _in_turn([by_label[label] for label in sorted(by_label, key=str)])
    ]
    return tuple(found), why


def may_be_shown(built: Built, card: Card, *, i_have_the_rights: bool = False) -> tuple[list[int], str]:
    """List the rows whose pictures may be shown, and say why the others, or all, may not."""
    if built.columns:
        return [], "It is a table: there are no pictures."
    if not i_have_the_rights and (told := _forbidden(card)):
        return [], told
    table = open_table(built)
    has_picture = pc.or_(pc.or_(table["image"].is_valid(), table["volume"].is_valid()), table["video"].is_valid())
    each = card.licence.redistribution == "per-image"
    rows = [
        row
        for row, (there, licence) in enumerate(zip(has_picture.to_pylist(), table["license"].to_pylist(), strict=True))
        if there and (i_have_the_rights or _may_show(licence, each=each))
    ]
    if not rows:
        return [], "No row has a picture whose licence is known to let it be shown in another form."
    kept_back = pc.sum(has_picture).as_py() - len(rows)
    why = f"{kept_back:,} pictures are never shown here: their own licences do not let that." if kept_back else ""
    return rows, why


def drawn(built: Built, pictures: Sequence[Picture]) -> Iterator[Image.Image | None]:
    """Draw each picture with the outlines of its masks, of a volume or a video its middle; nothing if it is damaged."""
    if not pictures:
        return
    shown, masks = Shown([built]), open_table(built)["masks"]
    for picture in pictures:
        seen = shown.pictures(picture.row)
        if not seen:
            yield None
            continue
        small = seen[len(seen) // 2].convert("L")
        small.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
        files = masks[picture.row].as_py() or {} if picture.outlines else {}
        outlines = [
            (mask, colour)
            for name, colour in zip(picture.outlines, _COLOURS, strict=False)
            if (mask := _mask(files[name], small.size)) is not None
        ]
        yield Image.fromarray(outlined(np.asarray(small), outlines)) if outlines else small


def _forbidden(card: Card) -> str:
    """Say why no picture of a source may be shown; empty where its licence lets that, or each image has its own."""
    licence = card.licence
    if licence.redistribution in ("no", "unknown"):
        said = "forbids to pass its pictures on" if licence.redistribution == "no" else "does not say that they may be"
        return f"No picture is shown: the licence ({licence.spdx or licence.terms}) {said}."
    if permitted(licence.spdx, "redistribution") and not permitted(licence.spdx, "derivatives"):
        return f"No picture is shown: the licence ({licence.spdx}) forbids to pass on what was changed."
    return ""


def _may_show(licence: str | None, *, each: bool) -> bool:
    """Tell whether one picture may be shown; ``each`` has to state a licence where its source states none for all."""
    if not (licence or "").strip():
        return not each
    return permitted(licence, "redistribution") and permitted(licence, "derivatives")


def _masks(column: Any) -> dict[int, list[str]]:
    """List the masks of those rows that have one."""
    found: dict[int, list[str]] = defaultdict(list)
    for field in column.type:
        for row in pc.indices_nonzero(pc.struct_field(column, field.name).is_valid()).to_pylist():
            found[row].append(field.name)
    return found


def _in_turn(lists: Sequence[Sequence[int]]) -> list[int]:
    """Take one row of each label, then a second one, until there are enough; those of one label stand together."""
    places = sorted((at, number) for number, rows in enumerate(lists) for at in range(min(len(rows), MOST)))[:MOST]
    return [lists[number][at] for at, number in sorted(places, key=lambda place: (place[1], place[0]))]


def _place(sample: str) -> str:
    return hashlib.sha256(sample.encode("utf-8", "surrogatepass")).hexdigest()


def _mask(file: Mapping[str, Any] | None, size: tuple[int, int]) -> np.ndarray | None:
    """Decode a mask at the size of the small picture; nothing where it cannot be."""
    if file is None or not file.get("bytes"):
        return None
    try:
        pixels = np.asarray(decode(file["bytes"]))
    except UndecodableError:
        return None
    inside = pixels if pixels.ndim == 2 else pixels[..., :3].max(axis=2)
    white = Image.fromarray(((inside > 0) * np.uint8(255)).astype(np.uint8))
    return (np.asarray(white.resize(size, Image.Resampling.BOX)) >= 128).astype(np.uint8)
