"""Other engines beside fastact: taking turns, checked before they are timed, and what a report says of them."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # benchmarks is run from the repository, not installed

from benchmarks.cases import Case, frame  # noqa: E402
from benchmarks.recorder import write_h5  # noqa: E402
from fastact import Extractor, cli, load, samples  # noqa: E402
from fastact.bench import measure as measuring  # noqa: E402
from fastact.bench import words  # noqa: E402
from fastact.bench.html import html  # noqa: E402
from fastact.bench.markdown import markdown  # noqa: E402
from fastact.bench.measure import Request, measure  # noqa: E402
from fastact.bench.peers import contest, turns, worker  # noqa: E402
from fastact.bench.peers.network import PeerError  # noqa: E402
from fastact.bench.peers.rivals import FASTACT, ONNX_RUNTIME, RIVALS, Rival  # noqa: E402
from fastact.bench.peers.task import Task  # noqa: E402
from fastact.bench.plots import plots  # noqa: E402
from fastact.bench.reading import read_report  # noqa: E402
from fastact.bench.result import Contest, Report, to_json  # noqa: E402
from fastact.bench.times import median_error  # noqa: E402

needs_onnx_runtime = pytest.mark.skipif(
    not ONNX_RUNTIME.installed, reason="onnx and onnxruntime are not installed: pip install 'fastact[bench]'"
)


def mixed(k):
    """A graph with every kind of step that fastact computes and engines are given."""
    image = k.layers.Input((20, 24, 3), name="image")
    x = k.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(
        k.layers.ZeroPadding2D(((0, 1), (1, 0)))(image)
    )
    x = k.layers.ReLU(6.0)(k.layers.BatchNormalization()(x))
    y = k.layers.Conv2D(8, 3, padding="same", dilation_rate=2, activation="tanh")(x)
    x = k.layers.Multiply()([k.layers.Add()([x, y]), y])
    z = k.layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu")(x)
    z = k.layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="sigmoid")(z)
    z = k.layers.Conv2DTranspose(6, 2)(k.layers.MaxPooling2D(3, strides=2, padding="same")(z))
    x = k.layers.Concatenate()([k.layers.MaxPooling2D(2)(x), k.layers.AveragePooling2D(2)(k.layers.Dropout(0.1)(y))])
    flat = k.layers.Dense(4)(k.layers.Flatten()(k.layers.Flatten()(x)))
    x = k.layers.GlobalAveragePooling2D()(k.layers.Activation("sigmoid")(x))
    return k.Model(image, [k.layers.Dense(5, activation="softmax")(x), z, flat])


def test_engines_take_turns_and_every_one_that_is_installed_gives_the_same_maps(tmp_path):
    path = write_h5(mixed, tmp_path / "mixed.h5")
    case = Case(path, None, "mixed", every_map=True)
    assert len(case.network(case.model()).steps) == 20  # dropout is none
    players = [turns.Player(engine, 1) for engine in (FASTACT, *(r for r in RIVALS if r.installed))]
    try:
        model = case.model()
        figures, failed = turns.play(players, case.task(model), frame((20, 24, 3), "uint8"), 1.0, rounds=2)
        stopped = any(states(players) == {"T"} or time.sleep(0.02) for _ in range(250))  # a signal takes its time
    finally:
        for player in players:
            player.__exit__(None, None, None)
    assert failed == {}
    assert list(figures) == [p.engine.name for p in players]
    assert all(len(f.turns) == 2 and min(f.frames) > 0 for f in figures.values())
    assert all(f.difference < 1e-5 for f in figures.values())
    assert figures["fastact"].peak > 1
    assert stopped, "a process that waits for its turn disturbs the others"


def states(players: list[turns.Player]) -> set[str]:
    return {Path(f"/proc/{p._process.pid}/stat").read_text().rpartition(")")[2].split()[0] for p in players}


def spoilt(maps):
    maps[3][1, 2, 5] += 2e-5 * np.abs(maps[3]).max()
    return maps


def not_a_number(maps):
    maps[0][0, 0, 0] = np.nan
    return maps


@pytest.fixture(scope="module")
def case() -> Case:
    return Case(samples.pilot())


@pytest.mark.parametrize("wrong", [spoilt, not_a_number, lambda m: m[:-1], lambda m: [x[:1] for x in m]])
def test_maps_that_differ_are_refused(case, wrong):
    model = case.model()
    network = case.network(model)
    maps = list(Extractor(model)(np.zeros((120, 160, 3), np.uint8)).values())
    assert worker.difference(network.outputs, maps, [m.copy() for m in maps]) == 0.0
    with pytest.raises(PeerError, match="map"):
        worker.difference(network.outputs, maps, wrong([m.copy() for m in maps]))


def test_frames_that_warm_up_are_not_counted():
    calls = []
    times = worker.timed(lambda: calls.append(1), 0.0)
    assert len(times) == 2 < len(calls)


def test_an_engine_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(turns, "_PATIENCE", 0.2)
    with turns.Player(FASTACT, 1) as player:
        player._process.send_signal(signal.SIGSTOP)
        with pytest.raises(PeerError, match="ended with status -9"):
            player.ask("start")


class Actor:
    """Stands for a `Player`: answers from a table, and fails where an answer is an error."""

    def __init__(self, name: str, **answers: Any) -> None:
        self.engine = Rival(name, "", (), ())
        self._answers = {
            "prepare": {"version": "1", "difference": 0.0, "way": ""},
            "check": {"difference": 0.0},
        } | answers

    def ask(self, do: str, **values: Any) -> Any:
        answer = self._answers[do]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize("when", ["prepare", "turn", "check"])
def test_an_engine_that_fails_leaves_the_others_in_the_contest(when: str) -> None:
    turn = {"turn": {"times": [10, 20], "peak": 1.0}}
    players: Any = [Actor("own", **turn), Actor("good", **turn), Actor("bad", **turn | {when: PeerError("killed")})]
    figures, failed = turns.play(players, Task("", ()), np.zeros(1), 1.0, rounds=3)
    assert failed == {"bad": "killed"}
    assert set(figures) == {"own", "good"}
    assert [len(one.turns) for one in figures.values()] == [3, 3]
    with pytest.raises(PeerError, match="killed"):
        turns.play([Actor("own", turn=PeerError("killed"))], Task("", ()), np.zeros(1), 1.0, rounds=3)  # type: ignore[list-item]


def test_rounds_go_on_until_the_ratios_are_known():
    steady, wild = [1.0, 1.001] * 10, [1.0, 1.5] * 10
    assert median_error(steady) < 0.01 < median_error(wild)
    assert turns._known([[[100, 101]] * 20, [[130, 131]] * 20], 20, float("inf"))
    assert not turns._known([[[100, 101]] * 20, [[130], [190]] * 10], 20, float("inf"))
    assert turns._known([[[100, 101]] * 20, [[130], [190]] * 10], 20, 0.0)  # time is over


def test_a_size_the_convolutions_do_not_fit_is_refused(case):
    small = Case(case.path, (5, 5))
    with pytest.raises(PeerError, match=r"Conv2D_Second_layer.*at this size"):
        small.network(small.model())


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (lambda k: k.layers.LeakyReLU(), "LeakyReLU"),
        (lambda k: k.layers.Activation("gelu"), "the activation gelu"),
        (lambda k: k.layers.BatchNormalization(axis=1), "another axis than channels"),
    ],
)
def test_a_layer_that_engines_are_not_given_is_named(tmp_path, layer, told):
    def make(k):
        image = k.layers.Input((8, 8, 3), name="image")
        return k.Model(image, layer(k)(k.layers.Conv2D(4, 3)(image)))

    case = Case(write_h5(make, tmp_path / "model.h5"), every_map=True)
    with pytest.raises(PeerError, match=told):
        case.network(case.model())


HALF_RIGHT = """
import numpy as np
class Engine:
    version = "7"
    def __init__(self, network, frame, threads, inside):
        assert frame.dtype == np.uint8
        if network.input_shape[0] == 90:
            raise ValueError("not on a day like this")
        self.wanted = network.wanted
    def run(self):
        return [np.full(s.shape, 0.5, np.float32) for s in self.wanted]
    def maps(self, result):
        return result
