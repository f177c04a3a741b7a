"""Cases of Eurorad as users save them: a folder each, with the page's text, and figures under the names they have.

Names and numbers are Eurorad's; texts, credits and pictures are made up.
"""

from pathlib import Path

from tests.sources import Expected, chest

TEXT = "A 61-year-old male presented with dyspnoea; temperature 38.3 °C.\nCredit: “N. N.”\n"
TEXTS = {
    "case-16663/case.txt": (
        "url: https://www.eurorad.org/case/16663\nsex: M\nage: 61\nlocation: Berlin, Germany\nfinding: COVID-19\n"
        "license: CC BY-NC-SA 4.0\ncredit: Department of Radiology, Berlin, 2020\n"
        f"credit 16663_1_2_LL.jpg: Department of Pathology, Berlin, 2020\n\n{TEXT}"
    ).encode(),
    "case-16745/case.txt": f"Finding: COVID-19\n\n{TEXT}".encode("cp1252"),
    "case-934/case.txt": f"finding: Wegener's granulomatosis of the lung\n{TEXT}".encode("utf-16"),
    "case-947/case.txt": b"age: Young child\nThe text begins without a finding.\n",
    "case-10483/case.txt": b"url: https://www.eurorad.org/case/10665\nfinding: Pneumonia\nsex: f\n",
    "case-12345/case.txt": b"patients: 2\nfinding: Varicella\nTwo siblings.\n",
}
FIGURES = {
    "case-16663/16663_1_1_PA.jpg": "JPEG",
    "case-16663/16663_1_2_LL.jpg": "JPEG",
    **{f"case-16663/CT-1/{number}.jpg": "JPEG" for number in (1, 2, 9, 10, 11)},
    "case-16745/16745_2_1.PNG": "PNG",
    "case-16745/16745_2_2.PNG": "PNG",
    "case-934/000001.jpg": "PNG",  # called by one format, saved in another
    "case-947/000001.jpg": "JPEG",
    "case-10483/000001-24 RX.jpg": "JPEG",
    "case-12345/000001.jpg": "JPEG",
    "case-12345/000002.jpg": "JPEG",
}


def write_unpacked(folder: Path) -> None:
    """Write the folder that a user fills by hand."""
    for number, (name, kind) in enumerate(FIGURES.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        modality = "CT" if "CT" in name else "CXR"
        (folder / name).write_bytes(chest(200 + number, modality=modality, kind=kind))
    for name, text in TEXTS.items():
        (folder / name).write_bytes(text)
    (folder / "case-934/Thumbs.db").write_bytes(b"left behind by a system")


EXPECTED = {
    "case-16663/16663_1_1_PA.jpg": Expected("case-16663/16663_1_1_PA.jpg", "16663", "covid19", "train"),
    "case-16745/16745_2_1.PNG": Expected("case-16745/16745_2_1.PNG", None, "covid19", "train"),
    "case-934/000001.jpg": Expected("case-934/000001.jpg", "934", None, "train"),
}
write = write_unpacked
