"""Pictures as files: whole or not at all."""

from __future__ import annotations

import os
from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fastact.writing import whole_file


def save_png(image: Image.Image, path: str | os.PathLike[str]) -> None:
    """Write a picture as PNG, with the texts of its `info` and "Software" as metadata.

    A reader sees the old file or the whole new one. Raises `OutputError` where that fails; nothing is left behind.
    """
    data = encode_png(image)
    with whole_file(path) as beside:
        beside.write_bytes(data)


def encode_png(image: Image.Image) -> bytes:
    """The bytes of the PNG file; the same picture gives the same bytes."""
    texts = PngInfo()
    texts.add_text("Software", "fastact")
    for key, value in image.info.items():
        if isinstance(key, str) and isinstance(value, str):
            # A zero byte would end a PNG text early, and half of a surrogate pair has no encoding.
            texts.add_text(key, value.replace("\0", "").encode("utf-8", "replace").decode("utf-8"))
    buffer = BytesIO()
    image.save(buffer, format="PNG", pnginfo=texts)
    return buffer.getvalue()
