"""``.keras`` archives and files of weights alone, in every layout that Keras has written, made by hand."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hostile import (
    WANTED,
    arrays,
    configuration,
    groups,
    layer,
    members,
    numbered,
    ramp,
    read,
    write_archive,
    write_model,
    write_numbered,
)

from fastact.errors import FileError, UnsupportedError
from fastact.files import open_model
from fastact.files.numbered_paths import snake_case


def check_small_model(path: Path, **options: Any) -> None:
    weights = read(path, **options)
    assert list(weights) == list(WANTED)
    for (name,), of_layer in weights.items():
        for leaf, values in of_layer.items():
            assert values.dtype == np.float32
            assert values.flags.c_contiguous
            assert values.flags.owndata
            np.testing.assert_array_equal(values, ramp(*WANTED[(name,)][leaf]))


def architecture(path: Path, config: object = None, **more: object) -> Path:
    path.write_text(json.dumps({**(configuration() if config is None else config), **more}))
    return path


# Archives.


def test_what_an_archive_says_of_itself(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "pilot.keras")
    with open_model(path) as model:
        assert model.format == "Keras 3 .keras"
        assert model.keras_version == (3, 9, 0)
        assert model.config == configuration()
        assert model.config_path is None
        assert model.identity == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["pilot.h5", "pilot.zip", "pilot"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_name_and_the_compression_do_not_matter(tmp_path: Path, name: str, compression: int) -> None:
    check_small_model(write_archive(tmp_path / name, compression=compression))


def test_an_hdf5_file_called_keras_and_an_archive_called_h5(tmp_path: Path) -> None:
    check_small_model(write_model(tmp_path / "a.keras"))
    check_small_model(write_archive(tmp_path / "a.h5"))


def test_an_archive_with_a_comment_and_with_something_before_it(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.keras")
    with zipfile.ZipFile(path, "a") as file:
        file.comment = b"x" * 1000
    check_small_model(path)
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as file:
        file.writestr(zipfile.ZipInfo("first.txt"), b"x" * 777)  # so that the weights lie at an odd place
        for name, data in members():
            file.writestr(name, data)
    check_small_model(tmp_path / "b.keras")


def test_the_order_of_the_members_and_other_members_do_not_matter(tmp_path: Path) -> None:
    parts = [
        *reversed(members()),
        ("assets/layers/x/vocabulary.txt", b"a\nb"),
        ("../../outside", b"x"),
        ("/etc/x", b""),
    ]
    before = sorted(tmp_path.iterdir())
    path = write_archive(tmp_path / "a.keras", parts)
    check_small_model(path)
    assert sorted(tmp_path.iterdir()) == [*before, path]
    assert not (tmp_path.parent.parent / "outside").exists()


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("userblock", [0, 512])
def test_layouts_of_the_hdf5_file_within(tmp_path: Path, libver: str, userblock: int) -> None:
    options = {"libver": libver, "userblock_size": userblock}
    names = {"layers/conv2d": "conv", "layers/dense": "dense"}
    check_small_model(write_archive(tmp_path / "a.keras", members(numbered(file_options=options, names=names))))


def test_chunks_and_filters(tmp_path: Path) -> None:
    options = {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": True}
    check_small_model(write_archive(tmp_path / "a.keras", members(numbered(dataset_options=options))))


def test_weights_larger_than_one_step(tmp_path: Path) -> None:
    big = np.random.default_rng(1).random((3000, 500), np.float32)
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        weights = numbered(weights={"layers/dense": [big]})
        path = write_archive(tmp_path / "a.keras", members(weights), compression)
        np.testing.assert_array_equal(read(path, {("dense",): {"kernel": big.shape}})[("dense",)]["kernel"], big)


@pytest.mark.parametrize("marked", [False, True], ids=["opaque", "integers"])
def test_bfloat16(tmp_path: Path, marked: bool) -> None:
    """As NumPy's bfloat16 comes out of h5py, and as integers with Keras's mark."""
    numbers = np.array([1.0, -2.5, 3e38, -0.0, np.inf, 1e-40], np.float32)
    halves = (numbers.view(np.uint32) >> 16).astype(np.uint16)

    def change(file: h5py.File) -> None:
        del file["layers/dense/vars/1"]
        made = file["layers/dense/vars"].create_dataset("1", data=halves if marked else halves.view("V2"))
        made.attrs["dtype"] = "bfloat16"

    path = write_archive(tmp_path / "a.keras", members(numbered(change)))
    found = read(path, {("dense",): {"kernel": (4, 2), "bias": (6,)}})[("dense",)]["bias"]
    np.testing.assert_array_equal(found, (halves.astype(np.uint32) << 16).view(np.float32))
    assert found.flags.owndata


def test_empty_groups_as_older_versions_leave_them(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        for name in ("layers/input_layer/vars", "layers/global_average_pooling2d/vars", "optimizer/vars"):
            file.create_group(name)

    check_small_model(write_archive(tmp_path / "a.keras", members(numbered(change))))


def test_counters_beside_the_weights(tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        file["layers/dense/vars/2"] = np.int64(7)

    check_small_model(write_archive(tmp_path / "a.keras", members(numbered(change))))


@pytest.mark.parametrize(
    ("version", "error", "words"),
    [
        ("1.2.2", UnsupportedError, r"Keras 1\.2\.2.*save it again"),
        ("4.0.0", UnsupportedError, "newer fastact"),
        ("x", FileError, "is no version of Keras"),
        (3, FileError, "names no version"),
        (None, FileError, "names no version"),
    ],
)
def test_versions(tmp_path: Path, version: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        read(write_archive(tmp_path / "a.keras", members(version=version)))


@pytest.mark.parametrize(
    ("parts", "error", "words"),
    [
        ([("notes.txt", b"")], FileError, r"no '\.keras' file \(it holds 'notes\.txt'\)"),
        ([], FileError, r"no '\.keras' file \(it holds nothing\)"),
        ([(f"pilot/{name}", data) for name, data in members()], FileError, "no '.keras' file"),
        (members()[:2], FileError, r"holds no model\.weights\.h5"),
        (members()[1:], FileError, r"holds no metadata\.json"),
        ([*members()[:2], ("model.weights.npz", b"")], UnsupportedError, r"npz.*model\.save\('x\.keras'\)"),
    ],
    ids=range(6),
)
def test_archives_that_lack_something(
    tmp_path: Path, parts: list[tuple[str, bytes]], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        read(write_archive(tmp_path / "a.keras", parts))


def test_a_closed_archive_says_so(tmp_path: Path) -> None:
    with open_model(write_archive(tmp_path / "a.keras")) as model:
        pass
    with pytest.raises(FileError, match="is closed: read weights inside the with block"):
        model.weights.read(WANTED)


def test_a_layer_without_weights_asks_for_nothing(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.keras")
    assert read(path, {("image",): {}, ("pool",): {}}) == {("image",): {}, ("pool",): {}}


# Weights alone.


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


# Which group is whose.


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
