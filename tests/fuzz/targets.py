"""What is fuzzed: bytes are read as a model, and a model that comes out is planned and run. No fuzzer is needed here.

`TARGETS` has a function a kind of file, and one for configurations. Each takes the bytes and returns how they ended,
"read" or "refused"; anything but fastact's own errors comes out of it, as does a `Finding` for an error that is not
what it should be.
"""

from __future__ import annotations

import contextlib
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest import mock

import numpy as np

from fastact import Extractor, FastactError, Model, load
from fastact.errors import FileError, InputError
from fastact.files import SavedModel, bounded_json, tf_bundle, tf_table
from fastact.files.hdf5 import filters, window
from fastact.graph import build

MOST_FRAME, MOST_MAPS, MOST_WEIGHTS, MOST_WORK = 10**5, 2**23, 2**22, 10**8
"""Inputs, maps, weights and multiply-adds of what is run: what a file asks for may rightly take hours."""

_MAGIC = b"PARTS\n"
_DATA = "variables/variables.data-{:05}-of-{:05}"
_DIRECTORY = (
    "saved_model.pb", "keras_metadata.pb", "variables/variables.index", _DATA.format(0, 1), _DATA.format(0, 2),
    _DATA.format(1, 2),
)  # fmt: skip
PARTS = (*_DIRECTORY, "x.weights.h5", "config.json")
"""The files of inputs that are several: a SavedModel's, or weights and their configuration."""


class Finding(Exception):
    """An end that is none of those that fastact promises."""


def join(files: Mapping[str, bytes]) -> bytes:
    """Several files as one input: the number of each name in `PARTS`, four bytes of length, contents."""
    parts = (bytes([PARTS.index(name)]) + len(data).to_bytes(4, "little") + data for name, data in files.items())
    return _MAGIC + b"".join(parts)


def split(data: bytes) -> dict[str, bytes] | None:
    """The files of an input that is several; None for one that is not."""
    if not data.startswith(_MAGIC):
        return None
    files, at = {}, len(_MAGIC)
    while at + 5 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 5], "little")
        files[PARTS[data[at] % len(PARTS)]] = data[at + 5 : at + 5 + size]
        at += 5 + size
    return files


class _Agreeing(int):
    """A checksum that agrees with any."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


@contextlib.contextmanager
def unchecked() -> Iterator[None]:
    """Lets every checksum pass: whoever attacks computes them, and a fuzzer would see nothing behind them."""
    with contextlib.ExitStack() as stack:
        for module in (tf_table, tf_bundle):
            stack.enter_context(mock.patch.object(module, "masked", lambda _: _Agreeing()))
        stack.enter_context(mock.patch.object(window, "lookup3", lambda _: _Agreeing()))
        stack.enter_context(mock.patch.object(filters, "fletcher32", lambda _: _Agreeing()))
        stack.enter_context(mock.patch.object(zipfile.ZipExtFile, "_update_crc", lambda *_: None))
        yield


def file(data: bytes, folder: Path) -> str:
    """Reads a model's file, its files, or its weights and its configuration, from `folder`, which is emptied."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    parts = split(data)
    config, path = None, folder
    if parts is None:
        path = folder / "model"
        path.write_bytes(data)
    else:
        for name, content in parts.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
        if "x.weights.h5" in parts:
            path = folder / "x.weights.h5"
            config = folder / "config.json" if "config.json" in parts else None
    return _ended(lambda: load(path, config=config), lambda m: {n: np.zeros(s, np.float32) for n, s in m.items()})


def configuration(data: bytes, folder: Path) -> str:
    """Builds the model of a configuration, whose weights may be anything."""
    try:
        config = bounded_json.parse(data)
    except bounded_json.JsonError:
        return "refused"
    if not isinstance(config, dict):
        return "refused"  # every reader sees to that
    version = (2, 15, 0) if str(config.get("keras_version", "3")).startswith("2") else (3, 8, 0)
    saved = SavedModel(folder / "made.h5", "a test", version, "tensorflow", config, _AnyWeights(), "0" * 64)
    chance = np.random.default_rng(len(data))

    def frames(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
        return {name: chance.uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}

    return _ended(lambda: build(saved), frames)


_RAMP = np.arange(1, 18, dtype=np.float32) / 16


class _AnyWeights:
    """A `WeightReader` that has whatever it is asked for, if that is little."""

    def read(self, wanted: Mapping[Any, Mapping[str, tuple[int, ...]]]) -> dict[Any, dict[str, np.ndarray]]:
        shapes = [shape for of_layer in wanted.values() for shape in of_layer.values()]
        if sum(int(np.prod(shape, dtype=object)) for shape in shapes) > MOST_WEIGHTS:
            raise FileError("the weights are more than are tried")
        return {
            path: {name: np.resize(_RAMP, shape) for name, shape in of_layer.items()}
            for path, of_layer in wanted.items()
        }


def _ended(read: Callable[[], Model], frames: Callable[[Mapping[str, Any]], dict[str, np.ndarray]]) -> str:
    try:
        _use(read(), frames)
    except FastactError as error:
        message = str(error)
        if not message.isprintable() or not message or len(message) > 5000:
            raise Finding(f"a message that is no sentence: {message[:200]!r}") from error
        if "none that fastact expects" in message or "not enough memory" in message:
            raise Finding(f"a message that hides a mistake: {message[:200]!r}") from error
        return "refused"
    return "read"


def _use(model: Model, frames: Callable[[Mapping[str, Any]], dict[str, np.ndarray]]) -> None:
    """Counts costs, plans another size and, where that is little, computes every map."""
    work = sum(cost.multiply_adds for cost in model.costs.values())
    extract = Extractor(model, "all")
    shapes = {name: tuple(n or 7 for n in shape) for name, shape in model.input_shapes.items()}
    wanted = {name: tuple(shape) for name, shape in shapes.items()}
    if sum(int(np.prod(s, dtype=object)) for s in wanted.values()) < MOST_FRAME:
        sized = model.at_shapes(wanted)
        if sum(node.map_bytes or 0 for node in sized.nodes) < MOST_MAPS and work < MOST_WORK:
            work = sum(cost.multiply_adds for cost in sized.costs.values())
            if work < MOST_WORK:
                maps = extract(frames(wanted))
                for node in sized.nodes:
                    if node.reason is None and maps[node.name].shape != node.shape:
                        raise Finding(f"{node.class_name}: a map of {maps[node.name].shape}, not {node.shape}")
    with contextlib.suppress(InputError):  # of models that do not take one picture
        model.at_size((12, 13))


TARGETS: Mapping[str, Callable[[bytes, Path], str]] = MappingProxyType(
    {"hdf5": file, "archive": file, "saved_model": file, "tflite": file, "configuration": configuration}
)
"""By the name of the folder that its corpus and its findings are in."""
