"""Layers, one file a family; importing this package registers them all."""

from fastact.layers import (
    activation,
    applications,
    convolution,
    convolutional_lstm,
    core,
    functions,
    merging,
    normalization,
    pooling,
    recurrent,
    resizing,
    shaping,
    transposed,
    wrappers,
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
    "convolutional_lstm",
    "core",
    "create",
    "functions",
    "merging",
    "normalization",
    "pooling",
    "recurrent",
    "registry",
    "resizing",
    "shaping",
    "show",
    "transposed",
    "wrappers",
]
