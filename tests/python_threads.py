"""Several threads of Python's at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

PATIENCE = 90
"""Seconds after which a job hangs."""


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
