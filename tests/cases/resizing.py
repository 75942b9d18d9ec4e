"""Maps and pictures in another size."""

from __future__ import annotations

from .build import BOTH, KERAS2, KERAS3, Case, chain, layer

_KERAS2_ONLY = ("area", "gaussian", "mitchellcubic")


def _keras(interpolation: str) -> tuple[str, ...]:
    return (KERAS2,) if interpolation in _KERAS2_ONLY else BOTH


def _every(interpolation: str) -> tuple[Case, ...]:
    keras = _keras(interpolation)
    return (
        chain(
            f"upsampling-{interpolation}",
            (5, 7, 4),
            layer("UpSampling2D", (2, 3), interpolation=interpolation),
            keras=keras,
        ),
        *(
            chain(
                f"resizing-{interpolation}-{rows}x{columns}",
                (9, 14, 3),
                layer("Resizing", rows, columns, interpolation=interpolation),
                keras=keras,
            )
            for rows, columns in ((18, 28), (4, 5), (13, 9), (9, 14), (1, 1), (7, 41))
        ),
    )


RESIZING = (
    *(
        case
        for name in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", *_KERAS2_ONLY)
        for case in _every(name)
    ),
    *(
        chain(
            f"resizing-antialias-{interpolation}",
            (19, 24, 3),
            layer("Resizing", 7, 31, interpolation=interpolation, antialias=True),
            keras=(KERAS3,),
        )
        for interpolation in ("nearest", "bilinear", "bicubic", "lanczos3")
    ),
    chain("upsampling-default", (4, 5, 3), layer("UpSampling2D"), layer("Conv2D", 4, 3)),
    chain("upsampling1d", (7, 3), layer("UpSampling1D", 3)),
    chain("upsampling3d", (3, 4, 2, 5), layer("UpSampling3D", (2, 3, 4))),
    chain("upsampling3d-default", (3, 4, 2, 5), layer("UpSampling3D")),
    chain("resizing-crop-columns", (9, 20, 3), layer("Resizing", 6, 7, crop_to_aspect_ratio=True)),
    chain("resizing-crop-rows", (19, 8, 3), layer("Resizing", 12, 11, crop_to_aspect_ratio=True)),
    chain("resizing-pad-rows", (9, 20, 3), layer("Resizing", 6, 7, pad_to_aspect_ratio=True), keras=(KERAS3,)),
    chain("resizing-pad-columns", (19, 8, 3), layer("Resizing", 12, 11, pad_to_aspect_ratio=True), keras=(KERAS3,)),
    chain("center-crop", (9, 12, 3), layer("CenterCrop", 4, 7), layer("Conv2D", 4, 3)),
    chain("center-crop-nothing", (9, 12, 3), layer("CenterCrop", 9, 12)),
    chain("center-crop-larger", (9, 12, 3), layer("CenterCrop", 12, 11)),
)
