"""The small model of `hostile.py`, read and compared, and its configuration alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from hostile import (
    WANTED,
    configuration,
    ramp,
    read,
)


def check_small_model(path: Path, **options: Any) -> None:
    weights = read(path, **options)
    assert list(weights) == list(WANTED)
    for (name,), of_layer in weights.items():
        for leaf, values in of_layer.items():
            assert values.dtype == np.float32
            assert values.flags.c_contiguous
            assert values.flags.owndata
            np.testing.assert_array_equal(values, ramp(*WANTED[(name,)][leaf]))


def architecture(path: Path, config: object = None, **more: object) -> Path:
    path.write_text(json.dumps({**(configuration() if config is None else config), **more}))
    return path
