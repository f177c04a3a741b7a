"""A small COVID-19 Image Data Collection as of 2020-06-22: true columns, values and dirt; the pictures are phantoms."""

import csv
import io
import tempfile
from pathlib import Path

from PIL import Image

from tests.nifti import nifti
from tests.sources import Expected, chest, pack
from tests.sources.mosmed import hounsfield

VOLUME = "radiopaedia_org_covid-19-pneumonia-7_85703_0-dcm.nii.gz"
COMMIT = "584034aa7fbf06496741f11008d72fd791c8e443"
HEADER = (
    "patientid,offset,sex,age,finding,survival,intubated,intubation_present,went_icu,in_icu,needed_supplemental_O2,"
    "extubated,temperature,pO2_saturation,leukocyte_count,neutrophil_count,lymphocyte_count,view,modality,date,location,"
    "folder,filename,doi,url,license,clinical_notes,other_notes,"
).split(",")
NEJM = {"doi": "10.1056/nejmc2001272", "url": "https://www.nejm.org/doi/full/10.1056/NEJMc2001272"}
EURORAD = {"url": "https://www.eurorad.org/case/10483", "license": "CC BY-NC-SA 4.0", "location": "Portugal"}
HANNOVER = {
    "doi": "10.6084/m9.figshare.12275009",
    "url": "https://github.com/ml-workgroup/covid-19-image-repository",
    "license": "CC BY 3.0",
    "location": "Hannover Medical School, Hannover, Germany",
}
KJR = {"doi": "10.3348/kjr.2020.0132", "url": "https://www.kjronline.org/DOIx.php?id=10.3348/kjr.2020.0132"}
ASKED = (
    "offset survival intubated intubation_present went_icu in_icu needed_supplemental_O2 extubated temperature".split()
)
ASKED += "pO2_saturation leukocyte_count neutrophil_count lymphocyte_count view date location doi".split()
SCRAPED = dict.fromkeys(("intubated", "intubation_present"), "Not visible")
SCRAPED |= dict.fromkeys(("went_icu", "in_icu"), "Would have been stated")

ROWS: list[dict[str, str]] = [
    {"patientid": "2", "offset": "0", "sex": "M", "age": "65", "finding": "COVID-19", "survival": "Y", "intubated": "N",
     "needed_supplemental_O2": "Y", "date": "January 22, 2020",
     "location": "Cho Ray Hospital, Ho Chi Minh City, Vietnam",
     "filename": "auntminnie-a-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg",
     "clinical_notes": "On January 22, 2020, a man\nwas \"admitted\".", **NEJM},
    {"patientid": "2", "offset": "-3", "sex": "M", "age": "65", "finding": "COVID-19, ARDS", "view": "L",
     "survival": "N",
     "filename": "auntminnie-b-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg", "license": " ", **NEJM},
    {"patientid": "5", "finding": "ARDS", "date": "September 10, 2020", "intubated": "Y", "filename": "ARDSSevere.png", "license": "CC BY-SA",
     "url": "https://en.wikipedia.org/wiki/File:ARDSSevere.png"},
    {"patientid": "38", "finding": "No Finding", "view": "Axial", "modality": "CT", "location": "Italy", "date": "2019",
     "filename": "5083A6B7-8983-472E-A427-570A3E03DDEE.jpeg", "temperature": "37.8", "pO2_saturation": "98",
     "url": "https://www.sirm.org/2020/03/08/covid-19-caso-13/", "": "Credit to D?Ettorre E."},
    {"patientid": "63", "finding": "COVID-19", "filename": "kjr-21-e24-g001-l-a.jpg", "license": "CC BY-NC-ND", **KJR},
    {"patientid": "64", "finding": "COVID-19", "filename": "kjr-21-e24-g002-l-a.jpg", "view": "AP", **KJR},
    {"patientid": "200", "finding": "COVID-19", "lymphocyte_count": "131", "filename": "case_71_figura1.png",
     "url": "https://www.sirm.org/2020/04/18/covid-19-caso-71/"},
    {"patientid": "36", "finding": "COVID-19", "temperature": "95",
     "filename": "7E335538-2F86-424E-A0AB-6397783A38D0.jpeg"},
    {"patientid": "219", "offset": "0", "sex": "M", "finding": "COVID-19", "survival": "Y", "went_icu": "Y",
     "pO2_saturation": "340", "view": "AP Supine", "filename": "b343e657.jpg", **HANNOVER},
    {"patientid": "285", "offset": "30", "finding": "Pneumonia", "filename": "000001-24.jpg", **EURORAD},
    {"patientid": "339", "offset": "30", "finding": "Pneumonia", "filename": "000001-24.jpg", **EURORAD},
    {"patientid": "311a", "finding": "Mycoplasma Bacterial Pneumonia", "sex": "M", "filename": "000016.jpg"},
    {"patientid": "311b", "finding": "todo", "sex": "F", "view": "Coronal", "modality": "CT",
     "filename": "fig-b.PNG", **SCRAPED},
    {"patientid": "378", "finding": "todo", "sex": "F", "age": "45", **dict.fromkeys(ASKED, "?"),
     "filename": "2b327d8b7523701d3bfc55f6eaccbf_jumbo.jpeg", "license": "CC BY-NC-SA"},
    {"patientid": "22", "finding": "COVID-19", "view": "Axial", "modality": "CT", "folder": "volumes",
     "filename": VOLUME},
]  # fmt: skip
STRAY = "FAFA-A1BF-49A8-A1D3-66FAFA41B7345D.jpg"
NAMES = [*dict.fromkeys(row["filename"] for row in ROWS if "folder" not in row), STRAY]
MASKED = ("ARDSSevere", "000001-24")
SCORED = {"ARDSSevere.png": (8.0, 6.0), "000001-24.jpg": (2.7, 2.0)}


