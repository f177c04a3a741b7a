"""pocus: videos and frames of lung ultrasound, who is in them, and what is wrong with the files and the table."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import av
import numpy as np
import pytest
from covid_datasets.builders.pocus import official_folds, records
from PIL import Image

from covid_datasets import build_dataset, load_dataset
from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.errors import ColumnMissingError, IncompleteSourceError, MissingExtraError
from covid_datasets.load.splits import audit_build
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.pieces import Task, piece_rows
from covid_datasets.prepare.plan import make_plan
from covid_datasets.prepare.result import Built
from covid_datasets.raw.kinds.archive import ManifestMount
from covid_datasets.raw.mounts import TreeMount
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Parts, Record
from covid_datasets.splits.index import Index
from tests.small import SmallSources
from tests.sources import pocus as source

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
REAL = Path(os.environ.get("COVID_DATASETS_TEST_REAL", "/nonexistent")) / "pocus"
MIRROR = Path(os.environ.get("COVID_DATASETS_TEST_MIRROR", Path(__file__).resolve().parents[2] / "shared" / "mirror"))
SERVED = MIRROR / "github.com/jannisborn/covid19_pocus_ultrasound/archive"
FRAMES = {"hertz": 3.0, "most": 30}
TABLE = "dataset_metadata.csv"


@pytest.fixture
def tree(small_sources: SmallSources, tmp_path: Path) -> Path:
    """A raw tree to damage."""
    return Path(shutil.copytree(small_sources.tree("pocus"), tmp_path / "tree"))


@pytest.fixture
def frames(small: SmallSources, tmp_path: Path) -> Built:
    return build_dataset(
        "pocus", "frames", data_dir=small.tree("pocus"), cache_dir=tmp_path / "frames", num_proc=1, allow_missing=True
    )


def found_in(tree: Path, **options: float) -> tuple[dict[str, Record], list[Notice]]:
    found = list(records(RawTree.of_folder(tree, options=options)))
    yielded = [item for item in found if isinstance(item, Record)]
    assert [record.sample_id for record in yielded] == sorted({record.sample_id for record in yielded})
    return {record.sample_id: record for record in yielded}, [item for item in found if isinstance(item, Notice)]


def rows_of(tree: Path, **options: float) -> tuple[dict[str, dict[str, Any]], list[Notice]]:
    """Build rows and notices straight from a folder, with no manifest that knows the right bytes."""
    raw = RawTree.of_folder(tree, options=options)
    plan = make_plan("pocus", records(raw), raw)
    items = [item for piece in plan.pieces for item in piece_rows(Task("pocus", piece, raw, "full"))]
    rows = [item[0] for item in items if not isinstance(item, Notice)]
    told = [*plan.notices, *(item for item in items if isinstance(item, Notice))]
    return {row["sample_id"].removeprefix("pocus/"): row for row in rows}, told


# --- the records ---------------------------------------------------------------------------------------------------


def test_each_file_is_one_sample(tree: Path) -> None:
    found, _ = found_in(tree)
    assert sorted(found) == sorted(Path(path).name for path, *_ in source.FILES)
    for record in found.values():
        assert record.modality == "US"
        still = record.sample_id.lower().endswith((".jpg", ".png"))
        assert (record.image is not None, record.video is not None) == (still, not still)
    assert Counter(record.label for record in found.values()) == {
        "covid19": 8, "bacterial_pneumonia": 7, "no_finding": 6, "viral_pneumonia": 2,
    }  # fmt: skip


def test_cells_are_harmonised(tree: Path) -> None:
    found, notices = found_in(tree)
    healthy = found["Reg_pat1Image_132943.mpeg"]
    assert (healthy.label, healthy.label_raw, healthy.sex, healthy.age) == ("no_finding", "regular", "F", 27)
    assert (healthy.patient, healthy.license, healthy.source_url) == ("4", "CC BY 4.0", None)
    assert healthy.source_row["Area according to DEGUM"] == "3"
    assert found["Pneu_liftl_pneu_case3_clip3.mp4"].license == "CC BY-NC-SA 4.0"
    assert found["Cov_severe_acutemedicine.png"].license is None
    atlas = found["Cov-Atlas-Day+1.gif"]
    assert (atlas.source_url, atlas.flags) == ("http://www.thepocusatlas.com/covid19", ("healthy_contradicts_label",))
    assert atlas.source_row["Fever"] == "1"
    assert (found["Cov-Atlas-Day+2.gif"].age, found["Cov-Atlas-Day+2.gif"].sex) == (None, None)
    article = found["Cov_denault_proposedUS_vid1.mov"]
    assert (article.doi, article.age) == ("10.1007/s12630-020-01704-6", None)
    hospital = found["Pneu_northumbria_0409_set5_vid2.avi"]
    assert hospital.location == "Northumbria Specialist Emergency Care Hospital"
    assert (hospital.flags, hospital.ties) == (("patient_doubtful",), ("set:0409_set5",))
    assert found["Vir_or_Pneu_prospective_file4.mp4"].flags == ("label_uncertain",)
    assert found["Vir_or_Pneu_prospective_file4.mp4"].label == "viral_pneumonia"
    assert Counter(notice.kind for notice in notices) == {
        "image not in the repository": 1, "impossible value": 1, "listed as not hosted": 1, "row listed twice": 1,
        "rows of files elsewhere": 1,
    }  # fmt: skip
    told = {notice.kind: notice for notice in notices}
    assert told["rows of files elsewhere"].what.startswith("4 rows are of files that the publisher does not host")
    assert not told["rows of files elsewhere"].dropped, "nothing that is hosted is lost"
    assert told["image not in the repository"].where == f"{TABLE}: Pneu-Atlas-pneumonia-AirBronch"
    assert told["image not in the repository"].dropped
    assert told["listed as not hosted"].where == "pocus_images/convex/Cov_severe_acutemedicine.png"


def test_stills_of_one_article_stay_together(tree: Path) -> None:
    found, _ = found_in(tree)
    pair = [found[f"Cov_{name}.png"] for name in (
        "unsmooth_pleuralline_prelim_study_SSRN_paper2", "unsmoothpleuralline_prelim_study_SSRN_paper6",
    )]  # fmt: skip
    assert {record.patient for record in pair} == {"84", "88"}
    assert {record.ties for record in pair} == {("article:10.2139/ssrn.3544750",)}
    assert found["Cov_denault_proposedUS_vid1.mov"].ties == (), "the table tells the people of a video apart"


def test_the_publishers_folds_are_by_file(tree: Path) -> None:
    found, _ = found_in(tree)
    folds = {name: record.official_split for name, record in found.items()}
    assert [folds[name] for name in ("Cov-Atlas+(44).gif", "Cov-Atlas-Day+1.gif", "Cov-Atlas-Day+2.gif")] == [
        "fold-1", "fold-2", "fold-3",
    ]  # fmt: skip
    assert folds["pneu-radiopaeda.mp4"] is None, "four videos of pneumonia are no five parts"
    assert {folds[name] for name in found if name.endswith((".jpg", ".JPG", ".png"))} == {None}
    assert folds["Vir_prospective_file1.mp4"] is None


# --- the default config: videos ------------------------------------------------------------------------------------


def test_videos_are_stored_as_hosted(small: SmallSources) -> None:
    built = small.build("pocus")
    assert built.config == "videos"
    for row in open_table(built).to_pylist():
        shown = row["video"] or row["image"]
        assert shown["bytes"] == (small.tree("pocus") / shown["path"]).read_bytes()
        assert (row["video"] is None) == (row["depth"] is None)
        if row["video"]:
            assert row["depth"] == (8 if row["sample_id"].endswith(source.SLOW) else 30)
            assert (row["width"], row["height"]) == (96, 96)


@pytest.mark.parametrize("config", ["videos", "frames"])
def test_one_person_is_in_one_split(config: str, small: SmallSources, frames: Built) -> None:
    built = frames if config == "frames" else small.build("pocus")
    assert not audit_build(built, "patient").leaks
    index = Index.read(built.path)
    places: dict[str, set[tuple[int, str]]] = {}
    for sample, group, split in zip(index.texts("sample_id"), index.groups, index.texts("split"), strict=True):
        places.setdefault(sample.split("/")[1], set()).add((group, split))
    assert all(len(found) == 1 for found in places.values()), "all frames of a video"
    for together in (
        ("Cov-Atlas-Day+1.gif", "Cov-Atlas-Day+2.gif"),
        ("Pneu-Atlas-pneumonia.gif", "Reg-Atlas-lungcurtain.gif"),
        ("Pneu_liftl_pneu_case3_clip3.mp4", "Reg_liftl_case3_clip2.mp4"),
        ("Vir_prospective_file1.mp4", "Vir_or_Pneu_prospective_file4.mp4"),
        ("Pneu_northumbria_0409_set4_img2.jpg", "Pneu_northumbria_0409_set6_img6.jpg"),
    ):
        assert len(set.union(*(places[name] for name in together))) == 1, together
    assert len({group for found in places.values() for group, _ in found}) == 17


def test_pixels_alone_find_the_clip_that_is_there_twice(
    small: SmallSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("covid_datasets.prepare.plan.read_identities", lambda dataset: {})
    built = build_dataset(
        "pocus", data_dir=small.tree("pocus"), cache_dir=tmp_path / "no-identities", num_proc=1, allow_missing=True
    )
    report = audit_build(built, "patient")
    (near,) = (finding for finding in report.findings if finding.kind == "near-duplicate")
    assert (near.groups, near.straddling) == (2, 0)


def test_a_person_with_two_labels_is_told(small: SmallSources) -> None:
    told = [
        n["where"] for n in small.build("pocus").manifest()["notices"] if n["kind"] == "patient with several labels"
    ]
    assert sorted(told) == ["pocus/37", "pocus/7"]


def test_the_audit_of_the_folds_finds_people_in_two(small: SmallSources) -> None:
    report = audit_build(small.build("pocus"), "official")
    assert report.rows == {f"fold-{fold}": 2 for fold in range(1, 6)}
    (people,) = (finding for finding in report.findings if finding.kind == "patient")
    assert people.straddling == 1
    assert people.examples[0].startswith("pocus/35: fold-2 1, fold-3 1")


@pytest.mark.parametrize(
    ("wanted", "count"), [("stated", 22), ("redistribution", 21), ("commercial", 6), ("CC BY-NC-SA 4.0", 2)]
)
def test_licences_can_be_asked_for(wanted: str, count: int, small: SmallSources) -> None:
    rows = load_dataset(
        "pocus", split="all", framework="numpy", license=wanted, data_dir=small.tree("pocus"), cache_dir=small.cache,
        allow_missing=True,
    )  # fmt: skip
    assert len(rows) == count


@pytest.mark.parametrize("framework", ["numpy", "torch", "pandas"])
def test_frameworks_give_a_video_as_it_is_stored(framework: str, small: SmallSources) -> None:
    pytest.importorskip(framework)
    small.build("pocus")
    rows = load_dataset(
        "pocus", split="all", framework=framework, data_dir=small.tree("pocus"), cache_dir=small.cache,
        allow_missing=True,
    )  # fmt: skip
    found = rows.to_dict("records") if framework == "pandas" else [rows[at] for at in range(len(rows))]
    video = next(row for row in found if row["sample_id"] == "pocus/Reg_Avi_lung-sliding.MP4")["video"]
    assert video["path"] == "pocus_videos/convex/Reg_Avi_lung-sliding.MP4"
    assert video["bytes"] == (small.tree("pocus") / video["path"]).read_bytes()


def test_hugging_face_opens_both_kinds(small: SmallSources) -> None:
    datasets = pytest.importorskip("datasets")
    small.build("pocus")
    whole = load_dataset("pocus", split="all", cache_dir=small.cache, data_dir=small.tree("pocus"), allow_missing=True)
    stored = whole.cast_column("video", datasets.Video(decode=False))
    rows = {row["sample_id"].removeprefix("pocus/"): row for row in stored}
    assert rows["Pneu_Avi_consolidated-lung.JPG"]["image"].size == (120, 120)
    assert rows["Pneu_Avi_consolidated-lung.JPG"]["video"] is None
    gif = rows["Cov-Atlas-Day+1.gif"]
    assert gif["image"] is None
    with av.open(io.BytesIO(gif["video"]["bytes"])) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30


# --- the config frames ---------------------------------------------------------------------------------------------


def test_frames_are_three_a_second(frames: Built) -> None:
    numbers: dict[str, list[int]] = {}
    for row in open_table(frames).to_pylist():
        if row["part_index"] is not None:
            name = row["sample_id"].split("/")[1]
            numbers.setdefault(name, []).append(row["part_index"])
            assert row["sample_id"] == f"pocus/{name}/{row['part_index']:06}"
            assert row["series_id"] == f"pocus/{name}"
            rate = 2 if name == source.SLOW else 10 if name.endswith(".gif") else 25
            assert row["seconds"] == pytest.approx(row["part_index"] / rate)
            assert row["image"]["path"].endswith(f"{name}/{row['part_index']:06}.png")
    assert numbers.pop(source.SLOW) == list(range(8)), "every frame of what is slower than three a second"
    for name, found in numbers.items():
        assert found == list(range(0, 30, 3 if name.endswith(".gif") else 8)), name
    assert len(numbers) == 15


def test_frames_are_what_the_decoder_gives(frames: Built, small: SmallSources) -> None:
    rows = {row["sample_id"]: row for row in open_table(frames).to_pylist()}
    for name in ("Reg_Avi_lung-sliding.MP4", "Cov-Atlas-Day+1.gif"):
        with av.open(str(small.tree("pocus") / "pocus_videos" / "convex" / name)) as container:
            wanted = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
        number = 24
        image = Image.open(io.BytesIO(rows[f"pocus/{name}/{number:06}"]["image"]["bytes"]))
        assert image.format == "PNG"
        # The other decoder leaves brightness between 16 and 235.
        difference = np.abs(np.asarray(image, float) - np.clip((wanted[number].astype(float) - 16) * 255 / 219, 0, 255))
        plain = np.abs(np.asarray(image, float) - wanted[number])
        assert min(difference.max(), plain.max()) <= 1


def test_stills_are_among_the_frames_as_they_are(frames: Built, small: SmallSources) -> None:
    stills = [row for row in open_table(frames).to_pylist() if row["part_index"] is None]
    assert len(stills) == 7
    for row in stills:
        assert row["image"]["bytes"] == (small.tree("pocus") / row["image"]["path"]).read_bytes()
        assert row["seconds"] is row["series_id"] is None


def test_frames_are_the_same_for_any_number_of_workers(frames: Built, small: SmallSources, tmp_path: Path) -> None:
    again = build_dataset(
        "pocus", "frames", data_dir=small.tree("pocus"), cache_dir=tmp_path / "again", num_proc=2, allow_missing=True,
        shard_bytes=20_000,
    )  # fmt: skip
    assert again.fingerprint == frames.fingerprint


@pytest.mark.parametrize("config", ["videos", "frames"])
def test_a_stream_has_the_rows_of_a_build(config: str, small: SmallSources, frames: Built, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    built = frames if config == "frames" else small.build("pocus")
    streams = load_dataset(
        "pocus", config, streaming=True, data_dir=small.tree("pocus"), cache_dir=tmp_path / "none", allow_missing=True
    )
    found: Counter[str] = Counter()
    for stream in streams.values():
        found.update(row["sample_id"] for row in stream.cast_column("video", datasets.Video(decode=False)))
    assert found == Counter(Index.read(built.path).texts("sample_id"))


# --- bad input -----------------------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def sound_alone(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode())


def page(path: Path) -> None:
    path.write_bytes(b"<!DOCTYPE html><title>404</title>" * 40)


@pytest.mark.parametrize("options", [{}, FRAMES], ids=["videos", "frames"])
@pytest.mark.parametrize(
    "name",
    [
        "Cov-Atlas-Day+2.gif",
        "Cov_denault_proposedUS_vid1.mov",
        "Pneu_northumbria_0409_set5_vid2.avi",
        "Reg_Avi_lung-sliding.MP4",
        "Reg_pat1Image_132943.mpeg",
    ],
)
@pytest.mark.parametrize("damage", [cut, empty, sound_alone, page])
def test_a_video_that_is_not_whole_is_dropped_and_told(
    damage: Callable[[Path], None], name: str, options: dict[str, float], tree: Path
) -> None:
    path = tree / "pocus_videos" / "convex" / name
    damage(path)
    rows, notices = rows_of(tree, **options)
    assert not [sample for sample in rows if sample.split("/")[0] == name], "not half a video either"
    (told,) = (
        notice for notice in notices if notice.where == f"pocus_videos/convex/{name}" and "Age" not in notice.what
    )
    assert told.dropped
    assert told.kind in ("undecodable (poor)", "damaged file", "empty file")
    assert "expected" in told.what
    assert len({sample.split("/")[0] for sample in rows}) == len(source.FILES) - 1


def test_without_the_library_for_videos(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covid_datasets.extras.find_spec", lambda module: None)
    with pytest.raises(MissingExtraError, match=r"covid_datasets\[video\]"):
        rows_of(tree)


def test_a_gif_of_one_frame(tree: Path) -> None:
    path = tree / "pocus_videos/convex/Cov-Atlas-Day+2.gif"
    path.write_bytes(source.clip(50, "gif", count=1))
    assert rows_of(tree)[0]["Cov-Atlas-Day+2.gif"]["depth"] == 1
    rows = rows_of(tree, **FRAMES)[0]
    assert [sample for sample in rows if sample.startswith("Cov-Atlas-Day+2")] == ["Cov-Atlas-Day+2.gif/000000"]


def test_a_changed_file_is_told_by_its_hash(small: SmallSources, tmp_path: Path) -> None:
    copied = shutil.copytree(small.tree("pocus"), tmp_path / "copy")
    path = copied / "pocus_videos/convex/Cov-Atlas-Day+2.gif"
    path.write_bytes(path.read_bytes() + b"\0")
    for config in ("videos", "frames"):
        built = build_dataset(
            "pocus", config, data_dir=copied, cache_dir=tmp_path / "cache", num_proc=1, allow_missing=True
        )
        kept = {sample.split("/")[1] for sample in Index.read(built.path).texts("sample_id")}
        assert "Cov-Atlas-Day+2.gif" not in kept
        (told,) = (notice for notice in built.manifest()["notices"] if notice["where"].endswith("Day+2.gif"))
        assert told["dropped"]


def test_a_renamed_column(tree: Path) -> None:
    text = (tree / TABLE).read_text(encoding="utf-8")
    (tree / TABLE).write_text(text.replace("Patient ID / Name", "Patient ID"), encoding="utf-8")
    with pytest.raises(ColumnMissingError, match="expected a column 'Patient ID / Name'.*nearest is 'Patient ID'"):
        found_in(tree)


def test_no_table(tree: Path) -> None:
    (tree / TABLE).unlink()
    with pytest.raises(IncompleteSourceError, match=TABLE):
        found_in(tree)


def test_a_file_that_no_row_names(tree: Path) -> None:
    shutil.copyfile(tree / "pocus_videos/convex/Cov-Atlas-Day+2.gif", tree / "pocus_videos/convex/Cov_new.gif")
    found, notices = found_in(tree)
    assert (found["Cov_new.gif"].label, found["Cov_new.gif"].patient) == (None, None)
    assert found["Cov_new.gif"].ties
    assert [notice.where for notice in notices if notice.kind == "file not in the table"] == [
        "pocus_videos/convex/Cov_new.gif"
    ]


def test_a_missing_file(small: SmallSources, tmp_path: Path) -> None:
    copied = shutil.copytree(small.tree("pocus"), tmp_path / "copy")
    (copied / "pocus_videos/convex/Cov-Atlas-Day+2.gif").unlink()
    (copied / "pocus_videos/convex/unexpected.gif").write_bytes(b"GIF89a")
    with pytest.raises(IncompleteSourceError, match=r"Cov-Atlas-Day\+2\.gif"):
        build_dataset("pocus", data_dir=copied, cache_dir=tmp_path / "cache", num_proc=1)
    built = build_dataset("pocus", data_dir=copied, cache_dir=tmp_path / "cache", num_proc=1, allow_missing=True)
    told = {notice["where"]: notice["kind"] for notice in built.manifest()["notices"]}
    assert told["pocus_videos/convex/Cov-Atlas-Day+2.gif"] == "missing file"
    assert told[str(copied / "pocus_videos/convex/unexpected.gif")] == "extra file"
    assert built.rows == len(source.FILES) - 1
    whole = {row["sample_id"]: row for row in Index.read(small.build("pocus").path).table.to_pylist()}
    for row in Index.read(built.path).table.to_pylist():
        assert row["official_split"] == whole[row["sample_id"]]["official_split"], "no fold depends on what is missing"


@pytest.mark.parametrize(
    ("column", "cell", "kind"),
    [
        ("Label", "Covid or so", "unknown finding"),
        ("Label", "regular", "label contradicts the name"),
        ("Age", "-3", "impossible value"),
        ("Age", "forty", "impossible value"),
        ("Age", "400", "impossible value"),
        ("Gender", "x", "unknown value"),
        ("InThisRepo", "", "listed as not hosted"),
    ],
)
def test_an_odd_cell_is_told_and_the_file_is_kept(column: str, cell: str, kind: str, tree: Path) -> None:
    rows = source.table([*source.FILES, *source.ELSEWHERE])
    rows[2][column] = cell
    with (tree / TABLE).open("w", encoding="utf-8", newline="") as lines:
        out = csv.DictWriter(lines, source.HEADER)
        out.writeheader()
        out.writerows(rows)
    found, notices = found_in(tree)
    record = found["Cov-Atlas-Day+2.gif"]
    assert kind in {notice.kind for notice in notices if notice.where == "pocus_videos/convex/Cov-Atlas-Day+2.gif"}
    assert (record.age, record.sex) == (None, None) or column not in ("Age", "Gender")
    assert (record.label, "unknown_finding" in record.flags) == {
        "Covid or so": (None, True), "regular": ("no_finding", False),
    }.get(cell, ("covid19", False))  # fmt: skip


# --- the real source -----------------------------------------------------------------------------------------------


def test_the_card_knows_every_file() -> None:
    card = load_card("pocus")
    files = [path for path in read_manifest(card.resources[0].manifest) if path != TABLE]
    assert len(files) == card.version()[1].images == sum(card.version()[1].labels.values())
    folds = official_folds([PurePosixPath(path) for path in files])
    assert Counter(folds.values()) == {f"fold-{fold}": 29 for fold in range(1, 6)}


@pytest.mark.skipif(not SERVED.is_dir(), reason="no COVID_DATASETS_TEST_MIRROR")
def test_the_part_of_the_real_source_that_the_mirror_holds(tmp_path: Path) -> None:
    built = build_dataset("pocus", mirror=str(MIRROR), cache_dir=tmp_path, num_proc=1, allow_missing=True)
    assert built.incomplete
    assert built.rows >= 30
    assert not [
        notice for notice in built.manifest()["notices"] if notice["kind"] in ("undecodable (poor)", "unknown finding")
    ]


@pytest.mark.skipif(not REAL.is_dir(), reason="no COVID_DATASETS_TEST_REAL")
def test_the_real_table() -> None:
    manifest = load_card("pocus").resources[0].manifest
    raw = RawTree((ManifestMount(TreeMount((str(REAL.absolute()),), "data/"), manifest),), options=FRAMES)
    found = [item for item in records(raw) if isinstance(item, Record)]
    version = load_card("pocus").version()[1]
    assert len(found) == version.images
    assert len({record.patient for record in found}) == version.patients
    assert Counter(record.label for record in found) == dict(version.labels)
    assert sum(isinstance(record.image, Parts) for record in found) == 135
    assert Counter(flag for record in found for flag in record.flags) == {
        "healthy_contradicts_label": 6, "label_uncertain": 1, "patient_doubtful": 70,
    }  # fmt: skip
    people: dict[str | None, set[str]] = {}
    for record in found:
        if record.official_split:
            people.setdefault(record.patient, set()).add(record.official_split)
    assert sum(len(folds) > 1 for folds in people.values()) == 7
