"""A report's tables as plain cells, for the console, Markdown and HTML alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastact.bench import project, words
from fastact.bench.result import Layer, Peers, Projection, Report, Size
from fastact.bench.times import Times


@dataclass(frozen=True)
class Table:
    """A heading, column heads, rows of text, and a sentence or two on them.

    The first `names` columns say what a row is of and stand to the left, the others to the right.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    names: int = 1


_PAIRED = (
    "Where two pixels are computed together, a part of the multiply-adds is not needed: GFLOP/s, shares of the peak "
    "and FLOP/byte count those that are done."
)


def tables(report: Report) -> list[Table]:
    """Whole frames, every size's layers, other engines, and estimates for boards."""
    made = [_frames(report), *(_layers(report, size) for size in report.sizes)]
    if report.peers is not None and any(contest.engines for contest in report.peers.contests):
        made.append(_peers(report.peers))
    if report.projections:
        made.append(_projections(report))
    boards = dict.fromkeys(projection.board for projection in report.projections if projection.board)
    return made + [_estimates(board, [p for p in report.projections if p.board == board]) for board in boards]


def _frames(report: Report) -> Table:
    """A row for each figure and a column for each size; figures no size has are left out."""
    columns = [_frame(report, size) for size in report.sizes]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    head = ("a frame", *(size.label for size in report.sizes))
    return Table("Whole frames", head, tuple(row for row in rows if any(row[1:])))


def _frame(report: Report, size: Size) -> dict[str, str]:
    speed, picture, energy = 2 * size.multiplied / size.frame.median, size.picture, size.energy
    copies = size.copies
    return {
        "multiply-adds": f"{size.multiply_adds:,}",
        "of them done": _done(size.multiplied, size.multiply_adds),
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
        f"of the {'GPU' if report.gpu else 'machine'}'s peak": f"{speed / report.peak:.0%}" if report.peak else "",
        "copying the frame to the GPU, counted in": words.milliseconds(copies.upload.median) if copies else "",
        "copying all maps from it, not counted": words.milliseconds(copies.download.median) if copies else "",
        "maps": words.megabytes(size.map_bytes),
        "a fresh process at most": words.megabytes(size.process_bytes) if size.process_bytes is not None else "",
        "not counted: decoding the JPEG": words.milliseconds(picture.decoding.median) if picture else "",
        "not counted: drawing a sheet": words.milliseconds(picture.drawing.median) if picture else "",
        "energy of the board, a frame": f"{1e3 * energy.joules:.1f} mJ" if energy else "",
        "power of the board": f"{energy.watts:.1f} W, {energy.idle_watts:.1f} W idle" if energy else "",
    }


def _layers(report: Report, size: Size) -> Table:
    total = sum(layer.times.median for layer in size.layers)
    rows = [_layer(report, layer, total) for layer in size.layers]
    paired = any(row["done"] for row in rows)
    head = tuple(name for name in rows[0] if name != "done" or paired)
    return Table(
        f"Layers at {size.label}, {len(size.layers[0].times.runs)} runs each",
        head,
        tuple(tuple(row[name] for name in head) for row in rows),
        _PAIRED if paired else "",
    )


def _layer(report: Report, layer: Layer, total: float) -> dict[str, str]:
    computes = layer.multiply_adds > 0
    return {
        "layer": layer.name,
        "map": words.shape(layer),
        "multiply-adds": f"{layer.multiply_adds:,}" if computes else "",
        "done": _done(layer.multiplied, layer.multiply_adds),
        "time": words.milliseconds(layer.times.median),
        "quartiles, ms": _spread(layer.times),
        "far above": _outliers(layer.times),
        "of all": f"{layer.times.median / total:.0%}",
        "GFLOP/s": f"{layer.speed / 1e9:.1f}" if computes else "",
        "of peak": f"{layer.speed / report.peak:.0%}" if computes and report.peak else "",
        "FLOP/byte": f"{layer.intensity:.1f}" if computes else "",
        "maps": words.megabytes(layer.map_bytes) if layer.map_bytes else "",
    }


def _done(multiplied: int, multiply_adds: int) -> str:
    """The part that is done, where it is not all."""
    return f"{multiplied / multiply_adds:.0%}" if multiplied < multiply_adds else ""


def _spread(times: Times) -> str:
    return words.spread(times.low, times.high)


def _outliers(times: Times) -> str:
    """How many, and the longest."""
    return f"{len(times.outliers)}, to {words.milliseconds(max(times.outliers))}" if times.outliers else "none"


def _peers(peers: Peers) -> Table:
    head = ("input", "engine", "version", "time", "quartiles, ms", "x fastact", "quartiles", "differs by", "scaled")
    rows = tuple(
        (
            contest.label,
            engine.name,
            engine.version,
            words.milliseconds(engine.times.median),
            _spread(engine.times),
            f"{engine.ratio:.2f}" if place else "",
            f"{engine.ratio_low:.2f} to {engine.ratio_high:.2f}" if place else "",
            f"{engine.difference:.0e}" if place else "",
            engine.way,
        )
        for contest in peers.contests
        for place, engine in enumerate(contest.engines)
    )
    rounds = " and ".join(f"{c.rounds} rounds at {c.label}" for c in peers.contests if c.engines)
    return Table("Beside other engines", head, rows, f"{rounds}. {words.fairness(peers)}", names=2)


def _projections(report: Report) -> Table:
    """A row for this machine and each board, a column for each size."""
    labels = list(dict.fromkeys(projection.label for projection in report.projections))
    boards = list(dict.fromkeys(projection.board for projection in report.projections))
    rows = []
    for board in boards:
        of = {projection.label: projection for projection in report.projections if projection.board == board}
        one = next(iter(of.values()))
        name = board or "this machine, by the same estimate"
        peak, memory = f"{one.peak / 1e9:.0f} GFLOP/s", f"{one.memory / 1e9:.0f} GB/s"
        rows.append(
            (name, str(one.threads), peak, memory, *(_range(of[label].low, of[label].high) for label in labels))
        )
        if not board:
            medians = (words.milliseconds(size.frame.median) for size in report.sizes)
            rows.append(("this machine, measured", str(report.threads), "", "", *medians))
    head = ("a frame", "threads", "peak", "memory", *labels)
    note = f"{project.assumptions()} {project.sources(report)}"
    return Table("Estimate for other boards", head, tuple(rows), note)


def _estimates(board: str, projections: Sequence[Projection]) -> Table:
    """A row for each layer, a column for each size."""
    columns = [{e.names: e for e in projection.layers} for projection in projections]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = []
    for group in names:
        found = [column.get(group) for column in columns]
        cells = (f"{_range(e.low, e.high)} ({e.limit})" if e else "" for e in found)
        rows.append((" + ".join(group), *cells))
    head = ("layer", *(projection.label for projection in projections))
    return Table(f"Estimate for {board}, layer by layer", head, tuple(rows), "In brackets: what holds a layer.")


def _range(low: float, high: float) -> str:
    return f"{words.spread(low, high)} ms"
