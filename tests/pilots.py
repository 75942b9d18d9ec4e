"""donkeycar's pilots, built anew from a description of their layers, by any Keras.

Each takes the pictures that a car takes, 160x120 in colour. Up to donkeycar 5.3 (Keras 2) inputs are joined by the
backend's concatenate, which becomes a node of the graph that is no layer; from 5.4 on (Keras 3) by a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cases import BOTH, KERAS3, Case

IMAGE = (120, 160, 3)
RUN = 3
"""Pictures that the rnn and 3d pilots take here; donkeycar's default for 3d is 20, which shows nothing more."""

_LINEAR = ((24, 5, 2), (32, 5, 2), (64, 5, 2), (64, 3, 1), (64, 3, 1))
"""Filters, kernel size and strides of the five convolutions of most pilots."""
_CATEGORICAL = (*_LINEAR[:3], (64, 3, 2), (64, 3, 1))


def _seen(k: Any, image: Any, convolutions: Sequence[tuple[int, int, int]] = _LINEAR, rate: float = 0.2) -> Any:
    """The convolutions, each followed by a Dropout, and what comes of them in one row."""
    y = image
    for i, (filters, size, strides) in enumerate(convolutions, 1):
        y = k.layers.Conv2D(filters, size, strides=strides, activation="relu", name=f"conv2d_{i}")(y)
        y = k.layers.Dropout(rate)(y)
    return k.layers.Flatten(name="flattened")(y)


def _dense(k: Any, y: Any, *units: int) -> Any:
    for i, n in enumerate(units, 1):
        y = k.layers.Dropout(0.1)(k.layers.Dense(n, activation="relu", name=f"dense_{i}")(y))
    return y


def _image(k: Any) -> Any:
    return k.layers.Input(IMAGE, name="img_in")


def _joined(k: Any, *inputs: Any) -> Any:
    if k.__name__ == KERAS3:
        return k.layers.Concatenate()(list(inputs))
    return k.backend.concatenate(list(inputs))


def _heads(k: Any, y: Any, names: Sequence[str], activation: str = "linear") -> list[Any]:
    return [k.layers.Dense(1, activation=activation, name=name)(y) for name in names]


def linear(k: Any) -> Any:
    image = _image(k)
    y = _dense(k, _seen(k, image), 100, 50)
    return k.Model(image, _heads(k, y, ("n_outputs0", "n_outputs1")), name="linear")


def inferred(k: Any) -> Any:
    image = _image(k)
    return k.Model(image, _heads(k, _dense(k, _seen(k, image), 100, 50), ("n_outputs0",)), name="inferred")


def categorical(k: Any) -> Any:
    image = _image(k)
    y = _dense(k, _seen(k, image, _CATEGORICAL), 100, 50)
    angle = k.layers.Dense(15, activation="softmax", name="angle_out")(y)
    throttle = k.layers.Dense(20, activation="softmax", name="throttle_out")(y)
    return k.Model(image, [angle, throttle], name="categorical")


def memory(k: Any) -> Any:
    image, past = _image(k), k.layers.Input((6,), name="mem_in")
    y = past
    for i, units in enumerate((6, 6), 1):
        y = k.layers.Dense(units, activation="relu", name=f"mem_{i}")(y)
    y = _dense(k, _joined(k, _seen(k, image), y), 100, 50)
    steering = k.layers.Dense(1, activation="tanh", name="steering")(y)
    throttle = k.layers.Dense(1, activation="sigmoid", name="throttle")(y)
    return k.Model([image, past], [steering, throttle], name="memory")


def imu(k: Any) -> Any:
    image, numbers = _image(k), k.layers.Input((6,), name="imu_in")
    x = k.layers.Dropout(0.1)(k.layers.Dense(100, activation="relu")(_seen(k, image)))
    y = numbers
    for _ in range(3):
        y = k.layers.Dense(14, activation="relu")(y)
    z = k.layers.Dropout(0.1)(k.layers.Dense(50, activation="relu")(_joined(k, x, y)))
    z = k.layers.Dropout(0.1)(k.layers.Dense(50, activation="relu")(z))
    return k.Model([image, numbers], _heads(k, z, ("out_0", "out_1")), name="imu")


