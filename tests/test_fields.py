"""Receptive fields against the kernels: a map's rows change with just those rows of the picture that they see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from oracles import handmade

from fastact.extractor import Extractor
from fastact.fields import receptive_fields

ACTIVE = {"activation": "linear"}
CHAINS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "valid": (
        ("Conv2D", {"filters": 2, "kernel_size": [5, 3], "strides": 2}),
        ("Conv2D", {"filters": 2, "kernel_size": 3, "dilation_rate": 2}),
    ),
    "same": (
        ("Conv2D", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}),
        ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same"}),
        ("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}),
    ),
    "around": (
        ("ZeroPadding2D", {"padding": [[1, 2], [3, 0]]}),
        ("Conv2D", {"filters": 2, "kernel_size": 3}),
        ("Cropping2D", {"cropping": [[2, 1], [0, 2]]}),
        ("MaxPooling2D", {"pool_size": 2}),
        ("Activation", {"activation": "tanh"}),
        ("Dense", {"units": 2}),
    ),
    "larger": (
        ("Conv2D", {"filters": 2, "kernel_size": 3, "strides": 2}),
        ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2}),
        ("UpSampling2D", {"size": [2, 3]}),
        ("Conv2D", {"filters": 1, "kernel_size": 2}),
    ),
    "woven": (
        ("Conv2DTranspose", {"filters": 2, "kernel_size": 4, "strides": 3, "padding": "same"}),
        ("Conv2D", {"filters": 1, "kernel_size": 2, "strides": 3}),
    ),
    "resampled": (
        ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}),
        ("Resizing", {"height": 9, "width": 31}),
    ),
}


def chain(*layers: tuple[str, dict[str, Any]], first: bool = False) -> Any:
    shape = (2, 17, 19) if first else (17, 19, 2)
    listed: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, *shape]}}
    ]
    for i, (name, config) in enumerate(layers):
        order = {"data_format": "channels_first"} if first and name not in ("Activation", "Dense") else {}
        listed.append({"class_name": name, "config": {"name": f"l{i}", **config, **order}})
    return handmade({"class_name": "Sequential", "config": {"name": "m", "layers": listed}})


@pytest.mark.parametrize("first", [False, True], ids=["channels_last", "channels_first"])
@pytest.mark.parametrize("name", CHAINS)
def test_a_row_changes_with_what_it_sees(name: str, first: bool, random: np.random.Generator) -> None:
    model = chain(*CHAINS[name], first=first)
    fields, extract = receptive_fields(model), Extractor(model, "all")
    frame = random.random(model.input_shapes["in"], np.float32)
    before = extract(frame)
    for axis, which in ((1, "rows"), (2, "columns")) if first else ((0, "rows"), (1, "columns")):
        sees = {n: np.zeros((a.shape[axis], frame.shape[axis]), bool) for n, a in before.items() if a.ndim == 3}
        for cell in range(frame.shape[axis]):
            other = frame.copy()
            for change in (1e3, -1e3):  # the largest of a window may stay what it is
                np.moveaxis(other, axis, 0)[cell] = change
                for layer, array in extract(other).items():
                    if layer in sees:
                        changed = np.moveaxis(array != before[layer], axis, 0)
                        sees[layer][:, cell] |= changed.reshape(len(changed), -1).any(axis=1)
        for layer, seen in sees.items():
            if name == "around" and first and layer in ("l4", "l5"):  # a dense layer then mixes columns
                continue
            field = fields[layer]
            assert field is not None, layer
            for cell, (start, stop) in enumerate(getattr(field, which).tolist()):
                expected = np.zeros(seen.shape[1], bool)
                expected[start:stop] = True
                np.testing.assert_array_equal(seen[cell] & expected, seen[cell], f"{layer} {which} {cell}")
                if stop > start:
                    assert seen[cell, [start, stop - 1]].all(), f"{layer} {which} {cell}: {seen[cell]}"


def test_what_sees_everything_has_no_field() -> None:
    model = chain(("Conv2D", {"filters": 2, "kernel_size": 3}), ("GlobalAveragePooling2D", {}), ("Dense", {"units": 3}))
    fields = receptive_fields(model)
    assert fields["l0"] is not None
    assert fields["l0"].rectangle(3, 4) == (3, 4, 6, 7)
    assert fields["l1"] is None
    assert fields["l2"] is None
