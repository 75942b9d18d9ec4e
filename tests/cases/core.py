"""Dense layers, and layers that pass their input on."""

from __future__ import annotations

from .build import KERAS2, KERAS3, chain, layer

PASSING = (
    *(
        chain(f"pass-{name}", (5, 6, 4), layer(name, *args))
        for name, *args in (
            ("Dropout", 0.5), ("SpatialDropout2D", 0.5), ("AlphaDropout", 0.5), ("GaussianDropout", 0.5),
            ("GaussianNoise", 0.5), ("ActivityRegularization",), ("Identity",),
        )
    ),
    chain("pass-SpatialDropout1D", (5, 6), layer("SpatialDropout1D", 0.5)),
    chain("pass-SpatialDropout3D", (3, 4, 5, 2), layer("SpatialDropout3D", 0.5)),
    *(
        chain(f"pass-{name}", (6, 8, 3), layer(name, *args))
        for name, *args in (
            ("RandomFlip",), ("RandomRotation", 0.2), ("RandomZoom", 0.2), ("RandomTranslation", 0.1, 0.1),
            ("RandomContrast", 0.2),
        )
    ),
    *(
        chain(f"pass-{name}", (6, 8, 3), layer(name, *args), keras=(KERAS3,))
        for name, *args in (
            ("RandomColorJitter",), ("RandomElasticTransform",), ("RandomErasing",), ("RandomGaussianBlur",),
            ("RandomGrayscale",), ("RandomHue", 0.5), ("RandomInvert", 0.5), ("RandomPerspective",),
            ("RandomShear", 0.1, 0.1), ("AugMix",), ("CutMix",), ("MixUp",), ("RandAugment",),
        )
    ),
    chain("pass-RandomBrightness", (6, 8, 3), layer("RandomBrightness", 0.2), keras=(KERAS2,)),
    chain("pass-between", (8, 8, 3), layer("Conv2D", 6, 3), layer("Dropout", 0.3), layer("Conv2D", 5, 3)),
)  # fmt: skip


DENSE = (
    *(chain(f"dense-units{n}", (23,), layer("Dense", n)) for n in (1, 2, 3, 5, 7, 12, 13, 24, 33, 50, 100, 130)),
    chain("dense-one-input", (1,), layer("Dense", 9)),
    chain("dense-rank2", (6, 7), layer("Dense", 10)),
    chain("dense-rank3", (4, 5, 7), layer("Dense", 18, activation="relu")),
    chain("dense-no-bias", (23,), layer("Dense", 10, use_bias=False, activation="relu")),
    chain("dense-long", (20_000,), layer("Dense", 12)),
    chain("dense-6656", (6656,), layer("Dense", 100, activation="relu"), layer("Dense", 50, activation="relu")),
)
