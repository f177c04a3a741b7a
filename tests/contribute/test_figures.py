"""Pictures out of PDFs: bytes as they are, places, captions, proposed cuts; and PDFs that are meant to hurt."""

from __future__ import annotations

import csv
import io
import json
import random
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from covid_datasets.cli import main
from covid_datasets.contribute.figures import extract as extracting
from covid_datasets.contribute.figures import pages as walking
from covid_datasets.contribute.figures.captions import Line, captions, nearest
from covid_datasets.contribute.figures.command import figures
from covid_datasets.contribute.figures.extract import extract
from covid_datasets.contribute.figures.found import Figures
from covid_datasets.contribute.figures.panels import panels
from covid_datasets.errors import DamagedFileError, UsageError
from tests.pdfs import document, flate_picture, jpeg, jpeg_picture, noise, painted, picture, stream, text, written
from tests.tiny import at_most_a_clear_error

pytest.importorskip("pypdf")


def taken(folder: Path, data: bytes, name: str = "article.pdf") -> Figures:
    """Take a PDF apart in this process."""
    (folder / name).write_bytes(data)
    out = folder / f"{name}.out"
    out.mkdir()
    return extract(folder / name, out)


def of_one(folder: Path, content: bytes) -> tuple[Figures, Path]:
    """Take the PDF apart that shows one object."""
    found = taken(folder, document([painted("X20", 50, 300, 200, 150)], {20: content}))
    return found, folder / "article.pdf.out"


# --- what is written -----------------------------------------------------------------------------------------------


def test_a_jpeg_keeps_its_bytes_and_has_place_page_and_caption(tmp_path: Path) -> None:
    data = jpeg()
    caption = text(50, 280, "Figure 1. A film of a chest") + text(50, 269, "on the third day.") + text(50, 220, "Then.")
    found = taken(tmp_path, document(["", painted("X20", 50, 300, 200, 150) + caption], {20: jpeg_picture(data)}))
    (film,) = found.pictures
    assert (film.file, film.pages, film.object) == ("article-p2-20.jpg", (2,), 20)
    assert (tmp_path / "article.pdf.out" / film.file).read_bytes() == data
    assert film.original
    assert (film.width, film.height, film.box) == (80, 60, (50.0, 300.0, 250.0, 450.0))
    assert film.caption == "Figure 1. A film of a chest on the third day."
    assert found.left_out == ()


def test_a_jpeg_that_is_deflated_once_more_is_the_same(tmp_path: Path) -> None:
    data = jpeg()
    content = picture(zlib.compress(data), 80, 60, "/ColorSpace /DeviceGray /Filter [/FlateDecode /DCTDecode]")
    found, out = of_one(tmp_path, content)
    assert (out / found.pictures[0].file).read_bytes() == data


@pytest.mark.skipif(not features.check("jpg_2000"), reason="Pillow without JPEG 2000")
def test_jpeg_2000_keeps_its_bytes(tmp_path: Path) -> None:
    made = io.BytesIO()
    Image.fromarray(noise(60, 80)).save(made, "JPEG2000")
    found, out = of_one(tmp_path, picture(made.getvalue(), 80, 60, "/Filter /JPXDecode"))
    assert found.pictures[0].file.endswith(".jp2")
    assert (out / found.pictures[0].file).read_bytes() == made.getvalue()


