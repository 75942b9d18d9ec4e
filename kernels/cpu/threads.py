"""Teams of threads that run tables: started when first needed, asleep when idle, gone with their owner."""

from __future__ import annotations

import ctypes
import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING

from .control import SEM_POST, SEM_WAIT, SEMAPHORE_BYTES, SEMAPHORES, SIZE, WORDS, YIELD

if TYPE_CHECKING:
    from .library import Library

log = logging.getLogger("fastact.kernels")

MOST = 64
"""Threads a team may have."""


class Team:
    """`size` threads, the caller's among them, that run tables together.

    One table at a time: the caller sees to that. Survives a fork by starting threads anew in the child.
    """

    def __init__(self, library: Library, size: int) -> None:
        if not 1 <= size <= MOST:
            raise ValueError(f"a team has from 1 to {MOST} threads, not {size}")
        self._library, self.size = library, size
        self._process: int | None = None
        self._control: _Control | None = None

    def run(self, table: int, steps: int) -> None:
        """Walks `steps` rows of the table at address `table`; Python's lock is released meanwhile."""
        if self.size == 1 or not steps:  # without steps a team would not meet: who is late ran the next ones twice
            self._library.run(table, steps)
            return
        if self._process != os.getpid():
            self._start()
        if self._control is None:
            self._library.run(table, steps)
        else:
            self._library.lead(self._control.address, table, steps)

    def _start(self) -> None:
        """Starts the workers; with no semaphores to wake them by, or no threads, the caller works alone: that is said.

        What is interrupted here is begun anew at the next run, so that no table waits for workers that are not there.
        """
        control: _Control | None = None
        try:
            control = _Control(self.size)
            weakref.finalize(self, _stop, self._library, control, os.getpid()).atexit = False
            for me in range(1, self.size):
                threading.Thread(target=_work, args=(self._library, control, me), name="fastact", daemon=True).start()
        except (OSError, RuntimeError) as error:
            log.warning("threads cannot be used here (%s): one thread does all the work", error)
            if control is not None:
                _stop(self._library, control, os.getpid())
                control = None
        self._control, self._process = control, os.getpid()


class _Control:
    """The memory a team shares, with the C library's functions it needs."""

    def __init__(self, size: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            functions = [libc.sem_wait, libc.sem_post, libc.sched_yield]
            initialise = libc.sem_init
        except AttributeError as error:
            raise OSError("the C library has no semaphores") from error
        self._memory = ctypes.create_string_buffer(8 * WORDS + SEMAPHORE_BYTES * (size + 1))
        start = ctypes.addressof(self._memory)
        self.address = start + -start % 64
        words = (ctypes.c_int64 * WORDS).from_address(self.address)
        words[SIZE], words[SEMAPHORES] = size, self.address + 8 * WORDS
        for place, function in zip((SEM_WAIT, SEM_POST, YIELD), functions, strict=True):
            words[place] = ctypes.cast(function, ctypes.c_void_p).value or 0
        for me in range(1, size):
            if initialise(ctypes.c_void_p(words[SEMAPHORES] + SEMAPHORE_BYTES * me), 0, 0):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _work(library: Library, control: _Control, me: int) -> None:
    """A worker's whole life; it keeps the control block alive for as long as it looks at it."""
    library.work(control.address, me)


def _stop(library: Library, control: _Control, process: int) -> None:
    """Lets the workers go; in a forked child there are none."""
    if process == os.getpid():
        library.stop(control.address)
