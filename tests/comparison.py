"""A Keras model's every map beside fastact's and a float64 reference's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import KERAS3, Case, frames, randomize
from oracles import Arrays, keras_maps, largest_difference, reference_maps

import fastact

FRAMES = 4

_RIGHT_SINCE = {"output-padding": (3, 15), "layer-norm-axis(3, 1)": (3, 14), "rms-norm-axes": (3, 14)}
"""By part of a case's name the version of Keras 3 before which Keras did it wrong: it wrote no output_padding to files,
took the axes of LayerNormalization in the order given, and no tuple of axes for RMSNormalization."""


def skip_what_is_wrong(case: Case, keras: Any) -> None:
    """Skip the test of a case that this version of Keras does wrong."""
    version = tuple(int(number) for number in keras.__version__.split(".")[:2])
    for part, since in _RIGHT_SINCE.items():
        if part in case.id and keras.__name__ == KERAS3 and version < since:
            pytest.skip(f"Keras {keras.__version__} does this wrong; {since[0]}.{since[1]} is the first that does not")


def all_maps(case: Case, keras: Any, path: Path, count: int = FRAMES) -> tuple[Arrays, Arrays, Arrays]:
    """All maps of a few frames: Keras's, fastact's, and the float64 reference's, frames along the first axis."""
    skip_what_is_wrong(case, keras)
    keras.backend.clear_session()
    original = case.make(keras)
    randomize(original)
    original.save(path)
    model = fastact.load(path)
    inputs = frames({name: tuple(shape) for name, shape in model.input_shapes.items()}, count)
    extract = fastact.Extractor(model, "all")
    _assert_archive_is_the_same(original, path.with_suffix(".keras"), extract, inputs)
    theirs, ours, exact = [], [], []
    for i in range(count):
        frame = {name: batch[i] for name, batch in inputs.items()}
        # One frame at a time, as fastact does: TensorFlow adds up in another order for a batch.
        theirs.append(keras_maps(original, {name: batch[None, i] for name, batch in inputs.items()}))
        maps = extract(frame if len(frame) > 1 else next(iter(frame.values())))
        assert maps.missing == {}
        assert {name: maps[name].shape for name in maps} == {node.name: node.shape for node in model.nodes}
        assert all(np.array_equal(maps[name], array) for name, array in frame.items())
        ours.append(maps)
        exact.append(reference_maps(model, frame))
    assert set(theirs[0]) == {node.name for node in model.nodes if not node.is_input}
    names = list(theirs[0])
    return (
        {name: np.concatenate([maps[name] for maps in theirs]) for name in names},
        {name: np.stack([maps[name] for maps in ours]) for name in names},
        {name: np.stack([maps[name] for maps in exact]) for name in names},
    )


def _assert_archive_is_the_same(original: Any, path: Path, extract: fastact.Extractor, inputs: Arrays) -> None:
    """The same model saved as .keras has the same layers and gives the same maps, to the bit."""
    try:
        original.save(path)
    except TypeError as error:  # tf-keras writes no slice with "..." into an archive
        if "Ellipsis" in str(error):
            return
        raise
    model = fastact.load(path)
    assert _described(model) == _described(extract.model)
    assert (model.inputs, model.outputs) == (extract.model.inputs, extract.model.outputs)
    frame = {name: batch[0] for name, batch in inputs.items()}
    expected, maps = extract(frame), fastact.Extractor(model, "all")(frame)
    assert maps.missing == {}
    assert all(np.array_equal(maps[name], expected[name], equal_nan=True) for name in expected)


def _described(model: fastact.Model) -> list[tuple[object, ...]]:
    """The nodes; an .h5 file has "Custom>" before the names of classes that Keras has registered itself."""
    return [(n.name, n.class_name.removeprefix("Custom>"), n.shape) for n in model.nodes]


def assert_is_tensorflows(name: str, ours: np.ndarray, theirs: np.ndarray, exact: np.ndarray) -> None:
    """The map of layer `name` is TensorFlow's, and at most twice as far from the exact one."""
    assert ours.shape == theirs.shape, name
    assert ours.dtype == np.float32, name
    largest = np.max(np.abs(theirs))
    assert largest_difference(ours, theirs) <= 1e-5 * largest, name
    # The largest of a few hundred rounding errors is as much luck as skill, and TensorFlow may have been exactly
    # right: two units in the last place of the layer's largest value are let pass. test_exactness allows none.
    allowed = 2 * largest_difference(theirs, exact) + 2 * np.spacing(np.float32(largest))
    assert largest_difference(ours, exact) <= allowed, name
