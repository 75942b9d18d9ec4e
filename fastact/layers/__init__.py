"""Layers, one file a family; importing this package registers them all."""

from fastact.layers import activation, convolution, core, merging, normalization, pooling, shaping, transposed
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
    "core",
    "create",
    "merging",
    "normalization",
    "pooling",
    "registry",
    "shaping",
    "show",
    "transposed",
]
