"""A small BIMCV-COVID19+ (iteration 1): its archives, folders, headers and tables, with what is broken in them."""

import gzip
import io
import json
import plistlib
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.nifti import nifti
from tests.sources import Expected, chest, workbook

SMALL = {"numbers = [1, 34]": "numbers = [1, 2]"}
SIDE, DEPTH = 80, 5
PEOPLE = (
    ("sub-S03044", "['CR']", "[['chest']]", "[56]", "F"),
    ("sub-S03427", "['DX']", "[['chest']]", "[38, 37]", "M"),
    ("sub-S03582", "['CR', 'DX']", "[['chest']]", "[71]", "M"),
    ("sub-S03693", "['CT', 'DX']", "[['chest']]", "[63]", "None"),
    ("derivatives", "[]", "[]", "[]", "None"),  # a folder that became a person
)
TESTS = (
    ("sub-S03044", "19.03.2020", "PCR", "NEGATIVO"),
    ("sub-S03044", "24.03.2020", "PCR", "POSITIVO"),
    ("sub-S03044", "02.05.2020", "IGG", "POSITIVO"),
    ("sub-S03427", "01.03.2020", "PCR", "POSITIVO"),
    ("sub-S03582", "20.03.2020", "PCR", "INDETERMINADO"),
    ("sub-S03693", "30.03.2020", "ACT", "POSITIVO"),
)
REPORTS = (
    ("sub-S03044", "ses-E06138", "infiltrado en base derecha .", "['consolidation\t COVID 19', ' pneumonia', '']"),
    ("sub-S03044", "ses-E06790", "sin cambios .", "['unchanged']"),
    ("sub-S03427", "ses-E06828", "sin hallazgos resenables .", "['normal']"),
    ("sub-S03582", "ses-E07281", "dudoso , nombrepropio .", "['COVID 19 uncertain', 'cardiomegaly', ' mediastinal enlargement']"),
    ("sub-S03693", "ses-E08061", "vidrio deslustrado .", "['ground glass pattern', 'nodule']"),
)  # fmt: skip
FILMS = {
    # archive, file: number of the picture, bits, MONOCHROME1, what a person saw, what was said against it
    "sub-S03044_ses-E06138_run-1_bp-chest_vp-ap_cr": (1, 12, True, "PA", ""),
    "sub-S03044_ses-E06790_run-1_bp-chest_vp-pa_dx": (1, 14, False, "PA", "burned in information"),
    "sub-S03427_ses-E06828_acq-1_run-1_bp-chest_vp-ll_dx": (1, 14, False, "PA", ""),
    "sub-S03427_ses-E06828_acq-2_run-1_bp-chest_vp-ll_dx": (1, 14, False, "L", ""),
    "sub-S03582_ses-E07281_run-1_bp-chest_vp-ap_cr": (1, 12, False, "L", ""),
    "sub-S03582_ses-E07281_run-2_bp-chest_cr": (2, 12, False, "PA", ""),
    "sub-S03693_ses-E08061_run-1_bp-chest_vp-pa_dx": (2, 8, False, "PA", ""),
}
WITHOUT_HEADER = "sub-S03427_ses-E06828_acq-1_run-1_bp-chest_vp-ll_dx"
NO_JSON = "sub-S03582_ses-E07281_run-2_bp-chest_cr"
VOLUMES = {
    "sub-S03693_ses-E08061_acq-1_run-1_bp-chest_ct": ("ORIGINAL", "PRIMARY", "LOCALIZER"),
    "sub-S03693_ses-E08061_acq-2_run-1_bp-chest_ct": ("ORIGINAL", "PRIMARY", "AXIAL"),
    "sub-S03427_ses-E06828_run-3_bp-chest_ct": ("DERIVED", "SECONDARY", "", "CSA RESAMPLED"),
}
DRAWN = "sub-S03044_ses-E06138_run-1_bp-chest_vp-ap"
OUTLINES = (("ground glass", ((10, 20), (40, 20), (40, 60), (10, 60))), ("catéter", ((1, 1), (9, 1), (9, 9))))


def path_of(file: str) -> str:
    """Say where a file lies in its part."""
    person, session, *_ = file.split("_")
    return f"{person}/{session}/mod-rx/{file}"


def film(number: int, bits: int) -> bytes:
    """Encode a film of raw values: 16 bits wide, of which some are used."""
    values = np.asarray(Image.open(io.BytesIO(chest(number, modality="CXR", size=(SIDE, SIDE))))).astype(np.uint16)
    out = io.BytesIO()
    shown = values.astype(np.uint8) if bits == 8 else values << (bits - 8)
    Image.fromarray(shown).save(out, "PNG")
    return out.getvalue()


