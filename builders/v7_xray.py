"""V7 Labs' COVID-19 X-ray dataset: lungs outlined on pictures that cohen and Kermany's collection have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from covid_datasets.builders import cohen

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.darwin import Drawn, read_darwin
from covid_datasets.read.made import MaskFile, picture_mask
from covid_datasets.read.parts import records_of_part
from covid_datasets.read.rows import count_by_folder
from covid_datasets.schema import File, Notice, RawFiles, Record

_MASKS = "annotations/all-images-semantic-masks/"
_IGNORE, _LUNG = 127, 255
_PATIENT = "PatientID:"
_LABELS = {
    "COVID-19": "covid19",
    "Viral Pneumonia": "viral_pneumonia",
    "Bacterial Pneumonia": "bacterial_pneumonia",
    "No Pneumonia (healthy)": "no_finding",
}
"""Tag -> label, where cohen's table says none; the first that a picture has."""
_PERSON = re.compile(r"person[0-9]+|(NORMAL2-)?IM-[0-9]+")


@dataclass(frozen=True, slots=True)
class Image:
    """What V7 says of one picture: its number there, what the picture was called before, outlines and tags."""

    number: str
    drawn: Drawn

    @property
    def name(self) -> str:
        """What the source that the picture is from calls it."""
        return PurePosixPath(self.drawn.name).name

    @property
    def outlined(self) -> bool:
        """Whether anybody outlined lungs; a mask without any says that nobody did, and not that there are none."""
        return any(outline.name == "Lung" for outline in self.drawn.outlines)


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each picture of the export, with what its own source says of it."""
    images: dict[str, Image] = {}
    for path in raw.paths(f"{raw.version}/*.json"):
        try:
            image = Image(PurePosixPath(path).stem, read_darwin(raw.text(path), path))
        except DamagedFileError as error:
            yield Notice("export not usable", path, str(error), dropped=True, lost=True)
            continue
        yield from image.drawn.notices
        if images.setdefault(image.name, image) is not image:
            yield Notice(
                "picture listed twice", path, f"{image.name}: {images[image.name].number} counts", dropped=True
            )
    pictures: dict[str, Record] = {}
    for item in records_of_part(cohen.records, raw, "cohen", "metadata.csv"):
        name = PurePosixPath(item.where if isinstance(item, Notice) else item.sample_id).name
        if isinstance(item, Record):
            pictures[name] = item
        elif name in images or name.endswith(".csv"):
            yield item
    others = {PurePosixPath(path).name: path for path in raw.paths("kermany/*")}
    found = [_record(image, pictures.get(name) or _of_tags(image, others)) for name, image in images.items()]
    yield from sorted(found, key=lambda record: record.sample_id)
    used = {record.image.path for record in found if isinstance(record.image, File)}
    used |= {f"{_MASKS}{image.number}.png" for image in images.values()}
    files = (path for path in raw.paths() if path.lower().endswith((".png", ".jpg", ".jpeg")) and path not in used)
    yield from count_by_folder(
        "picture not in the export", files, "are of pictures that it does not list, or masks of cohen itself"
    )
    if bare := [image.name for image in images.values() if not image.outlined]:
        what = f"{len(bare):,} pictures have no outline of a lung and no mask, {min(bare)} for one"
        yield Notice("lungs not outlined", "annotations/", what, count=len(bare))


def _record(image: Image, own: Record) -> Record:
    """Put V7's outlines and tags to what is known of a picture; the lungs of cohen's own masks are left to cohen."""
    mask = MaskFile(f"{_MASKS}{image.number}.png", values=(_LUNG,), ignore=(_IGNORE,))
    return replace(
        own,
        masks={"lung": picture_mask(mask, empty="unknown")} if image.outlined else {},
        flags=own.flags if image.outlined else (*own.flags, "lungs_not_outlined"),
        source_row={"darwin": image.number, "tags": list(image.drawn.tags), **own.source_row},
    )


def _of_tags(image: Image, others: Mapping[str, str]) -> Record:
    """Say of a picture that cohen's table does not list what its tags and its name say."""
    tags = image.drawn.tags
    said = [tag for tag in _LABELS if tag in tags]
    patient = next((tag.removeprefix(_PATIENT) for tag in tags if tag.startswith(_PATIENT)), None)
    person = _PERSON.match(image.name)
    part = "kermany" if patient is None else "cohen"
    return Record(
        sample_id=f"{part}/{image.name}",
        image=File(f"cohen/images/{image.name}" if patient else others.get(image.name, f"kermany/{image.name}")),
        modality="CT" if "CT" in tags else "CXR" if patient is None or "X-ray" in tags else None,
        patient=patient and f"cohen-{patient}",
        ties=() if patient else (f"name:{person[0] if person else 'unread'}",),
        label=_LABELS[said[0]] if said else None,
        label_raw=" / ".join(said) or None,
    )
