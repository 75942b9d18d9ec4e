"""What a mask costs beside the feature maps alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from fastact.extractor import Extractor, Frame
from fastact.saliency.base import Saliency

_SECONDS, _LEAST = 0.6, 7
_AT_ONCE = 5


@dataclass(frozen=True)
class Cost:
    """Milliseconds a frame, the least of many, which other programs disturb least: of a mask, and of the maps of every
    convolution alone."""

    mask: float
    plain: float

    @property
    def ratio(self) -> float:
        """How many times the plain extraction it takes."""
        return self.mask / self.plain


def cost(see: Saliency, frame: Frame, threads: int = 1, device: str = "cpu") -> Cost:
    """Measures both in turns, for about half a second, so that what else the machine does meets both alike.

    The call before it has made both plans: neither reading nor planning is counted.
    """
    plain = Extractor(see.model, threads=threads, device=device)
    times: dict[str, list[float]] = {"mask": [], "plain": []}
    calls: dict[str, Callable[[Frame], object]] = {"mask": see, "plain": plain}
    for call in calls.values():
        call(frame)
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end or len(times["mask"]) < _LEAST * _AT_ONCE:
        for name, call in calls.items():
            for _ in range(_AT_ONCE):
                start = time.perf_counter()
                call(frame)
                times[name].append(time.perf_counter() - start)
    return Cost(*(1e3 * min(times[name]) for name in ("mask", "plain")))
