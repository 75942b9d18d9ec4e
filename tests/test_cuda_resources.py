"""Every CUDA kernel without a GPU: it compiles for all targets, the assembler takes it, and docs/cuda.md says so."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fastact.kernels.cuda.boards import NANO, ORIN_NANO
from fastact.kernels.cuda.build import TARGETS
from fastact.kernels.cuda.catalog import KERNELS
from fastact.kernels.cuda.occupancy import Occupancy

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # benchmarks is run from the repository, not installed

from benchmarks import cuda_build, cuda_projection, cuda_resources  # noqa: E402
from benchmarks.common import BenchmarkError, Section  # noqa: E402
from benchmarks.cuda_build import CHIPS, Built, Resources  # noqa: E402

needs_compiler = pytest.mark.skipif(cuda_build.missing() is not None, reason=str(cuda_build.missing()))
DOCUMENT = ROOT / "docs" / "cuda.md"


@pytest.fixture(scope="module")
def built() -> Built:
    return cuda_build.built()


@needs_compiler
def test_every_kernel_compiles_for_every_target_and_assembles_for_every_board(built: Built):
    assert set(built.ptx) == set(TARGETS)
    assert set(built.needs) == set(CHIPS)
    for made in (*built.ptx.values(), *built.needs.values()):
        assert list(made) == list(KERNELS)


@needs_compiler
def test_no_kernel_has_local_memory_or_spills_but_those_listed(built: Built):
    assert cuda_resources.unlisted(built) == []
    assert set(cuda_resources.LOCAL) <= set(KERNELS)


@needs_compiler
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_ptx_is_as_old_as_promised_and_computes_in_float32(built: Built, target: tuple[int, int]):
    """The assembler, which has taken all of it, refuses what is newer than the version that a module says it needs."""
    for name, text in built.ptx[target].items():
        assert re.search(r"^\.version (.*)$", text, re.MULTILINE)[1] == TARGETS[target], name
        assert re.search(r"^\.target (.*)$", text, re.MULTILINE)[1] == "sm_{}{}".format(*target), name
        assert re.findall(r"\.entry (\w+)", text) == [name]
        if name not in cuda_resources.DOUBLE:
            assert not re.search(r"\.f64\b", text), f"{name} computes in float64"
        if name not in cuda_resources.LOCAL:
            assert not re.search(r"^\s*\.local\b", text, re.MULTILINE), f"{name} has an array in local memory"


@needs_compiler
def test_ptx_is_that_of_the_program_which_a_user_runs(built: Built):
    """For one target alone, in another order: Numba numbers shared arrays as they come, and orders them by chance."""
    texts = built.ptx[8, 7]
    names = [name for name in reversed(KERNELS) if texts[name].count(".visible .shared") > 1]
    code = f"from fastact.kernels.cuda import build; print([build.compile_ptx(name, (8, 7)) for name in {names}])"
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_ENABLE_CUDASIM"}
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert len(names) > 3
    assert ast.literal_eval(made.stdout) == [texts[name] for name in names]


@needs_compiler
def test_the_assembler_minds_the_version():
    newer = ".version 6.0\n.target sm_50\n.address_size 64\n.visible .entry k() { .reg .b32 %r<2>; %s ret; }"
    assert cuda_build.assemble(newer.replace("%s", "mov.u32 %r1, 0;"), (5, 3)) == Resources(2, 0, 0, 0)
    with pytest.raises(BenchmarkError, match="ptxas refuses"):
        cuda_build.assemble(newer.replace("%s", "activemask.b32 %r1;"), (5, 3))


@needs_compiler
def test_every_board_holds_a_block_of_every_kernel(built: Built):
    for name in KERNELS:
        for board in cuda_resources.BOARDS:
            assert cuda_resources.occupied(built, name, board).blocks >= 1, (name, board.name)


@needs_compiler
def test_the_document_is_up_to_date(built: Built):
    """Registers are compared where they were counted by the same tools; threads and shared memory depend on none."""
    text = DOCUMENT.read_text()
    written = cuda_resources.RESOURCES.read(text)
    fresh = cuda_resources.resources(built)
    stale = "docs/cuda.md is out of date: make cuda-report"
    if cuda_build.versions() in written:
        assert written == fresh, stale
    assert _said(written) == _said(fresh), stale
    assert cuda_projection.PROJECTION.read(text).startswith(f"**{cuda_projection.LABEL}.**")


def _said(table: str) -> set[tuple[str, ...]]:
    """The threads and the shared memory of each row."""
    return {tuple(line.strip("| ").split(" | ")[1:3]) for line in table.splitlines() if line.startswith("| ")}


REPORT = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'conv' for 'sm_53'
ptxas info    : Function properties for conv
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 127 registers, used 1 barriers, 16 bytes cumulative stack size, 12544 bytes smem, 424 bytes cmem[0]
"""


