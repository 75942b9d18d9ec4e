"""How an operation becomes launches: an encoder for each, by family as in :mod:`fastact.kernels.ops`."""

from . import convolution, moving, pointwise, pooling, reduction, resampling
from .base import Target, can_encode, encode

__all__ = [
    "Target",
    "can_encode",
    "convolution",
    "encode",
    "moving",
    "pointwise",
    "pooling",
    "reduction",
    "resampling",
]
