"""What several commands share: how sizes are written, and where results and talk go."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from fastact.donkey.camera import Camera


def say(text: str) -> None:
    """A line of talk, to stderr."""
    click.echo(text, err=True)


def console() -> Console:
    """Where tables go: stdout, as wide as it takes where that is no terminal, since a table cut off is of no use."""
    from rich.console import Console

    class Stdout(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process with a status of its own

    terminal = Stdout(highlight=False)
    return terminal if terminal.is_terminal else Stdout(highlight=False, width=200)


def plain(text: str) -> str:
    """Text from a file, so that rich takes no bracket in it for markup and no control character gets out."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else "?" for c in text))


def usable_cores() -> int:
    """The cores this process may use, at most 4: beyond that, small maps leave threads waiting for each other."""
    return min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class Size(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.2 on
    """WIDTHxHEIGHT, as (rows, columns)."""

    name = "WIDTHxHEIGHT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """(rows, columns) for "640x360"."""
        if isinstance(value, tuple):
            return value
        columns, _, rows = str(value).lower().partition("x")
        if not (columns.isdecimal() and rows.isdecimal() and 0 < int(columns) <= 65536 and 0 < int(rows) <= 65536):
            self.fail(f"{value!r} is not a size such as 640x360 (width x height, up to 65536)", param, ctx)
        return int(rows), int(columns)


SIZE = Size()


class FiniteRange(click.FloatRange):
    """A range of numbers that refuses what is no number: NaN is neither below a bound nor above one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; fails for NaN and infinities, and for what is out of the range."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


DEVICE = click.option(
    "--device", type=click.Choice(["cpu", "cuda", "auto"]), default="cpu", show_default=True,
    help="What computes: the CPU; an NVIDIA GPU (cuda); or a GPU where one can be used, else the CPU (auto)."
)  # fmt: skip


def _is_of_a_car(path: str) -> bool:
    """Whether a file given as --config is a car's, which is Python and named so."""
    return path.lower().endswith(".py")


def _of_a_network(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and _is_of_a_car(value):
        raise click.BadParameter(
            "this command does not take a car's configuration: give the description of a network, or leave it out",
            ctx,
            param,
        )
    return value


CONFIG = click.option(
    "--config", "config_path", metavar="FILE", callback=_of_a_network,
    help="For a model file of weights alone: where the network is described, in the text of model.to_json() or in "
    "another model file."
)  # fmt: skip

CONFIGS = click.option(
    "--config", "configs", multiple=True, metavar="FILE",
    help="A car's config.py or myconfig.py, which is read and not executed: pictures become what its pilot sees, by "
    "IMAGE_W, IMAGE_H, IMAGE_DEPTH and TRANSFORMATIONS. Or, for a model file of weights alone: where the network is "
    "described, in the text of model.to_json() or in another model file. One of each can be given."
)  # fmt: skip


def networks_and_cars(configs: Sequence[str]) -> tuple[str | None, str | None]:
    """Of the files given as --config the one that describes the network and the one that describes the car."""
    cars = [path for path in configs if _is_of_a_car(path)]
    networks = [path for path in configs if path not in cars]
    if max(len(cars), len(networks)) > 1:
        raise click.BadParameter("give one file for the car and one for the network at most", param_hint="--config")
    return next(iter(networks), None), next(iter(cars), None)


def network_and_camera(configs: Sequence[str]) -> tuple[str | None, Camera | None]:
    """Of the files given as --config the one that describes the network, and the camera of the car by the other.

    Raises BadParameter as `networks_and_cars`, and errors as `fastact.donkey.camera.car_camera`.
    """
    network, car = networks_and_cars(configs)
    if car is None:
        return network, None
    from fastact.donkey.camera import car_camera

    return network, car_camera(car)
