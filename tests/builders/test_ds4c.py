"""What is special about DS4C: its two schemas, the seam in its days, and persons joined with their routes and cases."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import build_dataset, load_dataset
from covid_datasets.errors import IncompleteSourceError
from covid_datasets.prepare.result import Built
from tests.sources import ds4c as source

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Built]:
    def build(name: str = "ds4c@kaggle", config: str | None = None, **files: str | None) -> Built:
        source.write_unpacked(tmp_path / "raw")
        for table, text in files.items():
            if text is None:
                (tmp_path / "raw" / f"{table}.csv").unlink()
            else:
                (tmp_path / "raw" / f"{table}.csv").write_text(text, encoding="utf-8")
        return build_dataset(name, config, data_dir=tmp_path / "raw", cache_dir=tmp_path / "cache", num_proc=1)

    return build


def rows(built: Built) -> list[dict[str, Any]]:
    return list(
        load_dataset(f"ds4c@{built.version}", built.config, cache_dir=built.path.parents[4], framework="numpy")["train"]
    )


def told(built: Built) -> list[str]:
    return [f"{notice['where']}: {notice['what']}" for notice in built.manifest()["notices"]]


def without(*columns: str) -> str:
    """Return the table of persons as the last version has it, without some columns."""
    lines = [line.split(",") for line in source.FILES["PatientInfo.csv"].splitlines()]
    kept = [at for at, name in enumerate(lines[0]) if name not in columns]
    return "".join(",".join(line[at] for at in kept) + "\n" for line in lines)


def test_the_last_schema_lacks_four_columns_and_the_routes(build: Callable[..., Built]) -> None:
    gone = ("global_num", "birth_year", "disease", "infection_order")
    built = build(PatientInfo=without(*gone), PatientRoute=None)
    assert {row[name] for row in rows(built) for name in gone} == {None}
    assert [line for line in told(built) if "unknown in all rows" in line] == [
        f"PatientInfo.csv: {name}: unknown in all rows" for name in ("global_num", "birth_year", "disease",
                                                                     "infection_order")
    ]  # fmt: skip
    with pytest.raises(IncompleteSourceError, match=re.escape("PatientRoute.csv")):
        build(config="patient_route", PatientRoute=None)
    joined = build(config="persons_routes_cases", PatientInfo=without(*gone), PatientRoute=None)
    assert [row["stop"] for row in rows(joined)] == [None, None, None]
    assert [line for line in told(joined) if "nobody has a route" in line]


def test_persons_are_joined_with_stops_and_cases(build: Callable[..., Built]) -> None:
    found = rows(build(config="persons_routes_cases"))
    assert [
        (row["patient_id"], row["stop"], row["route_type"], row["case_id"], row["case_group"]) for row in found
    ] == [
        ("1000000001", 0, "airport", "1000036", False),
        ("1000000001", 1, "hospital", "1000036", False),
        ("1000000013", None, None, "1000002", True),
        ("7000000001", None, None, None, None),
    ]


def test_a_stop_of_nobody_is_told(build: Callable[..., Built]) -> None:
    stop = "9999999999,,2020-02-02,Seoul,Jung-gu,etc,37.5,127.0\n"
    built = build(config="persons_routes_cases", PatientRoute=source.FILES["PatientRoute.csv"] + stop)
    assert "9999999999: 1 stops of nobody in PatientInfo.csv" in told(built)
    assert built.rows == 4


def test_the_seam_of_the_days_is_kept(build: Callable[..., Built]) -> None:
    assert [(str(row["date"]), row["time"]) for row in rows(build(config="time"))] == [
        ("2020-03-01", 16),
        ("2020-03-02", 0),
    ]


def test_one_spelling_of_a_province_and_of_ages(build: Callable[..., Built]) -> None:
    found = rows(build())
    assert [row["province"] for row in found] == ["Seoul", "Seoul", "Jeju-do"]
    assert [row["age"] for row in found] == ["50s", "30s", "20s"]
    built = build(PatientInfo=source.FILES["PatientInfo.csv"].replace("50s", "55"))
    assert rows(built)[0]["age"] is None
    assert [line for line in told(built) if "the first is age '55'" in line]
