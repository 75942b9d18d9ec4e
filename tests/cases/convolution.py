"""Convolutions."""

from __future__ import annotations

from typing import Any

from .build import Case, chain, conv, graph, layer


def _in_turn(x: Any, *layers: Any) -> Any:
    for one in layers:
        x = one(x)
    return x


def one(name: str, class_name: str, shape: tuple[int, ...], *args: Any, keras: Any = None, **kwargs: Any) -> Case:
    """A row of one layer."""
    maker = layer(class_name, *args, **kwargs)
    return chain(name, shape, maker, keras=keras) if keras else chain(name, shape, maker)


CONVOLUTIONS = (
    conv("plain", (9, 11, 3), 8, 3),
    conv("stride2", (20, 17, 3), 12, 5, strides=2),
    conv("stride3", (20, 17, 4), 7, 3, strides=3),
    conv("stride-wider-than-window", (17, 19, 5), 9, 2, strides=3),
    conv("strides-unequal", (15, 22, 3), 16, 3, strides=(1, 3)),
    conv("strides-unequal-same", (15, 22, 3), 16, (2, 5), strides=(3, 2), padding="same"),
    conv("same", (10, 9, 6), 13, 3, padding="same"),
    conv("same-even-window", (10, 9, 6), 5, (2, 4), padding="same"),
    conv("same-stride2", (11, 14, 3), 24, 5, strides=2, padding="same"),
    conv("same-window-wider-than-map", (3, 4, 2), 10, 7, padding="same"),
    conv("same-in-capitals", (8, 8, 3), 4, 3, padding="SAME"),
    conv("dilation2", (16, 15, 3), 12, 3, dilation_rate=2),
    conv("dilation-unequal-same", (16, 15, 3), 11, 3, dilation_rate=(3, 2), padding="same"),
    conv("dilation-rows-only", (16, 15, 3), 11, 3, dilation_rate=(2, 1)),
    conv("groups2", (9, 8, 6), 8, 3, groups=2),
    conv("groups3-odd", (9, 8, 6), 15, 3, groups=3, padding="same"),
    conv("groups-many-filters", (9, 8, 4), 132, 3, groups=2),
    conv("groups-one-channel", (9, 8, 8), 8, 3, groups=8, strides=2),
    conv("groups-two-filters-a-channel", (9, 8, 8), 16, 3, groups=8),
    conv("groups-dilation", (13, 12, 4), 6, 3, groups=2, dilation_rate=2),
    conv("no-bias", (9, 8, 3), 12, 3, use_bias=False),
    conv("no-bias-relu", (9, 8, 3), 12, 3, use_bias=False, activation="relu"),
    conv("1x1", (7, 9, 16), 24, 1),
    conv("1x1-stride2", (7, 9, 16), 24, 1, strides=2),
    conv("1x7", (9, 12, 3), 6, (1, 7)),
    conv("7x1", (9, 12, 3), 6, (7, 1)),
    conv("window-is-map", (6, 5, 4), 20, (6, 5)),
    conv("map-1x1", (1, 1, 5), 24, 1),
    conv("map-1x1-same", (1, 1, 5), 33, 3, padding="same"),
    conv("map-2x2", (2, 2, 3), 12, 2),
    conv("map-2x2-same", (2, 2, 3), 31, 3, padding="same"),
    conv("wide", (3, 120, 3), 12, 3),
    conv("wide-one-row", (1, 90, 4), 12, (1, 3)),
    conv("tall", (120, 3, 3), 12, 3),
    conv("tall-one-column", (90, 1, 4), 12, (3, 1)),
    conv("one-channel", (12, 12, 1), 12, 3),
    conv("many-channels", (6, 7, 130), 24, 3),
    conv("deep", (5, 6, 512), 16, 3),
    *(conv(f"filters{n}", (8, 9, 3), n, 3) for n in (1, 2, 3, 5, 7, 12, 13, 24, 31, 33, 48, 64, 100, 130)),
    *(conv(f"filters{n}-one-pixel", (3, 3, 4), n, 3) for n in (1, 3, 7, 13, 33, 100)),
    graph(
        "conv-article",
        ((48, 64, 3),),
        lambda k, x: _in_turn(
            x, *(k.layers.Conv2D(f, n, strides=2, activation="relu") for f, n in ((12, 5), (24, 5), (48, 5), (64, 3)))
        ),
    ),
)


ALONG_ONE_AXIS = (
    one("conv1d-plain", "Conv1D", (20, 5), 8, 3),
    one("conv1d-one-step", "Conv1D", (1, 5), 8, 1, activation="relu"),
    one("conv1d-stride3", "Conv1D", (20, 5), 13, 4, strides=3, activation="tanh"),
    one("conv1d-same", "Conv1D", (20, 5), 12, 4, padding="same", use_bias=False),
    one("conv1d-same-stride2", "Conv1D", (21, 3), 24, 5, strides=2, padding="same"),
    one("conv1d-causal", "Conv1D", (20, 5), 8, 3, padding="causal"),
    one("conv1d-causal-dilation", "Conv1D", (20, 5), 8, 3, padding="causal", dilation_rate=4),
    one("conv1d-causal-stride", "Conv1D", (20, 5), 8, 4, padding="causal", strides=3),
    one("conv1d-dilation", "Conv1D", (30, 4), 7, 3, dilation_rate=5),
    one("conv1d-groups", "Conv1D", (20, 6), 9, 3, groups=3),
)

