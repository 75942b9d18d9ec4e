"""TensorFlow on the CPU: one graph, with neither Keras nor `predict` about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import tensorflow as tf

from fastact.bench.peers.network import (
    INPUT,
    Activation,
    Array,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    Floats,
    GlobalAverage,
    Merge,
    Network,
    Pad,
    PeerError,
    Pool,
    Step,
    Upsample,
)


class Engine:
    """A tf.function traced once, with the weights as constants that it may fold and fuse."""

    def __init__(self, network: Network, frame: Array, threads: int, inside: bool) -> None:
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:  # which can be set once
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        self.version = tf.__version__
        in_bytes = frame.dtype == np.uint8
        kind = tf.uint8 if in_bytes and inside else tf.float32
        self._feed: Callable[[], Any] = lambda: self._frame
        if in_bytes and inside:
            self._feed = lambda: tf.constant(frame[np.newaxis])
        elif in_bytes:
            self._feed = lambda: tf.constant((frame * np.float32(1 / 255))[np.newaxis])
        self._frame = tf.constant(frame[np.newaxis], kind)
        self._function = tf.function(lambda x: _forward(network, x)).get_concrete_function(
            tf.TensorSpec((1, *network.input_shape), kind)
        )

    def run(self) -> list[Floats]:
        """NHWC in, NHWC out; the arrays are views of the tensors."""
        return [np.asarray(memoryview(y)) for y in self._function(self._feed())]

    def maps(self, result: object) -> Sequence[Floats]:
        """The batch axis dropped."""
        return [m[0] for m in cast("list[Floats]", result)]


def _forward(network: Network, x: Any) -> list[Any]:
    made = {INPUT: x if x.dtype == tf.float32 else tf.cast(x, tf.float32) * np.float32(1 / 255)}
    for step in network.steps:
        made[step.name] = _RUNS[type(step)](step, *[made[i] for i in step.inputs])
    return [made[name] for name in network.outputs]


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda x: x,
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "sigmoid": tf.sigmoid,
    "tanh": tf.tanh,
    "softmax": tf.nn.softmax,
}


def _conv(step: Conv, x: Any) -> Any:
    channels = step.weights.shape[2] * step.groups
    padding = step.padding.upper()
    if step.groups == 1:
        y = tf.nn.conv2d(x, step.weights, step.strides, padding, dilations=step.dilation)
    elif step.groups == channels:
        weights = step.weights.reshape(*step.weights.shape[:2], channels, -1)
        y = tf.nn.depthwise_conv2d(x, weights, (1, *step.strides, 1), padding, dilations=step.dilation)
    else:
        raise PeerError("grouped convolutions are not measured in TensorFlow")
    return _FUNCTIONS[step.function](tf.nn.bias_add(y, step.bias) if step.bias.any() else y)


def _conv_transpose(step: ConvTranspose, x: Any) -> Any:
    y = tf.nn.conv2d_transpose(x, step.weights, (1, *step.shape), step.strides, step.padding.upper())
    return _FUNCTIONS[step.function](tf.nn.bias_add(y, step.bias))


def _dense(step: Dense, x: Any) -> Any:
    return _FUNCTIONS[step.function](tf.nn.bias_add(tf.matmul(x, step.weights), step.bias))


def _batch_norm(step: BatchNorm, x: Any) -> Any:
    statistics = {"mean": step.mean, "variance": step.variance, "epsilon": step.epsilon, "is_training": False}
    return tf.compat.v1.nn.fused_batch_norm(x, step.gamma, step.beta, **statistics)[0]


def _pool(step: Pool, x: Any) -> Any:
    pool = tf.nn.max_pool2d if step.kind == "max" else tf.nn.avg_pool2d
    return pool(x, step.size, step.strides, step.padding.upper())


def _upsample(step: Upsample, x: Any) -> Any:
    return tf.image.resize(x, step.shape[:2], step.interpolation)


def _pad(step: Pad, x: Any) -> Any:
    top, bottom, left, right = step.pads
    return tf.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))


_RUNS: dict[type[Step], Callable[..., Any]] = {
    Activation: lambda step, x: _FUNCTIONS[step.function](x),
    BatchNorm: _batch_norm,
    Concat: lambda step, *xs: tf.concat(xs, -1),
    Conv: _conv,
    ConvTranspose: _conv_transpose,
    Dense: _dense,
    Flatten: lambda step, x: tf.reshape(x, (1, -1)),
    GlobalAverage: lambda step, x: tf.reduce_mean(x, (1, 2)),
    Merge: lambda step, x, y: x + y if step.kind == "add" else x * y,
    Pad: _pad,
    Pool: _pool,
    Upsample: _upsample,
}
