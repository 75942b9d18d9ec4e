"""Functions of one value in float32, made of those that every GPU has a library of, which are exact to a few units.

They are written so that nothing overflows on the way and small values keep their digits.
"""

from __future__ import annotations

import math

import numpy as np

from .base import part

__all__ = ["elu", "gelu", "mish", "sigmoid", "softplus", "squareplus", "tanh_shrink"]

F = np.float32
ZERO, HALF, ONE, TWO = F(0), F(0.5), F(1), F(2)


@part
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    e = math.exp(-abs(x))  # of a negative number alone: never overflows, and keeps tiny values exact
    return (ONE if x >= ZERO else e) / (ONE + e)


@part
def softplus(x):
    """log(1 + exp(x))."""
    return (ZERO if x <= ZERO else x) + math.log1p(math.exp(-abs(x)))


@part
def elu(x, a):
    """x above zero, else a * (exp(x) - 1)."""
    return x if x > ZERO else a * math.expm1(x)


@part
def gelu(x):
    """x * (1 + erf(x / sqrt 2)) / 2."""
    return x * HALF * math.erfc(x * F(-0.7071067811865476))


@part
def mish(x):
    """x * tanh(log(1 + exp(x))): with e = exp(-|x|), a quotient of polynomials in e."""
    e = math.exp(-abs(x))
    n = TWO * e + ONE if x >= ZERO else e * (e + TWO)
    return x * (n / (n + TWO * (e * e if x >= ZERO else ONE)))


@part
def squareplus(x, a):
    """(x + sqrt(x^2 + a)) / 2; below zero as a / (sqrt(x^2 + a) - x) / 2, where the sum would lose all digits."""
    half = x * HALF
    root = math.hypot(x, math.sqrt(a)) * HALF  # x^2 may overflow
    return half + root if x >= ZERO or root == F(np.inf) else a * F(0.25) / (root - half)


@part
def tanh_shrink(x):
    """x - tanh(x).

    Where the two are near each other, from Lambert's continued fraction: with tanh(x) = x / (1 + u) it is
    x * u / (1 + u), u = x^2 / (3 + x^2 / (5 + x^2 / (7 + ...))).
    """
    if abs(x) > TWO:
        return x - math.tanh(x)
    z = x * x
    u = F(11) + z / F(13)
    u = F(9) + z / u
    u = F(7) + z / u
    u = F(5) + z / u
    u = z / (F(3) + z / u)
    return x * (u / (ONE + u))
