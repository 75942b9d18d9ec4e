"""Shapes that networks in use have: these rows are timed, too (benchmarks/suite, benchmarks/tiles.py)."""

from __future__ import annotations

from .build import Case, Shape, chain, graph, layer


def _conv(name: str, shape: Shape, filters: int, size: int, **kwargs: object) -> Case:
    return chain(f"measured-{name}", shape, layer("Conv2D", filters, size, **kwargs))


MEASURED_CONVOLUTIONS = (
    _conv("article-1", (120, 160, 3), 12, 5, strides=2, activation="relu"),
    _conv("article-2", (58, 78, 12), 24, 5, strides=2, activation="relu"),
    _conv("article-3", (27, 37, 24), 48, 5, strides=2, activation="relu"),
    _conv("article-4", (12, 17, 48), 64, 3, strides=2, activation="relu"),
    _conv("article-5", (5, 8, 64), 64, 3, strides=2, activation="relu"),
    _conv("linear-2", (58, 78, 24), 32, 5, strides=2, activation="relu"),
    _conv("linear-4", (12, 17, 64), 64, 3, activation="relu"),
    _conv("3x3-16", (64, 64, 16), 16, 3, padding="same"),
    _conv("3x3-32", (32, 32, 32), 32, 3, padding="same"),
    _conv("1x1-narrowing", (24, 24, 48), 8, 1),
    _conv("1x1-widening", (24, 24, 8), 48, 1),
    _conv("1x1-last", (3, 3, 112), 1280, 1),
    _conv("one-filter", (64, 64, 16), 1, 1),
    _conv("channelwise", (24, 24, 48), 48, 3, groups=48, padding="same"),
)

WIDE_CONVOLUTIONS = (
    _conv("linear-3", (27, 37, 32), 64, 5, strides=2, activation="relu"),
    _conv("linear-2-large", (178, 318, 24), 32, 5, strides=2, activation="relu"),
    _conv("5x5-24", (27, 37, 24), 24, 5),
    _conv("7x7-20", (33, 47, 20), 24, 7, strides=2),
    _conv("3x3-16-large", (128, 128, 16), 16, 3, padding="same"),
    _conv("3x3-128", (28, 28, 128), 128, 3, padding="same"),
    _conv("3x3-192", (14, 14, 192), 192, 3, padding="same"),
)
"""More of those with fewer products in pairs of pixels (benchmarks/pairs.py)."""

MEASURED = (
    *MEASURED_CONVOLUTIONS,
    chain("measured-dense", (6656,), layer("Dense", 100, activation="relu")),
    chain("measured-batch-norm", (48, 48, 16), layer("BatchNormalization")),
    chain("measured-relu6", (48, 48, 16), layer("ReLU", 6.0)),
    chain("measured-sigmoid", (48, 48, 16), layer("Activation", "sigmoid")),
    chain("measured-max", (64, 64, 16), layer("MaxPooling2D", 2)),
    chain("measured-average", (64, 64, 16), layer("AveragePooling2D", 2)),
    chain("measured-global-average", (24, 24, 64), layer("GlobalAveragePooling2D")),
    chain("measured-pad", (48, 48, 16), layer("ZeroPadding2D", ((0, 1), (0, 1)))),
    graph("measured-add", ((48, 48, 16), (48, 48, 16)), lambda k, x, y: k.layers.Add()([x, y])),
    graph("measured-concat", ((64, 64, 16), (64, 64, 16)), lambda k, x, y: k.layers.Concatenate()([x, y])),
)
