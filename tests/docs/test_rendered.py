"""Pages as Sphinx makes them: hostile text is read and not run, and what is missing or broken ends the build."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("myst_nb")
pytest.importorskip("furo")

from docs.site.build import SiteError, render
from tests.docs.hostile import HOSTILE

START = "Site\n====\n\n.. toctree::\n   :glob:\n\n   *\n"

CARD = f"""\
<!-- Generated from the catalog. -->

# A source {HOSTILE}

<script>alert(2)</script>

<a id="a_place"></a>

## With a place

Back to [it](#a_place), [itself](#with-a-place), [the other](other.md#below), [a result](results/a.json).

| what | value |
| --- | --- |
| <img src=x onerror=alert(3)> | {HOSTILE.replace("|", chr(92) + "|")} |

- <iframe srcdoc="x"></iframe>

{{raw-html}}`<b>` {{eval}}`x`
"""


def stage(folder: Path, **texts: str) -> tuple[Path, Path]:
    source = folder / "text"
    source.mkdir()
    (source / "index.rst").write_text(START)
    for name, text in texts.items():
        (source / f"{name}.md").write_text(text)
    return source, folder / "html"


def test_hostile_text_is_shown_and_links_lead_where_they_lead_on_github(tmp_path: Path) -> None:
    source, html = stage(
        tmp_path, card=CARD.replace("![](https://example.org/x.png)", ""), other="# O\n\n## Below\n\nx\n"
    )
    (source / "results").mkdir()
    (source / "results" / "a.json").write_text("{}")
    render(source, html, [Path("results/a.json")])
    page = (html / "card.html").read_text()
    body = page[page.index("<article") : page.index("</article>")]
    assert not re.search(r"<(script|iframe|b)\b|<img|onerror=\"|href=\"javascript", body, re.IGNORECASE)
    for shown in ("alert(1)", "alert(2)", "onerror=alert(3)", "srcdoc=", "{download}"):
        assert shown in re.sub(r"</?(span|code)[^>]*>", "", body).replace("&quot;", '"'), shown
    assert "Generated from the catalog" not in body
    for link in ("#a_place", "#with-a-place", "other.html#below", "results/a.json"):
        assert f'href="{link}"' in body
    assert (html / "results" / "a.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# X\n\n![a picture](pictures/gone.jpg)\n", "pictures/gone.jpg"),
        ("# X\n\n[a link](gone.md)\n", "gone.html: there is no such file"),
        ("# X\n\n```{raw} html\n<script>alert(1)</script>\n```\n", "lexer name '{raw}' is not known"),
        ("# X\n\n![of others](https://example.org/x.png)\n", "loads this img from elsewhere"),
    ],
)
def test_what_is_missing_or_from_elsewhere_ends_the_build(tmp_path: Path, text: str, said: str) -> None:
    source, html = stage(tmp_path, page=text)
    with pytest.raises(SiteError) as told:
        render(source, html)
    assert said in str(told.value)
    assert "page" in str(told.value)
