"""A small Guangzhou collection: names of the version on Kaggle; the pictures are phantoms, a few of them in colour."""

from pathlib import Path

from tests.sources import Expected, chest, pack_tree

FILMS = (
    "train/NORMAL/IM-0115-0001.jpeg",
    "train/NORMAL/IM-0439-0001.jpeg",
    "train/NORMAL/IM-0439-0001-0001.jpeg",
    "train/NORMAL/IM-0439-0001-0002.jpeg",
    "train/NORMAL/NORMAL2-IM-0439-0001.jpeg",  # a numbering of its own
    "train/PNEUMONIA/person1_bacteria_1.jpeg",
    "train/PNEUMONIA/person1000_bacteria_2931.jpeg",  # one number, two agents
    "train/PNEUMONIA/person1000_virus_1681.jpeg",
    "train/PNEUMONIA/person1180_virus_2010_1.jpeg",
    "val/NORMAL/NORMAL2-IM-1427-0001.jpeg",
    "val/PNEUMONIA/person1946_bacteria_4874.jpeg",
    "test/NORMAL/NORMAL2-IM-0374-0001-0002.jpeg",
    "test/PNEUMONIA/person1_virus_6.jpeg",  # the number restarts
    "test/PNEUMONIA/person100_bacteria_477.jpeg",
)
IN_COLOUR = "person1180_virus_2010_1.jpeg"


def write_unpacked(folder: Path) -> None:
    """Write what is in chest_xray/."""
    for number, path in enumerate(FILMS):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        mode = "RGB" if path.endswith(IN_COLOUR) else "L"
        (folder / path).write_bytes(chest(7000 + number, modality="CXR", kind="JPEG", mode=mode))


def write_archives(folder: Path) -> None:
    """Write what Kaggle serves to those with a key."""
    pack_tree(write_unpacked, folder / "kaggle.com/paultimothymooney/chest-xray-pneumonia.zip", "chest_xray/")


EXPECTED = {
    FILMS[0]: Expected(FILMS[0], "IM-0115", "no_finding", "train", "train"),
    FILMS[3]: Expected(FILMS[3], "IM-0439", "no_finding", "validation", "train"),
    FILMS[4]: Expected(FILMS[4], "NORMAL2-IM-0439", "no_finding", "train", "train"),
    FILMS[7]: Expected(FILMS[7], "person1000", "viral_pneumonia", "train", "train"),
    FILMS[10]: Expected(FILMS[10], "person1946", "bacterial_pneumonia", "train", "validation"),
    FILMS[12]: Expected(FILMS[12], "person1", "viral_pneumonia", "train", "test"),
}
UNTOLD = {"missing file": "nobody published a list of the films"}
write = write_unpacked
