"""Recurrent layers, and layers around layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .build import BOTH, KERAS2, Case, Maker, Shape, chain, graph, layer, stacked

SEQUENCE = (5, 7)


def _each(class_name: str) -> Iterator[Case]:
    """Every argument that changes what LSTM, GRU and SimpleRNN compute."""
    name = class_name.lower()

    def case(what: str, shape: Shape = SEQUENCE, units: int = 6, keras: tuple[str, ...] = BOTH, **kwargs: Any) -> Case:
        return chain(f"{name}-{what}", shape, layer(class_name, units, **kwargs), keras=keras)

    yield case("last")
    yield case("sequences", return_sequences=True)
    yield case("backwards", go_backwards=True)
    yield case("backwards-sequences", go_backwards=True, return_sequences=True)
    yield case("no-bias", use_bias=False, return_sequences=True)
    yield case("relu", activation="relu")
    yield case("softmax", activation="softmax", return_sequences=True)
    yield case("one-step", (1, 7))
    yield case("one-step-sequences", (1, 7), return_sequences=True)
    yield case("one-unit", units=1, return_sequences=True)
    yield case("128-units", (3, 100), 128, return_sequences=True)
    yield case("long", (40, 4), 9, return_sequences=True)
    yield chain(
        f"{name}-twice", (4, 5), layer(class_name, 8, return_sequences=True), layer(class_name, 3), layer("Dense", 2)
    )
    yield graph(f"{name}-states", (SEQUENCE,), lambda k, x: getattr(k.layers, class_name)(4, return_state=True)(x))
    if class_name != "SimpleRNN":
        for function in ("hard_sigmoid", "softmax", "linear"):
            yield case(f"recurrent-{function}", recurrent_activation=function, return_sequences=True)
    cell = f"{class_name.removesuffix('RNN') if class_name != 'SimpleRNN' else 'SimpleRNN'}Cell"
    yield chain(f"rnn-{name}", SEQUENCE, lambda k: k.layers.RNN(getattr(k.layers, cell)(5), return_sequences=True))


def _rnns() -> Iterator[Case]:
    for class_name in ("LSTM", "GRU", "SimpleRNN"):
        yield from _each(class_name)
    for what, more in (("last", {}), ("sequences", {"return_sequences": True}), ("no-bias", {"use_bias": False})):
        yield chain(f"gru-reset-before-{what}", SEQUENCE, layer("GRU", 6, reset_after=False, **more))
    for what, more in (("last", {}), ("backwards", {"return_sequences": True, "go_backwards": True})):
        yield chain(f"rnn-stacked-{what}", SEQUENCE, lambda k, more=more: k.layers.RNN(_stack(k), **more))
    yield chain("lstm-stateful", SEQUENCE, layer("LSTM", 4), layer("Dense", 2))
    yield chain("lstm-no-forget-bias", SEQUENCE, layer("LSTM", 4, unit_forget_bias=False))


def _stack(k: Any) -> list[Any]:
    return [k.layers.LSTMCell(4), k.layers.GRUCell(3), k.layers.SimpleRNNCell(5)]


def _around(name: str, *args: Any, **kwargs: Any) -> Maker:
    """TimeDistributed around a layer."""
    return lambda k: k.layers.TimeDistributed(layer(name, *args, **kwargs)(k))


def _distributed() -> Iterator[Case]:
    pictures, maps = (4, 9, 8, 3), (3, 6, 5, 4)
    for what, shape, maker in (
        ("conv", pictures, _around("Conv2D", 5, 3, strides=2, activation="relu")),
        ("conv-same", pictures, _around("Conv2D", 12, 3, padding="same", activation="elu")),
        ("conv-softmax", pictures, _around("Conv2D", 5, 3, activation="softmax")),
        ("conv-one-step", (1, 9, 8, 3), _around("Conv2D", 5, 3)),
        ("dense", (4, 7), _around("Dense", 6, activation="tanh")),
        ("dense-maps", maps, _around("Dense", 6)),
        ("norm", maps, _around("BatchNormalization")),
        ("norm-vector", (4, 7), _around("BatchNormalization")),
        ("norm-rows", maps, _around("BatchNormalization", axis=1)),
        ("dropout", maps, _around("Dropout", 0.5)),
        ("activation", maps, _around("Activation", "selu")),
        ("softmax-rows", maps, _around("Softmax", axis=1)),
        ("leaky", maps, _around("LeakyReLU")),
        ("pool", maps, _around("MaxPooling2D", 2)),
        ("average", maps, _around("AveragePooling2D", 2, padding="same")),
        ("global", maps, _around("GlobalAveragePooling2D")),
        ("flatten", maps, _around("Flatten")),
        ("reshape", maps, _around("Reshape", (5, -1))),
        ("pad", maps, _around("ZeroPadding2D", ((1, 0), (2, 1)))),
        ("crop", maps, _around("Cropping2D", 1)),
        ("rescale", maps, _around("Rescaling", 0.5, offset=-1.0)),
        ("depthwise", maps, _around("DepthwiseConv2D", 3, padding="same")),
        ("transposed", maps, _around("Conv2DTranspose", 5, 3, strides=2)),
        ("enlarged", maps, _around("UpSampling2D", 2)),
        ("permuted", maps, _around("Permute", (3, 1, 2))),
        ("standardized", maps, _around("LayerNormalization")),
        ("standardized-rows", maps, _around("LayerNormalization", axis=[1, 3])),
        ("learned", maps, _around("PReLU")),
        ("twice", (2, 3, 6, 5, 2), lambda k: k.layers.TimeDistributed(_around("Conv2D", 4, 2)(k))),
        ("lstm", (3, 4, 5), _around("LSTM", 6, return_sequences=True)),
        ("gru", (3, 4, 5), _around("GRU", 6)),
    ):
        yield chain(f"distributed-{what}", shape, maker)
    yield graph("distributed-model", ((3, 9, 8, 3),), lambda k, x: k.layers.LSTM(4)(_distributed_model(k)(x)))
    yield graph("distributed-arithmetic", ((3, 7, 6, 3),), _arithmetic)
    yield graph("distributed-model-shared", ((3, 9, 8, 3), (3, 9, 8, 3)), _distributed_twice)
    yield graph(
        "distributed-sequential",
        ((3, 9, 8, 3),),
        lambda k, x: k.layers.TimeDistributed(
            stacked(k, k.layers.Input((9, 8, 3)), k.layers.Conv2D(4, 3), k.layers.Flatten(), name="front"), name="td"
        )(x),
    )
    yield Case(
        "distributed-first",
        lambda k: stacked(k, k.layers.Input((3, 9, 8, 3)), _around("Conv2D", 4, 3)(k), _around("Flatten")(k)),
    )


def _distributed_model(k: Any) -> Any:
    """A branching model with a model inside, distributed."""
    image = k.layers.Input((9, 8, 3), name="step")
    inside = k.layers.Input((7, 6, 5), name="inside_in")
    block = k.Model(inside, k.layers.Conv2D(5, 3, padding="same", name="deep")(inside), name="block")
    x = k.layers.Conv2D(5, 3, activation="relu", name="conv")(image)
    x = k.layers.Add(name="sum")([x, block(x)])
    x = k.layers.BatchNormalization(name="norm")(k.layers.Concatenate(axis=2, name="join")([x, x]))
    model = k.Model(image, k.layers.GlobalAveragePooling2D(name="mean")(x), name="tower")
    return k.layers.TimeDistributed(model, name="td")


def _arithmetic(k: Any, x: Any) -> Any:
    """A distributed model with functions called on tensors."""
    image = k.layers.Input((7, 6, 3), name="step")
    y = k.layers.Conv2D(4, 3, name="conv")(image) * 2.0 + 1.0
    y = k.layers.Concatenate(name="join")([y, -y])
    return k.layers.TimeDistributed(k.Model(image, y, name="inner"), name="td")(x)


def _distributed_twice(k: Any, x: Any, y: Any) -> Any:
    shared = _distributed_model(k)
    return k.layers.Add(name="both")([shared(x), shared(y)])


def _bidirectional() -> Iterator[Case]:
    def case(what: str, maker: Maker, keras: tuple[str, ...] = BOTH, **kwargs: Any) -> Case:
        return chain(f"bi-{what}", SEQUENCE, lambda k: k.layers.Bidirectional(maker(k), **kwargs), keras=keras)

    for name in ("LSTM", "GRU", "SimpleRNN"):
        yield case(name.lower(), layer(name, 4))
        yield case(f"{name.lower()}-sequences", layer(name, 4, return_sequences=True))
    for mode in ("sum", "mul", "ave"):
        yield case(f"{mode}", layer("LSTM", 4), merge_mode=mode)
        yield case(f"{mode}-sequences", layer("GRU", 4, return_sequences=True), merge_mode=mode)
    yield case("backwards", layer("LSTM", 4, go_backwards=True, return_sequences=True), keras=(KERAS2,))
    yield graph(
        "bi-states", (SEQUENCE,), lambda k, x: k.layers.Bidirectional(layer("LSTM", 3, return_state=True)(k))(x)
    )
    yield chain("bi-unequal", SEQUENCE, _unequal)
    yield chain(
        "distributed-bi", (2, 4, 5), lambda k: k.layers.TimeDistributed(k.layers.Bidirectional(layer("LSTM", 3)(k)))
    )


def _unequal(k: Any) -> Any:
    back = k.layers.LSTM(3, go_backwards=True, return_sequences=True, name="backward_other")
    return k.layers.Bidirectional(k.layers.GRU(4, return_sequences=True), backward_layer=back)


def _convolutional() -> Iterator[Case]:
    for what, more in (
        ("last", {}),
        ("sequences", {"return_sequences": True}),
        ("same", {"padding": "same", "return_sequences": True}),
        ("strides", {"strides": 2, "padding": "same"}),
        ("dilation", {"dilation_rate": 2}),
        ("backwards", {"go_backwards": True, "return_sequences": True}),
        ("no-bias", {"use_bias": False}),
        ("functions", {"activation": "relu", "recurrent_activation": "hard_sigmoid"}),
    ):
        yield chain(f"convlstm-{what}", (3, 9, 8, 2), layer("ConvLSTM2D", 4, 3, **more))
    yield graph("convlstm-states", ((3, 9, 8, 2),), lambda k, x: k.layers.ConvLSTM2D(4, 3, return_state=True)(x))
    yield chain("convlstm-even", (3, 9, 8, 2), layer("ConvLSTM2D", 4, (2, 4), return_sequences=True))


RECURRENT = (*_rnns(), *_convolutional(), *_distributed(), *_bidirectional())
