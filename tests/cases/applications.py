"""Layers that networks of keras.applications define for themselves."""

from __future__ import annotations

import importlib
from typing import Any

from .build import graph


def _own(k: Any, network: str, name: str) -> Any:
    """A class that the file of one network holds; a stand-in for Keras has it among its layers."""
    if not hasattr(k, "__file__"):
        return getattr(k.layers, name)
    return getattr(importlib.import_module(f"{k.__name__}.src.applications.{network}"), name)


APPLICATIONS = (
    graph("layer-scale", ((5, 6, 4),), lambda k, x: _own(k, "convnext", "LayerScale")(1e-6, 4)(x)),
    graph(
        "layer-scale-twice",
        ((5, 6, 4),),
        lambda k, x: _own(k, "convnext", "LayerScale")(1e-6, 4)(_own(k, "convnext", "LayerScale")(1e-6, 4)(x)),
    ),
    graph(
        "custom-scale",
        ((5, 6, 4), (5, 6, 4)),
        lambda k, x, y: _own(k, "inception_resnet_v2", "CustomScaleLayer")(0.17)([x, y]),
    ),
)
