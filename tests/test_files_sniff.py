"""What is not a model file is named for what it is, without waiting on it."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import os
import pickle
import socket
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hostile import WANTED, arrays, ramp, read, write_model
from PIL import Image

from fastact.errors import FileError, UnsupportedError
from fastact.files import open_model, sniff


def picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, kind)
    return stream.getvalue()


def archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("readme.txt", "{}")
    return stream.getvalue()


def tape() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        file.addfile(tarfile.TarInfo("model.h5"))
    return stream.getvalue()


def array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


CONTENTS = {
    "PNG": (picture("PNG"), "not a Keras model but a PNG picture"),
    "JPEG": (picture("JPEG"), "a JPEG picture"),
    "gzip": (gzip.compress(b"x"), "a gzip archive"),
    "tar": (tape(), "a tar archive"),
    "npy": (array(), "a NumPy array"),
    "pickle": (pickle.dumps({"a": 1}), "a Python pickle"),
    "SavedModel": (b"\x08\x01\x12\xff\x01\x0a\x05", "has a field that is longer than what holds it"),
    "ONNX": (b"\x08\x09\x12\x07pytorch", "an ONNX model"),
    "JSON": (b'{"class_name": "Sequential"}', "JSON text, perhaps an architecture without weights.* --config"),
    "JSON with blanks": (b'\n  {"class_name": "Sequential"}', "JSON text, perhaps an architecture without weights"),
    "zip": (archive(), r"a zip archive but no '\.keras' file \(it holds 'readme\.txt'\)"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
    "HTML": (b"<!DOCTYPE html><html>", "a web page"),
    "zeros": (bytes(4096), "only zero bytes"),
    "text": (b"hello, world", "a kind of file that fastact does not know"),
    "cut": (b"\x89HDF\r", "an HDF5 file that was cut short"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_other_kinds_of_file(tmp_path: Path, name: str) -> None:
    content, words = CONTENTS[name]
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    with pytest.raises(FileError, match=words) as caught, open_model(path):
        pass
    assert str(path) in str(caught.value)
    assert "model.save('x.h5')" in str(caught.value)


def test_the_first_bytes_of_a_tensorflow_lite_file(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(b"\x1c\0\0\0TFL3\0\0")
    with pytest.raises(FileError, match="is damaged: the model claims 4 bytes at 28 of a file of 10"), open_model(path):
        pass


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.touch()
    with pytest.raises(FileError, match="is empty"), open_model(path):
        pass


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "file").touch()
    for path, words in [
        (tmp_path / "missing.h5", "does not exist"),
        (tmp_path / "dangling", "does not exist"),
        (tmp_path / "file" / "x.h5", "cannot be opened: Not a directory"),
        (loop, "cannot be opened: Too many levels"),
        ("a\0b", "cannot be opened: invalid path"),
        (tmp_path / ("x" * 5000), "cannot be opened: File name too long"),
        (tmp_path / "new\nline", r"new\\nline' does not exist"),
    ]:
        with pytest.raises(FileError, match=words), open_model(path):
            pass


def test_directories(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is a directory: name the model's file"), open_model(tmp_path):
        pass
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00")
    with pytest.raises(UnsupportedError, match="is a TensorFlow SavedModel without the"), open_model(tmp_path):
        pass


def test_what_is_no_regular_file_is_never_waited_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's whole path has room for a hundred letters
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/null"), Path("/dev/zero")):
            program = (
                f"from fastact.files import open_model\ntry:\n  open_model({str(path)!r}).__enter__()\n"
                "except Exception as e: print(type(e).__name__, e)"
            )
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=True
            )
            assert done.stdout.startswith("FileError")
            assert "is a pipe, a socket or a device" in done.stdout


def test_a_pipe_that_takes_the_place_of_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    regular = write_model(tmp_path / "a.h5")
    program = (
        "import os, pathlib; from fastact.files import open_model\n"
        f"seen, stat = os.stat({str(regular)!r}), pathlib.Path.stat\n"
        "pathlib.Path.stat = lambda self, **how: seen if self.name == 'pipe' else stat(self, **how)\n"
        f"try:\n  open_model({str(tmp_path / 'pipe')!r}).__enter__()\n"
        "except Exception as e: print(type(e).__name__, e)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=True)
    assert "is a pipe, a socket or a device" in done.stdout


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in for the operating system, since tests may run as root, who may read everything."""
    path = write_model(tmp_path / "a.h5")

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FileError, match="may not be read: change its permissions"), open_model(path):
        pass


