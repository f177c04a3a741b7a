"""The map of a report: every row is on it or counted beside it, and it says no more than its table."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from covid_datasets import report
from covid_datasets.catalog.geography import countries, country_of
from covid_datasets.markup import document
from covid_datasets.view.report.counts import UNKNOWN, Counted
from covid_datasets.view.report.map import HIGH, WIDE, drawn, mapped
from tests.small import SmallSources
from tests.view.pages import Page, is_harmless, is_readable

NAMES = st.sampled_from(
    ["Italy", "USA", "US", "China", "Fiji", "Tonga", "Diamond Princess", UNKNOWN, "<script>x</script>"]
)
COUNTS = st.dictionaries(st.sampled_from(["train", "test"]), st.integers(1, 10**7), min_size=1)


@given(st.dictionaries(NAMES, COUNTS))
def test_no_row_is_lost_and_nothing_leaves_the_map(values: Mapping[str, Mapping[str, int]]) -> None:
    found = mapped(Counted("country", values))
    if found is None:
        assert set(values) <= {UNKNOWN}
        return
    told = found.to_json()
    parts = [*(each["rows"] for each in told["countries"]), *told["without_place"].values(), told["without_country"]]
    assert sum(map(Counter, parts), Counter()) == sum(map(Counter, values.values()), Counter())
    names = [each["name"] for each in told["countries"]]
    assert len(set(names)) == len(names), "spellings of one country are one"
    svg = "".join(drawn(found))
    page = Page(document("a", ["<h1>a</h1>", svg]))
    assert is_harmless(page)
    assert page.tags.count("circle") == len(countries())
    assert "script" not in svg
    for left, top, said in re.findall(r'<text x="([-\d.]+)" y="([-\d.]+)">(.*?)</text>', svg):
        assert 0 <= float(left) <= WIDE - 4 * len(said)
        assert 0 <= float(top) <= HIGH


def test_the_more_rows_the_larger_the_dot() -> None:
    found = mapped(Counted("country", {"Italy": {"a": 400}, "Peru": {"a": 100}, "Fiji": {"a": 1}}))
    assert found
    sizes = [float(each) for each in re.findall(r'class="some"[^>]* r="([\d.]+)"', "".join(drawn(found)))]
    assert sizes == [11.0, 5.5, 2.2], "by area; the smallest is still seen"


def test_the_page_has_the_map_and_all_of_it_as_a_table(small: SmallSources) -> None:
    built = small.build("cohen")
    found = report("cohen", cache_dir=small.cache)
    (told,) = json.loads(json.dumps(found.to_json()))["builds"]
    page = Page(found.html)
    assert is_harmless(page)
    assert is_readable(page)
    assert page.tags.count("svg") == 1
    assert "Rows by country, those with most rows first" in page.captions
    rows = [*(each["rows"] for each in told["map"]["countries"]), told["map"]["without_country"]]
    rows += told["map"]["without_place"].values()
    assert sum(sum(of.values()) for of in rows) == built.rows
    silent = sum(told["map"]["without_country"].values())
    assert silent == sum(told["counts"]["country"][UNKNOWN].values())
    assert f"{silent:,} of {built.rows:,} rows tell no country." in page.text
    for each in told["map"]["countries"]:
        assert country_of(each["name"])
        assert each["name"] in page.text


def test_a_table_of_countries_has_a_map_and_a_source_without_them_has_none(small: SmallSources) -> None:
    small.build("jhu_csse")
    found = report("jhu_csse", cache_dir=small.cache)
    (told,) = found.to_json()["builds"]
    assert {each["name"] for each in told["map"]["countries"]} >= {"China", "United States"}
    page = Page(found.html)
    assert is_harmless(page)
    assert is_readable(page)
    assert page.tags.count("svg") == 1
    small.build("actualmed")
    silent = report("actualmed", cache_dir=small.cache)
    assert silent.to_json()["builds"][0]["map"] is None
    assert "<svg" not in silent.html
    assert re.search(r"The source does not tell: [a-z, ]*country\.", Page(silent.html).text)
