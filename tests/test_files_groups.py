"""Which group of weights is whose: as every Keras has counted its layers, and what must not be guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import (
    arrays,
    groups,
    layer,
    members,
    numbered,
    ramp,
    read,
    write_archive,
    write_model,
)

from fastact.errors import FileError
from fastact.files.numbered_paths import snake_case


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("Conv2D", "conv2d"),
        ("Conv2DTranspose", "conv2d_transpose"),
        ("BatchNormalization", "batch_normalization"),
        ("LSTM", "lstm"),
        ("SimpleRNN", "simple_rnn"),
        ("PReLU", "p_re_lu"),
        ("TFOpLambda", "tf_op_lambda"),
        ("my.package>MyConv2D", "my_conv2d"),
    ],
)
def test_names_of_groups(class_name: str, name: str) -> None:
    assert snake_case(class_name) == name


def dense(name: str, **more: object) -> dict[str, Any]:
    return {**layer("Dense", name, units=2), **more}


def model(name: str, *layers: dict[str, Any], **more: object) -> dict[str, Any]:
    return {**layer("Functional", name, layers=list(layers)), **more}


def found(
    tmp_path: Path, config: dict[str, Any], groups_of: list[str], version: str, paths: list[tuple[str, ...]]
) -> list[int]:
    """For layers of one bias each, which of the groups each of them gets; group `i` holds the number `i`."""
    weights = numbered(weights={group: [np.full(1, i, np.float32)] for i, group in enumerate(groups_of)})
    path = write_archive(tmp_path / "a.keras", members(weights, config, version))
    weights = read(path, {one: {"bias": (1,)} for one in paths})
    return [int(weights[one]["bias"][0]) for one in paths]


OUTER = model(
    "m", dense("a"), model("inner", dense("shared"), dense("b")), dense("shared", shared_object_id=1), dense("c")
)
PATHS = [("a",), ("inner", "shared"), ("inner", "b"), ("shared",), ("c",)]


@pytest.mark.parametrize("version", ["3.0.0", "3.15.0"])
def test_keras_3_counts_a_shared_layer_twice_and_saves_it_once(tmp_path: Path, version: str) -> None:
    inner = "layers/functional/layers/dense"
    assert found(tmp_path, OUTER, ["layers/dense", inner, f"{inner}_1", "layers/dense_2"], version, PATHS) == [
        0,
        1,
        2,
        1,
        3,
    ]


def test_keras_2_counts_a_shared_layer_once(tmp_path: Path) -> None:
    inner = "layers/functional/layers/dense"
    assert found(tmp_path, OUTER, ["layers/dense", inner, f"{inner}_1", "layers/dense_1"], "2.15.0", PATHS) == [
        0,
        1,
        2,
        1,
        3,
    ]


def test_keras_213_counts_every_layer_twice(tmp_path: Path) -> None:
    top = "_layer_checkpoint_dependencies"
    inner = f"{top}/functional/{top}/dense"
    stored = [f"{top}/dense", inner, f"{inner}_2", f"{top}/dense_4"]
    assert found(tmp_path, OUTER, stored, "2.13.1", PATHS) == [0, 1, 2, 1, 3]


def test_two_layers_of_one_name_are_not_one(tmp_path: Path) -> None:
    config = model("m", model("left", dense("d")), model("right", dense("d")), dense("d"))
    stored = ["layers/functional/layers/dense", "layers/functional_1/layers/dense", "layers/dense"]
    paths = [("left", "d"), ("right", "d"), ("d",)]
    for version in ("2.15.0", "3.1.0"):
        assert found(tmp_path, config, stored, version, paths) == [0, 1, 2]


def test_a_layer_that_could_be_one_of_two_is_refused(tmp_path: Path) -> None:
    config = model("m", model("left", dense("d")), model("right", dense("d")), dense("d"), dense("e"))
    stored = ["layers/functional/layers/dense", "layers/functional_1/layers/dense", "layers/dense_1"]
    with pytest.raises(FileError, match="of the weights of layer 'd' it could have them in"):
        found(tmp_path, config, stored, "3.1.0", [("d",)])


def test_a_count_that_cannot_be_told_is_refused(tmp_path: Path) -> None:
    """Three layers, two groups, and two layers that may have been saved before, but not both."""
    config = model("m", model("inner", dense("x"), dense("y")), dense("x"), dense("y"), dense("z"))
    inner = "layers/functional/layers/dense"
    stored = [inner, f"{inner}_1", "layers/dense", "layers/dense_1"]
    with pytest.raises(FileError, match="is ambiguous: which layers its group 'layers' shares"):
        found(tmp_path, config, stored, "2.15.0", [("z",)])


def test_operations_that_are_no_layers_are_not_counted(tmp_path: Path) -> None:
    operation = {**dense("op"), "module": "keras.src.ops.numpy"}
    config = model("m", dense("a"), operation, dense("b"))
    assert found(tmp_path, config, ["layers/dense", "layers/dense_1"], "3.1.0", [("a",), ("b",)]) == [0, 1]


def test_sequential_as_a_bare_list(tmp_path: Path) -> None:
    config = {"class_name": "Sequential", "config": [dense("a"), dense("b")]}
    assert found(tmp_path, config, ["layers/dense", "layers/dense_1"], "2.14.0", [("b",), ("a",)]) == [1, 0]


@pytest.mark.parametrize("path", [("x",), ("conv", "x"), (), ("",)])
def test_layers_that_are_not_in_the_configuration(tmp_path: Path, path: tuple[str, ...]) -> None:
    with pytest.raises(FileError, match="has no layer"):
        read(write_archive(tmp_path / "a.keras"), {path: {"kernel": (1,)}})


def test_weights_that_are_not_in_the_file(tmp_path: Path) -> None:
    for group in groups():
        weights = {name: values for name, values in groups().items() if name != group}
        with pytest.raises(FileError, match="it has none where Keras saves them"):
            read(write_archive(tmp_path / "a.keras", members(numbered(weights=weights))))
    weights = {**groups(), "layers/dense": [ramp(4, 2)]}
    with pytest.raises(
        FileError, match="layer 'dense' should have the weight 'bias', and none is where Keras saves it"
    ):
        read(write_archive(tmp_path / "a.keras", members(numbered(weights=weights))))


def test_parts_that_a_layer_does_not_have(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.keras")
    with pytest.raises(FileError, match="should have the weight 'forward/kernel'"):
        read(path, {("dense",): {"forward/kernel": (4, 2)}})
    with pytest.raises(FileError, match="should have the weights 'forward/kernel'"):
        read(write_model(tmp_path / "a.h5", arrays()), {("dense",): {"forward/kernel": (4, 2)}})
