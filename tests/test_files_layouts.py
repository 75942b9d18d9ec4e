"""Honest legacy `.h5` files in every layout that Keras has written, made by hand: no TensorFlow needed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hostile import WANTED, arrays, configuration, layer, ramp, read, write_model

import fastact.files
from fastact.errors import FileError, UnsupportedError
from fastact.files import open_model


def check_small_model(path: Path) -> None:
    weights = read(path)
    assert list(weights) == list(WANTED)
    for (name,), of_layer in weights.items():
        for leaf, values in of_layer.items():
            expected = ramp(*WANTED[(name,)][leaf])
            assert values.dtype == np.float32
            assert values.flags.c_contiguous
            assert values.flags.owndata
            np.testing.assert_array_equal(values, expected)


def test_public_names() -> None:
    assert fastact.files.__all__ == ["LayerPath", "SavedModel", "Shape", "WeightReader", "open_model"]


def test_what_a_model_says_of_itself(tmp_path: Path) -> None:
    path = write_model(tmp_path / "pilot.h5")
    with open_model(str(path)) as model:
        assert model.path == path
        assert model.format == "Keras 2 .h5"
        assert model.keras_version == (2, 15, 0)
        assert model.backend == "tensorflow"
        assert model.config == configuration()
        assert model.identity == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("version", "parsed", "format_name"),
    [
        ("2.0.0", (2, 0, 0), "Keras 2 .h5"),
        ("2.2.4-tf", (2, 2, 4), "Keras 2 .h5"),
        (b"2.15.0", (2, 15, 0), "Keras 2 .h5"),
        (b"3.0.0.dev2023", (3, 0, 0), "Keras 3 .h5"),
        ("3.11", (3, 11, 0), "Keras 3 .h5"),
    ],
)
def test_versions(tmp_path: Path, version: str, parsed: tuple[int, ...], format_name: str) -> None:
    with open_model(write_model(tmp_path / "a.h5", version=version)) as model:
        assert model.keras_version == parsed
        assert model.format == format_name


@pytest.mark.parametrize("name", ["pilot.keras", "pilot.tflite", "pilot", "größe .png"])
def test_the_name_does_not_matter(tmp_path: Path, name: str) -> None:
    check_small_model(write_model(tmp_path / name))


@pytest.mark.parametrize("libver", ["earliest", "v108", "v110", "latest"])
@pytest.mark.parametrize("userblock", [0, 512, 4096])
def test_layouts_of_hdf5(tmp_path: Path, libver: str, userblock: int) -> None:
    bounds = (libver, "latest") if libver != "earliest" else libver
    path = write_model(tmp_path / "a.h5", file_options={"libver": bounds, "userblock_size": userblock})
    check_small_model(path)


def test_order_of_creation_in_the_headers(tmp_path: Path) -> None:
    check_small_model(write_model(tmp_path / "a.h5", file_options={"libver": "latest", "track_order": True}))


def test_headers_in_several_blocks(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        group = file["model_weights/conv"]
        for number in range(40):
            group.attrs[f"other{number}"] = "x" * 300
        names = group.attrs["weight_names"]
        del group.attrs["weight_names"]
        group.attrs["weight_names"] = [name.encode() for name in names]
    check_small_model(path)


@pytest.mark.parametrize("kind", ["bytes", "str", "fixed"])
def test_attributes_as_bytes_as_str_and_of_fixed_length(tmp_path: Path, kind: str) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        for group, name in [(file, "model_config"), (file, "keras_version"), (file["model_weights"], "backend")]:
            text = group.attrs[name]
            text = text if isinstance(text, str) else text.decode()
            group.attrs[name] = {"bytes": text.encode(), "str": text, "fixed": np.bytes_(text.encode())}[kind]
        for group, name in [(file["model_weights"], "layer_names"), (file["model_weights/conv"], "weight_names")]:
            names = list(group.attrs[name])
            group.attrs[name] = {
                "bytes": [one.encode() for one in names],
                "str": names,
                "fixed": np.array([one.encode() for one in names]),
            }[kind]
    check_small_model(path)


def test_lists_split_over_several_attributes(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        group = file["model_weights"]
        names = [f"idle_{number}" for number in range(5000)] + ["image", "conv", "dense"]
        del group.attrs["layer_names"]
        for number, part in enumerate(np.array_split(np.array([one.encode() for one in names]), 3)):
            group.attrs[f"layer_names{number}"] = part
        conv = group["conv"]
        del conv.attrs["weight_names"]
        conv.attrs["weight_names0"] = [b"conv/kernel:0"]
        conv.attrs["weight_names1"] = []
        conv.attrs["weight_names2"] = [b"conv/bias:0"]
    check_small_model(path)


def test_a_layer_without_weights_asks_for_nothing(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    assert read(path, {("image",): {}, ("pool",): {}}) == {("image",): {}, ("pool",): {}}
    assert read(path, {}) == {}


def test_an_empty_list_of_weights_is_no_list_of_floats(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path) as file:
        assert file["model_weights/image"].attrs["weight_names"].dtype == np.float64
    with pytest.raises(FileError, match=r"layer 'image' should have the weights 'kernel' and the file stores nothing"):
        read(path, {("image",): {"kernel": (1,)}})


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
def test_float_types(tmp_path: Path, dtype: str) -> None:
    check_small_model(write_model(tmp_path / "a.h5", arrays(dtype)))


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (2, 2)},
        {"chunks": (1, 1), "maxshape": (None, None)},
        {"chunks": True, "compression": "gzip"},
        {"chunks": True, "compression": "gzip", "compression_opts": 0},
        {"chunks": True, "shuffle": True},
        {"chunks": True, "fletcher32": True},
        {"chunks": (3, 2), "compression": "gzip", "shuffle": True, "fletcher32": True},
    ],
    ids=str,
)
def test_chunks_and_filters_as_h5repack_writes_them(tmp_path: Path, options: dict[str, object]) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        group = file["model_weights/dense/dense"]
        values = group["kernel:0"][:]
        del group["kernel:0"]
        group.create_dataset("kernel:0", data=values, **options)
    check_small_model(path)


def test_a_compact_dataset(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        group = file["model_weights/dense/dense"]
        values = group["bias:0"][:]
        del group["bias:0"]
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        made = h5py.h5d.create(group.id, b"bias:0", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((2,)), plist)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    check_small_model(path)


def test_a_scalar_and_an_empty_weight(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5", {"scale": {"scale/alpha:0": np.float32(0.25), "scale/none:0": ramp(0, 3)}})
    weights = read(path, {("scale",): {"alpha": (), "none": (0, 3)}})[("scale",)]
    assert weights["alpha"].shape == ()
    assert weights["alpha"] == np.float32(0.25)
    assert weights["none"].shape == (0, 3)


def test_sequential_as_a_bare_list(tmp_path: Path) -> None:
    """Keras 2.0 to 2.2.2 wrote the layers of a Sequential model as a list, without the model's name."""
    layers = [layer("Conv2D", "conv", filters=4), layer("Flatten", "flat"), layer("Dense", "dense", units=2)]
    config = {"class_name": "Sequential", "config": layers}
    path = write_model(tmp_path / "a.h5", config=config, version="2.0.9")
    check_small_model(path)
    with open_model(path) as model:
        assert model.config == config


