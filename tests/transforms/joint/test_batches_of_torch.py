"""A batch of tensors is changed as NumPy changes each of its images: masks the same, grey levels to rounding."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.errors import UsageError
from covid_datasets.transforms.joint import Augment, Image, Mask
from covid_datasets.transforms.joint.numbers import grain, grain_on

torch: Any = import_module("torch") if find_spec("torch") else None
pytestmark = pytest.mark.skipif(torch is None, reason="needs the extra torch")
NAMES = ("left_lung", "right_lung")


def some(most: float) -> st.SearchStrategy[float]:
    return st.just(0.0) | st.floats(0, most)


AUGMENTS = st.builds(
    Augment,
    flip=st.sampled_from([0.0, 0.5]),
    rotate=some(180),
    shift=some(0.5),
    scale=some(0.5),
    size=st.none() | st.tuples(st.integers(1, 40), st.integers(1, 40)),
    crop=some(1).filter(lambda share: share == 0 or share > 0.01),
    elastic=some(0.05),
    gain=some(0.5),
    contrast=some(0.5),
    brightness=some(0.5),
    gamma=some(1),
    tone_share=st.floats(0, 1),
    blur=some(3),
    blur_share=st.floats(0, 1),
    noise=some(0.3),
)


@given(AUGMENTS, st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))
@settings(max_examples=60, deadline=None)
def test_torch_agrees_with_numpy(changing: Augment, seed: int, rows: int, columns: int, planes: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (3, planes, rows, columns)).astype(np.float32)
    masks = rng.integers(0, 2, (3, 2, rows, columns)).astype(np.uint8)
    tensors = torch.from_numpy(images.copy())
    done, moved, drawn = changing.batch(tensors, torch.from_numpy(masks), rng=rng, names=NAMES, full=(0, 255))
    assert torch.equal(tensors, torch.from_numpy(images)), "what was given is as it was"
    for number in range(3):
        image = Image(images[number].transpose(1, 2, 0), full=(0, 255))
        given_masks = {name: Mask(masks[number, place]) for place, name in enumerate(NAMES)}
        wanted = changing.replay(drawn.of(number, number + 1), image, given_masks)
        for place, name in enumerate(NAMES):
            assert np.array_equal(moved[number, place].numpy(), wanted.masks[name].values)
        off = np.abs(done[number].numpy().transpose(1, 2, 0) - wanted.image.values)
        # A pixel exactly at the border is there or is not, by the last bit of its place.
        assert (off > 0.25).mean() <= 2 / off.size
    rounded, _, _ = changing.batch(tensors.to(torch.uint8), rng=np.random.default_rng(seed))
    assert rounded.dtype == torch.uint8


@given(st.integers(0, 2**53), st.integers(0, 2**53))
@settings(max_examples=30, deadline=None)
def test_grains_are_the_same_bit_by_bit(one: int, other: int) -> None:
    found = grain_on((2, 5, 7), [one, other], torch.device("cpu"))
    assert np.array_equal(found.numpy(), np.stack([grain((2, 5, 7), seed) for seed in (one, other)]))


def test_the_way_of_a_gpu_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU here: its one call for all samples is made on the processor, in place of the one line by line."""
    from covid_datasets.transforms.joint import on_torch
    from covid_datasets.transforms.joint.places import Places

    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (4, 1, 50, 70)).astype(np.float32))
    masks = (images > 128).to(torch.uint8)
    for changing in (Augment(crop=0.5, flip=0.5), Augment(shift=0.3), Augment(size=(20, 90), scale=0.5)):
        drawn = changing.draw(np.random.default_rng(1), 4)
        line_by_line = on_torch.changed_batch(drawn, images, masks, full=(0.0, 255.0))
        with monkeypatch.context() as patched:
            patched.setattr(Places, "straight", property(lambda self: False))
            at_once = on_torch.changed_batch(drawn, images, masks, full=(0.0, 255.0))
        assert torch.equal(line_by_line[1], at_once[1])
        torch.testing.assert_close(line_by_line[0], at_once[0], atol=0.05, rtol=0)


