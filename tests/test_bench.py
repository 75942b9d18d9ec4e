"""`fastact bench`: what it measures, what it writes, and how it ends."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest
from bench_boards import ORIN_NANO, lay_out
from python_threads import until

import fastact
from fastact import cli, samples
from fastact.bench import fresh, sensors
from fastact.bench import measure as measuring
from fastact.bench.measure import Measured, Request, measure
from fastact.bench.peak import Copy, Peak
from fastact.bench.reading import read_report
from fastact.bench.result import Report, Times, slope, to_json
from fastact.bench.runner import Runner, inputs_of, own_size, sized
from fastact.bench.speed import CpuSpeed
from fastact.errors import FileError, InputError
from fastact.kernels.cpu import library
from fastact.kernels.cpu.tiles import PEAK
from fastact.writing import folder_for

SCHEMA = json.loads((Path(measuring.__file__).parent / "report.schema.json").read_text())
SMALL = ((60, 80), (90, 120))


@pytest.fixture(scope="module")
def pilot() -> fastact.Model:
    return fastact.load(samples.pilot())


@pytest.fixture(scope="module")
def measured(pilot: fastact.Model) -> Measured:
    """The first two convolutions at two small sizes, measured as briefly as can be."""
    names = ["Conv2D_First_layer", "Conv2D_Second_layer"]
    return measure(Request(pilot, SMALL, names, threads=2, seconds=0.1))


@pytest.fixture
def run(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process; gives its exit status, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fastact", "bench", *map(str, arguments)])
        status = cli._status()
        return status, *capsys.readouterr()

    return call


def test_a_report(measured: Measured, pilot: fastact.Model) -> None:
    report, peak = measured.report, Peak(library.load(), 2)
    assert report.complete
    assert [size.label for size in report.sizes] == ["80x60", "120x90"]
    assert report.subject.sha256 == pilot.identity
    for size, rows_columns in zip(report.sizes, SMALL, strict=True):
        model = pilot.at_size(rows_columns)
        assert [layer.names for layer in size.layers] == [("Conv2D_First_layer",), ("Conv2D_Second_layer",)]
        for layer in size.layers:
            node = model.layers[layer.name]
            assert layer.shapes == (node.shape,)
            assert layer.multiplied == layer.multiply_adds == model.costs[layer.name].multiply_adds
            assert layer.map_bytes == node.map_bytes
            assert len(layer.times.runs) >= 7
            assert layer.speed > 0
            # A report's peak is of few bursts here, beside other programs: at a better moment there is a higher one.
            until(lambda: layer.speed < 3 * max(report.peak or 0, peak.burst()))  # noqa: B023
        first, second = size.layers
        frame = 3 * rows_columns[0] * rows_columns[1]  # bytes as they come from the camera
        weights = [4 * model.layers[layer.name].parameters for layer in size.layers]
        assert first.traffic == frame + weights[0] + first.map_bytes
        assert second.traffic == first.map_bytes + weights[1] + second.map_bytes
        assert size.map_bytes == first.map_bytes + second.map_bytes
        assert size.multiply_adds == first.multiply_adds + second.multiply_adds
        assert size.process_bytes is not None
        assert 20e6 < size.process_bytes < 400e6
        assert size.picture is not None
        assert size.energy is None
    assert len(report.sweep) == 7
    assert [p.pixels for p in report.sweep] == sorted(p.pixels for p in report.sweep)
    assert report.exponent() is not None


def test_json_is_as_the_schema_says(measured: Measured) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(to_json(measured.report)), SCHEMA)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r.pop("sweep"),
        lambda r: r.update(extra=1),
        lambda r: r.update(version=2),
        lambda r: r["sizes"].clear(),
        lambda r: r["sizes"][0]["frame"]["runs"].append("fast"),
        lambda r: r["machine"].update(cores=None),
    ],
)
def test_the_schema_refuses_other_forms(measured: Measured, spoil: Callable[[dict], object]) -> None:
    report = json.loads(to_json(measured.report))
    spoil(report)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, SCHEMA)


def test_a_report_comes_back_from_its_file(measured: Measured, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(to_json(measured.report))
    assert read_report(path) == measured.report


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is no report of fastact bench: report has not the entries"),
        ('{"version": 7}', "is a report of form 7, and this fastact reads form 3"),
        ('{"version": 1}', "report has not the entries version, fastact"),
        ('{"version": NaN}', "is not JSON"),
    ],
)
def test_a_file_that_is_no_report(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(FileError, match=said):
        read_report(path)
    with pytest.raises(FileError, match="cannot be read: No such file"):
        read_report(tmp_path / "absent.json")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r["sizes"][0]["frame"]["runs"].append("fast"),
        lambda r: r["ability"].update(peak=True),
        lambda r: r["before"].update(temperatures=[1]),
        lambda r: r.update(sizes={}),
        lambda r: r["sizes"][0].update(width=10**400, frame=None),
        lambda r: r["sizes"][0]["cpu"].update(runs=[]),
        lambda r: r["sizes"][0]["layers"][0]["times"].update(median=-1.0),
        lambda r: r["sizes"][0]["frame"].update(median=0.0),
        lambda r: r["ability"].update(bursts=[]),
        lambda r: r["ability"]["bursts"].append(1e308),
    ],
)
def test_a_report_with_a_wrong_value(measured: Measured, tmp_path: Path, spoil: Callable[[dict], object]) -> None:
    report = json.loads(to_json(measured.report))
    spoil(report)
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    with pytest.raises(FileError, match="is no report of fastact bench"):
        read_report(path)


def test_times() -> None:
    times = Times.of([3.0, 1.0, 2.0, 4.0, 100.0])
    assert (times.median, times.low, times.high) == (3.0, 2.0, 4.0)
    assert times.slowest_tenth == pytest.approx(4 + 0.6 * 96)
    assert times.outliers == (100.0,)
    assert times.runs == (3.0, 1.0, 2.0, 4.0, 100.0)
    assert Times.of([5.0]).slowest_tenth == 5.0


def test_what_is_hardly_longer_is_not_far_above() -> None:
    """Half of the runs within a hundredth, as on an idle machine, and some that take a tenth more."""
    runs = [1.0] * 50 + [1.01] * 30 + [1.1] * 10 + [1.5]
    assert Times.of(runs).outliers == (1.5,)


def test_slope() -> None:
    assert slope([(x, 3.0 * x**1.25) for x in (10.0, 20.0, 70.0)]) == pytest.approx(1.25)
    assert slope([(1.0, 1.0), (2.0, 2.0)]) is None
    assert slope([(1.0, 1.0), (2.0, 2.0), (3.0, 0.0)]) is None


def test_a_size_that_is_too_small_is_refused_by_the_layer(pilot: fastact.Model) -> None:
    with pytest.raises(InputError, match=r"cannot take 40x30: layer 'Conv2D_\w+' \(Conv2D\): ") as caught:
        sized(pilot, (30, 40))
    layer = next(n for n in pilot.at_size((30, 40)).nodes if n.reason is not None)
    assert repr(layer.name) in str(caught.value)


def test_layers_that_are_not_wanted_may_be_left_behind(pilot: fastact.Model) -> None:
    """A dense layer after Flatten takes one size alone."""
    assert any(n.reason for n in pilot.at_size((360, 640)).nodes)
    assert own_size(sized(pilot, (360, 640))) == (360, 640)
    assert sized(pilot, (120, 160)) is pilot


def test_steps_one_by_one_give_the_same_maps(pilot: fastact.Model) -> None:
    image = samples.frame("160x120")
    runner = Runner(pilot, "all", 1, inputs_of(pilot, image))
    profile: Any = runner.profile
    assert len(runner.steps()) == len(runner.groups)
    block = profile._memory[1].bytes
    for output in profile._plan.outputs:
        made = np.ndarray(output.shape, np.float32, block, output.offset)
        np.testing.assert_array_equal(made, runner.maps[output.name])
    steps = sorted(step for group in runner.groups for step in group.steps)
    assert [step for pair in steps for step in range(*pair)] == list(range(profile._plan.table.steps))


def until_it_has_read(running: Callable[..., Any]) -> Callable[..., Any]:
    """The meter's block, which ends no sooner than its thread has read once, however late that comes to run."""

    @contextlib.contextmanager
    def patient(self: sensors.Meter) -> Iterator[sensors.Meter]:
        with running(self) as meter:
            yield meter
            until(lambda: bool(meter.readings))

    return patient


