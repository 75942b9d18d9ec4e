"""HDF5 whose structure attacks its reader: every end is a FileError, soon, and in little memory."""

from __future__ import annotations

import os
import random
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hdf5_files import create, early, ours
from hostile import WANTED, ramp, read, write_model

from fastact.errors import FileError
from fastact.files import datasets
from fastact.files.hdf5 import Dataset, Group, H5File, guarded, window
from fastact.files.hdf5.window import Window

# Structure that leads back to itself, or nowhere.


def patched(path: Path, at: int, new: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[at : at + len(new)] = new
    path.write_bytes(data)
    return path


def address_of(path: Path, signature: bytes, number: int = 0) -> int:
    data, at = path.read_bytes(), -1
    for _ in range(number + 1):
        at = data.index(signature, at + 1)
    return at


def walk(path: Path) -> None:
    """Read everything."""
    with guarded(path, "it"), ours(path) as file:
        _walk(file, file.root(), 3)


def _walk(file: H5File, group: Group, depth: int) -> None:
    for name in group.links.names(1000):
        found = file._child(group, name.decode("utf-8", "replace"))
        if found is None:
            continue
        for attribute in ("list", "text", "dtype"):
            file.list_of_names(found, attribute) if attribute == "list" else file.text(found, attribute, 2**16)
        if isinstance(found, Dataset) and found.space.shape is not None:
            weight = datasets.checked(file, found, found.space.shape, "x")
            if weight.nbytes < 2**24:
                datasets.read(weight)
        elif isinstance(found, Group) and depth:
            _walk(file, found, depth - 1)


def refused(path: Path, words: str) -> None:
    started = time.process_time()
    with pytest.raises(FileError, match=words) as caught:
        walk(path)
    assert time.process_time() - started < 20
    assert str(caught.value).isprintable()


def many_groups(path: Path, bounds: str = "earliest", count: int = 300) -> Path:
    with create(path, bounds) as file:
        for number in range(count):
            file.create_group(f"g{number:03}")
    return path


def test_a_tree_of_links_that_is_its_own_branch(tmp_path: Path) -> None:
    path = many_groups(tmp_path / "a.h5")
    with h5py.File(path) as file:
        assert len(file) == 300
    data = path.read_bytes()
    roots = [at for at in range(len(data)) if data[at : at + 6] == b"TREE\0\1"]
    assert len(roots) == 1
    patched(path, roots[0] + 32, struct.pack("<Q", roots[0]))  # its first child
    refused(path, "the links of a group in it are not where they should be")


def test_a_tree_of_links_that_is_too_high(tmp_path: Path) -> None:
    path = many_groups(tmp_path / "a.h5", count=3)
    refused(patched(path, address_of(path, b"TREE") + 5, b"\x40"), "not where they should be")


def look_again_and_again(path: Path, name: str) -> None:
    with ours(path) as file:
        for _ in range(2**16):
            assert len(file.names(file.root())) >= 1
            assert file.group(file.root(), name) is not None


def test_a_tree_of_links_all_of_whose_branches_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen levels of 4,000 branches each."""
    path = many_groups(tmp_path / "a.h5", count=1)
    data = bytearray(path.read_bytes())
    tree = address_of(path, b"TREE")
    fan, step = 4_000, 16 * 4_000 + 32
    start = len(data)
    for level in range(16, 0, -1):
        place = start + (16 - level) * step
        child = place + step if level > 1 else tree
        data += struct.pack("<4sBBHQQ", b"TREE", 0, level, fan, 2**64 - 1, 2**64 - 1)
        data += struct.pack("<QQ", 0, child) * fan + struct.pack("<Q", 8)
    with h5py.File(path) as file:
        del file
    table = data.index(struct.pack("<Q", tree))  # in the superblock, which remembers it
    table = data.index(struct.pack("<Q", tree), table + 1)  # in the message
    data[table : table + 8] = struct.pack("<Q", start)
    data[40:48] = struct.pack("<Q", len(data))
    path.write_bytes(data)
    monkeypatch.setattr(window, "_BUDGET", 2**20)
    with pytest.raises(FileError, match="more steps than any model"):
        look_again_and_again(path, "g000")


def test_a_header_that_continues_in_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with create(path) as file:
        for number in range(40):
            file.attrs[f"a{number}"] = "x" * 100
    data = path.read_bytes()
    at = next(
        at
        for at in range(0, len(data) - 24, 8)
        if data[at : at + 4] == b"\x10\0\x10\0" and struct.unpack_from("<Q", data, at + 8)[0] < len(data)
    )
    place, size = struct.unpack_from("<QQ", data, at + 8)
    inside = struct.pack("<HHB3xQQ", 0x10, 16, 0, place, size)
    refused(patched(path, place, inside), "header of an object in it is far larger than Keras writes")


def test_a_tree_of_chunks_that_is_its_own_branch(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with create(path) as file:
        file.create_dataset("x", data=ramp(100, 10), chunks=(1, 2))
    data = path.read_bytes()
    root = next(at for at in range(len(data)) if data[at : at + 6] == b"TREE\1\1")
    refused(patched(path, root + 24 + 8 + 24, struct.pack("<Q", root)), "the chunks of an array in it are not where")


def test_a_chunk_in_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with create(path) as file:
        file.create_dataset("x", data=ramp(4, 4), chunks=(2, 2))
    node = address_of(path, b"TREE\1")
    first, step = node + 24, 8 + 24 + 8
    assert struct.unpack_from("<QQ", path.read_bytes(), first + step + 8) == (0, 2)
    refused(patched(path, first + step + 8, struct.pack("<QQ", 0, 0)), "is not compressed as HDF5 does it")
    refused(patched(path, first + step + 8, struct.pack("<QQ", 0, 1)), "has a chunk outside of itself")
    refused(patched(path, first + step + 8, struct.pack("<QQ", 0, 2**63)), "has a chunk outside of itself")


def test_all_work_together_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same thing looked at a million times: the budget for a file is used up, whatever was cheap."""
    monkeypatch.setattr(window, "_BUDGET", 2**16)
    with pytest.raises(FileError, match="more steps than any model needs"):
        look_again_and_again(many_groups(tmp_path / "a.h5"), "g077")


@pytest.mark.parametrize("bounds", ["v108", "latest"])
@pytest.mark.parametrize("signature", [b"OHDR", b"FRHP", b"FHIB", b"FHDB", b"BTHD", b"BTLF"])
def test_damage_is_found_by_its_checksum(tmp_path: Path, bounds: str, signature: bytes) -> None:
    path = many_groups(tmp_path / "a.h5", bounds)
    at = address_of(path, signature) + 9
    refused(
        patched(path, at, bytes([path.read_bytes()[at] ^ 4])), "does not agree with its checksum|not where it should"
    )


@pytest.mark.parametrize(
    ("at", "new", "words"),
    [
        (8, b"\x07", "its superblock has the version 7, where fastact reads 0 to 3"),
        (13, b"\x03", "its addresses have 3 bytes"),
        (40, struct.pack("<Q", 2**40), "is cut short: it has [0-9]+ bytes, fewer than the 1099511627776 that it says"),
        (48, struct.pack("<Q", 96), "is only one of several files"),
        (64, struct.pack("<Q", 2**64 - 1), "an address in it is beyond its end"),
        (64, struct.pack("<Q", 0), "the header of an object is not where it should be"),
    ],
    ids=["version", "addresses", "end", "driver", "undefined", "root"],
)
def test_superblocks_that_are_none(tmp_path: Path, at: int, new: bytes, words: str) -> None:
    refused(patched(many_groups(tmp_path / "a.h5", count=2), at, new), words)


def test_a_file_whose_writer_died(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    program = f"import h5py, os; f = h5py.File({str(path)!r}, 'w', libver='latest'); f['x'] = 1; f.flush(); os._exit(0)"
    subprocess.run([sys.executable, "-c", program], check=True)
    refused(path, "the program that wrote it did not finish")


# Sizes that are not there, with little address space to take them from.


def huge_header(path: Path) -> None:
    """An object whose header says that it has four gigabytes, in a file that has them."""
    with h5py.File(path) as file:
        address = h5py.h5o.get_info(file["model_weights"].id).addr
    patched(path, address + 8, struct.pack("<I", 2**32 - 8))
    os.truncate(path, 2**33)


def huge_heap(path: Path) -> None:
    """A heap of strings that says that it has four gigabytes."""
    patched(path, address_of(path, b"GCOL") + 8, struct.pack("<Q", 2**32))
    os.truncate(path, 2**33)


def huge_nodes(path: Path) -> None:
    """Nodes of trees that are all as full as they can be said to be."""
    data = bytearray(path.read_bytes())
    for signature, at in ((b"TREE", 6), (b"SNOD", 6)):
        place = data.find(signature)
        while place >= 0:
            struct.pack_into("<H", data, place + at, 2**16 - 1)
            place = data.find(signature, place + 1)
    path.write_bytes(data)
    os.truncate(path, 2**33)


HUGE: dict[Callable[[Path], None], str] = {
    huge_header: "is far larger than Keras writes|bytes of structure in one piece",
    huge_heap: "heap is damaged|more steps than any model needs",
    huge_nodes: "should be|more steps|holds a configuration but no weights",
}


@pytest.mark.parametrize("attack", HUGE, ids=lambda attack: attack.__name__)
def test_little_address_space(tmp_path: Path, attack: Callable[[Path], None]) -> None:
    path = write_model(tmp_path / "a.h5")
    attack(path)
    program = (
        "import resource, sys; sys.path.insert(0, sys.argv[1])\n"
        "from hostile import read, WANTED\n"
        "from pathlib import Path\n"
        "pages = int(Path('/proc/self/statm').read_text().split()[0])\n"
        "most = pages * resource.getpagesize() + 2**26\n"
        "resource.setrlimit(resource.RLIMIT_AS, (most, most))\n"
        f"try:\n    read(Path({str(path)!r}), WANTED)\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert re.match(f"FileError .*({HUGE[attack]})", done.stdout), done


def test_a_sum_is_known_before_memory_is_taken(tmp_path: Path) -> None:
    """A kernel of 256 GB that is all in the file, which takes a few kilobytes of the disk."""
    path, shape = tmp_path / "a.h5", (2**18, 2**18)
    with create(path) as file:
        file.create_dataset("x", shape, "f4")[-1, -1] = 1
    with ours(path) as mine:
        dataset = mine.dataset(mine.root(), "x")
        assert dataset is not None
        weight = datasets.checked(mine, dataset, shape, "x")
        with pytest.raises(FileError, match="needs 274877906944 bytes for its weights, more than the limit"):
            datasets.read_all(mine, {("x",): {"kernel": weight}}, 2**31)


# Whatever bytes there are.


def originals(folder: Path) -> list[Path]:
    """Files with everything that is read in them."""
    made = []
    for bounds in ("earliest", "v108", "latest"):
        with create(folder / f"{bounds}.h5", bounds) as file:
            for number in range(24):
                group = file.create_group(f"g{number}")
                group.attrs["list"] = ["a", "bc", "def"]
                group.attrs["text"] = np.bytes_(b"some text")
                group["x"] = ramp(3, 4)
            file["y"] = ramp(2, 2, dtype="float64")
            file.create_dataset("z", data=ramp(12, 9), chunks=(2, 4), compression="gzip", shuffle=True, fletcher32=True)
            file.create_dataset("one", data=ramp(12, 9), chunks=(12, 9), compression="gzip")
            early(file, "implicit", ramp(12, 9), (5, 4))
        made.append(folder / f"{bounds}.h5")
    return made


INTERESTING = [0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]


def mutated(original: bytes, chance: random.Random) -> bytes:
    data = bytearray(original)
    used = [at for at in range(0, len(data), 8) if any(data[at : at + 8])]
    for _ in range(chance.choice([1, 1, 2, 4, 8])):
        at = chance.choice(used) + chance.randrange(8)
        way = chance.randrange(4)
        if way == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            data[at] = chance.randrange(256)
        elif way == 2:
            width = chance.choice([1, 2, 4, 8])
            data[at : at + width] = (chance.choice(INTERESTING) % 256**width).to_bytes(width, "little")
        else:
            source, size = chance.choice(used), chance.choice([8, 16, 64])
            data[at - at % 8 : at - at % 8 + size] = data[source : source + size]
    return bytes(data[: len(original)])


@pytest.mark.parametrize("checksums", ["compared", "left alone"])
def test_mutations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checksums: str) -> None:
    """`FASTACT_FUZZ=N` says how many. An attacker can make checksums right, so they are not what must help."""
    if checksums == "left alone":
        monkeypatch.setattr(Window, "read_sound", lambda self, address, count, what: self.read(address, count))
    count = int(os.environ.get("FASTACT_FUZZ", "600"))
    contents = [path.read_bytes() for path in originals(tmp_path)]
    path, refusals, slowest = tmp_path / "mutated.h5", 0, 0.0
    for seed in range(count):
        path.write_bytes(mutated(contents[seed % len(contents)], random.Random(seed)))
        started = time.process_time()
        try:
            walk(path)
        except FileError:
            refusals += 1
        slowest = max(slowest, time.process_time() - started)
    assert slowest < 20
    assert count // 10 < refusals < count


def test_what_is_mutated_is_read_first(tmp_path: Path) -> None:
    for path in originals(tmp_path):
        walk(path)
        with ours(path) as file, h5py.File(path) as theirs:
            root: Any = file.root()
            assert [name.decode() for name in root.links.names(100)] == sorted(theirs)


def test_closed_files_are_not_read(tmp_path: Path) -> None:
    """By then the descriptor may be another file's."""
    with ours(many_groups(tmp_path / "a.h5", count=3)) as file:
        root = file.root()
    with pytest.raises(FileError, match="is closed: read weights inside the with block"):
        file.group(root, "g001")


def test_honest_files_are_honest(tmp_path: Path) -> None:
    assert read(write_model(tmp_path / "a.h5")).keys() == WANTED.keys()
