"""What must stay with the owner of the data: the key that all pseudonyms, UIDs and shifts of dates are made with.

Nothing is stored of them: each is a keyed hash of what it stands for. So they are the same in all files, in any order,
in another run with the same key, and nobody without the key can find out, or test, whose they are.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from covid_datasets.disk import make_folder, refused, whole
from covid_datasets.errors import DamagedFileError

KEY = "key"
_KEY_BYTES = 32
_YEAR = 365
_YEARS = 10
_MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A key, and what it makes of names.

    >>> secret = Secret(bytes(32))
    >>> secret.pseudonym("P1"), secret.uid("1.2.3") == secret.uid("1.2.3"), secret.minutes("P1") < 0
    ('PHRQVBLCTNJI2', True, True)
    """

    key: bytes

    def pseudonym(self, patient: str) -> str:
        """Return what a patient is called."""
        return "P" + base64.b32encode(self._digest("patient", patient)[:8]).decode()[:12]

    def uid(self, uid: str) -> str:
        """Return the UID that takes the place of one (PS3.5, B.2: of random numbers)."""
        return f"2.25.{int.from_bytes(self._digest('uid', uid)[:16])}"

    def minutes(self, patient: str) -> int:
        """Return by how many minutes the dates of a patient are moved: one to eleven years back."""
        number = int.from_bytes(self._digest("offset", patient)[:8])
        return -(_YEAR * _MINUTES_A_DAY + number % (_YEARS * _YEAR * _MINUTES_A_DAY))

    def name(self, kind: str, text: str) -> str:
        """Return a short name for a file or a folder."""
        return self._digest(kind, text).hex()[:16]

    def _digest(self, kind: str, text: str) -> bytes:
        return hmac.new(self.key, f"{kind}\0{text}".encode("utf-8", "surrogateescape"), hashlib.sha256).digest()


def open_secret(folder: Path) -> Secret:
    """Read the key of a folder, and make both where they are not there; from now on only their owner can read them."""
    path = folder / KEY
    make_folder(folder)
    try:
        folder.chmod(0o700)
        if not path.exists():
            with whole(path) as private:
                private.touch(mode=0o600)
                private.write_bytes(secrets.token_bytes(_KEY_BYTES))
        path.chmod(0o600)  # of one that was copied from elsewhere
        key = path.read_bytes()
    except OSError as error:
        raise refused(path, error) from error
    if len(key) != _KEY_BYTES:
        raise DamagedFileError(f"{path}: expected {_KEY_BYTES} bytes of a key, found {len(key):,}")
    return Secret(key)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    try:
        with whole(path) as private:
            private.touch(mode=0o600)
            private.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")
    except OSError as error:
        raise refused(path, error) from error


def add_private(path: Path, line: str) -> None:
    """Add a line to a file that only its owner can read."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8", newline="\n") as file:
            file.write(line + "\n")
    except OSError as error:
        raise refused(path, error) from error
