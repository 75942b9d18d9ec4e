"""VisualBackProp, gradient saliency and Grad-CAM on models made by hand: formulas, refusals, one call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import handmade
from saliency_oracles import Recorded

from fastact import Extractor, Model, load, samples
from fastact.errors import InputError, LayerNotFoundError, UnsupportedError
from fastact.frames import decode
from fastact.saliency import GradCam, GradientSaliency, VisualBackProp
from fastact.saliency.base import RESULT, normalized
from fastact.saliency.chain import Windows
from fastact.saliency.scalar import picture_input
from fastact.saliency.visualbackprop import _along

FRAME = decode(samples.frame("160x120"))


def model_of(shape: tuple[int, ...], *layers: tuple[str, dict[str, Any]]) -> Model:
    """A Sequential with an input `in` and layers `l0`, `l1`, ..."""
    first = {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, *shape]}}
    rest = [{"class_name": kind, "config": {"name": f"l{i}", **config}} for i, (kind, config) in enumerate(layers)]
    return handmade({"class_name": "Sequential", "config": {"name": "m", "layers": [first, *rest]}})


def conv(filters: int, kernel: int, strides: int = 1, **config: Any) -> tuple[str, dict[str, Any]]:
    shape = {"filters": filters, "kernel_size": [kernel, kernel], "strides": [strides, strides]}
    return "Conv2D", {**shape, "activation": "relu", **config}


def transposed_ones(mask: np.ndarray, size: int, stride: int, dilation: int, before: int, length: int) -> np.ndarray:
    """The definition along one axis: each cell of the mask is added to every cell that its window sees."""
    result = np.zeros((length, *mask.shape[1:]))
    for window, value in enumerate(mask):
        for tap in range(size):
            cell = window * stride + tap * dilation - before
            if 0 <= cell < length:
                result[cell] += value
    return result


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(1, 20)
)
def test_spreading_is_a_transposed_convolution_of_ones(
    count: int, size: int, stride: int, dilation: int, before: int, length: int
) -> None:
    windows = Windows((length, 1), (count, 1), (size, 1), (stride, 1), (dilation, 1), (before, 0))
    op = _along(windows, 0)
    mask = np.random.default_rng(count).random((count, 2))
    from fastact.kernels import reference

    assert op.shape(mask.shape) == (length, 2)
    expected = transposed_ones(mask, size, stride, dilation, before, length)
    np.testing.assert_allclose(reference.run(op, mask), expected, atol=1e-12)


CHAINS = {
    "strides": ((41, 52, 3), [conv(4, 5, 2), conv(6, 3, 2), conv(5, 3)]),
    "same and dilation": ((20, 23, 3), [conv(4, 3, 2, padding="same"), conv(5, 3, dilation_rate=[2, 2])]),
    "pools": (
        (40, 44, 3),
        [
            conv(4, 3), ("MaxPooling2D", {"pool_size": [2, 2]}), conv(5, 3),
            ("AveragePooling2D", {"pool_size": [3, 2]}), conv(6, 2),
        ],
    ),
    "between": (
        (30, 31, 3),
        [
            ("Cropping2D", {"cropping": [[3, 1], [2, 0]]}), conv(4, 3, activation="linear"),
            ("BatchNormalization", {}), ("Activation", {"activation": "relu"}), ("Dropout", {"rate": 0.2}),
            ("ZeroPadding2D", {"padding": [[1, 2], [0, 3]]}), conv(5, 3, 2, activation="linear"),
            ("Activation", {"activation": "tanh"}),
        ],
    ),
    "depthwise": ((24, 20, 3), [("DepthwiseConv2D", {"kernel_size": [3, 3], "depth_multiplier": 2}), conv(4, 3, 2)]),
    "one": ((9, 8, 1), [conv(3, 3)]),
}  # fmt: skip


def by_definition(model: Model, frame: np.ndarray) -> np.ndarray:
    """VisualBackProp of a Sequential, layer by layer, from the maps and the layers' configuration."""
    maps = Extractor(model, "all")(frame)
    nodes = list(model.nodes)
    mask: np.ndarray | None = None
    held: np.ndarray | None = None
    for node, before in zip(nodes[:0:-1], nodes[-2::-1], strict=True):
        layer: Any = node.layer
        if node.class_name in ("BatchNormalization", "Activation", "Dropout"):
            held = maps[node.name] if held is None else held
            continue
        length = maps[before.name].shape[:2]
        if node.is_convolution:
            mean = (maps[node.name] if held is None else held).astype(np.float64).mean(axis=-1)
            mask = mean if mask is None else mask * mean
        held = None
        if mask is None:
            continue
        size = getattr(layer, "kernel_size", getattr(layer, "pool_size", (1, 1)))
        strides, dilation = getattr(layer, "strides", (1, 1)), getattr(layer, "dilation_rate", (1, 1))
        start = [0, 0]
        if node.class_name == "ZeroPadding2D":
            start = [side[0] for side in layer.sides]
        elif node.class_name == "Cropping2D":
            start = [-side[0] for side in layer.sides]
        elif getattr(layer, "padding", "valid") == "same":
            reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
            total = [(m - 1) * s + r - n for m, s, r, n in zip(mask.shape, strides, reach, length, strict=True)]
            start = [max(t, 0) // 2 for t in total]
        for axis in (0, 1):
            turned = np.moveaxis(mask, axis, 0)
            spread = transposed_ones(turned, size[axis], strides[axis], dilation[axis], start[axis], length[axis])
            mask = np.moveaxis(spread, 0, axis)
    assert mask is not None
    return mask


@pytest.mark.parametrize("name", CHAINS)
def test_visualbackprop_is_its_definition(name: str) -> None:
    shape, layers = CHAINS[name]
    model = model_of(shape, *layers)
    frame = np.random.default_rng(2).random(shape, np.float32)
    see = VisualBackProp(model)
    mask, exact = see(frame), by_definition(model, frame)
    assert mask.shape == see.strength.shape == shape[:2]
    assert mask.dtype == np.float32
    np.testing.assert_allclose(see.strength, exact, rtol=1e-4, atol=1e-5 * np.abs(exact).max())
    np.testing.assert_allclose(mask, (exact - exact.min()) / np.ptp(exact), atol=2e-5)
    assert see.convolutions == tuple(n.name for n in model.nodes if n.is_convolution)


def test_maps_and_outputs_come_with_the_mask() -> None:
    model = load(samples.pilot())
    see, plain = VisualBackProp(model, outputs=("n_outputs*",)), Extractor(model, "all")(FRAME)
    see(FRAME)
    assert list(see.maps) == [*see.convolutions, "n_outputs0", "n_outputs1"]
    assert all(np.array_equal(see.maps[name], plain[name]) for name in see.maps)


@pytest.mark.parametrize("kind", [VisualBackProp, GradientSaliency, GradCam])
def test_threads_give_the_same_and_frames_keep_their_own(kind: Any) -> None:
    one, three = kind(samples.pilot()), kind(samples.pilot(), threads=3)
    first = one(FRAME)
    kept = first.copy()
    assert np.array_equal(first, three(FRAME))
    one(FRAME[::-1])
    assert np.array_equal(first, kept)
    assert kept.min() == 0
    assert kept.max() == 1


def test_a_chain_may_end_before_the_last_convolution() -> None:
    see = VisualBackProp(samples.pilot(), "Conv2D_Third_layer")
    assert see.convolutions == ("Conv2D_First_layer", "Conv2D_Second_layer", "Conv2D_Third_layer")
    assert see(FRAME).shape == (120, 160)


VOLUME = model_of((4, 20, 20, 3), ("Conv3D", {"filters": 4, "kernel_size": [3, 3, 3]}))
TURNED = model_of((8, 8, 3), ("Conv2DTranspose", {"filters": 4, "kernel_size": [3, 3], "strides": [2, 2]}))
DENSE = model_of((8, 8, 3), ("Flatten", {}), ("Dense", {"units": 2}))


@pytest.mark.parametrize(
    ("model", "words"), [(VOLUME, "'l0' is no part of a chain"), (TURNED, "'l0' is no part"), (DENSE, "no convolution")]
)
def test_what_is_no_chain_is_refused(model: Model, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        VisualBackProp(model)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: VisualBackProp(samples.pilot(), "nope"), "no layer 'nope'"),
        (lambda: VisualBackProp(samples.pilot(), "dense_1"), "no convolution that is computed 'dense_1'"),
        (lambda: VisualBackProp(samples.pilot(), outputs="nope"), "matches 'nope'"),
        (lambda: VisualBackProp(samples.pilot(), threads=0), "threads"),
        (lambda: GradientSaliency(samples.pilot(), "nope"), "no output 'nope'"),
        (lambda: GradientSaliency(samples.pilot(), "img_in"), "no output 'img_in'"),
        (lambda: GradientSaliency(samples.pilot(), index=1), "has one value, number 0, not 1"),
        (lambda: GradientSaliency(samples.pilot(), "dense_2", index=50), "numbers 0 to 49"),
        (lambda: GradientSaliency(samples.pilot(), by="nope"), "no input 'nope'"),
        (lambda: GradientSaliency(load(samples.pilot()).at_size((360, 640))), "is not computed"),
        (lambda: GradCam(samples.pilot(), "nope"), "no layer 'nope'"),
        (lambda: GradCam(DENSE), "depends on no convolution"),
        (lambda: GradCam(samples.pilot(), "Conv2D_Fifth_layer", "Conv2D_First_layer"), "does not depend on"),
    ],
)
def test_what_is_not_there_is_said(make: Any, words: str) -> None:
    with pytest.raises((InputError, UnsupportedError, LayerNotFoundError), match=words):
        make()


