"""What a report says in plain words, the same on the console, in Markdown and in HTML."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from fastact.bench.machine import Machine
from fastact.bench.peers.rivals import said_absent
from fastact.bench.result import Layer, Peer, Peers, Report, Size

LOOP_HERTZ = 20
"""How often a Donkey Car's loop runs, unless it is told otherwise (DRIVE_LOOP_HZ)."""
BUDGET = 1 / LOOP_HERTZ

_CLOCKS = {
    "cpu": "Layers are timed by CPU time, into which the work of other programs does not enter. ",
    "wall": "",
    "device": "Layers are timed by the GPU's own events, one between each two launches, which adds about a microsecond "
    "to each. A whole frame has the copy of the picture to the GPU in it, and not the copies of maps from it. ",
}
_READING = (
    "Half of a layer's times lie between its quartiles, in ms. Layers that are computed together, a strip of rows at a "
    "time, are timed together. Multiply-adds are what the layers need; a multiply-add is two FLOP. Bytes are inputs, "
    "weights and maps, each counted once."
)

_TIGHT = 0.7
"""Above this part of the budget a frame leaves too little for camera, pilot and motors."""
_UNSTEADY = 1.5
"""Where the quartiles of a ratio are farther apart, it is said to be unsteady."""
_BEYOND = 1.05
"""Times the peak: what the noise of a layer's median and of the best burst explains."""
_ANOTHER_TIME = 1.3
_FAR = 4.0
"""How many times the pixels of the largest measured size a fit is trusted."""


def headline(report: Report) -> list[str]:
    """What the larger size costs here and what fits in the car's loop: sentences, the most important first."""
    return [
        *_cost(report),
        *_loop(report),
        *_gain(report),
        *_growth(report),
        *_peers(report),
        *_projected(report),
        *_rest(report),
    ]


def _cost(report: Report) -> Iterator[str]:
    first, last = report.sizes[0], report.sizes[-1]
    place = f"On this machine ({where(report.machine)}), with {computing(report)},"
    if len(report.sizes) == 1:
        yield f"{place} a frame of {first.label} takes {milliseconds(first.frame.median)}."
        return
    ratio = last.frame.median / first.frame.median
    work = f"{times(last.pixels / first.pixels)} the pixels"
    if first.multiply_adds:
        work += f" and {times(last.multiply_adds / first.multiply_adds)} the multiply-adds"
    yield (
        f"{place} a frame of {last.label} takes {milliseconds(last.frame.median)}, {times(ratio)} the "
        f"{milliseconds(first.frame.median)} of {first.label}, for {work}."
    )
    if report.layers_clock == "cpu" and first.cpu.median and any(waited(size) for size in (first, last)):
        cpu = last.cpu.median / first.cpu.median
        yield (
            f"Computing alone took {milliseconds(last.cpu.median)}, {times(cpu)} {milliseconds(first.cpu.median)}: the "
            "rest was waiting while other programs had the core."
        )


def waited(size: Size) -> bool:
    """Whether one thread's frames took much longer than their CPU time."""
    return 0 < 1.2 * size.cpu.median < size.frame.median


def _loop(report: Report) -> Iterator[str]:
    parts = [f"{size.label} {verdict(size)}" for size in report.sizes]
    yield f"A loop of {LOOP_HERTZ} Hz has {1e3 * BUDGET:.0f} ms a frame: {'; '.join(parts)}."


def verdict(size: Size) -> str:
    """Whether the car's loop holds, by what 9 of 10 frames do not exceed."""
    slow = size.frame.slowest_tenth
    part = f"{slow / BUDGET:.0%}" if slow > 0.01 * BUDGET else "less than 1%"
    return f"{fits(size)} ({milliseconds(slow)} in 9 of 10 frames, {part} of it)"


def fits(size: Size) -> str:
    """The same in a word or two."""
    slow = size.frame.slowest_tenth
    return "does not fit" if slow > BUDGET else "fits, with little to spare" if slow > _TIGHT * BUDGET else "fits"


