"""The table of cases: one row a thing a layer can be asked to do, built by any Keras.

A row builds a small Keras model from the `keras` namespace it is given, so that the same row is written by Keras 3 and
by tf_keras (Keras 2). The tests of layers run every row; golden files and benchmarks take rows from here too.

To cover a new layer, add a row to its family: a test fails for a registered layer that no row uses.
"""

from __future__ import annotations

from .activation import ACTIVATIONS_KERAS2, ACTIVATIONS_KERAS3, FUNCTIONS
from .applications import APPLICATIONS
from .build import BOTH, KERAS2, KERAS3, Case, chain, frames, graph, layer, randomize
from .channels_first import CHANNELS_FIRST
from .convolution import ALONG_ONE_AXIS, CONVOLUTIONS, DEPTHWISE, TRANSPOSED, VOLUMES
from .core import DENSE, PASSING
from .functions import CALLED
from .measured import MEASURED, MEASURED_CONVOLUTIONS
from .merging import ELEMENTWISE, JOINING, TWO_INPUTS
from .normalization import NORMALIZATION
from .pooling import POOLS
from .recurrent import RECURRENT
from .resizing import RESIZING
from .shaping import SHAPING
from .wiring import WIRING

CASES: tuple[Case, ...] = (
    *CONVOLUTIONS, *ALONG_ONE_AXIS, *VOLUMES, *DEPTHWISE, *TRANSPOSED, *FUNCTIONS, *PASSING, *NORMALIZATION, *SHAPING,
    *RESIZING, *DENSE, *POOLS, *CHANNELS_FIRST, *ELEMENTWISE, *TWO_INPUTS, *JOINING, *RECURRENT, *WIRING, *CALLED,
    *APPLICATIONS, *MEASURED,
)  # fmt: skip

__all__ = [
    "ACTIVATIONS_KERAS2",
    "ACTIVATIONS_KERAS3",
    "BOTH",
    "CASES",
    "KERAS2",
    "KERAS3",
    "MEASURED",
    "MEASURED_CONVOLUTIONS",
    "Case",
    "chain",
    "frames",
    "graph",
    "layer",
    "randomize",
]