def test_a_gradient_of_a_layer_without_one_is_refused_by_name() -> None:
    reverse = model_of((12, 4), ("Permute", {"dims": [2, 1]}), ("Dense", {"units": 3, "activation": "tanh"}))
    GradientSaliency(reverse, by="in")
    config = {
        "name": "m",
        "layers": [
            {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_shape": [None, 6, 6, 3]},
             "inbound_nodes": []},
            {"class_name": "Flatten", "name": "flat", "config": {"name": "flat"},
             "inbound_nodes": [[["in", 0, 0, {}]]]},
            {"class_name": "Dot", "name": "dot", "config": {"name": "dot", "axes": 1},
             "inbound_nodes": [[["flat", 0, 0, {}], ["flat", 0, 0, {}]]]},
        ],
        "input_layers": [["in", 0, 0]],
        "output_layers": [["dot", 0, 0]],
    }  # fmt: skip
    with pytest.raises(UnsupportedError, match="no gradient goes through layer 'dot'"):
        GradientSaliency(handmade({"class_name": "Functional", "config": config}))


def test_the_gradient_is_that_of_the_frame_in_0_to_1() -> None:
    see = GradientSaliency(samples.pilot(), "n_outputs0")
    gradient = see.gradient(FRAME)
    assert gradient.shape == (120, 160, 3)
    assert np.array_equal(gradient, see.gradient(FRAME / np.float32(255)))
    mask = see(FRAME)
    length = np.sqrt((gradient.astype(np.float64) ** 2).sum(-1))
    np.testing.assert_allclose(see.strength, length, rtol=1e-5)
    np.testing.assert_allclose(mask, length / length.max(), atol=1e-5)
    assert see.value == pytest.approx(float(Extractor(samples.pilot(), "n_outputs0")(FRAME)["n_outputs0"][0]))


