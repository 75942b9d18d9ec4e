"""Pictures of anything: what is refused, any shape and values, the same pixels everywhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from views_drawn import MAPS

import fastact.views
from fastact.errors import InputError
from fastact.views import Style, color_table, mosaic
from fastact.views.grid import Grid, Room, arrange


@pytest.mark.parametrize("maps", [np.zeros((0, 4, 3)), np.zeros((4, 4, 0)), np.zeros(0)])
def test_no_values_is_an_error(maps):
    with pytest.raises(InputError, match="no values"):
        mosaic(maps, name="x")


@pytest.mark.parametrize("maps", [np.zeros((2, 2, 2), complex), np.array(["a", "b"]), np.array([None])])
def test_what_is_not_real_numbers_is_an_error(maps):
    with pytest.raises(InputError, match="real numbers"):
        mosaic(maps, name="x")


def test_an_unknown_colour_map_is_an_error_that_names_some():
    with pytest.raises(InputError, match=r"'virdis'.*viridis.*magma"):
        mosaic(MAPS, name="x", style=Style(colormap="virdis"))


def test_a_map_of_separate_colours_is_spread_over_the_scale():
    table = color_table("tab10")
    assert table.shape == (256, 3)
    assert len(np.unique(table, axis=0)) == 10
    assert not table.flags.writeable


@pytest.mark.parametrize(
    "wrong",
    [
        {"normalization": "filter"},
        {"percentile": (50, 50)},
        {"percentile": (-1, 99)},
        {"percentile": (1, 101)},
        {"percentile": (float("nan"), 99)},
        {"max_columns": 0},
        {"min_cell": 0},
        {"max_pixels": 10},
    ],
)
def test_a_style_out_of_range_is_an_error(wrong):
    with pytest.raises(InputError):
        Style(**wrong)


def test_the_same_input_gives_the_same_pixels_in_another_process():
    program = (
        "import numpy as np, hashlib; from fastact.views import mosaic;"
        "maps = np.random.default_rng(1).normal(size=(5, 8, 30)).astype('f');"
        "print(hashlib.sha256(mosaic(maps, name='conv').tobytes()).hexdigest())"
    )
    runs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


def test_importing_fastact_loads_no_pictures():
    program = "import sys, fastact; print(sorted({'PIL', 'cmap', 'fastact.views'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_views_import_nothing_of_fastact_but_errors_and_writing():
    folder = Path(fastact.views.__file__).parent
    imported = {
        name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else ["." * node.level + (node.module or "")]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if name.startswith(("fastact", "."))
    }
    assert "fastact.errors" in imported
    allowed = {"fastact.errors", "fastact.writing"}
    assert {n for n in imported if n not in allowed and not n.startswith("fastact.views.")} == set()


SIZES = st.integers(1, 40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    shape=st.one_of(
        st.tuples(st.integers(1, 3000)),
        st.tuples(SIZES, st.integers(1, 3000)),
        st.tuples(SIZES, SIZES, st.integers(1, 300)),
        st.tuples(st.integers(1, 2000), st.integers(1, 3), st.integers(1, 20)),
        st.tuples(st.integers(1, 200), st.integers(1, 3), st.integers(1, 3), st.integers(1, 20)),
        st.tuples(st.integers(1, 3), st.integers(1, 3), SIZES, SIZES, st.integers(1, 5)),
    ),
    values=st.lists(st.floats(width=32), min_size=1, max_size=8),
    normalization=st.sampled_from(["channel", "layer", "percentile"]),
    max_columns=st.one_of(st.none(), st.integers(1, 50)),
    min_cell=st.integers(1, 200),
    max_pixels=st.integers(2_000_000, 4_000_000),
)
def test_any_shape_any_values_any_style(shape, values, normalization, max_columns, min_cell, max_pixels):
    style = Style(normalization=normalization, max_columns=max_columns, min_cell=min_cell, max_pixels=max_pixels)
    maps = np.resize(np.array(values, np.float32), shape)
    image = mosaic(maps, name="any", style=style)
    if len(shape) > 2:
        assert image.width * image.height <= max_pixels
    assert image.width * image.height <= 6_000_000


@settings(max_examples=100, deadline=None)
@given(
    steps=st.integers(1, 30),
    height=st.integers(1, 3000),
    width=st.integers(1, 3000),
    count=st.integers(1, 3000),
    strip=st.sampled_from([0, 16]),
    max_columns=st.one_of(st.none(), st.integers(1, 60)),
)
def test_a_grid_keeps_within_its_limit_and_its_cells_apart(steps, height, width, count, strip, max_columns):
    limit = Room(4000, 4000, 5_000_000, 100, 300)
    one = Grid(steps, height, width, count, 1, 1, 1, strip)
    grid = arrange(one, Room(1300, 1000), limit, min_cell=32, max_columns=max_columns)
    assert (grid.pixels_wide + 100) * (grid.pixels_high + 300) <= 5_000_000
    assert grid.columns <= (max_columns or count)
    assert grid.scale == 1 or grid.shrink == 1
    assert grid.cell_width == ceil(width / grid.shrink) * grid.scale
    last = grid.corner(grid.steps - 1, grid.count - 1)
    assert last[1] + grid.strip + grid.cell_height <= grid.pixels_high
    assert grid.corner(0, grid.columns - 1)[0] + grid.cell_width == grid.pixels_wide
    if grid.count > grid.columns:
        assert grid.corner(0, grid.columns)[1] - grid.corner(0, 0)[1] > grid.strip + grid.cell_height