def test_energy_where_the_board_has_a_sensor(pilot, tmp_path: Path, monkeypatch) -> None:
    ticks = (number / 10 for number in itertools.count())
    clock = SimpleNamespace(monotonic=lambda: next(ticks), perf_counter=time.perf_counter, sleep=lambda _: None)
    monkeypatch.setattr(measuring, "_ENERGY_SECONDS", 0.45)
    monkeypatch.setattr(measuring, "time", clock)
    monkeypatch.setattr(sensors.Meter, "running", until_it_has_read(sensors.Meter.running))
    monkeypatch.setattr(measuring, "_beside", lambda *_: None)
    monkeypatch.setattr(measuring, "_sweep", lambda *_: None)
    root = lay_out(ORIN_NANO, tmp_path)
    report = measure(Request(pilot, [(60, 80)], "Conv2D_First_layer", seconds=0.1, root=root)).report
    assert report.machine.board == "NVIDIA Jetson Orin Nano Developer Kit"
    energy = report.sizes[0].energy
    assert energy is not None
    assert energy.watts == energy.idle_watts == pytest.approx(5.040)
    assert energy.joules == pytest.approx(5.040 * 0.6 / 4)  # four frames begin within 0.45 s of that clock


@pytest.mark.parametrize("threads", [1, 2])
def test_the_kernel_that_measures_the_peak(threads: int) -> None:
    kernels = library.load()
    width, chains = PEAK[kernels.registers]
    peak = Peak(kernels, threads)
    until(lambda: peak.burst() > 1e9)  # at a moment when nothing else has the cores
    (sums,) = peak._table._kept
    # Each member wrote the sum of all lanes: every chain begins with its number, and a quarter is added each turn.
    turns = peak._flops / (2 * width * chains * threads)
    expected = width * (sum(range(chains)) + chains * turns / 4)
    np.testing.assert_allclose(sums[::16], [expected] * threads, rtol=1e-5)


