"""A small POCUS: the publisher's names, columns and dirt; the videos are clips of moving blobs, no ultrasound."""

import csv
import io
import tempfile
from pathlib import Path

import av
import numpy as np
from PIL import Image

from tests.sources import Expected, pack

COMMIT = "9e254a140b4faa2c200b8bb5cee2347b7198fbef"
HEADER = (
    "Date added", "Current location", "Filename", "URL (Video Name)", "Label", "License", "LinkToLicense", "ChangesMade",
    "InThisRepo", "Type", "Probe", "DOI", "Source ID", "Comments from web site", "Title",
    "Comments first medical doctor (MD1)", "MD2", "MD3", "Framerate", "Resolution", "Length (frames)", "Gender", "Age",
    "Patient ID / Name", "Lung /abdomen interface", "Preconditions / Comments about patient", "Area according to DEGUM",
    "Unnamed: 27", "Effusion", "Consolidations", "B-lines", "A-lines", "Pleural line irregularities", "Air bronchogram",
    "Healthy", "Fever", "Cough", "Respiratory problems", "Headache", "Loss of smell/taste", "Fatigue", "Sore throat",
    "Asymptomatic", "Other",
)  # fmt: skip
NORTHUMBRIA = "Data contributed by Northumbria Specialist Emergency Care Hospital"
SSRN = "http://dx.doi.org/10.2139/ssrn.3544750"
COV, PNEU, VIR, REG = "COVID-19", "Bacterial pneumonia", "Viral pneumonia", "regular"
SA, NC, BY = "CC BY-NC -SA 4.0", "CC BY-NC 4.0", "CC BY 4.0"

