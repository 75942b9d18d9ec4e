"""What the table of layers says that a class reads and uses, which is found in its code."""

from __future__ import annotations

import pytest

from fastact.layers import registry
from fastact.layers.functions.calls import FunctionCall
from fastact.layers.reading import read
from fastact.layers.table import EXACTNESS, markdown

LAYERS = {layer: name for name, layer in registry().items()}


@pytest.mark.parametrize(
    ("name", "entries", "operations"),
    [
        ("Dense", {"units", "use_bias", "activation"}, {"Dense", "Elementwise"}),
        ("Softmax", {"axis"}, {"RowWise"}),
        ("Concatenate", {"axis"}, {"Concat"}),
        ("Dropout", set(), set()),
        (
            "LSTM",
            {
                "units",
                "use_bias",
                "activation",
                "recurrent_activation",
                "return_sequences",
                "return_state",
                "go_backwards",
                "time_major",
            },
            {"Dense", "Binary"},
        ),
        ("GroupNormalization", {"groups", "axis", "epsilon", "scale", "center"}, {"Standardize", "Affine"}),
    ],
)
def test_what_a_class_reads(name: str, entries: set[str], operations: set[str]):
    reading = read(registry()[name])
    assert set(reading.entries) == entries
    assert operations <= reading.operations


@pytest.mark.parametrize("layer", [x for x in LAYERS if not issubclass(x, FunctionCall)], ids=lambda x: LAYERS[x])
def test_every_operation_a_layer_uses_has_an_exactness(layer: type):
    moving = {"Concat", "Crop", "FromBytes", "Interleave", "Pad", "Repeat", "Reshape", "Slice", "Transpose"}
    known = moving.union(*(operations for _, _, operations in EXACTNESS))
    plain = {
        "Op",
        "Floats",
        "Shape",
        "Pads",
        "Sides",
        "Merge",
        "Unary",
        "Row",
        "Scaling",
        "Total",
        "PoolKind",
        "Window",
    }
    assert read(layer).operations - plain <= known


def test_no_row_is_empty():
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert not [row for row in rows if row.startswith("|  |")]
