"""`fastact bench --compare`: what is different is called so, and what is not is not."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fastact
from fastact import cli, samples
from fastact.bench import measure as measuring
from fastact.bench.compare import compare, difference
from fastact.bench.measure import Request, measure
from fastact.bench.peak import Peak
from fastact.bench.result import Report, Times, to_json
from fastact.bench.rounds import Turn, frames
from fastact.bench.runner import Runner, inputs_of
from fastact.engines import cpu
from fastact.kernels.cpu import library


@pytest.fixture(scope="module")
def report() -> Report:
    request = Request(fastact.load(samples.pilot()), [(60, 80)], "Conv2D_First_layer", seconds=0.1)
    return measure(request).report


def noisy(random: np.random.Generator, seconds: float, count: int = 200) -> Times:
    """Runs as a busy machine gives them: a few per cent of jitter, and now and then a slice lost to another program."""
    jitter = random.lognormal(0, 0.04, count)
    lost = np.where(random.random(count) < 0.1, random.exponential(5e-3, count), 0)
    return Times.of([float(t) for t in seconds * jitter + lost])


def test_ten_out_of_ten(random: np.random.Generator) -> None:
    for _ in range(10):
        first, second = noisy(random, 1e-3), noisy(random, 1e-3)
        assert difference(first, second).words == "no difference"
        slower = difference(first, noisy(random, 1.25e-3))
        assert slower.real
        assert slower.words.endswith("times slower")
        assert difference(first, noisy(random, 0.8e-3)).words.endswith("times faster")


def test_a_machine_busier_than_before_is_no_difference(random: np.random.Generator) -> None:
    """Half of the frames wait for a core: typical runs become longer, the quick ones do not."""
    first = noisy(random, 1e-3)
    waits = np.where(random.random(200) < 0.6, 2e-3, 0)
    second = Times.of([t + float(w) for t, w in zip(noisy(random, 1e-3).runs, waits, strict=True)])
    assert second.median > 1.5 * first.median
    assert not difference(first, second).real


def test_a_few_microseconds_are_no_difference(random: np.random.Generator) -> None:
    first, second = noisy(random, 4e-6), noisy(random, 6e-6)
    assert second.median > 1.3 * first.median
    assert not difference(first, second).real


def test_a_drift_of_the_machine_is_no_difference(random: np.random.Generator) -> None:
    first, second = noisy(random, 1e-3), noisy(random, 1.2e-3)
    assert difference(first, second).real
    assert not difference(first, second, 0.2).real


SLOWED = "Conv2D_Third_layer"


class Slowed(Runner):
    """A runner whose kernel for one layer takes five times as long: its steps are run four times more, clock running.

    That doubles a frame's time, since the layer takes a quarter of it.
    """

    def frame(self) -> float:
        return super().frame() + self._again(time.perf_counter)

    def steps(self) -> list[float]:
        spent = super().steps()
        spent[self._slowed()] += self._again(time.thread_time)
        return spent

    def _slowed(self) -> int:
        return next(number for number, group in enumerate(self.groups) if SLOWED in group.nodes)

    def _again(self, clock: Callable[[], float]) -> float:
        start = clock()
        self.profile.seconds(4 * self.groups[self._slowed()].steps)
        return clock() - start


@pytest.mark.alone
def test_a_kernel_made_slower(report: Report) -> None:
    """Ten times out of ten the layer whose kernel was slowed is reported slower, and nothing is where nothing was.

    Two runners as they are and one that is slowed take turns, so that a machine busy with other things disturbs them
    alike.
    """
    model, kernels = fastact.load(samples.pilot()), library.load()
    inputs, peak = inputs_of(model, samples.frame("160x120")), Peak(kernels, 1)
    runners = [kind(model, None, 1, inputs) for kind in (Runner, Runner, Slowed)]
    for _ in range(10):
        rounds: list[list[tuple[float, Turn]]] = [[] for _ in runners]
        for number in range(30):
            for place in [(number + i) % 3 for i in range(3)]:
                burst, runner = peak.burst(), runners[place]
                times, cpu = frames(runner, 0.0, 5)
                rounds[place].append((burst, Turn(tuple(times), cpu, tuple(runner.steps()))))
        first, second, slowed = (reported(report, r, made) for r, made in zip(runners, rounds, strict=True))
        unchanged = [row for row in compare(first, second).table.rows if row[-1] != "no difference"]
        # A busy machine may give one more of a core than the other: then the time that passed says nothing.
        assert {(row[1], row[-1]) for row in unchanged} <= {("frame", "cannot be told")}, unchanged
        said = {row[1]: row[-1] for row in compare(first, slowed).table.rows}
        assert said.pop(SLOWED).endswith("times slower"), said
        assert said.pop("frame, CPU time").endswith("times slower"), said
        assert not said.pop("frame").endswith("faster"), said  # a busy machine may hide it from the time that passes
        assert set(said.values()) == {"no difference"}, said


def reported(report: Report, runner: Runner, rounds: list[tuple[float, Turn]]) -> Report:
    """What a report says of these rounds."""
    size = measuring._Stage(runner, (120, 160)).result([turn for _, turn in rounds])
    bursts = tuple(burst for burst, _ in rounds)
    return dataclasses.replace(
        report, sizes=(size,), ability=dataclasses.replace(report.ability, peak=max(bursts), bursts=bursts)
    )


def slowed(report: Report, factor: float) -> Report:
    def all_of(times: Times) -> Times:
        return Times.of([factor * t for t in times.runs])

    sizes = [
        dataclasses.replace(
            size,
            frame=all_of(size.frame),
            cpu=all_of(size.cpu),
            layers=tuple(dataclasses.replace(layer, times=all_of(layer.times)) for layer in size.layers),
        )
        for size in report.sizes
    ]
    return dataclasses.replace(report, sizes=tuple(sizes))


def test_two_reports(report: Report) -> None:
    report = with_times(report, 1e-3, 1e-3, 9e-4)  # what a busy machine makes of the measured ones may be any noise
    found = compare(report, slowed(report, 10.0))
    assert [row[1] for row in found.table.rows] == ["frame", "frame, CPU time", "Conv2D_First_layer"]
    assert {row[0] for row in found.table.rows} == {"80x60"}
    assert [row[-1] for row in found.table.rows] == ["10.00 times slower"] * 3
    assert found.sentences[-1].startswith("At 80x60 the second is 10.00 times slower; the noise is ")
    same = compare(report, report)
    assert {row[-1] for row in same.table.rows} == {"no difference"}
    assert same.sentences[-1].startswith("At 80x60 there is no difference: ")


def test_reports_that_have_little_in_common(report: Report) -> None:
    subject = dataclasses.replace(report.subject, sha256="0" * 64)
    size = dataclasses.replace(report.sizes[0], width=10)
    other = dataclasses.replace(report, subject=subject, threads=3, sizes=(size,))
    assert compare(report, other).sentences[2:] == (
        "The two reports are of different model files.",
        "The two reports were made with different numbers of threads.",
        "The two reports have no size in common.",
    )


def test_another_machine_s_peak_is_no_drift(report: Report) -> None:
    """A board that is ten times slower in all is ten times slower."""
    report = with_times(report, 1e-3, 1e-3, 9e-4)
    machine = dataclasses.replace(report.machine, cpu="another")
    bursts = tuple(burst / 10 for burst in report.ability.bursts)
    ability = dataclasses.replace(report.ability, peak=report.ability.peak / 10, bursts=bursts)
    other = dataclasses.replace(slowed(report, 10.0), machine=machine, ability=ability)
    assert compare(report, other).table.rows[0][-1] == "10.00 times slower"
    assert compare(report, dataclasses.replace(other, machine=report.machine)).table.rows[0][-1] == "no difference"


def with_times(report: Report, wall: float, cpu: float, layer: float, **changes: object) -> Report:
    """The report with those seconds for every frame, its CPU time and each of its layers."""
    size = report.sizes[0]
    layers = tuple(dataclasses.replace(x, times=Times.of([layer] * 20)) for x in size.layers)
    size = dataclasses.replace(size, frame=Times.of([wall] * 20), cpu=Times.of([cpu] * 20), layers=layers)
    return dataclasses.replace(report, sizes=(size,), **changes)


def verdicts(first: Report, second: Report) -> list[str]:
    return [row[-1] for row in compare(first, second).table.rows]


def test_threads_that_had_fewer_cores_are_not_called_slower(report: Report) -> None:
    """Two threads on one core, since another program had the other, take twice the time and as much CPU time."""
    two = with_times(report, 1e-3, 1.9e-3, 1e-3, threads=2, layers_clock="wall")
    shared = with_times(report, 2e-3, 1.9e-3, 2e-3, threads=2, layers_clock="wall")
    for first, second in ((two, shared), (shared, two)):
        assert verdicts(first, second) == ["cannot be told", "no difference", "cannot be told"]
    (said,) = (s for s in compare(two, shared).sentences if s.startswith("At "))
    assert said == (
        "At 80x60 it cannot be told from the time that passed: the threads had 1.9 cores in the first report and 0.9 "
        "in the second, as when other programs run. By CPU time there is no difference."
    )
    worse = with_times(report, 2e-3, 3.8e-3, 2e-3, threads=2, layers_clock="wall")  # as many cores, and twice the work
    assert verdicts(two, worse) == ["2.00 times slower"] * 3


def test_layers_timed_on_fewer_cores_than_frames_are_not_called_slower(report: Report) -> None:
    two, layers = (with_times(report, 1e-3, 1.9e-3, layer, threads=2, layers_clock="wall") for layer in (1e-3, 2e-3))
    assert verdicts(two, layers) == ["no difference", "no difference", "cannot be told"]


def test_a_thread_that_waited_for_its_core_is_not_called_slower(report: Report) -> None:
    """One thread: its layers are timed by CPU time, which tells."""
    free, busy = with_times(report, 1e-3, 1e-3, 1e-3), with_times(report, 1.8e-3, 1e-3, 1e-3)
    assert verdicts(free, busy) == ["cannot be told", "no difference", "no difference"]


def test_layers_by_different_clocks_are_not_compared(report: Report) -> None:
    one = with_times(report, 2e-3, 1.9e-3, 1.9e-3, layers_clock="cpu")
    two = with_times(report, 1e-3, 1.9e-3, 1e-3, layers_clock="wall", threads=2)
    assert verdicts(one, two) == ["2.00 times faster", "no difference", "cannot be told"]


def test_a_clock_too_coarse_for_a_frame(report: Report) -> None:
    """Some systems count CPU time in hundredths of a second: of frames that took none of it nothing is told."""
    first, second = (with_times(report, wall, 0.0, 0.0) for wall in (1e-3, 2e-3))
    found = compare(first, second)
    assert {row[-1] for row in found.table.rows} == {"cannot be told"}
    assert any("By CPU time it cannot be told either." in sentence for sentence in found.sentences)
    assert not difference(Times.of([0.0] * 9), Times.of([1e-2] * 9)).told
    assert not difference(Times.of([0.0] * 4 + [1e-2] * 5), Times.of([1e-2] * 9)).real


def test_layers_are_not_timed_by_a_coarse_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that counts hundredths of a second shows no time of any layer, or one that stands still."""
    assert cpu.layers_clock(1) == "cpu"
    assert cpu.layers_clock(2) == "wall"
    for coarse in (lambda: time.perf_counter_ns() // 10_000_000 * 10_000_000, lambda: 0):
        monkeypatch.setitem(cpu._CLOCKS, "cpu", coarse)
        assert cpu.layers_clock(1) == "wall"


def test_more_threads_are_no_drift(report: Report) -> None:
    """Two threads have twice the peak of one, which hides nothing of what they gain."""
    assert report.ability is not None
    doubled = dataclasses.replace(report.ability, bursts=tuple(2 * burst for burst in report.ability.bursts))
    one = with_times(report, 2e-3, 1.9e-3, 1.9e-3)
    assert verdicts(one, with_times(report, 1e-3, 1.9e-3, 1e-3, threads=2, ability=doubled))[0] == "2.00 times faster"


def test_the_command(report: Report, tmp_path: Path, monkeypatch, capsys) -> None:
    names = []
    report = with_times(report, 1e-3, 1e-3, 9e-4)
    for name, of in (("a.json", report), ("b.json", slowed(report, 10.0))):
        (tmp_path / name).write_text(to_json(of))
        names.append(str(tmp_path / name))
    monkeypatch.setattr(sys, "argv", ["fastact", "bench", "--compare", *names])
    assert cli._status() == 0
    out = capsys.readouterr().out
    assert "the second is 10.00 times slower" in out
    assert "First and second report" in out