# Path without its first folder, label, patient, licence, and the cells that are not as usual.
FILES: list[tuple[str, str, str, str, dict[str, str]]] = [
    ("videos/convex/Cov-Atlas+(44).gif", COV, "31", NC, {"URL (Video Name)": "http://www.thepocusatlas.com/covid19-1/m2"}),
    ("videos/convex/Cov-Atlas-Day+1.gif", COV, "35", NC, {
        "URL (Video Name)": "http://www.thepocusatlas.com/covid19 (Day1)", "Healthy": "1", "Fever": "1"}),
    ("videos/convex/Cov-Atlas-Day+2.gif", COV, "35", NC, {"Gender": "nd", "Age": "n/A"}),
    ("videos/convex/Cov_combatting_Image1.mp4", COV, "80", BY, {"Gender": ""}),
    ("videos/convex/Cov_denault_proposedUS_vid1.mov", COV, "135", "COVID-19 emergency license", {
        "Age": "0", "DOI": "https://doi.org/10.1007/s12630-020-01704-6", "Source ID": "40"}),
    ("videos/convex/Pneu-Atlas-pneumonia.gif", PNEU, "37", NC, {"Consolidations": "1"}),
    ("videos/convex/Pneu_liftl_pneu_case3_clip3.mp4", PNEU, "7", SA, {"Unnamed: 27": "https://www.dropbox.com/s/3h"}),
    ("videos/convex/Pneu_northumbria_0409_set5_vid2.avi", PNEU, "197", NC, {"URL (Video Name)": NORTHUMBRIA, "Age": "77"}),
    ("videos/convex/Reg-Atlas-lungcurtain.gif", REG, "37", NC, {}),
    ("videos/convex/Reg_Avi_lung-sliding.MP4", REG, "160", NC, {"A-lines": "1"}),
    ("videos/convex/Reg_liftl_case3_clip2.mp4", REG, "7", SA, {}),
    ("videos/convex/Reg_northumbria_1009_vid3.avi", REG, "213", NC, {"URL (Video Name)": f"{NORTHUMBRIA}, healthy 1.avi"}),
    ("videos/convex/Reg_pat1Image_132943.mpeg", REG, "4", BY, {
        "URL (Video Name)": "charlotte", "Gender": "w", "Age": "27", "Area according to DEGUM": "3",
        "Preconditions / Comments about patient": "Lotte"}),
    ("videos/convex/pneu-radiopaeda.mp4", PNEU, "60", "CC BY-NC -SA 3.0", {}),
    ("videos/linear/Vir_prospective_file1.mp4", VIR, "114", "CC BY 2.0", {"Gender": "nd"}),
    ("videos/linear/label_uncertain/Vir_or_Pneu_prospective_file4.mp4", VIR, "116", "CC BY 2.0", {
        "MD2": "Same video as in: Vir_prospective _file2.mp4"}),
    ("images/convex/Cov_severe_acutemedicine.png", COV, "132", "None", {"InThisRepo": "No", "LinkToLicense": "N.A."}),
    ("images/convex/Cov_unsmooth_pleuralline_prelim_study_SSRN_paper2.png", COV, "84", BY, {"DOI": SSRN, "Type": "Image"}),
    ("images/convex/Pneu_Avi_consolidated-lung.JPG", PNEU, "140", NC, {"Healthy": "1"}),
    ("images/convex/Pneu_northumbria_0409_set4_img2.jpg", PNEU, "192", NC, {"URL (Video Name)": NORTHUMBRIA, "Age": ""}),
    ("images/convex/Pneu_northumbria_0409_set6_img6.jpg", PNEU, "198", NC, {"URL (Video Name)": NORTHUMBRIA, "Age": "69"}),
    ("images/convex/Reg_Avi_normal-A-lines.JPG", REG, "139", NC, {"Comments from web site": "see filename"}),
    ("images/linear/Cov_unsmoothpleuralline_prelim_study_SSRN_paper6.png", COV, "88", BY, {"DOI": SSRN, "Type": "Image"}),
]  # fmt: skip
# Rows without a file: said to be there, elsewhere, and one name for two people.
ELSEWHERE: list[tuple[str, str, str, str, dict[str, str]]] = [
    ("Pneu-Atlas-pneumonia-AirBronch", PNEU, "39", NC, {"Current location": "not used - same as Pneu-Atlas-pneumonia2.gif"}),
    ("Reg-nephropocus", REG, "74", "None", {"InThisRepo": "No"}),
    ("Reg-nephropocus", REG, "77", "None", {"InThisRepo": "Np", "Probe": "linear"}),
    ("Cov-butterfly", COV, "", "", {"InThisRepo": "No", "Current location": "butterfly"}),
    ("Reg_ablines", "Regular", "", "", {"InThisRepo": "No", "Current location": "not used"}),
]  # fmt: skip
TWINS = {"Pneu_northumbria_0409_set6_img6.jpg": 19, "Vir_or_Pneu_prospective_file4.mp4": 14}
"""The same picture or clip as that of another number, encoded anew."""
SLOW = "Cov-Atlas+(44).gif"
"""A clip of two frames a second."""
MP4_INSIDE = "Reg_northumbria_1009_vid3.avi"


def blobs(number: int, shift: int = 0, side: int = 96) -> Image.Image:
    """Draw smooth blobs, others for each number, moved to the side."""
    noise = np.random.default_rng(number).integers(0, 256, (9, 9)).astype(np.uint8)
    picture = Image.fromarray(noise).resize((128, 128), Image.Resampling.BICUBIC)
    return Image.fromarray(np.roll(np.asarray(picture), shift, axis=1)[:side, :side])


def clip(number: int, kind: str, *, rate: int = 25, count: int = 30, quality: int = 0, **options: str) -> bytes:
    """Encode a clip as ``kind``: gif, mpeg, avi, mov or mp4."""
    codec, form = {"gif": ("gif", "gray"), "mpeg": ("mpeg2video", "yuv420p")}.get(kind, ("mpeg4", "yuv420p"))
    with tempfile.TemporaryDirectory() as folder:  # a file, because one option of MP4 reads it again
        path = Path(folder) / f"clip.{kind}"
        with av.open(str(path), "w", format=kind, options=options) as container:
            stream = container.add_stream(codec, rate=rate)
            stream.width = stream.height = 96
            stream.pix_fmt = form
            stream.bit_rate = 400_000 - quality
            for shift in range(count):
                container.mux(stream.encode(av.VideoFrame.from_image(blobs(number, shift).convert("RGB"))))
            container.mux(stream.encode())
        return path.read_bytes()


