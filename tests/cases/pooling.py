"""Pools."""

from __future__ import annotations

from .build import chain, layer

POOLS = tuple(
    case
    for name, class_name in (("max", "MaxPooling2D"), ("average", "AveragePooling2D"))
    for case in (
        chain(f"{name}-2", (9, 8, 5), layer(class_name, 2)),
        chain(f"{name}-3", (11, 10, 5), layer(class_name, 3)),
        chain(f"{name}-3x2", (11, 10, 5), layer(class_name, (3, 2))),
        chain(f"{name}-overlap", (11, 10, 5), layer(class_name, 3, strides=1)),
        chain(f"{name}-skip", (11, 10, 5), layer(class_name, 2, strides=(3, 4))),
        chain(f"{name}-same", (11, 10, 5), layer(class_name, 3, strides=2, padding="same")),
        chain(f"{name}-same-wide", (5, 4, 5), layer(class_name, 5, strides=1, padding="same")),
        chain(f"{name}-same-odd", (7, 9, 5), layer(class_name, 2, padding="same")),
        chain(f"{name}-all", (4, 6, 3), layer(class_name, (4, 6))),
        chain(f"global-{name}", (7, 9, 13), layer("Global" + class_name)),
        chain(
            f"global-{name}-keepdims", (7, 9, 13), layer("Global" + class_name, keepdims=True), layer("Conv2D", 4, 1)
        ),
        chain(f"{name}1d", (11, 5), layer(class_name.replace("2D", "1D"), 2)),
        chain(f"{name}1d-same", (11, 5), layer(class_name.replace("2D", "1D"), 3, strides=2, padding="same")),
        chain(f"{name}3d", (5, 7, 6, 4), layer(class_name.replace("2D", "3D"), 2)),
        chain(f"{name}3d-pilot", (5, 7, 6, 4), layer(class_name.replace("2D", "3D"), (1, 2, 2))),
        chain(
            f"{name}3d-same",
            (5, 7, 6, 4),
            layer(class_name.replace("2D", "3D"), (2, 3, 2), strides=(1, 2, 3), padding="same"),
        ),
        chain(f"global-{name}1d", (9, 13), layer("Global" + class_name.replace("2D", "1D"))),
        chain(f"global-{name}1d-keepdims", (9, 13), layer("Global" + class_name.replace("2D", "1D"), keepdims=True)),
        chain(f"global-{name}3d", (3, 4, 5, 7), layer("Global" + class_name.replace("2D", "3D"))),
        chain(
            f"global-{name}3d-keepdims", (3, 4, 5, 7), layer("Global" + class_name.replace("2D", "3D"), keepdims=True)
        ),
    )
)
