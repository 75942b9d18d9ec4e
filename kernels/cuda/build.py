"""Compiles the catalog to PTX, for one compute capability; needs Numba's CUDA compiler and no GPU.

    python -m fastact.kernels.cuda.build 5.0 FILE

All compile flags are decided here. The result is a zip archive with a member NAME.ptx for each kernel, in which the
kernel has its name. Run as a program of its own by :mod:`.search`, so that the process that launches kernels never
loads Numba.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from .catalog import KERNELS, function

TARGETS: dict[tuple[int, int], str] = {(5, 0): "6.0", (7, 2): "6.1", (8, 7): "7.4", (9, 0): "7.8"}
"""The capabilities that PTX is made for, each with the least version of PTX's language that knows it.

A GPU takes the PTX of the highest one that it reaches. The version decides which drivers can load it: CUDA 10.2, the
last for a Jetson Nano, reads 6.5 at most.
"""

_SHARED = re.compile(r"\b_cudapy_smem_(\d+)\b")
_DECLARED = re.compile(r"^\.visible \.shared .*\bshared_\d+\[.*$", re.MULTILINE)


def main(capability: str, path: str) -> None:
    """Writes the PTX of every kernel for `capability`, such as 5.0, to `path`."""
    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0":
        sys.exit("NUMBA_ENABLE_CUDASIM is set: Numba would simulate a GPU, and not compile for one")
    major, _, minor = capability.partition(".")
    target = int(major), int(minor)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in KERNELS:
            # A date of its own makes the same archive from the same source, whenever it is made.
            archive.writestr(zipfile.ZipInfo(f"{name}.ptx"), compile_ptx(name, target), zipfile.ZIP_DEFLATED)


def compile_ptx(name: str, target: tuple[int, int]) -> str:
    """One kernel as PTX."""
    from numba import cuda, types

    signature = types.void(*_types(KERNELS[name].parameters))
    with _as_if_on(target):
        text, _ = cuda.compile_ptx(function(name), signature, cc=target, fastmath=False)
    return _named(text, name, TARGETS[target])


def compile_for_all(name: str) -> dict[tuple[int, int], str]:
    """One kernel as PTX for each of TARGETS, the same as :func:`compile_ptx` gives in a third of the time.

    Numba spends most of it before a target matters, which is done once here; it has no function for that.
    """
    from numba import types
    from numba.cuda import compiler

    signature, least = types.void(*_types(KERNELS[name].parameters)), min(TARGETS)
    with _as_if_on(least):
        library, _ = compiler._compile_pyfunc_with_fixup(
            function(name), signature, device=False, abi="numba", fastmath=False, cc=least
        )
    texts = {target: library.get_asm_strs(cc=target) for target in TARGETS}
    return {target: _named(text, name, TARGETS[target]) for target, (text,) in texts.items()}


@contextlib.contextmanager
def _as_if_on(target: tuple[int, int]) -> Iterator[None]:
    """Functions that kernels call are compiled for `target`: Numba asks the GPU that is there, and none may be."""
    from numba.cuda import dispatcher

    asked = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=target)
    try:
        yield
    finally:
        dispatcher.get_current_device = asked


def _types(parameters: str) -> Sequence[Any]:
    from numba import types

    return [
        {
            "F": types.CPointer(types.float32),
            "B": types.CPointer(types.uint8),
            "I": types.CPointer(types.int32),
            "u": types.uint32,
            "i": types.int32,
            "l": types.uint64,
            "f": types.float32,
        }[letter]
        for letter in parameters
    ]


def _named(text: str, name: str, version: str) -> str:
    """PTX in which the kernel is called `name`, in the oldest version of the language that says it."""
    (entry,) = re.findall(r"\.visible \.entry (\w+)\(", text)
    text = re.sub(rf"\b{entry}", name, text)  # its parameters' names begin with its own
    text = _with_shared_in_order(text)
    # Python's environment of the function, which only a kernel that raises would look at.
    text = re.sub(r"^\.common \.global .*NumbaEnv.*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^\.version .*$", f".version {version}", text, count=1, flags=re.MULTILINE)


def _with_shared_in_order(text: str) -> str:
    """PTX whose shared arrays are numbered, and declared, as the kernel comes to them.

    Numba numbers them through all that a process compiles, and declares them by the addresses of what it links; the
    assembler's choices depend on both.
    """
    _, _, body = text.partition(".entry")
    numbers = list(dict.fromkeys(_SHARED.findall(body)))
    text = _SHARED.sub(lambda found: f"shared_{numbers.index(found[1])}", text)
    declared = iter(sorted(_DECLARED.findall(text), key=lambda line: int(line.partition("shared_")[2].split("[")[0])))
    return _DECLARED.sub(lambda _: next(declared), text)


if __name__ == "__main__":
    main(*sys.argv[1:])