def write_unpacked(folder: Path) -> None:
    """Write the tree of the commit, and a volume of the torrent, which its user unpacks beside it."""
    write_commit(folder)
    (folder / VOLUME).write_bytes(nifti(hounsfield(850)))


def write_commit(folder: Path) -> None:
    """Write the tree of the commit, as far as a builder needs it."""
    for name in ("images", "annotations/lungVAE-masks", "volumes"):
        (folder / name).mkdir(parents=True)
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(HEADER)
        for row in ROWS:
            usual = {"view": "PA", "modality": "X-ray", "folder": "images"} | row
            table.writerow([usual.get(name, "") for name in HEADER])
    for number, name in enumerate(NAMES):
        (folder / "images" / name).write_bytes(film(name))
        if (stem := Path(name).stem) in MASKED:
            _mask(256 + number).save(folder / "annotations/lungVAE-masks" / f"{stem}_mask.png")
    scores = ["## COVID-19 Pneumonia Severity Scores (Mean of 3 expert raters),,", "## License: CC BY-SA,,"]
    scores += ["filename,geographic_mean,opacity_mean", *(f"{name},{a},{b}" for name, (a, b) in SCORED.items())]
    (folder / "annotations/covid-severity-scores.csv").write_text(
        "\n".join(scores) + "\n", encoding="utf-8", newline=""
    )
    (folder / "volumes/DOWNLOAD.md").write_text("https://academictorrents.com/\n", encoding="utf-8")


def film(name: str) -> bytes:
    """Draw a picture; among them are a file called .jpg that really is PNG, a palette, and Hannover's square copy."""
    number = NAMES.index(name)
    kind = "PNG" if name.lower().endswith(".png") or name == "000016.jpg" else "JPEG"
    mode = "P" if name == "fig-b.PNG" else ("RGB", "L")[number % 2]
    size = (240, 240) if name == "b343e657.jpg" else (256 + number, 240)
    return chest(number, modality="CXR", mode=mode, kind=kind, size=size)


def _mask(width: int) -> Image.Image:
    """Lay a lung mask over the picture's size, 0 and 255 with some gray at the borders."""
    return Image.open(io.BytesIO(chest(1, modality="CXR"))).resize((width, 240)).point(lambda value: 255 * (value < 60))


def write_archives(folder: Path) -> None:
    """Write what GitHub serves for the commit."""
    archive = folder / "github.com/ieee8023/covid-chestxray-dataset/archive" / f"{COMMIT}.zip"
    with tempfile.TemporaryDirectory() as name:
        write_commit(Path(name) / "tree")
        pack(Path(name) / "tree", archive, f"covid-chestxray-dataset-{COMMIT}/")


EXPECTED = {
    "images/auntminnie-a-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg": Expected(
        "auntminnie-a-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg", "2", "covid19", "train"
    ),
    "images/000001-24.jpg": Expected("000001-24.jpg", "285", "pneumonia", "test"),  # listed for 339 too: one person
    "images/000016.jpg": Expected("000016.jpg", "311a", "mycoplasma", "train"),
    "images/fig-b.PNG": Expected("fig-b.PNG", "311b", None, "train"),  # todo
    "images/kjr-21-e24-g001-l-a.jpg": Expected("kjr-21-e24-g001-l-a.jpg", None, "covid19", "train"),
}
write = write_unpacked