def header(**values: Any) -> dict[str, Any]:
    """Write elements as the JSON of DICOM does: tag -> type and values."""
    tags = {
        "day": ("00080020", "DA"), "birth": ("00100030", "DA"), "kind": ("00080008", "CS"), "modality": ("00080060", "CS"), "maker": ("00080070", "LO"),
        "sex": ("00100040", "CS"), "age": ("00101010", "AS"), "kvp": ("00180060", "DS"), "thick": ("00180050", "DS"),
        "pitch": ("00181164", "DS"), "kernel": ("00181210", "SH"), "view": ("00185101", "CS"), "grey": ("00280004", "CS"),
        "bits": ("00280101", "US"), "sign": ("00280103", "US"), "burned": ("00280301", "CS"), "centre": ("00281050", "DS"),
        "width": ("00281051", "DS"), "look": ("00283010", "SQ"),
    }  # fmt: skip
    found = {
        tags[key][0]: {"Value": list(value) if isinstance(value, tuple) else [value], "vr": tags[key][1]}
        for key, value in values.items()
    }
    return found | {"00100010": {"Value": [{"Alphabetic": "284108"}], "vr": "PN"}, "00181405": {"vr": "IS"}}


def files() -> Mapping[str, bytes]:
    """Make the images of the positive part, with the headers beside them, and the tables of each person."""
    found: dict[str, bytes] = {}
    for at, (name, (_, bits, inverted, _, reason)) in enumerate(FILMS.items()):
        found[f"{path_of(name)}.png"] = film(500 + at, bits)
        table = {
            "00283002": {"Value": [256, 0, 12], "vr": "US"},
            "00283006": {"Value": [*range(0, 4096, 16)], "vr": "US"},
        }
        said = header(
            day="20200322", modality=name[-2:].upper(), maker='"GE Healthcare"', age="056Y", kvp="122.0", pitch=(0.143, 0.143),
            sex="F" if "S03044" in name else "M", grey=f"MONOCHROME{1 if inverted else 2}", bits=bits, sign=0,
            burned="YES" if reason else "NO", centre=1 << (bits - 1), width=1 << bits, view="LL" if "_ll_" in name else "PA",
            **({"look": table} if at == 4 else {}), **({"birth": "19561103"} if "S03693" in name else {}),
        )  # fmt: skip
        if name != WITHOUT_HEADER:
            found[f"{path_of(name)}.json"] = b'{"00080020": {' if name == NO_JSON else json.dumps(said).encode()
    for at, (name, kind) in enumerate(VOLUMES.items()):
        depth = 1 if "LOCALIZER" in kind else DEPTH
        picture = Image.open(io.BytesIO(chest(600 + at))).resize((SIDE, SIDE))
        units = np.asarray(picture, np.int16)[None] * np.int16(6) - np.int16(1000) + np.zeros((depth, 1, 1), np.int16)
        noise = np.random.default_rng(at).integers(-30, 30, units.shape).astype(np.int16)
        found[f"{path_of(name)}.nii.gz"] = nifti((units + noise)[:, ::-1])
        said = header(day="20200401", kind=kind, modality="CT", maker="SIEMENS", age="063Y", sex="M", kvp="130", thick="5.0",
                      kernel="B31s")  # fmt: skip
        found[f"{path_of(name)}.json"] = json.dumps(said).encode()
    for person, *_ in PEOPLE[:-1]:
        sessions = sorted({name.split("_")[1] for name in (*FILMS, *VOLUMES) if name.startswith(person)})
        lines = ["session_id\tstudy_date\tmedical_evaluation", *(f"{each}\t20200322\t['...']" for each in sessions)]
        found[f"{person}/{person}_sessions.tsv"] = "\n".join([*lines, ""]).encode()
        for session in sessions:
            found[f"{person}/{session}/{person}_{session}_scans.tsv"] = b"filename\n"
    return found


def tables(tests: Sequence[str] = ("participant", "fecha", "prueba", "resultado")) -> Mapping[str, bytes]:
    """Make the tables of the positive part, and what was outlined."""
    people = ["participant\tmodality_dicom\tbody_parts\tage\tgender", *map("\t".join, PEOPLE)]
    reports = [
        "\tPatientID\tReportID\tReport\tLabels\tLocalizations\tLabelsLocalizationsBySentence\tlabelCUIS\tLocalizationsCUIS"
    ]
    reports += [
        f'{at}\t{who}\t{session}\t"{text}"\t"{labels}"\t"[\'loc right\']"\t"[\'exclude\']"\t[\'C0205307\']\t[]'
        for at, (who, session, text, labels) in enumerate(REPORTS)
    ]  # fmt: skip
    regions = [{"Name": name, "Point_px": [f"({x}, {y})" for x, y in points]} for name, points in OUTLINES]
    return {
        "participants.tsv": "\n".join([*people, ""]).encode(),
        "derivatives/labels/labels_covid19_posi.tsv": "\n".join([*reports, ""]).encode(),
        "derivatives/EHR/sil_reg_covid.tsv": "\n".join(["\t".join(tests), *map("\t".join, TESTS), ""]).encode(),
        f"derivatives/roi/{path_of(DRAWN)}_mod-cr_roi.xml": plistlib.dumps({"Images": [{"ROIs": regions}]}),
    }


