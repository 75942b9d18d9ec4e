"""A plan for the CPU: a table of steps that one native call walks for a frame.

Neighbouring instructions are put together in bands that run strip by strip (:mod:`fastact.kernels.cpu.bands`).
"""

from __future__ import annotations

from collections.abc import Sequence

from fastact.kernels.cpu import bands, encode
from fastact.kernels.cpu.library import Library
from fastact.kernels.cpu.memory import ALIGNMENT
from fastact.kernels.cpu.steps import Row, Table
from fastact.kernels.cpu.threads import Team
from fastact.layout import ARENA, FIRST_INPUT, OUTPUTS, Layout, Stretch
from fastact.recording import Recording


class CpuPlan:
    """The table of steps for a recording, ready to run.

    Attributes:
        stretches: all steps of the table in order, as far as they can be timed one from another.
        outputs: where each wanted map lies in a block of `output_bytes`.
        arena_bytes: scratch memory a run needs beside it.
        inputs: the names of the inputs that are used, in the order in which `run` takes their addresses.
    """

    def __init__(self, recording: Recording, library: Library, members: int = 1) -> None:
        """`members` is the size of the team that will run it; any team can."""
        recorder, kept = recording.recorder, recording.results.values()
        banded = bands.band(recorder.program, {recorder.root(v) for v in kept}, recorder.root, members)
        layout = Layout(recording, banded, ALIGNMENT, encode.runs_in_place)
        self.inputs, self.outputs = recording.inputs, layout.outputs
        self.output_bytes, self.arena_bytes = layout.output_bytes, layout.arena_bytes
        rows: list[Row] = []
        stretches: list[Stretch] = []
        for i, band in enumerate(banded):
            first = len(rows)
            rows += bands.rows(band, layout.place, layout.scratch(i), library.registers)
            multiplied = sum(i.op.multiply_adds(*(v.shape for v in i.inputs)) for i in band.instructions)
            stretches.append(Stretch(first, len(rows), recording.makers(band.instructions), multiplied))
        self.stretches = tuple(stretches)
        self.table = Table(rows, FIRST_INPUT + len(recording.given), library.kernel)

    def run(self, team: Team, inputs: Sequence[int], arena: int, outputs: int) -> None:
        """Computes the wanted maps.

        Args:
            team: the threads that do it.
            inputs: the addresses of :attr:`inputs`, in that order.
            arena: the address of `arena_bytes`.
            outputs: the address of `output_bytes`.
        """
        self.table.place(ARENA, arena)
        self.table.place(OUTPUTS, outputs)
        for i, address in enumerate(inputs):
            self.table.place(FIRST_INPUT + i, address)
        team.run(self.table.address, self.table.steps)
