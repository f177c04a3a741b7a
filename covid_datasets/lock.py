"""A lock file that works on network file systems, says who holds it, and expires when its holder is gone.

A lock saves work, it guards nothing: whoever is suspended for longer than the expiry goes on beside the next holder.
So nothing in this package is right only because of a lock; who publishes or removes something asks `Lock.still_mine`
first, works in a folder of a name of its own, and publishes by one atomic step (`covid_datasets.disk`).

Why not ``filelock`` (4.3.1 was tried)? Its ``StrictSoftFileLock`` never frees the lock of a killed process, only
``force_break`` does. Its ``SoftFileLease`` does, but it cannot be asked whether the lock is still held (a resumed
holder learns that with its next heartbeat, after it has written), waits the whole lease for a zombie, lets each
waiter's own clock decide, and says neither who nor since when; we would have to read its file by ourselves.
"""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from covid_datasets.disk import make_folder, private_name, refused
from covid_datasets.errors import CacheError
from covid_datasets.holder import HELD, myself, read_holder, token_of

_NO_LINKS = {getattr(errno, name) for name in ("EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL")}


class Lock:
    """One holder at a time of a path, across threads, processes and machines: take, still mine, release.

    The file appears with its content, by a hard link, which NFS and the like do atomically. A thread touches it while
    the lock is held. A lock is stale, and may be taken over, when its holder is a dead process of this machine or when
    it has not been touched for ``expire`` seconds by the clock of the file server: clocks of machines need not agree.

    Args:
        path: The lock file; its folder is made where it is missing.
        expire: Seconds without a touch after which the holder counts as gone.
        timeout: Seconds to wait before giving up with a ``CacheError``; ``None`` waits for as long as it takes.
        on_wait: Called once with a sentence that says who holds the lock, if there is a wait.
        cancel: Called again and again while waiting; raises to give up.

    >>> with Lock(getfixture("tmp_path") / "x.lock") as lock:
    ...     lock.still_mine()
    True
    >>> lock.still_mine()
    False
    """

    def __init__(
        self,
        path: Path | str,
        *,
        expire: float = 120.0,
        timeout: float | None = None,
        on_wait: Callable[[str], object] | None = None,
        cancel: Callable[[], object] | None = None,
    ) -> None:
        """Describe the lock; ``with`` takes it."""
        self.path = Path(path)
        self.expire = expire
        self.timeout = timeout
        self.on_wait = on_wait
        self.cancel = cancel
        self._token = ""
        self._pid = 0
        self._stop = threading.Event()

    def take(self) -> None:
        """Take the lock, waiting for its holder if there is one."""
        start = time.monotonic()
        pause, next_clock, told = 0.02, 0.0, False
        while not self._create():
            holder = read_holder(self.path)
            if holder and holder.pid == os.getpid() and HELD.get(holder.token) == threading.get_ident():
                raise CacheError(f"{self.path}: this thread holds the lock already, and would wait for itself")
            look_at_clock = time.monotonic() >= next_clock
            if look_at_clock:
                next_clock = time.monotonic() + self.expire / 10
            if (holder and holder.is_dead()) or (look_at_clock and self._is_expired()):
                self._break(holder.token if holder else "")
                continue
            if not told and self.on_wait:
                self.on_wait(f"waiting for {self.path.name}, held by {holder or 'somebody who is just taking it'}")
            told = True
            if self.cancel:
                self.cancel()
            if self.timeout is not None and time.monotonic() - start >= self.timeout:
                raise CacheError(
                    f"{self.path}: expected to get this lock within {self.timeout:g} s, found it held by "
                    f"{holder or 'an unknown process'}. Next: wait for that process to end, or stop it; if it is gone "
                    f"the lock expires {self.expire:g} s after its last touch, and deleting the file is safe then"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)
        self._stop = threading.Event()
        threading.Thread(target=self._beat, args=(self._stop,), name=f"lock {self.path.name}", daemon=True).start()

    def still_mine(self) -> bool:
        """Tell whether the lock is held by this object, in the process that took it: the file carries its token."""
        return self._pid == os.getpid() and bool(self._token) and token_of(self.path) == self._token

    def release(self) -> None:
        """Give the lock back, unless somebody else has it by now, or a parent process from which this was forked."""
        self._stop.set()
        if self.still_mine():
            self._remove_litter()
            self.path.unlink(missing_ok=True)
        HELD.pop(self._token, None)
        self._token = ""

    def __enter__(self) -> Lock:
        """Take the lock."""
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()

    def _create(self) -> bool:
        """Give the file its name together with its content: half written, it would hold up everybody."""
        if os.path.exists(self.path):
            return False
        make_folder(self.path.parent)
        holder = myself()
        text = json.dumps(asdict(holder))
        private = private_name(self.path)
        made = False
        HELD[holder.token] = threading.get_ident()  # before anybody sees the file: else a thread takes us for dead
        try:
            try:
                private.write_text(text, encoding="utf-8")
                made = self._link(private, text)
            finally:
                private.unlink(missing_ok=True)
        except OSError as error:
            raise refused(self.path.parent, error) from error
        finally:
            if not made:
                HELD.pop(holder.token, None)
        self._token, self._pid = (holder.token, holder.pid) if made else ("", 0)
        return made

    def _link(self, private: Path, text: str) -> bool:
        try:
            os.link(private, self.path)
        except FileExistsError:
            return private.stat().st_nlink > 1  # NFS: made, but the answer was lost and the request sent again
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            try:  # a file system without hard links; killed before the write, the file stays empty and has to expire
                handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                return False
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
        return True

    def _is_expired(self) -> bool:
        """Compare the last touch with the file server's own now: the time that it gives to a new file."""
        clock = private_name(self.path)
        try:
            clock.touch()
            return clock.stat().st_mtime - self.path.stat().st_mtime > self.expire
        except FileNotFoundError:
            return False  # released meanwhile; the next attempt to create it tells
        except OSError as error:
            raise refused(self.path.parent, error) from error
        finally:
            clock.unlink(missing_ok=True)

    def _break(self, stale_token: str) -> None:
        """Remove a stale lock, and never one that another process took in the meantime."""
        if token_of(self.path) != stale_token:
            return
        aside = private_name(self.path)
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return  # another process was faster
        if token_of(aside) != stale_token:
            try:
                os.link(aside, self.path)  # unlike a rename, it can't replace a newer lock
            except FileExistsError:
                pass  # a newer holder is there; the one moved aside finds out when it looks for its token
            except OSError:
                os.rename(aside, self.path)  # no hard links on this file system
                return
        aside.unlink(missing_ok=True)

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(self.expire / 4):
            try:
                if not self.still_mine():
                    return
                os.utime(self.path)  # without times: the server's now, not ours
            except OSError:
                continue  # a hiccup of the network file system; the next beat comes well before expiry

    def _remove_litter(self) -> None:
        """Remove what waiting processes left that were killed in the moment in which they looked."""
        for private in self.path.parent.glob(f".{self.path.name}.*.part"):
            try:
                if self.path.stat().st_mtime - private.stat().st_mtime > self.expire:
                    private.unlink()
            except FileNotFoundError:
                continue
