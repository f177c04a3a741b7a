"""The weights that ship are those of their card and are good; other, damaged and foreign ones are refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets.cli import main
from covid_datasets.errors import DamagedFileError, UsageError
from covid_datasets.own.segment.folder import segment_folder
from covid_datasets.phantoms.volume import chest_volume
from covid_datasets.transforms.segment.infection import infection_mask
from covid_datasets.transforms.segment.lungs import lung_mask

pytestmark = pytest.mark.skipif(
    not (find_spec("torch") and find_spec("safetensors")), reason="needs the extra baselines"
)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / max(one.sum() + other.sum(), 1))


def test_what_ships_is_what_its_card_says() -> None:
    from covid_datasets.baselines.segment.weights import SHIPPED, load_weights

    weights = load_weights()
    data = SHIPPED.read_bytes()
    assert weights.sha256 == hashlib.sha256(data).hexdigest() == weights.card["sha256"]
    assert len(data) == weights.card["bytes"] < 1_000_000
    assert weights.card["license"] == "Apache-2.0"
    assert "no person" in weights.card["trained_on"][0]
    assert len(weights.card["trained_on"]) == 1
    assert weights.name == f"unet_phantoms@{weights.sha256[:8]}"


def test_what_ships_keeps_consolidation_on_chests_that_it_did_not_learn_from() -> None:
    from covid_datasets import learned_infection, learned_lungs

    for seed in (0, 1):
        known = chest_volume(seed, shape=(20, 128, 128), load=0.3, kinds=("consolidation",))
        lung, ill = known.lung > 0, known.infection > 0
        plain = lung_mask(known.voxels, spacing=known.spacing, orientation="LPS")
        learned = lung_mask(known.voxels, spacing=known.spacing, orientation="LPS", method=learned_lungs())
        assert dice(learned.mask > 0, lung) > max(0.92, dice(plain.mask > 0, lung) + 0.03)
        assert dice(learned.mask == 1, known.lung == 1) > 0.91
        assert ill[learned.mask > 0].sum() / ill.sum() > 0.85
        found = infection_mask(known.voxels, learned, spacing=known.spacing, method=learned_infection())
        assert dice(found.mask > 0, ill) > 0.8
        assert found.method == learned.method


@pytest.mark.parametrize("codes", ["", "LAS"])
def test_a_chest_that_lies_on_its_face_is_seen_as_well(codes: str) -> None:
    from covid_datasets import learned_lungs

    known = chest_volume(11, shape=(8, 64, 64), load=0.3, kinds=("consolidation",))
    straight = lung_mask(known.voxels, spacing=known.spacing, orientation="LPS", method=learned_lungs())
    over = lung_mask(known.voxels[:, ::-1], spacing=known.spacing, orientation=codes, method=learned_lungs())
    assert dice(over.mask[:, ::-1] > 0, straight.mask > 0) > 0.98


def test_what_is_no_ct_stays_refused_and_a_slice_alone_is_a_slice() -> None:
    from covid_datasets import learned_lungs

    noise = np.random.default_rng(0).integers(0, 255, (96, 96)).astype(np.uint8)
    for nothing in (noise, np.full((64, 64), 40, np.int16), np.linspace(0, 255, 96 * 96).reshape(96, 96)):
        assert lung_mask(nothing, method=learned_lungs()).empty
    known = chest_volume(3, shape=(9, 128, 128), load=0.1)
    found = lung_mask(known.voxels[4], spacing=known.spacing, method=learned_lungs())
    assert found.mask.shape == (128, 128)
    assert dice(found.mask > 0, known.lung[4] > 0) > 0.95
    assert any("single slice" in reason for reason in found.reasons)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    from covid_datasets.baselines.segment.weights import SHIPPED

    for path in (SHIPPED, SHIPPED.with_suffix(".json")):
        shutil.copyfile(path, tmp_path / path.name)
    return tmp_path / SHIPPED.name


@pytest.mark.parametrize("damage", ["bit", "cut", "empty"])
def test_damaged_weights_are_refused(copied: Path, damage: str) -> None:
    from covid_datasets.baselines.segment.weights import load_weights

    data = bytearray(copied.read_bytes())
    data[-9] ^= 1
    copied.write_bytes({"bit": bytes(data), "cut": bytes(data[:-9]), "empty": b""}[damage])
    with pytest.raises(DamagedFileError, match="expected the digest"):
        load_weights(copied)


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 64, b"\xff" * 64, b"\x02\x00\x00\x00\x00\x00\x00\x00{}", b"PK\x03\x04 a pickle"]
)
def test_a_file_of_something_else_is_refused_though_its_card_agrees(copied: Path, data: bytes) -> None:
    from covid_datasets.baselines.segment.weights import load_weights

    copied.write_bytes(data)
    agree(copied)
    with pytest.raises((DamagedFileError, UsageError), match="expected (safetensors|weights)"):
        load_weights(copied)


def agree(path: Path) -> None:
    card = json.loads(path.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(card))


def test_weights_of_another_architecture_are_refused(copied: Path) -> None:
    from safetensors.torch import load, save

    from covid_datasets.baselines.segment.weights import load_weights

    tensors = load(copied.read_bytes())

    def written(found: dict[str, Any], said: dict[str, str] | None) -> None:
        copied.write_bytes(save(found, said))
        agree(copied)

    written(tensors, None)
    with pytest.raises(UsageError, match="found no architecture"):
        load_weights(copied)
    for wrong in ({"widths": [8, 16]}, {"side": 7}, {"slices": 2}, {"outputs": ["cat"]}, {"widths": [10**9] * 3}):
        said = {"slices": 3, "widths": [8, 16, 32, 48, 72], "side": 96, "outputs": ["lung", "infection", "dense"]}
        written(tensors, {"architecture": json.dumps(said | wrong)})
        with pytest.raises(UsageError, match="expected weights of a residual U-Net"):
            load_weights(copied)
    written({"fc.weight": tensors["score.weight"]}, {"architecture": json.dumps(said)})
    with pytest.raises(UsageError, match="another architecture"):
        load_weights(copied)


def test_weights_need_their_card(copied: Path) -> None:
    from covid_datasets.baselines.segment.weights import load_weights

    beside = copied.with_suffix(".json")
    beside.write_text("{}")
    with pytest.raises(DamagedFileError, match="found nothing about name"):
        load_weights(copied)
    beside.unlink()
    with pytest.raises(UsageError, match="with their card"):
        load_weights(copied)
    with pytest.raises(UsageError, match="found nothing"):
        load_weights(copied.with_name("none.safetensors"))


def test_a_folder_is_segmented_by_weights_and_done_again_with_others(tmp_path: Path) -> None:
    from PIL import Image

    from covid_datasets import learned_lungs
    from covid_datasets.transforms.windows import windowed

    known = chest_volume(5, shape=(9, 96, 96), load=0.3, kinds=("consolidation",))
    (tmp_path / "scans").mkdir()
    Image.fromarray(windowed(known.voxels[4], (-1350, 150))).save(tmp_path / "scans" / "a.png")
    plain = segment_folder(tmp_path / "scans", tmp_path / "masks")
    learned = segment_folder(tmp_path / "scans", tmp_path / "masks", lungs=learned_lungs())
    assert learned.scans[0].infection_rate != plain.scans[0].infection_rate
    assert main(["segment", str(tmp_path / "scans"), str(tmp_path / "other"), "--lungs", "learned"]) == 0
    rows = json.loads((tmp_path / "other" / "segment.json").read_text())
    assert rows[0]["infection_rate"] == learned.scans[0].infection_rate
    with pytest.raises(UsageError, match="lungs: expected one of classical"):
        segment_folder(tmp_path / "scans", tmp_path / "masks", lungs="clasical")  # type: ignore[arg-type]


def test_weights_without_anything_learned_are_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", str(tmp_path), str(tmp_path / "out"), "--weights", "a.safetensors"]) == 2
    assert "--lungs learned" in capsys.readouterr().err
