"""Compiles the kernels to one object file, and links it where the machine has a linker.

    python -m fastact.kernels.cpu.build LEVEL REGISTERS FILE

All compile flags and targets are decided here. Run as a program of its own by `library`, so that the process that
uses the kernels never loads Numba or LLVM.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .levels import LEVELS

PREFIX = "fastact_kernel_"


def main(level: str, registers: str, path: str) -> None:
    """Writes the kernels of `level`, with the tiles of `registers`, to `path`.

    A shared library if the name ends in .so, an object file if not.
    """
    # Read once, when Numba is imported; names the target, so that the code does not depend on this very machine.
    os.environ.update(NUMBA_CPU_NAME=LEVELS[level].llvm_cpu, NUMBA_CPU_FEATURES=LEVELS[level].llvm_features)
    target = Path(path)
    if target.suffix != ".so":
        target.write_bytes(compile_object(level, registers))
        return
    object_file = target.with_suffix(".o")
    object_file.write_bytes(compile_object(level, registers))
    try:
        subprocess.run([linker() or "cc", "-shared", "-o", target, object_file, "-lm"], check=True)
    finally:
        object_file.unlink()


def linker() -> str | None:
    """The compiler driver that links a shared library here, or None."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compile_object(level: str, registers: str) -> bytes:
    """The object file: the entry, and every kernel under its name, all position independent."""
    import llvmlite.binding as llvm

    module: Any = None
    for name, text in _modules(registers):
        part = llvm.parse_assembly(_with_one_symbol(llvm.parse_assembly(text), name))
        if module is None:
            module = part
        else:
            module.link_in(part)
    features = LEVELS[level].llvm_features
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=LEVELS[level].llvm_cpu, features=features, opt=3, reloc="pic", codemodel="small"
    )
    return bytes(machine.emit_object(module))


def _modules(registers: str) -> Iterator[tuple[str, str]]:
    """The name and the optimised LLVM IR of every function the object file exports.

    `error_model="numpy"`: a division raises nothing, so that no Python symbol is left in the code.
    """
    from numba import cfunc, types

    from .catalog import ENTRIES, kernels

    entries = ENTRIES | {PREFIX + n: (f, 3) for n, f in kernels(registers).items()}
    for name, (function, arguments) in entries.items():
        signature = types.void(*[types.int64] * arguments)
        compiled = cfunc(signature, error_model="numpy")(function)
        # Numba has no public way to a function's IR under its C entry; this attribute has stood since 2015.
        wrapper, text = compiled._wrapper_name, str(compiled._library._final_module)
        yield name, text.replace(f'@"{wrapper}"', f"@{name}").replace(f"@{wrapper}", f"@{name}")


def _with_one_symbol(module: Any, name: str) -> str:
    """The module's IR with only `name` left of what it defines; what Numba adds for Python is dropped."""
    import llvmlite.binding as llvm

    for function in module.functions:
        if not function.is_declaration and function.name != name:
            function.linkage = "internal"
    for variable in module.global_variables:
        if not variable.is_declaration:
            variable.linkage = "internal"
    machine = llvm.Target.from_default_triple().create_target_machine()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=0))
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, builder)
    return str(module)


if __name__ == "__main__":
    main(*sys.argv[1:])
