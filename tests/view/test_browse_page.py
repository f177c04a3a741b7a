"""The page of `browse` in a real Chromium: scrolling through 100,000 rows, keys, and text that is an attack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from covid_datasets import build_dataset
from covid_datasets.load.metadata import Library, find_library
from covid_datasets.view.browse.looking import Looking
from covid_datasets.view.browse.serve import prepared_page
from covid_datasets.view.browse.shelf import Place, Shelf
from tests.view.browsed import served
from tests.view.chromium import PROGRAM, Chromium, chromium

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("duckdb")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")]
NASTY = '<script>document.title = "owned"</script><img src=x onerror="document.title = \'owned\'">'
ALL_SHOWN = "[...document.querySelectorAll('.cell')].length > 3 && [...document.querySelectorAll('.cell')].every(each => each.querySelector('img')?.complete)"  # noqa: E501


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chromium]:
    build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    library = find_library(tmp_path / "prepared")
    built, table = library.builds[0], library.tables[0]
    real, times = built.rows, -(-100_000 // built.rows)
    for name in ("label_raw", "country"):
        words = pa.array([NASTY] * real, pa.string())
        table = table.set_column(table.schema.get_field_index(name), name, words)
    many = replace(built, rows=real * times, splits={name: rows * times for name, rows in built.splits.items()})
    groups = pa.array([str(number // 3) for number in range(many.rows)])
    shelf = Shelf(Library((many,), (pa.concat_tables([table] * times),), {}), [groups])
    content, look = Looking._content, Looking._look

    def of_real_row(way: Any) -> Any:
        return lambda self, place, row: way(self, Place(place.key, built, place.start), row % real)

    monkeypatch.setattr(Looking, "_content", of_real_row(content))
    monkeypatch.setattr(Looking, "_look", of_real_row(look))
    with prepared_page(shelf) as ready, served(ready), chromium(tmp_path / "home", "--window-size=1200,800") as browser:
        browser.ask("Page.navigate", url=ready.address)
        browser.until(ALL_SHOWN)
        yield browser


DRAWN = """(async () => {
  const real = render;
  let drawn = 0;
  pages = new Map();
  for (let turn = 0; turn < 20; turn++) render();  // as while somebody scrolls and the rows are on their way
  render = () => { drawn++; real(); };
  await Promise.all(pages.values());
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  render = real;
  return drawn;
})()"""


def test_the_page(page: Chromium) -> None:
    assert page.script("location.href.includes('token')") is False
    assert page.script("document.cookie") == ""
    total = page.script("total")
    assert total >= 100_000
    drawn = page.script("document.querySelectorAll('.cell').length")
    for part in (0.1, 0.5, 0.9, 1, 0.3):
        page.script(f"$('grid').scrollTop = $('grid').scrollHeight * {part}")
        page.until(f"[...cells.keys()].some(number => Math.abs(number / total - {part}) < 0.02)")
        page.until(ALL_SHOWN)
        assert page.script("document.querySelectorAll('.cell').length") <= drawn + 3 * page.script("columns")
        assert page.script("pages.size") <= page.script("PAGES")
    assert 1 <= page.script(DRAWN) <= 3  # and not once for every image that waited
    page.script("$('grid').focus()")
    page.press("End")
    page.until("cells.has(total - 1) && active === total - 1")
    page.press("Enter")
    page.until("$('picture').width > 0 && $('told').children.length > 5")
    assert NASTY in page.script("$('told').textContent")
    assert page.script("document.querySelectorAll('td script, td img').length") == 0
    page.press("Escape")
    page.script(f"choose('country', {NASTY!r}, true)".replace("\\'", "\\x27"))
    page.until("$('total').textContent.includes('of')")
    assert page.script("document.title") == "covid_datasets: browse"
    assert page.complaints == []
