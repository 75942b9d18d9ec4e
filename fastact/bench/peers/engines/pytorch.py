"""PyTorch on the CPU: oneDNN, channels last."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as functional

from fastact.bench.peers.network import (
    INPUT,
    Activation,
    Array,
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    Floats,
    GlobalAverage,
    Merge,
    Network,
    Pad,
    Pads,
    PeerError,
    Pool,
    Step,
    Upsample,
)

Run = Callable[..., torch.Tensor]


class Engine:
    """Steps one by one in inference mode, a convolution's own relu in place.

    TorchScript's optimised graph and oneDNN's convolutions with a fused relu were slower (PyTorch 2.13, both sizes).
    """

    def __init__(self, network: Network, frame: Array, threads: int, inside: bool) -> None:
        torch.set_num_threads(threads)
        self.version = torch.__version__
        self._steps = [(_MAKERS[type(s)](s), s.inputs, s.name) for s in network.steps]
        self._outputs = network.outputs
        self._feed: Callable[[], torch.Tensor] = lambda: self._frame
        if frame.dtype == np.uint8:
            self._feed = (lambda: _floats(frame)) if inside else (lambda: _turned(frame * np.float32(1 / 255)))
            self._frame = self._feed()
        else:
            self._frame = _turned(frame)

    def run(self) -> list[Floats]:
        """NHWC memory in and out; the arrays are views of the tensors."""
        with torch.inference_mode():
            made = {INPUT: self._feed()}
            for run, inputs, name in self._steps:
                made[name] = run(*[made[i] for i in inputs])
            return [made[name].numpy() for name in self._outputs]

    def maps(self, result: object) -> Sequence[Floats]:
        """Channels moved last, the batch axis dropped."""
        return [m[0].transpose(1, 2, 0) if m.ndim == 4 else m[0] for m in cast("list[Floats]", result)]


def _turned(frame: Array) -> torch.Tensor:
    """An array of (rows, columns, channels) as NCHW in its own memory: channels last."""
    return torch.from_numpy(frame).permute(2, 0, 1)[None]


def _floats(frame: Array) -> torch.Tensor:
    return _turned(frame).to(torch.float32, memory_format=torch.channels_last).mul_(1 / 255)


def _tensor(array: Array) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


_FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "linear": lambda x: x,
    "relu": torch.relu,
    "relu6": functional.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softmax": lambda x: torch.softmax(x, 1),
}
_IN_PLACE = _FUNCTIONS | {"relu": torch.relu_, "relu6": lambda x: functional.relu6(x, inplace=True)}


def _padded(x: torch.Tensor, pads: Pads, value: float = 0.0) -> torch.Tensor:
    top, bottom, left, right = pads
    return functional.pad(x, (left, right, top, bottom), value=value)


def _conv(step: Conv) -> Run:
    kernel, bias, after = _tensor(step.weights.transpose(3, 2, 0, 1)), _tensor(step.bias), _IN_PLACE[step.function]
    top, bottom, left, right = step.pads
    if (top, left) == (bottom, right):
        return lambda x: after(
            functional.conv2d(x, kernel, bias, step.strides, (top, left), step.dilation, step.groups)
        )
    return lambda x: after(
        functional.conv2d(_padded(x, step.pads), kernel, bias, step.strides, 0, step.dilation, step.groups)
    )


def _conv_transpose(step: ConvTranspose) -> Run:
    kernel, bias, after = _tensor(step.weights.transpose(3, 2, 0, 1)), _tensor(step.bias), _IN_PLACE[step.function]
    top, bottom, left, right = step.crops
    if (top, left) == (bottom, right):
        return lambda x: after(functional.conv_transpose2d(x, kernel, bias, step.strides, (top, left)))
    rows, columns = slice(top, top + step.shape[0]), slice(left, left + step.shape[1])
    return lambda x: after(functional.conv_transpose2d(x, kernel, bias, step.strides)[:, :, rows, columns])


def _dense(step: Dense) -> Run:
    weights, bias, after = _tensor(step.weights.T), _tensor(step.bias), _IN_PLACE[step.function]
    return lambda x: after(functional.linear(x, weights, bias))


def _batch_norm(step: BatchNorm) -> Run:
    mean, variance, gamma, beta = (_tensor(a) for a in (step.mean, step.variance, step.gamma, step.beta))
    return lambda x: functional.batch_norm(x, mean, variance, gamma, beta, eps=step.epsilon)


def _pool(step: Pool) -> Run:
    (top, bottom, left, right), largest = step.pads, step.kind == "max"
    if (top, left) == (bottom, right) and largest:
        return lambda x: functional.max_pool2d(x, step.size, step.strides, (top, left))
    if (top, left) == (bottom, right):
        return lambda x: functional.avg_pool2d(x, step.size, step.strides, (top, left), count_include_pad=False)
    if largest:
        return lambda x: functional.max_pool2d(_padded(x, step.pads, -math.inf), step.size, step.strides)
    raise PeerError(f"PyTorch's mean pools take no padding on one side alone: {step.name!r} has it")


def _flat(x: torch.Tensor) -> torch.Tensor:
    return (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).reshape(1, -1)


def _upsample(step: Upsample) -> Run:
    if step.interpolation == "nearest":
        return lambda x: functional.interpolate(x, scale_factor=step.size, mode="nearest")
    return lambda x: functional.interpolate(x, scale_factor=step.size, mode="bilinear", align_corners=False)


_MAKERS: dict[type[Step], Callable[[Any], Run]] = {
    Activation: lambda step: _FUNCTIONS[step.function],
    BatchNorm: _batch_norm,
    Concat: lambda step: lambda *xs: torch.cat(xs, 1),
    Conv: _conv,
    ConvTranspose: _conv_transpose,
    Dense: _dense,
    Flatten: lambda step: _flat,
    GlobalAverage: lambda step: lambda x: x.mean((2, 3)),
    Merge: lambda step: torch.add if step.kind == "add" else torch.mul,
    Pad: lambda step: lambda x: _padded(x, step.pads),
    Pool: _pool,
    Upsample: _upsample,
}