def test_copying_copies_all() -> None:
    copy = Copy(library.load(), 2, 4096, times=3)
    until(lambda: copy.burst() > 1e6)
    assert all((array == 1).all() for array in copy._table._kept)


def test_a_fresh_process_that_fails_tells_no_memory(pilot: fastact.Model) -> None:
    gone = dataclasses.replace(pilot, source="absent.h5")
    assert fresh.peak_bytes(gone, None, 1, "cpu", samples.frame("160x120"), ["Conv2D_First_layer"]) is None


def interrupt_at(doing: str) -> Callable[[str, float], None]:
    def progress(now: str, done: float) -> None:
        assert 0 <= done <= 1
        if now.startswith(doing):
            raise KeyboardInterrupt

    return progress


def test_an_interrupt_leaves_what_there_is(pilot: fastact.Model) -> None:
    report = measure(Request(pilot, SMALL, "Conv2D_First_layer", seconds=0.1), interrupt_at("beside")).report
    assert not report.complete
    assert report.sweep == ()
    assert all(size.frame.runs and size.process_bytes is None for size in report.sizes)
    jsonschema.validate(json.loads(to_json(report)), SCHEMA)


def test_an_interrupt_before_the_first_round(pilot: fastact.Model) -> None:
    with pytest.raises(KeyboardInterrupt):
        measure(Request(pilot, SMALL, "Conv2D_First_layer", seconds=0.1), interrupt_at("rounds"))


def test_the_command_writes_its_reports(run, tmp_path: Path) -> None:
    status, out, err = run(
        samples.pilot(), "--sizes", "80x60,120x90", "--layers", "Conv2D_First_layer", "--threads", "1",
        "--seconds", "0.1", "--out", tmp_path, "--save", "json,md",
    )  # fmt: skip
    assert status == 0, err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "report.md"]
    jsonschema.validate(json.loads((tmp_path / "report.json").read_text()), SCHEMA)
    assert "a frame of 120x90 takes" in out
    assert out.splitlines()[-2:] == [str(tmp_path / "report.json"), str(tmp_path / "report.md")]
    assert "# pilot\\_160x120.h5: what a larger input costs" in (tmp_path / "report.md").read_text()


