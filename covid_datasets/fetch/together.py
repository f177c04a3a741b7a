"""Several downloads at once: the first failure stops the others, and so does Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from covid_datasets.errors import CovidDatasetsError, DownloadError, IntegrityError, MissingExtraError
from covid_datasets.fetch.transfer import CancelToken

T = TypeVar("T")
R = TypeVar("R")


class _Cancelled(CovidDatasetsError):
    """Another download failed, or the user stopped; what arrived is kept."""


def together(
    items: Sequence[T],
    bring: Callable[[T, CancelToken], R],
    *,
    workers: int,
    on_error: Callable[[T, CovidDatasetsError], object] | None = None,
) -> list[R | None]:
    """Bring several things at once, and return them in the order of the items.

    With ``on_error``, what cannot be had is told to it and is ``None``; without it the first failure cancels the
    others and is raised.

    >>> together([1, 2], lambda item, cancel: item * 10, workers=2)
    [10, 20]
    """
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

    stop = threading.Event()

    def cancel() -> None:
        if stop.is_set():
            raise _Cancelled("cancelled")

    def one(item: T) -> R | None:
        cancel()
        try:
            return bring(item, cancel)
        except (DownloadError, IntegrityError, MissingExtraError) as error:
            if on_error is None:
                raise
            on_error(item, error)
            return None

    with ThreadPoolExecutor(workers, "download") as pool:
        futures = [pool.submit(one, item) for item in items]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            # After a failure, and also when the user presses Ctrl-C: let nobody go on downloading for nothing.
            if not all(future.done() for future in futures) or any(future.exception() for future in futures):
                stop.set()
    errors = [error for future in futures if (error := future.exception())]
    for error in sorted(errors, key=lambda error: isinstance(error, _Cancelled)):
        raise error
    return [future.result() for future in futures]
