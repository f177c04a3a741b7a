"""A lock file that also works on network file systems, says who holds it, and expires when its holder is gone."""

from __future__ import annotations

import errno
import getpass
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from covid_datasets.errors import CacheError

_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}


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

    def __str__(self) -> str:
        """Say it in one phrase."""
        return f"{self.user} on {self.host} (process {self.pid}) since {self.since}"

    def is_dead(self) -> bool:
        """Tell whether the holder is a process of this very machine that has ended."""
        if (self.host, self.namespace) != (socket.gethostname(), _namespace()) or sys.platform == "win32":
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False  # it lives, and belongs to somebody else
        return False


class Lock:
    """One holder at a time of a path, across threads, processes and machines.

    The file is created with ``O_EXCL``, which NFS and the like do atomically. A thread touches it while the lock is
    held. A lock is stale, and may be taken over, when its holder is a dead process of this machine or when it has not
    been touched for ``expire`` seconds by the clock of the file server, so that clocks of machines need not agree.

    Args:
        path: The lock file; its folder is made where it is missing.
        expire: Seconds without a touch after which the holder counts as gone.
        timeout: Seconds to wait before giving up with a ``CacheError``; ``None`` waits for as long as it takes.
        on_wait: Called once with a sentence that says who holds the lock, if there is a wait.
        check: Called again and again while waiting; may raise to give up.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        expire: float = 120.0,
        timeout: float | None = None,
        on_wait: Callable[[str], object] | None = None,
        check: Callable[[], object] | None = None,
    ) -> None:
        """Describe the lock; ``with`` takes it."""
        self.path = Path(path)
        self.expire = expire
        self.timeout = timeout
        self.on_wait = on_wait
        self.check = check
        self._token = ""
        self._stop = threading.Event()

    def __enter__(self) -> Lock:
        """Take the lock, waiting for its holder if there is one."""
        start = time.monotonic()
        pause, next_clock, told = 0.02, 0.0, False
        while not self._create():
            holder = read_holder(self.path)
            look_at_clock = time.monotonic() >= next_clock
            if look_at_clock:
                next_clock = time.monotonic() + self.expire / 10
            if (holder and holder.is_dead()) or (look_at_clock and self._is_expired()):
                self._break(holder.token if holder else "")
                continue
            if not told and self.on_wait:
                self.on_wait(f"waiting for {self.path.name}, held by {holder or 'somebody who is just taking it'}")
            told = True
            if self.check:
                self.check()
            if self.timeout is not None and time.monotonic() - start >= self.timeout:
                raise CacheError(
                    f"{self.path}: expected to get this lock within {self.timeout:g} s, found it held by "
                    f"{holder or 'an unknown process'}. Next: wait for that process to end, or stop it; if it is gone "
                    f"the lock expires {self.expire:g} s after its last touch, and deleting the file is safe then"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)
        self._stop.clear()
        threading.Thread(target=self._beat, name=f"lock {self.path.name}", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back, unless somebody else has it by now."""
        self._stop.set()
        if self.is_mine():
            self.path.unlink(missing_ok=True)
        self._token = ""

    def is_mine(self) -> bool:
        """Tell whether the file on disk still carries this object's token."""
        holder = read_holder(self.path)
        return holder is not None and holder.token == self._token

    def _create(self) -> bool:
        holder = Holder(
            host=socket.gethostname(),
            pid=os.getpid(),
            user=_user(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            token=uuid.uuid4().hex,
            namespace=_namespace(),
        )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            if self.path.parent.is_dir():
                return False
            raise CacheError(f"{self.path.parent}: expected a folder, found a file. Next: move it away") from None
        except OSError as error:
            raise self._no_access(error) from error
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(asdict(holder), file)
        except OSError as error:  # an empty lock would hold everybody up until it expires
            self.path.unlink(missing_ok=True)
            raise self._no_access(error) from error
        self._token = holder.token
        return True

    def _is_expired(self) -> bool:
        """Compare the last touch with the file server's own now: the time that it gives to a new file."""
        clock = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}")
        try:
            clock.touch()
            now = clock.stat().st_mtime
        except OSError as error:
            raise self._no_access(error) from error
        finally:
            clock.unlink(missing_ok=True)
        try:
            return now - self.path.stat().st_mtime > self.expire
        except FileNotFoundError:
            return False  # released meanwhile; the next attempt to create it tells

    def _break(self, stale_token: str) -> None:
        """Remove a stale lock, and never one that another process took in the meantime."""
        if _token_of(self.path) != stale_token:
            return
        aside = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return  # another process was faster
        if _token_of(aside) != stale_token:
            try:
                os.link(aside, self.path)  # unlike a rename, it can't replace a newer lock
            except FileExistsError:
                pass  # a newer holder is there; the one moved aside finds out when it looks for its token
            except OSError:
                os.rename(aside, self.path)  # no hard links on this file system
                return
        aside.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stop.wait(self.expire / 4):
            try:
                if not self.is_mine():
                    return
                os.utime(self.path)  # without times: the server's now, not ours
            except OSError:
                continue  # a hiccup of the network file system; the next beat comes well before expiry

    def _no_access(self, error: OSError) -> CacheError:
        why = "cannot be written" if error.errno in _READ_ONLY else f"cannot be used ({error.strerror or error})"
        return CacheError(
            f"{self.path.parent}: expected a folder to write in, found that it {why}. Next: choose another folder "
            f"with cache_dir= or COVID_DATASETS_CACHE, or ask its owner for write permission"
        )


def read_holder(path: Path) -> Holder | None:
    """Read who holds a lock; ``None`` where nobody does or its holder is just writing its name."""
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _token_of(path: Path) -> str:
    holder = read_holder(path)
    return holder.token if holder else ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        return ""
