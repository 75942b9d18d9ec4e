"""The operations a plan is made of: what is computed, in arrays and integers.

Each class below is one operation on arrays without a batch axis, channels last. It holds its weights and its
geometry (padding is always four numbers) and knows the shape it gives; it computes nothing. What it means is written
once in :mod:`.reference` (plain NumPy, the specification); how it is computed fast lies in :mod:`.cpu`.
"""

from .base import INF, NO_PADS, Floats, Op, Pads, Shape, Window, axis_split, span
from .convolution import Conv2D, Dense
from .moving import Concat, Crop2D, FromBytes, Pad2D, Reshape, Slice, Transpose
from .pointwise import Affine, Binary, BinaryConstant, Elementwise, GatedLinear, Merge, Row, RowWise, Unary
from .pooling import GlobalPool, Pool2D, PoolKind
from .reduction import Contract, Reduce, Scaling, Standardize, Total, kept_and_reduced

__all__ = [
    "INF",
    "NO_PADS",
    "Affine",
    "Binary",
    "BinaryConstant",
    "Concat",
    "Contract",
    "Conv2D",
    "Crop2D",
    "Dense",
    "Elementwise",
    "Floats",
    "FromBytes",
    "GatedLinear",
    "GlobalPool",
    "Merge",
    "Op",
    "Pad2D",
    "Pads",
    "Pool2D",
    "PoolKind",
    "Reduce",
    "Reshape",
    "Row",
    "RowWise",
    "Scaling",
    "Shape",
    "Slice",
    "Standardize",
    "Total",
    "Transpose",
    "Unary",
    "Window",
    "axis_split",
    "kept_and_reduced",
    "span",
]
