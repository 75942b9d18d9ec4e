"""How an operation becomes launches: an encoder for each, by family as in :mod:`fastact.kernels.ops`."""

from . import convolution, moving
from .base import Target, encode

__all__ = ["Target", "convolution", "encode", "moving"]
