"""Layers over maps: what they refuse and in which words, other sizes, what they cost and see, phases by definition."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import handmade, reference_maps

from fastact import Extractor, Model
from fastact.errors import ModelError
from fastact.layers.transposed import transposed_length


def chained(shape: tuple[int | None, ...], *layers: tuple[str, dict[str, Any]]) -> Model:
    """A chain of layers l0, l1, ... on one input."""
    listed = [{"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, *shape]}}]
    listed += [{"class_name": c, "config": {"name": f"l{i}", **config}} for i, (c, config) in enumerate(layers)]
    return handmade({"class_name": "Sequential", "config": {"name": "m", "layers": listed}})


CONV: dict[str, Any] = {"filters": 4, "kernel_size": 3}

REFUSED = (
    ((2, 5), "Conv1D", CONV, "its 3 window does not fit its input of 2x5: the map would vanish"),
    ((5, 2, 5, 1), "Conv3D", CONV, "its 3x3x3 window does not fit its input of 5x2x5x1: the map would vanish"),
    ((5, 2, 1), "DepthwiseConv2D", {"kernel_size": [1, 3]}, "its 1x3 window does not fit its input of 5x2x1"),
    ((2, 5, 1), "MaxPooling2D", {"pool_size": 3}, "its 3x3 window does not fit"),
    ((3, 2, 5), "MaxPooling2D", {"pool_size": 3, "data_format": "channels_first"}, "does not fit its input of 2x5x3"),
    ((5, 1), "AveragePooling1D", {"pool_size": 6}, "its 6 window does not fit"),
    ((5, 5, 3), "Conv1D", CONV, "it needs steps and channels, and gets an input of shape 5x5x3"),
    ((5, 3), "Conv2D", CONV, "it needs rows, columns and channels, and gets an input of shape 5x3"),
    ((5, 5, 3), "Conv3D", CONV, "it needs planes, rows, columns and channels, and gets"),
    ((5, 3), "GlobalMaxPooling2D", {"data_format": "channels_first"}, "it needs channels, rows and columns, and gets"),
    ((5, 3), "UpSampling2D", {}, "it needs rows, columns and channels"),
    ((5, 3), "Permute", {"dims": [2, 1, 3]}, "it needs 3 axes"),
    ((1,) * 7, "Permute", {"dims": [2, 1, 3, 4, 5, 6, 7]}, "it puts 7 axes into another order, fastact 6 at most"),
    ((5, 3), "RepeatVector", {"n": 2}, "it needs one row of values"),
    ((5, 6, 3), "Cropping2D", {"cropping": [[2, 3], [0, 0]]}, "it crops away all of its input of 5x6x3"),
    ((4, 4, 3), "Conv2DTranspose", {**CONV, "groups": 2}, "it has groups"),
    ((4, 4, 3), "Conv2DTranspose", {"filters": 1, "kernel_size": 80, "strides": 65}, "its strides of 65x65 are larger"),
    (
        (4, 4, 3), "Conv2DTranspose", {**CONV, "kernel_size": 2, "padding": "same", "output_padding": 0},
        "its output_padding of 0 gives a map of 3 cells, which no convolution with its window and strides makes into",
    ),
    ((4, 4, 3), "Resizing", {"height": 2**17, "width": 2}, "its map of 131072x2 is longer than the 65536 cells"),
    ((4, 4, 3), "Resizing", {"height": 2, "width": 2, "pad_to_aspect_ratio": True, "fill_value": 1.0}, "it pads with"),
)  # fmt: skip


@pytest.mark.parametrize(("shape", "class_name", "config", "words"), REFUSED)
def test_what_cannot_be_is_refused_in_words(shape: tuple[int, ...], class_name: str, config: Any, words: str):
    reason = chained(shape, (class_name, config)).layers["l0"].reason
    assert reason is not None
    assert words in reason


@pytest.mark.parametrize(
    ("class_name", "config", "words"),
    [
        ("Conv2D", {"filters": 4, "kernel_size": [3, 3, 3]}, "kernel_size must be one or two whole numbers from 1"),
        ("Conv3D", {"filters": 4, "kernel_size": [3, 3]}, "kernel_size must be one or three whole numbers from 1"),
        ("Conv1D", {"filters": 4, "kernel_size": [3, 3]}, "kernel_size must be a whole number from 1"),
        ("Conv2D", {**CONV, "padding": "causal"}, "padding must be one of valid, same"),
        ("Conv1DTranspose", {**CONV, "padding": "causal"}, "padding must be one of valid, same"),
        ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 0}, "depth_multiplier must be a whole number"),
        ("ZeroPadding3D", {"padding": [[1, 1], [1, 1]]}, "padding must be cells before and after planes, rows"),
        ("ZeroPadding1D", {"padding": [1, -1]}, "padding must be cells before and after the steps"),
        ("Permute", {"dims": [1, 1]}, "dims must be the numbers of all axes from 1, each once"),
        ("UpSampling1D", {"interpolation": "bilinear"}, "interpolation must be one of nearest"),
        ("Resizing", {"height": 3, "width": 0}, "width must be a whole number from 1"),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_is_refused(class_name: str, config: Any, words: str):
    with pytest.raises(ModelError) as raised:
        chained((4, 4, 3), (class_name, config))
    assert words in str(raised.value)


def around(first: bool) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Down and up again, through every kind of layer that follows another size."""
    layers: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Conv2D", {**CONV, "padding": "same", "activation": "relu"}),
        ("MaxPooling2D", {"pool_size": 2, "padding": "same"}),
        ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}),
        ("SeparableConv2D", {**CONV, "strides": 2}),
        ("Conv2DTranspose", {**CONV, "strides": 2, "padding": "same"}),
        ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}),
        ("ZeroPadding2D", {"padding": [[1, 0], [2, 1]]}),
        ("Cropping2D", {"cropping": 1}),
        ("UpSampling2D", {"size": [1, 2]}),
        ("Resizing", {"height": 7, "width": 5}),
    )
    return tuple((name, {**config, "data_format": "channels_first"} if first else config) for name, config in layers)


