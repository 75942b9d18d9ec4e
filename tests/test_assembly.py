"""The convolutions' inner loops as machine code: what the tile table promises is what LLVM made of it.

Assembly is written for every level on any machine, by the program that builds the kernels.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fastact.kernels.cpu.build import PREFIX
from fastact.kernels.cpu.levels import LEVELS
from fastact.kernels.cpu.tiles import DEPTHWISE, PAIRED, PEAK, TILES, Tile, depthwise_name, paired_name

GPR_RELOADS = 3
"""Integers an inner loop may read from the stack: with 12 input addresses in 15 registers some have no room."""

DEPTHWISE_RELOADS = 4
"""The same for depthwise convolutions."""

COPIES = r"^vmov[ua]ps\s+%[xyz]mm\d+, %[xyz]mm\d+$|^mov\s+v\d+\.16b"
"""A vector copied from register to register."""

CASES = [
    pytest.param(level, name(tile), tile, id=f"{level}-{name(tile)}")
    for level, target in LEVELS.items()
    for table, name in ((TILES, lambda tile: tile.name), (PAIRED, paired_name))
    for tile in table[target.registers]
]
DEPTHWISE_CASES = [
    pytest.param(n, t, id=f"{n}-{depthwise_name(t)}") for n, level in LEVELS.items() for t in DEPTHWISE[level.registers]
]


@dataclass(frozen=True)
class Loop:
    """The instructions of a basic block that branches to itself, and the function they are from."""

    instructions: tuple[str, ...]
    function: tuple[str, ...]

    def matching(self, pattern: str) -> list[str]:
        return [i for i in self.instructions if re.search(pattern, i)]


@dataclass(frozen=True)
class Dialect:
    """How one machine's assembly spells what is counted, as regular expressions of an instruction."""

    fma: str
    vector: str
    call: str
    branch: str
    stack: str

    def registers(self, instruction: str) -> list[str]:
        return re.findall(self.vector, instruction)


X86 = Dialect(
    fma=r"^vfmadd\d+[ps]s\b",
    vector=r"%([xyz]mm)\d+",
    call=r"^callq?\s+([\w.$]+)",
    branch=r"^j\w+\s+(\.L\w+)",
    stack=r"\(%rsp",
)
NEON = Dialect(
    fma=r"^(fmla|fmadd)\b",
    vector=r"\b(?:v\d+\.(\d+s)|([qds])\d+)",
    call=r"^bl\s+([\w.$]+)",
    branch=r"^(?:b\.\w+|cbn?z|tbn?z)\s.*?(\.L\w+)$",
    stack=r"\[sp\b",
)
DIALECTS = {"x86_64": X86, "aarch64": NEON}


