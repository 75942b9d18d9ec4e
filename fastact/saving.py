"""Feature maps as arrays in files: NumPy's .npz and HDF5."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fastact.errors import MissingExtraError
from fastact.graph import Model
from fastact.maps import FeatureMaps
from fastact.writing import whole_file

METADATA = "__metadata__"
"""The entry of an .npz that describes the others: a JSON string."""


def describe(model: Model, maps: FeatureMaps, frame: str) -> dict[str, Any]:
    """What a file of maps says about them: the model and its SHA-256, the frame, every layer's class and shape."""
    from fastact import __version__

    return {
        "fastact": __version__,
        "model": os.path.basename(model.source),  # noqa: PTH119 - a name out of a string
        "model_sha256": model.identity,
        "frame": frame,
        "layers": {
            name: {"class": model.layers[name].class_name, "shape": list(array.shape)} for name, array in maps.items()
        },
        "not_computed": dict(maps.missing),
    }


def save_npz(path: str | os.PathLike[str], maps: FeatureMaps, metadata: Mapping[str, Any]) -> None:
    """An .npz with one array a layer, under the layer's name, and the metadata as JSON under `METADATA`.

    Not compressed, as np.savez writes them: to halve the file by Deflate takes longer than all the rest of a run. Not
    with np.savez itself, whose arguments a layer's name can clash with. Raises OutputError.
    """
    text = np.array(json.dumps(metadata, indent=1))
    with whole_file(path) as beside, zipfile.ZipFile(beside, "w") as archive:
        for name, array in [(METADATA, text), *maps.items()]:
            with archive.open(name + ".npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)


def hdf5_library() -> Any:
    """h5py, which writes HDF5 and is asked for nothing else; raises MissingExtraError where it is not installed."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("saving maps as HDF5", "h5py", "h5") from error
    return h5py


def save_h5(path: str | os.PathLike[str], maps: FeatureMaps, metadata: Mapping[str, Any]) -> None:
    """An HDF5 file with the metadata as attributes and one compressed dataset a layer in the group `maps`.

    A dataset has a name that is safe in a path; its attribute `layer` is the layer's own. Raises OutputError, or
    MissingExtraError without h5py.
    """
    h5py = hdf5_library()
    # In memory first: HDF5 crashes the process when a disk fills up under a file it has open.
    with h5py.File(os.fspath(path), "w", driver="core", backing_store=False) as file:
        for key, value in metadata.items():
            file.attrs[key] = value if isinstance(value, str) else json.dumps(value)
        group = file.create_group("maps")
        for (name, array), entry in zip(maps.items(), file_names(maps), strict=True):
            compression = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if array.ndim > 1 else {}
            dataset = group.create_dataset(entry, data=array, **compression)
            dataset.attrs["layer"] = name
            dataset.attrs["class"] = metadata["layers"][name]["class"]
        file.flush()
        image = file.id.get_file_image()
    with whole_file(path) as beside:
        beside.write_bytes(image)


def file_names(layers: Iterable[str]) -> list[str]:
    """A file name for each layer, unique and in order: a number, then what of the name is safe in one."""
    names = list(layers)
    digits = max(2, len(str(len(names))))
    return [f"{i:0{digits}}_{_safe(name)}" for i, name in enumerate(names, 1)]


def _safe(name: str) -> str:
    """Letters, digits, dots, dashes and underscores of `name`, the rest as underscores, at most 80 characters."""
    return re.sub(r"[^\w.-]", "_", name)[:80].encode("utf-8", "replace").decode()
