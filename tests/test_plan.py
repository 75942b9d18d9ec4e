"""Plans: where everything lies in memory and when, what is computed at all, and models at other sizes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from cases import KERAS3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles import handmade, reference_maps

from fastact import Extractor, Model
from fastact.engines.base import Task
from fastact.engines.cpu import CpuEngine
from fastact.engines.cpu_plan import CpuPlan
from fastact.errors import InputError, ModelError
from fastact.kernels.cpu import bands, encode, library
from fastact.kernels.cpu.memory import ALIGNMENT
from fastact.kernels.cpu.threads import Team
from fastact.kernels.places import Place
from fastact.layout import ARENA, FIRST_INPUT, OUTPUTS, Layout
from fastact.recording import Recorder, Recording

Json = dict[str, Any]
SHAPE = (5, 6, 4)


def entry(class_name: str, name: str, inputs: Sequence[str], **config: Any) -> Json:
    nodes = [[[source, 0, 0, {}] for source in inputs]] if inputs else []
    return {
        "class_name": class_name,
        "name": name,
        "config": {"name": name, "trainable": True, **config},
        "inbound_nodes": nodes,
    }


def model(layers: list[Json]) -> Model:
    inputs = [[e["name"], 0, 0] for e in layers if e["class_name"] == "InputLayer"]
    config = {"name": "m", "layers": layers, "input_layers": inputs, "output_layers": [[layers[-1]["name"], 0, 0]]}
    return handmade({"class_name": "Functional", "config": config})


@st.composite
def networks(draw: st.DrawFn) -> tuple[Model, list[str]]:
    """A graph of maps of one shape with steps of every kind, views and stretched inputs; and what is wanted of it."""
    layers = [entry("InputLayer", "in", [], batch_shape=[None, *SHAPE])]
    alike, columns = ["in"], []
    for i in range(draw(st.integers(2, 14))):
        kind, name = draw(st.sampled_from(sorted(KINDS))), f"n{i}"
        class_name, config = KINDS[kind]
        # The newest map most often, so that chains come up, and sometimes an old one, so that maps have to be kept.
        newest = st.sampled_from([alike[-1], alike[-1], *alike])
        inputs = [draw(newest)]
        if kind in ("add", "multiply"):
            inputs += draw(st.lists(newest, min_size=1, max_size=2))
        if kind == "scale":
            inputs = draw(st.permutations([inputs[0], draw(st.sampled_from(columns))])) if columns else inputs * 2
        if kind == "join":
            layers.append(entry("Concatenate", f"{name}_wide", [*inputs, draw(newest)], axis=3))
            inputs = [f"{name}_wide"]
        if kind == "view":
            layers.append(entry("Reshape", f"{name}_flat", inputs, target_shape=[-1, 2]))
            inputs = [f"{name}_flat"]
        layers.append(entry(class_name, name, inputs, **config))
        (columns if kind == "pool" else alike).append(name)
    names = [e["name"] for e in layers]
    return model(layers), sorted(draw(st.sets(st.sampled_from(names), min_size=1, max_size=4)), key=names.index)


KINDS: dict[str, tuple[str, Json]] = {
    "add": ("Add", {}),
    "multiply": ("Multiply", {}),
    "scale": ("Multiply", {}),
    "conv": ("Conv2D", {"filters": SHAPE[2], "kernel_size": 3, "padding": "same", "activation": "tanh"}),
    "join": ("Conv2D", {"filters": SHAPE[2], "kernel_size": 1}),
    "norm": ("BatchNormalization", {}),
    "sigmoid": ("Activation", {"activation": "sigmoid"}),
    "softmax": ("Softmax", {"axis": 2}),
    "dropout": ("Dropout", {}),
    "view": ("Reshape", {"target_shape": list(SHAPE)}),
    "max": ("MaxPooling2D", {"pool_size": 2, "strides": 1, "padding": "same"}),
    "pool": ("GlobalAveragePooling2D", {"keepdims": True}),
}


@dataclass
class Laid:
    """A plan's operations and places, seen from inside."""

    recorder: Recorder
    banded: list[bands.Band]
    layout: Layout
    wanted: dict[str, int]


def laid(built: Model, wanted: list[str], members: int = 1) -> Laid:
    recording = Recording.of(built.nodes, wanted, {"in": True})
    recorder = recording.recorder
    roots = {name: recorder.root(value) for name, value in recording.results.items()}
    banded = bands.band(recorder.program, set(roots.values()), recorder.root, members)
    return Laid(recorder, banded, Layout(recording, banded, ALIGNMENT, encode.runs_in_place), roots)


def planned(built: Model, wanted: list[str], in_bytes: bool = False, members: int = 1) -> CpuPlan:
    return CpuPlan(Recording.of(built.nodes, wanted, {"in": in_bytes}), library.load(), members)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.integers(1, 4))
