"""One module per source that writes a small raw tree in its true layout, dirt included, with phantom pictures.

``write_unpacked(folder)`` writes the tree as the publisher lays it out, ``write_archives(folder)`` what the publisher
serves, as a mirror (``<folder>/<host>/<path>``). ``write`` is the first of the two.
"""

import io
import zipfile
from pathlib import Path

from PIL import Image

from covid_datasets.phantoms.chest import picture
from covid_datasets.raw.tree import RawTree


def chest(
    number: int, *, modality: str = "CT", mode: str = "L", kind: str = "PNG", size: tuple[int, int] | None = None
) -> bytes:
    """Encode a phantom picture, another one for each number, in the wanted mode and container."""
    image = Image.open(io.BytesIO(picture(RawTree(()), 7, number, 1, modality, 0, False, "image")))
    shown = image.resize(size) if size else image
    out = io.BytesIO()
    shown.convert(mode).save(out, kind)
    return out.getvalue()


def pack(folder: Path, archive: Path, root: str, pattern: str = "**/*") -> None:
    """Zip the files of a folder under ``root``, with one date for all, as our test mirror has it."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(folder.glob(pattern)):
            if path.is_file():
                name = zipfile.ZipInfo(root + path.relative_to(folder).as_posix(), (2020, 1, 1, 0, 0, 0))
                out.writestr(name, path.read_bytes())
