"""The driver's functions as its library has them: a symbol, and what it takes; each returns a code, 0 for success.

As in cuda.h of CUDA 10.2 to 13. A function whose signature changed has another symbol (`_v2`), and the old one stays
what it was, so that a symbol says all.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_float, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any

_int_p, _size_p, _float_p, _address_p, _handle_p = (POINTER(t) for t in (c_int, c_size_t, c_float, c_uint64, c_void_p))


class Copy2D(ctypes.Structure):
    """CUDA_MEMCPY2D: a copy of `height` rows of `width` bytes. A memory type is HOST or DEVICE."""

    HOST, DEVICE = 1, 2

    _fields_ = (
        ("source_x", c_size_t),
        ("source_y", c_size_t),
        ("source_type", c_uint),
        ("source_host", c_void_p),
        ("source_device", c_uint64),
        ("source_array", c_void_p),
        ("source_pitch", c_size_t),
        ("target_x", c_size_t),
        ("target_y", c_size_t),
        ("target_type", c_uint),
        ("target_host", c_void_p),
        ("target_device", c_uint64),
        ("target_array", c_void_p),
        ("target_pitch", c_size_t),
        ("width", c_size_t),
        ("height", c_size_t),
    )


FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "cuGetErrorName": (c_int, POINTER(c_char_p)),
    "cuGetErrorString": (c_int, POINTER(c_char_p)),
    "cuInit": (c_uint,),
    "cuDriverGetVersion": (_int_p,),
    "cuDeviceGetCount": (_int_p,),
    "cuDeviceGet": (_int_p, c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceTotalMem_v2": (_size_p, c_int),
    "cuDeviceGetAttribute": (_int_p, c_int, c_int),
    "cuDevicePrimaryCtxRetain": (_handle_p, c_int),
    "cuCtxPushCurrent_v2": (c_void_p,),
    "cuCtxPopCurrent_v2": (_handle_p,),
    "cuModuleLoadDataEx": (_handle_p, c_void_p, c_uint, POINTER(c_int), _handle_p),
    "cuModuleUnload": (c_void_p,),
    "cuModuleGetFunction": (_handle_p, c_void_p, c_char_p),
    "cuFuncGetAttribute": (_int_p, c_int, c_void_p),
    "cuMemGetInfo_v2": (_size_p, _size_p),
    "cuMemAlloc_v2": (_address_p, c_size_t),
    "cuMemFree_v2": (c_uint64,),
    "cuMemHostAlloc": (_handle_p, c_size_t, c_uint),
    "cuMemFreeHost": (c_void_p,),
    "cuMemcpyHtoDAsync_v2": (c_uint64, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoHAsync_v2": (c_void_p, c_uint64, c_size_t, c_void_p),
    "cuMemcpy2DAsync_v2": (POINTER(Copy2D), c_void_p),
    "cuStreamCreate": (_handle_p, c_uint),
    "cuStreamDestroy_v2": (c_void_p,),
    "cuStreamSynchronize": (c_void_p,),
    "cuStreamWaitEvent": (c_void_p, c_void_p, c_uint),
    "cuEventCreate": (_handle_p, c_uint),
    "cuEventDestroy_v2": (c_void_p,),
    "cuEventRecord": (c_void_p, c_void_p),
    "cuEventSynchronize": (c_void_p,),
    "cuEventElapsedTime": (_float_p, c_void_p, c_void_p),
    "cuLaunchKernel": (c_void_p, *[c_uint] * 7, c_void_p, _handle_p, _handle_p),
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuStreamEndCapture": (c_void_p, _handle_p),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphDestroy": (c_void_p,),
    "cuGraphExecDestroy": (c_void_p,),
}
"""What every driver from 10.2 on has."""

EITHER: dict[str, tuple[Any, ...]] = {
    "cuDevicePrimaryCtxRelease_v2": (c_int,),  # from 11.0
    "cuDevicePrimaryCtxRelease": (c_int,),
    "cuGraphInstantiateWithFlags": (_handle_p, c_void_p, c_uint64),  # from 11.4
    "cuGraphInstantiate": (_handle_p, c_void_p, _handle_p, c_char_p, c_size_t),
}
"""What has changed: a driver need not have all of these, and the newer one is taken."""