def behavior(k: Any) -> Any:
    image, state = _image(k), k.layers.Input((3,), name="xbehavior_in")
    x = k.layers.Dropout(0.1)(k.layers.Dense(100, activation="relu")(_seen(k, image)))
    y = state
    for _ in range(3):
        y = k.layers.Dense(6, activation="relu")(y)
    z = k.layers.Dropout(0.1)(k.layers.Dense(100, activation="relu")(_joined(k, x, y)))
    z = k.layers.Dropout(0.1)(k.layers.Dense(50, activation="relu")(z))
    angle = k.layers.Dense(15, activation="softmax", name="angle_out")(z)
    return k.Model([image, state], [angle, k.layers.Dense(20, activation="softmax", name="throttle_out")(z)])


def localizer(k: Any) -> Any:
    image = _image(k)
    y = _dense(k, _seen(k, image), 100, 50)
    place = k.layers.Dense(10, activation="softmax", name="zloc")(y)
    return k.Model(image, [*_heads(k, y, ("angle", "throttle")), place], name="localizer")


def rnn(k: Any) -> Any:
    run = y = k.layers.Input((RUN, *IMAGE), name="img_in")
    each = k.layers.TimeDistributed
    for filters, size, strides in ((24, 5, 2), (32, 5, 2), (32, 3, 2), (32, 3, 1)):
        y = each(k.layers.Conv2D(filters, size, strides=strides, activation="relu"))(y)
        y = each(k.layers.Dropout(0.3))(y)
    y = each(k.layers.MaxPooling2D(pool_size=2))(y)
    y = each(k.layers.Flatten(name="flattened"))(y)
    y = each(k.layers.Dropout(0.3))(each(k.layers.Dense(100, activation="relu"))(y))
    y = k.layers.Dropout(0.3)(k.layers.LSTM(128, return_sequences=True, name="LSTM_seq")(y))
    y = k.layers.Dropout(0.3)(k.layers.LSTM(128, return_sequences=False, name="LSTM_fin")(y))
    for units in (128, 64):
        y = k.layers.Dropout(0.3)(k.layers.Dense(units, activation="relu")(y))
    return k.Model(run, k.layers.Dense(2, activation="linear", name="model_outputs")(y), name="rnn")


def three_d(k: Any) -> Any:
    run = y = k.layers.Input((RUN, *IMAGE), name="img_in")
    for i, filters in enumerate((16, 32, 64, 128)):
        strides = (1, 1, 1) if i else (1, 3, 3)
        y = k.layers.Conv3D(filters, (3, 3, 3), strides=strides, padding="same", activation="relu")(y)
        y = k.layers.MaxPooling3D(pool_size=(1, 2, 2), strides=(1, 2, 2), padding="valid")(y)
    y = k.layers.Flatten()(y)
    for _ in range(2):
        y = k.layers.Activation("relu")(k.layers.BatchNormalization()(k.layers.Dense(256)(y)))
        y = k.layers.Dropout(0.5)(y)
    return k.Model(run, k.layers.Dense(2, name="outputs")(y), name="3d")


def latent(k: Any) -> Any:
    image = y = _image(k)
    layers = ((24, 5, 2), (32, 5, 2), (32, 5, 2), (32, 3, 1), (32, 3, 1), (64, 3, 2), (64, 3, 1))
    for i, (filters, size, strides) in enumerate(layers, 1):
        y = k.layers.Conv2D(filters, size, strides=strides, activation="relu", name=f"conv2d_{i}")(y)
        y = k.layers.Dropout(0.2)(y)
    y = k.layers.Conv2D(64, 1, strides=2, activation="relu", name="latent")(y)
    z = y
    for i, filters in enumerate((64, 64, 64, 32, 32, 1), 1):
        z = k.layers.Conv2DTranspose(filters, 3, strides=2, name=f"deconv2d_{i}")(z)
    x = k.layers.Flatten(name="flattened")(y)
    for units in (256, 100, 50):
        x = k.layers.Dropout(0.2)(k.layers.Dense(units, activation="relu")(x))
    return k.Model(image, [z, *_heads(k, x, ("angle", "throttle"))], name="latent")


def old_linear(k: Any) -> Any:
    """As donkeycar up to 3.0.2 built it: cropped and normalized before the first convolution."""
    image = _image(k)
    y = k.layers.BatchNormalization()(k.layers.Cropping2D(((10, 0), (0, 0)))(image))
    y = _dense(k, _seen(k, y, rate=0.1), 100, 50)
    return k.Model(image, _heads(k, y, ("angle_out", "throttle_out")), name="old_linear")


_MAKERS: tuple[Callable[[Any], Any], ...] = (
    linear, inferred, categorical, memory, imu, behavior, localizer, rnn, three_d, latent, old_linear,
)  # fmt: skip

PILOTS = tuple(Case(maker.__name__, maker, BOTH) for maker in _MAKERS)
