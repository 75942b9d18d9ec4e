"""Synthetic frames as a Donkey Car's camera sees a track, each with its steering and throttle labels.

Every pixel is traced through a pinhole camera to the floor, a wall or the ceiling, and coloured by what lies
there: on the floor, the distance to the road's centre line says which paint. Nothing is stored as a picture,
so that a scene can be drawn at any size. Edges are filtered over each pixel's footprint and supersampled.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from fastact.samples.road import steering, throttle
from fastact.samples.scene import Camera, Colour, Prop, Room, Scene, scene

__all__ = ["Frame", "draw", "project", "render"]

Plane = NDArray[np.floating[Any]]  # float32 throughout, which NumPy's stubs lose in products with Python floats

_SUPERSAMPLES = 2  # rays per pixel, each way
_FARTHEST = 40.0  # metres; floor beyond it is behind a wall in every room
_LATTICE = 64  # points of the noise table, each way; it repeats after that many
_NEUTRAL: Colour = (1.0, 1.0, 0.96)  # the lamps


class Frame(NamedTuple):
    """A frame and its labels."""

    image: NDArray[np.uint8]  #: (height, width, 3), RGB
    steering: float  #: -1 (full left) .. 1 (full right)
    throttle: float  #: 0 .. 1


def draw(seed: int, width: int = 160, height: int = 120) -> Frame:
    """The frame of a seed (an integer from 0 on), at any size; the same seed and size give the same frame."""
    drawn = scene(seed)
    return Frame(render(drawn, width, height), steering(drawn.road), throttle(drawn.road))


def project(camera: Camera, size: tuple[int, int], point: tuple[float, float, float]) -> tuple[float, float]:
    """Where in a frame of ``size`` (width, height) a point lies: (column, row) in pixels.

    The point is (x, y, z) in metres: to the right, above the floor, and forward of the camera.
    """
    x, y, z = point
    sine, cosine = math.sin(camera.pitch), math.cos(camera.pitch)
    below = camera.height - y
    depth = z * cosine + below * sine
    scale = camera.focal * size[0] / depth
    return size[0] / 2 + scale * x, size[1] / 2 + scale * (below * cosine - z * sine)


def render(drawn: Scene, width: int, height: int) -> NDArray[np.uint8]:
    """A scene as the camera gives it: uint8 RGB of shape (height, width, 3)."""
    rays = _Rays.through(drawn.camera, width * _SUPERSAMPLES, height * _SUPERSAMPLES)
    canvas = np.zeros((3, len(rays.v), len(rays.u)), np.float32)
    noise = _Noise(drawn.seed)
    floor = int(np.searchsorted(-rays.up, drawn.camera.height / _FARTHEST))
    _paint_floor(canvas[:, floor:], drawn, rays.below(floor), noise)
    _paint_room(canvas, drawn, rays)
    for prop in drawn.props:
        _paint_prop(canvas, drawn.camera, prop, rays)
    return _expose(canvas, drawn, rays, (width, height))


class _Rays(NamedTuple):
    """The rays through the samples of a frame: (u, up, forward), which is row-wise but for u."""

    u: Plane  # (columns,), to the right
    v: Plane  # (rows,), down in the frame
    up: Plane  # (rows,)
    forward: Plane  # (rows,)
    pixel: float  # the distance between neighbours at distance 1

    @classmethod
    def through(cls, camera: Camera, columns: int, rows: int) -> _Rays:
        pixel = 1 / (camera.focal * columns)
        u = ((np.arange(columns) + 0.5 - columns / 2) * pixel).astype(np.float32)
        v = ((np.arange(rows) + 0.5 - rows / 2) * pixel).astype(np.float32)
        sine, cosine = np.float32(math.sin(camera.pitch)), np.float32(math.cos(camera.pitch))
        return cls(u, v, -sine - cosine * v, cosine - sine * v, pixel)

    def below(self, row: int) -> _Rays:
        return self._replace(v=self.v[row:], up=self.up[row:], forward=self.forward[row:])

    def above(self, row: int) -> _Rays:
        return self._replace(v=self.v[:row], up=self.up[:row], forward=self.forward[:row])


class _Noise:
    """Smooth noise in -1..1 over the plane, from a table of random values at the points of a lattice."""

    def __init__(self, seed: int) -> None:
        self._table = np.random.default_rng([seed, 1]).uniform(-1, 1, (_LATTICE, _LATTICE)).astype(np.float32)

    def __call__(self, x: Plane, z: Plane, scale: float) -> Plane:
        column, right = _cell(x / np.float32(scale))
        row, down = _cell(z / np.float32(scale))
        next_column, next_row = (column + 1) % _LATTICE, (row + 1) % _LATTICE
        table = self._table
        upper: Plane = table[row, column] * (1 - right) + table[row, next_column] * right
        lower: Plane = table[next_row, column] * (1 - right) + table[next_row, next_column] * right
        return upper * (1 - down) + lower * down


def _cell(position: Plane) -> tuple[NDArray[np.int32], Plane]:
    """The lattice point below a position, and the eased way to the next, 0..1."""
    whole = np.floor(position)
    part = position - whole
    return whole.astype(np.int32) % _LATTICE, part * part * (3 - 2 * part)


def _coverage(value: Plane, low: float, high: float, footprint: Plane) -> Plane:
    """The share of [value - footprint / 2, value + footprint / 2] that lies in [low, high]."""
    half = footprint / 2
    overlap = np.minimum(value + half, high) - np.maximum(value - half, low)
    share: Plane = np.clip(overlap, 0, None) / footprint
    return share


def _footprint(values: Plane) -> Plane:
    """How far a value moves from a sample to its neighbours below and right: what one sample stands for."""
    down = np.abs(np.diff(values, axis=0, append=values[-1:]))
    right = np.abs(np.diff(values, axis=1, append=values[:, -1:]))
    moved: Plane = down + right + np.float32(1e-6)  # not 0, since it divides
    return moved


def _wrapped(values: Plane, period: float, phase: float) -> Plane:
    """The signed distance to the middle of the period that a value falls in."""
    turns = values / np.float32(period) + np.float32(phase)
    distance: Plane = (turns - np.floor(turns) - np.float32(0.5)) * np.float32(period)
    return distance


def _paint_floor(canvas: Plane, drawn: Scene, rays: _Rays, noise: _Noise) -> None:
    """Colours the rows of the floor: its own surface, the lines, the lamps it mirrors, the shadows on it."""
    reach = (drawn.camera.height / -rays.up)[:, None]
    x, z = rays.u * reach, np.broadcast_to(rays.forward[:, None] * reach, canvas.shape[1:])
    floor, paint = drawn.floor, drawn.paint
    patches, grain = noise(x, z, 0.45), noise(0.8 * x + 0.6 * z, 0.8 * z - 0.6 * x, 0.025)
    # Far away a sample spans more than a grain: there the grain fades, or it would alias.
    near = np.clip(1.5 - reach * reach * rays.pixel / (0.02 * drawn.camera.height), 0, 1)
    surface = 1 + floor.blotches * patches + floor.grain * near * grain
    if floor.seam_depth:
        surface *= 1 - floor.seam_depth * _seams(x, z, floor.seam_angle, floor.seam_pitch)
    canvas[:] = np.array(floor.colour, np.float32)[:, None, None] * surface

    s, d = drawn.road.locate(x, z)
    worn = 1 - paint.wear * np.clip(0.5 + 0.5 * patches + near * grain, 0, 1)
    across, width = np.abs(d), _footprint(d)
    half = paint.side_width / 2
    side = _coverage(across, drawn.road.half_width - half, drawn.road.half_width + half, width) * worn
    centre = _coverage(d, -paint.centre_width / 2, paint.centre_width / 2, width) * worn
    centre *= _dashes(s, paint.dash, paint.gap, paint.phase)
    for plane, white, yellow in zip(canvas, paint.white, paint.yellow, strict=True):
        plane += (np.float32(white) - plane) * side
        plane += (np.float32(yellow) - plane) * centre
    canvas *= _shade(drawn, x, z)
    canvas += _mirrored(drawn, rays)


def _dashes(s: Plane, dash: float, gap: float, phase: float) -> Plane:
    """The share of each sample along the centre line that is painted."""
    period, footprint = dash + gap, _footprint(s)
    share = _coverage(_wrapped(s, period, phase), -dash / 2, dash / 2, footprint)
    return np.where(footprint < period / 2, share, np.float32(dash / period))


def _seams(x: Plane, z: Plane, angle: float, pitch: float) -> Plane:
    """Two families of joints at right angles, 8 mm wide."""
    sine, cosine = np.float32(math.sin(angle)), np.float32(math.cos(angle))
    along, across = x * cosine + z * sine, z * cosine - x * sine
    joints = [_coverage(_wrapped(v, pitch, 0), -0.004, 0.004, _footprint(v)) for v in (along, across)]
    return np.maximum(*joints)


def _shade(drawn: Scene, x: Plane, z: Plane) -> Plane:
    """The share of light that the shadows leave, 0..1."""
    light = np.ones_like(x)
    for shadow in drawn.shadows:
        sine, cosine = math.sin(shadow.angle), math.cos(shadow.angle)
        right, ahead = x - np.float32(shadow.x), z - np.float32(shadow.z)
        along = (right * cosine + ahead * sine) / np.float32(shadow.length)
        aside = (ahead * cosine - right * sine) / np.float32(shadow.width)
        inside = 1 / (1 + np.square(along * along + aside * aside))
        light *= 1 - np.float32(shadow.depth) * inside
    return light


def _mirrored(drawn: Scene, rays: _Rays) -> Plane:
    """The lamps that a polished floor mirrors, smeared, stronger where the floor is seen at a flat angle."""
    room = drawn.room
    reach = ((room.height + drawn.camera.height) / -rays.up)[:, None]
    right, ahead = _turned(room, rays.u * reach, rays.forward[:, None] * reach)
    inside = (ahead < room.front) & (right < room.right) & (right > -room.left)
    flat = np.square(1 - np.minimum(-rays.up, 1))[:, None]
    light: Plane = drawn.floor.shine * flat * inside * _lamps(room, right, ahead, 0.45)
    return light


def _turned(room: Room, x: Plane, z: Plane) -> tuple[Plane, Plane]:
    """Ground directions along the room's own walls: (right, ahead)."""
    sine, cosine = np.float32(math.sin(room.angle)), np.float32(math.cos(room.angle))
    return x * cosine - z * sine, x * sine + z * cosine


