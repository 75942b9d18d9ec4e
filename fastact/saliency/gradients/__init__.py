"""What comes back through every operation, by family as in :mod:`fastact.kernels.ops`.

To add a gradient: one function with `@gradient(ops.Kind)` in its family's file, and a row in
`tests/test_saliency_gradients.py`. It is called as function(tape, op, back, y, *inputs), `back` being the gradient of
the operation's output `y`, emits operations, and returns the gradient of each input, in the input's shape.
"""

from . import convolution, moving, pointwise, pooling, reduction
from .base import gradient, through

__all__ = ["convolution", "gradient", "moving", "pointwise", "pooling", "reduction", "through"]