@pytest.mark.parametrize("first", [False, True])
def test_at_another_size(first: bool):
    size, larger = ((3, 18, 23), (3, 37, 30)) if first else ((18, 23, 3), (37, 30, 3))
    model = chained(size, *around(first)).at_size(larger[1:] if first else larger[:2])
    assert all(node.reason is None for node in model.nodes)
    frame = np.random.default_rng(3).random(larger, np.float32)
    maps = Extractor(model, "all")(frame)
    exact = reference_maps(model, {"in": frame})
    for node in model.nodes:
        assert maps[node.name].shape == exact[node.name].shape == node.shape
        np.testing.assert_allclose(maps[node.name], exact[node.name], rtol=1e-4, atol=1e-5)


def test_pictures_of_any_size_with_channels_first():
    model = chained((3, None, None), ("Conv2D", {**CONV, "data_format": "channels_first"}))
    frame = np.random.default_rng(3).random((3, 9, 11), np.float32)
    assert Extractor(model, "l0")(frame)["l0"].shape == (4, 7, 9)


def test_costs_and_receptive_fields():
    model = chained(
        (32, 48, 3),
        ("Conv2D", {"filters": 8, "kernel_size": 4, "strides": 4}),
        ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same", "depth_multiplier": 2}),
        ("Conv2DTranspose", {"filters": 5, "kernel_size": 2, "strides": 2}),
        ("UpSampling2D", {"size": 4}),
        ("Conv2D", {"filters": 1, "kernel_size": 3}),
    )
    costs = [model.costs[f"l{i}"] for i in range(5)]
    assert [c.multiply_adds for c in costs] == [
        8 * 12 * 8 * 48, 8 * 12 * 16 * 9, 16 * 24 * 16 * 5, 0, 62 * 94 * 45,
    ]  # fmt: skip
    sights = [c.sight for c in costs]
    # 3 cells of half a pixel each: two pixels more than the one.
    assert [s and (s.size, s.jump) for s in sights] == [
        ((4, 4), (4, 4)), ((12, 12), (4, 4)), ((12, 12), (2, 2)), ((12, 12), (Fraction(1, 2),) * 2),
        ((13, 13), (Fraction(1, 2),) * 2),
    ]  # fmt: skip


def test_receptive_fields_with_channels_first():
    first = {"data_format": "channels_first"}
    model = chained((3, 20, 30), ("Conv2D", {**CONV, "kernel_size": [5, 3], "strides": [2, 1], **first}))
    sight = model.costs["l0"].sight
    assert sight is not None
    assert (sight.size, sight.jump) == ((5, 3), (2, 1))


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 5)] * 2), st.tuples(*[st.integers(1, 6)] * 2), st.tuples(*[st.integers(1, 4)] * 2),
    st.tuples(*[st.integers(1, 3)] * 2), st.sampled_from(["valid", "same"]),
)  # fmt: skip
def test_phases_are_the_transposed_convolution(
    size: tuple[int, int], kernel: tuple[int, int], strides: tuple[int, int], dilation: tuple[int, int], padding: str
):
    """Against the definition: every cell of the input adds its multiple of the window, and the rest is cut off."""
    config = {"kernel_size": list(kernel), "strides": list(strides), "dilation_rate": list(dilation)}
    model = chained((*size, 2), ("Conv2DTranspose", {**config, "filters": 3, "padding": padding}))
    x = np.random.default_rng(1).standard_normal((*size, 2)).astype(np.float32)
    layer = model.layers["l0"].layer
    assert layer is not None
    weights, bias = layer.weights["kernel"].astype(np.float64), layer.weights["bias"].astype(np.float64)
    window = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    shape = [transposed_length(n, w, s, padding, None) for n, w, s in zip(size, window, strides, strict=True)]
    full = [(n - 1) * s + w for n, s, w in zip(size, strides, window, strict=True)]
    whole = np.zeros((*(max(f, n) + n for f, n in zip(full, shape, strict=True)), 3))
    for row, column, ky, kx in np.ndindex(*size, *kernel):
        place = row * strides[0] + ky * dilation[0], column * strides[1] + kx * dilation[1]
        whole[place] += weights[ky, kx] @ x[row, column]
    cut = [max(f - n, 0) // 2 if padding == "same" else 0 for f, n in zip(full, shape, strict=True)]
    expected = whole[cut[0] : cut[0] + shape[0], cut[1] : cut[1] + shape[1]] + bias
    np.testing.assert_allclose(reference_maps(model, {"in": x})["l0"], expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(Extractor(model, "l0")(x)["l0"], expected, rtol=1e-4, atol=1e-5)
