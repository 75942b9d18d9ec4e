"""How inputs are walked through beside an output that they are stretched to."""

from __future__ import annotations

from . import ops


def walk(shape: ops.Shape, *inputs: ops.Shape) -> tuple[list[int], ...]:
    """The output's axes, neighbours taken together where every input goes on evenly, and each input's strides."""
    axes, strides = list(shape), [_strides(i, len(shape)) for i in inputs]
    for a in reversed(range(len(axes) - 1)):
        if all(s[a] == s[a + 1] * axes[a + 1] for s in strides) or axes[a] == 1:
            axes[a] *= axes.pop(a + 1)
            for s in strides:
                del s[a]
    if len(axes) > 4:
        raise ValueError(f"inputs of {inputs} alternate too often")
    padding = 4 - len(axes)
    return [1] * padding + axes, *([0] * padding + s for s in strides)


def _strides(shape: ops.Shape, rank: int) -> list[int]:
    """Floats from one value to the next along each of the output's axes: 0 where the input is stretched."""
    shape = (1,) * (rank - len(shape)) + shape
    strides, step = [0] * rank, 1
    for a in reversed(range(rank)):
        strides[a] = step if shape[a] > 1 else 0
        step *= shape[a]
    return strides
