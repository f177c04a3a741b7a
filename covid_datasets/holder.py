"""Who holds a lock: a process of some machine, and whether that process still lives."""

from __future__ import annotations

import getpass
import json
import os
import socket
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HELD: dict[str, int] = {}
"""Tokens of the locks that this process holds -> the thread that took each."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who took a lock: machine, process, person, time, and a token that no other holder has."""

    host: str
    pid: int
    user: str
    since: str
    token: str
    # Containers may share a host name without sharing process numbers; the kernel's name of the pid namespace tells.
    namespace: str = ""
    # Numbers of processes are used again, after a restart almost at once; the time of birth tells them apart.
    born: str = ""

    def __str__(self) -> str:
        """Say it in one phrase."""
        mine = self.host == socket.gethostname()
        place = ", in another container" if mine and self.namespace != _namespace() else ""
        thread = "another thread of this process: " if self.token in HELD and self.pid == os.getpid() else ""
        return f"{thread}{self.user} on {self.host}{place} (process {self.pid}) since {self.since}"

    def is_dead(self) -> bool:
        """Tell whether the holder is a process of this very machine that has ended."""
        if (self.host, self.namespace) != (socket.gethostname(), _namespace()):
            return False
        if self.pid == os.getpid():
            return self.token not in HELD  # an earlier process had our number, or an earlier us forgot to release
        if sys.platform == "win32":
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # it lives, and belongs to somebody else
        born = _born(self.pid)
        return born is None or bool(born and self.born and born != self.born)


def read_holder(path: Path) -> Holder | None:
    """Read who holds a lock; ``None`` where nobody does, or its holder is just writing its name."""
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # network file systems also lose files with ESTALE
        return None


def token_of(path: Path) -> str:
    """Read the token of a lock; empty where nobody holds it."""
    holder = read_holder(path)
    return holder.token if holder else ""


def myself() -> Holder:
    """Describe this process as the holder of a lock, with a token of its own."""
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container whose user has no name
        user = f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return Holder(
        host=socket.gethostname(),
        pid=os.getpid(),
        user=user,
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        token=uuid.uuid4().hex,
        namespace=_namespace(),
        born=_born(os.getpid()) or "",
    )


def _born(pid: int) -> str | None:
    """Say when a process began, as no later one with its number did; ``None`` for a zombie, empty if unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:  # not Linux, or hidden from us
        return ""
    state, threads, ticks = stat[0], int(stat[17]), stat[19]
    return None if state in "ZX" and threads <= 1 else f"{boot} {ticks}"


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        return ""