def still(number: int, name: str) -> bytes:
    """Encode one picture in the container that its name says."""
    out = io.BytesIO()
    blobs(number, side=120).save(out, "PNG" if name.endswith(".png") else "JPEG", quality=90 if name in TWINS else 95)
    return out.getvalue()


def content(number: int, path: str) -> bytes:
    """Make the bytes of a file of `FILES`."""
    name = Path(path).name
    if path.startswith("images/"):
        return still(TWINS.get(name, number), name)
    kind = "mp4" if name == MP4_INSIDE else Path(name).suffix[1:].lower()
    rate = 2 if name == SLOW else 10 if kind == "gif" else 25
    return clip(
        TWINS.get(name, number), kind, rate=rate, count=8 if name == SLOW else 30, quality=50_000 * (name in TWINS)
    )


def table(files: list[tuple[str, str, str, str, dict[str, str]]]) -> list[dict[str, str]]:
    """Write the rows of the table."""
    rows = []
    for path, label, patient, licence, special in files:
        usual = dict.fromkeys(HEADER, "") | dict.fromkeys(HEADER[28:35], "0") | dict.fromkeys(HEADER[35:43], "n/A")
        usual |= {
            "Date added": "22.06.20",
            "Current location": "data/pocus_videos/Convex",
            "Filename": Path(path).stem if "/" in path else path,
            "Label": label,
            "License": licence,
            "InThisRepo": "Yes",
            "Type": "image" if path.startswith("images/") else "video",
            "Probe": "linear" if "/linear/" in path else "convex",
            "Gender": "m",
            "Age": "40",
            "Patient ID / Name": patient,
        }
        rows.append(usual | special)
    return rows


def write_unpacked(folder: Path) -> None:
    """Write the tree as upstream lays it out."""
    for number, (path, *_) in enumerate(FILES):
        target = folder / f"pocus_{path}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content(number, path))
    with (folder / "dataset_metadata.csv").open("w", encoding="utf-8", newline="") as lines:
        out = csv.DictWriter(lines, HEADER)
        out.writeheader()
        out.writerows(table([*FILES, *ELSEWHERE]))


def write_archives(folder: Path) -> None:
    """Write what GitHub serves: the repository at a commit, as one zip."""
    base = folder / "github.com/jannisborn/covid19_pocus_ultrasound/archive"
    with tempfile.TemporaryDirectory() as name:
        write_unpacked(Path(name) / "data")
        pack(Path(name), base / f"{COMMIT}.zip", f"covid19_pocus_ultrasound-{COMMIT}/")


EXPECTED = {
    "pocus_videos/convex/Cov-Atlas+(44).gif": Expected("Cov-Atlas+(44).gif", "31", "covid19", "test", "fold-1"),
    # One person with two labels: the publishers' number is kept for both.
    "pocus_videos/convex/Pneu-Atlas-pneumonia.gif": Expected(
        "Pneu-Atlas-pneumonia.gif", "37", "bacterial_pneumonia", "train"
    ),
    "pocus_videos/convex/Reg-Atlas-lungcurtain.gif": Expected(
        "Reg-Atlas-lungcurtain.gif", "37", "no_finding", "train", "fold-1"
    ),
    "pocus_videos/linear/label_uncertain/Vir_or_Pneu_prospective_file4.mp4": Expected(
        "Vir_or_Pneu_prospective_file4.mp4", "116", "viral_pneumonia", "train"
    ),
    "pocus_images/convex/Pneu_Avi_consolidated-lung.JPG": Expected(
        "Pneu_Avi_consolidated-lung.JPG", "140", "bacterial_pneumonia", "validation"
    ),
}
write = write_unpacked