def test_no_two_buffers_alive_at_once_overlap(case: tuple[Model, list[str]], members: int):
    """A band's buffers are all alive together, unless one is written over another value by value."""
    plan = laid(*case, members)
    root, wanted = plan.recorder.root, set(plan.wanted.values())
    made = [(i, j, step) for i, band in enumerate(plan.banded) for j, step in enumerate(band.instructions)]
    hidden = {root(step.output) for i, j, step in made if j < plan.banded[i].feeds}
    born = {root(step.output): i for i, j, step in made if root(step.output) not in hidden}
    by_root = {root(step.output): step for _, _, step in made}
    dies = {b: max([i, *(k for k, _, s in made if b in map(root, s.inputs))]) for b, i in born.items()}
    dies.update(dict.fromkeys(wanted, len(plan.banded)))
    spots = {b: (plan.layout.place(by_root[b].output), 4 * math.prod(by_root[b].output.shape)) for b in born}
    for i, band in enumerate(plan.banded):
        if band.scratch_bytes:
            born[f"scratch {i}"] = dies[f"scratch {i}"] = i
            spots[f"scratch {i}"] = plan.layout.scratch(i), band.scratch_bytes
    over = _written_over(plan)
    for a, b in itertools.combinations(born, 2):
        (place_a, size_a), (place_b, size_b) = spots[a], spots[b]
        if place_a.region != place_b.region or born[a] > dies[b] or born[b] > dies[a]:
            continue
        disjoint = place_a.offset + size_a <= place_b.offset or place_b.offset + size_b <= place_a.offset
        assert disjoint or over.get(a, a) == over.get(b, b), (a, b)
    for b, (place, size) in spots.items():
        assert place.region == (OUTPUTS if b in wanted else ARENA)
        limit = plan.layout.output_bytes if b in wanted else plan.layout.arena_bytes
        assert 0 <= place.offset <= limit - size


def _written_over(plan: Laid) -> dict[int, int]:
    """For each buffer that may take the place of another the first of the chain: nothing reads the other later, and
    nothing before it in the same band reads it around the values written."""
    root, first_of = plan.recorder.root, {}
    for i, band in enumerate(plan.banded):
        for j, step in enumerate(band.instructions):
            other = root(step.inputs[0])
            later = [*band.instructions[j + 1 :], *itertools.chain(*(b.instructions for b in plan.banded[i + 1 :]))]
            outside = other not in {root(s.output) for s in band.instructions}
            beside = band.instructions[:j] if outside else ()
            if (
                encode.runs_in_place(step.op)
                and math.prod(step.inputs[0].shape) == math.prod(step.output.shape)
                and other not in plan.wanted.values()
                and not any(root(v) == other for s in (*later, *beside) for v in s.inputs)
            ):
                first_of[root(step.output)] = first_of.get(other, other)
    return first_of


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.integers(0, 2**32 - 1))
def test_maps_do_not_depend_on_what_else_is_wanted(case: tuple[Model, list[str]], seed: int):
    built, wanted = case
    frame = np.random.default_rng(seed).normal(0, 1, SHAPE).astype(np.float32)
    alone, together = Extractor(built, wanted)(frame), Extractor(built, "all", threads=2)(frame)
    assert list(alone) == wanted
    exact = reference_maps(built, {"in": frame})
    for name in wanted:
        assert alone[name].tobytes() == together[name].tobytes()
        assert np.allclose(alone[name], exact[name], rtol=1e-4, atol=1e-5 * max(1.0, np.max(np.abs(exact[name]))))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.booleans(), st.integers(1, 4), st.integers(1, 2))
def test_a_run_stays_in_its_memory(case: tuple[Model, list[str]], in_bytes: bool, members: int, team: int):
    built, wanted = case
    plan = planned(built, wanted, in_bytes, members)
    frame = np.full(SHAPE, 7, np.uint8 if in_bytes else np.float32)
    guard = 256
    memory = [np.full(size + 2 * guard, 0xA5, np.uint8) for size in (plan.arena_bytes, plan.output_bytes)]
    plan.run(
        Team(library.load(), team), [frame.ctypes.data][: len(plan.inputs)], *(m.ctypes.data + guard for m in memory)
    )
    for m in memory:
        assert np.all(m[:guard] == 0xA5)
        assert np.all(m[len(m) - guard :] == 0xA5)
    assert np.all(frame == 7)


