"""`fastact bench --compare`: what is different is called so, and what is not is not."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from fastact.kernels.cpu import library

import fastact
from fastact import cli, samples
from fastact.bench.compare import compare, difference, drift
from fastact.bench.measure import Request, measure
from fastact.bench.peak import Peak
from fastact.bench.result import Report, Times, to_json
from fastact.bench.runner import Runner, inputs_of


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


def test_a_drift_of_the_machine_is_no_difference(random: np.random.Generator) -> None:
    first, second = noisy(random, 1e-3), noisy(random, 1.2e-3)
    assert difference(first, second).real
    assert not difference(first, second, 0.2).real


@pytest.mark.alone
def test_a_kernel_made_slower() -> None:
    """The real kernels, once as they are and once run twice for each frame; ten times out of ten.

    The three take turns, so that a machine busy with other things disturbs them alike.
    """
    model, kernels = fastact.load(samples.pilot()), library.load()
    runner, peak = Runner(model, None, 1, inputs_of(model, samples.frame("160x120")), kernels), Peak(kernels, 1)
    for _ in range(10):
        frames: dict[str, list[float]] = {"first": [], "second": [], "slowed": []}
        bursts: dict[str, list[float]] = {name: [] for name in frames}
        for number in range(30):
            for name in list(frames)[number % 3 :] + list(frames)[: number % 3]:
                bursts[name].append(peak.burst())
                times = 2 if name == "slowed" else 1
                frames[name] += [sum(runner.frame()[0] for _ in range(times)) for _ in range(5)]
        first, second, slow = (Times.of(of) for of in frames.values())
        unchanged = difference(first, second, drift(bursts["first"], bursts["second"]))
        assert not unchanged.real, (unchanged, first.median, second.median)
        found = difference(first, slow, drift(bursts["first"], bursts["slowed"]))
        assert found.real, (found, first.median, slow.median)
        assert found.ratio > 1


def slowed(report: Report, factor: float) -> Report:
    def all_of(times: Times) -> Times:
        return Times.of([factor * t for t in times.runs])

    sizes = [
        dataclasses.replace(
            size,
            frame=all_of(size.frame),
            layers=tuple(dataclasses.replace(layer, times=all_of(layer.times)) for layer in size.layers),
        )
        for size in report.sizes
    ]
    return dataclasses.replace(report, sizes=tuple(sizes))


def test_two_reports(report: Report) -> None:
    found = compare(report, slowed(report, 10.0))
    assert [row[:2] for row in found.table.rows] == [("80x60", "frame"), ("80x60", "Conv2D_First_layer")]
    assert [row[-1] for row in found.table.rows] == ["10.00 times slower"] * 2
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
