"""A report's tables as plain cells, for the console, Markdown and HTML alike."""

from __future__ import annotations

from dataclasses import dataclass

from fastact.bench import words
from fastact.bench.result import Layer, Report, Size
from fastact.bench.times import Times


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
    """A row for each figure and a column for each size; figures no size has are left out."""
    columns = [_frame(report, size) for size in report.sizes]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    head = ("whole frames", *(size.label for size in report.sizes))
    return Table("Whole frames", head, tuple(row for row in rows if any(row[1:])))


def _frame(report: Report, size: Size) -> dict[str, str]:
    speed, picture, energy = 2 * size.multiply_adds / size.frame.median, size.picture, size.energy
    return {
        "multiply-adds": f"{size.multiply_adds:,}",
        "time, median": words.milliseconds(size.frame.median),
        "half of the frames, ms": _spread(size.frame),
        "9 of 10 frames within": words.milliseconds(size.frame.slowest_tenth),
        "runs": f"{len(size.frame.runs):,}",
        "of them far above the others": f"{len(size.frame.outliers):,}",
        "slowest": words.milliseconds(max(size.frame.runs)),
        "CPU time, all threads": words.milliseconds(size.cpu.median),
        "frames a second": f"{1 / size.frame.median:,.0f}",
        f"a loop of {words.LOOP_HERTZ} Hz": "holds" if size.frame.slowest_tenth <= words.BUDGET else "does not hold",
        "GFLOP/s": f"{speed / 1e9:.1f}",
        "of the machine's peak": f"{speed / report.ability.peak:.0%}",
        "maps": words.megabytes(size.map_bytes),
        "a fresh process at most": words.megabytes(size.process_bytes) if size.process_bytes is not None else "",
        "beside that: decoding the JPEG": words.milliseconds(picture.decoding.median) if picture else "",
        "beside that: drawing a sheet": words.milliseconds(picture.drawing.median) if picture else "",
        "energy of the board": f"{1e3 * energy.joules:.1f} mJ a frame, {energy.watts:.1f} W" if energy else "",
    }


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
        words.megabytes(layer.map_bytes) if layer.map_bytes else "",
    )


def _spread(times: Times) -> str:
    return f"{_digits(1e3 * times.low)} to {_digits(1e3 * times.high)}"


def _digits(value: float) -> str:
    """Three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.{2 if value < 10 else 1}f}" if value >= 0.1 else f"{value:.4f}"
