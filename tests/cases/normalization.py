"""Normalization."""

from __future__ import annotations

import numpy as np

from .build import KERAS2, KERAS3, chain, layer

_ONES = np.ones(3)

NORMALIZATION = (
    chain("bn-plain", (5, 6, 7), layer("BatchNormalization")),
    chain("bn-no-scale", (5, 6, 7), layer("BatchNormalization", scale=False)),
    chain("bn-no-center", (5, 6, 7), layer("BatchNormalization", center=False)),
    chain("bn-neither", (5, 6, 7), layer("BatchNormalization", scale=False, center=False)),
    chain("bn-epsilon", (5, 6, 7), layer("BatchNormalization", epsilon=0.3)),
    chain("bn-axis1", (5, 6, 7), layer("BatchNormalization", axis=1)),
    chain("bn-axis2", (5, 6, 7), layer("BatchNormalization", axis=2)),
    chain("bn-vector", (6,), layer("Dense", 19), layer("BatchNormalization"), layer("Activation", "relu")),
    chain("bn-after-conv", (9, 8, 3), layer("Conv2D", 12, 3, use_bias=False), layer("BatchNormalization")),
    chain("bn-synchronized", (5, 6, 7), layer("BatchNormalization", synchronized=True)),
    chain("bn-sync", (5, 6, 7), lambda k: k.layers.experimental.SyncBatchNormalization(), keras=(KERAS2,)),
    chain("rescaling-scalar", (5, 6, 3), layer("Rescaling", 1 / 127.5, offset=-1.0)),
    chain("rescaling-channels", (5, 6, 3), layer("Rescaling", [0.5, 2.0, -3.0], offset=[0.1, 0.0, 4.0])),
    chain("rescaling-channel-offsets", (5, 6, 3), layer("Rescaling", 1 / 255, offset=[-0.4, -0.5, -0.6])),
    chain("normalization", (5, 6, 3), layer("Normalization")),
    chain("normalization-vector", (6,), layer("Normalization")),
    *(chain(f"normalization-axis{a}", (5, 6, 3), layer("Normalization", axis=a)) for a in (1, -2)),
    chain("normalization-axes", (5, 6, 3), layer("Normalization", axis=(3, 1))),
    chain("normalization-whole", (5, 6, 3), layer("Normalization", axis=None)),
    chain("normalization-numbers", (5, 6, 3), layer("Normalization", mean=0.3, variance=4.0)),
    chain("normalization-lists", (5, 6, 3), layer("Normalization", mean=[0.1, 0.2, 0.3], variance=[1.0, 0.0, 3.0])),
    chain("normalization-whole-numbers", (5, 6, 3), layer("Normalization", axis=None, mean=0.3, variance=4.0)),
    chain(
        "normalization-invert",
        (5, 6, 3),
        layer("Normalization", mean=[0.1, 0.2, 0.3], variance=2.0 * _ONES, invert=True),
    ),
    *(
        chain(f"layer-norm-axis{a}", (5, 6, 7), layer("LayerNormalization", axis=a))
        for a in (-1, 3, 1, (1, 2), (2, 3), (1, 3), (3, 1), (1, 2, 3))
    ),
    chain("layer-norm-vector", (9,), layer("LayerNormalization", epsilon=0.2)),
    chain("layer-norm-tiny-epsilon", (5, 6, 7), layer("LayerNormalization", epsilon=1e-6)),
    chain("layer-norm-no-scale", (5, 6, 7), layer("LayerNormalization", scale=False)),
    chain("layer-norm-no-center", (5, 6, 7), layer("LayerNormalization", center=False, axis=(1, 2))),
    chain("layer-norm-neither", (5, 6, 7), layer("LayerNormalization", scale=False, center=False)),
    chain("layer-norm-rms", (5, 6, 7), layer("LayerNormalization", rms_scaling=True), keras=(KERAS3,)),
    *(chain(f"group-norm-{g}", (5, 6, 12), layer("GroupNormalization", groups=g)) for g in (1, 3, 12, -1)),
    *(chain(f"group-norm-axis{a}", (4, 6, 8), layer("GroupNormalization", groups=2, axis=a)) for a in (1, 2, 3, -2)),
    chain("group-norm-neither", (5, 6, 4), layer("GroupNormalization", groups=2, scale=False, center=False)),
    chain("group-norm-vector", (12,), layer("GroupNormalization", groups=4, epsilon=0.1)),
    chain("unit-norm", (5, 6, 7), layer("UnitNormalization")),
    *(chain(f"unit-norm-axis{a}", (5, 6, 7), layer("UnitNormalization", axis=a)) for a in (1, (1, 2), (1, 2, 3))),
    chain("rms-norm", (5, 6, 7), layer("RMSNormalization"), keras=(KERAS3,)),
    chain("rms-norm-axes", (5, 6, 7), layer("RMSNormalization", axis=(2, 3), epsilon=0.1), keras=(KERAS3,)),
)
