"""Layers, one file a family; importing this package registers them all."""

from fastact.layers import (
    activation,
    convolution,
    convolutional_lstm,
    core,
    merging,
    normalization,
    pooling,
    recurrent,
    resizing,
    shaping,
    transposed,
    wrappers,
)
from fastact.layers.base import Arguments, Layer, Shape, Tape, Value, create, registry, show
from fastact.layers.config import Config

__all__ = [
    "Arguments",
    "Config",
    "Layer",
    "Shape",
    "Tape",
    "Value",
    "activation",
    "convolution",
    "convolutional_lstm",
    "core",
    "create",
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
