"""Cases of Radiopaedia as users save them: a folder each, with text and credit, films, and stacks of slices.

Addresses are Radiopaedia's; texts, credits, rIDs and pictures are made up.
"""

from pathlib import Path

from tests.sources import Expected, chest

TEXT = "Elderly male. Perihilar opacities bilaterally – “peripheral”.\n"
TEXTS = {
    "case-covid-19-pneumonia-15/case.txt": (
        "url: https://radiopaedia.org/cases/covid-19-pneumonia-15?lang=us\nsex: M\nlocation: Jonkoping, Sweden\n"
        f"date: 2020\nfinding: COVID-19\ncertainty: Diagnosis certain\n"
        f"credit: Case courtesy of Dr N. N., Radiopaedia.org, rID: 1000001\n\n{TEXT}"
    ).encode(),
    "case-covid-19-pneumonia-29/case.txt": f"finding: covid-19\nCREDIT: Case courtesy of Dr M, rID: 1000002\n{TEXT}".encode("cp1252"),
    "case-covid-19-pneumonia-29-again/case.txt": b"finding: COVID-19\nrid: 1000002\ncredit: Case courtesy of Dr M\n",
    "case-pneumocystis-pneumonia-12/case.txt": f"age: 6\nfinding: Pneumocystis\ncredit: Dr O, rID 1000003\n\n{TEXT}".encode("utf-16"),
    "case-flitting-pneumonia/case.txt": b"url: https://radiopaedia.org/cases/multilobar-pneumonia\ncredit: Dr P\n",
    "case-lobar-pneumonia/case.txt": b"finding: something that is in no list\nNo credit was copied.\n",
}  # fmt: skip
FIGURES = {
    "case-covid-19-pneumonia-15/covid-19-pneumonia-15-PA.jpg": "JPEG",
    **{f"case-covid-19-pneumonia-29/CT axial/{number}_jumbo.png": "PNG" for number in (1, 2, 3, 10, 20)},
    **{f"case-covid-19-pneumonia-29/CT coronal/{number}.png": "PNG" for number in (1, 2, 3)},
    "case-covid-19-pneumonia-29-again/RX.png": "PNG",
    "case-pneumocystis-pneumonia-12/CXR day 0.jpeg": "JPEG",
    "case-pneumocystis-pneumonia-12/pneumocystis-pneumonia-12-L.jpg": "JPEG",
    "case-pneumocystis-pneumonia-12/2b327d8b7523701d3bfc55f6eaccbf_jumbo.jpeg": "JPEG",
    "case-flitting-pneumonia/AP.webp": "WEBP",
    "case-lobar-pneumonia/RX.gif": "GIF",
}


def write_unpacked(folder: Path) -> None:
    """Write the folder that a user fills by hand."""
    for number, (name, kind) in enumerate(FIGURES.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        modality = "CT" if "CT" in name else "CXR"
        (folder / name).write_bytes(chest(240 + number, modality=modality, kind=kind))
    for name, text in TEXTS.items():
        (folder / name).write_bytes(text)
    (folder / "case-lobar-pneumonia/desktop.ini").write_bytes(b"left behind by a system")


_FIRST = "case-covid-19-pneumonia-15/covid-19-pneumonia-15-PA.jpg"
_SLICE = "case-covid-19-pneumonia-29/CT axial/10_jumbo.png"
EXPECTED = {
    _FIRST: Expected(_FIRST, "covid-19-pneumonia-15", "covid19", "train"),
    _SLICE: Expected(_SLICE, "covid-19-pneumonia-29", "covid19", "train"),
}
write = write_unpacked
