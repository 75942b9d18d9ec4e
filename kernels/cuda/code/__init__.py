"""The kernels: functions that Numba compiles to PTX, and that its simulator runs as they stand.

A kernel counts its indices as uint32 (`U`): signed ones would cost a comparison each, since Python's -1 is the last
value. What a kernel reads and writes are flat pointers; its last parameters are the frame strides of its buffers.
"""
