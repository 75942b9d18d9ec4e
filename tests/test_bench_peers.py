"""Other engines beside fastact: taking turns, checked before they are timed, and what a report says of them."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # benchmarks is run from the repository, not installed

from benchmarks.cases import Case, frame  # noqa: E402
from benchmarks.recorder import write_h5  # noqa: E402
from fastact import Extractor, samples  # noqa: E402
from fastact.bench.peers import turns, worker  # noqa: E402
from fastact.bench.peers.network import PeerError  # noqa: E402
from fastact.bench.peers.rivals import FASTACT, RIVALS  # noqa: E402
from fastact.bench.times import median_error  # noqa: E402


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
    x = k.layers.GlobalAveragePooling2D()(k.layers.Activation("sigmoid")(x))
    return k.Model(image, [k.layers.Dense(5, activation="softmax")(x), z])


def test_engines_take_turns_and_every_one_that_is_installed_gives_the_same_maps(tmp_path):
    path = write_h5(mixed, tmp_path / "mixed.h5")
    case = Case(path, None, "mixed", every_map=True)
    assert len(case.network(case.model()).steps) == 17  # dropout is none
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
