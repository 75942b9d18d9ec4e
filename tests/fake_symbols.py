"""The driver's functions and codes, written down from NVIDIA's cuda.h for a second time."""

from __future__ import annotations

import ctypes
import re

SIGNATURES = {
    # i int, u unsigned int, z size_t, q 64 bits, p a pointer or a handle; then the CUDA version that brought it.
    "cuGetErrorName": ("ip", 6000),
    "cuGetErrorString": ("ip", 6000),
    "cuInit": ("u", 2000),
    "cuDriverGetVersion": ("p", 2020),
    "cuDeviceGetCount": ("p", 2000),
    "cuDeviceGet": ("pi", 2000),
    "cuDeviceGetName": ("pii", 2000),
    "cuDeviceTotalMem_v2": ("pi", 3020),
    "cuDeviceGetAttribute": ("pii", 2000),
    "cuDevicePrimaryCtxRetain": ("pi", 7000),
    "cuDevicePrimaryCtxRelease": ("i", 7000),
    "cuDevicePrimaryCtxRelease_v2": ("i", 11000),
    "cuCtxPushCurrent_v2": ("p", 4000),
    "cuCtxPopCurrent_v2": ("p", 4000),
    "cuModuleLoadDataEx": ("ppupp", 2010),
    "cuModuleUnload": ("p", 2000),
    "cuModuleGetFunction": ("ppp", 2000),
    "cuFuncGetAttribute": ("pip", 2020),
    "cuMemGetInfo_v2": ("pp", 3020),
    "cuMemAlloc_v2": ("pz", 3020),
    "cuMemFree_v2": ("q", 3020),
    "cuMemHostAlloc": ("pzu", 2020),
    "cuMemFreeHost": ("p", 2000),
    "cuMemcpyHtoDAsync_v2": ("qpzp", 3020),
    "cuMemcpyDtoHAsync_v2": ("pqzp", 3020),
    "cuMemcpy2DAsync_v2": ("pp", 3020),
    "cuStreamCreate": ("pu", 2000),
    "cuStreamDestroy_v2": ("p", 4000),
    "cuStreamSynchronize": ("p", 2000),
    "cuStreamWaitEvent": ("ppu", 3020),
    "cuEventCreate": ("pu", 2000),
    "cuEventDestroy_v2": ("p", 4000),
    "cuEventRecord": ("pp", 2000),
    "cuEventSynchronize": ("p", 2000),
    "cuEventElapsedTime": ("ppp", 2000),
    "cuLaunchKernel": ("puuuuuuuppp", 4000),
    "cuStreamBeginCapture_v2": ("pi", 10010),
    "cuStreamEndCapture": ("pp", 10000),
    "cuGraphInstantiate": ("ppppz", 10000),
    "cuGraphInstantiateWithFlags": ("ppq", 11040),
    "cuGraphLaunch": ("pp", 10000),
    "cuGraphDestroy": ("p", 10000),
    "cuGraphExecDestroy": ("p", 10000),
}

TYPES = {
    "i": ctypes.c_int,
    "u": ctypes.c_uint,
    "z": ctypes.c_size_t,
    "q": ctypes.c_uint64,
    "p": ctypes.c_void_p,
}

CODES = {
    1: ("CUDA_ERROR_INVALID_VALUE", "invalid argument"),
    2: ("CUDA_ERROR_OUT_OF_MEMORY", "out of memory"),
    100: ("CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"),
    201: ("CUDA_ERROR_INVALID_CONTEXT", "invalid device context"),
    214: ("CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"),
    218: ("CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"),
    222: ("CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."),
    400: ("CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"),
    500: ("CUDA_ERROR_NOT_FOUND", "named symbol not found"),
    600: ("CUDA_ERROR_NOT_READY", "device not ready"),
    700: ("CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"),
    719: ("CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"),
    801: ("CUDA_ERROR_NOT_SUPPORTED", "operation not supported"),
    803: (
        "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
        "system has unsupported display driver / cuda driver combination",
    ),
    901: (
        "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
        "operation failed due to a previous error during capture",
    ),
    900: ("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"),
}

STICKY = (214, 700, 719)

WITHOUT_CONTEXT = re.compile("cuGetError|cuInit|cuDriver|cuDevice|cuCtxPush|cuCtxPop")