GREY, RGB = noise(40, 50), np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
DEEP = np.random.default_rng(2).integers(0, 65536, (40, 50), dtype=np.uint16)
PALETTE = bytes(range(12))
LOSSLESS = {
    "grey": (flate_picture(GREY, "/ColorSpace /DeviceGray /BitsPerComponent 8"), GREY),
    "inverted": (flate_picture(GREY, "/ColorSpace /DeviceGray /BitsPerComponent 8 /Decode [1 0]"), 255 - GREY),
    "rgb": (flate_picture(RGB, "/ColorSpace /DeviceRGB /BitsPerComponent 8"), RGB),
    "calibrated": (flate_picture(RGB, "/ColorSpace [/CalRGB << >>] /BitsPerComponent 8"), RGB),
    "16 bits": (flate_picture(DEEP.astype(">u2"), "/ColorSpace /DeviceGray /BitsPerComponent 16"), DEEP),
    "one bit": (
        picture(
            np.packbits(GREY > 127, axis=1).tobytes(), 50, 40, "/ColorSpace /DeviceGray /BitsPerComponent 1"
        ),
        ((GREY > 127) * 255).astype(np.uint8),
    ),
    "palette": (
        flate_picture(
            GREY % 4, f"/ColorSpace [/Indexed /DeviceRGB 3 <{PALETTE.hex()}>] /BitsPerComponent 8"
        ),
        np.frombuffer(PALETTE, np.uint8).reshape(4, 3)[GREY % 4],
    ),
    "cmyk": (
        flate_picture(np.dstack([RGB, GREY]), "/ColorSpace /DeviceCMYK /BitsPerComponent 8"), np.dstack([RGB, GREY])
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", LOSSLESS)
def test_plain_values_are_kept_without_loss(tmp_path: Path, kind: str) -> None:
    content, values = LOSSLESS[kind]
    found, out = of_one(tmp_path, content)
    assert found.left_out == ()
    (only,) = found.pictures
    assert not only.original
    with Image.open(out / only.file) as image:
        assert np.array_equal(np.asarray(image), values)


def test_a_picture_on_two_pages_is_one(tmp_path: Path) -> None:
    page = painted("X20", 50, 300, 200, 150)
    found = taken(
        tmp_path,
        document([page, page + painted("X21", 0, 0, 9, 9)], {20: jpeg_picture(jpeg()), 21: jpeg_picture(jpeg())}),
    )
    assert [each.pages for each in found.pictures] == [(1, 2)]
    assert len(list((tmp_path / "article.pdf.out").glob("*.jpg"))) == 1


def test_what_is_described_is_what_lies_there(tmp_path: Path) -> None:
    caption = text(50, 280, "Figure 1. =HYPERLINK")
    (tmp_path / "a.pdf").write_bytes(
        document([painted("X20", 50, 300, 200, 150) + caption], {20: jpeg_picture(jpeg())})
    )
    found = figures(tmp_path / "a.pdf", tmp_path / "out")
    table = json.loads((tmp_path / "out" / "figures.json").read_text(encoding="utf-8"))
    assert Figures.from_json(table) == found
    with (tmp_path / "out" / "figures.csv").open(encoding="utf-8", newline="") as lines:
        (row,) = csv.DictReader(lines)
    assert (row["file"], row["pages"], row["caption"]) == ("a-p1-20.jpg", "1", "Figure 1. =HYPERLINK")
    assert {each.name for each in (tmp_path / "out").iterdir()} == {"a-p1-20.jpg", "figures.json", "figures.csv"}


def test_the_place_goes_through_forms_and_turned_pages(tmp_path: Path) -> None:
    form = stream(
        "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Matrix [1 0 0 1 10 20] /Resources 4 0 R",
        painted("X20", 0, 0, 100, 50).encode(),
    )
    objects = {20: jpeg_picture(jpeg()), 21: form}
    found = taken(tmp_path, document(["q 2 0 0 2 0 0 cm /X21 Do Q"], objects))
    assert found.pictures[0].box == (20.0, 40.0, 220.0, 140.0)
    page = painted("X20", 300, 100, 100, 200) + "BT /F1 9 Tf 0 1 -1 0 420 100 Tm (Figure 1. Turned) Tj ET"
    turned = taken(tmp_path, document([page], objects, "/Rotate 90"), "turned.pdf")
    assert turned.pictures[0].box == (100.0, 200.0, 300.0, 300.0)
    assert turned.pictures[0].caption == "Figure 1. Turned"


# --- captions ------------------------------------------------------------------------------------------------------


def test_a_caption_is_chosen_before_text_about_a_figure() -> None:
    lines = [
        Line("Figure 3 shows that", 50, 295, 9),
        Line("nothing is known.", 50, 284, 9),
        Line("Fig. 2: Another", 50, 600, 9),
        Line("Figure 1. This one", 50, 250, 9),
    ]
    found = captions(lines)
    assert nearest((50, 300, 250, 450), found) == "Figure 1. This one"
    assert nearest((50, 620, 250, 700), found) == "Fig. 2: Another"
    assert nearest((50, 300, 250, 450), []) is None


@pytest.mark.parametrize(
    "begin", ["Figure 1.", "FIGURE 12:", "Fig. 3 |", "Fig 4.", "Figure S1.", "Supplementary Figure 2."]
)
def test_what_begins_as_captions_do_is_one(begin: str) -> None:
    assert captions([Line(f"{begin} A film", 0, 0, 9)])[0].certain


@pytest.mark.parametrize("begin", ["figured 1", "Figures are", "In Figure 1.", "Table 1.", ""])
def test_other_text_is_none(begin: str) -> None:
    assert captions([Line(begin, 0, 0, 9)]) == []


def test_no_text_takes_long() -> None:
    start = time.process_time()
    captions([Line("Fig" * 10_000, 0, 0, 9), Line("Figure " + "1" * 100_000, 0, 0, 9), Line(" " * 100_000, 0, 0, 9)])
    assert time.process_time() - start < 5


# --- panels --------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from([0, 255]), st.integers(6, 20), st.integers(0, 9))
def test_a_grid_is_cut_where_it_was_put_together(rows: int, columns: int, colour: int, gap: int, seed: int) -> None:
    side = 60
    whole = np.full((rows * (side + gap) + gap, columns * (side + gap) + gap), colour, np.uint8)
    expected = []
    for row in range(rows):
        for column in range(columns):
            top, left = gap + row * (side + gap), gap + column * (side + gap)
            whole[top : top + side, left : left + side] = noise(side, side, seed)
            expected.append((left, top, left + side, top + side))
    assert sorted(panels(whole)) == (sorted(expected) if rows * columns > 1 else [])


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 255))
def test_a_picture_of_one_colour_is_not_cut(height: int, width: int, colour: int) -> None:
    assert panels(np.full((height, width), colour, np.uint8)) == ()


