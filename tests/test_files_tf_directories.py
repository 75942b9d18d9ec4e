"""SavedModels whose folder attacks its reader: links, pipes, files that are missing, huge or never closed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hostile import WANTED, arrays, read
from tf_changes import refused
from tf_files import HEADER, node, small

from fastact.errors import FileError, UnsupportedError
from fastact.files import open_model

MEMBERS = [
    "keras_metadata.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "variables",
]


@pytest.mark.parametrize("member", MEMBERS)
def test_links_are_not_followed(tmp_path: Path, member: str) -> None:
    path = small().write(tmp_path / "m")
    read(path)
    outside = tmp_path / "outside"
    (path / member).rename(outside)
    (path / member).symlink_to(outside)
    refused(path, "symbolic link, which is not followed inside a model: copy the model's whole directory with cp -rL")


def test_a_link_to_the_directory_itself_is_followed(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(small().write(tmp_path / "m"))
    assert list(read(link)) == list(WANTED)


@pytest.mark.parametrize("member", MEMBERS[:3])
@pytest.mark.parametrize("kind", ["pipe", "directory", "empty", "missing", "unreadable"])
def test_what_is_no_file(tmp_path: Path, member: str, kind: str) -> None:
    if kind == "unreadable" and os.geteuid() == 0:
        kind = "pipe"  # root may read everything
    path = small().write(tmp_path / "m")
    target = path / member
    target.unlink()
    if kind == "pipe":
        os.mkfifo(target)
    elif kind == "directory":
        target.mkdir()
    elif kind == "empty":
        target.touch()
    elif kind == "unreadable":
        target.touch(0)
    words = {"pipe": "is a pipe", "directory": "is a directory", "empty": "is empty", "unreadable": "may not be read"}
    missing = "without the configuration" if member == MEMBERS[0] else "does not exist"
    refused(path, words.get(kind, missing))


def test_half_a_directory(tmp_path: Path) -> None:
    path = small().write(tmp_path / "m")
    (path / "variables").rename(tmp_path / "gone")
    refused(path, "variables' does not exist: copy the whole directory")
    (path / "variables").touch()
    refused(path, "is no directory")


def test_a_saved_model_alone(tmp_path: Path) -> None:
    path = small().write(tmp_path / "m")
    alone = tmp_path / "alone" / "pilot.h5"
    alone.parent.mkdir()
    (path / "saved_model.pb").rename(alone)
    with pytest.raises(UnsupportedError, match="without the configuration of a Keras model"), open_model(alone):
        pass


def test_files_of_terabytes_that_take_no_room(tmp_path: Path) -> None:
    for member in MEMBERS[:3]:
        path = small().write(tmp_path / member.replace("/", "_"))
        os.truncate(path / member, 2**42)
        refused(path, "bytes(?: of variables)?, more than the")


def test_the_sum_is_compared_before_anything_is_read(tmp_path: Path) -> None:
    path = small().write(tmp_path / "m")
    nbytes = sum(values.nbytes for of in arrays().values() for values in of.values())
    read(path, max_weight_bytes=nbytes)
    with pytest.raises(FileError, match=f"needs {nbytes} bytes for its weights, more than the limit of {nbytes - 1}"):
        read(path, max_weight_bytes=nbytes - 1)


def test_weights_count_as_often_as_they_are_asked_for(tmp_path: Path) -> None:
    """A thousand layers that are one object need a thousand times its memory."""
    files = small()
    files.nodes[0] = node({f"layer-{i}": 10 + i for i in range(1000)})
    files.nodes += [node({"kernel": 5, "bias": 6})] * 1000
    files.records |= {10 + i: {"name": f"conv{i}"} for i in range(1000)}
    path = files.write(tmp_path / "m")
    wanted = {(f"conv{i}",): WANTED[("conv",)] for i in range(1000)}
    with open_model(path, max_weight_bytes=999 * 448) as model, pytest.raises(FileError, match="needs 448000 bytes"):
        model.weights.read(wanted)


def test_reading_after_the_end(tmp_path: Path) -> None:
    with open_model(small().write(tmp_path / "m")) as model:
        pass
    with pytest.raises(FileError, match="inside the with block"):
        model.weights.read(WANTED)


def test_all_files_are_closed(tmp_path: Path) -> None:
    path = small().write(tmp_path / "m")
    before = len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0
    for _ in range(3):
        read(path)
        with pytest.raises(FileError):
            read(path, {("no",): {"kernel": (1,)}})
    after = len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0
    assert after == before


def test_header_is_the_one_tensorflow_writes() -> None:
    assert bytes.fromhex("08011a020801") == HEADER
