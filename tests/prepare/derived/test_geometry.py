"""What a view says of where its voxels are, and of what follows them: masks, boxes, ids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import build_dataset
from covid_datasets.errors import UsageError
from covid_datasets.load.rows import decoded
from covid_datasets.prepare.result import Built
from covid_datasets.read.encode import encode
from covid_datasets.schema import Made
from covid_datasets.transforms.axes import interpolated_plane, kept, sized, spaced
from covid_datasets.transforms.windows import WINDOWS, windowed
from tests.prepare.derived.records import BOX, UPRIGHT, film, given, stack, use, volume
from tests.processes import table_of

MASK = np.zeros((24, 32), np.uint8)
MASK[6:9, 4:12] = 1


def view(cache: Path, **wanted: Any) -> Built:
    return build_dataset("phantom", "small", cache_dir=cache, num_proc=1, allow_missing=True, **wanted)


def rows(built: Built) -> list[dict[str, Any]]:
    """Decode all rows, in the order of their ids."""
    return sorted(map(decoded, table_of(built).to_pylist()), key=lambda row: row["sample_id"])


def notices(built: Built, kind: str) -> list[dict[str, Any]]:
    return [each for each in built.manifest()["notices"] if each["kind"] == kind]


def test_a_window_changes_grey_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voxels = volume(5)
    use(
        monkeypatch,
        stack("a", voxels, masks={number: {"lung": MASK} for number in range(5)}, every={2: {"boxes": (BOX,)}}),
    )
    before, after = rows(view(tmp_path)), rows(view(tmp_path, window="lung"))
    for pixels, old, new in zip(voxels, before, after, strict=True):
        assert np.array_equal(new["image"], windowed(pixels, WINDOWS["lung"]))
        changed = {name for name in old if name != "image" and repr(old[name]) != repr(new[name])}
        assert changed == {"value_range", "pixel_mode", "sha256", "pixel_hash"} - (
            {"pixel_hash"} if old["pixel_hash"] == new["pixel_hash"] else set()
        ) | ({"phash"} if old["phash"] != new["phash"] else set())
        assert new["value_range"] == "Hounsfield units from -1350 to 150 as 0 to 255"


def test_spacing_makes_new_slices_with_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voxels = volume(10)
    use(monkeypatch, stack("a", voxels, masks={number: {"lung": MASK} for number in range(10)}))
    found = rows(view(tmp_path, to_spacing=(0.8, 1.2, 2.5)))
    down, across = spaced(24, 0.6, 1.2), spaced(10, 4.0, 2.5)
    assert [row["sample_id"] for row in found] == [f"phantom/a/{number:03}" for number in range(16)]
    assert {row["part_index"] for row in found} == set(range(16))
    for number, row in enumerate(found):
        assert row["spacing"] == [0.8, 1.2, 2.5]
        assert row["orientation"] == list(UPRIGHT)
        assert row["position"] == pytest.approx([-10.0, -20.0 + 0.3, 4.0 * (across.scale * number + across.shift)])
        assert (row["height"], row["width"]) == row["image"].shape == (12, 32)
        assert row["hu_slope"] is None
        assert set(np.unique(row["masks"]["lung"])) == {0, 1}
    exact = sum(weights[7] * interpolated_plane(voxels[samples[7]], down, kept(32)) for samples, weights in across.taps)
    assert np.abs(found[7]["image"] - exact).max() <= 0.5 + 1e-9
    assert found[7]["image"].dtype == np.int16


@pytest.mark.parametrize(("wanted", "codes"), [("RPS", (1, -1)), ("LAS", (-1, 1)), ("LPI", (1, 1)), ("PLS", (1, 1))])
def test_turning_in_the_plane_keeps_ids_and_values(
    wanted: str, codes: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voxels = volume(4)
    every = {number: {"boxes": (BOX,)} for number in range(4)}
    use(monkeypatch, stack("a", voxels, masks={number: {"lung": MASK} for number in range(4)}, every=every))
    found = rows(view(tmp_path, to_orientation=wanted))
    assert [row["sample_id"] for row in found] == [f"phantom/a/{number:03}" for number in range(4)]
    for pixels, row in zip(voxels, found, strict=True):
        turned = pixels.T if wanted == "PLS" else pixels
        turned = turned[:, ::-1] if wanted == "RPS" else turned[::-1] if wanted == "LAS" else turned
        assert np.array_equal(row["image"], turned)
        inside = np.zeros_like(turned, np.uint8)
        (box,) = row["boxes"]
        x, y, width, height = (int(box[name]) for name in ("x", "y", "width", "height"))
        inside[y : y + height, x : x + width] = 1
        assert np.array_equal(row["masks"]["lung"], inside), "the box is around the mask still"
    order = [row["part_index"] for row in found]
    assert order == ([3, 2, 1, 0] if wanted == "LPI" else [0, 1, 2, 3])
    heights = [row["position"][2] for row in found]
    assert heights == [0.0, 4.0, 8.0, 12.0], "a slice stays where it was"


def test_every_voxel_is_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From place to value: of an oblique series, seen from the front."""
    voxels = volume(6)
    along, down = np.array([0.98, 0.1, -0.17]), np.array([-0.08, 0.99, 0.11])
    along, down = along / np.linalg.norm(along), down - along * (along @ down) / (along @ along)
    down = down / np.linalg.norm(down)
    step = np.cross(along, down) * 4.0
    positions = [tuple(np.array([-10.0, 20.0, 5.0]) + number * step) for number in range(6)]
    use(monkeypatch, stack("a", voxels, orientation=(*along, *down), positions=positions))
    z, y, x = (grid.reshape(-1, 1) for grid in np.indices(voxels.shape))
    places, values = np.array(positions)[z.ravel()] + x * 0.8 * along + y * 0.6 * down, voxels.ravel()
    found = rows(view(tmp_path, to_orientation="LIP"))
    assert len(found) == 24
    assert {row["view"] for row in found} == {"coronal"}
    for row in found:
        right, downwards = np.reshape(row["orientation"], (2, 3))
        for line, column in ((0, 0), (0, 31), (5, 0), (5, 31), (2, 9)):
            across, under = column * row["spacing"][0] * right, line * row["spacing"][1] * downwards
            at = np.array(row["position"]) + across + under
            apart = np.abs(places - at).max(axis=1)
            assert apart.min() < 0.01
            assert values[apart.argmin()] == row["image"][line, column]