# --- what is meant to hurt -----------------------------------------------------------------------------------------


def test_what_cannot_be_kept_is_told(tmp_path: Path) -> None:
    objects = {
        20: picture(b"x", 50, 50, "/Filter /JBIG2Decode"),
        21: picture(b"x", 50, 50, "/ImageMask true /BitsPerComponent 1"),
        22: flate_picture(GREY, "/ColorSpace [/Separation /Gold /DeviceGray 3 0 R] /BitsPerComponent 8"),
        23: jpeg_picture(jpeg(8, 8)),
        24: picture(b"x", 50, 50, "/ColorSpace /DeviceGray /BitsPerComponent 3"),
        25: picture(b"x", 50, 50, "/ColorSpace /DeviceGray /BitsPerComponent 8"),
        26: picture(b"no picture", 50, 50, "/Filter /DCTDecode"),
        27: picture(b"x", -5, 50, "/ColorSpace /DeviceGray /BitsPerComponent 8"),
        28: flate_picture(GREY, "/ColorSpace [/Indexed /DeviceRGB 3 <00>] /BitsPerComponent 8"),
        29: jpeg_picture(jpeg(seed=7)),
        30: picture(b"x", 50, 50, "/Filter 31 0 R"),
        31: b"[31 0 R]",
        32: picture(b"x", 50, 50, "/ColorSpace 33 0 R /BitsPerComponent 8"),
        33: b"[/Indexed 33 0 R 255 (abc)]",
    }
    page = "".join(painted(f"X{number}", 0, 0, 100, 100) for number in objects)
    found = taken(tmp_path, document([page + "BI /W 1 /H 1 /BPC 8 /CS /G ID x EI"], objects))
    assert [each.object for each in found.pictures] == [29]
    assert {each.object for each in found.left_out} == {*range(20, 29), 30, 32, 0}
    assert all(each.page == 1 and each.why for each in found.left_out)
    assert not any("IndirectObject" in each.why for each in found.left_out), "the same words each time"


@pytest.mark.parametrize("width", [8_000, 100_000])
def test_a_bomb_is_left_out(tmp_path: Path, width: int) -> None:
    squashed = zlib.compress(zlib.compress(bytes(300 << 20), 9), 9)
    content = picture(
        squashed, width, width, "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter [/FlateDecode /FlateDecode]"
    )
    found, out = of_one(tmp_path, content)
    assert (found.pictures, len(found.left_out)) == ((), 1)
    assert not list(out.glob("*.png"))


def test_forms_without_an_end_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources 4 0 R"
    film = painted("X20", 0, 0, 100, 100)
    objects = {20: jpeg_picture(jpeg()), 21: stream(form, b"/X21 Do")}
    found = taken(tmp_path, document([film + "/X21 Do"], objects))
    assert [each.object for each in found.pictures] == [20]
    assert any("inside of 8 others" in each.why for each in found.left_out)
    monkeypatch.setattr(walking, "MAX_OPERATIONS", 20_000)
    objects[21] = stream(form, b"/X21 Do " * 20)
    found = taken(tmp_path, document([film + "/X21 Do"], objects), "wide.pdf")
    assert [each.object for each in found.pictures] == [20]
    assert any("more than 20,000 operators" in each.why for each in found.left_out)


