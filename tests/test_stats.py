"""Statistics over frames against NumPy over all maps at once, and what they say of filters with known faults."""

from __future__ import annotations

import json
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pilots_with_faults import ALIVE, BRIGHT, DEAD, OPPOSITE, TWIN, faulty, frames

from fastact import Extractor, FeatureMaps
from fastact.errors import InputError
from fastact.stats import Collector, FilterStatistics, LayerStatistics, Statistics
from fastact.stats.histogram import edges
from fastact.stats.layer import HARDLY_MOVES, NEARLY_ALL_ZERO


def over(maps: list[np.ndarray] | np.ndarray, **how: int) -> LayerStatistics:
    """The statistics of a layer that gave these maps."""
    collector = Collector(Extractor(faulty(), ["first"]), **how)
    for array in maps:
        collector.add(FeatureMaps({"first": np.asarray(array, np.float32)}, {}))
    (layer,) = collector.result().layers
    return layer


def statistics(pictures: np.ndarray, activation: str = "relu") -> tuple[Statistics, dict[str, np.ndarray]]:
    """Of the faulty network, and its maps by layer, (frames, ..., filters)."""
    extract = Extractor(faulty(activation), ["first", "second", "out"])
    collector, maps = Collector(extract), []
    for got in extract.stream(pictures):
        collector.add(got)
        maps.append(got.copy())
    return collector.result(), {name: np.stack([m[name] for m in maps]) for name in maps[0]}


def assert_as_numpy(f: FilterStatistics, values: np.ndarray, bounds: tuple[float, ...]) -> None:
    """One filter's figures against those of all its values, (frames, places)."""
    wide = values.astype(np.float64)
    assert f.values == wide.size
    assert f.mean == pytest.approx(wide.mean(), abs=1e-13 * np.abs(wide).mean())
    assert f.deviation == pytest.approx(wide.std(), rel=1e-9, abs=1e-300)
    assert f.zeros == np.mean(wide == 0)
    assert (f.minimum, f.maximum) == (wide.min(), wide.max())
    assert f.active_frames == np.count_nonzero((wide != 0).any(1))
    assert_bins(f, wide, bounds)


def assert_bins(f: FilterStatistics, wide: np.ndarray, bounds: tuple[float, ...]) -> None:
    assert sum(f.histogram) == np.count_nonzero(wide)
    for count, low, high in zip(f.histogram, bounds, bounds[1:], strict=False):
        inside = (wide >= low) & (wide < high) & (wide > 0) if high > 0 else (wide > low) & (wide <= high) & (wide < 0)
        assert count == np.count_nonzero(inside), (low, high)


@pytest.mark.parametrize("activation", ["relu", "linear", "tanh"])
@pytest.mark.parametrize("count", [1, 7, 40])
def test_figures_are_numpy_s(count: int, activation: str):
    found, maps = statistics(frames(count), activation=activation)
    assert [layer.name for layer in found.layers] == list(maps)
    assert found.frames == count
    for layer in found.layers:
        values = maps[layer.name].reshape(count, -1, maps[layer.name].shape[-1])
        assert layer.shape == maps[layer.name].shape[1:]
        assert len(layer.filters) == values.shape[2]
        for f in layer.filters:
            assert (f.frames, f.broken_frames) == (count, 0)
            assert_as_numpy(f, values[..., f.index], layer.edges)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 300), st.integers(1, 70), st.sampled_from([0.0, 1.0, 1e4, -3e6]),
    st.sampled_from([1e-6, 1.0, 1e5]), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_figures_of_any_values_are_numpy_s(
    count: int, places: int, filters: int, around: float, spread: float, seed: int
):
    random = np.random.default_rng(seed)
    values = (around + spread * random.standard_normal((count, places, filters))).astype(np.float32)
    values[random.random(values.shape) < 0.2] = 0
    values[random.random(values.shape) < 0.01] = -0.0
    layer = over(values)
    for f in layer.filters:
        assert_as_numpy(f, values[..., f.index], layer.edges)


def test_a_small_deviation_far_from_zero():
    """What the sum of squares less the square of the sum would lose altogether."""
    values = 4096 + np.random.default_rng(3).integers(0, 2, (50, 9, 7, 3)).astype(np.float32) / 1024
    for f in over(values).filters:
        wide = values[..., f.index].astype(np.float64)
        assert f.deviation == pytest.approx(wide.std(), rel=1e-10)


