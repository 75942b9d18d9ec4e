"""How a row of the table is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


def graph(name: str, shapes: tuple[Shape, ...], connect: Callable[..., Any], keras: tuple[str, ...] = BOTH) -> Case:
    """A functional model: `connect(keras, *inputs)` gives its output or outputs."""

    def make(k: Any) -> Any:
        inputs = [k.layers.Input(shape, name=f"in_{i}") for i, shape in enumerate(shapes)]
        return k.Model(inputs if len(inputs) > 1 else inputs[0], connect(k, *inputs))

    return Case(name, make, keras)


def conv(name: str, shape: Shape, filters: int, kernel_size: int | Shape, **kwargs: Any) -> Case:
    """A row of one Conv2D."""
    return chain(f"conv-{name}", shape, layer("Conv2D", filters, kernel_size, **kwargs))


def branches(k: Any, x: Any) -> list[Any]:
    return [k.layers.Conv2D(6, 3, padding="same", activation=a)(x) for a in ("relu", "tanh", "linear")]


def stacked(k: Any, *layers: Any, **kwargs: Any) -> Any:
    return k.Sequential(list(layers), **kwargs)


def randomize(model: Any, seed: int = 1) -> None:
    """Gives every weight, bias and statistic of a Keras model its own value, none of them trivial."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        leaf, shape = weight.name.split("/")[-1].split(":")[0], tuple(weight.shape)
        if "int" in str(weight.dtype):  # a counter, or the state of a random generator
            continue
        if leaf == "kernel":
            values = random.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))
        elif leaf in ("moving_variance", "variance"):
            values = random.uniform(0.3, 2.5, shape)
        elif leaf == "gamma":
            values = random.uniform(0.4, 1.6, shape) * random.choice((-1, 1), shape)
        else:
            values = random.normal(0, 0.5, shape)
        weight.assign(values.astype(np.float32))
    for one in model.layers:
        if hasattr(one, "finalize_state"):  # keeps copies of its weights
            one.finalize_state()


def frames(shapes: Mapping[str, Shape], count: int, seed: int = 2) -> dict[str, np.ndarray]:
    """Inputs by name, `count` frames along the first axis, float32 on both sides of zero."""
    random = np.random.default_rng(seed)
    return {name: random.uniform(-1, 1.5, (count, *shape)).astype(np.float32) for name, shape in shapes.items()}