"""
LAYERS = ["Conv2D_First_layer", "Conv2D_Second_layer"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The sample at two small sizes, beside ONNX Runtime, one that errs, one that is broken and one that is absent."""
    folder = tmp_path_factory.mktemp("rivals")
    (folder / "half_right.py").write_text(HALF_RIGHT)
    (folder / "broken.py").write_text("raise ImportError('libfoo.so.1: cannot open shared object file')")
    rivals = (
        ONNX_RUNTIME,
        Rival("Half Right", "half_right", ("numpy",), ("numpy",)),
        Rival("Broken", "broken", ("numpy",), ("numpy",)),
        Rival("Absent", "absent", ("a_module_nobody_has",), ("absent",)),
        Rival("Away", "away", ("another_nobody_has",), ("away",), install="away"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{folder}")
        patch.setattr(measuring, "_beside", lambda *_: None)
        patch.setattr(measuring, "_sweep", lambda *_: None)
        request = Request(load(samples.pilot()), [(60, 80), (90, 120)], LAYERS, seconds=0.2, rivals=rivals)
        return measure(request).report


@needs_onnx_runtime
def test_a_report_of_engines(report: Report) -> None:
    assert report.peers is not None
    assert report.peers.tolerance == worker.TOLERANCE
    assert [one.label for one in report.peers.contests] == ["80x60", "120x90"]
    for one in report.peers.contests:
        assert [engine.name for engine in one.engines] == ["fastact", "ONNX Runtime"]
        own, rival = one.engines
        assert own.ratio == 1.0
        assert 0 < rival.difference < worker.TOLERANCE
        assert rival.ratio_low <= rival.ratio <= rival.ratio_high
        assert one.rounds >= 3
        assert len(rival.times.runs) >= 2 * one.rounds
        assert rival.way in ("by NumPy", "in the model")
    wrong, raises = (one.failed for one in report.peers.contests)
    assert "'Conv2D_First_layer' differ by" in wrong["Half Right"]
    assert raises["Half Right"] == "not on a day like this"
    assert wrong["Broken"] == raises["Broken"] == "libfoo.so.1: cannot open shared object file"
    assert report.peers.absent == {"Absent": "'fastact[bench]'", "Away": "away"}


def test_it_is_told_in_every_form(report: Report, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(to_json(report))
    assert read_report(tmp_path / "report.json") == report
    schema = json.loads((Path(measuring.__file__).parent / "report.schema.json").read_text())
    jsonschema.validate(json.loads(to_json(report)), schema)
    absent = "Other engines not installed: Absent (pip install 'fastact[bench]'), Away (pip install away)."
    assert absent in words.notes(report)
    assert "Not compared at 120x90: Half Right: not on a day like this." in words.notes(report)
    text, page = markdown(report), html(report)
    for told in (text, page):
        assert "Beside other engines" in told
        assert "ONNX Runtime" in told
        assert "1e-05 of a map" in told
        assert "a\\_module" not in told
    assert absent.replace("[", "\\[").replace("]", "\\]") in text
    (bars,) = (plot for plot in plots(report) if plot.title == "Beside other engines")
    assert bars.svg.count("<rect") == 4


def test_ratios_are_told_with_their_noise(report: Report) -> None:
    assert report.peers is not None
    own = report.peers.contests[-1].engines[0]
    ratios = {"Steady": (1.2, 1.25, 1.3), "Wild": (2.0, 5.0, 9.0), "Near": (0.9, 1.1, 1.2), "Quick": (0.5, 0.6, 0.7)}
    rivals = [
        dataclasses.replace(own, name=name, ratio_low=low, ratio=ratio, ratio_high=high)
        for name, (low, ratio, high) in ratios.items()
    ]
    last = dataclasses.replace(report.peers.contests[-1], engines=(own, *rivals))
    peers = dataclasses.replace(report.peers, contests=(last,))
    (said,) = [s for s in words.headline(dataclasses.replace(report, peers=peers)) if "other engines" in s]
    assert said == (
        "For the same maps at 120x90 other engines take, as multiples of fastact's time: Quick 0.60; Steady 1.25; "
        "Wild 5.00 (unsteady); too near to tell apart in these rounds Near."
    )


def leaky(k: Any) -> Any:
    image = k.layers.Input((20, 24, 3), name="image")
    return k.Model(image, k.layers.LeakyReLU()(k.layers.Conv2D(4, 3)(image)))


def test_a_network_that_engines_are_not_given_is_refused_by_its_layer(tmp_path: Path) -> None:
    path = write_h5(leaky, tmp_path / "leaky.h5")
    model, made = load(path), list[Contest]()
    task = Task(str(path), tuple(n.name for n in model.nodes if not n.is_input))
    shown = np.zeros((20, 24, 3), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contest, "play", lambda *_: pytest.fail("played"))
        contest.hold([contest.Entry(model, (20, 24), task, shown)], RIVALS, 1, 1.0, made, lambda place: None)
    (found,) = made
    assert found.engines == ()
    assert set(found.failed) == {rival.name for rival in RIVALS if rival.installed}
    assert all("engines are not given layers of class LeakyReLU" in reason for reason in found.failed.values())


def numbers_beside(k: Any) -> Any:
    image, numbers = k.layers.Input((20, 24, 3), name="image"), k.layers.Input((6,), name="numbers")
    seen = k.layers.Flatten()(k.layers.Conv2D(4, 3)(image))
    return k.Model([image, numbers], k.layers.Concatenate()([seen, k.layers.Dense(4)(numbers)]))


def test_engines_that_cannot_be_compared_leave_the_rest_as_it_was_measured(tmp_path: Path) -> None:
    """Even where its convolutions need one input alone, a model of two is no task of theirs; nor is one that fails."""
    model = load(write_h5(numbers_beside, tmp_path / "numbers.h5"))
    task = Task(model.source, tuple(n.name for n in model.nodes if n.class_name == "Conv2D"))
    shown, made = np.zeros((20, 24, 3), np.uint8), list[Contest]()
    contest.hold([contest.Entry(model, (20, 24), task, shown)], RIVALS, 1, 1.0, made, lambda place: None)
    pilot = load(samples.pilot())
    gone = Task("absent.h5", ("Conv2D_First_layer",))
    contest.hold([contest.Entry(pilot, (20, 24), gone, shown)], RIVALS, 1, 1.0, made, lambda place: None)
    assert [(one.engines, one.rounds) for one in made] == [((), 0), ((), 0)]
    reasons = [set(one.failed.values()) for one in made if one.failed]
    assert len(reasons) in (0, 2)  # none where no engine is installed
    if reasons:
        assert all("engines are compared on models of one input" in reason for reason in reasons[0])
        assert all("absent.h5" in reason for reason in reasons[1])


def test_an_interrupt_ends_the_engines_and_keeps_the_rest(tmp_path: Path) -> None:
    def progress(doing: str, done: float) -> None:
        assert 0 <= done <= 1
        if doing.startswith("beside ONNX") and done > 0.9:
            raise KeyboardInterrupt

    rivals = [ONNX_RUNTIME] if ONNX_RUNTIME.installed else [Rival("ONNX", "absent", ("numpy",), ("numpy",))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "_beside", lambda *_: None)
        patch.setattr(measuring, "_sweep", lambda *_: None)
        request = Request(load(samples.pilot()), [(60, 80), (90, 120)], LAYERS[:1], seconds=0.2, rivals=rivals)
        found = measure(request, progress).report
    assert not found.complete
    assert found.peers is not None
    assert [one.label for one in found.peers.contests] == ["80x60"]
    assert found.sizes[1].frame.runs


def test_an_engine_does_not_end_by_ctrl_c() -> None:
    """It reaches every process of the terminal; this one ends when it is told."""
    with turns.Player(FASTACT, 1) as player:
        player.ask("start")
        player._process.send_signal(signal.SIGINT)
        assert player.ask("start") == {}


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--peers", "caffe", "'caffe': give one or more of onnxruntime, litert, openvino, torch, tensorflow"),
        ("--peers", ",", "give one or more of onnxruntime"),
        ("--project", "nano,tx2", "'nano,tx2': give one or more of nano, xavier-nx, orin-nano"),
    ],
)
def test_names_nobody_knows(monkeypatch, capsys, option: str, value: str, said: str) -> None:
    monkeypatch.setattr(sys, "argv", ["fastact", "bench", str(samples.pilot()), option, value])
    assert cli._status() == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_the_command_asks_for_engines_and_boards(monkeypatch, tmp_path: Path, capsys) -> None:
    asked: list[Request] = []

    def record(request: Request, progress: object) -> None:
        asked.append(request)
        raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "measure", record)
    arguments = ["--peers", "Litert, torch,litert", "--project", "orin-nano,nano", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["fastact", "bench", str(samples.pilot()), *arguments])
    assert cli._status() == 130
    assert [rival.key for rival in asked[0].rivals] == ["litert", "torch"]
    assert [board.key for board in asked[0].boards] == ["nano", "orin-nano"]
