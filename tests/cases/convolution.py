"""Convolutions."""

from __future__ import annotations

from typing import Any

from .build import conv, graph


def _in_turn(x: Any, *layers: Any) -> Any:
    for one in layers:
        x = one(x)
    return x


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
