"""What a picture looks like is worked out in small products, which no library divides among threads."""

from __future__ import annotations

import subprocess
import sys

RUN = """
import time
from PIL import Image
from covid_datasets.measure.looks import looks_of
film = Image.effect_mandelbrot((640, 400), (-2, -1, 1, 1), 50)
shares = []
for _ in range(8):
    whole, own = time.process_time(), time.thread_time()
    for _ in range(25):
        looks_of(film)
    shares.append((time.process_time() - whole) / (time.thread_time() - own))
print(min(shares))
"""


def test_a_picture_takes_one_thread() -> None:
    """Workers are as many as there are processors already; threads that wait for each other took half of a build.

    In some rounds threads of the start may still wait; where products are divided they do in all.
    """
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.2
