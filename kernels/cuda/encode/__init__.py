"""How an operation becomes launches: an encoder for each, by family as in :mod:`fastact.kernels.ops`."""

from . import moving, pointwise, pooling, reduction, resampling
from .base import encode

__all__ = ["encode", "moving", "pointwise", "pooling", "reduction", "resampling"]
