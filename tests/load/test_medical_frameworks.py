"""`framework="monai"` and `"torchio"`: what these libraries read from the same files, and their pipelines."""

from __future__ import annotations

import copy
import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import load_dataset
from covid_datasets.errors import MissingExtraError, UsageError
from covid_datasets.schema import COLUMNS
from tests.nifti import USUAL, nifti
from tests.small import SmallSources

pytestmark = [
    pytest.mark.filterwarnings("ignore:.* is INCOMPLETE"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
OBLIQUE = np.array([[-0.6, 0.2, 0.5, 30.0], [0.1, 0.7, -0.4, -40.0], [0.2, 0.3, 4.8, -300.0], [0, 0, 0, 1.0]])


@pytest.fixture
def monai() -> Any:
    return pytest.importorskip("monai")


@pytest.fixture
def torchio() -> Any:
    return pytest.importorskip("torchio")


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


def load(small: SmallSources, name: str, config: str | None = None, **options: Any) -> Any:
    config = small.build(name, config=config).config
    return load_dataset(name, config, "all", cache_dir=small.cache, allow_missing=True, offline=True, **options)


def odd_volumes(folder: Path) -> dict[str, bytes]:
    """Volumes whose axes differ in length, and whose headers say all that a header may say."""
    voxels = np.random.default_rng(0).integers(-1000, 1000, (5, 6, 7)).astype(np.int16)
    files = {
        "usual.nii.gz": nifti(voxels),
        "unpacked.nii": nifti(voxels, packed=False),
        "oblique.nii.gz": nifti(voxels, OBLIQUE),
        "flipped.nii.gz": nifti(voxels, np.diag([-1.0, -1.0, -1.0, 1.0]) @ USUAL),
        "nowhere.nii.gz": nifti(voxels, located=False),
        "scaled.nii.gz": nifti(voxels, slope=0.5, intercept=-3.0),
        "bytes.nii.gz": nifti(np.abs(voxels).astype(np.uint8)),
        "big.nii.gz": nifti(voxels.astype(">i2")),
        "floats.nii.gz": nifti(voxels.astype(np.float32) / 7),
    }
    for name, data in files.items():
        (folder / name.split(".")[0]).mkdir(parents=True)
        (folder / name.split(".")[0] / name).write_bytes(data)
    return files


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """Own data with volumes, in a folder that also is the cache of its build."""
    pytest.importorskip("nibabel")
    folder = tmp_path_factory.mktemp("odd")
    return folder, odd_volumes(folder / "ward")


def load_odd(odd: tuple[Path, dict[str, bytes]], framework: str, **options: Any) -> Any:
    folder = odd[0]
    return load_dataset(
        folder / "ward", split="all", framework=framework, cache_dir=folder / "cache", num_proc=1, **options
    )


def file_of(odd: tuple[Path, dict[str, bytes]], sample: str) -> Path:
    (path,) = (path for path in (odd[0] / "ward").rglob("*.nii*") if path.name.split(".")[0] in sample)
    return path


# MONAI


@pytest.mark.filterwarnings("ignore:own.ward")
def test_volumes_are_what_monai_loads(odd: Any, monai: Any, torch: Any) -> None:
    from monai.transforms import EnsureChannelFirst, LoadImage

    rows = load_odd(odd, "monai")
    assert len(rows) == len(odd[1])
    for row in rows:
        theirs = EnsureChannelFirst()(LoadImage(image_only=True)(file_of(odd, row["sample_id"])))
        ours = row["volume"]
        assert type(ours) is type(theirs)
        assert ours.dtype == theirs.dtype == torch.float32
        assert torch.equal(ours.as_tensor(), theirs.as_tensor()), row["sample_id"]
        assert np.allclose(ours.affine, theirs.affine, atol=1e-5), row["sample_id"]
        assert np.allclose(ours.pixdim, theirs.pixdim, atol=1e-5)
        assert ours.meta["space"] == theirs.meta["space"]
        assert list(ours.meta["spatial_shape"]) == list(theirs.meta["spatial_shape"]) == [7, 6, 5]
        assert getattr(ours, "spatial_ndim", 3) == getattr(theirs, "spatial_ndim", 3)


def test_masks_of_some_rows(small: SmallSources, monai: Any) -> None:
    rows = load(small, "mosmed", "volumes", framework="monai")
    masked = [row for row in rows if "mask_infection" in row]
    assert 0 < len(masked) < len(rows)
    for row in masked:
        assert row["mask_infection"].shape == row["volume"].shape
        assert np.allclose(row["mask_infection"].affine, row["volume"].affine)
        assert set(np.unique(row["mask_infection"])) == {0, 1}
    assert all("image" not in row for row in rows)


def test_slices_lie_where_their_volume_has_them(small: SmallSources, monai: Any) -> None:
    """Every pixel has the value that the volume has at the same place in the body."""
    volumes = {row["study_id"] or row["sample_id"]: row for row in load(small, "mosmed", "volumes", framework="monai")}
    slices = load(small, "mosmed", "slices", framework="monai")
    for row in slices[:: max(len(slices) // 7, 1)]:
        values, affine = row["image"].numpy()[0], row["image"].affine.numpy()
        (volume,) = (each for name, each in volumes.items() if name in (row["study_id"], row["sample_id"][:-4]))
        pixels = np.array([[3, 5, 0, 1], [90, 20, 0, 1], [40, 80, 0, 1]], float).T
        there = np.linalg.inv(volume["volume"].affine.numpy()) @ affine @ pixels
        near = np.rint(there[:3]).astype(int)
        assert np.abs(there[:3] - near).max() < 1e-3
        assert values[tuple(pixels[:2].astype(int))].tolist() == volume["volume"].numpy()[0][tuple(near)].tolist()
        assert np.allclose(row["image"].pixdim[:2], (0.7, 0.7))
        assert row["image"].min() < -500, "Hounsfield units"


def test_pictures_are_what_monai_loads(small: SmallSources, monai: Any, torch: Any, tmp_path: Path) -> None:
    from monai.transforms import EnsureChannelFirst, LoadImage

    stored = load(small, "cohen", framework="pandas")
    rows = load(small, "cohen", framework="monai")
    compared = 0
    for row, (_, kept) in zip(rows, stored.iterrows(), strict=True):
        suffix = Path(kept["image"]["path"]).suffix.lower()
        if kept["pixel_mode"] not in ("L", "RGB") or suffix not in (".png", ".jpg", ".jpeg") or kept["spacing"]:
            continue
        path = tmp_path / f"{compared}{suffix}"
        path.write_bytes(kept["image"]["bytes"])
        theirs = EnsureChannelFirst()(LoadImage(image_only=True)(path))
        assert torch.equal(row["image"].as_tensor(), theirs.as_tensor())
        assert torch.equal(row["image"].affine, theirs.affine)
        compared += 1
    assert compared > 3


def test_a_pipeline_of_monai(small: SmallSources, monai: Any, torch: Any) -> None:
    from monai.data import CacheDataset, DataLoader, Dataset, decollate_batch
    from monai.transforms import Compose, EnsureChannelFirstd, RandFlipd, Resized, ScaleIntensityRanged

    rows = load(small, "phantom", framework="monai")
    keys = ["image", "mask_lung"]
    transform = Compose(
        [
            EnsureChannelFirstd(keys),
            ScaleIntensityRanged("image", 0, 255, 0, 1),
            RandFlipd(keys, prob=0.5, spatial_axis=0),
            Resized(keys, (32, 32), mode=("bilinear", "nearest")),
        ]
    )
    ct = [row for row in rows if "mask_lung" in row]
    for dataset in (Dataset(ct, transform), CacheDataset(ct, transform, progress=False, num_workers=None)):
        batch = next(iter(DataLoader(dataset, batch_size=4)))
        assert batch["image"].shape == batch["mask_lung"].shape == (4, 1, 32, 32)
        assert batch["label"].shape == (4,)
        single = decollate_batch(batch)
        assert [row["sample_id"] for row in single] == [row["sample_id"] for row in ct[:4]]
        assert single[0]["image"].affine.shape == (4, 4)
        assert torch.is_tensor(single[0]["mask_lung"])
    lazily = Dataset(rows, Compose([ScaleIntensityRanged("image", 0, 255, 0, 1)]))
    assert len(lazily) == len(rows)
    assert float(lazily[3]["image"].max()) <= 1


def test_volumes_in_a_pipeline_of_monai(odd: Any, monai: Any) -> None:
    from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Orientationd, Spacingd

    steps = [Orientationd("volume", "RAS"), Spacingd("volume", (1.0, 1.0, 4.0))]
    for row in load_odd(odd, "monai"):
        if "floats" in row["sample_id"]:
            continue
        ours = Compose(steps)({"volume": row["volume"]})["volume"]
        read = Compose([LoadImaged("volume"), EnsureChannelFirstd("volume"), *steps])
        theirs = read({"volume": str(file_of(odd, row["sample_id"]))})["volume"]
        assert ours.shape == theirs.shape
        assert np.allclose(ours, theirs, atol=1e-2)
        assert np.allclose(ours.affine, theirs.affine, atol=1e-4)


def test_batches_can_be_made_of_whatever_is_unknown(small: SmallSources, monai: Any) -> None:
    from monai.data import list_data_collate

    rows = load(small, "cohen", framework="monai")
    told = load(small, "cohen", framework="numpy")
    pictures = {"image", "mask_lung"}
    plain = [{name: value for name, value in row.items() if name not in pictures} for row in rows]
    batch = list_data_collate(plain)
    assert list(batch["sex"]) == [row["sex"] or "" for row in told]
    assert [math.isnan(age) for age in batch["age"]] == [row["age"] is None for row in told]
    assert [int(label) == -100 for label in batch["label"]] == [row["label"] is None for row in told]
    assert any(row["age"] is None for row in told)
    assert any(row["label"] is None for row in told)
    assert not {name for name in plain[0] if isinstance(COLUMNS.get(name), list | dict)}


def test_columns_are_chosen_as_everywhere(small: SmallSources, monai: Any) -> None:
    rows = load(small, "phantom", framework="monai", columns=["image", "label"], task="covid19_vs_rest")
    assert set(rows[0]) == {"image", "label"}
    assert rows.column_names == ["image", "label"]
    assert rows.label_names == ("rest", "covid19")
    assert {row["label"] for row in rows} == {0, 1}
    assert repr(rows) == f"MonaiRows({len(rows)} rows)"
    assert set(load(small, "phantom", framework="monai", columns=["image"])[0]) == {"image"}
    kept = load(small, "phantom", framework="monai", columns=["masks", "quality_reasons"])
    assert set(kept[0]) >= {"mask_lung", "quality_reasons"}
    assert [row["sample_id"] for row in load(small, "phantom", framework="monai")[2:4]] == [
        load(small, "phantom", framework="monai")[number]["sample_id"] for number in (2, 3)
    ]
    for beyond in (len(rows), -len(rows) - 1):
        with pytest.raises(IndexError):
            rows[beyond]
    assert pickle.loads(pickle.dumps(rows))[-1]["image"].shape == rows[len(rows) - 1]["image"].shape


def test_several_sources_and_workers(small: SmallSources, monai: Any, torch: Any) -> None:
    from monai.data import DataLoader

    for name in ("cohen", "covid_ct"):
        small.build(name)
    rows = load_dataset(
        ["cohen", "covid_ct"],
        split="all",
        framework="monai",
        columns=["image", "label", "dataset"],
        cache_dir=small.cache,
        allow_missing=True,
        offline=True,
    )
    assert {row["dataset"] for row in rows} == {"cohen", "covid_ct"}
    loader = DataLoader(rows, batch_size=1, num_workers=2)
    assert [batch["dataset"][0] for batch in loader] == [row["dataset"] for row in rows]


# TorchIO


@pytest.mark.filterwarnings("ignore:own.ward")
def test_volumes_are_what_torchio_loads(odd: Any, torchio: Any, torch: Any) -> None:
    subjects = load_odd(odd, "torchio")
    assert len(subjects) == len(odd[1])
    for subject in subjects:
        theirs = torchio.ScalarImage(file_of(odd, subject["sample_id"]))
        ours = subject["volume"]
        assert isinstance(ours, torchio.ScalarImage)
        assert ours.shape == theirs.shape == (1, 7, 6, 5)
        assert torch.equal(ours.data, theirs.data.float()), subject["sample_id"]
        assert np.allclose(ours.affine, theirs.affine, atol=1e-5), subject["sample_id"]
        assert np.allclose(ours.spacing, theirs.spacing, atol=1e-5)


def test_pictures_are_what_torchio_loads(small: SmallSources, torchio: Any, torch: Any, tmp_path: Path) -> None:
    stored = load(small, "phantom", framework="pandas")
    subjects = load(small, "phantom", framework="torchio")
    for subject, (_, kept) in zip(subjects[:5], stored.iterrows(), strict=False):
        path = tmp_path / "a.png"
        path.write_bytes(kept["image"]["bytes"])
        theirs = torchio.ScalarImage(path)
        assert torch.equal(subject["image"].data, theirs.data.float())
        assert np.allclose(subject["image"].affine, theirs.affine)
        path.write_bytes(kept["masks"]["lung"]["bytes"])
        assert torch.equal(subject["mask_lung"].data, torchio.LabelMap(path).data.float())
        assert isinstance(subject["mask_lung"], torchio.LabelMap)


def test_a_pipeline_of_torchio(small: SmallSources, torchio: Any, torch: Any) -> None:
    subjects = load(small, "mosmed", "volumes", framework="torchio")
    masked = [subject for subject in subjects if "mask_infection" in subject]
    assert 0 < len(masked) < len(subjects)
    transform = torchio.Compose([torchio.ToCanonical(), torchio.RandomFlip(axes=(0,), p=1), torchio.ZNormalization()])
    dataset = torchio.SubjectsDataset(masked, transform=transform)
    changed = dataset[0]
    assert changed["volume"].orientation == ("R", "A", "S")
    assert changed["mask_infection"].shape == changed["volume"].shape
    assert abs(float(changed["volume"].data.mean())) < 1e-3
    patches = torchio.UniformSampler((16, 16, 4))(masked[0], num_patches=2)
    assert [patch["volume"].shape for patch in patches] == [(1, 16, 16, 4)] * 2
    batch = next(iter(torchio.SubjectsLoader(torchio.SubjectsDataset(masked), batch_size=2)))
    assert batch["volume"]["data"].shape[:2] == (2, 1)


def test_subjects_are_cheap_to_list(small: SmallSources, torchio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    rows = load(small, "phantom", framework="torchio")
    read = type(rows._rows).pictures

    def counted(self: Any, index: int) -> Any:
        decoded.append(index)
        return read(self, index)

    monkeypatch.setattr(type(rows._rows), "pictures", counted)
    dataset = torchio.SubjectsDataset(rows)
    assert len(dataset) == len(rows)
    assert decoded == []
    subject = copy.deepcopy(rows[3])
    assert subject["image"].shape == subject["mask_lung"].shape
    assert decoded == [3], "once for a picture and all of its masks"
    assert pickle.loads(pickle.dumps(rows[3]))["image"].shape == subject["image"].shape


def test_a_row_without_pictures_is_no_subject(small: SmallSources, torchio: Any) -> None:
    rows = load(small, "phantom", framework="torchio", columns=["label", "sample_id"])
    with pytest.raises(UsageError, match="expected an image, a volume or a mask"):
        rows[0]
    assert repr(rows) == f"TorchioRows({len(rows)} rows)"
    with pytest.raises(IndexError):
        rows[len(rows)]


# What is not there


@pytest.mark.parametrize("framework", ["monai", "torchio"])
def test_extras_and_tables(framework: str, small: SmallSources, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(framework)
    with pytest.raises(UsageError, match="is a table without images"):
        load(small, "jhu_csse", framework=framework)
    monkeypatch.setattr("covid_datasets.extras.is_installed", lambda name: name != framework)
    with pytest.raises(MissingExtraError, match=rf"covid_datasets\[{framework}\]"):
        load_dataset("phantom", framework=framework)


def test_the_page_runs(tmp_path: Path, monai: Any, torchio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVID_DATASETS_CACHE", str(tmp_path))
    text = (Path(__file__).resolve().parents[2] / "docs" / "monai.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) > 1
    for part in blocks:
        exec(compile(part, "docs/monai.md", "exec"), names)
