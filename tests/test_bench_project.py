"""Estimates for boards: what the model says, and that it is right about this machine."""

from __future__ import annotations

import dataclasses
import math

import pytest

import fastact
from fastact import samples
from fastact.bench import measure as measuring
from fastact.bench import words
from fastact.bench.markdown import markdown
from fastact.bench.measure import Request, measure
from fastact.bench.project import (
    BEST,
    BOARDS,
    CALL,
    FACTOR,
    STEP,
    WORST,
    Ceiling,
    assumptions,
    ceiling,
    estimate,
    project,
)
from fastact.bench.result import Layer, Report
from fastact.bench.tables import tables
from fastact.bench.times import Times

NANO, XAVIER_NX, ORIN_NANO = BOARDS


@pytest.fixture(scope="module")
def report() -> Report:
    """One thread, so that other programs count little in the CPU time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "_beside", lambda *_: None)
        patch.setattr(measuring, "_sweep", lambda *_: None)
        model = fastact.load(samples.pilot())
        return measure(Request(model, ((120, 160), (360, 640)), seconds=1.0, boards=BOARDS)).report


def layer(multiply_adds: int, traffic: int) -> Layer:
    return Layer(("conv",), ((2, 2, 8),), multiply_adds, multiply_adds, 128, traffic, Times.of([1e-3]))


def test_this_machine_s_own_times_are_predicted(report: Report) -> None:
    """The same model as for the boards, with this machine's peak and bandwidth."""
    own = [projection for projection in report.projections if not projection.board]
    assert [projection.label for projection in own] == ["160x120", "640x360"]
    for projection, size in zip(own, report.sizes, strict=True):
        middle, taken = math.sqrt(projection.low * projection.high), min(size.cpu.runs)
        assert 1 / FACTOR < taken / middle < FACTOR, (projection.low, projection.high, taken)
        assert projection.low / 1.1 < taken < 1.1 * projection.high
        for own_layer, found in zip(projection.layers, size.layers, strict=True):
            assert own_layer.names == found.names
            middle, taken = math.sqrt(own_layer.low * own_layer.high), min(found.times.runs)
            assert 1 / (2 * FACTOR) < taken / middle < 2 * FACTOR, (own_layer, taken)


def test_every_board_at_every_size(report: Report) -> None:
    boards = [(projection.board, projection.label) for projection in report.projections if projection.board]
    assert boards == [(board.name, label) for board in BOARDS for label in ("160x120", "640x360")]
    for projection in report.projections:
        assert 0 < projection.low < projection.high
        assert projection.low == pytest.approx(CALL[0] + sum(e.low for e in projection.layers))
        assert projection.high == pytest.approx(CALL[1] + sum(e.high for e in projection.layers))
        assert projection.high / projection.low < 6, "a range so wide says nothing"
    small, large = (next(p for p in report.projections if p.board == NANO.name and p.label == s) for s in
                    ("160x120", "640x360"))  # fmt: skip
    assert 10 < large.low / small.low < 20  # 14.6 times the multiply-adds


def test_published_peaks() -> None:
    """GFLOP/s of all cores: 4 x 1.43 GHz x 8, 6 x 1.4 GHz x 16, 6 x 1.5 and 1.7 GHz x 16 FLOP a cycle."""
    assert NANO.peak(4, NANO.clocks[1]) == pytest.approx(45.76e9)
    assert XAVIER_NX.peak(6, XAVIER_NX.clocks[0]) == pytest.approx(134.4e9)
    assert [ORIN_NANO.peak(6, clock) for clock in ORIN_NANO.clocks] == pytest.approx([144e9, 163.2e9])
    assert NANO.peak(8, 1e9) == NANO.peak(4, 1e9)  # no more cores than there are
    assert len({board.key for board in BOARDS}) == len(BOARDS)
    assert all(board.source for board in BOARDS)


def test_a_layer_held_by_arithmetic_and_one_held_by_memory() -> None:
    most = Ceiling((1e9, 2e9), (1e9, 4e9))
    computing = estimate(layer(500_000_000, 1_000_000), most)
    assert computing.limit == "arithmetic"
    assert computing.low == pytest.approx(1 / (BEST * 2))
    assert computing.high == pytest.approx(1 / WORST + 1e-3 + STEP)
    moving = estimate(layer(1_000_000, 400_000_000), most)
    assert moving.limit == "memory"
    assert moving.low == pytest.approx(0.1)
    assert moving.high == pytest.approx(0.4 + 2e-3 / WORST + STEP)


def test_what_fits_the_cache_is_not_held_by_memory_at_best() -> None:
    most = ceiling(NANO, 4)
    small, large = layer(1000, NANO.cache), layer(1000, NANO.cache + 1)
    assert estimate(small, most).low == pytest.approx(2000 / (BEST * most.peak[1]))
    assert estimate(large, most).low > 50 * estimate(small, most).low
    assert estimate(layer(0, 4096), most).low > 0  # a layer that multiplies nothing takes time, too


def test_no_board_no_estimate(report: Report) -> None:
    assert project(report, ()) == ()
    assert "Estimate" not in markdown(dataclasses.replace(report, projections=()))


def test_it_is_called_an_estimate_wherever_it_is_told(report: Report) -> None:
    told = [table for table in tables(report) if any(board.name in str(table) for board in BOARDS)]
    assert [table.title for table in told] == [
        "Estimate for other boards",
        *(f"Estimate for {board.name}, layer by layer" for board in BOARDS),
    ]
    assert "nothing here was run on these boards" in assumptions()
    assert assumptions() in told[0].note
    assert all(board.source in told[0].note for board in BOARDS)
    assert [row[0] for row in told[0].rows] == [
        "this machine, by the same estimate", "this machine, measured", *(board.name for board in BOARDS)
    ]  # fmt: skip
    (said,) = [sentence for sentence in words.headline(report) if NANO.name in sentence]
    assert said.startswith("Estimated, not measured, for a frame of 640x360")


@pytest.mark.parametrize(
    ("low", "high", "likely"), [(0.01, 0.03, "should fit"), (0.01, 0.06, "may not fit"), (0.06, 0.2, "does not fit")]
)
def test_whether_the_loop_may_hold(report: Report, low: float, high: float, likely: str) -> None:
    one = dataclasses.replace(report.projections[-1], low=low, high=high)
    (said,) = [s for s in words.headline(dataclasses.replace(report, projections=(one,))) if "Estimated" in s]
    assert said.endswith(f"({likely}).")
