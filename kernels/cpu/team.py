"""A team of threads that walks a table together: the compiled part. threads.py starts and stops it.

All of a team's members meet after every step at a barrier in memory. Between two tables a worker looks for the next
one for about a tenth of a millisecond, so that a loop over frames finds it awake, and then sleeps in a semaphore of
the C library, so that an idle team costs nothing.

The C library's functions come as addresses in the control block, so that the object code needs no symbol of it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from .control import (
    ARRIVED,
    JOB,
    MEETING,
    SEM_POST,
    SEM_WAIT,
    SEMAPHORE_BYTES,
    SEMAPHORES,
    SIZE,
    STEPS,
    STOP,
    TABLE,
    YIELD,
)  # fmt: skip
from .fields import FIELDS, KERNEL
from .simd import call_step, i64

_LOOKS = 50_000
"""Times a worker looks for the next table before it sleeps: about 0.1 ms."""
_PATIENCE = 20_000
"""Times a member looks whether the others have arrived before it offers its core to another thread."""

_I64 = ir.IntType(64)
_I32 = ir.IntType(32)


@intrinsic
def _read(typing_context, address):
    """The int64 at `address`, read after whatever its writer wrote before it."""

    def emit(context, builder, signature, arguments):
        return builder.load_atomic(builder.inttoptr(arguments[0], _I64.as_pointer()), "acquire", 8)

    return types.int64(types.int64), emit


@intrinsic
def _write(typing_context, address, value):
    """Writes the int64 `value` after everything written before."""

    def emit(context, builder, signature, arguments):
        builder.store_atomic(arguments[1], builder.inttoptr(arguments[0], _I64.as_pointer()), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@intrinsic
def _add(typing_context, address, value):
    """Adds `value` to the int64 at `address` and gives what stood there."""

    def emit(context, builder, signature, arguments):
        return builder.atomic_rmw("add", builder.inttoptr(arguments[0], _I64.as_pointer()), arguments[1], "acq_rel")

    return types.int64(types.int64, types.int64), emit


@intrinsic
def _call(typing_context, function, argument):
    """Calls the C function at address `function` with one pointer."""

    def emit(context, builder, signature, arguments):
        kind = ir.FunctionType(_I32, [_I64]).as_pointer()
        builder.call(builder.inttoptr(arguments[0], kind), [arguments[1]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@njit(error_model="numpy", inline="always")
def _meet(control):
    """Waits until the whole team is here."""
    meeting = _read(control + 8 * MEETING)
    if _add(control + 8 * ARRIVED, 1) == i64(control, SIZE) - 1:
        _write(control + 8 * ARRIVED, 0)
        _write(control + 8 * MEETING, meeting + 1)
        return
    looks = 0
    while _read(control + 8 * MEETING) == meeting:
        looks += 1
        if looks > _PATIENCE:
            _call(i64(control, YIELD), 0)


@njit(error_model="numpy", inline="always")
def _walk(control, me):
    """This member's share of every step, the team meeting after each."""
    table, team = i64(control, TABLE), i64(control, SIZE)
    for s in range(i64(control, STEPS)):
        step = table + 8 * FIELDS * s
        call_step(i64(step, KERNEL), step, me, team)
        _meet(control)


def lead(control: Any, table: Any, steps: Any) -> None:
    """Member 0: gives the team a table, does its share, and returns when all is done."""
    _write(control + 8 * TABLE, table)
    _write(control + 8 * STEPS, steps)
    _add(control + 8 * JOB, 1)
    for me in range(1, i64(control, SIZE)):
        _call(i64(control, SEM_POST), i64(control, SEMAPHORES) + SEMAPHORE_BYTES * me)
    _walk(control, 0)


def work(control: Any, me: Any) -> None:
    """Another member: waits for tables and does its share of each, until it is told to stop."""
    job, semaphore = 0, i64(control, SEMAPHORES) + SEMAPHORE_BYTES * me
    while True:
        looks = 0
        while _read(control + 8 * JOB) == job and looks < _LOOKS:
            looks += 1
        _call(i64(control, SEM_WAIT), semaphore)
        if _read(control + 8 * STOP) != 0:
            return
        if _read(control + 8 * JOB) != job:  # else a signal woke it
            job += 1
            _walk(control, me)


def stop(control: Any) -> None:
    """Lets every worker return."""
    _write(control + 8 * STOP, 1)
    for me in range(1, i64(control, SIZE)):
        _call(i64(control, SEM_POST), i64(control, SEMAPHORES) + SEMAPHORE_BYTES * me)