def test_what_the_assembler_prints_is_read():
    assert cuda_build.parse(REPORT) == Resources(registers=127, shared=12544, stack=16, spills=20)


def test_a_gpu_takes_the_highest_target_it_reaches():
    taken = {(5, 3): (5, 0), (7, 2): (7, 2), (8, 6): (7, 2), (8, 7): (8, 7), (9, 0): (9, 0), (12, 0): (9, 0)}
    assert {chip: cuda_build.target_of(chip) for chip in taken} == taken


def _all_need(needs: Resources) -> Built:
    return Built({}, {chip: dict.fromkeys(KERNELS, needs) for chip in CHIPS})


@pytest.mark.parametrize("needs", [Resources(32, 0, 8, 0), Resources(32, 0, 0, 4)])
def test_local_memory_and_spills_are_found(needs: Resources):
    assert cuda_resources.unlisted(_all_need(needs)) == [name for name in KERNELS if name not in cuda_resources.LOCAL]
    assert cuda_resources.unlisted(_all_need(Resources(32, 0, 0, 0))) == []


def test_kernels_alike_share_a_row():
    rows = cuda_resources.rows(_all_need(Resources(32, 0, 0, 0)))
    assert len(rows) < len(KERNELS)
    assert len({row[:3] for row in rows}) == len(rows)
    scale = next(row for row in rows if "u8_f32_scale" in row[0] or "moving" in row[0])
    assert scale[1:] == ("256", "0", "32: 64 of 64", "32: 64 of 64", "32: 48 of 48", "32: 64 of 64")


def test_a_section_is_written_between_its_marks():
    section = Section("made")
    text = "before\n<!-- made: begin -->\n\nold\n\n<!-- made: end -->\nafter\n"
    assert section.read(text) == "old"
    new = section.write(text, "new")
    assert new == "before\n<!-- made: begin -->\n\nnew\n\n<!-- made: end -->\nafter\n"
    assert section.write(new, "new") == new


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- made: begin -->",
        "<!-- made: end --><!-- made: begin -->",
        "<!-- made: begin --><!-- made: end -->" * 2,
    ],
)
def test_a_section_without_its_marks_is_refused(text: str):
    with pytest.raises(BenchmarkError, match="must be there once"):
        Section("made").write(text, "new")


@pytest.mark.parametrize(
    ("blocks", "warps", "held", "busy"),
    [
        (7, 8, 4, 7.0),  # all on the one multiprocessor, every round with warps for all four parts
        (1, 2, 16, 2.0),  # two warps: half the parts idle
        (5, 2, 4, 4 + 2.0),  # a full round, then one block alone
        (3, 1, 2, 2 * 2.0 + 4.0),
    ],
)
def test_idle_parts_cost_time(blocks: int, warps: int, held: int, busy: float):
    assert cuda_projection.busy(blocks, 32 * warps, Occupancy(held, held * warps, "registers"), NANO) == busy


def test_the_fullest_multiprocessor_counts():
    assert cuda_projection.busy(9, 256, Occupancy(4, 32, "registers"), ORIN_NANO) == 2.0
