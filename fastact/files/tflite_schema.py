"""What TensorFlow Lite's schema says of the tables that fastact reads: numbers of fields, operators, options.

Source: tensorflow/lite/schema/schema.fbs, whose numbers never change; a test compares all of them with TensorFlow's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..kernels.records import dataclass

__all__ = ["ACTIVATIONS", "LEAST_INPUTS", "OPERATORS", "OPTIONS", "PADDINGS", "TYPES", "Field", "Options"]


class Model:
    """The root."""

    OPERATOR_CODES, SUBGRAPHS, BUFFERS, SIGNATURES = 1, 2, 4, 7


class OperatorCode:
    """Which operator; the first field ends at 127, where the last takes over."""

    DEPRECATED_BUILTIN_CODE, CUSTOM_CODE, BUILTIN_CODE = 0, 1, 3


class SubGraph:
    """A network."""

    TENSORS, INPUTS, OUTPUTS, OPERATORS, NAME = 0, 1, 2, 3, 4


class Tensor:
    """An array, constant where its buffer holds bytes."""

    SHAPE, TYPE, BUFFER, NAME, QUANTIZATION, IS_VARIABLE, SPARSITY, SHAPE_SIGNATURE, EXTERNAL_BUFFER = (
        0, 1, 2, 3, 4, 5, 6, 7, 10,
    )  # fmt: skip


class Quantization:
    """How integers stand for numbers."""

    SCALE = 2


class Operator:
    """One step; inputs and outputs are numbers of tensors, -1 for an input that is left out."""

    CODE, INPUTS, OUTPUTS, OPTIONS_TYPE, OPTIONS, CUSTOM_OPTIONS = 0, 1, 2, 3, 4, 5


class Buffer:
    """Bytes: in a vector, or, in files beyond two gigabytes, at an offset from the file's beginning."""

    DATA, OFFSET, SIZE = 0, 1, 2


class Signature:
    """Names for inputs and outputs."""

    INPUTS, OUTPUTS, SUBGRAPH = 0, 1, 4


class TensorMap:
    """A name for a tensor."""

    NAME, TENSOR = 0, 1


@dataclass(frozen=True)
class Field:
    """A field of a table of options."""

    number: int
    kind: str = "i32"
    default: float = 0


@dataclass(frozen=True)
class Options:
    """An operator's table of options: its number among all such tables, and its fields."""

    number: int
    fields: Mapping[str, Field]


def _options(number: int, **fields: Field) -> Options:
    return Options(number, MappingProxyType(fields))


_STRIDED = {"padding": Field(0, "i8"), "stride_w": Field(1), "stride_h": Field(2)}
_POOL = _options(5, **_STRIDED, filter_width=Field(3), filter_height=Field(4), fused_activation_function=Field(5, "i8"))
_REDUCER = _options(27, keep_dims=Field(0, "bool"))


def _sum(number: int) -> Options:
    return _options(number, fused_activation_function=Field(0, "i8"))


