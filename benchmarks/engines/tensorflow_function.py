"""TensorFlow on the CPU: one graph, with neither Keras nor `predict` about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import tensorflow as tf

from benchmarks.chain import Chain, Floats


class Engine:
    """A tf.function traced once, with the weights as constants that it may fold and fuse."""

    def __init__(self, chain: Chain, frame: Floats) -> None:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self.version = tf.__version__
        self._frame = tf.constant(frame[np.newaxis])
        self._function = tf.function(lambda x: _forward(chain, x)).get_concrete_function(
            tf.TensorSpec(self._frame.shape, tf.float32)
        )

    def run(self) -> list[Floats]:
        """NHWC in, NHWC out; the arrays are views of the tensors."""
        return [np.asarray(memoryview(y)) for y in self._function(self._frame)]

    def maps(self, result: object) -> Sequence[Floats]:
        """The batch axis dropped."""
        return [m[0] for m in cast("list[Floats]", result)]


def _forward(chain: Chain, x: Any) -> list[Any]:
    made = []
    for conv in chain.convs:
        x = tf.nn.conv2d(x, conv.weights, conv.strides, conv.padding, dilations=conv.dilation)
        x = tf.nn.bias_add(x, conv.bias)
        x = tf.nn.relu(x) if conv.relu else x
        made.append(x)
    return made
