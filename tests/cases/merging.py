"""Layers of several inputs."""

from __future__ import annotations

from typing import Any

from .build import BOTH, KERAS2, KERAS3, Case, Shape, branches, graph


def _dot(name: str, shapes: tuple[Shape, Shape], axes: int | tuple[int, int], **kwargs: Any) -> Case:
    keras = (KERAS3,) if max(len(s) for s in shapes) > 2 else BOTH  # Keras 2 sums up other axes, too
    return graph(f"dot-{name}", shapes, lambda k, x, y: k.layers.Dot(axes=axes, **kwargs)([x, y]), keras)


ELEMENTWISE = tuple(
    case
    for name in ("Add", "Multiply", "Average", "Maximum", "Minimum")
    for case in (
        graph(f"{name}-two".lower(), ((5, 6, 3),), lambda k, x, n=name: getattr(k.layers, n)()(branches(k, x)[:2])),
        graph(f"{name}-three".lower(), ((5, 6, 3),), lambda k, x, n=name: getattr(k.layers, n)()(branches(k, x))),
        graph(f"{name}-itself".lower(), ((5, 6, 3),), lambda k, x, n=name: getattr(k.layers, n)()([x, x])),
        graph(
            f"{name}-channels".lower(),
            ((5, 6, 3), (1, 1, 3)),
            lambda k, x, s, n=name: [getattr(k.layers, n)()([x, s]), getattr(k.layers, n)()([s, x])],
        ),
        graph(
            f"{name}-stretched-both".lower(),
            ((5, 1, 3), (1, 6, 1)),
            lambda k, x, s, n=name: getattr(k.layers, n)()([x, s]),
        ),
        graph(
            f"{name}-one-value".lower(),
            ((1, 1, 1), (1, 1, 15)),
            lambda k, x, s, n=name: getattr(k.layers, n)()([k.layers.Activation("tanh")(x), s]),
        ),
        graph(f"{name}-vectors".lower(), ((7,), (7,)), lambda k, x, y, n=name: getattr(k.layers, n)()([x, y])),
        graph(
            f"{name}-fewer-axes".lower(),
            ((5, 6, 3), (3,)),
            lambda k, x, y, n=name: [getattr(k.layers, n)()([x, y]), getattr(k.layers, n)()([y, x])],
        ),
    )
)

TWO_INPUTS = (
    graph("subtract", ((5, 6, 3), (5, 6, 3)), lambda k, x, y: k.layers.Subtract()([x, y])),
    graph("subtract-channels", ((5, 6, 3), (1, 1, 3)), lambda k, x, y: k.layers.Subtract()([x, y])),
    graph("subtract-function", ((7,), (7,)), lambda k, x, y: k.layers.subtract([x, y])),
    _dot("vectors", ((7,), (7,)), 1),
    _dot("normalized", ((7,), (7,)), -1, normalize=True),
    _dot("matrices", ((4, 5), (5, 3)), (2, 1)),
    _dot("matrices-one-axis", ((5, 4), (5, 3)), 1),
    _dot("matrices-normalized", ((5, 4), (6, 4)), -1, normalize=True),
    _dot("matrix-vector", ((4, 5), (5,)), (2, 1)),
    _dot("vector-matrix", ((5,), (5, 3)), (1, 1)),
    _dot("pictures", ((3, 4, 5), (2, 5, 3)), (3, 2)),
    _dot("pictures-middle", ((3, 4, 5), (4, 2, 3)), (2, 1), normalize=True),
)


JOINING = (
    graph("concat", ((5, 6, 3),), lambda k, x: k.layers.Concatenate()(branches(k, x))),
    *(
        graph(
            f"concat-axis{axis}",
            ((5, 6, 4), tuple(n + (i == (axis - 1) % 4 % 3) for i, n in enumerate((5, 6, 4)))),
            lambda k, x, y, a=axis: k.layers.Concatenate(axis=a)([x, y]),
        )
        for axis in (1, 2, 3)
    ),
    graph("concat-axis-1", ((5, 6, 4), (5, 6, 2)), lambda k, x, y: k.layers.Concatenate(axis=-1)([x, y])),
    graph("concat-axis-3", ((5, 6, 4), (2, 6, 4)), lambda k, x, y: k.layers.Concatenate(axis=-3)([x, y])),
    graph("concat-vectors", ((5,), (6,)), lambda k, x, y: k.layers.Concatenate()([x, y, x])),
    graph("concat-function", ((5, 6, 4),), lambda k, x: k.layers.concatenate(branches(k, x), axis=2)),
    graph("concat-backend", ((5,), (6,)), lambda k, x, y: k.backend.concatenate([x, y]), (KERAS2,)),
    graph("concat-backend-axis", ((5, 6), (3, 6)), lambda k, x, y: k.backend.concatenate([x, y], 1), (KERAS2,)),
    graph("residual", ((8, 9, 3),), lambda k, x: _residual(k, _residual(k, k.layers.Conv2D(8, 3)(x)))),
)


def _residual(k: Any, x: Any) -> Any:
    y = k.layers.BatchNormalization()(k.layers.Conv2D(8, 3, padding="same")(x))
    return k.layers.ReLU()(k.layers.Add()([x, y]))