def test_a_stretched_input_is_not_overwritten_while_it_is_read():
    """One value and sixteen round up to the same number of bytes."""
    layers = [
        entry("InputLayer", "in", [], batch_shape=[None, 1, 1, 1]),
        entry("Activation", "one", ["in"], activation="tanh"),
        entry("InputLayer", "row", [], batch_shape=[None, 1, 1, 16]),
        entry("Multiply", "product", ["one", "row"]),  # not wanted itself, so that it may lie in the arena
        entry("ReLU", "end", ["product"]),
    ]
    row = np.arange(16, dtype=np.float32).reshape(1, 1, 16)
    maps = Extractor(model(layers), "end")({"in": np.full((1, 1, 1), 0.5, np.float32), "row": row})
    assert np.allclose(maps["end"], np.tanh(0.5) * row)


def article(shape: tuple[int | None, ...] = (120, 160, 3), dense: bool = True) -> Model:
    layers, last = [entry("InputLayer", "in", [], batch_shape=[None, *shape])], "in"
    for i, (filters, kernel) in enumerate(((12, 5), (24, 5), (48, 5), (64, 3), (64, 3))):
        layers.append(
            entry("Conv2D", f"c{i}", [last], filters=filters, kernel_size=kernel, strides=2, activation="relu")
        )
        last = f"c{i}"
    if dense:
        layers += [entry("Flatten", "flat", [last]), entry("Dense", "out", ["flat"], units=2)]
    return model(layers)


def test_the_arena_is_smaller_than_the_sum_of_its_buffers():
    plan = laid(article(), ["out"])
    buffers = [r.output for r in plan.recorder.program if plan.recorder.root(r.output) not in plan.wanted.values()]
    two_largest = sum(sorted(4 * math.prod(b.shape) for b in buffers)[-2:])
    assert plan.layout.arena_bytes < sum(4 * math.prod(b.shape) for b in buffers)
    assert plan.layout.arena_bytes <= two_largest + 4 * 64


@pytest.mark.parametrize("members", [1, 2, 4])
@pytest.mark.parametrize("in_bytes", [False, True])
@pytest.mark.parametrize("size", [(120, 160), (360, 640)])
def test_memory_beside_the_wanted_maps(size: tuple[int, int], in_bytes: bool, members: int):
    """A fifth of their bytes at most, though a frame of bytes has to become floats: it does so strip by strip.

    More than two threads take 33 KB each beside small maps, in which they compute pixels in pairs.
    """
    plan = planned(article().at_size(size), [f"c{i}" for i in range(5)], in_bytes, members)
    assert plan.arena_bytes <= max(plan.output_bytes / 5, 33 * 1024 * members if members > 2 else 0)
    if not in_bytes:
        assert plan.arena_bytes <= 33 * 1024 * members


def test_only_what_is_needed_is_computed():
    assert len(laid(article(), ["c0"]).recorder.program) == 2  # bytes to floats, and the convolution
    assert len(laid(article(), ["c0", "c2"]).recorder.program) == 4
    two = model([
        entry("InputLayer", "a", [], batch_shape=[None, 3]), entry("InputLayer", "b", [], batch_shape=[None, 3]),
        entry("ReLU", "left", ["a"]), entry("ReLU", "right", ["b"]),
    ])  # fmt: skip
    assert planned(two, ["right"]).inputs == ("b",)


def test_an_input_is_copied_and_not_handed_on():
    built = model([entry("InputLayer", "in", [], batch_shape=[None, 4]), entry("Dropout", "same", ["in"])])
    frame = np.arange(4, dtype=np.float32)
    maps = Extractor(built, "all")(frame)
    for name in ("in", "same"):
        assert np.array_equal(maps[name], frame)
        assert not np.shares_memory(maps[name], frame)


def test_inputs_are_regions_of_their_own():
    plan = laid(article(), ["c0"])
    first = plan.recorder.program[0].inputs[0]
    assert plan.layout.place(first) == Place(FIRST_INPUT)


def test_more_memory_than_there_is():
    built = model([
        entry("InputLayer", "in", [], batch_shape=[None, 2**20, 2**20, 1]),
        entry("ZeroPadding2D", "pad", ["in"], padding=1),
    ])  # fmt: skip
    with pytest.raises(ModelError, match="GiB"):
        CpuEngine().prepare(Task(built.nodes, ("pad",), {"in": (2**20, 2**20, 1)}, {"in": False}))


def test_at_size():
    larger = article().at_size((360, 640))
    # floor((n + 2p - k) / s) + 1, five times over
    expected = {"c0": (178, 318, 12), "c1": (87, 157, 24), "c2": (42, 77, 48), "c3": (20, 38, 64), "c4": (9, 18, 64)}
    assert {name: larger.layers[name].shape for name in expected} == expected
    assert larger.layers["flat"].shape == (9 * 18 * 64,)
    assert larger.layers["out"].reason is not None
    assert "384" in larger.layers["out"].reason
    maps = Extractor(larger, "c*")(np.zeros((360, 640, 3), np.uint8))
    assert {name: a.shape for name, a in maps.items()} == expected


