"""What a file can make fastact take: no more than `BOUND` beside its weights, held by a limit on address space.

Every format is loaded in a process that may grow by just that. The worst that is accepted, configurations as large
and as full as they may be, needs two thirds of it.
"""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tf_files
from archive_attacks import ATTACKS as ARCHIVE_ATTACKS
from fuzz import corpus, mutators, targets
from hdf5_attacks import ATTACKS as HDF5_ATTACKS
from hostile import members, mutated, numbered, write_model

from fastact.files import bounded_json

BOUND = 256
"""Megabytes, as docs/safety.md states them."""
MUTATIONS = int(os.environ.get("FASTACT_FUZZ", "150"))
HONEST = {
    "hdf5": "earliest", "archive": "stored", "saved_model": "small-2.5", "tflite": "small", "configuration": "0000",
}  # fmt: skip


def loaded(target: str, honest: Path, inputs: list[Path], megabytes: int = BOUND) -> dict[str, dict[str, Any]]:
    program = str(Path(__file__).parent / "fuzz/bounded.py")
    done = subprocess.run(
        [sys.executable, program, target, str(megabytes), str(honest), *map(str, inputs)],
        capture_output=True,
        text=True,
        timeout=600 + len(inputs),
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return corpus.write(tmp_path_factory.mktemp("corpus"))


# Configurations as large as they may be.


def with_padding(padding: bytes) -> bytes:
    """The small network, and something that is nobody's, to the last byte that may be."""
    config = corpus.network(3)
    config["config"]["padding"] = "@"
    return json.dumps(config, separators=(",", ":")).encode().replace(b'"@"', padding)


def wide_text() -> bytes:
    """One character beyond the basic plane makes Python keep four bytes for each of sixteen million."""
    room = bounded_json.MAX_BYTES - len(with_padding(b'""')) - 100  # which a SavedModel's record takes
    return with_padding(b'"' + "\N{OCTOPUS}".encode() + b"x" * room + b'"')


def many_objects() -> bytes:
    return with_padding(b"[" + b'{"a":0},' * 499_000 + b"0]")


def many_lists() -> bytes:
    return with_padding(b"[" + b"[[0]]," * 330_000 + b"0]")


def many_texts() -> bytes:
    return with_padding(b"[" + b",".join(b'"%07d"' % n for n in range(990_000)) + b"]")


def many_layers() -> bytes:
    return json.dumps(corpus.network(3, dense=19_000)).encode()


def long_names() -> bytes:
    """Models in models whose names are as long as they may be, and grow with those around them."""
    inner = {"class_name": "Sequential", "config": {"name": "m" * 1000, "layers": []}}
    inner["config"]["layers"] = [  # type: ignore[index]
        {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 8, 8, 3]}},
        *({"class_name": "ReLU", "config": {"name": f"{n:04}" * 250}} for n in range(10_000)),
    ]
    for depth in range(20):
        name = f"{depth:02}" * 500
        first = {"class_name": "InputLayer", "config": {"name": f"i{depth}", "batch_shape": [None, 8, 8, 3]}}
        inner = {"class_name": "Sequential", "config": {"name": name, "layers": [first, inner]}}
    return json.dumps(inner).encode()


CONFIGURATIONS: tuple[Callable[[], bytes], ...] = (
    wide_text, many_objects, many_lists, many_texts, many_layers, long_names,
)  # fmt: skip


def alone(config: bytes, path: Path) -> bytes:
    """With whatever weights it asks for, which lets it come further."""
    return config


def in_hdf5(config: bytes, path: Path) -> bytes:
    return write_model(path, config=config).read_bytes()


def in_weights_alone(config: bytes, path: Path) -> bytes:
    return targets.join({"x.weights.h5": numbered(), "config.json": config})


def in_an_archive(config: bytes, path: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, data in members(config=config):
            file.writestr(name, data)
    return stream.getvalue()


def in_a_saved_model(config: bytes, path: Path) -> bytes:
    files = tf_files.small()
    files.records[0] = b'{"keras_version":"2.15.0",' + config.lstrip()[1:]
    files.write(path)
    return targets.join({str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()})


CONTAINERS: dict[Callable[[bytes, Path], bytes], str] = {
    alone: "configuration", in_hdf5: "hdf5", in_weights_alone: "hdf5", in_an_archive: "archive",
    in_a_saved_model: "saved_model",
}  # fmt: skip


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.__name__)
def test_the_largest_configurations(
    container: Callable[[bytes, Path], bytes], seeds: dict[str, Path], tmp_path: Path
) -> None:
    inputs = []
    for make in CONFIGURATIONS:
        inputs.append(tmp_path / make.__name__)
        inputs[-1].write_bytes(container(make(), tmp_path / f"{make.__name__}-made"))
    target = CONTAINERS[container]
    ends = loaded(target, seeds[target] / HONEST[target], inputs)
    assert set(ends) == {make.__name__ for make in CONFIGURATIONS}
    assert {end["end"] for end in ends.values()} <= {"read", "refused"}, ends


# Files that claim more than they have, and files with anything in them.


@pytest.mark.parametrize("target", ["hdf5", "archive"])
def test_attacks(target: str, seeds: dict[str, Path], tmp_path: Path) -> None:
    attacks = HDF5_ATTACKS if target == "hdf5" else ARCHIVE_ATTACKS
    inputs = [attack(tmp_path / attack.__name__) for attack in attacks]
    small = [path for path in inputs if path.stat().st_size < 2**28]  # the others are refused by their size
    ends = loaded(target, seeds[target] / HONEST[target], small, megabytes=128)
    assert len(ends) > 5
    assert {end["end"] for end in ends.values()} == {"refused"}, ends


@pytest.mark.parametrize("target", HONEST)
def test_mutations(target: str, seeds: dict[str, Path], tmp_path: Path) -> None:
    """Half of them change words in their places, half the configuration as what it means."""
    originals = sorted(seeds[target].iterdir())
    inputs = []
    for seed in range(MUTATIONS):
        chance = random.Random(seed)
        data = chance.choice(originals).read_bytes()
        change = mutators.of_configuration if target == "configuration" else mutators.of_file
        inputs.append(tmp_path / str(seed))
        inputs[-1].write_bytes(change(data, 2**17, chance, lambda kept, _, by=chance: mutated(kept, by)))
    ends = loaded(target, seeds[target] / HONEST[target], inputs, megabytes=128)
    assert len(ends) == MUTATIONS
    found = [end["end"] for end in ends.values()]
    assert set(found) == {"read", "refused"}, [end for end in ends.values() if end["end"] not in ("read", "refused")]


def test_the_limit_is_felt(seeds: dict[str, Path], tmp_path: Path) -> None:
    """With far less, the same files cannot be loaded: what is measured is what they take."""
    path = tmp_path / "many"
    path.write_bytes(in_an_archive(many_objects(), tmp_path))
    (end,) = loaded("archive", seeds["archive"] / HONEST["archive"], [path], megabytes=32).values()
    assert "not enough memory" in end["end"] or "MemoryError" in end["end"]
