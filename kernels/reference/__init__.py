"""What every operation means, in plain NumPy: the specification the kernels are tested against.

Written to be read, not to be fast; checked against TensorFlow by the tests. The arithmetic is done in the dtype of the
inputs, so float64 inputs give the float64 reference that errors are measured from.
"""

from . import convolution, depthwise, moving, pointwise, pooling, reduction, resampling, volumes
from .base import run

__all__ = ["convolution", "depthwise", "moving", "pointwise", "pooling", "reduction", "resampling", "run", "volumes"]
