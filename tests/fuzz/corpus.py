"""The seed corpus: small honest files of every format, written where they are wanted."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import tf_files
import tflite_files
from fuzz.targets import TARGETS, join
from hostile import arrays, layer, members, numbered, ramp, write_archive, write_model

HERE = Path(__file__).parent
SEEDS = HERE / "seeds"
FINDINGS = HERE / "findings"
GOLDEN = HERE.parent / "golden"

_ZIPPED = {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": True}
_FILE_OPTIONS: dict[str, dict[str, Any]] = {
    "earliest": {},
    "v108": {"libver": ("v108", "v108")},
    "latest": {"libver": "latest"},
    "tracked": {"libver": "latest", "track_order": True},
    "userblock": {"userblock_size": 512},
}


def network(version: int = 2, dense: int = 1) -> dict[str, Any]:
    """The network of `hostile.WANTED` with its calls, which readers alone do without; `dense` layers at its end."""
    layers = [
        layer("InputLayer", "image", batch_input_shape=[None, 8, 8, 3]),
        layer("Conv2D", "conv", filters=4, kernel_size=[3, 3]),
        layer("GlobalAveragePooling2D", "pool"),
        *(layer("Dense", "dense" if dense == 1 else f"dense_{i}", units=2 if dense == 1 else 1) for i in range(dense)),
    ]
    names = [one["name"] for one in layers]
    for before, one in zip(names, layers[1:], strict=False):
        one["inbound_nodes"] = [call(before, version)]
    ends = {"input_layers": [["image", 0, 0]], "output_layers": [[names[-1], 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "small", "layers": layers, **ends}}


def call(before: str, version: int) -> object:
    """One call of a layer on another, as Keras 2 or 3 writes it."""
    if version == 2:
        return [[before, 0, 0, {}]]
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [before, 0, 0]}}
    return {"args": [tensor], "kwargs": {}}


def write(folder: Path) -> dict[str, Path]:
    """Write the corpus of every target to a folder of its name; return these."""
    folders = {name: folder / name for name in TARGETS}
    for name, path in folders.items():
        path.mkdir(parents=True, exist_ok=True)
        for number, found in enumerate(sorted(FINDINGS.glob(f"{name}/*"))):  # what was found once is a good start
            (path / f"found-{number}").write_bytes(found.read_bytes())
    _hdf5(folders["hdf5"])
    _archives(folders["archive"])
    _saved_models(folders["saved_model"])
    (folders["tflite"] / "small").write_bytes(tflite_files.encoded(tflite_files.small_model()))
    for path in SEEDS.glob("*.tflite"):
        (folders["tflite"] / path.stem).write_bytes(path.read_bytes())
    for number, line in enumerate((SEEDS / "configurations.jsonl").read_bytes().splitlines()):
        (folders["configuration"] / f"{number:04}").write_bytes(line)
    return folders


def _hdf5(folder: Path) -> None:
    for name, options in _FILE_OPTIONS.items():
        write_model(folder / name, config=network(), file_options=options)
        write_model(folder / f"{name}-zipped", config=network(), file_options=options, dataset_options=_ZIPPED)
        _in_parts(write_model(folder / f"{name}-chunks", config=network(), file_options=options))
    for dtype in ("float16", "float64"):
        write_model(folder / dtype, arrays(dtype), config=network(3), version="3.9.0")
    many = {"conv": arrays()["conv"]} | {
        f"dense_{i}": {f"dense_{i}/kernel:0": ramp(4 if i == 0 else 1, 1), f"dense_{i}/bias:0": ramp(1)}
        for i in range(20)
    }
    write_model(folder / "many", many, config=network(dense=20), file_options={"libver": "latest"})
    write_model(folder / "many-earliest", many, config=network(dense=20))
    for name in ("functions-keras.h5", "towers-tf_keras.h5"):
        (folder / name).write_bytes((GOLDEN / name).read_bytes())
    text = json.dumps(network(3) | {"keras_version": "3.9.0"}).encode()
    names = {"layers/conv2d": "conv", "layers/dense": "dense"}
    for name, options in _FILE_OPTIONS.items():
        alone = numbered(names=names, file_options=options)
        (folder / f"alone-{name}").write_bytes(join({"x.weights.h5": alone, "config.json": text}))
    older = json.dumps(network() | {"keras_version": "2.15.0"}).encode()
    with tempfile.TemporaryDirectory() as temporary:
        legacy = write_model(Path(temporary) / "x.h5")
        with h5py.File(legacy, "r+") as file:
            del file.attrs["model_config"]
            for name, value in list(file["model_weights"].attrs.items()):
                file.attrs[name] = value
            for name in list(file["model_weights"]):
                file.move(f"model_weights/{name}", name)
            del file["model_weights"]
        (folder / "alone-legacy").write_bytes(join({"x.weights.h5": legacy.read_bytes(), "config.json": older}))


def _in_parts(path: Path) -> None:
    """Stores the weights in several chunks each, whose index depends on the version of the file's format."""
    with h5py.File(path, "r+", libver="latest") as file:
        found: list[str] = []
        file.visititems(lambda name, one: found.append(name) if isinstance(one, h5py.Dataset) else None)
        for number, name in enumerate(found):
            values = file[name][...]
            del file[name]
            parts = tuple(-(-n // 2) for n in values.shape)
            file.create_dataset(name, data=values, chunks=parts, compression="gzip" if number % 2 else None)


def _archives(folder: Path) -> None:
    write_archive(folder / "stored", members(config=network(3)))
    write_archive(folder / "deflated", members(config=network(3)), compression=zipfile.ZIP_DEFLATED)
    for path in SEEDS.glob("*.keras"):
        (folder / path.stem).write_bytes(path.read_bytes())


def _saved_models(folder: Path) -> None:
    for version in ("2.5", "2.4"):
        with tempfile.TemporaryDirectory() as temporary:
            files = tf_files.small()
            files.records[0] |= network()
            path = files.write(Path(temporary) / "model")
            if version == "2.4":
                (path / "saved_model.pb").write_bytes(tf_files.saved_model(tf_files.old_objects(files)))
                (path / "keras_metadata.pb").unlink()
            found = {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}
        (folder / f"small-{version}").write_bytes(join(found))
    for path in SEEDS.glob("*.parts"):
        (folder / path.stem).write_bytes(path.read_bytes())