def test_the_command_when_interrupted(run, tmp_path: Path, monkeypatch, measured: Measured) -> None:
    partial = dataclasses.replace(measured, report=dataclasses.replace(measured.report, complete=False, sweep=()))
    monkeypatch.setattr(measuring, "measure", lambda *_: partial)
    status, out, err = run(samples.pilot(), "--out", tmp_path, "--save", "json")
    assert status == 130
    assert "interrupted" in err
    assert "The run was interrupted" in out
    assert not read_report(tmp_path / "report.json").complete


def test_nothing_measured_leaves_nothing(run, tmp_path: Path, monkeypatch) -> None:
    """Folders that were made for it go again, and no other, were it empty."""

    def interrupted(*_: object) -> Measured:
        assert (tmp_path / "mine" / "new" / "reports").is_dir()
        raise KeyboardInterrupt

    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(measuring, "measure", interrupted)
    assert run(samples.pilot(), "--out", tmp_path / "mine" / "new" / "reports")[0] == 130
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]


def test_a_folder_stays_that_something_lies_in(tmp_path: Path) -> None:
    def fails() -> None:
        with folder_for(tmp_path / "new" / "reports"):
            (tmp_path / "new" / "kept").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert not (tmp_path / "new" / "reports").exists()
    assert (tmp_path / "new" / "kept").exists()


@pytest.mark.parametrize("moment", ["rounds", "sweep"])
def test_ctrl_c_while_it_measures(run, tmp_path: Path, monkeypatch, moment: str) -> None:
    """The signal itself, in the middle of a frame of a later round, or of the sweep."""
    place, count = Runner.frame, itertools.count()

    def frame(self: Runner) -> float:
        if len(seen) > 2 and next(count) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return place(self)

    seen: list[float] = []
    module, name = (CpuSpeed, "burst") if moment == "rounds" else (measuring, "_between")
    inner = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given: (seen.append(0.0), inner(*given))[1])
    monkeypatch.setattr(Runner, "frame", frame)
    status, out, err = run(
        samples.pilot(), "--sizes", "80x60,120x90", "-l", "Conv2D_First_layer", "--seconds", "0.5", "--out", tmp_path
    )
    assert status == 130
    assert err == "fastact: interrupted: the report has what was measured until then\n"
    assert "The run was interrupted: what is missing was not measured." in out
    report = read_report(tmp_path / "report.json")
    assert not report.complete
    assert len(report.sizes[0].layers[0].times.runs) >= (2 if moment == "rounds" else 7)
    assert (report.sizes[0].process_bytes is None) == (moment == "rounds")
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.md", "report.html"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give a model's file, or two reports with --compare"),
        (["pilot.h5", "--compare", "a.json", "b.json"], "--compare takes two reports and no model"),
        (["--compare", "a.json", "b.json"], "the report 'a.json' cannot be read: No such file or directory"),
        (["pilot.h5", "--save", "pdf"], "give one or more of json, md, html"),
        (["pilot.h5", "--sizes", "160x120,big"], "'big' is not a size such as 640x360"),
        ([samples.pilot(), "--sizes", "160x120,40x30", "--save", "md"], "cannot take 40x30: layer 'Conv2D_"),
        ([samples.pilot(), "--layers", "pool*", "--save", "md"], "matches 'pool*'"),
    ],
)
def test_bad_usage(run, tmp_path: Path, monkeypatch, arguments: list[object], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*arguments)
    assert status == 2
    assert out == ""
    assert said in " ".join(err.split())


def test_html_without_its_extra_is_refused_before_measuring(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.setattr(measuring, "measure", lambda *_: pytest.fail("it measured"))
    status, _, err = run(samples.pilot(), "--out", tmp_path / "out")
    assert status == 2
    assert err == (
        "fastact: writing report.html, which --save json,md leaves out, needs jinja2, which is not installed: "
        "pip install 'fastact[report]'\n"
    )
    assert not (tmp_path / "out").exists()


def test_report_is_plain_data(measured: Measured) -> None:
    """What a report holds can be told from its JSON alone."""
    assert isinstance(measured.report, Report)
    assert json.loads(to_json(measured.report))["sizes"][0]["layers"][0]["names"] == ["Conv2D_First_layer"]
