"""Small Keras files made by hand with h5py, honest ones and ones that attack their reader.

Run as a program, it opens mutated or given files in a process of its own, where a crash of the HDF5 library or
a limit on memory harms no test: ``python tests/hostile.py fuzz FOLDER SEED COUNT`` and ``… open FILE…``.
"""

from __future__ import annotations

import io
import json
import os
import random
import resource
import signal
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fastact.errors import FastactError
from fastact.files import open_model

Arrays = Mapping[str, Mapping[str, np.ndarray]]

WANTED = {
    ("conv",): {"kernel": (3, 3, 3, 4), "bias": (4,)},
    ("dense",): {"kernel": (4, 2), "bias": (2,)},
}


def ramp(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Different numbers that every float type holds exactly."""
    count = int(np.prod(shape))
    return (np.arange(count) % 512 / 256).reshape(shape).astype(dtype)


def arrays(dtype: str = "float32") -> dict[str, dict[str, np.ndarray]]:
    """The weights of the small model, under the names that Keras 2 gives them."""
    return {
        "conv": {"conv/kernel:0": ramp(3, 3, 3, 4, dtype=dtype), "conv/bias:0": ramp(4, dtype=dtype)},
        "dense": {"dense/kernel:0": ramp(4, 2, dtype=dtype), "dense/bias:0": ramp(2, dtype=dtype)},
    }


def layer(class_name: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": name, **config}, "name": name, "inbound_nodes": []}


def configuration(name: str = "small") -> dict[str, Any]:
    layers = [
        layer("InputLayer", "image", batch_input_shape=[None, 8, 8, 3]),
        layer("Conv2D", "conv", filters=4, kernel_size=[3, 3]),
        layer("GlobalAveragePooling2D", "pool"),
        layer("Dense", "dense", units=2),
    ]
    return {"class_name": "Functional", "config": {"name": name, "layers": layers}}


def write_model(
    path: Path,
    weights: Arrays | None = None,
    *,
    config: object = None,
    version: str | bytes | None = "2.15.0",
    file_options: Mapping[str, Any] | None = None,
    dataset_options: Mapping[str, Any] | None = None,
) -> Path:
    """Write a legacy ``.h5`` file as Keras does; by default the small model of `WANTED`.

    A configuration given as `str` or `bytes` is written as it is.
    """
    weights = arrays() if weights is None else weights
    text = configuration() if config is None else config
    with h5py.File(path, "w", **(file_options or {})) as file:
        file.attrs["model_config"] = text if isinstance(text, (str, bytes)) else json.dumps(text).encode()
        file.attrs["backend"] = b"tensorflow"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in ["image", *weights]]
        group.attrs["backend"] = b"tensorflow"
        if version is not None:
            file.attrs["keras_version"] = version
            group.attrs["keras_version"] = version
        group.create_group("image").attrs["weight_names"] = []
        for name, stored in weights.items():
            of_layer = group.create_group(name)
            of_layer.attrs["weight_names"] = [one.encode() for one in stored]
            for one, values in stored.items():
                of_layer.create_dataset(one, data=values, **(dataset_options or {}))
        group.create_group("top_level_model_weights").attrs["weight_names"] = []
    return path


Groups = Mapping[str, Sequence[np.ndarray]]


def groups() -> dict[str, list[np.ndarray]]:
    """The weights of the small model, numbered as in a ``.keras`` file."""
    return {"layers/conv2d": [ramp(3, 3, 3, 4), ramp(4)], "layers/dense": [ramp(4, 2), ramp(2)]}


def write_numbered(
    target: Path | io.BytesIO,
    weights: Groups | None = None,
    *,
    names: Mapping[str, object] | None = None,
    file_options: Mapping[str, Any] | None = None,
    dataset_options: Mapping[str, Any] | None = None,
) -> Any:
    """Write the HDF5 file that is within a ``.keras`` file, or is a ``.weights.h5`` file."""
    with h5py.File(target, "w", **(file_options or {})) as file:
        file.create_group("vars")
        for group, values in (groups() if weights is None else weights).items():
            variables = file.create_group(f"{group}/vars")
            for number, one in enumerate(values):
                variables.create_dataset(str(number), data=one, **(dataset_options or {}))
        for group, name in (names or {}).items():
            file[f"{group}/vars"].attrs["name"] = name
    return target


def numbered(change: Callable[[h5py.File], object] | None = None, **options: Any) -> bytes:
    """The same as bytes, with something done to it."""
    stream = write_numbered(io.BytesIO(), **options)
    if change is not None:
        with h5py.File(stream, "r+") as file:
            change(file)
    return bytes(stream.getvalue())


def members(weights: bytes | None = None, config: object = None, version: object = "3.9.0") -> list[tuple[str, bytes]]:
    """What a ``.keras`` file of the small model holds."""
    text = configuration() if config is None else config
    return [
        ("metadata.json", json.dumps({"keras_version": version, "date_saved": "2025-01-01@00:00:00"}).encode()),
        ("config.json", text if isinstance(text, bytes) else json.dumps(text).encode()),
        ("model.weights.h5", numbered() if weights is None else weights),
    ]


def write_archive(
    path: Path, parts: Iterable[tuple[str, bytes]] | None = None, compression: int = zipfile.ZIP_STORED
) -> Path:
    """Write a ``.keras`` file; by default that of the small model."""
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members() if parts is None else parts:
            file.writestr(name, data)
    return path


def read(path: Path, wanted: Mapping[tuple[str, ...], Mapping[str, tuple[int, ...]]] = WANTED, **options: Any) -> Any:
    with open_model(path, **options) as model:
        return model.weights.read(wanted)


# What the child process does.

_INTERESTING = [0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]


def mutated(original: bytes, chance: random.Random) -> bytes:
    data = bytearray(original)
    for _ in range(chance.choice([1, 1, 2, 4, 8])):
        at = chance.randrange(len(data))
        way = chance.randrange(5)
        if way == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            data[at] = chance.randrange(256)
        elif way == 2:
            width = chance.choice([1, 2, 4, 8])
            value = chance.choice(_INTERESTING) % 256**width
            data[at : at + width] = value.to_bytes(width, "little")
        elif way == 3:
            source = chance.randrange(len(data))
            size = chance.choice([4, 8, 16, 64])
            data[at : at + size] = data[source : source + size]
        elif chance.random() < 0.3:
            del data[max(at, 1) :]
    return bytes(data)


def _try(path: Path, config: Path | None = None) -> str:
    try:
        with open_model(path, config=config) as model:
            model.weights.read(WANTED)
    except FastactError as error:
        return f"{type(error).__name__}: {error}"
    return "read"


def _fuzz(folder: Path, first: int, count: int) -> None:
    """Open mutations number `first` to `first + count` of every file in the folder; print how they end.

    Files of weights alone, and the JSON file that they need, are mutated by turns.
    """
    originals = sorted(p for kind in ("*.h5", "*.keras", "*.json") for p in folder.glob(kind))
    target = folder / "mutated.bin"
    progress = folder / "progress.txt"
    ends = {"read": 0, "refused": 0}
    for seed in range(first, first + count):
        original = originals[seed % len(originals)]
        progress.write_text(f"seed {seed} of {original.name}")
        target.write_bytes(mutated(original.read_bytes(), random.Random(seed)))
        signal.setitimer(signal.ITIMER_PROF, 60)  # of CPU time, whatever else the machine does
        if original.suffix == ".json":
            end = _try(original.with_name("alone.weights.h5"), target)
        else:
            end = _try(target, folder / "config.json" if ".weights" in original.name else None)
        ends["read" if end == "read" else "refused"] += 1
    print(json.dumps(ends))


def _peak_kib() -> int:
    """The process's largest resident size so far. (ru_maxrss would start with the parent's.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def _open(paths: list[Path]) -> None:
    """Open files one after the other; print each one's end and by how much the process grew at its peak."""
    _try(paths[0])  # pays for what is imported on first use
    before = _peak_kib()
    for path in paths:
        end = _try(path)
        after = _peak_kib()
        print(json.dumps({"file": path.name, "end": end, "grown_kib": after - before}))
        before = after


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
    if sys.argv[1] == "fuzz":
        _fuzz(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        _open([Path(name) for name in sys.argv[2:]])
    sys.stdout.flush()
    os._exit(0)
