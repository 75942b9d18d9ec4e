"""Activations, as layers and by name."""

from __future__ import annotations

from collections.abc import Iterator

from .build import BOTH, KERAS2, KERAS3, Case, chain, layer

ACTIVATIONS_KERAS3 = (
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus",
    "swish", "tanh", "tanh_shrink",
)  # fmt: skip
"""Every string Keras 3 takes, but "threshold", which cannot be called by its name alone."""


ACTIVATIONS_KERAS2 = (
    "elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", "linear", "log_softmax", "mish", "relu", "relu6",
    "selu", "sigmoid", "silu", "softmax", "softplus", "softsign", "swish", "tanh",
)  # fmt: skip


def _activations() -> Iterator[Case]:
    for name in ACTIVATIONS_KERAS3:
        keras = BOTH if name in ACTIVATIONS_KERAS2 else (KERAS3,)
        yield chain(f"activation-{name}-conv", (6, 7, 3), layer("Conv2D", 10, 3, activation=name), keras=keras)
        yield chain(f"activation-{name}-dense", (9,), layer("Dense", 14, activation=name), keras=keras)
        yield chain(f"activation-{name}-layer", (5, 4, 6), layer("Activation", name), keras=keras)


FUNCTIONS = (
    *_activations(),
    chain("relu-plain", (5, 6, 4), layer("ReLU")),
    chain("relu-max", (5, 6, 4), layer("ReLU", max_value=0.7)),
    chain("relu-slope", (5, 6, 4), layer("ReLU", negative_slope=0.1)),
    chain("relu-threshold", (5, 6, 4), layer("ReLU", threshold=0.4)),
    chain("relu-all", (5, 6, 4), layer("ReLU", max_value=1.1, negative_slope=0.25, threshold=0.3)),
    chain("leaky-default", (5, 6, 4), layer("LeakyReLU")),
    chain("leaky-positional", (5, 6, 4), layer("LeakyReLU", 0.05)),
    chain("leaky-alpha", (5, 6, 4), layer("LeakyReLU", alpha=0.15), keras=(KERAS2,)),
    chain("leaky-slope", (5, 6, 4), layer("LeakyReLU", negative_slope=0.15), keras=(KERAS3,)),
    chain("elu-layer", (5, 6, 4), layer("ELU")),
    chain("elu-alpha", (5, 6, 4), layer("ELU", alpha=0.3)),
    chain("thresholded", (5, 6, 4), layer("ThresholdedReLU"), keras=(KERAS2,)),
    chain("thresholded-theta", (5, 6, 4), layer("ThresholdedReLU", theta=0.2), keras=(KERAS2,)),
    chain("prelu", (5, 6, 4), layer("PReLU")),
    chain("prelu-shared", (5, 6, 4), layer("PReLU", shared_axes=[1, 2])),
    chain("prelu-shared-one", (5, 6, 4), layer("PReLU", shared_axes=[3])),
    chain("prelu-shared-middle", (5, 6, 4), layer("PReLU", shared_axes=[2])),
    chain("prelu-vector", (9,), layer("PReLU")),
    chain("softmax-default", (5, 6, 4), layer("Softmax")),
    *(chain(f"softmax-axis{a}", (5, 6, 4), layer("Softmax", axis=a)) for a in (1, 2, 3, -2, -3)),
    chain("softmax-vector", (11,), layer("Softmax")),
    chain("activation-object", (6, 5, 3), lambda k: k.layers.Conv2D(4, 3, activation=k.layers.LeakyReLU(0.1))),
    chain("activation-relu-object", (6, 5, 3), lambda k: k.layers.Dense(4, activation=k.layers.ReLU(0.5))),
    chain("activation-function", (6, 5, 3), lambda k: k.layers.Conv2D(4, 3, activation=k.activations.tanh)),
)
