"""Layers that shift and scale values: by statistics in the file, or by those of the frame itself."""

from __future__ import annotations

import math

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.kernels.ops import Scaling
from fastact.layers.base import (
    Layer,
    Shape,
    Tape,
    Value,
    floats,
    frame_axes,
    frame_axis,
    known,
    register,
    show,
)
from fastact.layers.config import Config


@register("BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization")
class BatchNormalization(Layer):
    """gamma * (x - moving_mean) / sqrt(moving_variance + epsilon) + beta, as Keras infers."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.axis = frame_axis(config.entries.get("axis", -1), "batch normalization along axis")
        self.epsilon = config.number("epsilon", 1e-3)
        self.scale, self.center = config.flag("scale", True), config.flag("center", True)

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        if not -len(inputs[0]) <= self.axis < len(inputs[0]):
            raise self.config.fail("axis", f"one of the {len(inputs[0])} axes of its input")
        shape = known((inputs[0][self.axis],))
        names = ["gamma"] * self.scale + ["beta"] * self.center + ["moving_mean", "moving_variance"]
        return dict.fromkeys(names, shape)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        return inputs[0]

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        variance = self.weights["moving_variance"].astype(np.float64)
        scale = 1.0 / np.sqrt(variance + self.epsilon)
        if self.scale:
            scale = scale * self.weights["gamma"]
        offset = self.weights["beta"] if self.center else np.zeros(len(variance), np.float32)
        op = ops.Affine(self.weights["moving_mean"], scale.astype(np.float32), offset, self.axis)
        return tape.emit(op, inputs[0])


@register("Rescaling")
class Rescaling(Layer):
    """x * scale + offset, each a number or one a channel."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.scale, self.offset = config.numbers("scale", 1.0), config.numbers("offset", 0.0)

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        (channels,) = known(inputs[0][-1:])
        floats(self.scale, channels), floats(self.offset, channels)
        return inputs[0]

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        channels = inputs[0].shape[-1]
        scale, offset = floats(self.scale, channels), floats(self.offset, channels)
        return tape.emit(ops.Affine(np.zeros(channels, np.float32), scale, offset), inputs[0])


@register("Normalization")
class Normalization(Layer):
    """(x - mean) / max(sqrt(variance), 1e-7), or back again with `invert`; both from weights or configuration.

    `axis` names the axes along which mean and variance have values of their own.
    """

    FLOOR = 1e-7
    """Keras's epsilon, which no file holds."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.axis, self.invert = config.entries.get("axis", -1), config.flag("invert", False)
        self.configured = config.array("mean"), config.array("variance")
        if (self.configured[0] is None) != (self.configured[1] is None):
            raise config.fail("variance", "given where mean is")

    def _kept(self, shape: Shape) -> tuple[int, ...]:
        if self.axis is None or self.axis == []:
            return ()
        return tuple(sorted(frame_axes(self.axis, len(shape), "normalization along axis")))

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        shape = known(tuple(inputs[0][a] for a in self._kept(inputs[0])))
        return {} if self.configured[0] is not None else {"mean": shape, "variance": shape}

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        kept = known(tuple(inputs[0][a] for a in self._kept(inputs[0])))
        for array in self.configured:
            if array is not None and (array.ndim > len(kept) or not _stretches(array.shape, kept)):
                fit = f"its statistics of {show(array.shape)} do not fit its input of {show(inputs[0])}"
                raise UnsupportedError(fit)
        return inputs[0]

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        kept, shape = self._kept(inputs[0].shape), inputs[0].shape
        broadcast = tuple(n if a in kept else 1 for a, n in enumerate(shape))
        mean, variance = self.configured
        if mean is None or variance is None:
            mean, variance = self.weights["mean"], self.weights["variance"]
        mean, variance = (np.broadcast_to(v, [shape[a] for a in kept]).reshape(broadcast) for v in (mean, variance))
        deviation = np.maximum(np.sqrt(variance), np.float32(self.FLOOR))
        chain = (ops.Merge.SUBTRACT, mean), (ops.Merge.DIVIDE, deviation)
        if self.invert:
            chain = (ops.Merge.MULTIPLY, deviation), (ops.Merge.ADD, mean)
        value = inputs[0]
        for function, array in chain:
            value = tape.emit(ops.BinaryConstant(function, np.ascontiguousarray(array)), value)
        return value


def _stretches(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether `shape` can be stretched to `target` as NumPy does."""
    return all(n in (1, m) for n, m in zip(reversed(shape), reversed(target), strict=False))


class OwnStatistics(Layer):
    """A layer that scales values by statistics of the frame."""

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        known(inputs[0])
        return inputs[0]


def _scaled(
    tape: Tape, value: Value, axes: tuple[int, ...], gamma: ops.Floats | None, beta: ops.Floats | None
) -> Value:
    """`value` times `gamma` plus `beta`, those of them there are, which lie along `axes`."""
    shape = value.shape
    if axes == (len(shape) - 1,) and not (gamma is None and beta is None):  # one pass over memory instead of two
        zeros = np.zeros(shape[-1], np.float32)
        return tape.emit(
            ops.Affine(zeros, zeros + 1 if gamma is None else gamma, zeros if beta is None else beta), value
        )
    broadcast = tuple(n if a in axes else 1 for a, n in enumerate(shape))
    for array, function in ((gamma, ops.Merge.MULTIPLY), (beta, ops.Merge.ADD)):
        if array is not None:
            value = tape.emit(ops.BinaryConstant(function, array.reshape(broadcast)), value)
    return value