def test_a_backend_that_is_not_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        del file.attrs["backend"], file["model_weights"].attrs["backend"]
    with open_model(path) as model:
        assert model.backend == "unknown"


def test_weights_turned_round_by_theano_are_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["model_weights"].attrs["backend"] = b"theano"
    with pytest.raises(UnsupportedError, match="saved with Theano"):
        read(path)


def test_keras_1_is_refused_by_its_missing_version(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5", version=None)
    with pytest.raises(UnsupportedError, match=r"saved by Keras 1 \(it names no version\).*save it again"):
        read(path)
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = b"1.2.2"
    with pytest.raises(UnsupportedError, match=r"saved by Keras 1\.2\.2, whose files"):
        read(path)


@pytest.mark.parametrize(("version", "words"), [("1.1.0", "Keras 1.1.0.*save it again"), ("4.0.0", "newer fastact")])
def test_versions_that_are_not_read(tmp_path: Path, version: str, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        read(write_model(tmp_path / "a.h5", version=version))


@pytest.mark.parametrize("version", ["", "two", "2", "99999.1.1", "2.\x1b[31m"])
def test_versions_that_are_none(tmp_path: Path, version: str) -> None:
    with pytest.raises(FileError, match="is damaged") as caught:
        read(write_model(tmp_path / "a.h5", version=version))
    assert str(caught.value).isprintable()


def test_versions_that_disagree(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = "3.0.0"
    with pytest.raises(FileError, match="different versions of Keras"):
        read(path)


@pytest.mark.parametrize("key", ["nb_filter", "dim_ordering"])
def test_keras_1_is_refused_by_its_configuration(tmp_path: Path, key: str) -> None:
    inner = {"class_name": "Sequential", "config": [layer("Convolution2D", "conv", **{key: 4})]}
    config = {"class_name": "Model", "config": {"name": "m", "layers": [inner]}}
    with pytest.raises(UnsupportedError, match=r"Keras 1, 'Convolution2D'"):
        read(write_model(tmp_path / "a.h5", config=config))


def test_weights_without_a_configuration(tmp_path: Path) -> None:
    whole = write_model(tmp_path / "a.h5")
    legacy, split, keras3 = (tmp_path / name for name in ("w.h5", "split.h5", "k3.weights.h5"))
    with h5py.File(whole) as source, h5py.File(legacy, "w") as file:
        for name in source["model_weights"]:
            source.copy(f"model_weights/{name}", file)
        file.attrs["layer_names"] = source["model_weights"].attrs["layer_names"]
    with h5py.File(split, "w") as file:
        file.attrs["layer_names0"] = [b"conv"]
    with h5py.File(keras3, "w") as file:
        file.create_group("layers/conv2d/vars")
    for path in (legacy, split, keras3):
        with pytest.raises(FileError, match=r"weights without the configuration.*--config.*model\.save\('x\.h5'\)"):
            read(path)


def test_a_configuration_without_weights(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        del file["model_weights"]
    with pytest.raises(FileError, match="a configuration but no weights"):
        read(path)


def test_hdf5_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["temperature\n"] = [1.0]
    with pytest.raises(FileError, match=r"holds no Keras model \(it holds 'temperature\\n'\)"):
        read(path)


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        ([1], FileError, "names no class"),
        ({"config": {}}, FileError, "names no class"),
        ({"class_name": 3, "config": {}}, FileError, "names no class"),
        ({"class_name": "Sequential"}, FileError, "holds no layers"),
        ({"class_name": "Sequential", "config": "x"}, FileError, "holds no layers"),
        ({"class_name": "os.system", "config": {}}, UnsupportedError, "a model of class 'os.system'"),
        ("", FileError, "not valid JSON"),
        (b"{\xff}", FileError, "not UTF-8"),
    ],
    ids=str,
)
def test_configurations_that_are_none(tmp_path: Path, config: object, error: type[Exception], words: str) -> None:
    text = config if isinstance(config, (str, bytes)) else json.dumps(config)
    if text == b"{\xff}":
        text = np.bytes_(text)  # a string of fixed length holds any byte
    with pytest.raises(error, match=words):
        read(write_model(tmp_path / "a.h5", config=text))


def test_float64_beyond_float32(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5", {"dense": {"dense/kernel:0": np.array([1.0, np.inf, np.nan, 1e-300])}})
    wanted = {("dense",): {"kernel": (4,)}}
    np.testing.assert_array_equal(read(path, wanted)[("dense",)]["kernel"], np.float32([1, np.inf, np.nan, 0]))
    path = write_model(tmp_path / "b.h5", {"dense": {"dense/kernel:0": np.array([1.0, 1e300])}})
    with pytest.raises(FileError, match="beyond the range of float32"):
        read(path, wanted={("dense",): {"kernel": (2,)}})


def test_a_closed_file_says_so(tmp_path: Path) -> None:
    with open_model(write_model(tmp_path / "a.h5")) as model:
        pass
    with pytest.raises(FileError, match="is closed: read weights inside the with block"):
        model.weights.read(WANTED)


def test_errors_of_the_caller_pass_unchanged(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    with pytest.raises(KeyError, match="mine"), open_model(path):
        raise KeyError("mine")
    path.unlink()  # and the file is closed


def test_a_file_that_the_process_has_open_already(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path), open_model(path):
        check_small_model(path)
    with h5py.File(path, locking=False):
        check_small_model(path)