VOLUMES = (
    one("conv3d-plain", "Conv3D", (6, 7, 8, 3), 8, 3),
    one("conv3d-pilot", "Conv3D", (5, 12, 16, 3), 16, 3, strides=(1, 3, 3), padding="same", activation="relu"),
    one("conv3d-same", "Conv3D", (4, 7, 6, 5), 12, (2, 3, 4), padding="same"),
    one("conv3d-strides", "Conv3D", (7, 9, 8, 2), 13, (2, 3, 1), strides=(2, 1, 3), use_bias=False),
    one("conv3d-dilation", "Conv3D", (9, 8, 9, 3), 7, 3, dilation_rate=2),
    one("conv3d-one-plane", "Conv3D", (1, 8, 9, 3), 33, (1, 3, 3)),
    one("conv3d-window-is-map", "Conv3D", (3, 4, 5, 2), 6, (3, 4, 5)),
)

DEPTHWISE = (
    *(one(f"depthwise-channels{n}", "DepthwiseConv2D", (8, 9, n), 3) for n in (1, 3, 8, 13, 16, 40)),
    one("depthwise-same", "DepthwiseConv2D", (8, 9, 5), 3, padding="same", activation="relu6"),
    one("depthwise-same-stride2", "DepthwiseConv2D", (9, 12, 5), 5, strides=2, padding="same"),
    one("depthwise-stride3", "DepthwiseConv2D", (19, 12, 5), (3, 3), strides=3, use_bias=False),
    one("depthwise-window-wider-than-map", "DepthwiseConv2D", (3, 4, 6), 7, padding="same"),
    one("depthwise-wide-window", "DepthwiseConv2D", (5, 12, 6), (2, 7)),
    one("depthwise-dilation", "DepthwiseConv2D", (12, 13, 6), 3, dilation_rate=2),
    one("depthwise-dilation-same", "DepthwiseConv2D", (9, 9, 6), 3, dilation_rate=(3, 3), padding="same"),
    one("depthwise-multiplier2", "DepthwiseConv2D", (8, 9, 5), 3, depth_multiplier=2, padding="same"),
    one("depthwise-multiplier7", "DepthwiseConv2D", (8, 9, 3), 2, depth_multiplier=7, strides=2, activation="elu"),
    one("depthwise1d", "DepthwiseConv1D", (20, 5), 3, activation="relu"),
    one("depthwise1d-same", "DepthwiseConv1D", (20, 5), 4, strides=2, padding="same", depth_multiplier=3),
    one("depthwise1d-dilation", "DepthwiseConv1D", (20, 5), 3, dilation_rate=2, use_bias=False),
    one("separable", "SeparableConv2D", (8, 9, 5), 12, 3),
    one("separable-same", "SeparableConv2D", (8, 9, 5), 7, 3, padding="same", activation="relu", use_bias=False),
    one("separable-strides", "SeparableConv2D", (11, 9, 5), 7, (3, 2), strides=2, depth_multiplier=2, padding="same"),
    one("separable-dilation", "SeparableConv2D", (11, 12, 4), 9, 3, dilation_rate=2),
    one("separable1d", "SeparableConv1D", (20, 5), 8, 3, activation="swish"),
    one("separable1d-same", "SeparableConv1D", (21, 5), 8, 4, strides=2, padding="same", depth_multiplier=2),
)

TRANSPOSED = (
    one("transposed-plain", "Conv2DTranspose", (5, 6, 4), 7, 3),
    one("transposed-same", "Conv2DTranspose", (5, 6, 4), 7, 3, padding="same", activation="relu"),
    one("transposed-same-even-window", "Conv2DTranspose", (5, 6, 4), 12, (2, 4), padding="same"),
    one("transposed-latent", "Conv2DTranspose", (4, 5, 8), 16, 3, strides=2, activation="relu"),
    *(
        one(f"transposed-{padding}-{k}-by-{s}", "Conv2DTranspose", (4, 5, 3), 6, k, strides=s, padding=padding)
        for padding in ("valid", "same")
        for k, s in ((1, 2), (2, 2), (3, 2), (4, 2), (5, 2), (2, 3), (5, 3), (7, 4))
    ),
    one("transposed-unequal", "Conv2DTranspose", (4, 5, 3), 6, (5, 2), strides=(1, 3), padding="same", use_bias=False),
    one("transposed-one-cell", "Conv2DTranspose", (1, 1, 3), 6, (5, 2), strides=(2, 3), activation="tanh"),
    *(
        one(
            f"transposed-{padding}-output-padding-{k}-by-{s}-{extra}",
            "Conv2DTranspose",
            (4, 5, 3),
            6,
            k,
            strides=s,
            padding=padding,
            output_padding=extra,
            activation="relu",
        )
        for padding in ("valid", "same")
        for k, s, extra in ((3, 2, 0), (3, 2, 1), (4, 2, 1), (2, 3, 2), (5, 4, 3), (7, 3, 1))
    ),
    one("transposed-dilation", "Conv2DTranspose", (6, 7, 3), 6, 3, dilation_rate=2),
    one("transposed-dilation-same", "Conv2DTranspose", (6, 7, 3), 6, 3, dilation_rate=3, padding="same"),
    one("transposed1d", "Conv1DTranspose", (9, 4), 5, 3),
    one("transposed1d-same", "Conv1DTranspose", (9, 4), 5, 4, strides=3, padding="same", activation="relu"),
    one("transposed1d-output-padding", "Conv1DTranspose", (9, 4), 5, 3, strides=2, output_padding=1),
)