@register("LayerNormalization")
class LayerNormalization(OwnStatistics):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, mean and variance being those along `axis`.

    With `rms_scaling` neither mean nor beta takes part, as Keras 3 computes it.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.epsilon, self.rms_scaling = config.number("epsilon", 1e-3), config.flag("rms_scaling", False)
        self.scale = config.flag("scale", True) or self.rms_scaling
        self.center = config.flag("center", True) and not self.rms_scaling

    def _axes(self, shape: Shape) -> tuple[int, ...]:
        axes = frame_axes(self.config.entries.get("axis", -1), len(shape), "layer normalization along axis")
        return tuple(sorted(axes)) if self.config.keras3 else axes

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        shape = known(tuple(inputs[0][a] for a in self._axes(inputs[0])))
        return dict.fromkeys(["gamma"] * self.scale + ["beta"] * self.center, shape)

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        axes = tuple(sorted(self._axes(inputs[0].shape)))
        scaling = Scaling.VARIANCE if self.rms_scaling else Scaling.MOMENTS
        value = tape.emit(ops.Standardize(scaling, _from_the_end(axes, inputs[0]), self.epsilon), inputs[0])
        return _scaled(tape, value, axes, self.weights.get("gamma"), self.weights.get("beta"))


def _from_the_end(axes: tuple[int, ...], value: Value) -> tuple[int, ...]:
    return tuple(a - len(value.shape) for a in axes)


@register("GroupNormalization")
class GroupNormalization(OwnStatistics):
    """As layer normalization, over all of the frame but in `groups` of `axis`, each by itself; -1: as many as cells."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.groups = config.integer("groups", 32, low=-1)
        self.axis, self.epsilon = config.entries.get("axis", -1), config.number("epsilon", 1e-3)
        self.scale, self.center = config.flag("scale", True), config.flag("center", True)

    def _along(self, shape: Shape) -> tuple[int, int, int]:
        """The axis, its length, and how many groups that makes."""
        (axis,) = frame_axes([self.axis], len(shape), "group normalization along axis")
        (length,) = known((shape[axis],))
        groups = length if self.groups == -1 else self.groups
        if not groups or length % groups:
            raise UnsupportedError(f"{length} channels do not go into {groups} groups")
        return axis, length, groups

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        return dict.fromkeys(["gamma"] * self.scale + ["beta"] * self.center, (self._along(inputs[0])[1],))

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        shape = inputs[0].shape
        axis, length, groups = self._along(shape)
        grouped = (math.prod(shape[:axis]), groups, length // groups, math.prod(shape[axis + 1 :]))
        value = tape.emit(ops.Reshape(grouped), inputs[0])
        value = tape.emit(ops.Standardize(Scaling.MOMENTS, (0, 2, 3), self.epsilon), value)
        value = tape.emit(ops.Reshape(shape), value)
        return _scaled(tape, value, (axis,), self.weights.get("gamma"), self.weights.get("beta"))


@register("RMSNormalization")
class RMSNormalization(OwnStatistics):
    """scale * x / sqrt(mean of x^2 + epsilon), the mean being that along `axis`."""

    def _axes(self, shape: Shape) -> tuple[int, ...]:
        axis = self.config.entries.get("axis", -1)
        axes = tuple(sorted(frame_axes(axis, len(shape), "RMS normalization along axis")))
        if axes != tuple(range(len(shape) - len(axes), len(shape))):  # Keras lays its weights along the last ones
            raise UnsupportedError(
                f"RMS normalization along {str(axis)[:60]} is not computed, only along the last axes"
            )
        return axes

    def weight_shapes(self, *inputs: Shape) -> dict[str, tuple[int, ...]]:  # noqa: D102
        return {"scale": known(tuple(inputs[0][a] for a in self._axes(inputs[0])))}

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        axes, epsilon = self._axes(inputs[0].shape), self.config.number("epsilon", 1e-6)
        op = ops.Standardize(Scaling.MEAN_SQUARE, _from_the_end(axes, inputs[0]), epsilon)
        return _scaled(tape, tape.emit(op, inputs[0]), axes, self.weights["scale"], None)


@register("UnitNormalization")
class UnitNormalization(OwnStatistics):
    """x over its length along `axis`."""

    def output_shape(self, *inputs: Shape) -> Shape:  # noqa: D102
        self._axes(inputs[0])
        return super().output_shape(*inputs)

    def _axes(self, shape: Shape) -> tuple[int, ...]:
        return frame_axes(self.config.entries.get("axis", -1), len(shape), "unit normalization along axis")

    def lower(self, tape: Tape, *inputs: Value) -> Value:  # noqa: D102
        # Keras 3 bounds the factor by 1e12, Keras 2 the sum of squares by 1e-12.
        floor = 1e-24 if self.config.keras3 else 1e-12
        axes = _from_the_end(self._axes(inputs[0].shape), inputs[0])
        return tape.emit(ops.Standardize(Scaling.NORM, axes, floor), inputs[0])
