"""Records of one source as a part of another: a collection of collections takes them over, under names of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from covid_datasets.schema import File, Notice, RawFiles, Record

Records = Callable[[RawFiles], Iterable[Record | Notice]]


def records_of_part(records: Records, raw: RawFiles, part: str, table: str) -> Iterator[Record | Notice]:
    """Yield what a part's own builder says of its files, which lie in a folder of the part's name.

    Ids, paths and patients get the part's name in front, because those of two parts may be equal. Its notices tell what
    it says, and drop nothing: what is in the whole is for the whole to say. Nothing is told of a part that is absent;
    of one without its table it is told that nothing is known of its pictures.

    Args:
        records: The part's own builder; its source is declared on the card of the whole (``composed_of``).
        raw: The files of the whole.
        part: Name of the part, and of its folder.
        table: The table without which its builder can say nothing.
    """
    if not raw.has(f"{part}/{table}"):
        if raw.paths(f"{part}/*"):
            yield Notice("table missing", f"{part}/{table}", "what the part says about its pictures is not known")
        return
    for item in records(raw.below(f"{part}/")):
        if isinstance(item, Notice):
            yield replace(item, where=f"{part}/{item.where}", dropped=False)
            continue
        masks = {name: File(f"{part}/{mask.path}") for name, mask in item.masks.items()}
        image = File(f"{part}/{item.image.path}") if isinstance(item.image, File) else item.image
        yield replace(
            item,
            sample_id=f"{part}/{item.sample_id}",
            image=image,
            masks=masks,
            patient=item.patient and f"{part}-{item.patient}",
            ties=tuple(tie.replace("patient:", f"patient:{part}-") for tie in item.ties),
        )