def _growth(report: Report) -> Iterator[str]:
    exponent = report.exponent()
    if exponent is None or exponent <= 0:
        return
    last = report.sizes[-1]
    factor = (_TIGHT * BUDGET / last.frame.slowest_tenth) ** (1 / exponent)
    pixels = last.pixels * factor
    text = f"CPU time grows as the pixels to the power of {exponent:.2f}"
    if factor > _FAR:
        yield f"{text}; sizes of more than {times(_FAR)} the pixels of {last.label} would fit, too."
        return
    side = factor**0.5
    width, height = 8 * int(last.width * side / 8), 8 * int(last.height * side / 8)
    if width and height:
        yield (
            f"{text}; by that, about {width}x{height} ({pixels / 1e6:.2f} megapixels) would be the most "
            f"that leaves {1 - _TIGHT:.0%} of the {1e3 * BUDGET:.0f} ms to the rest of the loop, an estimate."
        )


def _gain(report: Report) -> Iterator[str]:
    first, last = report.sizes[0], report.sizes[-1]
    others = {layer.names: layer for layer in last.layers}
    shared = [(x, others[x.names]) for x in first.layers if x.names in others and x.multiply_adds and x.is_picture]
    if len(report.sizes) == 1 or not shared:
        return
    ends = (shared[0], shared[-1])
    said = [f"{small.names[0]} gives maps of {maps(large)} instead of {maps(small)}" for small, large in ends]
    yield f"What that buys: {' and '.join(dict.fromkeys(said))}."


def maps(layer: Layer) -> str:
    """Width x height of the first layer's maps."""
    return f"{layer.shapes[0][-2]}x{layer.shapes[0][-3]}"


def _rest(report: Report) -> Iterator[str]:
    first, last = report.sizes[0], report.sizes[-1]
    both = (first, last) if len(report.sizes) > 1 else (last,)
    memory = [f"{megabytes(s.process_bytes)} at {s.label}" for s in both if s.process_bytes is not None]
    if memory:
        yield f"A fresh process holds at most {' and '.join(memory)}."
    energy = [f"{1e3 * s.energy.joules:.1f} mJ at {s.label}" for s in both if s.energy is not None]
    if energy:
        yield f"A frame takes {' and '.join(energy)}, of the whole board, idling included."
    copies = [f"{milliseconds(s.copies.download.median)} at {s.label}" for s in both if s.copies is not None]
    if copies:
        yield f"The maps stay on the GPU; copying all of them from it, not counted above, takes {' and '.join(copies)}."
    jpeg = [
        f"{milliseconds(s.picture.decoding.median)} at {s.label} ({s.picture.jpeg_bytes / 1e3:.0f} kB)"
        for s in both
        if s.picture is not None
    ]
    if jpeg:
        yield f"Not counted above: decoding the frame from a JPEG takes {' and '.join(jpeg)}."


def _peers(report: Report) -> Iterator[str]:
    """The last size's engines, the quickest first, and those that the rounds do not tell from fastact."""
    contests = [contest for contest in report.peers.contests if contest.engines] if report.peers else []
    rivals = sorted(contests[-1].engines[1:], key=lambda engine: engine.ratio) if contests else []
    said = [_multiple(engine) for engine in rivals if not engine.ratio_low < 1 < engine.ratio_high]
    close = [engine.name for engine in rivals if engine.ratio_low < 1 < engine.ratio_high]
    if close:
        said.append(f"too near to tell apart in these rounds {', '.join(close)}")
    if said:
        label = contests[-1].label
        yield f"For the same maps at {label} other engines take, as multiples of fastact's time: {'; '.join(said)}."


def _multiple(engine: Peer) -> str:
    unsteady = " (unsteady)" if engine.ratio_high > _UNSTEADY * engine.ratio_low else ""
    return f"{engine.name} {engine.ratio:.2f}{unsteady}"


def fairness(peers: Peers) -> str:
    """How other engines were measured."""
    return (
        "Each engine computes the same maps of the same frames in a process of its own, which is stopped while another "
        "has its turn, with the same number of threads. Maps are compared first and once more at the end: an engine "
        f"whose maps differ by more than {peers.tolerance:.0e} of a map's largest value is not timed. The ratio is the "
        "median of the rounds' ratios. A frame of bytes is made floats by NumPy or in the engine's model, whichever is "
        "quicker for it; fastact takes bytes."
    )


