"""PyTorch on the CPU: oneDNN, channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
import torch.nn.functional as functional

from benchmarks.chain import Chain, Floats


class Engine:
    """Convolutions one by one in inference mode, relu in place."""

    def __init__(self, chain: Chain, frame: Floats) -> None:
        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
        self.version = torch.__version__
        self._convs = [(c, self._kernel(c.weights), torch.from_numpy(c.bias.copy())) for c in chain.convs]
        nchw = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)[np.newaxis]))
        self._frame = nchw.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def _kernel(weights: Floats) -> torch.Tensor:
        kernel = torch.from_numpy(np.ascontiguousarray(weights.transpose(3, 2, 0, 1)))
        return kernel.contiguous(memory_format=torch.channels_last)

    def run(self) -> list[Floats]:
        """NHWC memory in and out; the arrays are views of the tensors."""
        made = []
        with torch.inference_mode():
            x = self._frame
            for conv, kernel, bias in self._convs:
                if any(conv.pads):
                    top, bottom, left, right = conv.pads
                    x = functional.pad(x, (left, right, top, bottom))
                x = functional.conv2d(x, kernel, bias, conv.strides, 0, conv.dilation, conv.groups)
                if conv.relu:
                    x = x.relu_()
                made.append(x.numpy())
        return made

    def maps(self, result: object) -> Sequence[Floats]:
        """Channels moved last, the batch axis dropped."""
        return [m[0].transpose(1, 2, 0) for m in cast("list[Floats]", result)]
