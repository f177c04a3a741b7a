"""Time and peak memory of building a table without images, from synthetic files of the size of the real ones."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from benchmarks.memory import peak_of

DAYS = 1143
COUNTIES = 3340
STATES = 58
PLACES = 290
COUNTRIES = 200


def write_tables(folder: Path, days: int, counties: int) -> None:
    """Write the five wide tables and the lookup table, with counts that grow at random."""
    random = np.random.default_rng(7)
    header = [f"{day.month}/{day.day}/{day:%y}" for day in (date(2020, 1, 22) + timedelta(n) for n in range(days))]
    series = folder / "csse_covid_19_data/csse_covid_19_time_series"
    series.mkdir(parents=True)
    world = [
        (f"Province {n}" if n >= COUNTRIES else "", f"Country {n % COUNTRIES}", n % 80, -n % 80) for n in range(PLACES)
    ]
    for kind in ("confirmed", "deaths", "recovered"):
        places = [",".join(map(str, place)) for place in world]
        _write(
            series / f"time_series_covid19_{kind}_global.csv",
            "Province/State,Country/Region,Lat,Long",
            header,
            places,
            random,
        )
    for kind, columns in (("confirmed", "Combined_Key"), ("deaths", "Combined_Key,Population")):
        more = ",1000" if "Population" in columns else ""
        places = [
            f'{84000000 + n},US,USA,840,{1000 + n}.0,County {n},State {n % STATES},US,32.5,-86.6,"County {n}, US"{more}'
            for n in range(counties)
        ]
        head = f"UID,iso2,iso3,code3,FIPS,Admin2,Province_State,Country_Region,Lat,Long_,{columns}"
        _write(series / f"time_series_covid19_{kind}_US.csv", head, header, places, random)
    rows = [f"{n},XX,XXX,{n},,,{p},{c},{lat},{lon},{c},1000" for n, (p, c, lat, lon) in enumerate(world)]
    lookup = "UID,iso2,iso3,code3,FIPS,Admin2,Province_State,Country_Region,Lat,Long_,Combined_Key,Population"
    (series.parent / "UID_ISO_FIPS_LookUp_Table.csv").write_text("\n".join([lookup, *rows]) + "\n", encoding="utf-8")


def _write(path: Path, head: str, days: list[str], places: list[str], random: np.random.Generator) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.write(f"{head},{','.join(days)}\n")
        for place in places:
            out.write(f"{place},{','.join(map(str, random.poisson(20, len(days)).cumsum().tolist()))}\n")


def main() -> None:
    """Build at two workers and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--counties", type=int, default=COUNTIES)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        raw, cache = Path(place) / "raw", Path(place) / "cache"
        write_tables(raw, options.days, options.counties)
        size = sum(path.stat().st_size for path in raw.rglob("*.csv"))
        command = [sys.executable, "-m", "covid_datasets", "build", "jhu_csse", "--data-dir", str(raw)]
        command += ["--cache-dir", str(cache), "--num-proc", str(options.workers)]
        started = time.perf_counter()
        peak = peak_of(command)
        seconds = time.perf_counter() - started
        stored = sum(path.stat().st_size for path in cache.rglob("*.arrow"))
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "covid_datasets", "verify", "jhu_csse", "--cache-dir", str(cache)], check=True
        )
        verified = time.perf_counter() - started
    rows = (options.counties + PLACES) * options.days
    print(f"  {rows:,} rows from {size / 1e6:,.0f} MB of text: {stored / 1e6:,.0f} MB stored")
    print(f"  build   {seconds:>6.1f} s (aim 60), peak {peak:,.0f} MB (aim 1,000), {options.workers} workers")
    print(f"  verify  {verified:>6.1f} s")


if __name__ == "__main__":
    main()
