"""Functions called on tensors, as Keras 2 saves TensorFlow's and Keras 3 its own: constants, operators, cuts."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from .build import KERAS2, KERAS3, Case, Shape, branches, graph

PICTURE: Shape = (5, 6, 4)


def tf(k: Any) -> Any:
    """TensorFlow, for a real Keras 2; what stands for Keras in a test that runs nothing, for itself."""
    return importlib.import_module("tensorflow") if getattr(k, "__name__", "") == "tf_keras" else k


def both(name: str, call: Callable[..., Any], shape: Shape = PICTURE) -> Case:
    """Operators, which are the same for both."""
    return graph(f"function-{name}", (shape,), call)


def keras2(name: str, call: Callable[[Any, Any], Any], shape: Shape = PICTURE) -> Case:
    """`call(tensorflow, x)`."""
    return graph(f"function-{name}", (shape,), lambda k, x: call(tf(k), x), (KERAS2,))


def keras3(name: str, call: Callable[[Any, Any], Any], shape: Shape = PICTURE) -> Case:
    """`call(keras.ops, x)`."""
    return graph(f"function-{name}", (shape,), lambda k, x: call(k.ops, x), (KERAS3,))


def _positive(x: Any) -> Any:
    return x * x + 0.1


OPERATORS = (
    both("plus-number", lambda k, x: x + 0.5),
    both("number-plus", lambda k, x: 0.5 + x),
    both("minus-number", lambda k, x: x - 0.5),
    both("number-minus", lambda k, x: 2.0 - x),
    both("times-number", lambda k, x: x * -3.0),
    both("over-number", lambda k, x: x / 3.0),
    both("number-over", lambda k, x: 1.0 / (x + 7.0)),
    both("whole-number", lambda k, x: x * 2 + 1),
    both("minus", lambda k, x: -x),
    both("absolute", lambda k, x: abs(x)),
    both("power", lambda k, x: x**2),
    both("channels", lambda k, x: x - np.array([0.1, 0.2, 0.3, 0.4], np.float32)),
    graph("function-number-array", (PICTURE,), lambda k, x: np.float32(2.5) * x, (KERAS2,)),
    both("rows", lambda k, x: x * np.linspace(0, 1, 5, dtype=np.float32)[:, None, None]),
    both("with-batch", lambda k, x: x * np.linspace(0, 1, 4, dtype=np.float32)[None, None, None]),
    both("map", lambda k, x: x + np.linspace(0, 1, 120, dtype=np.float32).reshape(PICTURE)),
    both("stretches-input", lambda k, x: x[:, :1] + np.ones((3, 6, 1), np.float32)),
    both("two", lambda k, x: [a - b / (c * c + 1.0) for a, b, c in [branches(k, x)]]),
    both("itself", lambda k, x: x * x),
    both("two-stretched", lambda k, x: x * x[:, 2:3, 3:4]),
    both("hard-swish", lambda k, x: x * k.layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)),
    both("cut-rows", lambda k, x: x[:, 1:4]),
    both("cut-columns", lambda k, x: x[:, :, ::2]),
    both("cut-backwards", lambda k, x: x[:, ::-1, -1:1:-2]),
    both("cut-channel", lambda k, x: x[..., 1]),
    both("cut-channels", lambda k, x: x[..., -3:-1]),
    both("cut-cell", lambda k, x: x[:, 2, -1]),
    both("cut-new-axis", lambda k, x: x[:, 1, None, 2:, None]),
    graph("function-cut-nothing", (PICTURE,), lambda k, x: x[:], (KERAS2,)),
    both("cut-far", lambda k, x: x[:, 2:100, -100:3]),
)

TENSORFLOW = (
    *(
        keras2(f"tf-{name}", lambda t, x, n=name: getattr(t.nn, n)(3 * x))
        for name in ("relu", "relu6", "silu", "swish", "elu", "selu", "softplus", "softsign", "sigmoid", "tanh", "gelu")
    ),
    *(
        keras2(f"tf-math-{name}", lambda t, x, n=name: getattr(t.math, n)(_positive(x)))
        for name in (
            "sigmoid",
            "tanh",
            "log_sigmoid",
            "exp",
            "abs",
            "square",
            "sqrt",
            "rsqrt",
            "log",
            "erf",
            "negative",
        )
    ),
    *(
        keras2(f"tf-math-{name}", lambda t, x, n=name: getattr(t.math, n)(_positive(x), x + 2.0))
        for name in ("add", "subtract", "multiply", "divide", "truediv", "maximum", "minimum", "pow")
    ),
    keras2("tf-maximum-number", lambda t, x: t.maximum(x, 0.2)),
    keras2("tf-clip", lambda t, x: t.clip_by_value(x, -0.2, 0.4)),
    keras2("tf-gelu-approximate", lambda t, x: t.nn.gelu(x, approximate=True)),
    keras2("tf-leaky", lambda t, x: t.nn.leaky_relu(x, 0.3)),
    keras2("tf-leaky-default", lambda t, x: t.nn.leaky_relu(x)),
    keras2("tf-softmax", lambda t, x: t.nn.softmax(x)),
    keras2("tf-softmax-axis", lambda t, x: t.nn.softmax(x, axis=2)),
    keras2("tf-log-softmax", lambda t, x: t.nn.log_softmax(x, axis=1)),
    *(
        keras2(f"tf-{name}", lambda t, x, n=name: getattr(t, n)(x, axis=[1, 2]))
        for name in ("reduce_mean", "reduce_sum", "reduce_max", "reduce_min")
    ),
    keras2("tf-mean-keepdims", lambda t, x: t.reduce_mean(x, -1, keepdims=True)),
    keras2("tf-mean-middle", lambda t, x: t.reduce_mean(x, [1, 3], True)),
    keras2("tf-normalize", lambda t, x: t.math.l2_normalize(x, -1)),
    keras2("tf-normalize-epsilon", lambda t, x: t.math.l2_normalize(x, [1, 2], epsilon=30.0)),
    keras2("tf-add-n", lambda t, x: t.math.add_n([x, x * 2, x * 3])),
    keras2("tf-identity", lambda t, x: t.identity(t.stop_gradient(x))),
    keras2("tf-cast", lambda t, x: t.cast(x, "float32")),
    keras2("tf-concat", lambda t, x: t.concat([x, 2 * x], 2)),
    keras2("tf-concat-last", lambda t, x: t.concat([x, x], axis=-1)),
    keras2("tf-stack", lambda t, x: t.stack([x, 2 * x], axis=1)),
    keras2("tf-stack-last", lambda t, x: t.stack([x, 2 * x], axis=-1), (5, 6)),
    keras2("tf-reshape", lambda t, x: t.reshape(x, [-1, 5, 24])),
    keras2("tf-transpose", lambda t, x: t.transpose(x, [0, 3, 1, 2])),
    keras2("tf-expand", lambda t, x: t.expand_dims(t.expand_dims(x, 1), -1), (5, 6)),
    keras2("tf-squeeze", lambda t, x: t.squeeze(x[:, :1], 1)),
    keras2("tf-split", lambda t, x: [1.5 * p for p in t.split(x, 2, -1)]),
    keras2("tf-split-sizes", lambda t, x: [1.5 * p for p in t.split(x, [1, 3, 2], axis=2)]),
    keras2("tf-unstack", lambda t, x: t.unstack(x, axis=1)[3] * 2.0),
    keras2("tf-pad", lambda t, x: t.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]])),
    keras2("tf-pad-row", lambda t, x: t.pad(x, [[0, 0], [1, 2], [0, 0]]), (5, 6)),
    keras2("tf-resize", lambda t, x: t.image.resize(x, [7, 9])),
    keras2("tf-resize-nearest", lambda t, x: t.image.resize(x, (3, 11), method="nearest")),
    keras2("tf-reverse", lambda t, x: t.reverse(x, [1, 3])),
    keras2("tf-matmul", lambda t, x: t.matmul(x, x * 2, transpose_b=True), (5, 6)),
    keras2("tf-matmul-adjoint", lambda t, x: t.matmul(x, x * 2, adjoint_a=True), (5, 6)),
    graph("function-backend-mean", (PICTURE,), lambda k, x: k.backend.mean(x, axis=1, keepdims=True), (KERAS2,)),
    graph("function-backend-sigmoid", (PICTURE,), lambda k, x: k.backend.sigmoid(x), (KERAS2,)),
    graph("function-activation", (PICTURE,), lambda k, x: k.activations.relu(k.activations.swish(x)), (KERAS2,)),
    graph("function-hard-sigmoid", (PICTURE,), lambda k, x: k.activations.hard_sigmoid(4 * x), (KERAS2,)),
)

OPERATIONS = (
    *(
        keras3(f"ops-{name}", lambda o, x, n=name: getattr(o, n)(3 * x))
        for name in (
            "relu",
            "relu6",
            "silu",
            "swish",
            "elu",
            "selu",
            "softplus",
            "softsign",
            "sigmoid",
            "tanh",
            "gelu",
            "log_sigmoid",
            "hard_sigmoid",
            "hard_silu",
            "hard_swish",
            "hard_tanh",
            "tanh_shrink",
            "sparse_plus",
            "sparse_sigmoid",
            "leaky_relu",
            "softmax",
            "log_softmax",
            "stop_gradient",
        )
    ),
    *(
        keras3(f"ops-{name}", lambda o, x, n=name: getattr(o, n)(_positive(x)))
        for name in ("exp", "abs", "absolute", "square", "sqrt", "rsqrt", "log", "erf", "negative")
    ),
    *(
        keras3(f"ops-{name}", lambda o, x, n=name: getattr(o, n)(_positive(x), x + 2.0))
        for name in ("add", "subtract", "multiply", "divide", "true_divide", "maximum", "minimum", "power")
    ),
    keras3("ops-maximum-number", lambda o, x: o.maximum(0.2, x)),
    keras3("ops-clip", lambda o, x: o.clip(x, -0.2, 0.4)),
    keras3("ops-gelu-exact", lambda o, x: o.gelu(x, approximate=False)),
    keras3("ops-elu-alpha", lambda o, x: o.elu(x, 0.3)),
    keras3("ops-softmax-axis", lambda o, x: o.softmax(x, axis=2)),
    *(keras3(f"ops-{n}", lambda o, x, n=n: getattr(o, n)(x, axis=(1, 2))) for n in ("mean", "sum", "max", "min")),
    *(keras3(f"ops-{n}", lambda o, x, n=n: getattr(o, n)(x, axis=2)) for n in ("amax", "amin")),
    keras3("ops-mean-keepdims", lambda o, x: o.mean(x, -1, keepdims=True)),
    keras3("ops-mean-middle", lambda o, x: o.mean(x, (1, 3), True)),
    keras3("ops-normalize", lambda o, x: o.normalize(x, -1)),
    keras3("ops-cast", lambda o, x: o.cast(x, "float32")),
    keras3("ops-concatenate", lambda o, x: o.concatenate([x, 2 * x], 2)),
    keras3("ops-stack", lambda o, x: o.stack([x, 2 * x], axis=1)),
    keras3("ops-reshape", lambda o, x: o.reshape(x, (-1, 5, 24))),
    keras3("ops-transpose", lambda o, x: o.transpose(x, (0, 3, 1, 2))),
    keras3("ops-moveaxis", lambda o, x: o.moveaxis(x, 1, -1)),
    keras3("ops-moveaxis-two", lambda o, x: o.moveaxis(x, (1, 2), (3, 1))),
    keras3("ops-swapaxes", lambda o, x: o.swapaxes(x, 1, 3)),
    keras3("ops-expand", lambda o, x: o.expand_dims(o.expand_dims(x, 1), -1), (5, 6)),
    keras3("ops-squeeze", lambda o, x: o.squeeze(x[:, :1], 1)),
    keras3("ops-split", lambda o, x: [1.5 * p for p in o.split(x, 2, -1)]),
    keras3("ops-split-places", lambda o, x: [1.5 * p for p in o.split(x, [1, 3], axis=2)]),
    keras3("ops-unstack", lambda o, x: o.unstack(x, axis=1)[3] * 2.0),
    keras3("ops-pad", lambda o, x: o.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]])),
    keras3("ops-resize", lambda o, x: o.image.resize(x, (7, 9))),
    keras3("ops-resize-cubic", lambda o, x: o.image.resize(x, (3, 11), interpolation="bicubic", antialias=True)),
    keras3("ops-flip", lambda o, x: o.flip(x, 1)),
    keras3("ops-matmul", lambda o, x: o.matmul(x, o.transpose(x, (0, 2, 1))), (5, 6)),
    graph("function-activation-ops", (PICTURE,), lambda k, x: k.activations.relu(x, 0.2, 1.1, 0.1), (KERAS3,)),
)

CALLED = (*OPERATORS, *TENSORFLOW, *OPERATIONS)
