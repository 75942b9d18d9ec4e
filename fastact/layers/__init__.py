"""Layers, one file a family, which is imported when a model has layers that no family before it knows."""

from fastact.layers.base import Arguments, Given, Layer, Shape, Tape, Value, create, registry, show
from fastact.layers.config import Config

__all__ = [
    "Arguments",
    "Config",
    "Given",
    "Layer",
    "Shape",
    "Tape",
    "Value",
    "create",
    "registry",
    "show",
]
