"""What every CUDA kernel needs, and what a board could do with it at most: known without a GPU.

    python -m benchmarks.cuda_resources [--write docs/cuda.md]

Every kernel is compiled for each target and assembled for each board's GPU; registers, shared memory and local memory
are what `ptxas -v` prints, and how many of them a multiprocessor holds at once follows from these. The tables in
docs/cuda.md, between their marks, are written by this command and by no hand.

Exit status: 0; 1 where a kernel has local memory or spills that are not listed here; 2 where the tools are missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import cuda_projection
from benchmarks.common import Section, markdown, replace_file, run_command, table
from benchmarks.cuda_build import Built, Resources, built, versions
from fastact.kernels.cuda.boards import BOARDS, Board
from fastact.kernels.cuda.catalog import KERNELS
from fastact.kernels.cuda.occupancy import Occupancy, occupancy

LOCAL: dict[str, str] = {}
"""Kernels that are known to have local memory or to spill registers, each with the reason."""

DOUBLE: dict[str, str] = {}
"""Kernels that compute in float64, each with the reason: boards have few lanes for it, 1 for 32 of float32."""

HEAD = ("kernels", "threads", "shared, bytes", *(board.name for board in BOARDS))
_NAMED = 3
"""Kernels that a row names; of more it gives the number."""


def resources(made: Built) -> str:
    """The table of resources, and what goes with it, in Markdown."""
    parts = [
        f"Assembled by {versions()}. For each GPU: registers of a thread, and the warps that a multiprocessor holds at "
        "once, of those it could, with what keeps others out where they are fewer. Kernels alike share a row.",
        markdown(HEAD, rows(made)),
        _local(made),
    ]
    return "\n\n".join(parts)


def rows(made: Built) -> list[tuple[str, ...]]:
    """The table's rows: kernels of one module that fill every GPU, or that do so equally little, are one."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, kernel in KERNELS.items():
        held = tuple(occupied(made, name, board) for board in BOARDS)
        groups.setdefault(
            (kernel.module, kernel.threads, made.needs[BOARDS[0].capability][name].shared, held), []
        ).append(name)
    return [_row(made, names) for names in groups.values()]


def occupied(made: Built, name: str, board: Board) -> Occupancy:
    """What a multiprocessor of `board` holds of a kernel."""
    needs = made.needs[board.capability][name]
    return occupancy(board.capability, KERNELS[name].threads, needs.registers, needs.shared)


def _row(made: Built, names: Sequence[str]) -> tuple[str, ...]:
    kernel = KERNELS[names[0]]
    needs = made.needs[BOARDS[0].capability][names[0]]
    title = ", ".join(f"`{name}`" for name in names) if len(names) <= _NAMED else f"{len(names)} of {kernel.module}"
    return (title, str(kernel.threads), str(needs.shared), *(_cell(made, names, board) for board in BOARDS))


def _cell(made: Built, names: Sequence[str], board: Board) -> str:
    registers = [made.needs[board.capability][name].registers for name in names]
    held, most = occupied(made, names[0], board), board.each.warps
    spread = str(registers[0]) if len(set(registers)) == 1 else f"{min(registers)}–{max(registers)}"
    return f"{spread}: {held.warps} of {most}" + ("" if held.warps == most else f", {held.limit}")


def unlisted(made: Built) -> list[str]:
    """Kernels with local memory or spills on some chip that `LOCAL` does not list."""
    found = dict.fromkeys(name for needs in made.needs.values() for name, need in needs.items() if _in_memory(need))
    return [name for name in found if name not in LOCAL]


def _in_memory(needs: Resources) -> bool:
    return needs.stack > 0 or needs.spills > 0


def _local(made: Built) -> str:
    if not LOCAL:
        return "No kernel has local memory or spills registers."
    listed = (f"- `{name}`: {reason}" for name, reason in LOCAL.items())
    return "Local memory and spilled registers have these kernels alone:\n\n" + "\n".join(listed)


RESOURCES = Section("resources")


def sections(made: Built) -> Mapping[Section, str]:
    """Everything that the command writes."""
    return {RESOURCES: resources(made), cuda_projection.PROJECTION: cuda_projection.document(made)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cuda_resources", description=__doc__)
    parser.add_argument("--write", type=Path, help="the document to write into, such as docs/cuda.md")
    options = parser.parse_args(argv)
    made = built()
    print(table(HEAD, rows(made)))
    if options.write:
        text = options.write.read_text()
        for section, body in sections(made).items():
            text = section.write(text, body)
        replace_file(options.write, text)
    for name in unlisted(made):
        print(f"{name} has local memory or spills registers, and is not listed", file=sys.stderr)
    return 1 if unlisted(made) else 0


if __name__ == "__main__":
    run_command(main)