def test_what_differs_between_slices_is_unknown_of_those_that_cut_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every: dict[int, dict[str, Any]] = {0: {"flags": ("first",), "label_raw": "x", "boxes": (BOX,)}}
    every[1] = {"flags": ("second",)}
    masks = {number: {"lung": MASK} | ({"infection": MASK} if number else {}) for number in range(5)}
    use(monkeypatch, stack("a", volume(5), every=every, masks=masks))
    built = view(tmp_path, to_orientation="PSL")
    found = rows(built)
    assert len(found) == 32
    for row in found:
        assert (row["label_raw"], row["boxes"], row["flags"]) == (None, None, ["first", "second"])
        assert row["masks"]["infection"] is None
        assert row["masks"]["lung"] is not None
        assert row["patient_id"] == "phantom/a"
    assert "infection" in notices(built, "mask not usable")[0]["what"]


def test_masks_of_some_slices_stay_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, stack("a", volume(4), masks={2: {"infection": MASK}}))
    found = rows(view(tmp_path, to_spacing=(0.8, 0.6, 2.0)))
    drawn = [row["masks"]["infection"] is not None for row in found]
    assert drawn == [False] * 4 + [True] * 2 + [False] * 2


@pytest.mark.parametrize("wanted", [{"image_size": (24, 32)}, {"to_spacing": 4.0}, {"to_orientation": "PSL"}])
def test_a_mask_of_another_size_fills_its_picture(
    wanted: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where slices are made anew: it was empty there, as if there were no lesion."""
    half = np.zeros((12, 16), np.uint8)
    half[:, 8:] = 7
    use(monkeypatch, stack("a", volume(6), masks={number: {"lung": half} for number in range(6)}))
    found = rows(view(tmp_path, **wanted))
    drawn = np.stack([row["masks"]["lung"] for row in found])
    assert all(row["masks"]["lung"].shape == row["image"].shape for row in found)
    assert set(np.unique(drawn)) == {0, 7}
    assert (drawn > 0).mean() == pytest.approx(0.5, abs=0.1)


def test_slices_of_which_nobody_tells_the_place_are_not_turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of them is nearer to the head nobody knows, nor how far apart they are."""
    nowhere: dict[int, dict[str, Any]] = {number: {"position": None} for number in range(4)}
    use(
        monkeypatch,
        stack("a", volume(4)),
        stack("b", volume(4, seed=1), every=nowhere, spacing=(0.8, 0.6)),
        stack("c", volume(4, seed=2), every=nowhere),
    )
    for codes in ("LPI", "PSL"):
        built = view(tmp_path, to_orientation=codes)
        assert {row["series_id"] for row in rows(built)} == {"phantom/a"}
        assert built.view["left_out"] == 8
        assert all("nobody tells where its slices lie" in each["what"] for each in notices(built, "not in this view"))
    apart = rows(view(tmp_path, to_spacing=(0.8, 0.6, 2.0)))
    assert {row["series_id"] for row in apart} == {"phantom/a", "phantom/c"}, "how far apart they are is told"


def test_a_slice_that_cannot_be_decoded_is_left_out_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was counted as if the whole series were left out, of which there were rows already."""
    pictures = [encode(np.full((20, 20), 10 * number, np.uint8)) for number in range(5)]
    pictures[3] = pictures[3][:60]
    films = [
        film(
            f"a{number}", np.zeros((20, 20), np.uint8), series="a", part_index=number, spacing=(1.0, 1.0, 4.0),
            orientation=UPRIGHT, position=(0.0, 0.0, 4.0 * number),
        )
        for number in range(5)
    ]  # fmt: skip
    shown = [Made(f"{number}.png", given, (data,)) for number, data in enumerate(pictures)]
    use(monkeypatch, *(replace(each, image=made, patient="a") for each, made in zip(films, shown, strict=True)))
    source = view(tmp_path, verify="bytes")
    built = view(tmp_path, verify="bytes", to_orientation="RPS")
    assert built.rows + built.view["left_out"] == source.rows == 5
    assert [row["sample_id"] for row in rows(built)] == [f"phantom/a{number}" for number in (0, 1, 2, 4)]
    assert [(each["where"], each["count"]) for each in notices(built, "not in this view")] == [("phantom/a3", 1)]


def test_a_size_moves_boxes_masks_and_spacing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, stack("a", volume(2), masks={0: {"lung": MASK}}, every={0: {"boxes": (BOX,)}}))
    first, second = rows(view(tmp_path, image_size=(48, 16)))
    assert first["image"].shape == (48, 16)
    assert first["spacing"] == [1.6, 0.3, 4.0]
    assert first["position"] == pytest.approx([-10.0 + 0.4, -20.0 - 0.15, 0.0])
    assert [first["boxes"][0][name] for name in ("x", "y", "width", "height")] == [2.0, 12.0, 4.0, 6.0]
    assert first["masks"]["lung"].shape == (48, 16)
    assert second["masks"]["lung"] is None
    assert second["boxes"] is None


def test_pictures_of_all_kinds_get_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    colours = draw.integers(0, 256, (30, 40, 3)).astype(np.uint8)
    counts = draw.integers(0, 4096, (30, 40)).astype(np.uint16)
    use(
        monkeypatch,
        film("colours", colours), film("counts", counts), film("grey", colours[..., 0]),
        film("scaled", counts, hu_slope=2.0, hu_intercept=-1024.5),
    )  # fmt: skip
    built = view(tmp_path, image_size=20, window=(-1000, 1000))
    found = {row["sample_id"].rpartition("/")[2]: row for row in rows(built)}
    expected = interpolated_plane(colours, sized(30, 20), sized(40, 20))
    assert np.abs(found["colours"]["image"] - expected).max() <= 0.5
    assert found["counts"]["image"].dtype == np.uint16
    assert np.abs(found["counts"]["image"] - interpolated_plane(counts, sized(30, 20), sized(40, 20))).max() <= 0.5
    assert found["scaled"]["image"].dtype == np.uint8
    assert found["scaled"]["hu_slope"] is None
    assert len(notices(built, "no Hounsfield units")) == 3
    deep = {row["sample_id"].rpartition("/")[2]: row for row in rows(view(tmp_path, image_size=20))}
    assert (deep["scaled"]["image"].dtype, deep["scaled"]["value_range"]) == (np.int16, "Hounsfield units")
    assert deep["scaled"]["image"].max() > 4096, "twice what was counted, less 1024"
    assert built.view["unwindowed"] == 3


def test_stacks_that_cannot_be_brought_there_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gap = [(-10.0, -20.0, height) for height in (0.0, 4.0, 8.0, 16.0, 20.0)]
    use(
        monkeypatch,
        stack("even", volume(5)),
        stack("gap", volume(5, seed=1), positions=gap),
        stack("unspaced", volume(5, seed=2), spacing=None, orientation=None),
        stack("nan", volume(5, seed=3), spacing=(float("nan"), 0.6, 4.0)),
        stack("mixed", volume(5, seed=4), every={2: {"spacing": (0.9, 0.6, 4.0)}}),
        film("flat", np.zeros((20, 20), np.uint8)),
    )
    built = view(tmp_path, to_spacing=(0.8, 0.6, 2.0))
    assert {row["series_id"] for row in rows(built)} == {"phantom/even"}
    told = {each["where"].split("/")[1]: each["what"] for each in notices(built, "not in this view")}
    assert told.keys() == {"gap", "unspaced", "nan", "mixed", "flat"}
    assert "not evenly spaced" in told["gap"]
    assert "not known" in told["unspaced"]
    assert "positive numbers" in told["nan"]
    assert "different spacings" in told["mixed"]
    assert built.view["left_out"] == 21
    assert built.rows == 10


def test_who_only_wants_a_size_or_a_window_needs_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nan = float("nan")
    use(
        monkeypatch,
        stack("a", volume(2), spacing=(nan, 0.6, 4.0)),
        stack("b", volume(2, seed=1), spacing=(0.8, 0.6, 4.0)),
    )
    sized_, grey = view(tmp_path, image_size=(12, 16)), view(tmp_path, window="lung")
    assert [row["spacing"] for row in rows(sized_)] == [None, None, [1.6, 1.2, 4.0], [1.6, 1.2, 4.0]]
    assert len(rows(grey)) == 4
    assert str(rows(grey)[0]["spacing"]) == "[nan, 0.6, 4.0]", "what is not changed stays as it is"


def test_two_numbers_leave_slices_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
    use(monkeypatch, stack("a", volume(5)), film("b", flat, spacing=(0.2, 0.2)))
    before, after = rows(view(tmp_path)), rows(view(tmp_path, to_spacing=(0.4, 0.4)))
    assert [row["sample_id"] for row in after] == [row["sample_id"] for row in before]
    assert [row["spacing"] for row in after] == [[0.4, 0.4, 4.0]] * 5 + [[0.4, 0.4]]
    assert after[-1]["image"].shape == (10, 15)
    assert [row["position"][2] for row in after[:5]] == [0.0, 4.0, 8.0, 12.0, 16.0]
    gap = [(-10.0, -20.0, height) for height in (0.0, 4.0, 16.0)]
    use(monkeypatch, stack("c", volume(3, seed=2), positions=gap))
    apart = build_dataset("phantom", "small", cache_dir=tmp_path / "c", allow_missing=True, to_spacing=(0.4, 0.4))
    assert apart.rows == 3, "where slices stay, it does not matter that one is missing"
    both = rows(view(tmp_path, to_spacing=(0.4, 0.4, 2)))
    assert len(both) == 11, "a film has no neighbours, so a third number says nothing of it"
    assert both[-1]["spacing"] == [0.4, 0.4]


def test_one_slice_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, stack("a", volume(1)), stack("b", volume(3, seed=1)))
    built = view(tmp_path, to_spacing=(0.4, 0.6, 1.0), to_orientation="LPS")
    found = [row for row in rows(built) if row["series_id"] == "phantom/a"]
    assert [row["sample_id"] for row in found] == ["phantom/a/000"]
    assert found[0]["spacing"] == [0.4, 0.6, 4.0]
    aside = view(tmp_path, to_orientation="PSL")
    assert {row["series_id"] for row in rows(aside)} == {"phantom/b"}
    assert "another side" in notices(aside, "not in this view")[0]["what"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"to_spacing": (0.01, 0.01, 0.01)}, "slices of .* would come of .*the limit is"),
        ({"to_spacing": (1000, 1000, 1000)}, "found none among 5.*less than half of to_spacing"),
        ({"to_spacing": 1.0, "image_size": 16384}, "the limit is"),
    ],
)
def test_what_is_far_too_large_or_small_is_said_before_any_work(
    wanted: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, stack("a", volume(5, 200, 200)))
    view(tmp_path)
    with pytest.raises(UsageError, match=message):
        view(tmp_path, **wanted)
    assert not list(tmp_path.glob("prepared/.work/*"))


def test_a_view_of_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where only pixels tell it: that slices have colours, of which no volume is made."""
    colours = np.random.default_rng(0).integers(0, 256, (4, 20, 20, 3)).astype(np.uint8)
    use(monkeypatch, stack("a", colours))
    for _ in range(2):
        with pytest.raises(UsageError, match="found none among 4, all for this reason: phantom/a/000.*are no volume"):
            view(tmp_path, to_spacing=2.0)
    assert not list(tmp_path.glob("prepared/phantom/*/*/*.views/*"))
    assert view(tmp_path, to_orientation="LPI").rows == 4


def test_memory_is_looked_at_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, stack("a", volume(50, 100, 100)))
    view(tmp_path)
    monkeypatch.setattr("covid_datasets.prepare.derived.build._free_memory", lambda: 1_200_000)
    with pytest.raises(UsageError, match=r"takes 1.0 MB in each of 2 workers.*num_proc=1"):
        build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=2, allow_missing=True, to_spacing=3)
    assert view(tmp_path, to_spacing=3).rows > 0


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            {"to_spacing": 1},
            r"expected rows that can be brought to to_spacing=.*found none among 42.*phantom/.*not known",
        ),
        ({"to_orientation": "LPS"}, "no orientation is known"),
        ({"window": "lungs"}, "Did you mean 'lung'"),
        ({"to_orientation": "LRS"}, "three letters"),
        ({"to_spacing": (1, 1, 0)}, "found 0 in"),
        ({"to_spacing": -1}, "found -1"),
        ({"to_spacing": (1,)}, "expected millimetres"),
        ({"to_spacing": "1x1x5"}, "expected millimetres"),
        ({"to_spacing": float("nan")}, "found nan"),
        ({"image_size": 0}, "expected a side"),
        ({"derive": "lung"}, "derive: expected one of .*Did you mean 'lungs'"),
    ],
)
def test_what_cannot_be_meant_is_said(wanted: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1, **wanted)