@pytest.fixture(scope="module")
def assembly(tmp_path_factory) -> dict[str, str]:
    """Every level's assembly, each written by a program of its own, two at a time being what a small machine has."""
    folder = tmp_path_factory.mktemp("assembly")
    makers = {
        name: subprocess.Popen(
            [sys.executable, "-m", "fastact.kernels.cpu.build", name, level.registers, str(folder / f"{name}.s")],
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, level in LEVELS.items()
    }
    for name, maker in makers.items():
        _, complaint = maker.communicate(timeout=600)
        assert maker.returncode == 0, f"{name}: {complaint}"
    return {name: (folder / f"{name}.s").read_text() for name in makers}


@pytest.fixture(scope="module")
def functions(assembly) -> dict[str, dict[str, tuple[str, ...]]]:
    return {name: dict(functions_of(text)) for name, text in assembly.items()}


def functions_of(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every function's name with its lines: labels and instructions."""
    name, lines = "", []
    for line in text.splitlines():
        label = re.match(r"([A-Za-z_][\w.$]*):", line)
        if label:
            yield name, tuple(lines)
            name, lines = label[1], []
        elif line.strip() and (line.startswith(".L") or not line.strip().startswith((".", "#", "//"))):
            lines.append(line.strip())
    yield name, tuple(lines)


def inner_loops(functions: dict[str, tuple[str, ...]], name: str, dialect: Dialect) -> list[Loop]:
    """The blocks with multiply-adds that branch to themselves; LLVM may make several of one loop, all of a kind."""
    body = functions[PREFIX + name]
    if not any(re.match(dialect.fma, line) for line in body):  # the exported name only calls the function proper
        (callee,) = {m[1] for line in body if (m := re.match(dialect.call, line))}
        body = functions[callee]
    found, label, block = [], None, []
    for line in body:
        if at := re.match(r"(\.L\w+):", line):
            label, block = at[1], []
            continue
        block.append(line)
        if branch := re.match(dialect.branch, line):
            if branch[1] == label and any(re.match(dialect.fma, i) for i in block):
                found.append(Loop(tuple(block), body))
            label, block = None, []
    assert found, f"{name} has no inner loop"
    return found


def stack_accesses(loop: Loop, dialect: Dialect) -> list[str]:
    """Instructions that read or write the stack, by the frame pointer, too, where the function has one."""
    framed = any(re.match(r"movq\s+%rsp, %rbp|mov\s+x29, sp", line) for line in loop.function)
    return loop.matching(rf"{dialect.stack}|\(%rbp|\[x29" if framed else dialect.stack)


def x86_loads(loop: Loop, width: int) -> tuple[int, int]:
    """How many vectors of weights and how many input values the loop reads."""
    reads = [i for i in loop.matching(r"\(%") if "mm" in i and "%rsp" not in i]
    values = [i for i in reads if "{1to" in i or i.startswith(("vbroadcastss", "vmovss"))]
    return (len(reads) - len(values), len(values)) if width > 1 else (0, len(reads))


def neon_loads(loop: Loop, width: int) -> tuple[int, int]:
    reads = [r for i in loop.matching(r"^(ldr|ldp|ldur)\s+[qsd]\d+") for r in re.findall(r"\b([qds])\d+", i)]
    values = reads.count("s") + len(loop.matching(r"^ld1r"))
    return len(reads) - values, values


LOADS = {"x86_64": x86_loads, "aarch64": neon_loads}


def register_class(machine: str, width: int) -> set[str]:
    """What the operands of a multiply-add of `width` floats are."""
    if machine == "aarch64":
        return {"4s"} if width == 4 else {"2s", "s"}
    return {"zmm" if width == 16 else "ymm" if width == 8 else "xmm"}


@pytest.mark.parametrize(("level", "name", "tile"), CASES)
def test_inner_loop(functions, level: str, name: str, tile: Tile) -> None:
    machine = LEVELS[level].machine
    dialect = DIALECTS[machine]
    for loop in inner_loops(functions[level], name, dialect):
        fmas = loop.matching(dialect.fma)
        assert len(fmas) == tile.pixels // tile.cluster * tile.vectors
        wanted = register_class(machine, tile.width)
        for fma in fmas:
            # NEON multiplies by one lane of a register: v12.s[0] is no vector of its own.
            found = {"".join(r) for r in dialect.registers(re.sub(r"v\d+\.s\[\d\]", "", fma))}
            assert found <= wanted, fma
        weights, values = LOADS[machine](loop, tile.width)
        if tile.width > 1:
            assert weights == tile.vectors, "each vector of weights is loaded once"
            assert values == tile.pixels, "each input value is loaded once"
        else:  # a vector of one float is loaded as an input value is
            assert weights + values == tile.vectors + tile.pixels
        assert not loop.matching(dialect.call)


@pytest.mark.parametrize(("level", "name", "tile"), CASES)
def test_inner_loop_keeps_its_vectors_in_registers(functions, level: str, name: str, tile: Tile) -> None:
    dialect = DIALECTS[LEVELS[level].machine]
    for loop in inner_loops(functions[level], name, dialect):
        on_stack = stack_accesses(loop, dialect)
        assert not [i for i in on_stack if dialect.registers(i)], "vectors are spilled: the tile is too large"
        assert len(on_stack) <= (GPR_RELOADS if dialect is X86 else 0), on_stack
        # AVX-512 has as many registers again: a copy from one to another in the loop means that they do not suffice.
        assert not loop.matching(COPIES)


def test_tiles_that_reload_integers_are_the_largest(functions) -> None:
    """Only tiles that keep 12 input addresses, beside other integers in 15 registers, read any from the stack."""
    reloading = {
        tile.name: tile.pixels
        for level, target in LEVELS.items()
        for tile in TILES[target.registers]
        for loop in inner_loops(functions[level], tile.name, DIALECTS[target.machine])
        if stack_accesses(loop, DIALECTS[target.machine])
    }
    assert set(reloading.values()) <= {12}, reloading


@pytest.mark.parametrize(("level", "tile"), DEPTHWISE_CASES)
def test_depthwise_inner_loop(functions, level: str, tile: Tile) -> None:
    """A vector of weights is loaded once for all pixels, and nothing else but the input's vectors; none is spilled."""
    dialect = DIALECTS[LEVELS[level].machine]
    for loop in inner_loops(functions[level], depthwise_name(tile), dialect):
        fmas = loop.matching(dialect.fma)
        assert len(fmas) == tile.pixels * tile.vectors
        weights, values = LOADS[LEVELS[level].machine](loop, tile.width)
        assert weights + values == tile.vectors + len(fmas)
        assert not loop.matching(dialect.call)
        on_stack = stack_accesses(loop, dialect)
        assert not [i for i in on_stack if dialect.registers(i)], "vectors are spilled: the tile is too large"
        assert len(on_stack) <= (DEPTHWISE_RELOADS if dialect is X86 else 0), on_stack
        assert not loop.matching(COPIES)


@pytest.mark.parametrize("level", LEVELS)
def test_the_peak_is_multiply_adds_and_nothing_else(functions, level: str) -> None:
    """Every chain has its own register, of the widest kind, and the loop loads and stores nothing."""
    target = LEVELS[level]
    dialect, (width, chains) = DIALECTS[target.machine], PEAK[target.registers]
    for loop in inner_loops(functions[level], "f32_multiply_add", dialect):
        fmas = loop.matching(dialect.fma)
        assert len(fmas) % chains == 0  # LLVM may unroll
        assert not [i for i in fmas if "(" in i or "sp" in i]
        for fma in fmas:
            assert {"".join(r) for r in dialect.registers(fma)} == register_class(target.machine, width)
        assert not loop.matching(r"\(%|^(ldr|ldp|str|stp)\b")
        assert not loop.matching(COPIES)


def test_a_teams_words_are_read_and_written_in_order(functions) -> None:
    """ARM's loads and stores may overtake each other: where members meet they must be the ordered kind."""
    for name in ("fastact_work", "fastact_lead"):
        body = " ".join(reached(functions["aarch64"], name))
        assert re.search(r"\b(ldar|ldapr)\b", body), f"{name} reads no word in order"
        assert re.search(r"\b(stlr|ldaddal|stlxr)\b", body), f"{name} writes no word in order"


def reached(functions: dict[str, tuple[str, ...]], name: str) -> Iterator[str]:
    """The instructions of a function and of those it calls by name."""
    waiting, seen = [name], {name}
    while waiting:
        for line in functions[waiting.pop()]:
            yield line
            if (m := re.match(r"^bl?\s+([\w.$]+)", line)) and m[1] in functions and m[1] not in seen:
                seen.add(m[1])
                waiting.append(m[1])


@pytest.mark.parametrize("level", LEVELS)
def test_no_multiply_add_by_function_call(assembly, level: str) -> None:
    """Without the instruction LLVM would call the C library's fma, a hundred times slower."""
    called = set(re.findall(r"^\s(?:callq?|bl|jmp|b)\s+([\w.$]+)", assembly[level], re.MULTILINE))
    assert "erfc" in called  # so calls are found
    assert not {name for name in called if name.startswith("fma")}
    assert not {name for name in called if name.startswith(("Py", "_Py", "NRT_", "numba"))}


@pytest.mark.parametrize("level", LEVELS)
def test_every_multiply_add_is_fused(functions, level: str) -> None:
    """No convolution multiplies and adds in two instructions."""
    target = LEVELS[level]
    for tile in TILES[target.registers]:
        for loop in inner_loops(functions[level], tile.name, DIALECTS[target.machine]):
            assert not loop.matching(r"^(vmulps|vmulss|vaddps|vaddss|fmul|fadd)\b")
