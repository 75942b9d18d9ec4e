"""Plots as inline SVG, drawn in the page's own colours, so that they follow its light and dark.

Drawn here and not with a plotting library: a few plain plots are less code than what it would take to make a library's
SVG follow a page's style sheet, and a board need not install one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from fastact.bench import words
from fastact.bench.plots_beside import boards, engines
from fastact.bench.result import Ability, Report, Size
from fastact.bench.svg import BAR, GAP, NAME, WIDTH, Plot, bar, color, dot, line, short, svg, text
from fastact.bench.times import slope


def plots(report: Report) -> list[Plot]:
    """All that the report has figures for."""
    made = [_by_layer(report), _memory(report)]
    if report.ability is not None:
        made.insert(1, _roofline(report, report.ability))
    # Some systems count CPU time so coarsely that a frame takes none, and logarithms have no place for that.
    if len(report.sweep) > 2 and report.gpu is None and all(point.cpu_seconds > 0 for point in report.sweep):
        made.insert(1, _sweep(report))
    if report.peers is not None and any(len(contest.engines) > 1 for contest in report.peers.contests):
        made.append(engines(report, report.peers))
    if report.projections:
        made.append(boards(report))
    return made


def key(sizes: Sequence[Size]) -> str:
    """Which colour is which size, as HTML."""
    return " ".join(f'<span class="key {color(i)}"></span>{escape(s.label)}' for i, s in enumerate(sizes))


def _by_layer(report: Report) -> Plot:
    """Two panels of bars side by side: time, and multiply-adds."""
    names = list(dict.fromkeys(layer.names for size in report.sizes for layer in size.layers))
    panel = (WIDTH - NAME) / 2
    room = panel - 100
    parts = [text(NAME, 16, "time", kind="head"), text(NAME + panel, 16, "multiply-adds", kind="head")]
    layers = [{layer.names: layer for layer in size.layers} for size in report.sizes]
    slowest = max(layer.times.median for of in layers for layer in of.values())
    most = max((layer.multiply_adds for of in layers for layer in of.values()), default=0) or 1
    y = 30.0
    for group in names:
        height = len(layers) * (BAR + 2)
        parts.append(text(NAME - 10, y + height / 2 + 4, short(" + ".join(group)), "end"))
        for number, of in enumerate(layers):
            if group not in of:
                continue
            layer, label = of[group], report.sizes[number].label
            time, work = words.milliseconds(layer.times.median), f"{layer.multiply_adds / 1e6:,.1f} M"
            for left, part, value in (
                (NAME, layer.times.median / slowest, time),
                (NAME + panel, layer.multiply_adds / most, work),
            ):
                parts.append(bar(left, y, part * room, color(number), f"{layer.name} at {label}: {value}"))
                parts.append(text(left + part * room + 5, y + 11, value, kind="small"))
            y += BAR + 2
        y += GAP
    return Plot(
        "Where the time goes",
        svg(y, "Time and multiply-adds of each layer at each size", parts),
        "Where a layer's bar is longer on the left than on the right, beside the other layers, it reaches less of the "
        "machine's peak. Times are medians.",
    )


@dataclass(frozen=True)
class _Axes:
    """Logarithmic axes in a frame."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    left: float = 80
    right: float = WIDTH - 30
    top: float = 20
    bottom: float = 370

    def x(self, value: float) -> float:
        low, high = (math.log(v) for v in self.x_range)
        return self.left + (math.log(value) - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        low, high = (math.log(v) for v in self.y_range)
        return self.bottom - (math.log(value) - low) / (high - low) * (self.bottom - self.top)

    def draw(
        self, x_name: str, y_name: str, x_text: Callable[[float], str], y_text: Callable[[float], str]
    ) -> Iterator[str]:
        for value in _ticks(self.x_range):
            yield line(self.x(value), self.top, self.x(value), self.bottom, "grid")
            yield text(self.x(value), self.bottom + 18, x_text(value), "middle", "small")
        for value in _ticks(self.y_range):
            yield line(self.left, self.y(value), self.right, self.y(value), "grid")
            yield text(self.left - 8, self.y(value) + 4, y_text(value), "end", "small")
        yield text((self.left + self.right) / 2, self.bottom + 38, x_name, "middle", "small")
        yield (
            f'<text transform="translate(16 {(self.top + self.bottom) / 2:.0f}) rotate(-90)" text-anchor="middle" '
            f'class="small">{escape(y_name)}</text>'
        )


def _ticks(limits: tuple[float, float]) -> Iterator[float]:
    """1, 2, 5 of every power of ten within the limits; powers alone where there are many."""
    low, high = (math.log10(v) for v in limits)
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    for power in range(math.floor(low), math.ceil(high) + 1):
        for step in steps:
            if limits[0] <= step * 10.0**power <= limits[1]:
                yield step * 10.0**power


def _around(values: Sequence[float], margin: float = 1.4) -> tuple[float, float]:
    return min(values) / margin, max(values) * margin


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _sweep(report: Report) -> Plot:
    """Time against pixels: what passes, and CPU time with the line fitted to it."""
    points = report.sweep
    spent = [t for p in points for t in (p.seconds, p.cpu_seconds)]
    axes = _Axes(_around([p.pixels for p in points], 1.15), _around([1e3 * t for t in [*spent, words.BUDGET]]))
    parts = list(axes.draw("pixels of the input", "ms a frame", _number, _number))
    budget = axes.y(1e3 * words.BUDGET)
    parts.append(line(axes.left, budget, axes.right, budget, "limit"))
    parts.append(text(axes.left + 8, budget - 6, f"{words.LOOP_HERTZ} Hz: {1e3 * words.BUDGET:.0f} ms", kind="small"))
    exponent, work = report.exponent(), slope([(p.pixels, float(p.multiply_adds)) for p in points])
    if exponent is not None:
        middle = math.exp(sum(math.log(p.cpu_seconds / p.pixels**exponent) for p in points) / len(points))
        ends = [(axes.x(p.pixels), axes.y(1e3 * middle * p.pixels**exponent)) for p in (points[0], points[-1])]
        parts.append(line(*ends[0], *ends[1], "fit"))
        parts.append(text(axes.right - 8, axes.bottom - 12, f"CPU time ~ pixels^{exponent:.2f}", "end"))
    for p in points:
        name = f"{p.width}x{p.height}"
        parts.append(
            dot(axes.x(p.pixels), axes.y(1e3 * p.seconds), "hollow", f"{name}: {words.milliseconds(p.seconds)}")
        )
        parts.append(
            dot(
                axes.x(p.pixels),
                axes.y(1e3 * p.cpu_seconds),
                "c1",
                f"{name}: CPU time {words.milliseconds(p.cpu_seconds)}",
            )
        )
        parts.append(_named(axes.x(p.pixels), axes.y(1e3 * p.cpu_seconds), axes.y(1e3 * p.seconds), name))
    beside = "" if work is None else f" Multiply-adds grow as pixels^{work:.2f}."
    return Plot(
        "Cost against pixels",
        svg(420, "Time of a frame against the pixels of the input", parts),
        "Filled: CPU time of all threads, with the line fitted to it, means; hollow: time that passed, lower quartiles."
        f"{beside}",
    )


def _named(x: float, y: float, other: float, name: str) -> str:
    """A name below two dots, to their right; or above them to their left where the plot ends, clear of its line."""
    if x > WIDTH - 90:
        return text(x, min(y, other) - 12, name, "end", "small")
    return text(x + 8, max(y, other) + 16, name, kind="small")


def _roofline(report: Report, ability: Ability) -> Plot:
    """Each layer's speed against its arithmetic for each byte, below what the machine could do."""
    layers = [(i, layer) for i, size in enumerate(report.sizes) for layer in size.layers if layer.multiply_adds]
    ridge = ability.peak / ability.memory
    axes = _Axes(
        _around([layer.intensity for _, layer in layers] + [ridge, 1]),
        _around([layer.speed / 1e9 for _, layer in layers] + [ability.peak / 1e9, ability.peak / 1e10]),
        bottom=400,
    )
    parts = list(axes.draw("FLOP for each byte of inputs, weights and maps", "GFLOP/s", _number, _number))
    for name, rate, kind in (("memory", ability.memory, "roof"), ("second cache", ability.cache, "roof2")):
        start = max(axes.x_range[0], axes.y_range[0] * 1e9 / rate)
        end = min(axes.x_range[1], ability.peak / rate)
        if start < end:
            y_end = axes.y(end * rate / 1e9)
            parts.append(line(axes.x(start), axes.y(start * rate / 1e9), axes.x(end), y_end, kind))
            place = start * (end / start) ** 0.12
            said = f"{name} {rate / 1e9:.0f} GB/s"
            parts.append(text(axes.x(place) + 12, axes.y(place * rate / 1e9) + 4, said, kind="small"))
    top = axes.y(ability.peak / 1e9)
    parts.append(line(axes.x(max(axes.x_range[0], ability.peak / ability.cache)), top, axes.right, top, "roof"))
    parts.append(text(axes.right - 6, top - 7, f"peak {ability.peak / 1e9:.0f} GFLOP/s", "end", "small"))
    order = {layer.names: str(i) for i, layer in enumerate(report.sizes[-1].layers, 1)}
    spots = [(axes.x(layer.intensity), axes.y(layer.speed / 1e9)) for _, layer in layers]
    for (number, layer), (x, y) in zip(layers, spots, strict=True):
        title = f"{layer.name} at {report.sizes[number].label}: {layer.speed / 1e9:.1f} GFLOP/s"
        parts.append(dot(x, y, color(number), title))
    taken = list(spots)
    for (_, layer), (x, y) in zip(layers, spots, strict=True):
        place = _free(x, y, taken)
        taken.append(place)
        parts.append(text(place[0], place[1] + 4, order.get(layer.names, ""), "middle", "small"))
    listed = ", ".join(f"{place} {' + '.join(names)}" for names, place in order.items()) if len(order) < 13 else ""
    return Plot(
        "How near the machine's peak",
        svg(450, "Speed of each layer below the machine's peak and bandwidth", parts),
        "A layer can be no higher than the peak, nor than the slanted line of where its data lie: in memory or in the "
        f"second cache. Both were measured in the same run. {listed}",
    )


def _free(x: float, y: float, taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Where a label of a dot can stand: beside, above or below it, where it is farthest from what is there."""
    places = [(x + 13, y), (x - 13, y), (x, y - 13), (x, y + 13)]
    clear = [min((math.hypot(a - p, b - q) for p, q in taken if (p, q) != (x, y)), default=99.0) for a, b in places]
    # The usual place is kept unless something is in its way.
    return places[0] if clear[0] > 14 else places[clear.index(max(clear))]


def _memory(report: Report) -> Plot:
    """Bars of a fresh process and of the maps."""
    rows: list[tuple[str, list[int | None]]] = [
        ("fresh process", [s.process_bytes for s in report.sizes]),
        ("maps asked for", [s.map_bytes for s in report.sizes]),
    ]
    most = max(v for _, values in rows for v in values if v is not None) or 1
    parts, y = list[str](), 8.0
    for name, values in rows:
        parts.append(text(NAME - 10, y + len(values) * (BAR + 2) / 2 + 4, name, "end"))
        for number, value in enumerate(values):
            if value is not None:
                width = value / most * (WIDTH - NAME - 90)
                label = words.megabytes(value)
                parts.append(bar(NAME, y, width, color(number), f"{name} at {report.sizes[number].label}: {label}"))
                parts.append(text(NAME + width + 5, y + 11, label, kind="small"))
            y += BAR + 2
        y += GAP
    return Plot(
        "Memory",
        svg(y, "Memory of a fresh process and of the maps at each size", parts),
        "The process loads the model and one frame, and computes its maps: Python, NumPy and Pillow included.",
    )