def test_the_gradient_is_the_slope() -> None:
    """A step along the gradient changes the output by its squared length, in float64 by the references."""
    see = GradientSaliency(samples.pilot(), "n_outputs1")
    frame = FRAME.astype(np.float64) / 255
    step = 1e-6 * see.gradient(FRAME).astype(np.float64)
    recorded = Recorded(see.model, None, {"n_outputs1"})
    ahead, back = (recorded.run({"img_in": frame + sign * step})["n_outputs1"][0] for sign in (1, -1))
    assert (ahead - back) / 2e-6 == pytest.approx((step * 1e6 * step * 1e6).sum() / 1.0, rel=1e-4)


def test_softmax_outputs_count_by_their_largest_value() -> None:
    model = model_of((20, 20, 3), conv(4, 3, 2), ("Flatten", {}), ("Dense", {"units": 5, "activation": "softmax"}))
    frame = np.random.default_rng(1).random((20, 20, 3), np.float32)
    largest = GradientSaliency(model)
    assert largest.scalar.index is None
    assert "class it chooses" in largest.scalar.words
    gradient = largest.gradient(frame)
    chosen = int(np.argmax(largest.maps["l2"]))
    assert np.array_equal(gradient, GradientSaliency(model, index=chosen).gradient(frame))
    assert largest.value == largest.maps["l2"][chosen]