OPTIONS: Mapping[str, Options] = MappingProxyType(
    {
        "CONV_2D": _options(
            1, **_STRIDED, fused_activation_function=Field(3, "i8"),
            dilation_w_factor=Field(4, default=1), dilation_h_factor=Field(5, default=1),
        ),
        "DEPTHWISE_CONV_2D": _options(
            2, **_STRIDED, depth_multiplier=Field(3), fused_activation_function=Field(4, "i8"),
            dilation_w_factor=Field(5, default=1), dilation_h_factor=Field(6, default=1),
        ),
        "AVERAGE_POOL_2D": _POOL,
        "MAX_POOL_2D": _POOL,
        "FULLY_CONNECTED": _options(
            8, fused_activation_function=Field(0, "i8"), weights_format=Field(1, "i8"), keep_num_dims=Field(2, "bool"),
        ),
        "SOFTMAX": _options(9, beta=Field(0, "f32")),
        "CONCATENATION": _options(10, axis=Field(0), fused_activation_function=Field(1, "i8")),
        "ADD": _sum(11),
        "L2_NORMALIZATION": _sum(12),
        "RESIZE_BILINEAR": _options(15, align_corners=Field(2, "bool"), half_pixel_centers=Field(3, "bool")),
        "MUL": _sum(21),
        "MEAN": _REDUCER,
        "REDUCE_MAX": _REDUCER,
        "REDUCE_MIN": _REDUCER,
        "SUM": _REDUCER,
        "PACK": _options(59, values_count=Field(0), axis=Field(1)),
        "GATHER": _options(23, axis=Field(0), batch_dims=Field(1)),
        "SUB": _sum(28),
        "DIV": _sum(29),
        "STRIDED_SLICE": _options(
            32, begin_mask=Field(0), end_mask=Field(1), ellipsis_mask=Field(2), new_axis_mask=Field(3),
            shrink_axis_mask=Field(4), offset=Field(5, "bool"),
        ),
        "SPLIT": _options(35, num_splits=Field(0)),
        "TRANSPOSE_CONV": _options(49, **_STRIDED, fused_activation_function=Field(3, "i8")),
        "UNIDIRECTIONAL_SEQUENCE_LSTM": _options(
            71, fused_activation_function=Field(0, "i8"), cell_clip=Field(1, "f32"), proj_clip=Field(2, "f32"),
            time_major=Field(3, "bool"), diagonal_recurrent_tensors=Field(5, "bool"),
        ),
        "RESIZE_NEAREST_NEIGHBOR": _options(74, align_corners=Field(0, "bool"), half_pixel_centers=Field(1, "bool")),
        "LEAKY_RELU": _options(75, alpha=Field(0, "f32")),
        "WHILE": _options(93, cond_subgraph_index=Field(0), body_subgraph_index=Field(1)),
        "CONV_3D": _options(
            106, padding=Field(0, "i8"), stride_d=Field(1), stride_w=Field(2), stride_h=Field(3),
            fused_activation_function=Field(4, "i8"), dilation_d_factor=Field(5, default=1),
            dilation_w_factor=Field(6, default=1), dilation_h_factor=Field(7, default=1),
        ),
        "GELU": _options(116, approximate=Field(0, "bool")),
    }
)  # fmt: skip
"""The options of the operators whose options matter to fastact, under the schema's names."""

LEAST_INPUTS: Mapping[str, int] = MappingProxyType(
    {
        "DEQUANTIZE": 1, "ELU": 1, "EXP": 1, "HARD_SWISH": 1, "LOGISTIC": 1, "LOG_SOFTMAX": 1, "PACK": 1, "RELU": 1,
        "RELU6": 1, "RELU_N1_TO_1": 1, "RESHAPE": 1, "SHAPE": 1, "SQUEEZE": 1, "TANH": 1,
        "EXPAND_DIMS": 2, "FILL": 2, "GATHER": 2, "REVERSE_V2": 2, "SPLIT": 2, "TILE": 2, "TRANSPOSE": 2,
        "BATCH_TO_SPACE_ND": 3, "SPACE_TO_BATCH_ND": 3, "SPLIT_V": 3, "STRIDED_SLICE": 3,
    }
)  # fmt: skip
"""How many inputs operators have that are looked at for what is around them."""

PADDINGS = ("same", "valid")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")

_TYPES = (
    "FLOAT32 FLOAT16 INT32 UINT8 INT64 STRING BOOL INT16 COMPLEX64 INT8 FLOAT64 COMPLEX128 "
    "UINT64 RESOURCE VARIANT UINT32 UINT16 INT4 BFLOAT16 INT2 UINT4"
)
TYPES: tuple[str, ...] = tuple(_TYPES.split())

_OPERATORS = """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
    FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION
    LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH
    CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER
    BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
    BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM
    ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE
    TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK
    LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD
    RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N
    GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
    PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE
    HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE
    ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU
    DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
    UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE
    STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
    STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE
    STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM
    STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT
    STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE
    STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW
    STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR
    REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""
OPERATORS: tuple[str, ...] = tuple(_OPERATORS.split())
