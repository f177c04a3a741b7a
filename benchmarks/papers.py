"""Time and peak memory of building a table of papers of the size of CORD-19's, a million rows with abstracts."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.memory import peak_of

ROWS = 1_000_000
WORDS = ["virus", "Québec", "model, of", "the", "pneumonia", "in", "binding", '""quoted""', "cohort", "2020"]
HEADER = (
    "cord_uid,sha,source_x,title,doi,pmcid,pubmed_id,license,abstract,publish_time,authors,journal,mag_id,"
    "who_covidence_id,arxiv_id,pdf_json_files,pmc_json_files,url,s2_id"
)


def write(path: Path, rows: int, seed: int = 7) -> None:
    """Write papers as long as those of the 1,000 that were seen: 1.6 kB, one in five without an abstract."""
    chance = random.Random(seed)
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write(f"{HEADER}\n")
        for number in range(rows):
            abstract = " ".join(chance.choices(WORDS, k=chance.randrange(40, 340))) if number % 5 else ""
            if number % 50 == 1:
                abstract = abstract.replace(" the ", "\n", 1)
            sha = f"{number:040x}" if number % 3 == 0 else ""
            out.write(
                f'{number % (rows * 9 // 10):08x},{sha},Medline; PMC,"A title, {number}",10.1/{number},PMC{number},'
                f'{number}.0,cc-by,"{abstract}",2021-03-{number % 31 + 1:02},"Doe, A; Roe, B",J One,,,,'
                f"{f'document_parses/pdf_json/{sha}.json' if sha else ''},,https://doi.org/10.1/{number},{number}.0\n"
            )


def main() -> None:
    """Build and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        raw, cache = Path(place) / "raw", Path(place) / "cache"
        raw.mkdir()
        write(raw / "metadata.csv", options.rows)
        size = (raw / "metadata.csv").stat().st_size
        command = [sys.executable, "-m", "covid_datasets", "build", "cord19", "--data-dir", str(raw)]
        command += ["--cache-dir", str(cache), "--num-proc", str(options.workers)]
        started = time.perf_counter()
        peak = peak_of(command)
        seconds = time.perf_counter() - started
        stored = sum(path.stat().st_size for path in cache.rglob("*.arrow"))
    print(f"  {options.rows:,} papers from {size / 1e6:,.0f} MB of text: {stored / 1e6:,.0f} MB stored")
    print(f"  build   {seconds:>6.1f} s, peak {peak:,.0f} MB (aim 1,000), {options.workers} workers")


if __name__ == "__main__":
    main()