def test_grad_cam_is_its_definition() -> None:
    see = GradCam(samples.pilot(), "Conv2D_Third_layer", "n_outputs0")
    mask, maps = see(FRAME), see.maps["Conv2D_Third_layer"].astype(np.float64)
    recorded = Recorded(see.model, None, {"Conv2D_Third_layer", "n_outputs0"})
    program = recorded.recorder.program
    third = next(i for i in program if i.output == recorded.values["Conv2D_Third_layer"])
    later = program[program.index(third) + 1 :]
    weights = np.zeros(maps.shape[-1])
    step = 1e-5
    for channel in range(maps.shape[-1]):  # the mean of the gradient: the slope for the same change in all cells
        values = []
        for sign in (1, -1):
            moved = maps.copy()
            moved[..., channel] += sign * step
            values.append(_rest(recorded, later, moved))
        weights[channel] = (values[0] - values[1]) / (2 * step) / maps[..., 0].size
    expected = np.maximum((maps * weights).sum(-1), 0)
    assert see.layer == "Conv2D_Third_layer"
    np.testing.assert_allclose(see.strength, expected, rtol=2e-2, atol=2e-3 * expected.max())
    np.testing.assert_allclose(mask, normalized(see.strength))


def _rest(recorded: Recorded, later: list[Any], maps: np.ndarray) -> float:
    """The output n_outputs0 for other maps of the third convolution."""
    from fastact.kernels import reference

    recorder = recorded.recorder
    buffers = {recorder.root(recorded.values["Conv2D_Third_layer"]): maps}
    for instruction in later:
        inputs = [buffers[recorder.root(v)].reshape(v.shape) for v in instruction.inputs]
        buffers[recorder.root(instruction.output)] = reference.run(instruction.op, *inputs)
    return float(buffers[recorder.root(recorded.values["n_outputs0"])][0])


def test_normalizing() -> None:
    assert normalized(np.array([2, 4, 3], np.float32)).tolist() == [0, 1, 0.5]
    assert normalized(np.full((2, 2), 7, np.float32)).tolist() == [[0, 0], [0, 0]]
    assert normalized(np.array([0, 2e-41, 1e-41], np.float32)) == pytest.approx([0, 1, 0.5], abs=1e-3)
    for bad in (np.nan, np.inf):
        with pytest.raises(InputError, match="NaN or infinity"):
            normalized(np.array([0, bad], np.float32))


def test_a_result_takes_no_layer_s_name() -> None:
    model = load(samples.pilot())
    assert RESULT not in model.layers


def test_the_picture_among_other_inputs_where_channels_come_first():
    def layer(name: str, kind: str, config: dict[str, Any], *inputs: str) -> dict[str, Any]:
        nodes = [[[i, 0, 0, {}] for i in inputs]] if inputs else []
        return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}

    conv = {"filters": 2, "kernel_size": [3, 3], "data_format": "channels_first"}
    layers = [
        layer("img", "InputLayer", {"batch_input_shape": [None, 3, 12, 16]}),
        layer("numbers", "InputLayer", {"batch_input_shape": [None, 7]}),
        layer("conv", "Conv2D", conv, "img"),
        layer("dense", "Dense", {"units": 2}, "numbers"),
    ]
    ends = {"input_layers": [["img", 0, 0], ["numbers", 0, 0]], "output_layers": [["conv", 0, 0], ["dense", 0, 0]]}
    model = handmade({"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}, (2, 15, 0))
    assert model.channels_first
    assert picture_input(model) == "img"


@pytest.mark.parametrize("scale", [1e-25, 1e-35, 1e25])
def test_gradients_of_any_size_give_the_same_mask(scale: float) -> None:
    """Those of a saturated softmax are so small that their squares are nothing in float32."""

    first, last = conv(3, 3, activation="tanh"), [("Flatten", {}), ("Dense", {"units": 1})]
    frame = np.random.default_rng(2).random((6, 7, 3), np.float32)
    usual, found = (
        GradientSaliency(model_of((6, 7, 3), first, ("Rescaling", {"scale": factor}), *last))(frame)
        for factor in (1.0, scale)
    )
    np.testing.assert_allclose(found, usual, atol=2e-3 if scale == 1e-35 else 1e-5)
    assert usual.max() == 1


def test_strengths_from_end_to_end_of_float32() -> None:
    strength = np.array([[-3e38, 0, 3e38]], np.float32)
    np.testing.assert_allclose(normalized(strength), [[0, 0.5, 1]])