def _projected(report: Report) -> Iterator[str]:
    """Whether the last size may fit the loop on each board."""
    last = report.sizes[-1].label
    said = []
    for projection in report.projections:
        if projection.board and projection.label == last:
            likely = "does not fit" if projection.low > BUDGET else "may not fit"
            likely = "should fit" if projection.high < _TIGHT * BUDGET else likely
            said.append(f"{projection.board} {spread(projection.low, projection.high)} ms ({likely})")
    if said:
        yield f"Estimated, not measured, for a frame of {last}, on the CPU with up to 4 threads: {'; '.join(said)}."


def notes(report: Report) -> list[str]:
    """What a reader should know of how it was measured: sentences."""
    found = [] if report.complete else ["The run was interrupted: what is missing was not measured."]
    if report.peak is None:
        found.append("The GPU's driver does not say its clock: shares of its peak are left out.")
    found += [f"{warning[0].upper()}{warning[1:]}." for warning in report.warnings]
    for size in report.sizes:
        if size.frame.outliers:
            count, all_of = len(size.frame.outliers), len(size.frame.runs)
            found.append(
                f"{count} of {all_of} frames at {size.label} took far longer than the others, up to "
                f"{milliseconds(max(size.frame.outliers))}; they are counted."
            )
    return [*found, *_beyond_the_peak(report), *_at_another_time(report), *_not_compared(report)]


def _beyond_the_peak(report: Report) -> Iterator[str]:
    """Layers faster than anything can be, if the peak were right."""
    most = max(layer.speed for size in report.sizes for layer in size.layers)
    if report.ability is not None and most > _BEYOND * report.ability.peak:
        yield (
            f"A layer reached {most / report.ability.peak:.1f} times the measured peak, which other programs must have "
            "held down: shares of the peak are too high."
        )


def _at_another_time(report: Report) -> Iterator[str]:
    """Sizes at which fastact beside other engines took another time than before."""
    for contest in report.peers.contests if report.peers else ():
        size = next(size for size in report.sizes if size.label == contest.label)
        if not contest.engines:
            continue
        beside, before = contest.engines[0].times.median, size.frame.median
        if not 1 / _ANOTHER_TIME < beside / before < _ANOTHER_TIME:
            yield (
                f"Beside other engines fastact's own frames at {size.label} took {milliseconds(beside)}, and "
                f"{milliseconds(before)} before: the machine was not as free at one time as at the other. The ratios "
                "hold, since engines took turns; the times do not."
            )


def _not_compared(report: Report) -> Iterator[str]:
    """Engines that are not installed, in one sentence, and those that were not timed, a sentence for each reason."""
    if report.peers is None:
        return
    if report.peers.absent:
        yield f"Other engines {said_absent(report.peers.absent)}."
    for contest in report.peers.contests:
        reasons: dict[str, list[str]] = {}
        for name, reason in contest.failed.items():
            reasons.setdefault(reason, []).append(name)
        for reason, names in reasons.items():
            yield f"Not compared at {contest.label}: {', '.join(names)}: {reason}."


def reading(report: Report) -> str:
    """How the tables are to be read."""
    return _CLOCKS.get(report.layers_clock, "") + _READING


def where(machine: Machine) -> str:
    """The board, if it says what it is, and the CPU."""
    mode = f", power mode {machine.power_mode}" if machine.power_mode else ""
    return f"{machine.board}, {machine.cpu}{mode}" if machine.board else f"{machine.cpu}{mode}"


