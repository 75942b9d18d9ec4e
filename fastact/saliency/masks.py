"""From strengths to masks of 0 to 1."""

from __future__ import annotations

import numpy as np

from fastact.errors import InputError
from fastact.kernels.ops import Floats


def normalized(strength: Floats) -> Floats:
    """Strengths, float32 of any shape, from their least (0) to their largest (1); zeros where all are the same.

    Raises InputError for strengths with NaN or infinity.
    """
    low, high = float(strength.min()), float(strength.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError("the network's maps hold NaN or infinity for this frame, so that no mask comes of them")
    if low == high:
        return np.zeros_like(strength)
    mask = (strength - np.float32(low)) * np.float32(1 / (high - low)) if high - low > 1e-30 else None
    if mask is None:  # the factor would be infinite in float32
        mask = ((strength.astype(np.float64) - low) / (high - low)).astype(np.float32)
    return np.clip(mask, 0, 1, out=mask)