def _lamps(room: Room, right: Plane, ahead: Plane, blur: float) -> Plane:
    """The brightness of the rows of lamps on the ceiling, 0..1, with edges as soft as ``blur`` metres."""
    light: Plane = np.ones_like(right)
    for place, pitch, size, phase in zip((right, ahead), room.lamp_pitch, room.lamp_size, room.lamp_phase, strict=True):
        beyond = np.maximum(np.abs(_wrapped(place, pitch, phase)) - np.float32(size / 2), 0)
        light = light * np.exp(-np.square(beyond / np.float32(blur)))
    return light


def _paint_room(canvas: Plane, drawn: Scene, rays: _Rays) -> None:
    """Colours the walls and the ceiling, over the floor behind them."""
    room, height = drawn.room, drawn.camera.height
    nearest = min(room.front, room.left, room.right)
    last = int(np.searchsorted(height * rays.forward / np.maximum(-rays.up, 1e-6) < nearest / 2, True))
    rays = rays.above(last)
    right, ahead = _turned(room, rays.u[None, :], rays.forward[:, None])
    to_side = np.where(right > 0, room.right, room.left) / np.maximum(np.abs(right), 1e-6)
    to_front = room.front / np.maximum(ahead, 1e-6)
    reach = np.minimum(to_side, to_front)
    y = height + rays.up[:, None] * reach
    corner = np.where(right > 0, room.right, -room.left)
    beside = corner + np.sign(right) * (room.front - ahead * reach)
    along = np.where(to_front < to_side, right * reach, beside)

    hue = np.array(room.wall, np.float32)[:, None, None]
    colours = hue * (0.7 + 0.3 * np.clip(y / room.height, 0, 1)) * np.where(to_front < to_side, 1, 0.85)
    colours[:, y < 0.1] *= 0.5  # the skirting
    for panel in room.panels:
        on = (along > panel.left) & (along < panel.right) & (y > panel.low) & (y < panel.high)
        colours[:, on] = np.array(panel.colour, np.float32)[:, None]

    overhead = y > room.height
    up = np.maximum(rays.up[:, None], 1e-3)
    to_ceiling = (room.height - height) / up
    lamps = _lamps(room, right * to_ceiling, ahead * to_ceiling, 0.06)
    for plane, ceiling, lamp in zip(colours, room.ceiling, _NEUTRAL, strict=True):
        np.copyto(plane, ceiling + 1.2 * lamp * lamps, where=overhead)
    np.copyto(canvas[:, :last], colours, where=y > 0)


