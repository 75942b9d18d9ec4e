"""Files of weights alone, in every layout that Keras has written, and the configurations that go with them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import h5py
import pytest
from hostile import (
    layer,
    members,
    numbered,
    read,
    write_archive,
    write_model,
    write_numbered,
)
from small_models import architecture, check_small_model

from fastact.errors import FileError, UnsupportedError
from fastact.files import open_model


def test_weights_alone_in_the_layout_of_archives(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.weights.h5")
    config = architecture(tmp_path / "b.json", keras_version="2.15.0")
    check_small_model(path, config=config)
    with open_model(path, config=config) as model:
        assert model.format == f"Keras 2 weights, configured by '{config}'"
        assert model.keras_version == (2, 15, 0)
        assert model.config_path == config
        assert model.identity == hashlib.sha256(path.read_bytes()).hexdigest()


def weights_of(path: Path, whole: Path) -> Path:
    """What `save_weights` of Keras 2 writes."""
    with h5py.File(whole) as source, h5py.File(path, "w") as file:
        for name in source["model_weights"]:
            source.copy(f"model_weights/{name}", file)
        for name, value in source["model_weights"].attrs.items():
            file.attrs[name] = value
    return path


def test_weights_alone_in_the_layout_of_keras_2(tmp_path: Path) -> None:
    path = weights_of(tmp_path / "a.h5", write_model(tmp_path / "whole.h5"))
    check_small_model(path, config=architecture(tmp_path / "b.json", keras_version="2.1.0"))
    with pytest.raises(FileError, match=r"saved by Keras 2\.15\.0, and the configuration in .* by Keras 3"):
        read(path, config=architecture(tmp_path / "b.json", keras_version="3.1.0"))


def test_a_model_that_was_saved_without_its_configuration(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
    check_small_model(path, config=architecture(tmp_path / "b.json", keras_version="2.1.0"))


def test_names_may_differ_where_weights_are_alone(tmp_path: Path) -> None:
    """Names that Keras gives by itself differ from session to session; in an archive they are the configuration's."""
    names = {"layers/conv2d": "conv_7", "layers/dense": "dense_7"}
    path = write_numbered(tmp_path / "a.weights.h5", names=names)
    check_small_model(path, config=architecture(tmp_path / "b.json"))
    with pytest.raises(FileError, match="group 'layers/conv2d' has the weights of 'conv_7' in place of 'conv'"):
        read(write_archive(tmp_path / "a.keras", members(numbered(names=names))))


@pytest.mark.parametrize("name", ["whole.h5", "whole.keras"])
def test_a_configuration_from_a_model_file(tmp_path: Path, name: str) -> None:
    other = (write_archive if name.endswith("keras") else write_model)(tmp_path / name)
    check_small_model(write_numbered(tmp_path / "a.weights.h5"), config=other)


def of_class(class_name: str, *layers: object, **more: object) -> dict[str, Any]:
    return {"config": {"class_name": class_name, "config": {"layers": list(layers)}, **more}}


@pytest.mark.parametrize(
    ("config", "version"),
    [
        ({"keras_version": "2.9.0"}, (2, 9, 0)),
        ({}, (2, 0, 0)),
        (of_class("Model", layer("InputLayer", "i", batch_shape=[None, 4])), (3, 0, 0)),
        (of_class("Model", module="keras"), (3, 0, 0)),
        (of_class("Model"), (2, 0, 0)),
    ],
    ids=range(5),
)
def test_the_version_of_a_configuration(tmp_path: Path, config: dict[str, Any], version: tuple[int, ...]) -> None:
    path = write_numbered(tmp_path / "a.weights.h5")
    with open_model(path, config=architecture(tmp_path / "b.json", **config)) as model:
        assert model.keras_version == version


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("{", FileError, "not valid JSON"),
        ('{"a":' * 200 + "1" + "}" * 200, FileError, "nested more than 100 deep"),
        ('{"weight_map": {}}', FileError, r"no architecture: give a file with the text of model\.to_json"),
        ('{"class_name": "Sequential"}', FileError, "holds no layers"),
        ('{"class_name": "Mine", "config": {}}', UnsupportedError, "a model of class 'Mine'"),
        ('{"class_name": "Model", "config": {}, "keras_version": "1.0.0"}', UnsupportedError, "Keras 1.0.0"),
        ("{" + " " * 2**24, FileError, "more than the 16777216 that are read"),
        ("[1]", FileError, "not a Keras model but a kind of file that fastact does not know"),
    ],
    ids=range(8),
)
def test_configurations_that_are_none(tmp_path: Path, text: str, error: type[Exception], words: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(error, match=words):
        read(write_numbered(tmp_path / "a.weights.h5"), config=tmp_path / "b.json")


def test_what_needs_no_configuration_refuses_one(tmp_path: Path) -> None:
    config = architecture(tmp_path / "b.json")
    for path in (write_model(tmp_path / "a.h5"), write_archive(tmp_path / "a.keras")):
        with pytest.raises(FileError, match=r"leave --config \(config= in Python\) out"):
            read(path, config=config)


def test_what_needs_a_configuration_says_so(tmp_path: Path) -> None:
    alone = write_numbered(tmp_path / "a.weights.h5")
    with pytest.raises(FileError, match=r"weights without the configuration.*--config FILE"):
        read(alone)
    with pytest.raises(FileError, match=r"weights without the configuration.*--config FILE"):
        read(alone, config=alone)
    with pytest.raises(FileError, match="perhaps an architecture without weights: give the file of its weights"):
        read(architecture(tmp_path / "b.json"))
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["temperature"] = [1.0]
    with pytest.raises(FileError, match="holds no Keras model"):
        read(tmp_path / "c.h5", config=tmp_path / "b.json")
