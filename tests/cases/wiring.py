"""Graphs: nested and shared models, several inputs and outputs, odd names."""

from __future__ import annotations

from typing import Any

from .build import BOTH, KERAS2, KERAS3, Case, Shape, chain, graph, layer, stacked


def _tower(k: Any, name: str, shape: Shape = (10, 11, 3)) -> Any:
    image = k.layers.Input(shape, name=f"{name}_in")
    y = k.layers.Conv2D(6, 3, activation="relu", name="conv")(image)
    return k.Model(image, k.layers.BatchNormalization(name="norm")(y), name=name)


def _two_ended(k: Any, x: Any, y: Any) -> Any:
    a, b = k.layers.Input((7, 6, 3), name="a"), k.layers.Input((4,), name="b")
    both = k.Model([a, b], [k.layers.Conv2D(5, 2, name="c")(a), k.layers.Dense(3, name="d")(b)], name="both")
    ends = both([x, y])
    return [k.layers.Dense(2, name="after")(ends[1]), k.layers.Conv2D(2, 2, name="end")(ends[0])]


def _shared(k: Any, x: Any) -> Any:
    stem = k.layers.Conv2D(3, 3, padding="same", name="stem")
    return k.layers.Add(name="sum")([stem(x), stem(stem(x))])


def _twice(k: Any, x: Any, y: Any) -> Any:
    tower = _tower(k, "tower")
    return k.layers.Concatenate(name="join")([tower(x), tower(y)])


def _nested_in_nested(k: Any, x: Any) -> Any:
    image = k.layers.Input((10, 11, 3), name="outer_in")
    outer = k.Model(image, k.layers.Conv2D(4, 2, name="conv_out")(_tower(k, "inner")(image)), name="outer")
    return k.layers.Conv2D(2, 2, name="conv")(outer(x))


def _frozen(k: Any, x: Any) -> Any:
    tower = _tower(k, "tower")
    tower.get_layer("conv").trainable = False
    return k.layers.Conv2D(2, 2)(tower(x))


def _two_heads(k: Any, x: Any) -> Any:
    y = k.layers.Flatten()(k.layers.Conv2D(12, 3, strides=2, activation="relu")(x))
    return [k.layers.Dense(1, name="angle")(y), k.layers.Dense(1, name="throttle")(y)]


def _image_and_numbers(k: Any, x: Any, numbers: Any) -> Any:
    y = k.layers.Flatten()(k.layers.Conv2D(6, 3)(x))
    z = k.layers.Dense(5, activation="relu")(numbers)
    return k.layers.Dense(2)(k.layers.Concatenate()([y, z]))


def _named(name: str, keras: tuple[str, ...] = BOTH) -> Case:
    names = name, f"{name}_"
    makers = [layer("Conv2D", 4, 3, name=n) for n in names]
    return chain(f"name-{name.encode('ascii', 'backslashreplace').decode()}", (9, 8, 3), *makers, keras=keras)


WIRING = (
    Case("sequential", lambda k: stacked(k, k.layers.Input((9, 8, 3)), k.layers.Conv2D(4, 3), k.layers.Dense(2))),
    Case("sequential-no-input", lambda k: stacked(k, k.layers.Conv2D(4, 3, input_shape=(9, 8, 3)), k.layers.ReLU())),
    Case("sequential-built", lambda k: _built(stacked(k, k.layers.Conv2D(4, 3), k.layers.Flatten()), (9, 8, 3))),
    Case(
        "sequential-nested",
        lambda k: stacked(
            k,
            k.layers.Input((9, 8, 3)),
            stacked(k, k.layers.Input((9, 8, 3)), k.layers.Conv2D(4, 3, name="conv"), name="front"),
            k.layers.Flatten(),
            stacked(k, k.layers.Input((168,)), k.layers.Dense(5), k.layers.Dense(3), name="back"),
        ),
    ),
    graph("nested", ((10, 11, 3),), lambda k, x: k.layers.Conv2D(2, 2)(_tower(k, "tower")(x))),
    graph("nested-twice", ((10, 11, 3), (10, 11, 3)), _twice),
    graph("nested-deep", ((10, 11, 3),), _nested_in_nested),
    graph("nested-frozen", ((10, 11, 3),), _frozen),
    graph("nested-two-ended", ((7, 6, 3), (4,)), _two_ended),
    graph(
        "nested-sequential",
        ((9, 8, 3),),
        lambda k, x: k.layers.Flatten()(
            stacked(k, k.layers.Input((9, 8, 3)), k.layers.Conv2D(4, 3), k.layers.ReLU(), name="front")(x)
        ),
    ),
    graph("shared", ((8, 9, 3),), _shared),
    graph("two-outputs", ((12, 13, 3),), _two_heads),
    graph("two-inputs", ((12, 13, 3), (6,)), _image_and_numbers),
    graph("output-inside", ((12, 13, 3),), lambda k, x: _middle_too(k, x)),
    graph("input-is-output", ((4, 5, 3),), lambda k, x: [x, k.layers.Conv2D(2, 2)(x)]),
    _named("conv 1", (KERAS3,)),
    _named("conv.1"),
    _named("größe-层", (KERAS3,)),
    _named("a/conv", (KERAS2,)),
    _named("bias"),
)


def _built(model: Any, shape: Shape) -> Any:
    model.build((None, *shape))
    return model


def _middle_too(k: Any, x: Any) -> list[Any]:
    y = k.layers.Conv2D(6, 3, activation="relu")(x)
    return [k.layers.Conv2D(4, 3)(y), y]
