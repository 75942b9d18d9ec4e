"""The table of cases: one row a thing a layer can be asked to do, built by any Keras.

A row builds a small Keras model from the `keras` namespace it is given, so that the same row is written by Keras 3 and
by tf_keras (Keras 2). The tests of layers run every row; golden files and benchmarks take rows from here too.

To cover a new layer, add a row: a test fails for a registered layer that no row uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

KERAS2, KERAS3 = "tf_keras", "keras"
BOTH = (KERAS3, KERAS2)

Shape = tuple[int, ...]
Maker = Callable[[Any], Any]
"""Makes a layer from a `keras` namespace."""


@dataclass(frozen=True)
class Case:
    """One row: `make(keras)` gives a model; `keras` says for which Keras."""

    id: str
    make: Maker
    keras: tuple[str, ...] = BOTH


def layer(class_name: str, *args: Any, **kwargs: Any) -> Maker:
    """A layer of `keras.layers`, made when a Keras is at hand."""
    return lambda keras: getattr(keras.layers, class_name)(*args, **kwargs)


def chain(name: str, shape: Shape, *makers: Maker, keras: tuple[str, ...] = BOTH) -> Case:
    """A functional model of one layer after the other."""

    def make(k: Any) -> Any:
        image = y = k.layers.Input(shape, name="image")
        for maker in makers:
            y = maker(k)(y)
        return k.Model(image, y)

    return Case(name, make, keras)


def graph(
    name: str, shapes: tuple[Shape, ...], connect: Callable[..., Any], keras: tuple[str, ...] = BOTH
) -> Case:
    """A functional model: `connect(keras, *inputs)` gives its output or outputs."""

    def make(k: Any) -> Any:
        inputs = [k.layers.Input(shape, name=f"in_{i}") for i, shape in enumerate(shapes)]
        return k.Model(inputs if len(inputs) > 1 else inputs[0], connect(k, *inputs))

    return Case(name, make, keras)


def conv(name: str, shape: Shape, filters: int, kernel_size: int | Shape, **kwargs: Any) -> Case:
    """A row of one Conv2D."""
    return chain(f"conv-{name}", shape, layer("Conv2D", filters, kernel_size, **kwargs))


CONVOLUTIONS = (
    conv("plain", (9, 11, 3), 8, 3),
    conv("stride2", (20, 17, 3), 12, 5, strides=2),
    conv("stride3", (20, 17, 4), 7, 3, strides=3),
    conv("stride-wider-than-window", (17, 19, 5), 9, 2, strides=3),
    conv("strides-unequal", (15, 22, 3), 16, 3, strides=(1, 3)),
    conv("strides-unequal-same", (15, 22, 3), 16, (2, 5), strides=(3, 2), padding="same"),
    conv("same", (10, 9, 6), 13, 3, padding="same"),
    conv("same-even-window", (10, 9, 6), 5, (2, 4), padding="same"),
    conv("same-stride2", (11, 14, 3), 24, 5, strides=2, padding="same"),
    conv("same-window-wider-than-map", (3, 4, 2), 10, 7, padding="same"),
    conv("same-in-capitals", (8, 8, 3), 4, 3, padding="SAME"),
    conv("dilation2", (16, 15, 3), 12, 3, dilation_rate=2),
    conv("dilation-unequal-same", (16, 15, 3), 11, 3, dilation_rate=(3, 2), padding="same"),
    conv("dilation-rows-only", (16, 15, 3), 11, 3, dilation_rate=(2, 1)),
    conv("groups2", (9, 8, 6), 8, 3, groups=2),
    conv("groups3-odd", (9, 8, 6), 15, 3, groups=3, padding="same"),
    conv("groups-many-filters", (9, 8, 4), 132, 3, groups=2),
    conv("groups-one-channel", (9, 8, 8), 8, 3, groups=8, strides=2),
    conv("groups-two-filters-a-channel", (9, 8, 8), 16, 3, groups=8),
    conv("groups-dilation", (13, 12, 4), 6, 3, groups=2, dilation_rate=2),
    conv("no-bias", (9, 8, 3), 12, 3, use_bias=False),
    conv("no-bias-relu", (9, 8, 3), 12, 3, use_bias=False, activation="relu"),
    conv("1x1", (7, 9, 16), 24, 1),
    conv("1x1-stride2", (7, 9, 16), 24, 1, strides=2),
    conv("1x7", (9, 12, 3), 6, (1, 7)),
    conv("7x1", (9, 12, 3), 6, (7, 1)),
    conv("window-is-map", (6, 5, 4), 20, (6, 5)),
    conv("map-1x1", (1, 1, 5), 24, 1),
    conv("map-1x1-same", (1, 1, 5), 33, 3, padding="same"),
    conv("map-2x2", (2, 2, 3), 12, 2),
    conv("map-2x2-same", (2, 2, 3), 31, 3, padding="same"),
    conv("wide", (3, 120, 3), 12, 3),
    conv("wide-one-row", (1, 90, 4), 12, (1, 3)),
    conv("tall", (120, 3, 3), 12, 3),
    conv("tall-one-column", (90, 1, 4), 12, (3, 1)),
    conv("one-channel", (12, 12, 1), 12, 3),
    conv("many-channels", (6, 7, 130), 24, 3),
    conv("deep", (5, 6, 512), 16, 3),
    *(conv(f"filters{n}", (8, 9, 3), n, 3) for n in (1, 2, 3, 5, 7, 12, 13, 24, 31, 33, 48, 64, 100, 130)),
    *(conv(f"filters{n}-one-pixel", (3, 3, 4), n, 3) for n in (1, 3, 7, 13, 33, 100)),
    graph(
        "conv-article",
        ((48, 64, 3),),
        lambda k, x: _in_turn(
            x, *(k.layers.Conv2D(f, n, strides=2, activation="relu") for f, n in ((12, 5), (24, 5), (48, 5), (64, 3)))
        ),
    ),
)

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


def _in_turn(x: Any, *layers: Any) -> Any:
    for one in layers:
        x = one(x)
    return x


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
    chain("softmax-default", (5, 6, 4), layer("Softmax")),
    *(chain(f"softmax-axis{a}", (5, 6, 4), layer("Softmax", axis=a)) for a in (1, 2, 3, -2, -3)),
    chain("softmax-vector", (11,), layer("Softmax")),
    chain("activation-object", (6, 5, 3), lambda k: k.layers.Conv2D(4, 3, activation=k.layers.LeakyReLU(0.1))),
    chain("activation-relu-object", (6, 5, 3), lambda k: k.layers.Dense(4, activation=k.layers.ReLU(0.5))),
    chain("activation-function", (6, 5, 3), lambda k: k.layers.Conv2D(4, 3, activation=k.activations.tanh)),
)

PASSING = (
    *(
        chain(f"pass-{name}", (5, 6, 4), layer(name, *args))
        for name, *args in (
            ("Dropout", 0.5), ("SpatialDropout2D", 0.5), ("AlphaDropout", 0.5), ("GaussianDropout", 0.5),
            ("GaussianNoise", 0.5), ("ActivityRegularization",), ("Identity",),
        )
    ),
    chain("pass-SpatialDropout1D", (5, 6), layer("SpatialDropout1D", 0.5)),
    chain("pass-SpatialDropout3D", (3, 4, 5, 2), layer("SpatialDropout3D", 0.5)),
    chain("pass-between", (8, 8, 3), layer("Conv2D", 6, 3), layer("Dropout", 0.3), layer("Conv2D", 5, 3)),
)  # fmt: skip

NORMALIZATION = (
    chain("bn-plain", (5, 6, 7), layer("BatchNormalization")),
    chain("bn-no-scale", (5, 6, 7), layer("BatchNormalization", scale=False)),
    chain("bn-no-center", (5, 6, 7), layer("BatchNormalization", center=False)),
    chain("bn-neither", (5, 6, 7), layer("BatchNormalization", scale=False, center=False)),
    chain("bn-epsilon", (5, 6, 7), layer("BatchNormalization", epsilon=0.3)),
    chain("bn-axis1", (5, 6, 7), layer("BatchNormalization", axis=1)),
    chain("bn-axis2", (5, 6, 7), layer("BatchNormalization", axis=2)),
    chain("bn-vector", (6,), layer("Dense", 19), layer("BatchNormalization"), layer("Activation", "relu")),
    chain("bn-after-conv", (9, 8, 3), layer("Conv2D", 12, 3, use_bias=False), layer("BatchNormalization")),
    chain("bn-synchronized", (5, 6, 7), layer("BatchNormalization", synchronized=True)),
    chain("bn-sync", (5, 6, 7), lambda k: k.layers.experimental.SyncBatchNormalization(), keras=(KERAS2,)),
    chain("rescaling-scalar", (5, 6, 3), layer("Rescaling", 1 / 127.5, offset=-1.0)),
    chain("rescaling-channels", (5, 6, 3), layer("Rescaling", [0.5, 2.0, -3.0], offset=[0.1, 0.0, 4.0])),
    chain("rescaling-channel-offsets", (5, 6, 3), layer("Rescaling", 1 / 255, offset=[-0.4, -0.5, -0.6])),
)

SHAPING = (
    chain("flatten", (3, 4, 5), layer("Flatten"), layer("Dense", 7)),
    chain("flatten-vector", (6,), layer("Flatten")),
    chain("reshape", (4, 6, 5), layer("Reshape", (8, 15))),
    chain("reshape-rest", (4, 6, 5), layer("Reshape", (2, -1, 3)), layer("Conv2D", 4, 2)),
    chain("reshape-flat", (4, 6, 5), layer("Reshape", (-1,)), layer("Dense", 3)),
    chain("pad-number", (4, 5, 3), layer("ZeroPadding2D", 2)),
    chain("pad-pair", (4, 5, 3), layer("ZeroPadding2D", (1, 3))),
    chain("pad-sides", (4, 5, 3), layer("ZeroPadding2D", ((1, 0), (2, 3))), layer("Conv2D", 6, 3)),
    chain("pad-nothing", (4, 5, 3), layer("ZeroPadding2D", 0)),
    chain("crop-number", (9, 8, 3), layer("Cropping2D", 2)),
    chain("crop-pair", (9, 8, 3), layer("Cropping2D", (1, 3))),
    chain("crop-sides", (9, 8, 3), layer("Cropping2D", ((3, 0), (1, 2))), layer("Conv2D", 6, 3)),
    chain("crop-nothing", (4, 5, 3), layer("Cropping2D", ((0, 0), (0, 0)))),
)

DENSE = (
    *(chain(f"dense-units{n}", (23,), layer("Dense", n)) for n in (1, 2, 3, 5, 7, 12, 13, 24, 33, 50, 100, 130)),
    chain("dense-one-input", (1,), layer("Dense", 9)),
    chain("dense-rank2", (6, 7), layer("Dense", 10)),
    chain("dense-rank3", (4, 5, 7), layer("Dense", 18, activation="relu")),
    chain("dense-no-bias", (23,), layer("Dense", 10, use_bias=False, activation="relu")),
    chain("dense-long", (20_000,), layer("Dense", 12)),
    chain("dense-6656", (6656,), layer("Dense", 100, activation="relu"), layer("Dense", 50, activation="relu")),
)

POOLS = tuple(
    case
    for name, class_name in (("max", "MaxPooling2D"), ("average", "AveragePooling2D"))
    for case in (
        chain(f"{name}-2", (9, 8, 5), layer(class_name, 2)),
        chain(f"{name}-3", (11, 10, 5), layer(class_name, 3)),
        chain(f"{name}-3x2", (11, 10, 5), layer(class_name, (3, 2))),
        chain(f"{name}-overlap", (11, 10, 5), layer(class_name, 3, strides=1)),
        chain(f"{name}-skip", (11, 10, 5), layer(class_name, 2, strides=(3, 4))),
        chain(f"{name}-same", (11, 10, 5), layer(class_name, 3, strides=2, padding="same")),
        chain(f"{name}-same-wide", (5, 4, 5), layer(class_name, 5, strides=1, padding="same")),
        chain(f"{name}-same-odd", (7, 9, 5), layer(class_name, 2, padding="same")),
        chain(f"{name}-all", (4, 6, 3), layer(class_name, (4, 6))),
        chain(f"global-{name}", (7, 9, 13), layer("Global" + class_name)),
        chain(f"global-{name}-keepdims", (7, 9, 13), layer("Global" + class_name, keepdims=True), layer("Conv2D", 4, 1)),
    )
)


def _branches(k: Any, x: Any) -> list[Any]:
    return [k.layers.Conv2D(6, 3, padding="same", activation=a)(x) for a in ("relu", "tanh", "linear")]


MERGING = tuple(
    case
    for name in ("Add", "Multiply")
    for case in (
        graph(f"{name}-2".lower(), ((5, 6, 3),), lambda k, x, n=name: getattr(k.layers, n)()(_branches(k, x)[:2])),
        graph(f"{name}-3".lower(), ((5, 6, 3),), lambda k, x, n=name: getattr(k.layers, n)()(_branches(k, x))),
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
    )
) + (
    graph("concat", ((5, 6, 3),), lambda k, x: k.layers.Concatenate()(_branches(k, x))),
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
    graph("concat-function", ((5, 6, 4),), lambda k, x: k.layers.concatenate(_branches(k, x), axis=2)),
    graph("concat-backend", ((5,), (6,)), lambda k, x, y: k.backend.concatenate([x, y]), (KERAS2,)),
    graph("concat-backend-axis", ((5, 6), (3, 6)), lambda k, x, y: k.backend.concatenate([x, y], 1), (KERAS2,)),
    graph("residual", ((8, 9, 3),), lambda k, x: _residual(k, _residual(k, k.layers.Conv2D(8, 3)(x)))),
)


def _residual(k: Any, x: Any) -> Any:
    y = k.layers.BatchNormalization()(k.layers.Conv2D(8, 3, padding="same")(x))
    return k.layers.ReLU()(k.layers.Add()([x, y]))


def _tower(k: Any, name: str, shape: Shape = (10, 11, 3)) -> Any:
    image = k.layers.Input(shape, name=f"{name}_in")
    y = k.layers.Conv2D(6, 3, activation="relu", name="conv")(image)
    return k.Model(image, k.layers.BatchNormalization(name="norm")(y), name=name)


def _two_ended(k: Any, x: Any, y: Any) -> Any:
    a, b = k.layers.Input((7, 6, 3), name="a"), k.layers.Input((4,), name="b")
    both = k.Model([a, b], [k.layers.Conv2D(5, 2, name="c")(a), k.layers.Dense(3, name="d")(b)], name="both")
    ends = both([x, y])
    return [k.layers.Dense(2, name="after")(ends[1]), k.layers.Conv2D(2, 2, name="end")(ends[0])]


def _stacked(k: Any, *layers: Any, **kwargs: Any) -> Any:
    return k.Sequential(list(layers), **kwargs)


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
    Case("sequential", lambda k: _stacked(k, k.layers.Input((9, 8, 3)), k.layers.Conv2D(4, 3), k.layers.Dense(2))),
    Case("sequential-no-input", lambda k: _stacked(k, k.layers.Conv2D(4, 3, input_shape=(9, 8, 3)), k.layers.ReLU())),
    Case("sequential-built", lambda k: _built(_stacked(k, k.layers.Conv2D(4, 3), k.layers.Flatten()), (9, 8, 3))),
    Case(
        "sequential-nested",
        lambda k: _stacked(
            k,
            k.layers.Input((9, 8, 3)),
            _stacked(k, k.layers.Input((9, 8, 3)), k.layers.Conv2D(4, 3, name="conv"), name="front"),
            k.layers.Flatten(),
            _stacked(k, k.layers.Input((168,)), k.layers.Dense(5), k.layers.Dense(3), name="back"),
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
            _stacked(k, k.layers.Input((9, 8, 3)), k.layers.Conv2D(4, 3), k.layers.ReLU(), name="front")(x)
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


CASES: tuple[Case, ...] = (
    *CONVOLUTIONS, *FUNCTIONS, *PASSING, *NORMALIZATION, *SHAPING, *DENSE, *POOLS, *MERGING, *WIRING,
)  # fmt: skip


def randomize(model: Any, seed: int = 1) -> None:
    """Gives every weight, bias and statistic of a Keras model its own value, none of them trivial."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        leaf, shape = weight.name.split("/")[-1].split(":")[0], tuple(weight.shape)
        if leaf == "kernel":
            values = random.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))
        elif leaf == "moving_variance":
            values = random.uniform(0.3, 2.5, shape)
        elif leaf == "gamma":
            values = random.uniform(0.4, 1.6, shape) * random.choice((-1, 1), shape)
        else:
            values = random.normal(0, 0.5, shape)
        weight.assign(values.astype(np.float32))


def frames(shapes: Mapping[str, Shape], count: int, seed: int = 2) -> dict[str, np.ndarray]:
    """Inputs by name, `count` frames along the first axis, float32 on both sides of zero."""
    random = np.random.default_rng(seed)
    return {name: random.uniform(-1, 1.5, (count, *shape)).astype(np.float32) for name, shape in shapes.items()}
