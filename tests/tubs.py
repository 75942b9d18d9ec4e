"""A small Donkey tub, written as donkeycar 5 writes one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COUNT = 7
SIZE = (12, 16)
"""Rows and columns."""


def pixels(index: int) -> np.ndarray:
    """The picture of a record."""
    return np.random.default_rng(index).integers(0, 256, (*SIZE, 3), np.uint8)


def record(index: int, **changes: Any) -> dict[str, Any]:
    return {
        "_index": index,
        "_session_id": "22-11-26_0",
        "_timestamp_ms": 1_602_421_393_803 + 50 * index,
        "cam/image_array": f"{index}_cam_image_array_.png",
        "user/angle": index / 10,
        "user/mode": "user",
        "user/throttle": 0.5,
    } | changes


def write_tub(folder: Path, deleted: tuple[int, ...] = (), catalogs: int = 2, count: int = COUNT) -> Path:
    """A tub of `count` records in a few catalogs."""
    (folder / "images").mkdir(parents=True)
    for i in range(count):
        Image.fromarray(pixels(i)).save(folder / "images" / f"{i}_cam_image_array_.png")
    names = [f"catalog_{c}.catalog" for c in range(catalogs)]
    for c, name in enumerate(names):
        share = range(count * c // catalogs, count * (c + 1) // catalogs)
        (folder / name).write_text("".join(json.dumps(record(i)) + "\n" for i in share))
    write_manifest(folder, paths=names, current_index=count, max_len=1000, deleted_indexes=list(deleted))
    return folder


def write_manifest(folder: Path, **places: Any) -> None:
    inputs, types = (
        ["cam/image_array", "user/angle", "user/throttle", "user/mode"],
        ["image_array", "float", "float", "str"],
    )
    parts = [inputs, types, {}, {"created_at": 1_602_421_393.77}, places]
    (folder / "manifest.json").write_text("".join(json.dumps(part) + "\n" for part in parts))
