"""How an operation becomes rows of the table: an encoder for each, by family as in :mod:`fastact.kernels.ops`."""

from . import convolution, moving, pointwise, pooling, reduction, resampling, volumes
from .base import encode, legalize, room, runs_in_place

__all__ = [
    "convolution",
    "encode",
    "legalize",
    "moving",
    "pointwise",
    "pooling",
    "reduction",
    "resampling",
    "room",
    "runs_in_place",
    "volumes",
]
