"""A report's tables as plain cells, for the console, Markdown and HTML alike."""

from __future__ import annotations

from dataclasses import dataclass

from fastact.bench import words
from fastact.bench.result import Layer, Report, Size, Times


@dataclass(frozen=True)
class Table:
    """A heading, column heads and rows of text; the first column stands to the left, the others to the right."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(report: Report) -> list[Table]:
    """Whole frames, then every size's layers."""
    return [_frames(report), *(_layers(report, size) for size in report.sizes)]


def _frames(report: Report) -> Table:
    head = (
        "input", "multiply-adds", "frame", "quartiles", "slowest tenth", "runs", "far above", "CPU time", "frames/s",
        "GFLOP/s", "of peak", "maps", "process", f"{words.LOOP_HERTZ} Hz", "decoding", "drawing", "energy",
    )  # fmt: skip
    rows = tuple(_frame(report, size) for size in report.sizes)
    kept = [i for i in range(len(head)) if any(row[i] for row in rows)]
    return Table("Whole frames", tuple(head[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in rows))


def _frame(report: Report, size: Size) -> tuple[str, ...]:
    speed = 2 * size.multiply_adds / size.frame.median
    return (
        size.label,
        f"{size.multiply_adds:,}",
        words.milliseconds(size.frame.median),
        _spread(size.frame),
        words.milliseconds(size.frame.slowest_tenth),
        str(len(size.frame.runs)),
        str(len(size.frame.outliers)),
        words.milliseconds(size.cpu.median),
        f"{1 / size.frame.median:,.0f}",
        f"{speed / 1e9:.1f}",
        f"{speed / report.ability.peak:.0%}",
        words.megabytes(size.map_bytes),
        words.megabytes(size.process_bytes) if size.process_bytes is not None else "",
        "holds" if size.frame.slowest_tenth <= words.BUDGET else "does not hold",
        words.milliseconds(size.picture.decoding.median) if size.picture else "",
        words.milliseconds(size.picture.drawing.median) if size.picture else "",
        f"{1e3 * size.energy.joules:.1f} mJ" if size.energy else "",
    )


def _layers(report: Report, size: Size) -> Table:
    head = ("layer", "map", "multiply-adds", "time", "quartiles", "share", "GFLOP/s", "of peak", "FLOP/byte", "maps")
    total = sum(layer.times.median for layer in size.layers)
    rows = tuple(_layer(report, layer, total) for layer in size.layers)
    return Table(f"Layers at {size.label}, {len(size.layers[0].times.runs)} runs each", head, rows)


def _layer(report: Report, layer: Layer, total: float) -> tuple[str, ...]:
    computes = layer.multiply_adds > 0
    return (
        layer.name,
        words.shape(layer),
        f"{layer.multiply_adds:,}" if computes else "",
        words.milliseconds(layer.times.median),
        _spread(layer.times),
        f"{layer.times.median / total:.0%}",
        f"{layer.speed / 1e9:.1f}" if computes else "",
        f"{layer.speed / report.ability.peak:.0%}" if computes else "",
        f"{layer.intensity:.1f}" if computes else "",
        words.megabytes(layer.map_bytes),
    )


def _spread(times: Times) -> str:
    return f"{1e3 * times.low:.3g}..{1e3 * times.high:.3g}"
