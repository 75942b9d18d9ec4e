"""Configurations of models as Keras writes them, made by hand, and what fastact makes of them."""

from __future__ import annotations

from typing import Any

from oracles import handmade

Json = dict[str, Any]


def entry(class_name: str, name: str, nodes: Any = (), **config: Any) -> Json:
    return {
        "class_name": class_name,
        "name": name,
        "config": {"name": name, "trainable": True, **config},
        "inbound_nodes": [] if nodes is None else list(nodes),
    }


def image(name: str = "image", shape: tuple[int | None, ...] = (8, 9, 3)) -> Json:
    return entry("InputLayer", name, batch_shape=[None, *shape])


def conv(name: str, nodes: Any, **config: Any) -> Json:
    return entry("Conv2D", name, nodes, **{"filters": 4, "kernel_size": [3, 3], **config})


def tensor(layer: str, call: int = 0, output: int = 0) -> Json:
    return {"class_name": "__keras_tensor__", "config": {"shape": [None], "keras_history": [layer, call, output]}}


def on(*layers: str, **kwargs: Any) -> Json:
    """A Keras 3 call of one tensor, or of a list of them."""
    tensors = [tensor(name) for name in layers]
    return {"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": kwargs}


def model(layers: list[Json], inputs: Any, outputs: Any, name: str = "m", class_name: str = "Functional") -> Json:
    return {
        "class_name": class_name,
        "config": {"name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs},
    }


def small(nodes: Any = None, **config: Any) -> Json:
    """An image into a convolution."""
    call = [on("image")] if nodes is None else nodes
    return model([image(), conv("conv", call, **config)], [["image", 0, 0]], [["conv", 0, 0]])


def sequential(layers: Any, **config: Any) -> Json:
    return {"class_name": "Sequential", "config": {"name": "s", "layers": layers, **config}}


def names(config: Json, version: tuple[int, ...] = (3, 0, 0)) -> list[str]:
    return [node.name for node in handmade(config, version).nodes]


def reasons(config: Json) -> dict[str, str]:
    return {node.name: node.reason for node in handmade(config).nodes if node.reason is not None}


def tower(name: str = "tower", nodes: Any = ()) -> Json:
    inside = model([image("inner"), conv("c", [on("inner")])], [["inner", 0, 0]], [["c", 0, 0]], name)
    return {**inside, "name": name, "inbound_nodes": list(nodes)}


def assert_is_a_sentence(message: str) -> None:
    assert len(message) < 400
    assert "\n" not in message
    assert "Error" not in message
    assert "object at" not in message
