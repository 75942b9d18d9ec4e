"""What a sample frame shows: a room with a track on its floor, drawn by chance from a seed.

Lengths are in metres, angles in radians, colours are (red, green, blue) in 0..1. The ground coordinates are
those of fastact.samples.road. Whatever depends on a frame's size belongs to fastact.samples.track.
"""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from fastact.samples.road import Road

__all__ = ["Camera", "Colour", "Floor", "Light", "Paint", "Panel", "Prop", "Room", "Scene", "Shadow", "scene"]

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks forward and down; its ``focal`` length is in frame widths.

    Frames of any shape thus have the same horizontal field of view, and a 16:9 frame shows less at the top
    and bottom than a 4:3 frame, as when a sensor's middle rows are read out.
    """

    height: float
    pitch: float
    focal: float


@dataclass(frozen=True)
class Paint:
    """The lines: two white ones at the sides, a dashed yellow one in the middle."""

    white: Colour
    yellow: Colour
    side_width: float
    centre_width: float
    dash: float
    gap: float
    phase: float
    wear: float


@dataclass(frozen=True)
class Floor:
    """The floor: its colour, blotches, grain, seams every ``seam_pitch`` metres, and how much it mirrors."""

    colour: Colour
    blotches: float
    grain: float
    seam_pitch: float
    seam_depth: float
    seam_angle: float
    shine: float


@dataclass(frozen=True)
class Shadow:
    """A soft dark ellipse on the floor; ``depth`` is the share of light it takes."""

    x: float
    z: float
    angle: float
    length: float
    width: float
    depth: float


@dataclass(frozen=True)
class Panel:
    """A rectangle on a wall: a door, a window, a poster; ``left`` and ``right`` run along the walls."""

    left: float
    right: float
    low: float
    high: float
    colour: Colour


@dataclass(frozen=True)
class Room:
    """Four walls (the one behind is never seen), turned by ``angle``, and a ceiling with rows of lamps."""

    angle: float
    front: float
    left: float
    right: float
    height: float
    wall: Colour
    ceiling: Colour
    panels: tuple[Panel, ...]
    lamp_pitch: tuple[float, float]
    lamp_size: tuple[float, float]
    lamp_phase: tuple[float, float]


@dataclass(frozen=True)
class Prop:
    """Something that stands on the floor: a trapezium that faces the camera, with a band across."""

    x: float
    z: float
    bottom: float
    top: float
    height: float
    colour: Colour
    band: Colour


@dataclass(frozen=True)
class Light:
    """The light and what the camera makes of it; ``blur`` is in frame widths, ``noise`` in full scales."""

    exposure: float
    tint: Colour
    slope: float
    vignette: float
    blur: float
    noise: float


@dataclass(frozen=True)
class Scene:
    """Everything a frame is rendered from; the labels follow from ``road`` alone."""

    seed: int
    camera: Camera
    road: Road
    paint: Paint
    floor: Floor
    shadows: tuple[Shadow, ...]
    room: Room
    props: tuple[Prop, ...]
    light: Light


def scene(seed: int) -> Scene:
    """The scene of a seed (any integer from 0 on); the same seed always gives the same scene."""
    rng = np.random.default_rng(seed)
    road = _road(rng)
    room = _room(rng)
    props = _props(rng, road, room)
    return Scene(
        seed=seed,
        camera=Camera(
            height=rng.uniform(0.19, 0.22),
            pitch=math.radians(rng.uniform(12.5, 15.5)),
            focal=rng.uniform(0.43, 0.46),
        ),
        road=road,
        paint=_paint(rng),
        floor=_floor(rng),
        shadows=_shadows(rng, props),
        room=room,
        props=props,
        light=Light(
            exposure=rng.uniform(0.8, 1.5),
            tint=(rng.uniform(0.94, 1.06), 1.0, rng.uniform(0.88, 1.04)),
            slope=rng.uniform(-0.25, 0.25),
            vignette=rng.uniform(0.05, 0.35),
            blur=rng.uniform(0.0, 0.004),
            noise=rng.uniform(0.003, 0.013),
        ),
    )


def _road(rng: Generator) -> Road:
    """Two bends, or a straight and a bend, of less than 90 degrees each, then a gentle run out of sight."""
    half_width = rng.uniform(0.5, 0.6)

    def bend() -> float:
        return float(rng.choice([-1.0, 1.0]) * rng.uniform(0.15, 1.15))

    first = 0.0 if rng.random() < 0.3 else bend()
    second = bend()
    pieces = [
        (min(rng.uniform(0.3, 2.5), 1.5 / max(abs(first), 1e-3)), first),
        (min(rng.uniform(1.0, 3.5), 1.5 / abs(second)), second),
        (8.0, rng.uniform(-0.1, 0.1)),
    ]
    offset = rng.uniform(-0.7, 0.7) * half_width
    heading = math.radians(float(np.clip(rng.normal(0.0, 12.0), -30.0, 30.0)))
    return Road.laid(offset, heading, pieces, half_width)


def _paint(rng: Generator) -> Paint:
    grey = rng.uniform(0.8, 0.95)
    red = rng.uniform(0.8, 0.95)
    return Paint(
        white=(grey, grey * rng.uniform(0.97, 1.0), grey * rng.uniform(0.9, 1.0)),
        yellow=(red, red * rng.uniform(0.78, 0.92), rng.uniform(0.08, 0.25)),
        side_width=rng.uniform(0.045, 0.06),
        centre_width=rng.uniform(0.045, 0.06),
        dash=rng.uniform(0.16, 0.26),
        gap=rng.uniform(0.12, 0.22),
        phase=rng.uniform(0.0, 1.0),
        wear=rng.uniform(0.0, 0.35),
    )


def _floor(rng: Generator) -> Floor:
    return Floor(
        colour=_colour(rng, hue=(0.04, 0.17), saturation=(0.03, 0.3), value=(0.22, 0.48)),
        blotches=rng.uniform(0.04, 0.2),
        grain=rng.uniform(0.03, 0.16),
        seam_pitch=rng.uniform(0.5, 1.6),
        seam_depth=rng.uniform(0.1, 0.4) if rng.random() < 0.4 else 0.0,
        seam_angle=rng.uniform(0.0, math.pi / 2),
        shine=rng.uniform(0.0, 0.5),
    )


def _room(rng: Generator) -> Room:
    front, left, right, height = (rng.uniform(*span) for span in ((6, 14), (4, 9), (4, 9), (2.6, 4.5)))
    bright = rng.uniform(0.12, 0.75)
    return Room(
        angle=math.radians(rng.uniform(-30, 30)),
        front=front,
        left=left,
        right=right,
        height=height,
        wall=_colour(rng, hue=(0.0, 1.0), saturation=(0.0, 0.13), value=(bright, bright)),
        ceiling=_colour(rng, hue=(0.05, 0.6), saturation=(0.0, 0.1), value=(0.05, 0.35)),
        panels=tuple(_panel(rng, left + front, right + front, height) for _ in range(rng.integers(10, 20))),
        lamp_pitch=(rng.uniform(1.8, 4.0), rng.uniform(1.8, 4.0)),
        lamp_size=(rng.uniform(0.15, 0.6), rng.uniform(0.3, 1.3)),
        lamp_phase=(rng.uniform(0.0, 1.0), rng.uniform(0.0, 1.0)),
    )


def _panel(rng: Generator, left: float, right: float, height: float) -> Panel:
    middle, half = rng.uniform(-left, right), rng.uniform(0.15, 1.0)
    low = 0.0 if rng.random() < 0.5 else rng.uniform(0.5, 1.5)
    high = min(low + rng.uniform(0.5, 2.2), height)
    vivid = 0.8 if rng.random() < 0.2 else 0.2
    colour = _colour(rng, hue=(0.0, 1.0), saturation=(0.0, vivid), value=(0.05, 0.95))
    return Panel(middle - half, middle + half, low, high, colour)


def _props(rng: Generator, road: Road, room: Room) -> tuple[Prop, ...]:
    """Up to ten props beside the road, farthest first, none on any stretch of it."""
    nearest_wall = min(room.front, room.left, room.right)
    props: list[Prop] = []
    for _ in range(rng.integers(3, 11)):
        side = float(rng.choice([-1.0, 1.0]))
        s, beside = rng.uniform(1.0, 6.0), road.half_width + rng.uniform(0.2, 1.5)
        prop = _prop(rng, *road.point(s, side * beside))
        _, d = road.locate(np.array([prop.x], np.float32), np.array([prop.z], np.float32))
        clear = abs(float(d[0])) > road.half_width + 0.1 + prop.bottom
        if clear and prop.z > 1.0 and math.hypot(prop.x, prop.z) < nearest_wall - 0.3:
            props.append(prop)
    return tuple(sorted(props, key=lambda prop: -prop.z))


def _prop(rng: Generator, x: float, z: float) -> Prop:
    kind = rng.random()
    if kind < 0.45:  # a traffic cone
        height = rng.uniform(0.15, 0.35)
        colour = _colour(rng, hue=(0.02, 0.14), saturation=(0.8, 1.0), value=(0.7, 1.0))
        return Prop(x, z, 0.33 * height, 0.05 * height, height, colour, (0.85, 0.85, 0.85))
    if kind < 0.85:  # a box
        half = rng.uniform(0.08, 0.25)
        colour = _colour(rng, hue=(0.0, 1.0), saturation=(0.1, 0.8), value=(0.1, 0.8))
        return Prop(x, z, half, half, rng.uniform(0.1, 0.5), colour, colour)
    half = rng.uniform(0.05, 0.2)  # a post or a column
    colour = _colour(rng, hue=(0.0, 1.0), saturation=(0.0, 0.5), value=(0.1, 0.7))
    return Prop(x, z, half, half, rng.uniform(1.2, 2.6), colour, colour)


def _shadows(rng: Generator, props: tuple[Prop, ...]) -> tuple[Shadow, ...]:
    """One under each prop, and some that things out of sight throw across the floor."""
    under = [Shadow(prop.x, prop.z, 0.0, 1.3 * prop.bottom, 0.1 + prop.bottom, 0.5) for prop in props]
    across = [
        Shadow(
            x=rng.uniform(-1.5, 1.5),
            z=rng.uniform(0.3, 3.0),
            angle=rng.uniform(0.0, math.pi),
            length=rng.uniform(0.4, 2.5),
            width=rng.uniform(0.1, 0.5),
            depth=rng.uniform(0.1, 0.5),
        )
        for _ in range(rng.integers(0, 4))
    ]
    return tuple(under + across)


def _colour(
    rng: Generator,
    hue: tuple[float, float],
    saturation: tuple[float, float],
    value: tuple[float, float],
) -> Colour:
    return colorsys.hsv_to_rgb(rng.uniform(*hue), rng.uniform(*saturation), rng.uniform(*value))
