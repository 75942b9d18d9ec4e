"""Lists of layers and weights, attributes and configurations that attack their reader."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hdf5_attacks import KERNEL, SHAPE, refused, set_attribute
from hostile import WANTED, arrays, configuration, layer, ramp, read, write_model

from fastact.errors import FileError
from fastact.files import open_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.h5")


# All together.


def many_layers(path: Path, count: int) -> dict[tuple[str, ...], dict[str, tuple[int, ...]]]:
    """A megabyte of weights, listed by many layers over hard links."""
    big = ramp(512, 512)
    write_model(path, {f"dense_{n}": {} for n in range(count)})
    with h5py.File(path, "r+") as file:
        for number in range(count):
            group = file[f"model_weights/dense_{number}"]
            group.attrs["weight_names"] = [b"kernel:0"]
            if number == 0:
                group["kernel:0"] = big
            else:
                group["kernel:0"] = file["model_weights/dense_0/kernel:0"]
    return {(f"dense_{n}",): {"kernel": (512, 512)} for n in range(count)}


def test_a_dataset_counts_as_often_as_it_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.h5"
    wanted = many_layers(path, 20)
    assert path.stat().st_size < 2 * 2**20
    assert len(read(path, wanted, max_weight_bytes=20 * 2**20)) == 20
    monkeypatch.setattr("fastact.files.datasets.read", lambda *_: pytest.fail("read before the sum was known"))
    refused(
        path,
        "needs 20971520 bytes for its weights, more than the limit of 20971519",
        wanted,
        max_weight_bytes=20 * 2**20 - 1,
    )


@pytest.mark.parametrize(("dtype", "least"), [("f2", 4 * 122), ("f4", 4 * 122), ("f8", 8 * 122)])
def test_the_limit_counts_bytes_in_memory(tmp_path: Path, dtype: str, least: int) -> None:
    path = write_model(tmp_path / "model.h5", arrays(dtype))
    read(path, max_weight_bytes=least)
    refused(path, f"needs {least} bytes", max_weight_bytes=least - 1)


# Attributes.


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3.0, "is no list"),
        ("conv", "is no list"),
        ([1.0, 2.0], "holds another type"),
        ([1, 2], "holds another type"),
        (np.array([[b"conv", b"dense"]]), "is no list"),
        (np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]), "holds another type"),
        (np.array([b"dense", b"\xff\xfe"]), "is not UTF-8"),
        (np.array([b"dense", b"x" * 1025]), "far larger than Keras writes"),
        ([b"dense", b"dense"], "list a layer twice"),
        ([b"conv"], "no weights of the layer 'dense'"),
        ([], "no weights of the layer"),
        (h5py.Empty("S1"), "no weights of the layer"),
    ],
    ids=range(12),
)
def test_lists_of_layers_that_are_none(path: Path, value: object, words: str) -> None:
    set_attribute(path, "model_weights", "layer_names", value)
    refused(path, words)


def test_no_list_of_layers(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["model_weights"].attrs["layer_names"]
    refused(path, "list no layers")


@pytest.mark.parametrize("value", [3.0, [b"{}"], np.array([[1]]), h5py.Empty("S1")], ids=range(4))
def test_configurations_that_are_no_text(path: Path, value: object) -> None:
    set_attribute(path, "/", "model_config", value)
    refused(path, "'model_config' (is not one string|should hold text)")


@pytest.mark.parametrize(
    "name",
    ["/model_weights/conv/conv", "dense//x", "../conv", "dense/./x", "dense/..", "dense\0x", "", "a/" * 70],
)
def test_weights_named_as_paths_elsewhere(path: Path, name: str) -> None:
    names = np.array([f"{name}/{leaf}".encode() for leaf in ("kernel:0", "bias:0")])
    set_attribute(path, "model_weights/dense", "weight_names", names)
    refused(path, "which Keras never writes|is damaged: it lists the weight")


@pytest.mark.parametrize("name", ["/", "..", ".", "dense/", "/dense"])
def test_layers_named_as_paths_elsewhere(path: Path, name: str) -> None:
    set_attribute(path, "model_weights", "layer_names", [b"conv", b"dense", name.encode()])
    wanted = {(name,): {"kernel": SHAPE}}
    refused(path, "which Keras never writes|no weights of the layer", wanted)


def test_a_weight_that_is_listed_and_not_there(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
    refused(path, "lists the weight 'dense/kernel:0' but does not hold it")


def test_a_weight_that_is_listed_twice(path: Path) -> None:
    names = [b"dense/kernel:0", b"dense/bias:0", b"dense/kernel:0"]
    set_attribute(path, "model_weights/dense", "weight_names", names)
    refused(path, "layer 'dense' lists a weight twice")


def test_names_are_shown_without_their_control_characters(path: Path) -> None:
    set_attribute(path, "model_weights", "layer_names", [b"\x1b[2J\n" + b"x" * 900, "\u202e".encode()])
    with pytest.raises(FileError) as caught:
        read(path)
    assert str(caught.value).isprintable()
    assert r"\x1b[2J\nxxx" in str(caught.value)


# What the configuration does not imply.


def test_weights_beside_those_of_the_configuration(tmp_path: Path) -> None:
    weights = arrays()
    weights["dense"] |= {"dense/lora_kernel_a:0": ramp(4, 1), "dense/lora_kernel_b:0": ramp(1, 2)}
    path = write_model(tmp_path / "model.h5", weights)
    refused(
        path, "layer 'dense' also stores the weight 'dense/lora_kernel_a:0', which its configuration does not imply"
    )


def test_integers_beside_the_weights_are_no_weights(tmp_path: Path) -> None:
    weights = arrays()
    weights["dense"] |= {"dense/count:0": np.int64(7), "dense/seed_generator_state": np.zeros(2, np.uint32)}
    assert set(read(write_model(tmp_path / "model.h5", weights))[("dense",)]) == {"kernel", "bias"}


def test_in_a_nested_model_other_layers_have_other_weights(tmp_path: Path) -> None:
    weights = {
        "tower": {"c/kernel:0": ramp(2, 3), "rnn/cell/kernel:0": ramp(2, 2), "rnn/cell/bias:0": ramp(2)},
    }
    wanted = {("tower", "c"): {"kernel": (2, 3)}}
    tower = layer("Functional", "tower", layers=[layer("Dense", "c"), layer("LSTM", "rnn")])
    config = {"class_name": "Model", "config": {"name": "m", "layers": [tower]}}
    path = write_model(tmp_path / "a.h5", weights, config=config)
    np.testing.assert_array_equal(read(path, wanted)[("tower", "c")]["kernel"], ramp(2, 3))
    weights["tower"]["c/bias:0"] = ramp(3)
    refused(write_model(tmp_path / "b.h5", weights, config=config), "also stores the weight 'c/bias:0'", wanted)


# The configuration.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a":' * 5000 + "1" + "}" * 5000, "its model_config is nested more than 100 deep"),
        ('{"class_name": "Model", "class_name": "Sequential", "config": {}}', "same key twice"),
        ('{"class_name": "Model", "config": {"x": NaN}}', "holds NaN"),
        ("[" + "{}," * 600_000 + "{}]", "more than 1000000 values"),
    ],
    ids=["depth", "keys", "NaN", "values"],
)
def test_configurations_that_attack_a_parser(tmp_path: Path, text: str, words: str) -> None:
    refused(write_model(tmp_path / "a.h5", config=text), words)


def test_nothing_that_a_file_names_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    config = configuration()
    config["config"]["layers"] += [
        {**layer("Lambda", "l", function=["4wEAAAA=", None, None], module="evil_module"), "module": "evil_module"},
        {**layer("evil_module>Attack", "a"), "registered_name": "evil_module>Attack", "module": "evil_module"},
    ]
    with open_model(write_model(tmp_path / "a.h5", config=config)) as model:
        assert model.config == config
        model.weights.read(WANTED)
    assert "evil_module" not in sys.modules
