"""What a picture looks like is worked out in small products, which no library divides among threads."""

from __future__ import annotations

import json
import subprocess
import sys

RUN = """
import json, time
from PIL import Image
from covid_datasets.measure.looks import looks_of
film = Image.effect_mandelbrot((640, 400), (-2, -1, 1, 1), 50)
looks_of(film)
whole, own = time.process_time(), time.thread_time()
for _ in range(150):
    looks_of(film)
print(json.dumps([time.process_time() - whole, time.thread_time() - own]))
"""


def test_a_picture_takes_one_thread() -> None:
    """Workers are as many as there are processors already; threads that wait for each other took half of a build."""
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, check=True)
    whole, own = json.loads(done.stdout)
    assert whole < 1.3 * own
