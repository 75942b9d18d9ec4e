"""What engines are told to compute: a model's file, at which size, and which of its maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastact.bench.peers.network import Network, network_of
from fastact.graph import Model, load


@dataclass(frozen=True)
class Task:
    """Plain data, so that a process can be told.

    Attributes:
        path: of the model's file; `config` describes the network of a file of weights alone.
        size: (rows, columns) its weights are run at; None for the file's own.
        wanted: the layers whose maps are computed.
    """

    path: str
    wanted: tuple[str, ...]
    size: tuple[int, int] | None = None
    config: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Task:
        """From what JSON made of it."""
        size = values["size"]
        return cls(
            values["path"], tuple(values["wanted"]), None if size is None else (size[0], size[1]), values["config"]
        )

    def model(self) -> Model:
        """The model, planned for the size."""
        model = load(self.path, config=self.config)
        return model if self.size is None else model.at_size(self.size)

    def network(self, model: Model) -> Network:
        """The wanted maps as engines are given them; raises PeerError as :func:`network_of` does."""
        return network_of(model, self.wanted)
