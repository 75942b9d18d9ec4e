"""The road of the sample frames: a chain of arcs on the floor, and the labels that follow from it.

Ground coordinates are in metres and seen from the car: the camera stands above (0, 0), x points right, z
forward. Angles are in radians, clockwise from above, so that right is positive as in Donkey Cars' steering; a
curvature is 1 / radius in 1/m, positive where the road bends right. Along the road, s is the arc length from
the car (negative behind it) and d the distance from the centre line, positive on the right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FULL_SPEED_CURVATURE",
    "LOOK_AHEAD",
    "MAX_STEERING_ANGLE",
    "MAX_THROTTLE",
    "OFF_ROAD",
    "SIGHT",
    "WHEELBASE",
    "Arc",
    "Road",
    "steering",
    "throttle",
]

WHEELBASE = 0.17  #: metres between the axles of a car at 1:10 to 1:16
LOOK_AHEAD = 0.9  #: metres of road between the car and the point it steers for
MAX_STEERING_ANGLE = math.radians(20)  #: of the front wheels, where the steering label is 1
SIGHT = 1.0  #: metres of road ahead that the throttle depends on
MAX_THROTTLE = 0.8
FULL_SPEED_CURVATURE = 0.25  #: 1/m; wider bends are taken at MAX_THROTTLE

OFF_ROAD = 1e3  #: the distance d given to points that no arc of the road reaches, in metres

_BEHIND = 0.8  # metres of road kept behind the car
_STEPS = 21  # points at which the curvature ahead is averaged


@dataclass(frozen=True)
class Arc:
    """A stretch of road of constant curvature (0 is a straight), from ``start`` to ``end`` along the road.

    The stretch passes the point (x, z) with the given heading at ``anchor`` metres along the road.
    """

    x: float
    z: float
    heading: float
    curvature: float
    anchor: float
    start: float
    end: float

    def point(self, s: float, d: float = 0.0) -> tuple[float, float]:
        """The ground point (x, z) at s metres along the road and d metres right of its centre line."""
        turned = self.curvature * (s - self.anchor)
        chord = (s - self.anchor) * float(np.sinc(turned / (2 * math.pi)))  # sin(turned/2) / (turned/2)
        direction = self.heading + turned / 2
        heading = self.heading + turned
        return (
            self.x + chord * math.sin(direction) + d * math.cos(heading),
            self.z + chord * math.cos(direction) - d * math.sin(heading),
        )

    def locate(self, x: NDArray[np.float32], z: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(s, d) of ground points relative to this arc, continued as a full circle or line.

        With a the way along the heading at the anchor, b the way to its right, k the curvature and
        r = |(k a, 1 - k b)|: d = (1 - r) / k, written so that k = 0 needs no case of its own, and
        s = anchor + atan2(k a, 1 - k b) / k.
        """
        sine, cosine = np.float32(math.sin(self.heading)), np.float32(math.cos(self.heading))
        k, anchor = np.float32(self.curvature), np.float32(self.anchor)
        aside, ahead = x - np.float32(self.x), z - np.float32(self.z)
        along, right = aside * sine + ahead * cosine, aside * cosine - ahead * sine
        if k == 0:
            return along + anchor, right
        to_centre = 1 - k * right
        radius = np.sqrt(np.square(k * along) + np.square(to_centre))
        d = (2 * right - k * (np.square(along) + np.square(right))) / (1 + radius)
        return np.arctan2(k * along, to_centre) / k + anchor, d


@dataclass(frozen=True)
class Road:
    """Arcs that join with a common tangent, and the width of the road."""

    arcs: tuple[Arc, ...]
    half_width: float

    @classmethod
    def laid(
        cls, offset: float, heading: float, pieces: Sequence[tuple[float, float]], half_width: float = 0.55
    ) -> Road:
        """The road as a car sees it that stands on it.

        Args:
            offset: of the car from the centre line in metres, positive when the car is too far right.
            heading: of the car relative to the road in radians, positive when the car points too far right.
            pieces: (length in metres, curvature in 1/m) of each stretch, from the car on.
            half_width: from the centre line to the middle of a side line, in metres.
        """
        x, z, direction, s = -offset * math.cos(heading), -offset * math.sin(heading), -heading, 0.0
        arcs: list[Arc] = []
        for length, curvature in pieces:
            start = s if arcs else -_BEHIND
            arc = Arc(x, z, direction, curvature, anchor=s, start=start, end=s + length)
            arcs.append(arc)
            x, z = arc.point(s + length)
            direction += curvature * length
            s += length
        return cls(tuple(arcs), half_width)

    def point(self, s: float, d: float = 0.0) -> tuple[float, float]:
        """The ground point (x, z) at s metres along the road and d metres right of its centre line."""
        return self._arc(s).point(s, d)

    def curvature(self, s: float) -> float:
        """The curvature s metres along the road, in 1/m."""
        return self._arc(s).curvature

    def locate(self, x: NDArray[np.float32], z: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(s, d) of ground points relative to the nearest stretch of road beside them.

        Args:
            x: metres to the right, float32, any shape.
            z: metres forward, float32, same shape.

        Returns:
            Two arrays of that shape, float32; d is OFF_ROAD where no stretch lies beside the point.
        """
        along = np.zeros_like(x)
        across = np.full_like(x, OFF_ROAD)
        for arc in self.arcs:
            s, d = arc.locate(x, z)
            nearer = (s >= arc.start) & (s <= arc.end) & (np.abs(d) < np.abs(across))
            np.copyto(along, s, where=nearer)
            np.copyto(across, d, where=nearer)
        return along, across

    def _arc(self, s: float) -> Arc:
        return next((arc for arc in self.arcs if s <= arc.end), self.arcs[-1])


def steering(road: Road) -> float:
    """The steering label in -1 (full left) .. 1 (full right): pure pursuit of the centre line.

    With (x, z) the point of the centre line LOOK_AHEAD metres along the road, seen from the car, the front
    wheels turn by atan(2 WHEELBASE x / (x² + z²)) to put the car on the circle through that point; the label
    is that angle over MAX_STEERING_ANGLE, clipped. The offset from the centre line, the error of heading and
    the curvature ahead all enter through that point. Source: R. C. Coulter, "Implementation of the Pure
    Pursuit Path Tracking Algorithm", CMU-RI-TR-92-01, 1992.
    """
    x, z = road.point(LOOK_AHEAD)
    angle = math.atan(2 * WHEELBASE * x / (x * x + z * z))
    return max(-1.0, min(1.0, angle / MAX_STEERING_ANGLE))


def throttle(road: Road) -> float:
    """The throttle label in 0..1: as fast as a fixed sideways acceleration allows in the bend ahead.

    A speed v in a bend of curvature k pulls sideways with v² |k|, so v goes with 1 / sqrt(|k|): the label is
    MAX_THROTTLE min(1, sqrt(FULL_SPEED_CURVATURE / k)), k being |curvature| averaged over SIGHT metres ahead.
    """
    ahead = np.linspace(0.0, SIGHT, _STEPS)
    mean = float(np.mean([abs(road.curvature(float(s))) for s in ahead]))
    return MAX_THROTTLE * math.sqrt(FULL_SPEED_CURVATURE / max(mean, FULL_SPEED_CURVATURE))