def test_edges_and_open_ends():
    bounds = edges()
    assert list(bounds) == sorted({*bounds.tolist()})
    assert (bounds[0], bounds[-1]) == (-math.inf, math.inf)
    values = np.array([*bounds[1:-1], 1e-38, -1e-38, 1e30, -1e30, 3e-45], np.float32)
    layer = over([values[:, np.newaxis]])
    assert_bins(layer.filters[0], values.astype(np.float64), layer.edges)
    assert (layer.edges[0], layer.edges[-1]) == (-math.inf, math.inf)


def test_faults_are_found():
    pictures = frames(40)
    pictures[17, 5, 6, 0] = 255  # what wakes BRIGHT up, in this frame alone
    found, maps = statistics(pictures)
    first, second = found.layers[0], found.layers[1]
    assert [f.verdict for f in first.filters] == ["alive", "dead", "alive", "nearly dead", "alive"]
    assert first.having("dead") == (DEAD,)
    assert first.filters[DEAD].active_frames == 0
    assert first.filters[DEAD].peaks == ()
    bright = first.filters[BRIGHT]
    assert bright.active_frames == 1
    (peak,) = bright.peaks
    assert (peak.record, peak.cell, peak.field) == (17, (4, 5), (4, 5, 7, 8))
    assert peak.value == maps["first"][..., BRIGHT].max()
    assert second.having("dead") == (DEAD,)  # not zero, and the same everywhere
    assert second.filters[DEAD].active_frames == 40
    assert second.filters[DEAD].zeros == 0
    (group,) = first.duplicates
    assert group.filters == (ALIVE, TWIN)
    assert group.correlations == (1, pytest.approx(1))
    (group,) = second.duplicates
    assert group.filters == (ALIVE, TWIN, OPPOSITE)
    assert group.correlations[2] == pytest.approx(-1)
    assert first.filters[TWIN].twin is not None
    assert first.filters[TWIN].twin.filter == ALIVE
    assert first.filters[DEAD].twin is None


def test_dead_on_one_frame_is_not_dead():
    dark, bright = frames(1), frames(2)
    bright[1, 3:6, 3:6, 0] = 255
    assert BRIGHT in statistics(dark)[0].layers[0].having("dead")
    found = statistics(bright)[0].layers[0].filters[BRIGHT]
    assert (found.verdict, found.frames, found.active_frames) == ("alive", 2, 1)


def test_one_value_proves_nothing():
    """A dense unit on one frame."""
    found, _ = statistics(frames(1))
    assert [f.verdict for f in found.layers[-1].filters] == ["unknown"] * 2
    found, _ = statistics(frames(2))
    assert [f.verdict for f in found.layers[-1].filters] == ["alive"] * 2
    found, _ = statistics(np.repeat(frames(1), 2, 0))
    assert [f.verdict for f in found.layers[-1].filters] == ["dead"] * 2


def test_nearly_dead_by_its_definition():
    values = np.random.default_rng(1).random((10, 1000, 4)) + 0.5
    values[..., 1] = 0
    values[0, :10, 1] = 1  # a thousandth of 10,000
    values[..., 2] = 0
    values[0, :11, 2] = 1
    values[..., 3] = 2 + 1e-5 * values[..., 3]
    layer = over(values)
    assert (NEARLY_ALL_ZERO, HARDLY_MOVES) == (0.999, 1e-3)
    assert [f.verdict for f in layer.filters] == ["alive", "nearly dead", "alive", "nearly dead"]


def test_correlations_are_numpy_s():
    random = np.random.default_rng(2)
    values = random.standard_normal((90, 30, 6)).astype(np.float32)  # fewer places than are drawn: all are compared
    values[..., 3] += 3 * values[..., 1]
    values[..., 4] = -2 * values[..., 0] + 7
    layer = over(values + 100)
    exact = np.corrcoef((values + 100).reshape(-1, 6).astype(np.float64).T)
    np.fill_diagonal(exact, 0)
    assert layer.compared == 90 * 30
    for f in layer.filters:
        assert f.twin is not None
        assert f.twin.filter == np.abs(exact[f.index]).argmax()
        assert f.twin.correlation == pytest.approx(exact[f.index, f.twin.filter], abs=1e-5)
    assert [d.filters for d in layer.duplicates] == [(0, 4)]


def test_filters_that_hardly_speak_are_likened_to_none():
    values = np.zeros((20, 5, 3), np.float32)
    values[0, 0] = 1
    values[:, :, 2] = np.arange(5)
    assert [f.twin for f in over(values).filters] == [None] * 3


