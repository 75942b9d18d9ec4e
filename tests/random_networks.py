"""Networks put together at random: what meets in them, no table of cases has beside each other.

A network is a graph of up to fourteen layers in any order, each with arguments of its own, on a picture of any size.
It is the same for the same number, whichever Keras makes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

from cases import BOTH
from corpus import Network

Make = Callable[[Random, Any, tuple[int, ...]], Any]
"""Gives a layer for a map of this shape, without the batch axis, from a namespace of layers; None where it has none."""

LARGEST = 150_000
"""Values of a map at most: what does not fit is left out."""

_ACTIVATIONS = (None, "relu", "relu", "tanh", "sigmoid", "elu", "selu", "softplus", "swish", "gelu", "softmax")
_PADDINGS = ("same", "valid")


def network(number: int) -> Network:
    """The network of a number."""
    return Network(f"random {number}", lambda keras: _made(Random(number), keras), keras=BOTH)


def _made(random: Random, keras: Any) -> Any:
    rows, columns = random.choice((1, 2, 5, 8, 13, 16, 24, 31, 48, 60)), random.choice((1, 2, 5, 9, 16, 17, 32, 48, 80))
    values = [keras.Input((rows, columns, random.choice((1, 3, 3, 3, 4, 6, 16, 32))), name="picture")]
    for _ in range(random.randint(2, 14)):
        chosen = values[-1] if random.random() < 0.75 else random.choice(values)
        made = _next(random, keras.layers, chosen, values)
        if made is not None and 0 < math.prod(made.shape[1:]) <= LARGEST:
            values.append(made)
    if len(values) == 1:
        values.append(keras.layers.Activation("relu")(values[0]))
    return keras.Model(values[0], values[1:] if len(values) > 2 else values[1])


def _next(random: Random, layers: Any, value: Any, values: list[Any]) -> Any:
    """One layer more on top of a value; None where that one cannot be there."""
    shape = tuple(value.shape[1:])
    if random.random() < (0.25 if len(shape) == 3 else 0.1):
        return _joined(random, layers, value, values)
    kinds = {3: _ON_PICTURES, 2: _ON_SEQUENCES, 1: _ON_ROWS}[len(shape)]
    layer = random.choice(kinds)(random, layers, shape)
    try:
        return None if layer is None else layer(value)
    except ValueError:  # Keras has no map for it: a window larger than the picture
        return None


def _joined(random: Random, layers: Any, value: Any, values: list[Any]) -> Any:
    """The value and others of its shape, or of its shape but for the channels."""
    alike = [other for other in values if other.shape == value.shape]
    beside = [other for other in values if other.shape[:-1] == value.shape[:-1] and len(other.shape) > 2]
    kind = random.choice(("Add", "Add", "Multiply", "Maximum", "Minimum", "Average", "Subtract", "Concatenate"))
    if kind == "Concatenate" and beside:
        return layers.Concatenate()([value, *random.choices(beside, k=random.randint(1, 3))])
    if kind in ("Subtract", "Concatenate"):
        return layers.Subtract()([value, random.choice(alike)])
    return getattr(layers, kind)()([value, *random.choices(alike, k=random.randint(1, 2))])


# Layers on pictures.


def _convolution(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    strides = random.choice((1, 1, 1, 2, 2, 3, (1, 2), (2, 1)))
    groups, filters = 1, random.choice((1, 2, 3, 4, 8, 12, 16, 16, 17, 24, 32, 40, 48, 64))
    if random.random() < 0.2:
        groups = random.choice(_divisors(shape[-1]))
        filters = groups * random.choice((1, 2, 3, 8))
    return layers.Conv2D(
        filters,
        random.choice((1, 1, 2, 3, 3, 3, 4, 5, 5, 7, (1, 3), (3, 1), (2, 3), (1, 7), (5, 2))),
        strides=strides,
        dilation_rate=random.choice((1, 1, 1, 2, 3, (1, 2), (2, 1))) if strides == 1 else 1,
        groups=groups,
        padding=random.choice(_PADDINGS),
        activation=random.choice(_ACTIVATIONS),
        use_bias=random.random() < 0.8,
    )


def _depthwise(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    strides = random.choice((1, 1, 2, 3))
    return layers.DepthwiseConv2D(
        random.choice((1, 2, 3, 3, 5, (3, 1))),
        strides=strides,
        dilation_rate=random.choice((1, 2)) if strides == 1 else 1,
        depth_multiplier=random.choice((1, 1, 1, 2, 3)),
        padding=random.choice(_PADDINGS),
        activation=random.choice(_ACTIVATIONS),
    )


def _separable(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    return layers.SeparableConv2D(
        random.choice((4, 9, 16, 24)),
        random.choice((2, 3, 5)),
        strides=random.choice((1, 2)),
        padding=random.choice(_PADDINGS),
        activation=random.choice(_ACTIVATIONS),
    )


def _transposed(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    if math.prod(shape[:2]) > 900:
        return None
    return layers.Conv2DTranspose(
        random.choice((1, 3, 8, 16, 20)),
        random.choice((1, 2, 3, 4, 5)),
        strides=random.choice((1, 2, 3)),
        padding=random.choice(_PADDINGS),
        activation=random.choice(_ACTIVATIONS),
    )


def _pool(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    kind = random.choice((layers.MaxPooling2D, layers.AveragePooling2D))
    size, strides = random.choice((2, 3, (1, 2), (3, 2))), random.choice((None, 1, 2, 3))
    return kind(size, strides=strides, padding=random.choice(_PADDINGS))


def _normalization(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    return random.choice((
        lambda: layers.BatchNormalization(center=random.random() < 0.8, scale=random.random() < 0.8),
        lambda: layers.LayerNormalization(axis=(1, 2, 3)),
        lambda: layers.GroupNormalization(groups=1),
        lambda: layers.Rescaling(random.uniform(0.1, 2), random.uniform(-1, 1)),
    ))()  # fmt: skip


def _activation(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    return random.choice((
        lambda: layers.Activation(random.choice(_ACTIVATIONS[1:])),
        lambda: layers.ReLU(6.0),
        lambda: layers.ReLU(negative_slope=0.1),
        lambda: layers.LeakyReLU(),
        lambda: layers.PReLU(shared_axes=random.choice((None, (1, 2)))),
        lambda: layers.ELU(0.5),
    ))()  # fmt: skip


def _frame(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    if random.random() < 0.6:
        return layers.ZeroPadding2D(tuple((random.randint(0, 3), random.randint(0, 3)) for _ in range(2)))
    return layers.Cropping2D(tuple((random.randint(0, 2), random.randint(0, 2)) for _ in range(2)))


def _resized(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    interpolation = random.choice(("nearest", "bilinear"))
    if random.random() < 0.5:
        return layers.UpSampling2D(random.choice((2, (1, 2), (2, 1), 3)), interpolation=interpolation)
    return layers.Resizing(random.randint(1, 40), random.randint(1, 40), interpolation=interpolation)


def _turned(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    if max(shape[:2]) > 64:
        return None
    return layers.Permute(random.choice(((2, 1, 3), (3, 1, 2), (3, 2, 1), (1, 3, 2))))


def _reshaped(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    rows, columns, channels = shape
    return random.choice((
        lambda: layers.Reshape((columns, rows, channels)),
        lambda: layers.Reshape((rows * columns, channels)) if rows * columns < 200 else None,
        lambda: layers.Flatten() if math.prod(shape) < 20_000 else None,
        lambda: layers.GlobalMaxPooling2D(),
        lambda: layers.GlobalAveragePooling2D(keepdims=random.random() < 0.5),
    ))()  # fmt: skip


def _dense(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    return layers.Dense(random.choice((1, 2, 5, 16, 30, 100)), activation=random.choice(_ACTIVATIONS))


def _passing(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    return layers.Dropout(0.3)


_ON_PICTURES: tuple[Make, ...] = (
    *[_convolution] * 8, *[_depthwise] * 2, _separable, _transposed, *[_pool] * 2, *[_normalization] * 3,
    *[_activation] * 2, *[_frame] * 2, *[_resized] * 2, _turned, *[_reshaped] * 2, _dense, _passing,
)  # fmt: skip

# Layers on sequences and on rows of numbers.


def _recurrent(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    if shape[0] > 60:
        return layers.GlobalAveragePooling1D()
    kind = random.choice((layers.LSTM, layers.GRU, layers.SimpleRNN))
    layer = kind(random.randint(1, 20), return_sequences=random.random() < 0.6)
    return layers.Bidirectional(layer) if random.random() < 0.3 else layer


def _along(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    size, strides = random.randint(1, 4), random.choice((1, 2))
    return random.choice((
        lambda: layers.Conv1D(
            random.choice((3, 8, 16)), size, strides=strides, padding=random.choice(("same", "valid", "causal")),
            activation=random.choice(_ACTIVATIONS),
        ),
        lambda: layers.MaxPooling1D(2, padding="same"),
        lambda: layers.AveragePooling1D(size, strides=strides, padding=random.choice(_PADDINGS)),
        lambda: layers.ZeroPadding1D(1),
        lambda: layers.UpSampling1D(2),
        lambda: layers.TimeDistributed(layers.Dense(6, activation="tanh")),
        lambda: layers.Flatten(),
    ))()  # fmt: skip


def _of_numbers(random: Random, layers: Any, shape: tuple[int, ...]) -> Any:
    (length,) = shape
    part = random.choice([divisor for divisor in _divisors(length) if divisor <= 64])
    return random.choice((
        lambda: layers.BatchNormalization(),
        lambda: layers.Reshape((length // part, part)),
        lambda: layers.RepeatVector(random.randint(1, 5)),
        lambda: layers.Activation(random.choice(_ACTIVATIONS[1:])),
    ))()  # fmt: skip


_ON_SEQUENCES: tuple[Make, ...] = (*[_recurrent] * 3, *[_along] * 5, _dense, _passing)
_ON_ROWS: tuple[Make, ...] = (*[_dense] * 3, *[_of_numbers] * 3, _passing)


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]