@pytest.mark.parametrize("name", ["covid-ct", "modern"])
def test_threads_change_nothing(name: str) -> None:
    """Neither pixels, nor how many threads torch has afterwards; gradients and modes of the caller are no matter."""
    from covid_datasets.transforms.joint import preset

    changing, before = preset(name, size=300), torch.get_num_threads()
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 1, 400, 400), np.uint8))
    masks = (images > 99).to(torch.uint8)
    found = {}
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found[threads] = changing.batch(images, masks, rng=np.random.default_rng(1))
            assert torch.get_num_threads() == threads
            floats = images.to(torch.float32).requires_grad_()
            with torch.inference_mode():
                inferred = changing.batch(floats, rng=np.random.default_rng(1)).image
            for each in (inferred, changing.batch(floats, rng=np.random.default_rng(1)).image):
                assert not each.requires_grad
                assert torch.equal(each.round().to(torch.uint8), found[threads].image)
    finally:
        torch.set_num_threads(before)
    for threads in (2, 3):
        assert torch.equal(found[threads].image, found[1].image)
        assert torch.equal(found[threads].masks, found[1].masks)


def test_to_torch_takes_presets_and_turns(tmp_path: Any) -> None:
    from covid_datasets import load_dataset, to_torch
    from covid_datasets.transforms.joint import preset

    rows = load_dataset("phantom", "small", split="train", framework="numpy", cache_dir=tmp_path)
    options: dict[str, Any] = {"image_size": 64, "batch_size": 4, "masks": True}
    changing = preset("covid-ct", size=48).then(Augment(rotate=20))
    first, again = (next(iter(to_torch(rows, augment=changing, **options))) for _ in range(2))
    assert first["image"].shape == (4, 1, 48, 48)
    assert first["masks"].shape[2:] == (48, 48)
    assert torch.equal(first["image"], again["image"])
    assert set(first["masks"].unique().tolist()) <= {0, 1, 255}


@pytest.mark.parametrize(("rows", "columns", "size"), [(3, 1, (2, 3)), (9, 2, (4, 1)), (2, 9, (1, 4)), (9, 9, (1, 1))])
def test_a_single_column_is_brought_to_fewer_rows(rows: int, columns: int, size: tuple[int, int]) -> None:
    """Anti-aliasing of torch gives all rows of a single column the value of the first."""
    images = np.random.default_rng(0).integers(0, 256, (2, rows, columns)).astype(np.uint8)
    done, _, drawn = Augment(size=size).batch(torch.from_numpy(images[:, None]), rng=np.random.default_rng(0))
    for number, image in enumerate(images):
        wanted = Augment.replay(drawn.of(number, number + 1), Image(image)).image.values
        assert np.abs(done[number, 0].numpy().astype(int) - wanted).max() <= 1


def test_floats_from_0_to_1_are_changed_in_their_own_range() -> None:
    changing, images = Augment(brightness=0.2, contrast=0.3, noise=0.05), torch.rand(4, 1, 30, 30)
    small = changing.batch(images, rng=np.random.default_rng(0)).image
    large = changing.batch(images * 255, rng=np.random.default_rng(0)).image
    torch.testing.assert_close(small * 255, large, atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("images", "masks", "match"),
    [
        ("text", None, "expected a tensor N×C×H×W"),
        ((2, 4, 4), None, "expected a tensor N×C×H×W"),
        ((0, 1, 4, 4), None, "expected a tensor N×C×H×W"),
        ((2, 1, 4, 4), (2, 1, 4, 5), "masks: expected those of 2 images"),
        ((2, 1, 4, 4), (1, 1, 4, 4), "masks: expected those of 2 images"),
        ((2, 1, 4, 4), (2, 3, 4, 4), "names: expected 3"),
    ],
)
def test_bad_batches_are_said(images: Any, masks: Any, match: str) -> None:
    given_images = torch.zeros(images) if isinstance(images, tuple) else images
    given_masks = None if masks is None else torch.zeros(masks, dtype=torch.uint8)
    with pytest.raises(UsageError, match=match):
        Augment().batch(given_images, given_masks, rng=np.random.default_rng(0), names=NAMES)
    for values in (torch.full((1, 1, 2, 2), -1000.0), torch.full((1, 1, 2, 2), 300, dtype=torch.int16)):
        with pytest.raises(UsageError, match="full: expected the values of black and white"):
            Augment().batch(values, rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="lower one first"):
        Augment().batch(torch.zeros(1, 1, 2, 2), rng=np.random.default_rng(0), full=(255, 0))
    with pytest.raises(UsageError, match="NaN"):
        Augment().batch(torch.full((1, 1, 2, 2), float("nan")), rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="no fractions"):
        Augment().batch(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), rng=np.random.default_rng(0))
