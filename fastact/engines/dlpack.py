"""An array in a device's memory as DLPack hands it on: a struct in a capsule, freed by whoever takes it.

The struct is DLManagedTensor of dlpack.h (https://github.com/dmlc/dlpack), whose layout every version reads.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

CUDA = 2
"""kDLCUDA: the memory of an NVIDIA GPU."""

_FLOAT = 2
_NAME = b"dltensor"
"""What a capsule is called that nobody took yet."""


class _Tensor(ctypes.Structure):
    """DLTensor; `strides` counts values."""

    _fields_ = (
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )  # fmt: skip


class _Managed(ctypes.Structure):
    """DLManagedTensor; `context` is a reference to what keeps the memory."""

    _fields_ = (("tensor", _Tensor), ("context", ctypes.py_object), ("deleter", ctypes.c_void_p))


_Deleter = ctypes.PYFUNCTYPE(None, ctypes.POINTER(_Managed))
_Destructor = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)

_capsule = ctypes.pythonapi.PyCapsule_New
_capsule.argtypes, _capsule.restype = (ctypes.POINTER(_Managed), ctypes.c_char_p, _Destructor), ctypes.py_object
_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.argtypes, _is_valid.restype = (ctypes.c_void_p, ctypes.c_char_p), ctypes.c_int
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.argtypes, _pointer.restype = (ctypes.c_void_p, ctypes.c_char_p), ctypes.POINTER(_Managed)
_keep, _let_go = ctypes.pythonapi.Py_IncRef, ctypes.pythonapi.Py_DecRef
_keep.argtypes, _let_go.argtypes = (ctypes.py_object,), (ctypes.py_object,)


def _delete(managed: Any) -> None:
    """Lets go of what keeps the memory, the struct among it."""
    _let_go(managed.contents.context)


def _destroy(capsule: int) -> None:
    """A capsule that nobody took."""
    if _is_valid(capsule, _NAME):
        _delete(_pointer(capsule, _NAME))


_DELETE, _DESTROY = _Deleter(_delete), _Destructor(_destroy)


def capsule(
    owner: object, address: int, shape: Sequence[int], strides: Sequence[int], device: tuple[int, int]
) -> object:
    """A capsule of float32 at `address` on `device` (type and number), which `owner` keeps; `strides` are bytes."""
    sizes = (ctypes.c_int64 * len(shape))(*shape)
    steps = (ctypes.c_int64 * len(shape))(*(stride // 4 for stride in strides))
    pointers = (ctypes.cast(array, ctypes.POINTER(ctypes.c_int64)) for array in (sizes, steps))
    managed = _Managed(_Tensor(address, *device, len(shape), _FLOAT, 32, 1, *pointers, 0))
    kept = [managed, owner]  # `managed` keeps it in turn, until it is deleted
    managed.context, managed.deleter = kept, ctypes.cast(_DELETE, ctypes.c_void_p).value
    _keep(kept)
    return _capsule(ctypes.pointer(managed), _NAME, _DESTROY)
