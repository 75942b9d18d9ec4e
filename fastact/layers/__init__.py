"""Layers, one file a family; importing this package registers them all."""

from fastact.layers import (
    activation,
    applications,
    convolution,
    core,
    functions,
    merging,
    normalization,
    pooling,
    resizing,
    shaping,
    transposed,
)
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
    "activation",
    "applications",
    "convolution",
    "core",
    "create",
    "functions",
    "merging",
    "normalization",
    "pooling",
    "registry",
    "resizing",
    "shaping",
    "show",
    "transposed",
]
