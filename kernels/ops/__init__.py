"""The operations a plan is made of: what is computed, in arrays and integers.

Each class below is one operation on arrays without a batch axis, channels last. It holds its weights and its
geometry (padding is always four numbers) and knows the shape it gives; it computes nothing. What it means is written
once in :mod:`.reference` (plain NumPy, the specification); how it is computed fast lies in :mod:`.cpu`.
"""

from .base import INF, NO_PADS, Floats, Op, Pads, Shape, Sides, Strip, Window, axis_split, span
from .convolution import Conv2D, Dense
from .depthwise import DepthwiseConv2D
from .moving import Concat, Crop, FromBytes, Interleave, Pad, Repeat, Reshape, Slice, Transpose
from .pointwise import Affine, Binary, BinaryConstant, Elementwise, GatedLinear, Merge, Row, RowWise, Unary
from .pooling import GlobalPool, Pool, PoolGradient, PoolKind
from .reduction import Contract, Reduce, Scaling, Standardize, Total, kept_and_reduced
from .resampling import Resample
from .volumes import Conv3D

__all__ = [
    "INF",
    "NO_PADS",
    "Affine",
    "Binary",
    "BinaryConstant",
    "Concat",
    "Contract",
    "Conv2D",
    "Conv3D",
    "Crop",
    "Dense",
    "DepthwiseConv2D",
    "Elementwise",
    "Floats",
    "FromBytes",
    "GatedLinear",
    "GlobalPool",
    "Interleave",
    "Merge",
    "Op",
    "Pad",
    "Pads",
    "Pool",
    "PoolGradient",
    "PoolKind",
    "Reduce",
    "Repeat",
    "Resample",
    "Reshape",
    "Row",
    "RowWise",
    "Scaling",
    "Shape",
    "Sides",
    "Slice",
    "Standardize",
    "Strip",
    "Total",
    "Transpose",
    "Unary",
    "Window",
    "axis_split",
    "kept_and_reduced",
    "span",
]
