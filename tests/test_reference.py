"""The references against TensorFlow in float64, for what no layer reaches: parameters, pads and axes of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import KERAS3

from fastact.kernels import ops, reference
from fastact.kernels.ops import Merge, Row, Scaling, Total, Unary

SPREAD = np.concatenate([np.linspace(-12, 12, 481), [-700.0, -90.0, -1e-9, -0.0, 1e-9, 90.0, 700.0]])

FUNCTIONS: dict[Unary, list[tuple[float, float, Callable[[Any, Any], Any]]]] = {
    Unary.CLIP: [(0.0, 6.0, lambda k, x: k.relu6(x)), (-1.0, 1.0, lambda k, x: k.hard_tanh(x))],
    Unary.LEAKY_RELU: [(0.3, 0.0, lambda k, x: k.leaky_relu(x, 0.3))],
    Unary.ELU: [(0.7, 0.0, lambda k, x: k.elu(x, 0.7))],
    Unary.SELU: [(0.0, 0.0, lambda k, x: k.selu(x))],
    Unary.CELU: [(1.0, 0.0, lambda k, x: k.celu(x)), (2.5, 0.0, lambda k, x: k.celu(x, 2.5))],
    Unary.SOFTPLUS: [(0.0, 0.0, lambda k, x: k.softplus(x))],
    Unary.SOFTSIGN: [(0.0, 0.0, lambda k, x: k.softsign(x))],
    Unary.SQUAREPLUS: [(4.0, 0.0, lambda k, x: k.squareplus(x)), (0.5, 0.0, lambda k, x: k.squareplus(x, 0.5))],
    Unary.SOFT_SHRINK: [(0.5, 0.0, lambda k, x: k.soft_shrink(x)), (2.0, 0.0, lambda k, x: k.soft_shrink(x, 2.0))],
    Unary.HARD_SHRINK: [(0.5, 0.0, lambda k, x: k.hard_shrink(x)), (2.0, 0.0, lambda k, x: k.hard_shrink(x, 2.0))],
    Unary.TANH_SHRINK: [(0.0, 0.0, lambda k, x: k.tanh_shrink(x))],
    Unary.SPARSE_PLUS: [(0.0, 0.0, lambda k, x: k.sparse_plus(x))],
    Unary.SPARSE_SIGMOID: [(0.0, 0.0, lambda k, x: k.sparse_sigmoid(x))],
    Unary.THRESHOLD: [(0.5, -2.0, lambda k, x: k.threshold(x, 0.5, -2.0))],
    Unary.SIGMOID: [(0.0, 0.0, lambda k, x: k.sigmoid(x))],
    Unary.LOG_SIGMOID: [(0.0, 0.0, lambda k, x: k.log_sigmoid(x))],
    Unary.SILU: [(0.0, 0.0, lambda k, x: k.silu(x))],
    Unary.GELU: [(0.0, 0.0, lambda k, x: k.gelu(x, approximate=False))],
    Unary.GELU_TANH: [(0.0, 0.0, lambda k, x: k.gelu(x, approximate=True))],
    Unary.TANH: [(0.0, 0.0, lambda k, x: k.tanh(x))],
    Unary.HARD_SIGMOID: [(1 / 6, 0.5, lambda k, x: k.hard_sigmoid(x))],
    Unary.HARD_SILU: [(0.0, 0.0, lambda k, x: k.hard_silu(x))],
    Unary.EXPONENTIAL: [(0.0, 0.0, lambda k, x: k.exp(x))],
    Unary.MISH: [(0.0, 0.0, lambda k, x: x * k.tanh(k.softplus(x)))],
    Unary.ABSOLUTE: [(0.0, 0.0, lambda k, x: k.absolute(x))],
    Unary.SQUARE: [(0.0, 0.0, lambda k, x: k.square(x))],
    Unary.SQRT: [(0.0, 0.0, lambda k, x: k.sqrt(x))],
    Unary.RSQRT: [(0.0, 0.0, lambda k, x: k.rsqrt(x))],
    Unary.LOG: [(0.0, 0.0, lambda k, x: k.log(x))],
    Unary.ERF: [(0.0, 0.0, lambda k, x: k.erf(x))],
}

MERGES: dict[Merge, Callable[[Any, Any, Any], Any]] = {
    Merge.ADD: lambda tf, x, y: x + y,
    Merge.MULTIPLY: lambda tf, x, y: x * y,
    Merge.SUBTRACT: lambda tf, x, y: x - y,
    Merge.DIVIDE: lambda tf, x, y: x / y,
    Merge.MAXIMUM: lambda tf, x, y: tf.maximum(x, y),
    Merge.MINIMUM: lambda tf, x, y: tf.minimum(x, y),
    Merge.POWER: lambda tf, x, y: tf.pow(x, y),
    Merge.PRELU: lambda tf, x, y: tf.nn.relu(x) - y * tf.nn.relu(-x),
    Merge.GATE: lambda tf, x, y: tf.where(y > 0, x, tf.zeros_like(x)),
}


@pytest.fixture(scope="module")
def tf(keras_named: Callable[[str], Any]) -> Any:
    keras_named(KERAS3)
    return pytest.importorskip("tensorflow")


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape)


@pytest.mark.parametrize("function", [f for f in Unary if f is not Unary.RELU], ids=lambda f: f.name)
def test_elementwise(function: Unary, keras_named: Callable[[str], Any]):
    keras_ops = keras_named(KERAS3).ops
    for a, b, theirs in FUNCTIONS[function]:
        expected = np.asarray(
            keras_ops.convert_to_numpy(theirs(keras_ops, keras_ops.convert_to_tensor(SPREAD, "float64")))
        )
        with np.errstate(over="ignore"):
            actual = reference.run(ops.Elementwise(function, a, b), SPREAD)
        assert expected.dtype == actual.dtype == np.float64
        # Keras keeps some constants, such as 1 / 6, in float32.
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-9)


def test_relu_with_slope_and_threshold(keras_named: Callable[[str], Any]):
    keras = keras_named(KERAS3)
    for slope, threshold in ((0.0, 0.5), (0.25, 0.5), (0.1, 0.0)):
        expected = keras.activations.relu(SPREAD.astype(np.float32), negative_slope=slope, threshold=threshold)
        actual = reference.run(ops.Elementwise(Unary.RELU, slope, threshold), SPREAD.astype(np.float32))
        np.testing.assert_allclose(actual, np.asarray(expected), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 2, 0, 3), (4, 0, 1, 1)])
@pytest.mark.parametrize("groups", [1, 2])
def test_conv2d(tf: Any, strides: tuple[int, int], pads: ops.Pads, groups: int):
    x, weights, bias = normal(9, 10, 4), normal(3, 2, 4 // groups, 6), normal(6)
    op = ops.Conv2D(
        weights.astype(np.float32), bias.astype(np.float32), strides, pads, groups=groups, low=-1.0, high=2.0
    )
    padding = [[0, 0], list(pads[:2]), list(pads[2:]), [0, 0]]
    # TensorFlow's CPU kernel has no groups in float64: each by itself.
    parts = [
        tf.nn.conv2d(x[None, ..., g * 4 // groups : (g + 1) * 4 // groups], w, strides, padding)
        for g, w in enumerate(np.split(op.weights.astype(np.float64), groups, axis=-1))
    ]
    expected = np.clip(tf.concat(parts, -1).numpy()[0] + op.bias.astype(np.float64), -1.0, 2.0)
    np.testing.assert_allclose(reference.run(op, x), expected, rtol=1e-12, atol=1e-12)
    assert op.shape(x.shape) == expected.shape


@pytest.mark.parametrize("dilation", [(2, 1), (1, 3), (3, 2)])
def test_dilated_conv2d(tf: Any, dilation: tuple[int, int]):
    x, weights = normal(14, 13, 3), normal(3, 4, 3, 5)
    op = ops.Conv2D(weights.astype(np.float32), np.zeros(5, np.float32), dilation=dilation)
    expected = tf.nn.convolution(x[None], op.weights.astype(np.float64), padding="VALID", dilations=dilation)
    np.testing.assert_allclose(reference.run(op, x), expected.numpy()[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize(("strides", "dilation"), [((1, 1), (1, 1)), ((2, 2), (1, 1)), ((1, 1), (3, 2))])
def test_depthwise_conv2d(tf: Any, multiplier: int, strides: tuple[int, int], dilation: tuple[int, int]):
    x, weights, bias = normal(9, 10, 4), normal(3, 2, 4, multiplier).astype(np.float32), normal(4 * multiplier)
    op = ops.DepthwiseConv2D(weights, bias.astype(np.float32), strides, (1, 2, 0, 3), dilation, -1.0, 2.0)
    padded = np.pad(x, ((1, 2), (0, 3), (0, 0)))[None]
    y = tf.nn.depthwise_conv2d(padded, weights.astype(np.float64), (1, *strides, 1), "VALID", dilations=dilation)
    expected = np.clip(y.numpy()[0] + op.bias.astype(np.float64), -1.0, 2.0)
    np.testing.assert_allclose(reference.run(op, x), expected, rtol=1e-12, atol=1e-12)
    assert op.shape(x.shape) == expected.shape


@pytest.mark.parametrize(
    ("strides", "dilation"), [((1, 1, 1), (1, 1, 1)), ((2, 1, 3), (1, 1, 1)), ((1, 1, 1), (2, 1, 2))]
)
def test_conv3d(tf: Any, strides: tuple[int, int, int], dilation: tuple[int, int, int]):
    x, weights, bias = normal(7, 9, 10, 4), normal(3, 2, 3, 4, 6).astype(np.float32), normal(6).astype(np.float32)
    op = ops.Conv3D(weights, bias, strides, dilation, low=-1.0, high=2.0)
    y = tf.nn.convolution(x[None], weights.astype(np.float64), strides, "VALID", dilations=dilation)
    expected = np.clip(y.numpy()[0] + bias.astype(np.float64), -1.0, 2.0)
    np.testing.assert_allclose(reference.run(op, x), expected, rtol=1e-12, atol=1e-12)
    assert op.shape(x.shape) == expected.shape


@pytest.mark.parametrize(("size", "strides"), [((2, 2), (2, 2)), ((3, 2), (1, 2)), ((4, 5), (3, 1))])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 0, 1, 1), (1, 1, 0, 1)])
def test_pool2d(tf: Any, size: tuple[int, int], strides: tuple[int, int], pads: ops.Pads):
    x = normal(9, 11, 3)
    largest = ops.Pool(ops.PoolKind.MAX, size, strides, (pads[:2], pads[2:]))
    padding = [[0, 0], list(pads[:2]), list(pads[2:]), [0, 0]]
    expected = tf.nn.max_pool2d(x[None].astype(np.float32), size, strides, padding).numpy()[0]
    assert np.array_equal(reference.run(largest, x.astype(np.float32)), expected)
    # The mean of the cells inside: sums of windows over padded values, by those over padded ones.
    frame = ((pads[0], pads[1]), (pads[2], pads[3]), (0, 0))
    sums, counts = (
        tf.nn.avg_pool2d(np.pad(a, frame)[None], size, strides, "VALID").numpy()[0] for a in (x, np.ones_like(x))
    )
    mean = reference.run(ops.Pool(ops.PoolKind.AVERAGE, size, strides, (pads[:2], pads[2:])), x)
    np.testing.assert_allclose(mean, sums / counts, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("place", range(4))
def test_nan_in_a_pool(tf: Any, place: int):
    x = np.array([1, 3, 2, 0], np.float32)
    x[place] = np.nan
    picture = np.repeat(x, 8).reshape(2, 2, 8)
    sizes = {"size": (2, 2), "strides": (2, 2), "sides": ((0, 0), (0, 0))}
    expected = tf.nn.max_pool2d(picture[None], 2, 2, "VALID").numpy()[0]
    assert np.array_equal(reference.run(ops.Pool(ops.PoolKind.MAX, **sizes), picture), expected)
    assert np.isnan(reference.run(ops.Pool(ops.PoolKind.AVERAGE, **sizes), picture)).all()
    assert np.isnan(tf.nn.avg_pool2d(picture[None], 2, 2, "VALID").numpy()).all()
    for kind, reduce in ((ops.PoolKind.MAX, tf.reduce_max), (ops.PoolKind.AVERAGE, tf.reduce_mean)):
        assert np.isnan(reference.run(ops.GlobalPool(kind), picture)).all()
        assert np.isnan(reduce(picture, axis=(0, 1)).numpy()).all()


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_along_an_axis(tf: Any, axis: int):
    x = normal(4, 6, 8)
    np.testing.assert_allclose(reference.run(ops.RowWise(Row.SOFTMAX, axis), x), tf.nn.softmax(x, axis), rtol=1e-12)
    log = reference.run(ops.RowWise(Row.LOG_SOFTMAX, axis), x)
    np.testing.assert_allclose(log, tf.nn.log_softmax(x, axis), rtol=1e-12)
    first, second = tf.split(x, 2, axis)
    np.testing.assert_allclose(reference.run(ops.GatedLinear(axis), x), first * tf.sigmoid(second), rtol=1e-12)
    mean, scale, offset = (normal(i, x.shape[axis])[i - 1].astype(np.float32) for i in (1, 2, 3))
    expected = np.moveaxis((np.moveaxis(x, axis, -1) - mean) * scale + offset, -1, axis)
    np.testing.assert_allclose(reference.run(ops.Affine(mean, scale, offset, axis), x), expected, rtol=1e-12)


@pytest.mark.parametrize("function", list(Merge), ids=lambda f: f.name)
def test_binary(tf: Any, function: Merge):
    special = np.array([0.0, 1.0, -2.0, 0.5, np.inf, np.nan])
    x, y = (a.reshape(-1) for a in np.meshgrid(special, special))
    if function is Merge.PRELU:  # written so that inf * 0 comes of it
        x, y = normal(40), normal(41)[:40]
    expected = MERGES[function](tf, tf.constant(x), tf.constant(y)).numpy()
    np.testing.assert_allclose(reference.run(ops.Binary(function), x, y), expected, rtol=1e-12)
    constant = normal(3).astype(np.float32)
    first = MERGES[function](tf, tf.constant(constant.astype(np.float64)), tf.constant(np.abs(normal(4, 3)))).numpy()
    op = ops.BinaryConstant(function, constant, constant_first=True)
    np.testing.assert_allclose(reference.run(op, np.abs(normal(4, 3))), first, rtol=1e-12)


@pytest.mark.parametrize("axes", [(0,), (1,), (-1,), (0, 2), (1, 2), (0, 1, 2)])
def test_over_axes(tf: Any, axes: tuple[int, ...]):
    x = normal(4, 6, 8)
    theirs = {Total.SUM: tf.reduce_sum, Total.MEAN: tf.reduce_mean, Total.MAX: tf.reduce_max, Total.MIN: tf.reduce_min}
    for total, function in theirs.items():
        np.testing.assert_allclose(reference.run(ops.Reduce(total, axes), x), function(x, axes), rtol=1e-12)
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    scaled = {
        Scaling.MOMENTS: tf.nn.batch_normalization(x, mean, variance, None, None, 0.1),
        Scaling.VARIANCE: x * tf.math.rsqrt(variance + 0.1),
        Scaling.MEAN_SQUARE: x * tf.math.rsqrt(tf.reduce_mean(x * x, axes, keepdims=True) + 0.1),
        Scaling.NORM: tf.math.l2_normalize(x, axes, epsilon=0.1),
    }
    for scaling, expected in scaled.items():
        np.testing.assert_allclose(reference.run(ops.Standardize(scaling, axes, 0.1), x), expected, rtol=1e-9)


def test_contract(tf: Any):
    x, y = normal(3, 5, 4), normal(2, 5)
    np.testing.assert_allclose(reference.run(ops.Contract(1, -1), x, y), tf.tensordot(x, y, [[1], [1]]), rtol=1e-12)


def test_softmax_of_large_values(tf: Any):
    x = np.array([[1e4, 1e4 - 1, 0.0], [-1e4, -1e4, -2e4]])
    np.testing.assert_allclose(reference.run(ops.RowWise(Row.SOFTMAX), x), tf.nn.softmax(x), rtol=1e-12)


@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0, 1e6])
def test_sparsemax_is_the_nearest_point_of_the_simplex(spread: float, random: np.random.Generator):
    """Nothing on the simplex lies nearer, which is what it is defined by; Keras up to 3.15 does not give that."""
    for _ in range(20):
        x = spread * random.standard_normal(7)
        y = reference.run(ops.RowWise(Row.SPARSEMAX), x)
        assert np.all(y >= 0)
        assert np.isclose(y.sum(), 1.0)
        others = random.dirichlet(np.ones(7), 200)
        others = np.concatenate([others, np.eye(7), 0.99 * y + 0.01 * others])
        assert np.all(np.linalg.norm(others - x, axis=1) >= np.linalg.norm(y - x) * (1 - 1e-12))
    assert np.allclose(reference.run(ops.RowWise(Row.SPARSEMAX), np.array([0.0, 0.5, 1.0])), [0.0, 0.25, 0.75])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_the_inputs_is_kept(dtype: type):
    x = normal(6, 6, 4).astype(dtype)
    parameters = [np.ones(4, np.float32)] * 3
    pool = {"size": (2, 2), "strides": (1, 1), "sides": ((1, 0), (1, 0))}
    for op in (
        ops.Conv2D(np.ones((2, 2, 4, 3), np.float32), np.ones(3, np.float32), low=0.0),
        ops.DepthwiseConv2D(np.ones((2, 2, 4, 3), np.float32), np.ones(12, np.float32), low=0.0),
        ops.Resample(1, 6, np.ones((3, 2), int), np.ones((3, 2), np.float32)),
        ops.Interleave((9, 9), (1, 1), ((1, 2),), np.ones(4, np.float32)),
        ops.Slice(1, 4, 2, -2), ops.Transpose((2, 0, 1)), ops.Repeat((2, 3)),
        ops.Dense(np.ones((4, 3), np.float32), np.ones(3, np.float32), high=6.0),
        ops.Pool(ops.PoolKind.MAX, **pool), ops.Pool(ops.PoolKind.AVERAGE, **pool),
        ops.GlobalPool(ops.PoolKind.MAX), ops.GlobalPool(ops.PoolKind.AVERAGE), ops.Pad(((1, 0), (1, 0))),
        ops.Crop(((1, 0), (1, 0))), ops.Affine(*parameters), ops.GatedLinear(), ops.Concat(), ops.Reshape((36, 4)),
        *(ops.Elementwise(f, 1.0, 0.5) for f in Unary), *(ops.RowWise(f) for f in Row),
        *(ops.Reduce(t, (0, -1)) for t in Total), *(ops.Standardize(s, (0, -1), 0.1) for s in Scaling),
        *(ops.BinaryConstant(m, np.ones(4, np.float32)) for m in Merge),
    ):  # fmt: skip
        result = reference.run(op, x)
        assert result.dtype == dtype, op
        assert result.shape == op.shape(x.shape), op
    for merge in ops.Merge:
        assert reference.run(ops.Binary(merge), x, x[:1, :1]).dtype == dtype
    assert reference.run(ops.Contract(0, 0), x, x).dtype == dtype
    volume = ops.Conv3D(np.ones((1, 2, 1, 4, 3), np.float32), np.ones(3, np.float32))
    assert reference.run(volume, x[None]).dtype == dtype
    assert reference.run(ops.FromBytes(255.0), np.ones((2, 2), np.uint8)).dtype == np.float64
