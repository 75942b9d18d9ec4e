"""Compiles the kernels to one object file, and links it where there is a linker.

    python -m fastact.kernels.cpu.build LEVEL REGISTERS FILE

All compile flags and targets are decided here. Run as a program of its own by `library` and `ship`, so that the
process that uses the kernels never loads Numba or LLVM. A level of another machine is compiled here, too: the
vectors are explicit in the IR, and LLVM has every back end.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .levels import LEVELS, Level, machine
from .steps import PREFIX

_OLDEST_GLIBC = {"x86_64": "2.17", "aarch64": "2.17"}
"""What a library linked by zig runs on: CentOS 7 and all since, Ubuntu 18.04 of a Jetson Nano among them."""


class Code(NamedTuple):
    """How code reaches what lies elsewhere: LLVM's names for the relocation and the code model."""

    reloc: str
    model: str


LINKED = Code("pic", "small")
"""For a shared library."""
LOADED = Code("static", "large")
"""For llvmlite's loader, which may put the sections of an object file gigabytes apart."""


def main(level: str, registers: str, path: str) -> None:
    """Writes the kernels of `level`, with the tiles of `registers`, to `path`.

    The name's ending says as what: .so a shared library, .lo an object file to link, .o one for llvmlite to load, .s
    assembly to read.
    """
    target, native = LEVELS[level], LEVELS[level].machine == machine()
    # Read once, when Numba is imported; names the target, so that the code does not depend on this very machine.
    # For another machine Numba makes IR for the plainest CPU of this one, and it is optimised again for its own.
    os.environ["NUMBA_CPU_NAME"] = target.llvm_cpu if native else "generic"
    os.environ["NUMBA_CPU_FEATURES"] = target.llvm_features if native else ""
    result = Path(path)
    if result.suffix == ".s":
        result.write_text(assembly(target, registers))
    elif result.suffix == ".so":
        object_file = result.with_suffix(".lo")
        object_file.write_bytes(compile_object(target, registers))
        try:
            link(linker(target), object_file, result)
        finally:
            object_file.unlink()
    else:
        result.write_bytes(compile_object(target, registers, LINKED if result.suffix == ".lo" else LOADED))


def link(command: list[str] | None, object_file: Path, result: Path) -> None:
    """Makes a shared library of an object file; RuntimeError, one sentence, where that cannot be done."""
    if command is None:
        raise RuntimeError("there is no linker: install a C compiler, or ziglang from PyPI")
    arguments = [*command, "-shared", "-o", str(result), str(object_file), "-lm"]
    linked = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if linked.returncode:
        raise RuntimeError(f"{command[0]} cannot link them: {linked.stderr.strip().rpartition(chr(10))[2]}")


def linker(target: Level) -> list[str] | None:
    """The command that links a shared library for `target` to be used here, or None.

    The system's own compiler, which is there at once; else zig, which first spends half a minute on a cache.
    """
    driver = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    return [driver] if driver and target.machine == machine() else portable_linker(target)


def portable_linker(target: Level) -> list[str] | None:
    """The command that links for any machine and for older systems: zig (the package ziglang), or None."""
    if importlib.util.find_spec("ziglang") is None:
        return None
    triple = f"{target.machine}-linux-gnu.{_OLDEST_GLIBC[target.machine]}"
    return [sys.executable, "-m", "ziglang", "cc", "-target", triple]


def compile_object(target: Level, registers: str, code: Code = LINKED) -> bytes:
    """The object file: the entries, and every kernel under its name."""
    llvm_machine, module = _machine_and_module(target, registers, code)
    return bytes(llvm_machine.emit_object(module))


def assembly(target: Level, registers: str) -> str:
    """The same code as :func:`compile_object` gives, as text."""
    llvm_machine, module = _machine_and_module(target, registers, LINKED)
    return str(llvm_machine.emit_assembly(module))


def _machine_and_module(target: Level, registers: str, code: Code) -> tuple[Any, Any]:
    """LLVM's machine for `target`, and all kernels as one optimised module for it."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    llvm_machine = llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.llvm_cpu, features=target.llvm_features, opt=3, reloc=code.reloc, codemodel=code.model
    )
    module: Any = None
    for name, text in _modules(registers):
        part = llvm.parse_assembly(_with_one_symbol(llvm.parse_assembly(_for_target(text, target, llvm_machine)), name))
        if module is None:
            module = part
        else:
            module.link_in(part)
    if target.machine != machine():
        builder = llvm.create_pass_builder(llvm_machine, llvm.create_pipeline_tuning_options(speed_level=3))
        builder.getModulePassManager().run(module, builder)
    return llvm_machine, module


def _for_target(text: str, target: Level, machine: Any) -> str:
    """IR that says it is for `target`: its triple and layout, and no CPU of the machine that made it."""
    text = re.sub(r'"(target-cpu|target-features|tune-cpu)"="[^"]*"', "", text)
    text = re.sub(r"^target triple = .*$", f'target triple = "{target.triple}"', text, flags=re.MULTILINE)
    return re.sub(r"^target datalayout = .*$", f'target datalayout = "{machine.target_data}"', text, flags=re.MULTILINE)


def _modules(registers: str) -> Iterator[tuple[str, str]]:
    """The name and the optimised LLVM IR of every function the object file exports.

    `error_model="numpy"`: a division raises nothing, so that no Python symbol is left in the code. `forceinline`: nor
    in the C entry, which would see to the exceptions of a function that is too large to become part of it by itself.
    """
    from numba import cfunc, types

    from .catalog import ENTRIES, kernels

    entries = ENTRIES | {PREFIX + n: (f, 3) for n, f in kernels(registers).items()}
    for name, (function, arguments) in entries.items():
        signature = types.void(*[types.int64] * arguments)
        compiled = cfunc(signature, error_model="numpy", forceinline=True)(function)
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