def test_at_size_is_keras_at_that_size(keras_named: Callable[[str], Any]):
    keras = keras_named(KERAS3)
    for size in ((120, 160), (360, 640), (97, 131), (77, 77)):
        image = y = keras.layers.Input((*size, 3))
        for i, (filters, kernel) in enumerate(((12, 5), (24, 5), (48, 5), (64, 3), (64, 3))):
            sized = article().at_size(size)
            y = keras.layers.Conv2D(filters, kernel, strides=2)(y)
            assert sized.layers[f"c{i}"].shape == tuple(y.shape[1:])
            assert sized.layers[f"c{i}"].reason is None
        assert keras.Model(image, y).output_shape[1:] == sized.layers["c4"].shape


def test_at_size_keeps_weights_and_values():
    small, frame = article((96, 112, 3), dense=False), np.random.default_rng(1).random((96, 112, 3), np.float32)
    there_and_back = small.at_size((200, 100)).at_size((96, 112))
    for name in ("c0", "c4"):
        assert np.array_equal(Extractor(small, "c*")(frame)[name], Extractor(there_and_back, "c*")(frame)[name])


def test_a_size_too_small_is_reported_where_it_is():
    tiny = article().at_size((20, 20))
    assert tiny.layers["c1"].reason is None
    assert "vanish" in (tiny.layers["c2"].reason or "")
    assert "'c2'" in (tiny.layers["c3"].reason or "")


@pytest.mark.parametrize("size", [(0, 10), (-1, 5)])
def test_a_size_that_is_none(size: tuple[int, int]):
    with pytest.raises(InputError):
        article().at_size(size)


def test_at_size_needs_one_picture():
    numbers = model([entry("InputLayer", "in", [], batch_shape=[None, 4]), entry("ReLU", "r", ["in"])])
    with pytest.raises(InputError, match="0 inputs for pictures, and another size is for one"):
        numbers.at_size((10, 10))


def test_open_sizes_take_any_frame():
    built = article((None, None, 3), dense=False)
    assert built.layers["c0"].shape == (None, None, 12)
    extract, fixed = Extractor(built, "c4"), article((120, 160, 3), dense=False)
    for size in ((120, 160), (100, 90), (120, 160), *((80 + i, 80) for i in range(6)), (120, 160)):
        frame = np.random.default_rng(size[0]).random((*size, 3), np.float32)
        assert np.array_equal(extract(frame)["c4"], Extractor(fixed.at_size(size), "c4")(frame)["c4"])


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_open_sizes_take_no_frame_without_values(size: tuple[int, int]):
    """A largest value of nothing would be read from beyond the frame."""
    whole = entry("GlobalMaxPooling2D", "g", ["in"])
    extract = Extractor(model([entry("InputLayer", "in", [], batch_shape=[None, None, None, 3]), whole]), "g")
    shown = f"{size[0]}x{size[1]}x3"
    for dtype in (np.uint8, np.float64):
        frame = np.zeros((*size, 3), dtype)
        with pytest.raises(InputError, match=f"'in' needs a frame with values in it, and this one is {shown}"):
            extract(frame)
        with pytest.raises(InputError, match=shown):
            extract.batch([frame, frame])
        with pytest.raises(InputError, match=shown):
            extract.batch(frame[np.newaxis])


def test_an_open_length_that_is_no_picture():
    rnn = entry("SimpleRNN", "r", ["in"], units=3, activation="tanh", return_sequences=True)
    built = model([entry("InputLayer", "in", [], batch_shape=[None, None, 2]), rnn])
    assert built.layers["r"].shape == (None, 3)
    extract = Extractor(built, "r")
    for steps in (4, 1, 6):
        frame = np.random.default_rng(steps).standard_normal((steps, 2)).astype(np.float32)
        exact = reference_maps(built.at_shapes({"in": frame.shape}), {"in": frame})["r"]
        assert np.allclose(extract(frame)["r"], exact, atol=1e-6)
        assert exact.shape == (steps, 3)


def test_costs_of_the_article():
    costs = article().costs
    expected = {"c0": 58 * 78 * 12 * 75, "c1": 27 * 37 * 24 * 300, "c4": 2 * 3 * 64 * 576, "flat": 0, "out": 384 * 2}
    assert {name: costs[name].multiply_adds for name in expected} == expected
    sight = {name: costs[name].sight for name in ("c0", "c1", "c2", "c3", "c4", "flat")}
    assert [s and (s.size, s.jump) for s in sight.values()] == [
        ((5, 5), (2, 2)), ((13, 13), (4, 4)), ((29, 29), (8, 8)), ((45, 45), (16, 16)), ((77, 77), (32, 32)), None,
    ]  # fmt: skip
