"""Ctrl-C, or a request to end: one line and the usual exit code, at once, wherever the program is."""

from __future__ import annotations

import os
import signal

SHOW_CURSOR = "\x1b[?25h"
"""What a terminal needs where bars were just drawn, which hide the cursor."""


def end_when_asked() -> None:
    """From now on end this process when SIGINT (130) or SIGTERM (143) comes.

    Nothing is unwound: an exception could be raised in the middle of an import or of a destructor, which print it, and
    would have to wait for workers and for downloads. Nothing has to be, either: what is unfinished has a private name,
    a lock of a dead process holds nobody up, and the next run goes on from there, as after a power cut.
    """
    program = os.getpid()

    def end(number: int, _: object) -> None:
        if os.getpid() == program:  # and not a worker that was forked a moment ago
            _say("interrupted" if number == signal.SIGINT else "terminated")
        os._exit(128 + number)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)


def too_late_to_end() -> None:
    """From now on let signals pass: the answer is given, and Python would take them for its own while it cleans up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _say(what: str) -> None:
    # Not by print: the signal may have come in the middle of one, and a buffer is not entered twice.
    tidy = f"{SHOW_CURSOR}\n" if os.isatty(2) else ""
    try:
        os.write(2, f"{tidy}{what}; the same command goes on where this one stopped\n".encode())
    except OSError:
        return  # nobody listens any more