def review() -> bytes:
    """Make the table of films that somebody looked at: a title, a header, and two rows of one report."""
    lines: list[list[object]] = [
        ["COVID19_POSI_v1.0"],
        ["Subject", "Session", "mod", "File", "Type", "Position_Manual", "Exclude", "Exclude Reason", "Report"],
    ]
    rows = [(name, ".png", *FILMS[name][3:]) for name in FILMS] + [(name, ".nii.gz", None, "") for name in VOLUMES]
    for name, ending, seen, reason in [*rows, rows[0]]:
        person, session, *_ = name.split("_")
        kind = name[-2:] + ("" if ending == ".png" else ending)
        lines.append([person, session, "mod-rx", name + ending, kind, seen, str(bool(reason)), reason or None, "..."])
    return workbook({"Sheet": lines})


def write_unpacked(folder: Path) -> None:
    """Write all archives unpacked into the folder of the positive part, and the reviewed table beside it."""
    for path, data in {**files(), **tables()}.items():
        place = folder / "covid19_posi" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    (folder / "COVID19_POSI_v1.0.xlsx").write_bytes(review())


def tgz(archive: Path, members: Mapping[str, bytes], *, listed: bool = False) -> None:
    """Pack files as the publisher does, with folders; ``listed`` writes what ``tar -tvf`` says beside it."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    lines, folders = [], set[str]()
    with gzip.GzipFile(archive, "wb", 1, mtime=0) as stream, tarfile.open(fileobj=stream, mode="w") as out:
        for name, data in members.items():
            for at in range(1, name.count("/") + 1):
                above = "/".join(name.split("/")[:at])
                if above not in folders:
                    folders.add(above)
                    entry = tarfile.TarInfo(above)
                    entry.type = tarfile.DIRTYPE
                    out.addfile(entry)
                    lines.append(f"drwxrwxr-x bimcv/bimcv        0 2020-06-05 10:11 {above}/")
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
            lines.append(f"-rw-rw-r-- bimcv/bimcv {len(data):8} 2020-06-05 10:11 {name}")
    if listed:
        Path(f"{archive}.tar-tvf.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")


def write_archives(folder: Path) -> None:
    """Write what the share gives: an archive of tables, and the people in two."""
    served = folder / "b2drop.bsc.es/public.php/webdav"
    tgz(
        served / "bimcv_covid19_posi_head_iter1.tgz",
        {f"bimcv_covid19_posi_head_iter1/{k}": v for k, v in tables().items()},
    )
    for number in (1, 2):
        mine = {path: data for path, data in files().items() if archive_of(path) == number}
        tgz(served / f"bimcv_covid19_posi_subjects_{number}.tgz", mine)
    table = "github.com/BIMCV-CSUSP/BIMCV-COVID-19/raw/f1900c838e5ce3cbbc45c479fe30776e737b680f/Notebooks/COVID19_POSI_v1.0.xlsx"
    (folder / table).parent.mkdir(parents=True)
    (folder / table).write_bytes(review())


def archive_of(path: str) -> int:
    """Say in which archive a person is."""
    return 1 if path.startswith(("sub-S03044", "sub-S03427")) else 2


UNTOLD = {
    f"covid19_posi/derivatives/roi/{path_of(DRAWN)}_mod-cr_roi.xml: missing table": "nobody lists what was outlined",
}
EXPECTED = {
    f"covid19_posi/{path_of(name)}.png": Expected(f"{name}.png", name.split("_")[0], label, split)
    for name, label, split in (
        ("sub-S03044_ses-E06138_run-1_bp-chest_vp-ap_cr", "covid19", "train"),
        ("sub-S03044_ses-E06790_run-1_bp-chest_vp-pa_dx", None, "train"),
        ("sub-S03427_ses-E06828_acq-2_run-1_bp-chest_vp-ll_dx", "no_finding", "validation"),
        ("sub-S03693_ses-E08061_run-1_bp-chest_vp-pa_dx", "lung_opacity", "train"),
    )
}
write = write_unpacked