@pytest.mark.parametrize(("apart", "keep"), [(1, 3), (4, 2), (10, 5), (1000, 5)])
def test_peaks(apart: int, keep: int):
    values = np.random.default_rng(apart).random((200, 6, 7, 8)).astype(np.float32)
    highest = values.reshape(200, -1, 8).max(1)
    for f in over(values, peaks=keep, apart=apart).filters:
        frames_kept = [p.record for p in f.peaks]
        assert all(abs(a - b) >= apart for i, a in enumerate(frames_kept) for b in frames_kept[:i])
        assert [p.value for p in f.peaks] == sorted((p.value for p in f.peaks), reverse=True)
        assert f.peaks[0].value == highest[:, f.index].max()
        assert len(f.peaks) == min(keep, -(-200 // apart)) or apart > 1
        for p in f.peaks:
            assert p.value == highest[p.record, f.index] == values[(p.record, *p.cell, f.index)]
        if apart == 1:
            assert frames_kept == np.argsort(-highest[:, f.index])[:keep].tolist()


def test_values_that_are_not_finite_are_counted_and_left_out():
    values = np.random.default_rng(5).random((6, 40, 3)).astype(np.float32)
    clean = values.copy()
    values[2, 7, 1], values[4, 0, 1], values[4, 1, 2] = np.nan, np.inf, -np.inf
    layer = over(values)
    for f, left_out in zip(layer.filters, ([], [2, 4], [4]), strict=True):
        assert (f.frames, f.broken_frames) == (6 - len(left_out), len(left_out))
        assert_as_numpy(f, np.delete(clean[..., f.index], left_out, 0), layer.edges)
        assert not {p.record for p in f.peaks} & set(left_out)
    nothing = over(np.full((2, 4, 2), np.nan)).filters[0]
    assert (nothing.values, nothing.mean, nothing.maximum, nothing.verdict) == (0, 0, 0, "unknown")


def test_results_can_be_asked_for_at_any_time():
    values = np.random.default_rng(6).random((30, 9, 4)).astype(np.float32)
    collector = Collector(Extractor(faulty(), ["first"]))
    for i, array in enumerate(values):
        collector.add(FeatureMaps({"first": array}, {}))
        assert collector.result().layers[0] == over(values[: i + 1])


def test_memory_does_not_grow_with_frames(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fastact.stats.collector._FORGET_AT", 200)
    extract = Extractor(faulty(), ["out"])
    collector, picture = Collector(extract), frames(1)[0]
    maps = extract(picture)

    def feed(start: int, stop: int) -> int:
        for i in range(start, stop):
            collector.add(maps, i, f"images/{i}_cam_image_array_.jpg")
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    before = feed(0, 500)
    after = feed(500, 3000)
    tracemalloc.stop()
    assert after - before < 50_000


def test_no_frames_and_frames_of_other_sizes():
    collector = Collector(Extractor(faulty(), ["first"]))
    with pytest.raises(InputError, match="no frame"):
        collector.result()
    collector.add(FeatureMaps({"first": np.zeros((3, 3, 5), np.float32)}, {}))
    with pytest.raises(InputError, match="one size"):
        collector.add(FeatureMaps({"first": np.zeros((4, 3, 5), np.float32)}, {}))
    with pytest.raises(InputError, match="1 to 100 peaks"):
        Collector(Extractor(faulty()), peaks=0)


def test_json_says_what_the_figures_say():
    found, _ = statistics(frames(12))
    text = found.to_json()
    data = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert (data["format"], data["frames"], data["complete"]) == ("fastact statistics 1", 12, True)
    for layer, said in zip(found.layers, data["layers"], strict=True):
        assert said["shape"] == list(layer.shape)
        assert len(said["edges"]) == len(layer.filters[0].histogram) + 1
        for f, figures in zip(layer.filters, said["filters"], strict=True):
            assert figures["mean"] == pytest.approx(f.mean, rel=1e-5)
            assert figures["histogram"] == list(f.histogram)
            assert [p["cell"] for p in figures["peaks"]] == [list(p.cell) for p in f.peaks]


def test_csv_has_a_row_a_filter():
    found, _ = statistics(frames(3))
    head, *rows = [line.split(",") for line in found.to_csv().splitlines()]
    assert len(rows) == sum(len(layer.filters) for layer in found.layers)
    first = dict(zip(head, rows[DEAD], strict=True))
    assert (first["layer"], first["filter"], first["verdict"], first["frames"]) == ("first", "1", "dead", "3")
    assert first["peak_record"] == first["twin"] == ""