def test_a_file_that_may_only_be_read(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        assert read(path)
    finally:
        tmp_path.chmod(0o700)


def test_a_link_to_a_model(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(write_model(tmp_path / "a.h5"))
    assert read(tmp_path / "link")


def test_a_file_that_another_program_writes(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5")
    with h5py.File(path, "r+"), pytest.raises(FileError, match="open for writing in another program"), open_model(path):
        pass
    with path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(FileError, match="open for writing in another program"), open_model(path):
            pass
    assert read(path)


def test_a_medium_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_model(tmp_path / "a.h5")

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert read(path)


def test_a_path_that_changes_under_the_reader(tmp_path: Path) -> None:
    """What is read is the file that was opened, whatever its name leads to by then."""
    path, other = write_model(tmp_path / "a.h5"), write_model(tmp_path / "b.h5", arrays("float16"))
    with open_model(path) as model:
        other.replace(path)
        other.symlink_to("/dev/zero")
        assert model.weights.read(WANTED).keys() == WANTED.keys()


def test_a_file_that_shrinks_under_the_reader(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.h5", {"dense": {"dense/kernel:0": ramp(1000, 100), "dense/bias:0": ramp(100)}})
    wanted = {("dense",): {"kernel": (1000, 100), "bias": (100,)}}
    with open_model(path) as model:
        os.truncate(path, 100_000)
        with pytest.raises(FileError, match="was cut short while it was being read"):
            model.weights.read(wanted)


@pytest.mark.parametrize("size", [8, 40, 100, 800, 4000, 12000, 16000])
def test_truncated_files(tmp_path: Path, size: int) -> None:
    path = write_model(tmp_path / "a.h5")
    os.truncate(path, size)
    with (
        pytest.raises(FileError, match=f"is cut short: it has (only )?{size} bytes|an address in it is beyond its end"),
        open_model(path),
    ):
        pass


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    good, bad = write_model(tmp_path / "a.h5"), tmp_path / "b.h5"
    bad.write_bytes(good.read_bytes()[:5000])
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        read(good)
        with pytest.raises(FileError):
            read(bad)
        with pytest.raises(FileError):
            read(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_weights_that_begin_at_a_power_of_two_leave_an_archive_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", b" " * (512 - 30 - len("metadata.json") - 30 - len("model.weights.h5")))
        archive.writestr("model.weights.h5", sniff.HDF5_SIGNATURE + bytes(100))
    assert path.read_bytes()[512:520] == sniff.HDF5_SIGNATURE
    with sniff.opened(path) as descriptor:
        assert sniff.recognise(descriptor) == "zip"


def test_a_file_too_large_to_be_a_model(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with path.open("wb") as stream:
        stream.write(b"\x89HDF\r\n\x1a\n")
        stream.truncate(2**33 + 1)  # sparse: it takes no space
    with pytest.raises(FileError, match=r"has 8589934593 bytes, more than"), open_model(path):
        pass


@pytest.mark.parametrize("beside", [-1, 0, 1])
def test_the_identity_is_the_sha256_whatever_computes_it(tmp_path: Path, beside: int) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(np.random.default_rng(5).bytes(sniff._MANY_BYTES + beside))
    with sniff.opened(path) as descriptor:
        assert sniff.identity(descriptor) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("size", "loaded"), [(100, False), (sniff._MANY_BYTES, True)])
def test_openssl_is_loaded_for_large_files_alone(tmp_path: Path, size: int, loaded: bool) -> None:
    (tmp_path / "model.h5").write_bytes(bytes(size))
    code = """
import sys
from pathlib import Path
from fastact.files import sniff
with sniff.opened(Path("model.h5")) as descriptor:
    sniff.identity(descriptor)
print("_hashlib" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{loaded}\n"
