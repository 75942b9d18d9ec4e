"""Where things stand in a row of the table that the native entry walks.

A row is `FIELDS` int64: the address of a kernel, then addresses, counts and strides. The encoders write the rows and
the kernels read them by the names below.
"""

from __future__ import annotations

FIELDS = 32

# Every row: the address of its kernel, its first input and its output.
KERNEL, X, Y = 0, 1, 2
# Lanes: their number, the first of the rows they run, and where (in rows) each lane ends, after a 0.
LANES, INSIDE, ENDS = 3, 4, 5
# From bytes, element-wise: how many values; the divisor's float32 bits, or where two float64 lie.
COUNT, PARAMETERS = 3, 4
# Affine, row-wise, gated linear: the memory as (OUTER, LENGTH, INNER).
OUTER, LENGTH, INNER, MEAN, SCALE, OFFSET = 3, 4, 5, 6, 7, 8
# Resample: the same of the output, and the input's length; TAPS cells and weights for each place along the middle axis.
IN_LENGTH, TAPS, CELLS, TAP_WEIGHTS = 6, 7, 8, 9
# Copy: the lengths of a box's five axes, and the steps in floats along them in the input and in the output.
BOX, X_STEPS, Y_STEPS = 3, 8, 13
# Pad, pools: the input's (IN_PLANES, IN_ROWS, IN_COLUMNS, CHANNELS), the output's (PLANES, ROWS, COLUMNS),
# the cells of padding before the first plane, row and column; how many such maps there are, or the windows' sizes and
# strides along planes, rows and columns.
IN_PLANES, IN_ROWS, IN_COLUMNS, CHANNELS, PLANES, ROWS, COLUMNS = 3, 4, 5, 6, 7, 8, 9
FRONT, TOP, LEFT, MAPS = 10, 11, 12, 13
SIZE_Z, SIZE_Y, SIZE_X, STRIDE_Z, STRIDE_Y, STRIDE_X = 13, 14, 15, 16, 17, 18
# Pool gradient: the output is what the pool's input is, X its output's gradient; where the pool's input lies.
POOLED = 19
# Binary: the second input, the output's four axes, and the inputs' strides in floats along them.
X2, AXES, X_STRIDES, X2_STRIDES = 3, 4, 8, 12
# Reduce, standardize: the memory as (KEPT_0, REDUCED_0, KEPT_1, REDUCED_1, KEPT_2), and where the parameter lies.
KEPT_0, REDUCED_0, KEPT_1, REDUCED_1, KEPT_2, PARAMETER = 3, 4, 5, 6, 7, 8
# Contract: the second input; the first as (OUTER_1, SHARED, INNER_1), the second as (OUTER_2, SHARED, INNER_2).
OUTER_1, SHARED, INNER_1, OUTER_2, INNER_2 = 4, 5, 6, 7, 8
# Summary: the memory as (LENGTH, INNER), and where shifts and histograms lie (see summary.py).
SHIFTS, HISTOGRAMS = 6, 7
# Pictures in bytes (see pixels.py). Cover: where levels and their colours lie; enlarge: the picture's lines and pixels
# across, how many times larger, bytes from line to line of the output, where shares lie, and where there is room for
# two lines of floats as wide as the output for each member of a team; planes: where the other two lie, bytes from line
# to line of the first and of those, and where the matrix lies.
LEVEL, PALETTE = 4, 5
LINES, ACROSS, TIMES, TO_STEP, SHARES, LINE = 3, 4, 5, 6, 7, 8
BLUE_DIFFERENCE, RED_DIFFERENCE, LUMA_STEP, COLOR_STEP, MATRIX = 5, 6, 7, 8, 9
# Convolution: see the micro-kernel in microkernel.py. BLOCKS blocks of filters,
# FILTER_BLOCK bytes apart in weights, bias and output, X_BLOCK in the input.
WEIGHTS, BIAS, PIXELS, OUT_COLUMNS, ROW_STEP, COLUMN_STEP = 3, 4, 5, 6, 7, 8
SEGMENTS, SEGMENT_COUNT, TOGETHER, WEIGHT_STEP, Y_STEP, LAST = 9, 10, 11, 12, 13, 14
LOW, HIGH, BLOCKS, X_BLOCK, FILTER_BLOCK, SEGMENT_STEP = 15, 16, 17, 18, 19, 20
# Paired convolution (see pairs.py): as a convolution, PIXELS being pairs of pixels, but SPREAD_COUNT entries of
# SPREAD (taps; bytes from where a pair's field begins to the first tap, and from where its room begins to its factors),
# CELL_STEP bytes from tap to tap and DEPTH channels; for each of four SUMS its first segment, their number, how many
# are added up together, and its first row of weights; PAIR_LENGTH factors of a pair; ROOM for each of MEMBERS,
# ROOM_STEP apart; and the first filter of the LAST_BLOCK.
SPREAD, SPREAD_COUNT, CELL_STEP, DEPTH, SUMS = 10, 11, 18, 20, 21
PAIR_LENGTH, ROOM, ROOM_STEP, MEMBERS, LAST_BLOCK = 13, 22, 23, 24, 19
