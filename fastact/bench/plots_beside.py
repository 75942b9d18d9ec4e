"""Plots of what stands beside fastact's own times: other engines, and estimates for boards."""

from __future__ import annotations

import math

from fastact.bench import words
from fastact.bench.result import Peer, Peers, Projection, Report
from fastact.bench.svg import BAR, GAP, NAME, WIDTH, Plot, bar, color, dot, line, short, svg, text

_ROOM = WIDTH - NAME - 150
"""Pixels of the longest bar: the rest is for its figures."""


def engines(report: Report, peers: Peers) -> Plot:
    """A bar for each engine and size: its time over fastact's, with the quartiles of the rounds."""
    labels = [size.label for size in report.sizes]
    names = list(dict.fromkeys(engine.name for contest in peers.contests for engine in contest.engines))
    found = [{engine.name: engine for engine in contest.engines} for contest in peers.contests]
    most = max(engine.ratio_high for of in found for engine in of.values())
    parts, y = list[str](), 10.0
    for name in names:
        parts.append(text(NAME - 10, y + len(found) * (BAR + 2) / 2 + 4, short(name), "end"))
        for contest, of in zip(peers.contests, found, strict=True):
            if name in of:
                parts += _engine(y, of[name], most, contest.label, color(labels.index(contest.label)))
            y += BAR + 2
        y += GAP
    one = NAME + _ROOM / most
    parts.append(line(one, 4, one, y - GAP + 4, "limit"))
    return Plot(
        "Beside other engines",
        svg(y, "Time of each engine as a multiple of fastact's", parts),
        "Time for the same maps of the same frame as a multiple of fastact's, which is the dashed line: shorter is "
        "quicker. The median of the rounds; the thin line goes from quartile to quartile.",
    )


def _engine(y: float, engine: Peer, most: float, label: str, kind: str) -> list[str]:
    low, middle, high = (value / most * _ROOM for value in (engine.ratio_low, engine.ratio, engine.ratio_high))
    time = words.milliseconds(engine.times.median)
    title = f"{engine.name} {engine.version} at {label}: {engine.ratio:.2f} times fastact's time, {time}"
    parts = [bar(NAME, y, middle, kind, title)]
    if high > low:
        parts.append(line(NAME + low, y + BAR / 2, NAME + high, y + BAR / 2, "whisker"))
    said = f"{engine.ratio:.2f}, {time}"
    return [*parts, text(NAME + max(middle, high) + 6, y + 11, said, kind="small")]


def boards(report: Report) -> Plot:
    """A bar for each board and size, from the lower to the upper end of the estimate, on a logarithmic axis."""
    labels = [size.label for size in report.sizes]
    measured = {size.label: size.frame.median for size in report.sizes}
    ends = [end for p in report.projections for end in (p.low, p.high)]
    low, high = (math.log(v) for v in (min(*ends, *measured.values()) / 1.2, max(*ends, words.BUDGET) * 1.2))

    def x(seconds: float) -> float:
        return NAME + (math.log(seconds) - low) / (high - low) * _ROOM

    parts, y = list[str](), 26.0
    for name in dict.fromkeys(projection.board for projection in report.projections):
        of = [projection for projection in report.projections if projection.board == name]
        parts.append(text(NAME - 10, y + len(of) * (BAR + 2) / 2 + 4, short(name or "this machine"), "end"))
        for projection in of:
            parts += _range(y, projection, x(projection.low), x(projection.high), color(labels.index(projection.label)))
            if not name:
                seconds = measured[projection.label]
                title = f"measured at {projection.label}: {words.milliseconds(seconds)}"
                parts.append(dot(x(seconds), y + BAR / 2, "measured", title))
            y += BAR + 2
        y += GAP
    budget = x(words.BUDGET)
    parts.insert(0, line(budget, 18, budget, y - GAP + 4, "limit"))  # below the figures, which stay readable
    parts.append(text(budget, 12, f"{words.LOOP_HERTZ} Hz: {1e3 * words.BUDGET:.0f} ms", "middle", "small"))
    return Plot(
        "Estimate for other boards",
        svg(y, "Estimated time of a frame on other boards, from the least to the most", parts),
        "An estimate by the roofline model from published figures: nothing was run on these boards. Each bar goes from "
        "the least to the most a frame may take on the CPU, on a logarithmic scale; for this machine the dot is what "
        "was measured, which tells how far to trust the others.",
    )


def _range(y: float, projection: Projection, left: float, right: float, kind: str) -> list[str]:
    said = f"{words.spread(projection.low, projection.high)} ms"
    title = f"{projection.board or 'this machine'} at {projection.label}: {said}, estimated"
    return [bar(left, y, right - left, kind, title), text(right + 10, y + 11, said, kind="small")]
