"""Statistics of a page that is served, gathered in a thread of their own while people look at it.

One pass over the tub for each column, in memory that does not grow with frames, with the extractor that serves the
page. Whoever looks comes first: after each request for a frame the thread waits until nobody has asked for a moment.
What is known is made ready at 100 frames, at 200, at 400 and so on, and at the end; such an edition is bytes, so that
answering a request for it costs nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fastact.errors import FastactError
from fastact.extractor import Extractor
from fastact.lap import Lap
from fastact.page.columns import Data
from fastact.page.html import as_json
from fastact.page.statistics import Told
from fastact.stats import Collector

FIRST = 100
"""Frames behind a column's first edition; each further one has twice as many."""

QUIET = 0.5
"""Seconds without a request for a frame, after which the pass goes on."""


@dataclass(frozen=True)
class Pass:
    """A column's way through a tub.

    Attributes:
        extract: computes the maps.
        lap: what is fed.
        picture: the picture behind a peak, from its path as the peak has it.
        size: (rows, columns) of the input, in whose pixels receptive fields are; None for no picture.
        frame: the number of the frame that is served for that path.
    """

    extract: Extractor
    lap: Lap
    picture: Callable[[str], npt.NDArray[np.uint8]]
    size: tuple[int, int] | None = None
    frame: Callable[[str], int | None] | None = None


@dataclass
class Telling:
    """Runs the passes, one after the other, from `start` to `close`; `passes` has None for a column without.

    `first` and `quiet` are what :data:`FIRST` and :data:`QUIET` say.
    """

    passes: Sequence[Pass | None]
    first: int = FIRST
    quiet: float = QUIET
    _frames: int = 0
    _of: int = 0
    _edition: int = 0
    _ended: bool = False
    _failures: list[str] = field(default_factory=list)
    _bodies: dict[int, bytes] = field(default_factory=dict)
    _busy_until: float = 0.0
    _closed: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins, in a thread that does not keep the program alive."""
        self._thread = threading.Thread(target=self._run, name="statistics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the pass after the frame under way, and waits for that."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(10)

    def disturb(self) -> None:
        """Somebody asks for a frame: wait."""
        self._busy_until = time.monotonic() + self.quiet

    def state(self) -> Data:
        """How far it is: frames of all columns' passes, and a number that grows with each edition."""
        return {
            "frames": self._frames,
            "of": self._of,
            "edition": self._edition,
            "ended": self._ended,
            "failures": list(self._failures),
        }

    def edition(self, column: int) -> bytes | None:
        """What is known of a column so far, as JSON (`Told.as_data`); None for nothing yet."""
        return self._bodies.get(column)

    def _run(self) -> None:
        try:
            self._of = sum(each.lap.count() for each in self.passes if each is not None)
            for column, each in enumerate(self.passes):
                if each is not None:
                    self._tell(column, each)
        finally:
            self._ended = True

    def _tell(self, column: int, each: Pass) -> None:
        collector = Collector(each.extract)
        try:
            for shot in each.lap:
                if not self._go_on():
                    return
                collector.add(each.extract(shot.frame), shot.record.index, each.lap.tub.inside(shot.record))
                self._frames += 1
                if self._due(collector.frames):
                    self._publish(column, each, collector, complete=False)
            if not collector.frames:
                raise each.lap.empty()
            self._publish(column, each, collector, complete=True)
        except FastactError as error:
            self._failures.append(str(error))

    def _due(self, frames: int) -> bool:
        """Whether `frames` are `first` times a power of two."""
        times, rest = divmod(frames, self.first)
        return times > 0 and rest == 0 and times & (times - 1) == 0

    def _go_on(self) -> bool:
        """Waits while people look; False once it is to end."""
        while not self._closed.is_set() and (left := self._busy_until - time.monotonic()) > 0:
            self._closed.wait(left)
        return not self._closed.is_set()

    def _publish(self, column: int, each: Pass, collector: Collector, *, complete: bool) -> None:
        def picture(image: str) -> npt.NDArray[np.uint8]:
            self._go_on()
            return each.picture(image)

        told = Told(collector.result(damaged=each.lap.damaged, complete=complete), picture, each.frame)
        self._bodies[column] = as_json(told.as_data(each.size)).encode("utf-8")
        self._edition += 1