def facts(report: Report) -> list[tuple[str, str]]:
    """The machine and how it fared, as names and values."""
    machine, before, after = report.machine, report.before, report.after
    rows = [
        ("machine", where(machine)),
        ("device", f"GPU, {report.gpu.name}" if report.gpu else f"CPU, {threads(report.threads)}"),
        ("cores", str(machine.cores)),
        ("memory", f"{machine.memory / 1e9:.1f} GB" if machine.memory is not None else "not known"),
        ("kernels", report.kernels),
        *_most(report),
        ("governor", machine.governor or "not known"),
        ("clocks", f"{_clocks(before.clocks)} before, {_clocks(after.clocks)} after"),
        ("load", f"{_load(before.load)} before, {_load(after.load)} after"),
        ("system", machine.system),
        ("model", f"{report.subject.name}: {report.subject.format}, sha256 {report.subject.sha256[:16]}"),
        ("fastact", f"{report.fastact}, {moment(report.made)}"),
    ]
    if after.temperatures:
        warmest = max(after.temperatures, key=lambda name: after.temperatures[name])
        rows.insert(-3, ("warmest", f"{warmest}, {after.temperatures[warmest]:.0f} degrees Celsius after"))
    return rows


def _most(report: Report) -> Iterator[tuple[str, str]]:
    """What computed can do at most: measured, or as its maker says."""
    gpu, ability = report.gpu, report.ability
    if ability is not None:
        bursts = f"the best of {len(ability.bursts)} bursts between the rounds"
        yield "peak", f"{ability.peak / 1e9:.1f} GFLOP/s, {bursts}"
        yield "copying", f"memory {ability.memory / 1e9:.1f} GB/s, second cache {ability.cache / 1e9:.1f} GB/s"
    if gpu is not None:
        yield "GPU", f"compute capability {gpu.capability}, {gpu.memory / 1e9:.1f} GB, driver for CUDA {gpu.driver}"
        lanes = f"{gpu.multiprocessors} multiprocessors of {gpu.lanes} lanes"
        if gpu.peak is not None:
            said = f"by its data sheet: {lanes}, {gpu.clock / 1e9:.2f} GHz at most"
            yield "peak", f"{gpu.peak / 1e9:,.0f} GFLOP/s in float32, {said}"
        if gpu.bandwidth is not None:
            yield "memory's speed", f"{gpu.bandwidth / 1e9:,.0f} GB/s at most, by its clock and width"


def moment(made: str) -> str:
    """A time in UTC to the minute, as people write it; what is none is left as it is."""
    try:
        return f"{datetime.datetime.fromisoformat(made):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return made


def _clocks(clocks: Sequence[float]) -> str:
    return f"{min(clocks) / 1e9:.2f} to {max(clocks) / 1e9:.2f} GHz" if clocks else "not known"


def _load(load: float | None) -> str:
    return "not known" if load is None else f"{load:.1f}"


def milliseconds(seconds: float) -> str:
    """In ms with three digits or so."""
    return f"{_digits(1e3 * seconds)} ms"


def spread(low: float, high: float) -> str:
    """From so many ms to so many, without the unit."""
    return f"{_digits(1e3 * low)} to {_digits(1e3 * high)}"


def _digits(value: float) -> str:
    """Three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.{2 if value < 10 else 1}f}" if value >= 0.1 else f"{value:.3f}"


def megabytes(count: int) -> str:
    """Of a million bytes; of a thousand, or single ones, where it is much less than that."""
    if count < 1000:
        return f"{count} B"
    if count < 1e5:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{count / 1e6:.2f} MB"


def times(ratio: float) -> str:
    """A ratio in words."""
    return f"{ratio:.0f} times" if ratio >= 20 or abs(ratio - round(ratio)) < 0.05 else f"{ratio:.1f} times"


def computing(report: Report) -> str:
    """What computed."""
    return f"the GPU {report.gpu.name}" if report.gpu else threads(report.threads)


def threads(count: int) -> str:
    """How many threads."""
    return f"{count} thread{'s' if count > 1 else ''}"


def shape(layer: Layer) -> str:
    """The shape of the last map of the layers computed together, as width x height x filters where it is a picture.

    Steps of a sequence, or a volume's depth, come before those.
    """
    found = layer.shapes[-1]
    if len(found) >= 3:
        found = (*found[:-3], found[-2], found[-3], found[-1])
    return "x".join(map(str, found))
