"""Normalization."""

from __future__ import annotations

from .build import KERAS2, chain, layer

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
)
