"""Several threads of Python's at once, and waiting for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

PATIENCE = 300
"""Seconds after which a job hangs."""


def until(done: Callable[[], bool]) -> None:
    """Waits for what another thread or process does, or for a good moment of a busy machine."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"not within {PATIENCE} s"
        time.sleep(0.01)


def together(jobs: Iterable[Callable[[], object]]) -> None:
    """Runs the jobs at once, each in a thread; the first failure is raised."""
    failures: list[BaseException] = []

    def guarded(job: Callable[[], object]) -> None:
        try:
            job()
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
    if failures:
        raise failures[0]
    assert not any(worker.is_alive() for worker in workers)
