"""Makes tests/golden anew with the TensorFlow that is installed: `python tests/make_golden.py`.

For each model below and each Keras a small .h5, and a .npz of the maps TensorFlow gives for one frame: `in/NAME` the
inputs and `out/LAYER` the maps, batch axis first. They stand in for TensorFlow where it is not installed.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
from cases import KERAS2, KERAS3, Case, frames, graph, randomize
from oracles import keras_maps

FOLDER = Path(__file__).parent / "golden"


def pilot(k: Any, image: Any) -> Any:
    """A small pilot: convolutions of uneven widths, padding, normalisation, a pool and two heads."""
    y = k.layers.Conv2D(5, 5, strides=2, activation="relu", name="first")(image)
    y = k.layers.BatchNormalization(name="norm")(y)
    y = k.layers.Conv2D(12, 3, padding="same", dilation_rate=2, name="second")(y)
    y = k.layers.LeakyReLU(name="leaky")(y)
    y = k.layers.MaxPooling2D(2, name="pool")(y)
    y = k.layers.Conv2D(6, 3, groups=2, use_bias=False, activation="elu", name="third")(y)
    y = k.layers.Dropout(0.2, name="drop")(k.layers.Flatten(name="flat")(y))
    y = k.layers.Dense(13, activation="tanh", name="dense")(y)
    return [k.layers.Dense(1, name="angle")(y), k.layers.Dense(3, activation="softmax", name="throttle")(y)]


def functions(k: Any, row: Any) -> Any:
    """The activations, the one whose formula follows the version of Keras among them."""
    y = k.layers.Dense(7, activation="hard_sigmoid", name="hard")(row)
    names = ("sigmoid", "softplus", "softsign", "selu", "gelu", "swish", "exponential", "mish", "elu", "hard_sigmoid")
    return k.layers.Concatenate(name="join")([y, *(k.layers.Activation(name, name=name)(row) for name in names)])


def towers(k: Any, left: Any, right: Any) -> Any:
    """A nested model called twice, a layer called twice, and joins of every kind."""
    image = k.layers.Input((9, 8, 2), name="eye")
    inner = k.layers.Conv2D(3, 3, activation="relu", name="conv")(k.layers.ZeroPadding2D(1, name="pad")(image))
    tower = k.Model(image, inner, name="tower")
    shared = k.layers.Conv2D(3, 1, name="shared")
    a, b = shared(tower(left)), shared(tower(right))
    y = k.layers.Multiply(name="product")([k.layers.Add(name="sum")([a, b]), b])
    return k.layers.GlobalAveragePooling2D(name="mean")(k.layers.Concatenate(name="join")([y, a]))


def sequence(k: Any, run: Any, numbers: Any) -> Any:
    """A run of pictures and a vector: distributed layers, and a recurrent layer of each kind."""
    y = k.layers.TimeDistributed(k.layers.Conv2D(4, 3, strides=2, activation="relu"), name="eye")(run)
    y = k.layers.TimeDistributed(k.layers.Flatten(), name="flat")(y)
    y = k.layers.LSTM(6, return_sequences=True, name="lstm")(y)
    y = k.layers.GRU(5, return_sequences=True, go_backwards=True, name="gru")(y)
    y = k.layers.SimpleRNN(4, name="rnn")(y)
    return k.layers.Dense(2, name="out")(k.layers.Concatenate(name="join")([y, numbers]))


MODELS = (
    graph("pilot", ((20, 27, 3),), pilot),
    graph("functions", ((6,),), functions),
    graph("towers", ((9, 8, 2), (9, 8, 2)), towers),
    graph("sequence", ((3, 12, 16, 3), (4,)), sequence),
)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for keras_name in (KERAS3, KERAS2):
        keras = importlib.import_module(keras_name)
        for case in MODELS:
            write(case, keras, FOLDER / f"{case.id}-{keras_name}")


def write(case: Case, keras: Any, path: Path) -> None:
    keras.backend.clear_session()
    model = case.make(keras)
    randomize(model)
    model.save(path.with_suffix(".h5"), include_optimizer=False)
    inputs = frames({tensor.name.split(":")[0]: tuple(tensor.shape[1:]) for tensor in model.inputs}, 1)
    maps = keras_maps(model, inputs)
    arrays = {f"in/{name}": a for name, a in inputs.items()} | {f"out/{name}": a for name, a in maps.items()}
    np.savez_compressed(path.with_suffix(".npz"), **arrays)


if __name__ == "__main__":
    main()
