"""A page in a browser, read back: its tiles, the pointer over them, what is said and drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from browser import Watched
from python_threads import until
from test_page import column

import fastact
from fastact import samples
from fastact.page.columns import Column

LAYERS = ("Conv2D_First_layer", "Conv2D_Third_layer", "dense_1", "n_outputs0")


@pytest.fixture(scope="module")
def shown() -> Column:
    """The sample pilot with four of its layers, for the modules that name it as their own."""
    return column(fastact.load(samples.pilot()), "160x120", layers=LAYERS)


def numbered(text: str) -> np.float32:
    return np.float32(text.replace("−", "-").removeprefix("≈ "))


def place(shown: Column, name: str) -> int:
    return [n.name for n in shown.model.nodes].index(name)


def tile(watched: Watched, shown: Column, name: str, plane: int) -> Any:
    return watched.page.locator(f'#layer-{place(shown, name)} [data-plane="{plane}"]')


def point(canvas: Any, shape: tuple[int, int], row: int, cell: int) -> None:
    """Moves the pointer over a cell of a map that is drawn on `canvas`, once the page has come to rest."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    canvas.hover(position={"x": (cell + 0.5) * box["width"] / shape[1], "y": (row + 0.5) * box["height"] / shape[0]})


def comes_to_say(watched: Watched, canvas: Any, plane: np.ndarray, row: int, cell: int) -> None:
    """Points at a cell of a map until the page says the map's value: those of another frame or layer come late."""

    def said() -> bool:
        watched.page.mouse.move(0, 0)
        point(canvas, plane.shape, row, cell)
        text = watched.page.locator("#reading .value").inner_text()
        return bool(text) and numbered(text) == plane[row, cell]

    until(said)


def rectangle(rect: Any) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the rectangle that is drawn."""
    x, y, width, height = (int(rect.get_attribute(a)) for a in ("x", "y", "width", "height"))
    return y, x, y + height, x + width


def pixels(watched: Watched, canvas: Any) -> np.ndarray:
    """A canvas's pixels, (H, W, 3)."""
    flat = canvas.evaluate("c => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]")
    return np.array(flat[2:], np.uint8).reshape(flat[0], flat[1], 4)[..., :3]
