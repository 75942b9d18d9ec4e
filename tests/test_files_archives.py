"""``.keras`` archives in every layout that Keras has written, made by hand."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hostile import (
    WANTED,
    configuration,
    members,
    numbered,
    read,
    write_archive,
    write_model,
)
from small_models import check_small_model

from fastact.errors import FileError, UnsupportedError
from fastact.files import open_model


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
        (
            [("archive/data.pkl", b"\x80"), ("archive/version", b"3")],
            FileError,
            "is a PyTorch model, and fastact reads",
        ),
        (members()[:2], FileError, r"holds no model\.weights\.h5"),
        (members()[1:], FileError, r"holds no metadata\.json"),
        ([*members()[:2], ("model.weights.npz", b"")], UnsupportedError, r"npz.*model\.save\('x\.keras'\)"),
    ],
    ids=range(7),
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
