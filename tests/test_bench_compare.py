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
from fastact.bench.runner import Runner, inputs_of
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

    def frame(self) -> tuple[float, float]:
        wall, cpu = super().frame()
        start = time.thread_time()
        more = self._again(time.perf_counter)
        return wall + more, cpu + time.thread_time() - start

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
        rounds: list[list[tuple[float, measuring._Turn]]] = [[] for _ in runners]
        for number in range(30):
            for place in [(number + i) % 3 for i in range(3)]:
                burst, runner = peak.burst(), runners[place]
                runner.frame()
                frames = tuple(runner.frame() for _ in range(5))
                rounds[place].append((burst, measuring._Turn(frames, tuple(runner.steps()))))
        first, second, slowed = (reported(report, r, made) for r, made in zip(runners, rounds, strict=True))
        assert {row[-1] for row in compare(first, second).table.rows} == {"no difference"}, compare(first, second)
        said = {row[1]: row[-1] for row in compare(first, slowed).table.rows}
        assert said.pop(SLOWED).endswith("times slower"), said
        assert said.pop("frame, CPU time").endswith("times slower"), said
        assert not said.pop("frame").endswith("faster"), said  # a busy machine may hide it from the time that passes
        assert set(said.values()) == {"no difference"}, said


def reported(report: Report, runner: Runner, rounds: list[tuple[float, measuring._Turn]]) -> Report:
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
    machine = dataclasses.replace(report.machine, cpu="another")
    bursts = tuple(burst / 10 for burst in report.ability.bursts)
    ability = dataclasses.replace(report.ability, peak=report.ability.peak / 10, bursts=bursts)
    other = dataclasses.replace(slowed(report, 10.0), machine=machine, ability=ability)
    assert compare(report, other).table.rows[0][-1] == "10.00 times slower"
    assert compare(report, dataclasses.replace(other, machine=report.machine)).table.rows[0][-1] == "no difference"


def test_the_command(report: Report, tmp_path: Path, monkeypatch, capsys) -> None:
    names = []
    for name, of in (("a.json", report), ("b.json", slowed(report, 10.0))):
        (tmp_path / name).write_text(to_json(of))
        names.append(str(tmp_path / name))
    monkeypatch.setattr(sys, "argv", ["fastact", "bench", "--compare", *names])
    assert cli._status() == 0
    out = capsys.readouterr().out
    assert "the second is 10.00 times slower" in out
    assert "First and second report" in out
