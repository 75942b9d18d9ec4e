"""A small network whose filters have known faults, for tests of statistics."""

from __future__ import annotations

import numpy as np
from configurations import conv, entry, image, model, on
from oracles import handmade

from fastact import Model

SHAPE = (12, 16, 3)
ALIVE, DEAD, TWIN, BRIGHT, OPPOSITE = 0, 1, 2, 3, 4
"""Filters of `first`: an ordinary one; one that is dead; a copy of the ordinary one's weights; one that only frames
with a bright pixel wake up; and, in `second` alone, one with the ordinary one's weights negated."""


def faulty(activation: str = "relu") -> Model:
    """Two convolutions on one picture, `first` and, without an activation, `second`; then a dense layer of 2 units."""
    layers = [
        image("img", SHAPE), conv("first", [on("img")], activation=activation, filters=5),
        conv("second", [on("img")], filters=5, padding="same"), entry("Flatten", "flat", [on("first")]),
        entry("Dense", "out", [on("flat")], units=2),
    ]  # fmt: skip
    made = handmade(model(layers, [["img", 0, 0]], [["out", 0, 0]]))
    for name in ("first", "second"):
        layer = made.layers[name].layer
        assert layer is not None
        layer.weights = {key: _changed(key, array.copy(), name) for key, array in layer.weights.items()}
    return made


def _changed(key: str, weights: np.ndarray, layer: str) -> np.ndarray:
    """Weights of a convolution, (3, 3, 3, 5), or its biases, (5,)."""
    biases = weights.ndim == 1
    weights[..., TWIN] = weights[..., ALIVE]
    weights[..., DEAD] = (-1 if layer == "first" else 0.25) if biases else 0
    if biases:
        weights[BRIGHT], weights[ALIVE], weights[TWIN] = -0.9, 0, 0
    else:
        weights[..., BRIGHT] = 0
        weights[1, 1, 0, BRIGHT] = 1  # the red of the pixel in the middle
    weights[..., OPPOSITE] = -weights[..., ALIVE]
    return weights


def frames(count: int, seed: int = 0) -> np.ndarray:
    """Random pictures of at most 90 % brightness, uint8 (count, 12, 16, 3), which leave filter BRIGHT asleep."""
    return np.random.default_rng(seed).integers(0, 229, (count, *SHAPE), np.uint8)
