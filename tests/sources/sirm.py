"""Cases of SIRM as users save them: a folder each, with the page's text and the figures under the names they have.

The names are those that the collection of Cohen and others kept; texts and pictures are made up.
"""

from pathlib import Path

from tests.sources import Expected, chest

TEXT = "Donna di 78 anni, tosse da 3 giorni; è stata eseguita una radiografia.\nCredit: “Dott.” N. N. – 38,5 °C.\n"
HEADERS = (
    "url: https://www.sirm.org/2020/03/10/covid-19-caso-24/\nage: 78\nsex: F\ndate: 2020-03-10\nlocation: Italy\n\n"
)
TEXTS = {
    "case-24/case.txt": (HEADERS + TEXT).encode(),
    "case-2/case.txt": f"URL: https://www.sirm.org/2020/03/03/covid19-caso-2/\r\nSesso: M\r\n{TEXT}".encode("cp1252"),
    "case-13/Case.TXT": f"sex: f\nage: 61 anni\n{TEXT}".encode("utf-8-sig"),
    "case-71/case.txt": TEXT.encode("utf-16"),
    "case-085/case.txt": b"age: 47\nsex: F\n",
    "case-86/case.txt": TEXT.encode(),
}
FIGURES = {
    "case-24/85E52EB3-56E9-4D67-82DA-DEA247C82886.jpeg": ("JPEG", "L"),
    "case-2/covid-19-caso-2-1-PA.jpg": ("JPEG", "RGB"),
    "case-2/covid-19-caso-2-1-L.jpg": ("PNG", "RGB"),  # called by one format, saved in another
    "case-2/TC-torace-1.png": ("PNG", "RGBA"),
    "case-13/F051E018-DAD1-4506-AD43-BE4CA29E960B.JPEG": ("JPEG", "RGB"),
    "case-13/HRCT 2.webp": ("WEBP", "RGB"),
    "case-71/case_71_figura1.png": ("PNG", "L"),
    "case-085/covid-19-caso-85-1-9.png": ("PNG", "P"),
    "case-85/RX e TC.gif": ("GIF", "L"),
    "case-86/covid-19-caso-86-Rx-torace-1.jpg": ("JPEG", "RGB"),
    "case-86/RX-torace-a-letto-del-paziente-in-unica-proiezione-AP-1-1.jpeg": ("JPEG", "RGB"),
    "case-86/CT-2.tif": ("TIFF", "L"),
}


def write_unpacked(folder: Path) -> None:
    """Write the folder that a user fills by hand."""
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)
    for number, (name, (kind, mode)) in enumerate(FIGURES.items()):
        modality = "CT" if "TC" in name or "CT" in name else "CXR"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(chest(number, modality=modality, mode=mode, kind=kind))
    (folder / "case-85/case.txt").write_bytes(TEXT.encode())
    for litter in ("Thumbs.db", "case-24/.DS_Store", "case-24/desktop.ini"):
        (folder / litter).write_bytes(b"left behind by a system")


EXPECTED = {
    "case-2/TC-torace-1.png": Expected("case-2/TC-torace-1.png", "2", "covid19", "test"),
    "case-085/covid-19-caso-85-1-9.png": Expected("case-085/covid-19-caso-85-1-9.png", "85", "covid19", "train"),
    "case-85/RX e TC.gif": Expected("case-85/RX e TC.gif", "85", "covid19", "train"),
}

write = write_unpacked
