"""PyTorch with cuDNN on the GPU: channels last, float32 without TF32, eager and as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional

from benchmarks.common import BenchmarkError
from benchmarks.cuda_program import Sample
from fastact.bench.peers.network import INPUT, Conv, Network

_WARM_UP = 5


class Rival:
    """The maps of a network's convolutions for a batch of bytes on the GPU, (frames, rows, columns, channels).

    Attributes:
        version: PyTorch's and cuDNN's.
        samples: what can be timed, by name.
    """

    def __init__(self, network: Network, batch: npt.NDArray[np.uint8]) -> None:
        """Raises BenchmarkError: the network has more than convolutions with relu."""
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = True  # it may measure which of its kernels is fastest
        self.version = f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"
        self._network = network
        self._batch = torch.from_numpy(batch).cuda()
        self._layers = [_layer(step) for step in network.steps]
        self.samples: dict[str, Sample] = {"torch, eager": self._eager, "torch, graph": self._replayed}
        self._graph: torch.cuda.CUDAGraph | None = None
        self._captured: dict[str, torch.Tensor] = {}

    def maps(self) -> dict[str, npt.NDArray[np.float32]]:
        """Every map as (frames, rows, columns, filters)."""
        with torch.inference_mode():
            made = self._forward()
        torch.cuda.synchronize()
        return {name: m.permute(0, 2, 3, 1).cpu().numpy() for name, m in made.items()}

    def _forward(self) -> dict[str, torch.Tensor]:
        # Channels last in memory: the batch is only seen from another side.
        made = {INPUT: self._batch.permute(0, 3, 1, 2).to(torch.float32).mul_(1 / 255)}
        for step, layer in zip(self._network.steps, self._layers, strict=True):
            made[step.name] = layer(made[step.inputs[0]])
        return {name: made[name] for name in self._network.outputs}

    def _eager(self, count: int) -> float:
        with torch.inference_mode():
            return _timed(count, self._forward)

    def _replayed(self, count: int) -> float:
        if self._graph is None:
            self._capture()
        assert self._graph is not None
        return _timed(count, self._graph.replay)

    def _capture(self) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream), torch.inference_mode():
            for _ in range(_WARM_UP):
                self._forward()
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph), torch.inference_mode():
            self._captured = self._forward()


def device_name() -> str | None:
    """The GPU that PyTorch would use, or None."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _layer(step: object) -> Callable[[torch.Tensor], torch.Tensor]:
    if not isinstance(step, Conv) or step.function not in _AFTER:
        raise BenchmarkError(f"PyTorch is only given convolutions with relu, and not {step!r:.80}")
    (top, bottom, left, right), after = step.pads, _AFTER[step.function]
    kernel = torch.from_numpy(np.ascontiguousarray(step.weights.transpose(3, 2, 0, 1))).cuda()
    kernel, bias = kernel.contiguous(memory_format=torch.channels_last), torch.from_numpy(step.bias).cuda()
    if (top, left) != (bottom, right):
        raise BenchmarkError(f"{step.name!r} is padded on one side more than on the other")
    return lambda x: after(functional.conv2d(x, kernel, bias, step.strides, (top, left), step.dilation, step.groups))


_AFTER: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {"linear": lambda x: x, "relu": torch.relu_}


def _timed(count: int, run: Callable[[], object]) -> float:
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(count):
        run()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end))