def _paint_prop(canvas: Plane, camera: Camera, prop: Prop, rays: _Rays) -> None:
    """Colours the samples that a prop hides."""
    rows, columns = canvas.shape[1:]
    _, top = project(camera, (columns, rows), (prop.x, prop.height, prop.z))
    _, foot = project(camera, (columns, rows), (prop.x, 0.0, prop.z))
    span = slice(max(int(top), 0), max(int(foot) + 1, 0))
    if span.start >= min(span.stop, rows):
        return
    reach = (np.float32(prop.z) / rays.forward[span])[:, None]
    raised = (camera.height + rays.up[span][:, None] * reach) / np.float32(prop.height)  # 0 foot, 1 top
    half = prop.bottom + (prop.top - prop.bottom) * np.clip(raised, 0, 1)
    aside = rays.u * reach - np.float32(prop.x)
    hidden = np.clip((half - np.abs(aside)) / (reach * rays.pixel) + 0.5, 0, 1)
    hidden *= (raised > 0) & (raised < 1)
    shade = 0.85 + 0.3 * np.clip(aside / half, -1, 1)
    band = (raised > 0.45) & (raised < 0.7)
    for plane, colour, stripe in zip(canvas[:, span], prop.colour, prop.band, strict=True):
        plane += (np.where(band, np.float32(stripe), np.float32(colour)) * shade - plane) * hidden


def _expose(canvas: Plane, drawn: Scene, rays: _Rays, size: tuple[int, int]) -> NDArray[np.uint8]:
    """What the camera makes of the light: exposure, tint, vignette, blur and noise."""
    light = drawn.light
    centred = np.square(rays.u)[None, :] + np.square(rays.v)[:, None]
    canvas *= (1 + light.slope * rays.u) * (1 - light.vignette * centred / 2) * light.exposure
    canvas *= np.array(light.tint, np.float32)[:, None, None]
    samples = (np.clip(canvas, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    picture = Image.fromarray(np.ascontiguousarray(samples)).reduce(_SUPERSAMPLES)
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(light.blur * size[0])), np.float32)
    rng = np.random.default_rng([drawn.seed, *size])
    grain = rng.standard_normal((size[1], size[0], 1), np.float32)
    coloured = rng.standard_normal((size[1], size[0], 3), np.float32)
    noisy = blurred + 255 * np.float32(light.noise) * (0.8 * grain + 0.6 * coloured)
    frame: NDArray[np.uint8] = np.clip(noisy + 0.5, 0, 255).astype(np.uint8)
    return frame
