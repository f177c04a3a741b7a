"""A small CC-CCII: true names of zips, folders, lists and columns, endings of every kind, orders to be corrected."""

import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.sources import Expected, chest, pack, write_table

ZIPS = {"NCP-1": "COVID19-1", "NCP-2": "COVID19-2", "CP-1": "CP-1", "CP-2": "CP-2", "Normal-1": "Normal-1"}
"""What the table calls a zip -> what is served."""
SCANS = (
    ("NCP-1", "NCP/16/1164", 4, "png"),
    ("NCP-2", "NCP/16/1165", 3, "jpg"),
    ("NCP-2", "NCP/328/1805", 2, "BMP"),
    ("CP-1", "CP/0/3131", 5, "png"),
    ("CP-2", "CP/10/3153", 3, "JPG"),
    ("CP-2", "CP/666/3200", 2, "png"),
    ("Normal-1", "Normal/1995/600", 3, "png"),
    ("Normal-1", "Normal/2000/601", 2, "png"),
)
"""Zip, scan, number of slices, ending. Patient 16 is in two zips."""
CLEANED = (
    ("NCP", "16", "1164", "0", "0", "", "reverse"),
    ("NCP", "16", "1165", "1", "0", "", ""),
    ("NCP", "328", "1805", "0", "0", "", ""),
    ("CP", "0", "3131", "0", "1", "0;3-4", "2-3+0"),
    ("CP", "10", "3153", "0", "1", "discard", ""),
    ("CP", "666", "3200", "0", "0", "", ""),
    ("Normal", "1995", "600", "1", "0", "", ""),
    ("Normal", "1675", "813", "0", "0", "", ""),
)
"""The last is of a scan that was never given out; 2000/601 is not in this list."""
LESIONS = ("NCP/16/1164/0001.png", "NCP/16/1164/0002.png", "CP/10/3153/0000.JPG")
OUTLINED = ("0/1", "0/12", "149/3")
SMALL = {
    "numbers = [1, 31]": "numbers = [1, 2]",
    "numbers = [1, 32]": "numbers = [1, 2]",
    "numbers = [1, 27]": "numbers = [1, 1]",
}


def write_scans(folder: Path, zip_file: str = "") -> None:
    """Write the slices of one zip, or of all."""
    for at, (archive, scan, count, ending) in enumerate(SCANS):
        if zip_file in ("", archive):
            (folder / scan).mkdir(parents=True, exist_ok=True)
            kind = {"png": "PNG", "bmp": "BMP", "jpg": "JPEG"}[ending.lower()]
            for number in range(count):
                picture = chest(3000 + 10 * at + number, kind=kind, size=(128, 128))
                (folder / scan / f"{number:04}.{ending}").write_bytes(picture)


def write_lists(folder: Path) -> None:
    """Write the publisher's two tables, and the lists of others."""
    rows = [(f"{archive}.zip", *scan.split("/"), str(count)) for archive, scan, count, _ in SCANS]
    write_table(folder / "unzip_filenames.csv", ("zip_file", "label", "patient_id", "scan_id", "n_slice"), rows)
    write_table(folder / "lesions_slices.csv", ("imgpath",), [(path,) for path in LESIONS])
    header = ("cls", "pid", "scan_id", "is_seg", "is_repeat", "repeat_ids", "re_order")
    write_table(folder / "CT_cleaned_v2.csv", header, CLEANED)
    (folder / "exclude_list.txt").write_text("Normal 1995\nCP 666\n", encoding="utf-8")


def write_outlined(folder: Path) -> None:
    """Write slices with label maps: 0 background, 1 lung, 2 ground glass, 3 consolidation."""
    for number, name in enumerate(OUTLINED):
        labels = np.zeros((128, 128), np.uint8)
        labels[20:100, 20:100], labels[30:40, 30:40], labels[50 : 52 + number, 50:60] = 1, 2, 3
        out = io.BytesIO()
        Image.fromarray(labels).save(out, "PNG")
        for path, data in ((f"image/{name}.jpg", chest(3500 + number, mode="RGB", kind="JPEG", size=(128, 128))),
                           (f"mask/{name}.png", out.getvalue())):  # fmt: skip
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
    (folder / "README.txt").write_text("0 background, 1 lung field, 2 GGO, 3 consolidation\n", encoding="utf-8")


def write_unpacked(folder: Path) -> None:
    """Write all zips unpacked into one folder, and the lists beside."""
    write_scans(folder)
    write_lists(folder)
    write_outlined(folder / "ct_lesion_seg")


def write_archives(folder: Path) -> None:
    """Write what the hosts serve; zips of COVID-19 have another name than the table says."""
    with tempfile.TemporaryDirectory() as name:
        for archive, served in ZIPS.items():
            write_scans(Path(name) / archive, archive)
            pack(Path(name) / archive, folder / "download.cncb.ac.cn/covid-ct" / f"{served}.zip", "")
        write_outlined(Path(name) / "outlined")
        pack(Path(name) / "outlined", folder / "ncov-ai.big.ac.cn/download/ct_lesion_seg.zip", "ct_lesion_seg/")
    write_lists(Path(folder / "lists"))
    raw = "github.com/zxc2012/COVIDNet-CT/raw/eed3f4f8e37849c83d1f645a174f45617704af57"
    hkbu = "github.com/wang-shihao/HKBU_HPML_COVID-19/raw/8f871cb2722a67da4cc7e1911843f33a8e0cc7cc/preprocessing/ccccii"
    for host, path in ((raw, "unzip_filenames.csv"), ("download.cncb.ac.cn/covid-ct", "lesions_slices.csv"),
                       (hkbu, "CT_cleaned_v2.csv"), (raw, "exclude_list.txt")):  # fmt: skip
        (folder / host).mkdir(parents=True, exist_ok=True)
        (folder / "lists" / path).rename(folder / host / path)


UNTOLD = {"lesions_slices.csv: empty cell imgpath": "the table has one column, and a line without anything is no row"}
EXPECTED = {
    "NCP/16/1164/0000.png": Expected("NCP/16/1164/0000.png", "16", "covid19", "train"),
    "NCP/16/1165/0002.jpg": Expected("NCP/16/1165/0002.jpg", "16", "covid19", "train"),
    "CP/10/3153/0000.JPG": Expected("CP/10/3153/0000.JPG", "10", "other_pneumonia", "train"),
    "Normal/1995/600/0001.png": Expected("Normal/1995/600/0001.png", "1995", "no_finding", "train"),
}
write = write_unpacked