def test_there_may_be_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = {20 + number: jpeg_picture(jpeg(seed=number)) for number in range(5)}
    pages = [painted(f"X{number}", 0, 0, 100, 100) for number in objects]
    monkeypatch.setattr(extracting, "MAX_PAGES", 3)
    found = taken(tmp_path, document(pages, objects))
    assert len(found.pictures) == 3
    assert found.left_out[-1].why == "this page and those behind it: 5 are too many"
    monkeypatch.setattr(extracting, "MAX_PICTURES", 1)
    found = taken(tmp_path, document(pages, objects), "b.pdf")
    assert len(found.pictures) == 2
    assert "too many pictures" in found.left_out[0].why
    monkeypatch.setattr(extracting, "MAX_BYTES", 100)
    with pytest.raises(DamagedFileError, match="at most 100 bytes"):
        taken(tmp_path, document(pages, objects), "c.pdf")


WHOLE = document(
    [painted("X20", 50, 300, 200, 150) + text(50, 280, "Figure 1. A film"), painted("X21", 50, 300, 200, 150)],
    {20: jpeg_picture(jpeg()), 21: LOSSLESS["rgb"][0]},
)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_pdf_gives_something_or_a_clear_error(tmp_path: Path, seed: int) -> None:
    chance, data = random.Random(seed), bytearray(WHOLE)
    if seed % 3 == 0:
        data = data[: chance.randrange(len(data))]
    else:
        for _ in range(chance.choice([1, 5, 50])):
            data[chance.randrange(len(data))] = chance.randrange(256)
    with at_most_a_clear_error("article.pdf"):
        found = taken(tmp_path, bytes(data))
        files = {each.name for each in (tmp_path / "article.pdf.out").iterdir()}
        assert {each.file for each in found.pictures} <= files


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "expected a PDF, found 0 bytes"),
        (b"\xff\xd8\xff", "expected a PDF, found 3 bytes"),
        (b"%PDF-1.7\n", "expected a PDF"),
        (written({1: b"<< /Type /Catalog >>"}), "expected a PDF with pages"),
        (written({1: b"<< /Type /Catalog /Pages 2 0 R >>", 2: b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"}), "PDF"),
    ],
)
def test_what_is_no_pdf_is_told_and_leaves_nothing(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "a.pdf").write_bytes(data)
    with pytest.raises(DamagedFileError, match=said):
        figures(tmp_path / "a.pdf", tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["a.pdf"]


def test_a_pdf_with_a_password_is_told(tmp_path: Path) -> None:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(WHOLE)))
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(tmp_path / "a.pdf")
    with pytest.raises(DamagedFileError, match="with a password: remove it"):
        figures(tmp_path / "a.pdf", tmp_path / "out")


def test_what_takes_too_long_is_ended_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(WHOLE)
    with pytest.raises(DamagedFileError, match="read within 0.01 seconds"):
        figures(tmp_path / "a.pdf", tmp_path / "out", seconds=0.01)
    assert [each.name for each in tmp_path.iterdir()] == ["a.pdf"]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_no_time_is_no_time(tmp_path: Path, seconds: float) -> None:
    (tmp_path / "a.pdf").write_bytes(WHOLE)
    with pytest.raises(UsageError, match="seconds: expected more than 0"):
        figures(tmp_path / "a.pdf", tmp_path / "out", seconds=seconds)


def test_a_name_stays_in_its_folder(tmp_path: Path) -> None:
    found = taken(tmp_path, WHOLE, "..%2f..\n=x.pdf")
    assert all("/" not in each.file and "\n" not in each.file and each.file[0] not in ".=" for each in found.pictures)


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command_shows_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.pdf").write_bytes(WHOLE)
    argv = ["figures", str(tmp_path / "a.pdf")]
    assert main([*argv, str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "a-p1-20.jpg" in out
    assert f"2 pictures of 2 pages in {tmp_path / 'out'}" in out
    assert main([*argv, str(tmp_path / "out")]) == UsageError.exit_code
    assert "expected a folder that is not there yet" in capsys.readouterr().err
    assert main([*argv, str(tmp_path / "again"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["caption"] for each in found["pictures"]] == ["Figure 1. A film", None]
    assert main(["figures", str(tmp_path / "gone.pdf"), str(tmp_path / "third")]) == UsageError.exit_code
